//! `service { ready … }`, and what `wait` waits for.

use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::{Span, Spanned};
use crate::xecfile::cursor::{Cursor, Reader, Value};
use crate::xecfile::decode::{details, empty, unreachable_row, values};
use crate::xecfile::model::{READY_TIMEOUT, Ready, Service, http_address, tcp_address};
use crate::xecfile::schema::{Places, Row};

/// Reads a service.
pub(super) fn service<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row) -> Option<Service> {
    let (span, told) = (cursor.name_span, reader.problems.as_slice().len());
    let (mut ready, mut timeout) = (Vec::new(), READY_TIMEOUT);
    let nodes = details(reader, &mut cursor, Places::SERVICE);
    if nodes.is_empty() && reader.problems.as_slice().len() == told {
        empty(reader, &cursor, row);
    }
    for (row, mut node) in nodes {
        cursor_args(reader, &mut node, row);
        let before = reader.problems.as_slice().len();
        for (row, mut detail) in details(reader, &mut node, Places::READY) {
            if row.name == "timeout" {
                let value = detail.arg(reader, row).and_then(|value| values::time(reader, row, &value));
                timeout = value.map_or(timeout, |value| value.value);
                detail.finish(reader);
            } else {
                ready.extend(probe(reader, detail, row).map(|ready| (ready, row.name)));
            }
        }
        if ready.is_empty() && reader.problems.as_slice().len() == before {
            missing(reader, node.name_span, row);
        }
        node.finish(reader);
    }
    cursor.finish(reader);
    one(reader, span, ready).map(|ready| Service { ready, timeout, span })
}

fn cursor_args<'a>(reader: &mut Reader<'a>, node: &mut Cursor<'a>, row: &'static Row) {
    let _ = node.args(reader, row); // There are none, which this tells.
}

fn missing(reader: &mut Reader<'_>, span: Span, row: &Row) {
    let problem = Problem::error(Code::MissingValue, format!("`{}` does not say what to ask", row.name));
    reader.report(problem.at(span, "").help("ask for tcp=5432, http=\"http://…\", run=\"…\" or log=\"…\""));
}

/// Of several, the first, once it was said that one is asked.
pub(super) fn one(reader: &mut Reader<'_>, span: Span, found: Vec<(Ready, &'static str)>) -> Option<Ready> {
    if let [(_, first), (_, second), ..] = &found[..] {
        let problem = Problem::error(Code::ExtraValue, format!("`{first}` and `{second}` at once"));
        reader.report(problem.at(span, "").help("one of them is asked; a script can ask for more: run=\"a && b\""));
        return None;
    }
    found.into_iter().next().map(|(ready, _)| ready)
}

/// Reads one way to tell.
pub(super) fn probe<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row) -> Option<Ready> {
    let value = cursor.arg(reader, row);
    let ready = value.and_then(|value| match row.name {
        "tcp" => {
            let text = values::template(reader, &value)?;
            fits(reader, &value, text.value.as_text().map(|text| tcp_address(text).err()))?;
            Some(Ready::Tcp(text))
        }
        "http" => {
            let text = values::template(reader, &value)?;
            fits(reader, &value, text.value.as_text().map(|text| http_address(text).err()))?;
            Some(Ready::Http(text))
        }
        "exists" => values::template(reader, &value).map(Ready::Exists),
        "run" => {
            let script: Arc<str> = values::script(reader, &value)?.into();
            Some(Ready::Run(Spanned::new(script, value.span)))
        }
        "log" => {
            let text = values::text(reader, &value)?;
            if let Err(why) = regex_lite::Regex::new(text) {
                let problem = Problem::error(Code::BadValue, format!("this is no regular expression: {why}"));
                reader.report(problem.at(value.span, ""));
                return None;
            }
            Some(Ready::Log(Spanned::new(text.into(), value.span)))
        }
        _ => {
            unreachable_row(reader, &cursor);
            None
        }
    });
    cursor.finish(reader);
    ready
}

/// Tells what is wrong with a text that is known.
fn fits(reader: &mut Reader<'_>, value: &Value<'_>, wrong: Option<Option<&'static str>>) -> Option<()> {
    let Some(Some(why)) = wrong else { return Some(()) };
    let problem = Problem::error(Code::BadValue, format!("`{}` is no address", value.text));
    reader.report(problem.at(value.span, "").help(why));
    None
}
