//! `let`s that are made while the run goes on: which of them somebody is about to need, the script of each, and those
//! that are a text around such a one. Asks nothing itself.

use std::collections::HashSet;
use std::ffi::OsString;
use std::sync::Arc;

use crate::base::command::{CommandSpec, Program, Sink, Stdin};
use crate::plan::defs::names_in_sh;
use crate::plan::graph::Plan;
use crate::plan::ids::InstanceId;
use crate::plan::values::{Bound, Value};
use crate::run::command::{Surroundings, common};
use crate::run::place::{Env, dotenv, exported};
use crate::run::values::{CAPTURE_CAP, Store, expand};
use crate::xecfile::model::{FileId, Let, LetValue};

/// The first `let` that has to be asked for before the values of these names can be said of an instance: with its file,
/// its name and its script. What it needs itself comes before it.
pub fn missing(
    plan: &Plan,
    instance: InstanceId,
    names: &[Arc<str>],
    known: impl Fn(FileId, &str) -> bool,
) -> Option<(FileId, Arc<str>, Arc<str>)> {
    let mut at = Some((instance, names.to_vec()));
    while let Some((id, names)) = at.take() {
        let instance = plan.instance(id);
        let file = plan.defs.tasks[instance.def.index()].file;
        let wanted = closure(lets_of(plan, file), &names);
        let first = lets_of(plan, file).iter().find_map(|item| match &item.value {
            LetValue::Run(script) if is_named(&wanted, &item.name.value) && !known(file, &item.name.value) => {
                Some((file, item.name.value.clone(), script.value.clone()))
            }
            _ => None,
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

/// The names, and those that the `let`s among them name: an earlier one at most.
fn closure(lets: &[Let], names: &[Arc<str>]) -> HashSet<Arc<str>> {
    let mut wanted: HashSet<Arc<str>> = names.iter().cloned().collect();
    for item in lets.iter().rev() {
        if is_named(&wanted, &item.name.value) {
            match &item.value {
                LetValue::Run(script) => wanted.extend(names_in_sh(&script.value)),
                LetValue::Text(text) => wanted.extend(text.value.names().cloned()),
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

/// What the script of a `let` is asked as: in the directory of its file, with the file's own environment and those
/// earlier `let`s that it names.
pub fn spec(plan: &Plan, file: FileId, script: &Arc<str>, around: &Surroundings, store: &Store) -> CommandSpec {
    let mut env: Env = dotenv(around, file);
    for (name, value) in plan.files.get(usize::from(file.0)).into_iter().flat_map(|values| values.env()) {
        env.push((OsString::from(&**name), value.into()));
    }
    for name in names_in_sh(script) {
        let value = store.of_file(plan, file, &name).or_else(|| store.of_file(plan, file, &name.replace('_', "-")));
        env.extend(value.and_then(|value| Some((OsString::from(&*name), exported(&name, &value).ok()?))));
    }
    env.extend(common(around));
    CommandSpec {
        program: Program::Script {
            shell: ["sh", "-eu", "-c"].map(OsString::from).into(),
            text: script.clone(),
            args: Vec::new(),
        },
        cwd: plan.defs.dirs[usize::from(file.0)].clone(),
        env: env.into_iter().map(|(name, value)| (name, Some(value))).collect(),
        stdin: Stdin::Null,
        stdout: Sink::Capture(CAPTURE_CAP),
        stderr: Sink::Report,
        pool: None,
        grace: crate::plan::defs::DEFAULT_GRACE,
        leave: false,
    }
}
