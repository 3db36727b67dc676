//! Limits whose width changes: by what becomes of those who hold them (`jobs adaptive`), or because the machine has
//! no room for more. Both are one course: additive increase, multiplicative decrease (Chiu and Jain, 1989).
//!
//! What adapts widens by one with each success of who holds it, and halves with each failure. Where there is no
//! room, the slots halve whoever fails nothing, and widen by one after a round of successes, since each step too
//! far costs a start; once they are as wide as they were, that is forgotten.

use crate::base::event::Event;
use crate::plan::ids::{LimitId, ScopeId, VertexId};
use crate::run::scheduler::state::End;
use crate::run::scheduler::{Action, Scheduler};

/// A shortage of room: how wide the slots were, and successes since the last change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shortage {
    full: Option<u32>,
    round: u32,
}

impl Scheduler {
    /// Who held some of a limit has succeeded or failed.
    pub(super) fn adapt(&mut self, limit: LimitId, success: bool) {
        let Some(range) = self.plan.limits[limit.index()].adapts else { return };
        // While there is no room, that alone says how wide it may be.
        if limit == LimitId::SLOTS && self.shortage.is_some() {
            return;
        }
        let width = self.limits.capacity(limit).unwrap_or(range.max);
        let next = if success { width + 1 } else { width / 2 };
        self.resize(limit, Some(next.clamp(range.min, range.max)));
    }

    /// A child of a scope has ended, and gives its share of the `jobs` there back only then.
    pub(super) fn adapt_to(&mut self, scope: ScopeId, child: VertexId) {
        let told = matches!(self.end[child.index()], Some(End::Ok | End::Failed(_) | End::TimedOut));
        if let (Some(limit), true) = (self.plan.scope(scope).child_token, told) {
            self.adapt(limit, self.satisfies(child));
        }
    }

    /// There is no room for more than half of those who run.
    pub(super) fn narrow(&mut self, running: u32, why: String, out: &mut Vec<Action>) {
        let width = (running / 2).max(1);
        if self.slots().is_none_or(|slots| slots > width) {
            let full = self.shortage.map_or(self.slots(), |shortage| shortage.full);
            self.shortage = Some(Shortage { full, round: 0 });
            self.limits.resize(LimitId::SLOTS, Some(width), &mut Vec::new());
            out.push(Action::Emit(Event::Scarce { jobs: width, why }));
        }
    }

    /// A command has succeeded: after a round of these there may be room for one more.
    pub(super) fn widen(&mut self) {
        let (Some(mut shortage), Some(width)) = (self.shortage, self.slots()) else { return };
        shortage.round += 1;
        if shortage.round < width {
            self.shortage = Some(shortage);
            return;
        }
        let whole = shortage.full.is_some_and(|full| width + 1 >= full);
        self.shortage = (!whole).then_some(Shortage { round: 0, ..shortage });
        self.resize(LimitId::SLOTS, if whole { shortage.full } else { Some(width + 1) });
    }

    fn resize(&mut self, limit: LimitId, width: Option<u32>) {
        let mut granted = Vec::new();
        self.limits.resize(limit, width, &mut granted);
        self.later(granted);
        if limit == LimitId::SLOTS {
            self.pulling.extend(std::mem::take(&mut self.narrowed));
        }
    }
}

#[cfg(test)]
#[path = "width_tests.rs"]
mod tests;
