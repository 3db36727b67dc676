//! Who of a run holds what of the machine: locks that all runs share, and slots that the commands of this one share
//! with the programs that they start. Decides nothing: the scheduler says when to try.

use std::collections::{HashMap, HashSet};

use crate::base::command::CommandSpec;
use crate::base::event::JobId;
use crate::exec::jobserver::{Client, Pool};
use crate::exec::locks::{Held, Locks, Part};
use crate::plan::graph::{LimitKind, Plan};
use crate::plan::ids::{LimitId, VertexId};
use crate::run::scheduler::LockAnswer;

/// What is held of the machine, by whom.
pub(super) struct Machine {
    locks: Locks,
    held: HashMap<VertexId, Held>,
    pool: Option<Pool>,
    slots: HashMap<VertexId, u32>,
    /// Who runs and takes from the pool by itself.
    clients: HashSet<JobId>,
}

impl Machine {
    pub(super) fn new(locks: Locks, pool: Option<Pool>) -> Self {
        Self { locks, held: HashMap::new(), pool, slots: HashMap::new(), clients: HashSet::new() }
    }

    /// Tries to take so much of these limits; never waits.
    pub(super) fn take(&mut self, plan: &Plan, who: VertexId, limits: &[(LimitId, u32)]) -> LockAnswer {
        let slots = limits.iter().find(|(limit, _)| plan.limits[limit.index()].kind == LimitKind::Pool);
        if let (Some((_, count)), Some(pool)) = (slots, &mut self.pool) {
            if !pool.take(*count) {
                return LockAnswer::Busy;
            }
            self.slots.insert(who, *count);
        }
        let part = |(limit, count): &(LimitId, u32)| {
            let limit = &plan.limits[limit.index()];
            let LimitKind::Machine(name) = &limit.kind else { return None };
            Some(Part { name, of: limit.count?, count: *count })
        };
        let parts: Vec<Part<'_>> = limits.iter().filter_map(part).collect();
        if parts.is_empty() {
            return LockAnswer::Held;
        }
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
        if let (Some(pool), Some(count)) = (&mut self.pool, self.slots.remove(&who)) {
            pool.give(count);
        }
    }

    /// Lets a command take part, if it is one that can, and says nothing of `MAKEFLAGS` itself.
    pub(super) fn share(&mut self, job: JobId, text: &str, before: &str, specs: &mut [CommandSpec]) {
        let (Some(pool), Some(client)) = (&self.pool, Client::named_in(text)) else { return };
        for spec in specs.iter_mut().filter(|spec| !spec.env.iter().any(|(name, _)| name == FLAGS)) {
            // Without it, the program goes by what it is told itself.
            let Ok(share) = pool.share(client, before) else { continue };
            spec.env.push((FLAGS.into(), Some(share.flags.into())));
            spec.pool = Some(share.descriptor);
            self.clients.insert(job);
        }
    }

    /// A job has ended. If it was the last that took part, what it took and did not give back is made up for.
    pub(super) fn ended(&mut self, job: JobId, slots: Option<u32>) {
        if let (true, true, Some(pool), Some(slots)) =
            (self.clients.remove(&job), self.clients.is_empty(), &mut self.pool, slots)
        {
            pool.mend(slots.saturating_sub(self.slots.values().sum()));
        }
    }
}

/// Where make and its like look for what they share.
const FLAGS: &str = "MAKEFLAGS";
