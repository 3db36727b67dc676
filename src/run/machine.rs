//! Who of a run holds what of the machine. Decides nothing: the scheduler says when to try.

use std::collections::HashMap;

use crate::exec::locks::{Held, Locks, Part};
use crate::plan::graph::{LimitKind, Plan};
use crate::plan::ids::{LimitId, VertexId};
use crate::run::scheduler::LockAnswer;

/// What is held of the machine, by whom.
pub(super) struct Machine {
    locks: Locks,
    held: HashMap<VertexId, Held>,
}

impl Machine {
    pub(super) fn new(locks: Locks) -> Self {
        Self { locks, held: HashMap::new() }
    }

    /// Tries to take so much of these limits; never waits.
    pub(super) fn take(&mut self, plan: &Plan, who: VertexId, limits: &[(LimitId, u32)]) -> LockAnswer {
        let part = |(limit, count): &(LimitId, u32)| {
            let limit = &plan.limits[limit.index()];
            let LimitKind::Machine(name) = &limit.kind else { return None };
            Some(Part { name, of: limit.count?, count: *count })
        };
        let parts: Vec<Part<'_>> = limits.iter().filter_map(part).collect();
        match self.locks.try_take(&parts) {
            Ok(Some(held)) => {
                self.held.insert(who, held);
                LockAnswer::Held
            }
            Ok(None) => LockAnswer::Busy,
            Err(why) => LockAnswer::Impossible(format!("cannot lock in {}: {why}", self.locks.dir().display())),
        }
    }

    pub(super) fn give_back(&mut self, who: VertexId) {
        self.held.remove(&who);
    }
}
