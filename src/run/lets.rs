//! `let`s and secrets that are made while the run goes on: which of them somebody is about to need, the script of each, and those
//! that are a text around such a one. Asks nothing itself.

use std::collections::HashSet;
use std::ffi::OsString;
use std::sync::Arc;

use crate::base::command::{CommandSpec, Program};
use crate::base::source::Spanned;
use crate::plan::defs::names_in_sh;
use crate::plan::graph::Plan;
use crate::plan::ids::InstanceId;
use crate::plan::values::{Bound, Value};
use crate::run::command::{Surroundings, asking, common, set};
use crate::run::place::{Changes, Env, dotenv, exported, without};
use crate::run::values::{Store, expand};
use crate::xecfile::model::{FileId, Let, LetValue, Secret, SecretSource};

/// What is asked for, and by what.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of which file it is.
    pub file: FileId,
    /// Its name.
    pub name: Arc<str>,
    /// What says it.
    pub source: Source,
}

/// What says a value.
#[derive(Clone, Debug)]
pub enum Source {
    /// A script, by its stdout.
    Script(Arc<str>),
    /// This file, by what it holds.
    File(Arc<str>),
}

/// A value of a file.
#[derive(Clone, Copy)]
enum Item<'p> {
    Let(&'p Let),
    Secret(&'p Secret),
}

impl<'p> Item<'p> {
    fn name(self) -> &'p Spanned<Arc<str>> {
        match self {
            Item::Let(item) => &item.name,
            Item::Secret(item) => &item.name,
        }
    }

    fn script(self) -> Option<&'p Arc<str>> {
        match self {
            Item::Let(Let { value: LetValue::Run(script), .. })
            | Item::Secret(Secret { source: SecretSource::Run(script), .. }) => Some(&script.value),
            _ => None,
        }
    }

    fn source(self) -> Option<Source> {
        match self {
            Item::Secret(Secret { source: SecretSource::File(path), .. }) => Some(Source::File(path.value.clone())),
            _ => self.script().cloned().map(Source::Script),
        }
    }
}

/// Whether there is anything at all that may have to be asked for.
pub fn any(plan: &Plan) -> bool {
    let late = |file: &Vec<Let>| file.iter().any(|item| Item::Let(item).source().is_some());
    plan.defs.lets.iter().any(late) || plan.defs.secrets.iter().any(|file| !file.is_empty())
}

/// The first `let` or secret that has to be asked for before the values of these names can be said of an instance.
/// What it needs itself comes before it.
pub fn missing(plan: &Plan, instance: InstanceId, names: &[Arc<str>], store: &Store) -> Option<Wanted> {
    let mut at = Some((instance, names.to_vec()));
    while let Some((id, names)) = at.take() {
        let instance = plan.instance(id);
        let file = plan.defs.tasks[instance.def.index()].file;
        let items = items_of(plan, file);
        let wanted = closure(&items, &names, &secrets_of(plan, file));
        let first = items.iter().find_map(|item| {
            let name = &item.name().value;
            let known = || store.has_let(file, name) || store.secrets.has(file, name);
            let source = item.source().filter(|_| is_named(&wanted, name) && !known())?;
            Some(Wanted { file, name: name.clone(), source })
        });
        if first.is_some() {
            return first;
        }
        // A value that it was given late is made of those of its caller.
        let given = instance.inputs.iter().filter_map(|(name, bound)| match bound {
            Bound::Late(text) if is_named(&wanted, name) => Some(text.value.names()),
            _ => None,
        });
        let given: Vec<Arc<str>> = given.flatten().cloned().collect();
        let caller = instance.caller.or_else(|| plan.instance(instance.set?).caller);
        at = caller.filter(|_| !given.is_empty()).map(|caller| (caller, given));
    }
    None
}

/// The names, and those that the items among them name: an earlier one at most.
fn closure(items: &[Item<'_>], names: &[Arc<str>], secrets: &[Arc<str>]) -> HashSet<Arc<str>> {
    let mut wanted: HashSet<Arc<str>> = names.iter().cloned().collect();
    for item in items.iter().rev() {
        if is_named(&wanted, &item.name().value) {
            wanted.extend(item.script().into_iter().flat_map(|script| names_in_sh(script, secrets)));
            if let Item::Let(Let { value: LetValue::Text(text), .. }) = item {
                wanted.extend(text.value.names().cloned());
            }
        }
    }
    wanted
}

/// Scripts spell `-` as `_`.
fn is_named(names: &HashSet<Arc<str>>, name: &str) -> bool {
    names.contains(name) || name.contains('-') && names.contains(&*name.replace('-', "_"))
}

fn lets_of(plan: &Plan, file: FileId) -> &[Let] {
    plan.defs.lets.get(usize::from(file.0)).map_or(&[], Vec::as_slice)
}

/// What a file says, in its order.
fn items_of(plan: &Plan, file: FileId) -> Vec<Item<'_>> {
    let secrets = plan.defs.secrets.get(usize::from(file.0)).map_or(&[][..], Vec::as_slice);
    let mut items: Vec<Item<'_>> = lets_of(plan, file).iter().map(Item::Let).collect();
    if !secrets.is_empty() {
        items.extend(secrets.iter().map(Item::Secret));
        items.sort_by_key(|item| item.name().span.start);
    }
    items
}

fn secrets_of(plan: &Plan, file: FileId) -> Vec<Arc<str>> {
    let secrets = plan.defs.secrets.get(usize::from(file.0)).into_iter().flatten();
    secrets.map(|secret| secret.name.value.clone()).collect()
}

/// Whether a value of a file is a secret.
pub fn is_secret(plan: &Plan, file: FileId, name: &str) -> bool {
    plan.defs.secrets.get(usize::from(file.0)).into_iter().flatten().any(|secret| *secret.name.value == *name)
}

/// The value of a `let` is there: keeps it, and makes those that are a text around it.
pub fn keep(store: &mut Store, plan: &Plan, around: &Surroundings, file: FileId, name: Arc<str>, value: Value) {
    store.set_let(file, name, value);
    for item in lets_of(plan, file) {
        if let LetValue::Text(text) = &item.value
            && !store.has_let(file, &item.name.value)
            && let Ok(Some(made)) = expand(text, &|name| match name.strip_prefix("env.") {
                Some(variable) => variable_of(plan, around, file, variable).map(Value::text),
                None => store.of_file(plan, file, name),
            })
        {
            store.set_let(file, item.name.value.clone(), made);
        }
    }
}

/// A variable as the file sees it.
fn variable_of(plan: &Plan, around: &Surroundings, file: FileId, name: &str) -> Option<String> {
    let declared = plan.files.get(usize::from(file.0)).map_or(&[][..], |values| values.env());
    let found = declared.iter().rfind(|(given, _)| **given == *name).map(|(_, value)| value.clone());
    found.or_else(|| around.variable(name))
}

/// What is asked for a value: in the directory of its file, with the file's own environment and those earlier values
/// that a script names.
///
/// # Errors
/// A secret that it names cannot be handed over.
pub fn spec(plan: &Plan, wanted: &Wanted, around: &Surroundings, store: &Store) -> Result<CommandSpec, String> {
    let file = wanted.file;
    let mut env: Env = dotenv(around, file);
    for (name, value) in plan.files.get(usize::from(file.0)).into_iter().flat_map(|values| values.env()) {
        env.push((OsString::from(&**name), value.into()));
    }
    let mut env: Changes = set(env).chain(without(&plan.defs.hidden)).collect();
    let program = match &wanted.source {
        Source::File(path) => Program::Words(["cat", "--", &**path].map(OsString::from).into()),
        Source::Script(script) => {
            for name in names_in_sh(script, &secrets_of(plan, file)) {
                if let Some(secret) = store.secrets.get(file, &name) {
                    env.push((OsString::from(&*name), Some(secret?.to_owned())));
                    continue;
                }
                let value = store.of_file(plan, file, &name);
                let value = value.or_else(|| store.of_file(plan, file, &name.replace('_', "-")));
                env.extend(value.and_then(|value| Some((OsString::from(&*name), Some(exported(&name, &value).ok()?)))));
            }
            let shell = ["sh", "-eu", "-c"].map(OsString::from).into();
            Program::Script { shell, text: script.clone(), args: Vec::new() }
        }
    };
    env.extend(set(common(around)));
    Ok(asking(program, plan.defs.dirs[usize::from(file.0)].clone(), env))
}
