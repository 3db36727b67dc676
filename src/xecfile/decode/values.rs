//! From the spelling of a value to what it means.

use std::sync::Arc;
use std::time::Duration;

use crate::base::diagnostic::{Code, Problem};
use crate::base::duration;
use crate::base::name::{did_you_mean, is_value_name, reserved};
use crate::base::source::{Span, Spanned};
use crate::base::value::Template;
use crate::xecfile::cursor::{Reader, Value, ValueKind};
use crate::xecfile::decode::not_yet;
use crate::xecfile::guard::quote;
use crate::xecfile::model::{Late, Share, Width};
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

/// The longest text for a shell, which gets it as one argument: Linux takes none of 128 KiB.
const LONGEST_SCRIPT: usize = 120 * 1024;

/// The text of a script.
pub(super) fn script<'a>(reader: &mut Reader<'_>, value: &Value<'a>) -> Option<&'a str> {
    let text = text(reader, value)?;
    if text.len() > LONGEST_SCRIPT {
        let problem = Problem::error(Code::BadValue, "the text of `run` is larger than 120 KiB");
        reader.report(problem.at(value.span, "a shell gets it as one argument").help("put it into a script file"));
        return None;
    }
    Some(text)
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

/// The name of a value, an axis or a template.
pub(super) fn name(reader: &mut Reader<'_>, value: &Value<'_>, what: &str) -> Option<Spanned<Arc<str>>> {
    let name = text(reader, value)?;
    name_at(reader, name, value.span, what)
}

/// The same for a word that is no value of the document.
pub(super) fn name_at(reader: &mut Reader<'_>, name: &str, at: Span, what: &str) -> Option<Spanned<Arc<str>>> {
    if !is_value_name(name) {
        let problem = Problem::error(Code::BadName, format!("`{name}` cannot be the name of {what}"));
        let lower: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
        let help = match is_value_name(&lower) {
            true => format!("write it as `{lower}`: lower-case letters, and then digits, `_` and `-` too"),
            false => "a name begins with a lower-case letter; digits, `_` and `-` may follow".to_owned(),
        };
        reader.report(problem.at(at, "").help(help));
        return None;
    }
    if let Some(why) = reserved(name) {
        let problem = Problem::error(Code::BadName, format!("`{name}` cannot be the name of {what}")).at(at, why);
        reader.report(problem.help(format!("choose another one, such as `my-{name}`")));
        return None;
    }
    Some(Spanned::new(Arc::from(name), at))
}

/// Tells of a bare word of a list that ends in a comma, as lists do elsewhere: here it would be a part of the word.
pub(super) fn no_comma(reader: &mut Reader<'_>, value: &Value<'_>) {
    if let Some(word) = value.text.strip_suffix(',').filter(|word| value.is_bare() && !word.is_empty()) {
        let problem = Problem::error(Code::BareWord, format!("the comma of `{}` would be a part of it", value.text));
        let help = format!("values stand side by side, without commas: {word}\nwith the comma, quote it: \"{word},\"");
        reader.report(problem.at(value.span, "").help(help));
    }
}

/// The name of a task, of this file or of one that it includes.
pub(super) fn task(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Spanned<Arc<str>>> {
    let name = text(reader, value)?;
    if name.contains("${") || name.contains('@') {
        not_yet(reader, value.span, &format!("`{name}` as the name of a task"));
        return None;
    }
    if let Some((task, rest)) = name.split_once('[') {
        let bindings = rest.trim_end_matches(']').replace(',', " ");
        let problem = Problem::error(Code::BadName, "instances are chosen by properties here");
        reader.report(problem.at(value.span, "").help(format!("write {task} {bindings}")));
        return None;
    }
    Some(Spanned::new(Arc::from(name), value.span))
}

/// A value of a policy that must be known before anything runs.
fn known<'a>(reader: &mut Reader<'_>, row: &Row, value: &Value<'a>) -> Option<&'a str> {
    if value.kind == ValueKind::Text && value.text.contains("${") {
        not_yet(reader, value.span, &format!("a value in `{}`", row.name));
        return None;
    }
    Some(value.text)
}

/// A text with holes, or what a value without any is.
fn late<T>(
    reader: &mut Reader<'_>,
    row: &Row,
    value: &Value<'_>,
    now: impl FnOnce(&mut Reader<'_>, &Row, &Value<'_>) -> Option<Spanned<T>>,
) -> Option<Spanned<Late<T>>> {
    if value.kind == ValueKind::Text && value.text.contains("${") {
        return template(reader, value).map(|text| Spanned::new(Late::Text(text.value), text.span));
    }
    now(reader, row, value).map(|found| Spanned::new(Late::Now(found.value), found.span))
}

/// A value that is not what the row says.
pub(super) fn bad(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>, help: Option<String>) {
    let message = format!("`{}` takes {}, not `{}`", row.name, row.args.kind.describe(), value.text);
    let help = help.unwrap_or_else(|| format!("like this: {}", row.example));
    reader.report(Problem::error(Code::BadValue, message).at(value.span, "").help(help));
}

/// `"5s"`.
pub(super) fn time(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<Spanned<Duration>> {
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

/// `"5s"`, or a text that becomes one.
pub(super) fn late_time(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<Spanned<Late<Duration>>> {
    late(reader, row, value, time)
}

/// `3`, or a text with holes.
pub(super) fn late_number(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<Spanned<Late<u32>>> {
    late(reader, row, value, number)
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

/// `#true` and `#false`, or a text that becomes `true`, `false` or nothing.
pub(super) fn late_boolean(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<Spanned<Late<bool>>> {
    late(reader, row, value, boolean)
}

/// One of the words of the row.
pub(super) fn choice<T: std::str::FromStr>(
    reader: &mut Reader<'_>,
    row: &Row,
    value: &Value<'_>,
) -> Option<Spanned<T>> {
    let text = known(reader, row, value)?;
    if let Ok(found) = text.parse::<T>() {
        return Some(Spanned::new(found, value.span));
    }
    let help = match row.args.kind {
        Kind::Choice(words) => did_you_mean(text, words.iter().copied()),
        _ => None,
    };
    bad(reader, row, value, help);
    None
}

/// A whole number.
pub(super) fn number<T: std::str::FromStr>(
    reader: &mut Reader<'_>,
    row: &Row,
    value: &Value<'_>,
) -> Option<Spanned<T>> {
    let text = known(reader, row, value)?;
    match text.parse::<T>() {
        Ok(found) if matches!(value.kind, ValueKind::Text | ValueKind::Number) => Some(Spanned::new(found, value.span)),
        _ => {
            bad(reader, row, value, None);
            None
        }
    }
}

/// `4`, `"50%"`, `"cpus-1"`, `adaptive`.
pub(super) fn width(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<Spanned<Late<Width>>> {
    late(reader, row, value, number)
}

/// `4`, `"90%"`, `"1/3"`.
pub(super) fn share(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<Spanned<Late<Share>>> {
    late(reader, row, value, number)
}
