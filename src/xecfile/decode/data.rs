//! What a step makes of its output and of how it ends, and what it reads.

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::xecfile::cursor::{Cursor, Reader};
use crate::xecfile::decode::{details, not_yet, unreachable_row, values};
use crate::xecfile::model::{Capture, CaptureForm, Data, Group};
use crate::xecfile::schema::{Kind, Places, Row};

/// Whether a word belongs to [`Data`].
pub(super) fn is_data(row: &Row) -> bool {
    matches!(row.name, "capture" | "status" | "stdin" | "args")
}

/// Reads one of them, on a step of the kind `on`.
pub(super) fn data<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, on: &str, out: &mut Data) {
    if Group::named(on).is_some() {
        return not_yet(reader, cursor.name_span, &format!("`{}` on `{on}`", row.name));
    }
    if !matches!(on, "run" | "exec") {
        let problem = Problem::error(Code::UnknownSetting, format!("`{on}` has no `{}`", row.name));
        return reader.report(problem.at(cursor.name_span, "").help("it belongs to `run` and `exec`"));
    }
    if on == "exec" && row.name == "args" {
        let problem = Problem::error(Code::UnknownSetting, "`exec` has no `args`: only a script has `\"$@\"`");
        let help = "a list that is a word of its own becomes as many words: exec program \"${list}\"";
        return reader.report(problem.at(cursor.name_span, "").help(help));
    }
    if let Some(value) = cursor.arg(reader, row) {
        match row.name {
            "capture" => {
                let name = values::name(reader, &value, "a value");
                let form = form(reader, &mut cursor);
                out.capture = name.map(|name| Capture { name, form });
            }
            "status" => out.status = values::name(reader, &value, "a value"),
            "stdin" => out.stdin = values::template(reader, &value),
            "args" => out.args = values::template(reader, &value),
            _ => unreachable_row(reader, &cursor),
        }
    }
    cursor.finish(reader);
}

fn form<'a>(reader: &mut Reader<'a>, cursor: &mut Cursor<'a>) -> CaptureForm {
    let mut form = CaptureForm::default();
    for (row, mut detail) in details(reader, cursor, Places::CAPTURE) {
        if let Some(value) = detail.arg(reader, row) {
            form = match value.text {
                "text" => CaptureForm::Text,
                "lines" => CaptureForm::Lines,
                "json" => CaptureForm::Json,
                "stream" => {
                    not_yet(reader, value.span, "`as=stream`");
                    form
                }
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
