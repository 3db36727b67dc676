//! The values of a run as they come to be: what steps keep, what instances are given late, where their temporary
//! directories are. The dispatcher owns them; nobody else writes.

mod seen;

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::base::command::Captures;
use crate::plan::graph::{Leaf, Plan, Target};
use crate::plan::ids::{HostId, InstanceId, LeafId, ScopeId, VertexId};
use crate::plan::inputs::{Misfit, fit};
use crate::plan::values::{Bound, Known, Value};
use crate::run::command::Surroundings;
use crate::run::items::Items;
use crate::run::secrets::Secrets;
use crate::run::temps::Afar;
pub use crate::run::values::seen::{Scope, expand};
use crate::xecfile::model::{CaptureForm, FileId};

/// The most that a step may keep.
pub const CAPTURE_CAP: usize = 16 * 1024 * 1024;

/// A value as it is kept from run to run.
#[derive(Serialize, Deserialize)]
struct Saved {
    name: String,
    list: bool,
    items: Vec<String>,
}

/// All values that came to be.
#[derive(Debug, Default)]
pub struct Store {
    made: HashMap<InstanceId, HashMap<Arc<str>, Vec<Made>>>,
    /// Where one child decides a scope: the vertex where that one ended.
    decided: HashMap<ScopeId, VertexId>,
    /// Which host was picked for whom.
    bound: HashMap<ScopeId, HostId>,
    lets: HashMap<(FileId, Arc<str>), Value>,
    succeeded: HashSet<InstanceId>,
    temps: HashMap<InstanceId, Vec<TempDir>>,
    /// Those on hosts.
    pub afar: Afar,
    /// What nobody is shown.
    pub secrets: Secrets,
    /// What lanes work on.
    pub items: Items,
}

/// A value, and the vertex that made it: of ways to one thing, each may make the same.
#[derive(Debug)]
struct Made {
    by: VertexId,
    value: Value,
}

impl Store {
    /// An attempt of an instance begins: nothing of the last one is left, its late inputs are made, its temporary
    /// directories are there.
    ///
    /// # Errors
    /// A directory cannot be made.
    pub fn open(&mut self, plan: &Plan, around: &Surroundings, id: InstanceId) -> io::Result<()> {
        let instance = plan.instance(id);
        let enter = plan.scope(instance.scope).enter;
        self.made.remove(&id);
        self.make_inputs(plan, around, id);
        // Which one it is may not be settled yet.
        let afar = plan.scope(instance.scope).target != Target::Here;
        for name in plan.defs.tasks[instance.def.index()].temps.iter() {
            if afar {
                let path = self.afar.add(id)?;
                self.set(id, name, enter, Value::text(path));
                continue;
            }
            let dir = tempfile::Builder::new().prefix("xec-").tempdir()?;
            self.set(id, name, enter, Value::text(dir.path().to_string_lossy()));
            self.temps.entry(id).or_default().push(dir);
        }
        Ok(())
    }

    /// It is over.
    ///
    /// # Errors
    /// A temporary directory cannot be removed.
    pub fn close(&mut self, plan: &Plan, around: &Surroundings, id: InstanceId, succeeded: bool) -> io::Result<()> {
        let mut result = Ok(());
        if succeeded {
            self.succeeded.insert(id);
            let scope = self.scope(plan, around, id);
            let found: Vec<(Arc<str>, Value)> =
                Items::wanted(plan, id).iter().filter_map(|name| Some((name.clone(), scope.get(name)?))).collect();
            result = self.items.keep(plan, id, found).map_err(io::Error::other);
        }
        for dir in self.temps.remove(&id).unwrap_or_default() {
            result = result.and(dir.close());
        }
        for name in plan.task_of(id).temps.iter() {
            self.made.get_mut(&id).and_then(|values| values.remove(name));
        }
        result
    }

    /// A step has ended: what it keeps.
    ///
    /// # Errors
    /// What it wrote is not what it should be.
    pub fn keep(&mut self, plan: &Plan, leaf: LeafId, code: i32, captures: &Captures) -> Result<(), String> {
        let (command, Leaf { instance: id, vertex: by, .. }) = (plan.command(leaf), *plan.leaf(leaf));
        if let Some(status) = &command.status {
            self.set(id, &status.value, by, Value::text(code.to_string()));
        }
        let (Some(capture), Some(bytes)) = (&command.capture, &captures.stdout) else { return Ok(()) };
        let text = std::str::from_utf8(bytes).map_err(|why| {
            format!("what `{}` should keep is not UTF-8, from byte {}", capture.name.value, why.valid_up_to())
        })?;
        let value = match capture.form {
            CaptureForm::Text => Value::text(text.trim_end_matches(['\n', '\r'])),
            CaptureForm::Lines | CaptureForm::Stream => Value::List(text.lines().map(Arc::from).collect()),
            CaptureForm::Json => {
                json(text).map_err(|why| format!("what `{}` should keep is no JSON: {why}", capture.name.value))?
            }
        };
        self.set(id, &capture.name.value, by, value);
        Ok(())
    }

    /// The values that some instances made, to be kept; not those that live only as long as an attempt.
    pub fn save(&self, plan: &Plan, instances: &[InstanceId]) -> Vec<u8> {
        let all: Vec<Vec<Saved>> = instances.iter().map(|id| self.save_one(plan, *id)).collect();
        postcard::to_stdvec(&all).unwrap_or_default()
    }

    fn save_one(&self, plan: &Plan, id: InstanceId) -> Vec<Saved> {
        let temps = &plan.task_of(id).temps;
        let end = plan.scope(plan.instance(id).scope).exit;
        let names = self.made.get(&id).into_iter().flat_map(HashMap::keys).filter(|name| !temps.contains(name));
        let save = |name: &Arc<str>| {
            let value = self.made(plan, id, name, end)?;
            let items = value.items().iter().map(ToString::to_string).collect();
            Some(Saved { name: name.to_string(), list: matches!(value, Value::List(_)), items })
        };
        let mut saved: Vec<Saved> = names.filter_map(save).collect();
        saved.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        saved
    }

    /// Takes back what [`Store::save`] gave; says whether that could be read.
    pub fn load(&mut self, plan: &Plan, instances: &[InstanceId], bytes: &[u8]) -> bool {
        let Ok(all) = postcard::from_bytes::<Vec<Vec<Saved>>>(bytes) else { return false };
        if all.len() != instances.len() {
            return false;
        }
        for (id, saved) in instances.iter().zip(all) {
            for Saved { name, list, items } in saved {
                let value = match (list, items.as_slice()) {
                    (false, [text]) => Value::text(text.as_str()),
                    _ => Value::List(items.iter().map(|item| Arc::from(item.as_str())).collect()),
                };
                self.set(*id, &name.into(), plan.scope(plan.instance(*id).scope).exit, value);
            }
        }
        true
    }

    /// An instance has a value, made at this vertex.
    pub fn set(&mut self, id: InstanceId, name: &Arc<str>, by: VertexId, value: Value) {
        let made = self.made.entry(id).or_default().entry(name.clone()).or_default();
        made.retain(|one| one.by != by);
        made.push(Made { by, value });
    }

    /// A host was picked for a scope.
    pub fn bind(&mut self, scope: ScopeId, host: HostId) {
        self.bound.insert(scope, host);
    }

    /// Where what is directly in a scope runs; `None` is here.
    pub fn host_of(&self, plan: &Plan, scope: ScopeId) -> Option<HostId> {
        self.host_at(plan.scope(scope).target)
    }

    /// Which host that is by now; `None` is here.
    pub fn host_at(&self, target: Target) -> Option<HostId> {
        target.host(&self.bound)
    }

    /// One child, by the vertex where it ended, has decided a scope: what it made counts, what the others made does not.
    pub fn decide(&mut self, scope: ScopeId, child: VertexId) {
        self.decided.insert(scope, child);
    }

    /// The scope begins anew.
    pub fn undecide(&mut self, scope: ScopeId) {
        self.decided.remove(&scope);
    }

    /// Whether what was made at one vertex is there for another, both below `until`.
    fn is_visible(&self, plan: &Plan, by: VertexId, to: VertexId, until: ScopeId) -> bool {
        plan.choices(by, until).all(|(scope, child)| {
            let won = self.decided.get(&scope).is_some_and(|winner| child.contains(&winner.0));
            won || child.contains(&to.0)
        })
    }

    /// The value of a name that an instance made, as it is seen from a vertex.
    fn made(&self, plan: &Plan, id: InstanceId, name: &str, from: VertexId) -> Option<Value> {
        let made = self.made.get(&id)?.get(name)?;
        let until = plan.instance(id).scope;
        let seen = made.iter().rev().find(|one| one.by == from || self.is_visible(plan, one.by, from, until));
        seen.map(|one| one.value.clone())
    }

    /// Whether a `let` of a file has its value.
    pub fn has_let(&self, file: FileId, name: &str) -> bool {
        self.lets.contains_key(&(file, Arc::from(name)))
    }

    /// A `let` of a file has its value.
    pub fn set_let(&mut self, file: FileId, name: Arc<str>, value: Value) {
        self.lets.insert((file, name), value);
    }

    /// Makes the late inputs of an instance as far as that can be done by now; those of its callers come first.
    pub fn make_inputs(&mut self, plan: &Plan, around: &Surroundings, id: InstanceId) {
        let late = |id: &InstanceId| plan.instance(*id).inputs.iter().any(|(_, bound)| matches!(bound, Bound::Late(_)));
        let callers = std::iter::successors(Some(id), |id| plan.instance(*id).caller).take_while(late);
        let callers: Vec<InstanceId> = callers.collect();
        for id in callers.into_iter().rev() {
            let instance = plan.instance(id);
            let enter = plan.scope(instance.scope).enter;
            for (name, bound) in instance.inputs.iter() {
                let (Bound::Late(text), Some(caller)) = (bound, instance.caller) else { continue };
                let there = self.made(plan, id, name, enter).is_some();
                let made = (!there).then(|| self.scope(plan, around, caller).seen_from(enter).text(text));
                if let Some(Ok(Some(value))) = made {
                    let value = fitted(plan, id, name, value.clone()).unwrap_or(value);
                    self.set(id, name, enter, value);
                }
            }
        }
    }

    /// Why what an instance was given late is none for its params, if it is not.
    pub fn misfit(&self, plan: &Plan, id: InstanceId) -> Option<String> {
        let instance = plan.instance(id);
        let enter = plan.scope(instance.scope).enter;
        let late = instance.inputs.iter().filter(|(_, bound)| matches!(bound, Bound::Late(_)));
        late.filter_map(|(name, _)| Some((name, self.made(plan, id, name, enter)?)))
            .find_map(|(name, value)| fitted(plan, id, name, value).err())
            .map(|misfit| misfit.why)
    }

    /// A part of the run begins anew: what these vertices made is gone.
    pub fn forget(&mut self, plan: &Plan, anew: &std::ops::Range<u32>) {
        let enter = VertexId(anew.start);
        let Some(around) = plan.instance_around(enter) else { return };
        let own = plan.scope(plan.instance(around).scope).vertices.clone();
        if let Some(values) = self.made.get_mut(&around).filter(|_| own.contains(&anew.start)) {
            values.values_mut().for_each(|made| made.retain(|one| !anew.contains(&one.by.0)));
        }
    }

    /// What every task of a file sees of it.
    pub fn of_file(&self, plan: &Plan, file: FileId, name: &str) -> Option<Value> {
        if let Some(value) = self.lets.get(&(file, Arc::from(name))) {
            return Some(value.clone());
        }
        match plan.files.get(usize::from(file.0))?.get(name)? {
            Known::Value(value) => Some(value.clone()),
            Known::Late | Known::Unset => None,
        }
    }
}

/// What an instance was given late, held against its param.
fn fitted(plan: &Plan, id: InstanceId, name: &str, value: Value) -> Result<Value, Misfit> {
    let def = plan.task_of(id);
    match def.params.iter().find(|param| *param.name.value == *name) {
        Some(param) => fit(&def.label.task, param, value),
        None => Ok(value),
    }
}

/// The items of a JSON array, or the text of anything else.
fn json(text: &str) -> Result<Value, serde_json::Error> {
    let shown = |value: &serde_json::Value| -> Arc<str> {
        match value {
            serde_json::Value::String(text) => text.as_str().into(),
            other => other.to_string().into(),
        }
    };
    Ok(match serde_json::from_str::<serde_json::Value>(text)? {
        serde_json::Value::Array(items) => Value::List(items.iter().map(shown).collect()),
        other => Value::Text(shown(&other)),
    })
}
