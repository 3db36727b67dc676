//! `reduce`: a list, and the one step that makes one item of several.

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::xecfile::cursor::{Cursor, Reader};
use crate::xecfile::decode::step::{Parts, is_hook, setting, step};
use crate::xecfile::decode::{empty, row_of, values};
use crate::xecfile::model::{Reduce, Step, StepKind};
use crate::xecfile::schema::{self, Places, Row};

/// So many items at once where nothing is said.
const FAN_IN: u32 = 16;

/// What is read so far.
struct Found {
    fan_in: u32,
    capture: Option<Spanned<std::sync::Arc<str>>>,
    steps: Vec<Step>,
    /// Whether every step could be read.
    whole: bool,
}

/// Reads all of it.
pub(super) fn reduce<'a>(
    reader: &mut Reader<'a>,
    cursor: &mut Cursor<'a>,
    row: &'static Row,
    parts: &mut Parts,
) -> Option<Reduce> {
    let list = cursor.arg(reader, row);
    let mut found = Found { fan_in: FAN_IN, capture: None, steps: Vec::new(), whole: true };
    for property in cursor.take_props() {
        child(reader, property, parts, &mut found);
    }
    for node in cursor.take_block().unwrap_or_default() {
        let inner = Cursor::new(reader, node);
        child(reader, inner, parts, &mut found);
    }
    let list = list_of(reader, &list?)?;
    let Found { fan_in, capture, steps, whole } = found;
    let count = steps.len();
    let mut steps = steps.into_iter();
    let Some(step) = steps.next() else {
        if whole {
            empty(reader, cursor, row);
        }
        return None;
    };
    let joins = matches!(step.kind, StepKind::Run(_) | StepKind::Exec(_));
    if count > 1 || !joins {
        let span = steps.next().map_or(step.span, |second| second.span);
        let problem = Problem::error(Code::ExtraValue, "`reduce` has one `run` or `exec`, and nothing else");
        reader.report(problem.at(span, "").help("what takes several commands is one script, or a script of its own"));
        return None;
    }
    for span in step.data.capture.iter().map(|kept| kept.name.span).chain(step.data.args.iter().map(|args| args.span)) {
        let problem = Problem::error(Code::ExtraValue, "the step of a `reduce` is given the items and writes one");
        reader.report(problem.at(span, "").help("the last item is kept by `capture` on `reduce` itself"));
    }
    Some(Reduce { list, fan_in, capture, step: Box::new(step) })
}

fn list_of(reader: &mut Reader<'_>, value: &crate::xecfile::cursor::Value<'_>) -> Option<Spanned<Template>> {
    let list = values::template(reader, value)?;
    if let Some(text) = list.value.as_text() {
        let problem = Problem::error(Code::BadValue, format!("`reduce` reads a list, and `{text}` is a text"));
        reader.report(problem.at(list.span, "").help(format!("name a list: reduce \"${{{text}}}\"")));
        return None;
    }
    Some(list)
}

fn child<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, parts: &mut Parts, found: &mut Found) {
    if let Some(row) = schema::find(cursor.name, Places::REDUCE) {
        if !parts.once.check(reader, row.name, &cursor) {
            return;
        }
        if let Some(value) = cursor.arg(reader, row) {
            match row.name {
                "capture" => found.capture = values::name(reader, &value, "a value"),
                _ => {
                    let fan_in = values::number::<u32>(reader, row, &value).map(|number| number.value);
                    found.fan_in = fan_in.unwrap_or(FAN_IN);
                    if fan_in.is_some_and(|fan_in| fan_in < 2) {
                        values::bad(reader, row, &value, Some("at least two items become one".to_owned()));
                    }
                }
            }
        }
        return cursor.finish(reader);
    }
    match row_of(reader, &cursor, Places::GROUP) {
        Some(row) if row.is_setting() || is_hook(row) => setting(reader, cursor, row, parts),
        Some(row) => match step(reader, cursor, row) {
            Some(step) => found.steps.push(step),
            None => found.whole = false,
        },
        None => found.whole = false,
    }
}
