//! From the spelling of a value to what it means.

use std::sync::Arc;
use std::time::Duration;

use crate::base::diagnostic::{Code, Problem};
use crate::base::duration;
use crate::base::name::did_you_mean;
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::xecfile::cursor::{Reader, Value, ValueKind};
use crate::xecfile::decode::not_yet;
use crate::xecfile::guard::quote;
use crate::xecfile::model::{OnError, Reference, Width};
use crate::xecfile::schema::{Kind, Row};

/// A string or a number in its spelling; a keyword is neither.
pub(super) fn text<'a>(reader: &mut Reader<'_>, value: &Value<'a>) -> Option<&'a str> {
    if matches!(value.kind, ValueKind::Text | ValueKind::Number) {
        return Some(value.text);
    }
    let word = value.text.trim_start_matches('#');
    let problem = Problem::error(Code::BadValue, format!("`{}` is not a text", value.repr));
    reader.report(problem.at(value.span, "").help(format!("as a text, it is written {}", quote(word))));
    None
}

/// Text with `${…}`.
pub(super) fn template(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Spanned<Template>> {
    let text = text(reader, value)?;
    match Template::parse(text) {
        Ok(template) => Some(Spanned::new(template, value.span)),
        Err(bad) => {
            let problem = Problem::error(Code::BadTemplate, bad.why).at(value.part(bad.range), "");
            reader.report(match bad.help {
                Some(help) => problem.help(help),
                None => problem,
            });
            None
        }
    }
}

/// The name of a task.
pub(super) fn reference(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Reference> {
    let name = text(reader, value)?;
    if name.contains("${") || name.contains([':', '[', '@']) {
        not_yet(reader, value.span, &format!("`{name}` as the name of a task"));
        return None;
    }
    Some(Reference { task: Spanned::new(Arc::from(name), value.span) })
}

/// A value of a policy that must be known before anything runs.
fn known<'a>(reader: &mut Reader<'_>, row: &Row, value: &Value<'a>) -> Option<&'a str> {
    if value.kind == ValueKind::Text && value.text.contains("${") {
        not_yet(reader, value.span, &format!("a value in `{}`", row.name));
        return None;
    }
    Some(value.text)
}

/// A value that is not what the row says.
fn bad(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>, help: Option<String>) {
    let message = format!("`{}` takes {}, not `{}`", row.name, row.args.kind.describe(), value.text);
    let help = help.unwrap_or_else(|| format!("like this: {}", row.example));
    reader.report(Problem::error(Code::BadValue, message).at(value.span, "").help(help));
}

/// `"5s"`.
pub(super) fn span_of_time(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<Spanned<Duration>> {
    let text = known(reader, row, value)?;
    let number = value.kind == ValueKind::Number;
    match duration::parse(text) {
        Ok(found) if !number && (row.name != "timeout" || !found.is_zero()) => {
            return Some(Spanned::new(found, value.span));
        }
        _ if number || text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => {
            bad(reader, row, value, Some(format!("with its unit: {} \"{text}s\"", row.name)));
        }
        _ => bad(reader, row, value, None),
    }
    None
}

/// `#true` and `#false`.
pub(super) fn boolean(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<Spanned<bool>> {
    if let ValueKind::Bool(value_of) = value.kind {
        return Some(Spanned::new(value_of, value.span));
    }
    let text = known(reader, row, value)?;
    let help = match text {
        "true" | "yes" | "on" | "1" => Some(format!("{} #true", row.name)),
        "false" | "no" | "off" | "0" => Some(format!("{} #false", row.name)),
        _ => None,
    };
    bad(reader, row, value, help);
    None
}

/// One of the words of the row.
pub(super) fn on_error(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<Spanned<OnError>> {
    let text = known(reader, row, value)?;
    if let Ok(mode) = text.parse::<OnError>() {
        return Some(Spanned::new(mode, value.span));
    }
    let help = match row.args.kind {
        Kind::Choice(words) => did_you_mean(text, words.iter().copied()),
        _ => None,
    };
    bad(reader, row, value, help);
    None
}

/// `4`, `"50%"`, `"cpus-1"`.
pub(super) fn width(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<Spanned<Width>> {
    let text = known(reader, row, value)?;
    if text == "adaptive" {
        not_yet(reader, value.span, "`jobs adaptive`");
        return None;
    }
    match text.parse::<Width>() {
        Ok(width) if matches!(value.kind, ValueKind::Text | ValueKind::Number) => Some(Spanned::new(width, value.span)),
        _ => {
            bad(reader, row, value, None);
            None
        }
    }
}
