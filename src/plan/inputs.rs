//! From what is said of a task's inputs to what an instance is given: defaults, types and choices settled, so
//! that two ways to say the same make one instance.

use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::is_unseen;
use crate::base::source::{Span, Spanned};
use crate::base::value::Template;
use crate::plan::request::{Asked, Word};
use crate::plan::values::{Bound, Inputs, Known, Value, Values, nearest};
use crate::plan::words::input_at;
use crate::xecfile::model::{Binding, HOST_AXIS, Param, ParamRole, Task};

type Given = Vec<(usize, Vec<Bound>, Option<Span>)>;

/// The params of a task from the bindings of `needs` or `call`; those that name axes are handed back.
///
/// # Errors
/// A binding of the wrong type or name, or one that is missing.
pub fn from_bindings<'b>(
    task: &Task,
    bindings: &'b [Binding],
    caller: Values<'_>,
    own: Values<'_>,
    span: Span,
) -> Result<(Inputs, Vec<&'b Binding>), Box<Problem>> {
    let mut given: Given = Vec::new();
    let mut axes = Vec::new();
    for binding in bindings {
        let Some(at) = task.params.iter().position(|param| param.name.value == binding.name.value) else {
            axes.push(binding);
            continue;
        };
        let bound = match caller.known(&binding.value)? {
            Known::Value(value) => Bound::Static(value),
            Known::Late => Bound::Late(binding.value.clone()),
            Known::Unset => continue,
        };
        given.push((at, vec![bound], Some(binding.value.span)));
    }
    Ok((settle(task, given, own, Some(span))?, axes))
}

/// The params of a task from the words after it on the command line.
///
/// # Errors
/// A word that the task does not take, of the wrong type, or one that is missing.
pub fn from_words(task: &Task, asked: &Asked, own: Values<'_>) -> Result<Inputs, Box<Problem>> {
    let mut given: Given = Vec::new();
    let mut add = |at: usize, value: String| {
        let bound = Bound::Static(Value::text(value));
        match given.iter_mut().find(|(place, _, _)| *place == at) {
            Some((_, values, _)) => values.push(bound),
            None => given.push((at, vec![bound], None)),
        }
    };
    for word in &asked.words {
        let at = find(task, asked, word)?;
        let param = &task.params[at];
        let shown = match (word, param.role) {
            (Word::Value(_, value) | Word::Short(_, Some(value)), _) => {
                add(at, value.clone());
                continue;
            }
            (_, ParamRole::Flag) => {
                add(at, "true".to_owned());
                continue;
            }
            (Word::Short(letter, None), _) => format!("-{letter}"),
            (Word::Flag(name), _) => format!("--{name}"),
        };
        let message = format!("`{}` of `{}` takes a value", param.name.value, task.name.value);
        return Err(Box::new(Problem::error(Code::Usage, message).help(format!("write {shown}=…"))));
    }
    if let Some(rest) = &asked.rest {
        let Some(at) = task.params.iter().position(|param| param.role == ParamRole::Rest) else {
            let message = format!("`{}` takes nothing after `--`", task.name.value);
            return Err(Box::new(Problem::error(Code::Usage, message).help("a task takes it with `rest NAME`")));
        };
        let list = rest.iter().map(|word| Arc::from(word.as_str())).collect();
        given.push((at, vec![Bound::Static(Value::List(list))], None));
    }
    settle(task, given, own, None)
}

fn find(task: &Task, asked: &Asked, word: &Word) -> Result<usize, Box<Problem>> {
    input_at(task, word).ok_or_else(|| {
        let shown = match word {
            Word::Value(name, _) | Word::Flag(name) => name.clone(),
            Word::Short(letter, _) => letter.to_string(),
        };
        let names: Vec<Arc<str>> = task.params.iter().map(|param| param.name.value.clone()).collect();
        let name = &task.name.value;
        let message = format!("`{name}` has no input `{shown}`");
        let axes = task.matrix.iter().flat_map(|matrix| &matrix.axes);
        let is_axis = |name: &str| axes.clone().any(|known| *known.name.value == *name);
        let chosen: Vec<String> = asked
            .words
            .iter()
            .filter_map(|word| match word {
                Word::Value(axis, value) if is_axis(axis) => Some(format!("{axis}={}", quoted(value))),
                _ => None,
            })
            .collect();
        let help = match word {
            Word::Value(axis, _) if is_axis(axis) => {
                format!("it is an axis, by which instances are chosen: '{name}[{}]'", chosen.join(","))
            }
            _ => nearest(&shown, &names),
        };
        Box::new(Problem::error(Code::UnknownInput, message).help(help))
    })
}

/// Fills in defaults, and holds every value against its type and choices.
fn settle(task: &Task, mut given: Given, own: Values<'_>, span: Option<Span>) -> Result<Inputs, Box<Problem>> {
    let mut inputs: Vec<(Arc<str>, Bound)> = Vec::with_capacity(task.params.len());
    for (at, param) in task.params.iter().enumerate() {
        let found = given.iter().position(|(place, _, _)| *place == at).map(|found| given.swap_remove(found));
        let (bound, place) = match found {
            Some((_, values, place)) => (gather(task, param, values)?, place),
            None => {
                let so_far = Values { inputs: &inputs, ..own };
                (default(task, param, so_far, span)?, param.default.as_ref().map(|text| text.span))
            }
        };
        let bound = match bound {
            Bound::Static(value) => Bound::Static(typed(task, param, value, place)?),
            late @ (Bound::Late(_) | Bound::Item) => late,
        };
        inputs.push((param.name.value.clone(), bound));
    }
    Ok(inputs.into())
}

fn gather(task: &Task, param: &Param, mut values: Vec<Bound>) -> Result<Bound, Box<Problem>> {
    let many = param.many || param.role == ParamRole::Rest;
    match values.len() {
        1 if !many => Ok(values.swap_remove(0)),
        _ if many => {
            let mut items = Vec::new();
            for value in values {
                match value {
                    Bound::Static(value) => items.extend(value.items()),
                    late @ (Bound::Late(_) | Bound::Item) => return Ok(late),
                }
            }
            Ok(Bound::Static(Value::List(items.into())))
        }
        _ => Err(Box::new(
            Problem::error(Code::Duplicate, format!("`{}` of `{}` is given twice", param.name.value, task.name.value))
                .help("a param that takes several says `many=#true`"),
        )),
    }
}

fn default(task: &Task, param: &Param, own: Values<'_>, span: Option<Span>) -> Result<Bound, Box<Problem>> {
    if let Some(text) = &param.default {
        let value = own.must(text, "a default")?;
        return Ok(Bound::Static(if param.many { Value::List(value.items().into()) } else { value }));
    }
    match param.role {
        ParamRole::Flag => Ok(Bound::Static(Value::text(""))),
        ParamRole::Rest => Ok(Bound::Static(Value::List(Arc::from([])))),
        ParamRole::Value if param.many => Ok(Bound::Static(Value::List(Arc::from([])))),
        ParamRole::Value => {
            let name = &param.name.value;
            let problem =
                Problem::error(Code::MissingInput, format!("`{}` needs a value for `{name}`", task.name.value));
            let problem = match span {
                Some(span) => problem.at(span, format!("`{name}` is missing here")),
                None => problem.at(param.name.span, "it is declared without a default"),
            };
            let choices: Vec<&str> = param.choices.iter().map(|choice| &*choice.value).collect();
            Err(Box::new(match choices.first() {
                Some(_) => problem.help(format!("write {name}=…, one of {}", choices.join(", "))),
                None => problem.help(format!("write {name}=…")),
            }))
        }
    }
}

fn typed(task: &Task, param: &Param, value: Value, place: Option<Span>) -> Result<Value, Box<Problem>> {
    fit(&task.name.value, param, value).map_err(|Misfit { why, help }| {
        let problem = Problem::error(Code::BadValue, why).help(help);
        Box::new(match place {
            Some(span) => problem.at(span, "it is given here"),
            None => problem.at(param.name.span, "it is declared here"),
        })
    })
}

/// Why a value is none for a param, and what would be one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misfit {
    /// A sentence.
    pub why: String,
    /// A way out.
    pub help: String,
}

/// Holds a value against the type and the choices of a param of this task; a flag that is off comes out empty, and
/// what may be several is a list.
///
/// # Errors
/// It is none.
pub fn fit(task: &str, param: &Param, value: Value) -> Result<Value, Misfit> {
    let bad = |why: String, help: String| Err(Misfit { why, help });
    let name = &param.name.value;
    for item in value.items() {
        if param.role == ParamRole::Flag {
            if !matches!(&*item, "" | "true" | "false") {
                return bad(format!("the flag `{name}` is `true` or `false`, not `{item}`"), format!("write --{name}"));
            }
            continue;
        }
        if let Err(why) = param.ty.check(&item) {
            let message = format!("`{item}` is no value for `{name}` of `{task}`: it is {why}");
            return bad(message, format!("for example {name}={}", param.ty.example()));
        }
        if !param.choices.is_empty() && !param.choices.iter().any(|choice| choice.value == item) {
            let choices: Vec<Arc<str>> = param.choices.iter().map(|choice| choice.value.clone()).collect();
            return bad(format!("`{item}` is not one of the choices of `{name}`"), nearest(&item, &choices));
        }
    }
    // A flag is `true` or empty, so that `${flag:+…}` works.
    Ok(match (param.role, &value) {
        (ParamRole::Flag, Value::Text(text)) if &**text == "false" => Value::text(""),
        (ParamRole::Rest, _) => Value::List(value.items().into()),
        (_, _) if param.many => Value::List(value.items().into()),
        _ => value,
    })
}

/// What follows the task in an instance's name: its host, and in brackets what it was given beyond the defaults, and its axes.
pub fn brackets(task: &Task, inputs: &Inputs, own: Values<'_>) -> String {
    let over_hosts = task.matrix.as_ref().is_some_and(|matrix| matrix.on().is_some());
    let (mut shown, mut host) = (Vec::new(), String::new());
    for (name, bound) in inputs.iter() {
        let value = match bound {
            Bound::Static(value) => value,
            Bound::Item => {
                shown.push(format!("{name}=…"));
                continue;
            }
            Bound::Late(_) => continue,
        };
        if over_hosts && &**name == HOST_AXIS {
            host = format!("@{}", value.flat());
            continue;
        }
        let param = task.params.iter().find(|param| param.name.value == *name);
        if param.is_some_and(|param| default(task, param, own, None).is_ok_and(|usual| usual == *bound)) {
            continue;
        }
        shown.push(format!("{name}={}", quoted(&value.flat())));
    }
    if shown.is_empty() { host } else { format!("{host}[{}]", shown.join(",")) }
}

/// The name of a lane while it works on an item: `name` is the one that [`brackets`] gave it.
pub fn with_item(name: &str, values: &[(Arc<str>, Value)], number: u64) -> String {
    values.iter().fold(name.to_owned(), |name, (axis, value)| {
        let shown = match value {
            Value::Text(text) => quoted(text),
            Value::List(_) => format!("#{number}"),
        };
        name.replacen(&format!("{axis}=…"), &format!("{axis}={shown}"), 1)
    })
}

/// A value as it stands in the name of an instance: JSON where it would be mistaken.
pub fn quoted(value: &str) -> String {
    let special = |c: char| c.is_whitespace() || is_unseen(c) || matches!(c, ',' | ']' | '=' | '"' | '[');
    if !value.is_empty() && !value.contains(special) {
        return value.to_owned();
    }
    let mut out = String::new();
    for c in serde_json::Value::from(value).to_string().chars() {
        match c {
            c if is_unseen(c) => {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")))
            }
            c => out.push(c),
        }
    }
    out
}

/// A text that was typed, as a template that holds nothing.
pub fn literal(text: &str, span: Span) -> Spanned<Template> {
    Spanned::new(Template::plain(text), span)
}
