//! What a step makes of its output and of how it ends, and what it reads.

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::xecfile::cursor::{Cursor, Reader};
use crate::xecfile::decode::{details, not_yet, unreachable_row, values};
use crate::xecfile::model::{Capture, CaptureForm, Data, Group, Input};
use crate::xecfile::schema::{Kind, Places, Row};

/// Whether a word belongs to [`Data`].
pub(super) fn is_data(row: &Row) -> bool {
    matches!(row.name, "capture" | "status" | "stdin" | "stdout" | "args")
}

/// Reads one of them, on a step of the kind `on`.
pub(super) fn data<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, on: &str, out: &mut Data) {
    if Group::named(on).is_some_and(|group| group != Group::Pipe) {
        return not_yet(reader, cursor.name_span, &format!("`{}` on `{on}`", row.name));
    }
    if !matches!(on, "run" | "exec" | "pipe") {
        let problem = Problem::error(Code::UnknownSetting, format!("`{on}` has no `{}`", row.name));
        return reader.report(problem.at(cursor.name_span, "").help("it belongs to `run`, `exec` and `pipe`"));
    }
    if on != "run" && row.name == "args" {
        let message = format!("`{on}` has no `args`: only a script has `\"$@\"`");
        let problem = Problem::error(Code::UnknownSetting, message);
        let help = "a list that is a word of its own becomes as many words: exec program \"${list}\"";
        return reader.report(problem.at(cursor.name_span, "").help(help));
    }
    if row.name == "stdin" {
        out.stdin = stdin(reader, &mut cursor, row);
    } else if let Some(value) = cursor.arg(reader, row) {
        match row.name {
            "capture" => {
                let name = values::name(reader, &value, "a value");
                let form = form(reader, &mut cursor);
                out.capture = name.map(|name| Capture { name, form });
            }
            "status" => out.status = values::name(reader, &value, "a value"),
            "stdout" => out.stdout = values::template(reader, &value),
            "args" => out.args = values::template(reader, &value),
            _ => unreachable_row(reader, &cursor),
        }
    }
    cursor.finish(reader);
}

/// `stdin "text"` or `stdin file="path"`.
fn stdin<'a>(reader: &mut Reader<'a>, cursor: &mut Cursor<'a>, row: &'static Row) -> Option<Input> {
    let at = cursor.name_span;
    let text = cursor.args(reader, row)?.first().and_then(|value| values::template(reader, value));
    let mut file = None;
    let told = reader.problems.as_slice().len();
    for (row, mut detail) in details(reader, cursor, Places::STDIN) {
        file = detail.arg(reader, row).and_then(|value| values::template(reader, &value));
        detail.finish(reader);
    }
    match (text, file) {
        (Some(text), None) => Some(Input::Text(text)),
        (None, Some(file)) => Some(Input::File(file)),
        (Some(_), Some(file)) => {
            let problem = Problem::error(Code::ExtraValue, "`stdin` has a text and a file");
            reader.report(problem.at(file.span, "").help("a step reads one of them"));
            None
        }
        (None, None) if reader.is_broken(at) || reader.problems.as_slice().len() > told => None,
        (None, None) => {
            let problem = Problem::error(Code::MissingValue, "`stdin` does not say what").at(at, "");
            reader.report(problem.help("like this: stdin \"${text}\", or stdin file=\"data.csv\""));
            None
        }
    }
}

fn form<'a>(reader: &mut Reader<'a>, cursor: &mut Cursor<'a>) -> CaptureForm {
    let mut form = CaptureForm::default();
    for (row, mut detail) in details(reader, cursor, Places::CAPTURE) {
        if let Some(value) = detail.arg(reader, row) {
            form = match value.text {
                "text" => CaptureForm::Text,
                "lines" => CaptureForm::Lines,
                "json" => CaptureForm::Json,
                "stream" => CaptureForm::Stream,
                other => {
                    let help = match row.args.kind {
                        Kind::Choice(words) => did_you_mean(other, words.iter().copied()),
                        _ => None,
                    };
                    values::bad(reader, row, &value, help);
                    form
                }
            };
        }
        detail.finish(reader);
    }
    form
}
