//! What stands at the top of a file besides tasks: `let`, `secret`, `dotenv`, `include`.

use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem, clipped};
use crate::base::name::{is_task_name, is_variable_name, not_secret, task_name_rule};
use crate::base::source::{Span, Spanned};
use crate::xecfile::cursor::{Cursor, Reader, Value};
use crate::xecfile::decode::{details, not_yet, values};
use crate::xecfile::model::{Let, LetValue, Secret, SecretSource};
use crate::xecfile::schema::{Places, Row};

/// A file of variables.
#[derive(Debug)]
pub(crate) struct Dotenv {
    /// Its path, against the directory of the file that names it.
    pub(crate) path: Spanned<Arc<str>>,
    /// That it is not there is fine.
    pub(crate) optional: bool,
}

/// Another file.
#[derive(Debug)]
pub(crate) struct Include {
    /// Its path, against the directory of the file that names it.
    pub(crate) path: Spanned<Arc<str>>,
    /// What stands before the names of its tasks.
    pub(crate) name: Option<Spanned<Arc<str>>>,
}

/// `let name "text"`, `let name run="script"`.
pub(super) fn value<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, span: Span) -> Option<Let> {
    let args = cursor.args(reader, row)?;
    let mut found = None;
    for (row, mut detail) in details(reader, &mut cursor, Places::LET) {
        if let Some(script) = detail.arg(reader, row) {
            let text = values::script(reader, &script)?;
            if let Some(value) = args.get(1) {
                let problem = Problem::error(Code::ExtraValue, "a `let` has a text or a script, not both");
                reader.report(problem.at(detail.head, "").at(value.span, "").help("remove one of them"));
            }
            found = Some(LetValue::Run(Spanned::new(text.into(), script.span)));
        }
        detail.finish(reader);
    }
    cursor.finish(reader);
    let name = values::name(reader, &args[0], "a value")?;
    let value = match (args.get(1), found) {
        (Some(value), _) => LetValue::Text(values::template(reader, value)?),
        (None, Some(script)) => script,
        (None, None) => {
            if !reader.is_broken(span) {
                let problem = Problem::error(Code::MissingValue, format!("`{}` has no value", name.value));
                let help = format!("let {} \"…\", or let {} run=\"…\"", name.value, name.value);
                reader.report(problem.at(name.span, "").help(help));
            }
            return None;
        }
    };
    Some(Let { name, value, span })
}

/// `secret NAME`, `secret NAME file="path"`, `secret NAME run="script"`.
pub(super) fn secret<'a>(
    reader: &mut Reader<'a>,
    mut cursor: Cursor<'a>,
    row: &'static Row,
    span: Span,
) -> Option<Secret> {
    let value = cursor.arg(reader, row)?;
    let mut sources: Vec<(Span, SecretSource)> = Vec::new();
    for (row, mut detail) in details(reader, &mut cursor, Places::SECRET) {
        if let Some(value) = detail.arg(reader, row) {
            let source = match row.name {
                "file" => SecretSource::File(path(reader, &value)?),
                _ => SecretSource::Run(Spanned::new(values::script(reader, &value)?.into(), value.span)),
            };
            sources.push((detail.head, source));
        }
        detail.finish(reader);
    }
    cursor.finish(reader);
    if let [(one, _), (other, _), ..] = &sources[..] {
        let problem = Problem::error(Code::ExtraValue, "a `secret` has a file or a script, not both");
        reader.report(problem.at(*other, "").at(*one, "").help("remove one of them"));
    }
    let name = values::text(reader, &value)?;
    let why = match is_variable_name(name) {
        true => not_secret(name),
        false => Some("it is the name of a variable: letters, digits and `_`, the first one no digit"),
    };
    if let Some(why) = why {
        let message = format!("`{}` cannot be the name of a secret", clipped(name));
        reader.report(Problem::error(Code::BadName, message).at(value.span, "").help(why));
        return None;
    }
    let source = sources.pop().map_or(SecretSource::Variable, |(_, source)| source);
    Some(Secret { name: Spanned::new(name.into(), value.span), source, span })
}

/// `dotenv ".env" optional=#true`.
pub(super) fn dotenv<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row) -> Option<Dotenv> {
    let value = cursor.arg(reader, row)?;
    let mut optional = false;
    for (row, mut detail) in details(reader, &mut cursor, Places::DOTENV) {
        if let Some(value) = detail.arg(reader, row) {
            optional = values::boolean(reader, row, &value).is_some_and(|set| set.value);
        }
        detail.finish(reader);
    }
    cursor.finish(reader);
    Some(Dotenv { path: path(reader, &value)?, optional })
}

/// `include "api/Xecfile.kdl" as=api`.
pub(super) fn include<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row) -> Option<Include> {
    let value = cursor.arg(reader, row)?;
    let mut name = None;
    for (row, mut detail) in details(reader, &mut cursor, Places::INCLUDE) {
        if let Some(value) = detail.arg(reader, row) {
            let text = values::text(reader, &value)?;
            if is_task_name(text) {
                name = Some(Spanned::new(Arc::from(text), value.span));
            } else {
                let message = format!("`{}` cannot stand before the name of a task", clipped(text));
                reader.report(Problem::error(Code::BadName, message).at(value.span, "").help(task_name_rule(text)));
            }
        }
        detail.finish(reader);
    }
    cursor.finish(reader);
    Some(Include { path: path(reader, &value)?, name })
}

/// A path that is known when the file is read.
fn path(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Spanned<Arc<str>>> {
    let text = values::text(reader, value)?;
    if text.contains("${") {
        not_yet(reader, value.span, "a value in this path");
        return None;
    }
    Some(Spanned::new(text.into(), value.span))
}
