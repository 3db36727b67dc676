//! What an instance sees of the values of a run, from where it stands. Knows nothing of how they came to be, and
//! changes none.

use std::sync::Arc;

use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::plan::graph::{Plan, TakeFrom, Vertex};
use crate::plan::ids::{HostId, InstanceId, VertexId};
use crate::plan::values::{Bound, Value};
use crate::run::command::Surroundings;
use crate::run::secrets::Secrets;
use crate::run::values::Store;
use crate::xecfile::model::HOST_AXIS;

impl Store {
    /// What an instance sees.
    pub fn scope<'s>(&'s self, plan: &'s Plan, around: &'s Surroundings, id: InstanceId) -> Scope<'s> {
        Scope { store: self, plan, around, id, at: plan.scope(plan.instance(id).scope).exit, extra: &[], on: None }
    }
}

/// What an instance sees.
#[derive(Clone, Copy)]
pub struct Scope<'s> {
    store: &'s Store,
    plan: &'s Plan,
    around: &'s Surroundings,
    id: InstanceId,
    /// From where it looks.
    at: VertexId,
    /// The values of a hook.
    extra: &'s [(Arc<str>, Value)],
    /// Where it runs, if not where that vertex does.
    on: Option<Option<HostId>>,
}

impl<'s> Scope<'s> {
    /// The same, seen from this vertex instead of the instance's end: other ways to the same thing are out of sight.
    pub fn seen_from(self, at: VertexId) -> Self {
        Self { at, ..self }
    }

    /// The same, as if it ran there; `None` is here.
    pub fn on(self, host: Option<HostId>) -> Self {
        Self { on: Some(host), ..self }
    }

    /// The same, with the values of a hook.
    pub fn with(self, extra: &'s [(Arc<str>, Value)]) -> Self {
        Self { extra, ..self }
    }

    /// Whether it is a hook that looks: there a value that did not come to be is empty, since a hook has to run
    /// however far its body came.
    pub fn in_hook(&self) -> bool {
        !self.extra.is_empty()
    }

    /// The value of a name, if it has one by now.
    pub fn get(&self, name: &str) -> Option<Value> {
        let instance = self.plan.instance(self.id);
        if let Some((_, value)) = self.extra.iter().find(|(given, _)| **given == *name) {
            return Some(value.clone());
        }
        if let Some(value) = self.store.made(self.plan, self.id, name, self.at) {
            return Some(value);
        }
        if let Some(value) = self.store.items.get(instance.scope, name) {
            return Some(value.clone());
        }
        if let Some((_, Bound::Static(value))) = instance.inputs.iter().rev().find(|(given, _)| **given == *name) {
            return Some(value.clone());
        }
        let mut takes = instance.takes.iter().rev().filter(|take| *take.here == *name);
        if let Some(value) = takes.find(|take| self.sees(take)).and_then(|take| self.taken(take)) {
            return Some(value);
        }
        if let Some(value) = instance.set.and_then(|set| Scope { id: set, ..*self }.get(name)) {
            return Some(value);
        }
        let file = self.plan.defs.tasks[instance.def.index()].file;
        let found = self.store.of_file(self.plan, file, name).or_else(|| self.of_host(name));
        // A hook runs however far its body came: what has no value yet is empty there.
        found.or_else(|| (!self.extra.is_empty() && self.is_promised(name)).then(|| Value::text("")))
    }

    /// Where what is at this vertex runs; `None` is here.
    pub fn host(&self) -> Option<HostId> {
        if let Some(host) = self.on {
            return host;
        }
        let scope = match self.plan.vertices[self.at.index()] {
            Vertex::Enter(scope) | Vertex::Exit(scope) => scope,
            _ => self.plan.owner[self.at.index()],
        };
        self.store.host_of(self.plan, scope)
    }

    /// `host`, `host.address`, `host.tags`: of the axis, or else of where this runs.
    fn of_host(&self, name: &str) -> Option<Value> {
        if name == HOST_AXIS {
            return self.host().map(|host| Value::Text(self.plan.host(host).name.value.clone()));
        }
        let part = name.strip_prefix("host.")?;
        let called = self.get(HOST_AXIS)?.flat();
        let host = self.plan.hosts.iter().find(|host| *host.name.value == *called)?;
        crate::plan::hosts::part(host, part)
    }

    /// Whether the instance has a value of that name once all went well.
    fn is_promised(&self, name: &str) -> bool {
        let instance = self.plan.instance(self.id);
        let kept = |vertex: u32| match self.plan.vertices[vertex as usize] {
            Vertex::Leaf(leaf) if self.plan.leaf(leaf).instance == self.id => {
                let command = self.plan.command(leaf);
                let names = command.capture.iter().map(|capture| &capture.name).chain(&command.status);
                names.into_iter().any(|given| *given.value == *name)
            }
            _ => false,
        };
        instance.takes.iter().any(|take| *take.here == *name)
            || self.plan.scope(instance.scope).vertices.clone().any(kept)
    }

    /// What is known of secrets.
    pub fn secrets(&self) -> &'s Secrets {
        &self.store.secrets
    }

    /// The values of all names that a script may spell with `_` for `-`.
    pub fn spelled(&self, word: &str) -> Option<Value> {
        if let Some(value) = self.get(word) {
            return Some(value);
        }
        word.contains('_').then(|| self.get(&word.replace('_', "-"))).flatten()
    }

    /// Whether those from whom something is taken are in sight.
    fn sees(&self, take: &TakeFrom) -> bool {
        let until = self.plan.instance(self.id).scope;
        let end = |id: &InstanceId| self.plan.scope(self.plan.instance(*id).scope).exit;
        take.from.first().is_none_or(|id| self.store.is_visible(self.plan, end(id), self.at, until))
    }

    fn taken(&self, take: &TakeFrom) -> Option<Value> {
        let from = |id: &InstanceId| -> Option<Value> {
            let axis = self.plan.instance(*id).inputs.iter().find(|(name, _)| *name == take.name);
            let end = self.plan.scope(self.plan.instance(*id).scope).exit;
            match (self.store.made(self.plan, *id, &take.name, end), axis) {
                (Some(value), _) => Some(value),
                (None, Some((_, Bound::Static(value)))) => Some(value.clone()),
                (None, _) => None,
            }
        };
        if let Some(feed) = take.feed {
            return Some(self.store.items.taken(feed, &take.name));
        }
        if !take.list {
            return take.from.first().and_then(from).or_else(|| take.default.clone());
        }
        let succeeded = take.from.iter().filter(|id| self.store.succeeded.contains(id));
        Some(Value::List(succeeded.filter_map(from).flat_map(|value| value.items()).collect()))
    }

    /// Which of the values that it takes from others is not there, if one is.
    pub fn lacking(&self) -> Option<usize> {
        let takes = &self.plan.instance(self.id).takes;
        let is_there = |take: &TakeFrom| self.plan.is_streamed(self.id, take) || self.taken(take).is_some();
        takes.iter().position(|take| self.sees(take) && !is_there(take))
    }

    /// What a text comes to, `None` where a value that it names is not there; a list stays one where the text is
    /// nothing but its hole.
    ///
    /// # Errors
    /// The name of the value that is not there.
    pub fn text(&self, text: &Spanned<Template>) -> Result<Option<Value>, String> {
        self.text_with(text, &|_| None)
    }

    /// The same; `env` knows the variables that were declared so far.
    pub fn text_with(
        &self,
        text: &Spanned<Template>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Value>, String> {
        expand(text, &|name| match name.strip_prefix("env.") {
            Some(variable) => env(variable).or_else(|| self.around.variable(variable)).map(Value::text),
            None => self.get(name).or_else(|| self.in_hook().then(|| Value::text(""))),
        })
    }
}

/// What a text comes to with these values.
///
/// # Errors
/// The name of the value that is not there.
pub fn expand(text: &Spanned<Template>, get: &dyn Fn(&str) -> Option<Value>) -> Result<Option<Value>, String> {
    if let Some(plain) = text.value.as_text() {
        return Ok(Some(Value::Text(plain.clone())));
    }
    if let Some(name) = text.value.bare_hole() {
        return get(name).map(Some).ok_or_else(|| name.to_string());
    }
    let lookup = |name: &str| get(name).map(|value| value.flat());
    let list = |name: &str| match get(name)? {
        Value::List(items) => Some(items.iter().map(|item| item.to_string()).collect()),
        Value::Text(_) => None,
    };
    match text.value.expand_lists(&lookup, &list) {
        Ok(text) => Ok(Some(Value::text(text))),
        Err(unknown) => Err(unknown.name.to_string()),
    }
}
