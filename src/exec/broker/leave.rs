//! What steps with `leave` have left behind, which is to outlive the run: how it is known again. Knows no jobs.
//!
//! Such a step has a variable in its environment that no other has, and what it starts inherits it, `setsid` or
//! not. What stayed in the step's process group is known by that, however it treats its environment; and what is
//! below a process that stays, stays too. A daemon that clears its environment *and* leaves its group is out of
//! reach, and so is one where there is no `/proc`: there, groups alone are ever ended.

use std::collections::HashSet;

use crate::exec::tree::Process;

/// The variable that is set for a step with `leave`, as `NAME=value`. The broker's number is in its name, so that
/// a run within a run spares what it was told to spare and nothing else.
pub(super) fn mark(broker: i32) -> String {
    format!("XEC_LEAVE_{broker}=1")
}

/// What has been left behind.
pub(super) struct Left {
    mark: String,
    /// Whether any step was allowed to: else no environment is looked at.
    any: bool,
    /// The groups of such steps that have ended.
    groups: HashSet<i32>,
}

impl Left {
    pub(super) fn new(broker: i32) -> Self {
        Self { mark: mark(broker), any: false, groups: HashSet::new() }
    }

    /// Something was started in this group; the number is not that of an old one any more.
    pub(super) fn began(&mut self, group: i32, leave: bool) {
        self.groups.remove(&group);
        self.any |= leave;
    }

    /// A step with `leave` has ended by itself: who is still in its group is meant to be.
    pub(super) fn ended(&mut self, group: i32) {
        self.groups.insert(group);
    }

    /// Whether a process is to stay that is part of no running step; `None` where it shows no environment, since it
    /// has none or is just becoming another program.
    pub(super) fn has(&self, process: &Process) -> Option<bool> {
        if !self.any || self.groups.contains(&process.group) {
            return Some(self.any);
        }
        process.carries(self.mark.as_bytes())
    }
}
