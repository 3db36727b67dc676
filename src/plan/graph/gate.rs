//! Places where several arrive before anyone goes on. Knows no scheduler.

use std::sync::Arc;
use std::time::Duration;

use crate::plan::ids::{ScopeId, TaskDefId};

/// A place that is open when all who come before it have ended, if enough of them succeeded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gate {
    /// How many must have succeeded; with less, who waits is skipped and the set fails.
    pub need: u32,
    /// How long after that it opens.
    pub pause: Duration,
}

/// The instances of one matrix, for those who look at a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Set {
    /// Their scope.
    pub scope: ScopeId,
    /// The task.
    pub def: TaskDefId,
    /// How many there are.
    pub total: u32,
    /// How many must succeed.
    pub need: u32,
    /// Whether the file says how many.
    pub stated: bool,
    /// How many are in each batch, and how many of these must succeed; none where there are no batches.
    pub batches: Vec<(u32, u32)>,
    /// How long after each batch the next one begins.
    pub pause: Duration,
    /// The hosts that it is for, where it is for hosts.
    pub over: Option<Over>,
}

/// The hosts of a set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Over {
    /// By which they are selected.
    pub selector: Arc<str>,
    /// How many that means.
    pub meant: u32,
    /// How many of these were asked for.
    pub asked: u32,
}

impl Set {
    /// Whether the file says anything of where, of how many at a time, or how many must succeed.
    pub fn is_ruled(&self) -> bool {
        self.stated || !self.batches.is_empty() || self.over.is_some()
    }
}
