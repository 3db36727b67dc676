//! Values that are known before anything runs, and what can be said of those that are not.

use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::plan::hosts;
use crate::plan::world::World;
use crate::xecfile::model::{FileScope, HOST_AXIS, Host, Late, LetValue};

/// A value.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Value {
    /// Some text.
    Text(Arc<str>),
    /// A list of texts.
    List(Arc<[Arc<str>]>),
}

impl Value {
    /// Some text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Value::Text(text.into())
    }

    /// As one text: a list is its lines.
    pub fn flat(&self) -> String {
        match self {
            Value::Text(text) => text.to_string(),
            Value::List(items) => items.join("\n"),
        }
    }

    /// As many: a text is a list of itself.
    pub fn items(&self) -> Vec<Arc<str>> {
        match self {
            Value::Text(text) => vec![text.clone()],
            Value::List(items) => items.to_vec(),
        }
    }
}

/// A value that an instance was given.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Bound {
    /// It is known.
    Static(Value),
    /// It is made of this when the instance begins, in the scope of who called it.
    Late(Spanned<Template>),
    /// A lane has it from the item that it works on.
    Item,
}

/// What an instance was given, in the order of its params, then of its axes.
pub type Inputs = Arc<[(Arc<str>, Bound)]>;

/// What can be said of a name now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Known {
    /// This.
    Value(Value),
    /// That it will have a value.
    Late,
    /// Nothing.
    Unset,
}

/// The values of a file, once for all of its tasks.
#[derive(Clone, Debug, Default)]
pub struct FileValues {
    hosts: Arc<[Host]>,
    env: Vec<(Arc<str>, String)>,
    declared: usize,
    lets: Vec<(Arc<str>, Known)>,
}

impl FileValues {
    /// The hosts of the run.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// What can be said of a `let` of this file.
    pub fn get(&self, name: &str) -> Option<&Known> {
        self.lets.iter().rev().find(|(given, _)| **given == *name).map(|(_, known)| known)
    }

    /// The variables that the file declares.
    pub fn env(&self) -> &[(Arc<str>, String)] {
        &self.env
    }

    /// How many entries its own `env` has.
    pub fn declared(&self) -> usize {
        self.declared
    }

    /// Reads `env` and `let`s in order, so that later ones may name earlier ones.
    ///
    /// # Errors
    /// One problem for each that names what is not there.
    pub fn of(file: &FileScope, hosts: &Arc<[Host]>, world: World<'_>) -> Result<Self, Vec<Problem>> {
        let mut values = Self { hosts: hosts.clone(), declared: file.env.len(), ..Self::default() };
        let mut problems = Vec::new();
        for (name, value) in &file.dotenv {
            if (world.env)(name).is_none() {
                values.env.push((name.clone(), value.to_string()));
            }
        }
        for entry in &file.env {
            match (Values { file: &values, inputs: &[], world }).known(&entry.value) {
                Ok(Known::Value(value)) => values.env.push((entry.name.value.clone(), value.flat())),
                // It is spoken of where it is used.
                Ok(Known::Late | Known::Unset) | Err(_) => {}
            }
        }
        for item in &file.lets {
            let known = match &item.value {
                LetValue::Run(_) => Ok(Known::Late),
                LetValue::Text(text) => (Values { file: &values, inputs: &[], world }).known(text),
            };
            match known {
                Ok(known) => values.lets.push((item.name.value.clone(), known)),
                Err(problem) => problems.push(*problem),
            }
        }
        if problems.is_empty() { Ok(values) } else { Err(problems) }
    }
}

/// What is in scope of an instance before anything runs.
#[derive(Clone, Copy)]
pub struct Values<'v> {
    /// What its file says.
    pub file: &'v FileValues,
    /// What it was given.
    pub inputs: &'v [(Arc<str>, Bound)],
    /// The rest.
    pub world: World<'v>,
}

impl Values<'_> {
    /// What can be said of one name.
    pub fn get(&self, name: &str) -> Known {
        if let Some(variable) = name.strip_prefix("env.") {
            let declared = self.file.env.iter().rev().find(|(name, _)| **name == *variable);
            let found = declared.map(|(_, value)| value.clone()).or_else(|| (self.world.env)(variable));
            return found.map_or(Known::Unset, |value| Known::Value(Value::text(value)));
        }
        if let Some(part) = name.strip_prefix("host.") {
            let Known::Value(host) = self.get(HOST_AXIS) else { return Known::Late };
            return match self.file.hosts.iter().find(|known| *known.name.value == *host.flat()) {
                Some(host) => hosts::part(host, part).map_or(Known::Late, Known::Value),
                None => Known::Late,
            };
        }
        if let Some((_, bound)) = self.inputs.iter().rev().find(|(given, _)| **given == *name) {
            return match bound {
                Bound::Static(value) => Known::Value(value.clone()),
                Bound::Late(_) | Bound::Item => Known::Late,
            };
        }
        match self.file.lets.iter().rev().find(|(given, _)| **given == *name) {
            Some((_, known)) => known.clone(),
            // Captures, takes and temps: the file's own check has seen to it that there is no other name.
            None => Known::Late,
        }
    }

    /// What a text is now; a list stays one where the text is nothing but its hole.
    ///
    /// # Errors
    /// It names a variable that is not set.
    pub fn known(&self, text: &Spanned<Template>) -> Result<Known, Box<Problem>> {
        if let Some(plain) = text.value.as_text() {
            return Ok(Known::Value(Value::Text(plain.clone())));
        }
        let known: Vec<(Arc<str>, Known)> = text.value.names().map(|name| (name.clone(), self.get(name))).collect();
        if known.iter().any(|(_, known)| *known == Known::Late) {
            return Ok(Known::Late);
        }
        if let ([(_, Known::Value(list @ Value::List(_)))], true) = (&known[..], text.value.bare_hole().is_some()) {
            return Ok(Known::Value(list.clone()));
        }
        let lookup = |name: &str| match known.iter().find(|(given, _)| **given == *name) {
            Some((_, Known::Value(value))) => Some(value.flat()),
            _ => None,
        };
        let list = |name: &str| match known.iter().find(|(given, _)| **given == *name)? {
            (_, Known::Value(Value::List(items))) => Some(items.iter().map(|item| item.to_string()).collect()),
            _ => None,
        };
        match text.value.expand_lists(&lookup, &list) {
            Ok(text) => Ok(Known::Value(Value::text(text))),
            Err(unknown) => Err(Box::new(unset(&unknown.name, text))),
        }
    }

    /// A text that has to be known before anything runs.
    ///
    /// # Errors
    /// It is not, or names what is not there.
    pub fn must(&self, text: &Spanned<Template>, what: &str) -> Result<Value, Box<Problem>> {
        match self.known(text)? {
            Known::Value(value) => Ok(value),
            Known::Late | Known::Unset => Err(Box::new(
                Problem::error(Code::LateValue, format!("{what} must be known before anything runs"))
                    .at(text.span, "this value is there only later")
                    .help("use what is known in the plan: params, axes, `let name value` and `env`"),
            )),
        }
    }

    /// A setting, read from its text where it has holes.
    ///
    /// # Errors
    /// As for [`Values::must`], or the text does not say what it should.
    pub fn setting<T: Copy>(
        &self,
        late: &Spanned<Late<T>>,
        what: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Box<Problem>> {
        match &late.value {
            Late::Now(value) => Ok(*value),
            Late::Text(text) => {
                let value = self.must(&Spanned::new(text.clone(), late.span), what)?.flat();
                read(&value).ok_or_else(|| {
                    let message = format!("`{value}` is no value of {what}");
                    Box::new(Problem::error(Code::BadValue, message).at(late.span, "it comes from here"))
                })
            }
        }
    }
}

/// The problem of a hole that nothing fills.
pub fn unset(name: &str, text: &Spanned<Template>) -> Problem {
    let message = match name.strip_prefix("env.") {
        Some(variable) => format!("the environment variable `{variable}` is not set"),
        None => format!("`{name}` has no value"),
    };
    Problem::error(Code::UnknownValue, message)
        .at(text.span, "it is used here")
        .help(format!("`${{{name}:-…}}` gives it a value where it is not set"))
}

/// The nearest of some names, as help.
pub fn nearest(wanted: &str, names: &[Arc<str>]) -> String {
    did_you_mean(wanted, names.iter().map(|name| &**name)).unwrap_or_else(|| match names {
        [] => "it takes nothing".to_owned(),
        _ => format!("it takes {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    })
}
