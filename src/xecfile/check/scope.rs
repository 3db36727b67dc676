//! The values that a place can name.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::name::variable;
use crate::base::source::{Span, Spanned};

/// What xec itself says to hooks.
pub(super) const TO_HOOKS: [&str; 4] = ["xec_status", "xec_failed", "xec_error", "xec_duration"];
/// What it says to `on-progress`.
pub(super) const TO_PROGRESS: [&str; 6] =
    ["xec_completed", "xec_total", "xec_succeeded", "xec_failed_count", "xec_rate", "xec_eta"];

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// A `let` of the file.
    Let,
    /// A `secret` of the file.
    Secret,
    /// A `param`, `flag` or `rest`.
    Input,
    /// An axis.
    Axis,
    /// A directory.
    Temp,
    /// A `take`.
    Taken,
    /// A `capture` or `status`.
    Captured,
    /// xec itself.
    Xec,
}

/// The values that can be named at the place that is being looked at.
#[derive(Debug, Default)]
pub(super) struct Scope {
    names: HashMap<Arc<str>, Vec<(Origin, Span)>>,
    /// How many of them a script sees under one name.
    variables: HashMap<String, usize>,
    /// Those of the task that are not there yet, or not here.
    elsewhere: HashMap<Arc<str>, Span>,
}

impl Scope {
    pub(super) fn add(&mut self, name: &Spanned<Arc<str>>, origin: Origin) {
        *self.variables.entry(variable(&name.value)).or_default() += 1;
        self.names.entry(name.value.clone()).or_default().push((origin, name.span));
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Some(list) = self.names.get_mut(name) {
            list.pop();
            if list.is_empty() {
                self.names.remove(name);
            }
            if let Some(count) = self.variables.get_mut(&variable(name)) {
                *count -= 1;
            }
        }
    }

    /// Remembers a value that the task has somewhere, for what is told of it where it is not.
    pub(super) fn exists(&mut self, name: &Spanned<Arc<str>>) {
        self.elsewhere.insert(name.value.clone(), name.span);
    }

    pub(super) fn get(&self, name: &str) -> Option<Origin> {
        Some(self.names.get(name)?.last()?.0)
    }

    /// Forgets the values of one task.
    pub(super) fn forget(&mut self) {
        self.elsewhere.clear();
    }

    pub(super) fn elsewhere(&self, name: &str) -> Option<Span> {
        self.elsewhere.get(name).copied()
    }

    /// Whether a script sees a value under this name.
    pub(super) fn has_variable(&self, word: &str) -> bool {
        self.variables.get(word).is_some_and(|count| *count > 0)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(|name| &**name)
    }

    /// Adds what hooks are told, or removes it.
    pub(super) fn hook(&mut self, names: &[&str], enter: bool) {
        for name in names.iter().copied() {
            match enter {
                true => self.add(&Spanned::new(Arc::from(name), Span::default()), Origin::Xec),
                false => self.remove(name),
            }
        }
    }
}
