//! What a task takes: `param`, `flag`, `rest`.

use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::base::options;
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::xecfile::cursor::{Cursor, Reader, Value, ValueKind};
use crate::xecfile::decode::{details, unreachable_row, values};
use crate::xecfile::model::{Param, ParamRole, ParamType};
use crate::xecfile::schema::{Places, Row};

/// Reads an input; `None` if it has no name to be known by.
pub(super) fn input<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row) -> Option<Param> {
    let (role, place) = match row.name {
        "flag" => (ParamRole::Flag, Places::FLAG),
        "rest" => (ParamRole::Rest, Places::REST),
        _ => (ParamRole::Value, Places::PARAM),
    };
    let value = cursor.arg(reader, row);
    let name = value.and_then(|value| values::name(reader, &value, "an input"));
    let ty = if role == ParamRole::Flag { ParamType::Bool } else { ParamType::default() };
    let many = role == ParamRole::Rest;
    let mut param = Param {
        name: Spanned::new(Arc::from(""), cursor.name_span),
        role,
        ty,
        default: None,
        choices: Vec::new(),
        many,
        short: None,
        desc: None,
    };
    let mut found = details(reader, &mut cursor, place);
    // What a default may be is a matter of the type, wherever that stands.
    found.sort_by_key(|(row, _)| row.name != "type");
    for (row, detail) in found {
        self::detail(reader, detail, row, &mut param);
    }
    cursor.finish(reader);
    param.name = name?;
    if role == ParamRole::Flag {
        shadows_no_option(reader, &param);
    }
    fits(reader, &param);
    Some(param)
}

fn detail<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, param: &mut Param) {
    let args = cursor.args(reader, row).unwrap_or_default();
    if let Some(value) = args.first() {
        match row.name {
            "type" => {
                let known = ParamType::ALL.iter().find(|(name, _)| *name == value.text);
                match known {
                    Some((_, ty)) => param.ty = *ty,
                    None => {
                        let help = did_you_mean(value.text, ParamType::ALL.map(|(name, _)| name));
                        values::bad(reader, row, value, help);
                    }
                }
            }
            "default" if param.ty == ParamType::Bool && matches!(value.kind, ValueKind::Bool(_)) => {
                param.default = Some(Spanned::new(Template::plain(value.text.trim_start_matches('#')), value.span));
            }
            "default" => param.default = values::template(reader, value),
            "choices" => {
                for value in &args {
                    values::no_comma(reader, value);
                    let text = values::text(reader, value);
                    param.choices.extend(text.map(|text| Spanned::new(Arc::from(text), value.span)));
                }
            }
            "many" => param.many = values::boolean(reader, row, value).is_some_and(|set| set.value),
            "short" => param.short = short(reader, row, value),
            "desc" => param.desc = values::text(reader, value).map(Arc::from),
            _ => unreachable_row(reader, &cursor),
        }
    }
    cursor.finish(reader);
}

/// One letter or digit that is no option of xec.
fn short(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<char> {
    let mut chars = value.text.chars();
    let letter = match (chars.next(), chars.next()) {
        (Some(letter), None) if letter.is_ascii_alphanumeric() => letter,
        _ => {
            values::bad(reader, row, value, None);
            return None;
        }
    };
    if let Some((option, _)) = options::taken().find(|(_, short)| *short == Some(letter)) {
        let message = format!("`-{letter}` is xec's own, for `--{option}`");
        let free: String = ('a'..='z').filter(|c| options::taken().all(|(_, short)| short != Some(*c))).collect();
        let help = format!("choose another letter; free are {}", spaced(&free));
        reader.report(Problem::error(Code::BadName, message).at(value.span, "").help(help));
        return None;
    }
    Some(letter)
}

fn spaced(letters: &str) -> String {
    letters.chars().map(String::from).collect::<Vec<_>>().join(" ")
}

/// A flag can only be given by its `--name`; a param has `name=value` too, which is nobody else's.
fn shadows_no_option(reader: &mut Reader<'_>, param: &Param) {
    let name = &param.name.value;
    // On the command line, `_` in the name of an input is as good as `-`.
    let typed = name.replace('_', "-");
    if options::taken().any(|(option, _)| option == typed) {
        let message = format!("`--{typed}` is an option of xec, so no flag can have that name");
        let help = format!("choose another one, such as `with-{name}`");
        reader.report(Problem::error(Code::BadName, message).at(param.name.span, "").help(help));
    }
}

/// One choice is none: it is most likely several in one text.
fn alone(reader: &mut Reader<'_>, choice: &Spanned<Arc<str>>) -> bool {
    let parts: Vec<&str> = choice.value.split([',', '|', ' ']).filter(|part| !part.is_empty()).collect();
    if parts.len() < 2 {
        return false;
    }
    let message = format!("`{}` is one choice", choice.value);
    let help = format!("each is a word of its own: choices {}", parts.join(" "));
    reader.report(Problem::error(Code::BadValue, message).at(choice.span, "").help(help));
    true
}

/// Whether the default and the choices are of the type, and the default is one of the choices.
fn fits(reader: &mut Reader<'_>, param: &Param) {
    if let [choice] = &param.choices[..]
        && alone(reader, choice)
    {
        return;
    }
    for choice in &param.choices {
        if let Err(why) = param.ty.check(&choice.value) {
            let message = format!("the choice `{}` is {why}", choice.value);
            reader.report(Problem::error(Code::BadValue, message).at(choice.span, ""));
        }
    }
    let Some(default) = &param.default else { return };
    let Some(text) = default.value.as_text() else { return };
    if let Some(why) = misfit(param, text) {
        let problem = Problem::error(Code::BadValue, format!("the default `{text}` is {why}"));
        let names = param.choices.iter().map(|choice| &*choice.value);
        reader.report(match nearest_choice(text, names) {
            Some(help) => problem.at(default.span, "").help(help),
            None => problem.at(default.span, ""),
        });
    }
}

/// The nearest choice, where there are not too many to look at.
fn nearest_choice<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    did_you_mean(text, names.take(1000))
}

/// Why a text cannot be the value of an input, to follow "`text` is".
pub(crate) fn misfit(param: &Param, text: &str) -> Option<String> {
    if let Err(why) = param.ty.check(text) {
        // A flag that is off is empty.
        let off = param.role == ParamRole::Flag && text.is_empty();
        return (!off).then_some(why);
    }
    if param.choices.is_empty() || param.choices.iter().any(|choice| &*choice.value == text) {
        return None;
    }
    if param.choices.len() > 8 {
        return Some(format!("none of its {} choices", param.choices.len()));
    }
    let known: Vec<String> = param.choices.iter().map(|choice| format!("`{}`", choice.value)).collect();
    Some(format!("none of {}", known.join(", ")))
}
