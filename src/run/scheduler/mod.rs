//! The scheduler: what happens next, given what happened. Pure: inputs and the time come in, actions go out;
//! it starts nothing, waits for nothing and reads no clock.
//!
//! One step takes one input and works until nothing more follows from it: first whoever is demanded now,
//! then whatever has ended (and who waited for that), then whatever has nothing left to wait for; only when all of
//! that is settled, slots and limits are handed out, in the order of ranks. Because
//! demands come first, an `after` edge is known before the one that waits by it is looked at; because nothing
//! calls back into this loop, no graph is too deep for the stack.
//!
//! Bookkeeping, for each vertex: `pending` edges not met yet, its [`Phase`], and its `End`. For each scope:
//! how many children are live (`open`), failed, or were dropped; an exit fires when nothing is pending and
//! nothing is open. For each shared instance: the `interest` of those who may still want it; at zero it is
//! dropped, or cancelled if it has begun.

mod blame;
mod cancel;
mod choice;
mod claims;
mod feeds;
mod flow;
mod gates;
mod hooks;
mod hosts;
mod jobs;
mod progress;
mod questions;
mod retry;
mod service;
mod state;
mod talk;
mod verdict;
mod width;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod drive;
#[cfg(test)]
mod graham;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::base::event::{Counts, JobId, TaskLabel};
use crate::plan::graph::{EdgeKind, Plan, Rank, Vertex};
use crate::plan::ids::{FeedId, InstanceId, LeafId, LimitId, ScopeId, VertexId};
use crate::run::limits::Limits;
use crate::run::phase::{Phase, Trigger};

use crate::run::scheduler::claims::{Claim, Grant, Locking};
use crate::run::scheduler::feeds::FeedState;
use crate::run::scheduler::state::{Asked, End, Failed, Job, Queue, ScopeState};
use crate::run::scheduler::width::Shortage;
pub use feeds::WAITING_CAP;
pub use talk::{Action, Answer, Closing, Complaint, Input, JobEnd, LockAnswer, TimerKey};

/// All state of a run.
pub struct Scheduler {
    plan: Arc<Plan>,
    now: Duration,
    limits: Limits,
    pending: Vec<u32>,
    phase: Vec<Phase>,
    end: Vec<Option<End>>,
    scopes: Vec<ScopeState>,
    jobs: FxHashMap<JobId, Job>,
    live: FxHashMap<LeafId, JobId>,
    queue: FxHashMap<VertexId, Queue>,
    /// Who holds something of the machine.
    locked: FxHashSet<VertexId>,
    /// Who has all that it claims and waits for a slot to begin with, and who has one and needs it for that no more.
    doors: FxHashSet<VertexId>,
    passed: VecDeque<VertexId>,
    /// Who has that too, and is asked whether it still has to run; whether it has such a slot.
    knocking: FxHashMap<VertexId, bool>,
    /// When a rate is looked at next.
    due: FxHashMap<LimitId, Duration>,
    next_job: u64,
    /// What is asked of scopes, by their entries.
    asked: BTreeMap<VertexId, Asked>,
    questions: u32,
    /// `after` edges that are waited for, since the one they come from is in play.
    counted: FxHashSet<(VertexId, VertexId)>,
    /// Who will be skipped when nothing is pending any more, and for whose sake.
    blamed: FxHashMap<VertexId, VertexId>,
    /// Why something failed that no job can tell of.
    complaints: FxHashMap<VertexId, Complaint>,
    /// Gates whose demands are given up when this scope is not tried again.
    held: FxHashMap<ScopeId, Vec<VertexId>>,
    /// Failed members of sets that may be tried again: those outside who wait for one of them are not told yet.
    unsaid: FxHashSet<VertexId>,
    /// Makes pauses differ.
    seed: u64,
    /// Demands that were given up.
    released: FxHashSet<(VertexId, VertexId)>,
    /// For whom the machine was asked.
    locking: FxHashMap<VertexId, Locking>,
    feeds: Vec<FeedState>,
    /// Those that hand out no more than there is room for, and those that look at that again.
    narrowed: BTreeSet<FeedId>,
    pulling: VecDeque<FeedId>,
    hosts: hosts::Hosts,
    /// Lanes that work on an item are called after it.
    labels: FxHashMap<InstanceId, Arc<TaskLabel>>,
    demanded: VecDeque<VertexId>,
    ended: VecDeque<VertexId>,
    unneeded: VecDeque<(ScopeId, bool)>,
    grants: VecDeque<Grant>,
    /// Who wants something of a limit, in the order of their turn.
    asking: BTreeSet<(Rank, VertexId)>,
    /// Who gives back what it held, and what that is.
    giving: VecDeque<(VertexId, Claim)>,
    ready: VecDeque<VertexId>,
    /// Live scopes that do not hold what they claim: between two attempts, and at a barrier.
    lent: FxHashSet<ScopeId>,
    /// Where the instances that came to a barrier did last.
    meeting: FxHashMap<ScopeId, VertexId>,
    /// How many of those before each gate cannot succeed any more.
    lost: Vec<u32>,
    /// What failed, in the order it did, whether it counts or not.
    failures: Vec<Failed>,
    /// How the jobs of those leaves ended that did not succeed.
    ends: FxHashMap<VertexId, (JobId, JobEnd)>,
    /// How long those commands took that succeeded.
    took: FxHashMap<LeafId, Duration>,
    /// There is no room for as many as there are slots.
    shortage: Option<Shortage>,
    counts: Counts,
    signal: Option<i32>,
    broken: bool,
    done: bool,
}

impl Scheduler {
    /// Ready to begin.
    pub fn new(plan: Arc<Plan>) -> Self {
        let count = plan.vertices.len();
        let edges = |vertex: VertexId, counts: fn(EdgeKind) -> bool| {
            plan.predecessors.of(vertex).iter().filter(|edge| counts(edge.kind)).count() as u32
        };
        let pending = (0..count as u32).map(|vertex| edges(VertexId(vertex), EdgeKind::is_waited_for)).collect();
        let mut phase = vec![Phase::Waiting; count];
        let mut scopes = vec![ScopeState::default(); plan.scopes.len()];
        for (scope, state) in plan.scopes.iter().zip(&mut scopes) {
            if scope.is_hook || scope.is_lane || scope.shared {
                phase[scope.enter.index()] = Phase::Dormant;
            }
            if scope.shared {
                let head = scope.gate.unwrap_or(scope.enter);
                phase[head.index()] = Phase::Dormant;
                state.interest = edges(head, |kind| kind == EdgeKind::Demand);
            }
        }
        Self {
            limits: Limits::new(&plan.limits),
            took: FxHashMap::default(),
            lent: FxHashSet::default(),
            meeting: FxHashMap::default(),
            feeds: (0..plan.feeds.len() as u32).map(|id| FeedState::new(&plan, FeedId(id))).collect(),
            narrowed: BTreeSet::new(),
            pulling: VecDeque::new(),
            hosts: hosts::Hosts::new(&plan),
            labels: FxHashMap::default(),
            lost: vec![0; plan.gates.len()],
            locking: FxHashMap::default(),
            plan,
            now: Duration::ZERO,
            pending,
            phase,
            end: vec![None; count],
            scopes,
            jobs: FxHashMap::default(),
            live: FxHashMap::default(),
            queue: FxHashMap::default(),
            locked: FxHashSet::default(),
            doors: FxHashSet::default(),
            passed: VecDeque::new(),
            knocking: FxHashMap::default(),
            due: FxHashMap::default(),
            next_job: 1,
            asked: BTreeMap::new(),
            questions: 0,
            counted: FxHashSet::default(),
            blamed: FxHashMap::default(),
            complaints: FxHashMap::default(),
            held: FxHashMap::default(),
            unsaid: FxHashSet::default(),
            seed: 0,
            released: FxHashSet::default(),
            demanded: VecDeque::new(),
            ended: VecDeque::new(),
            unneeded: VecDeque::new(),
            grants: VecDeque::new(),
            asking: BTreeSet::new(),
            giving: VecDeque::new(),
            ready: VecDeque::new(),
            failures: Vec::new(),
            ends: FxHashMap::default(),
            shortage: None,
            counts: Counts::default(),
            signal: None,
            broken: false,
            done: false,
        }
    }

    /// Gives it something to make random pauses of.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Takes one input; appends what follows from it, in the order in which it shall be done.
    pub fn step(&mut self, now: Duration, input: Input, out: &mut Vec<Action>) {
        self.now = self.now.max(now);
        // Who was given up while he waited for a lock has its answer too late, and gives back what it gave him.
        if self.done && !matches!(input, Input::Locked(..)) {
            return;
        }
        self.rates_advance();
        match input {
            Input::Begin => self.enter(ScopeId::RUN, out),
            Input::Started(job) => self.job_started(job, out),
            Input::Ended(job, end) => self.job_ended(job, end, out),
            Input::Timer(key) => self.timer(key, out),
            Input::Probed(scope, answer) => self.probed(scope, answer, out),
            Input::Ready(scope) => self.becomes_ready(scope),
            Input::Items(feed, items) => self.items(feed, items, out),
            Input::Unfed(feed, why) => self.unfed(feed, why, out),
            Input::Settled(scope) => self.settled(scope),
            Input::Locked(vertex, answer) => self.lock_answered(vertex, answer, out),
            Input::Cancel(scope, reason, level) => self.cancel_from_outside(scope, reason, level, out),
        }
        self.settle(out);
        self.tell_idle(out);
        self.rates_due(out);
    }

    /// Whether the run is over.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The jobs that are not over.
    pub fn live_jobs(&self) -> impl Iterator<Item = JobId> {
        self.jobs.keys().copied()
    }

    fn settle(&mut self, out: &mut Vec<Action>) {
        loop {
            if let Some(head) = self.demanded.pop_front() {
                self.activate(head);
            } else if let Some(vertex) = self.ended.pop_front() {
                self.propagate(vertex, out);
            } else if let Some((scope, gently)) = self.unneeded.pop_front() {
                self.drop_unneeded(scope, gently, out);
            } else if let Some(grant) = self.grants.pop_front() {
                self.granted(grant, out);
            } else if let Some(feed) = self.pulling.pop_front() {
                self.pull(feed, out);
            } else if let Some(vertex) = self.ready.pop_front() {
                self.fire(vertex, out);
            } else if let Some(enter) = self.passed.pop_front() {
                self.close_door(enter);
            } else if let Some((rank, vertex)) = self.asking.pop_first() {
                self.request(vertex, rank);
            } else if let Some((vertex, claim)) = self.giving.pop_front() {
                self.give_back(vertex, &claim, out);
            } else {
                return;
            }
        }
    }

    /// Moves a vertex on by the one table. A trigger that cannot come is a defect of the scheduler, which tests
    /// with assertions find; without them nothing changes.
    fn shift(&mut self, vertex: VertexId, trigger: Trigger) {
        let from = self.phase[vertex.index()];
        match from.next(trigger) {
            Some(to) => self.phase[vertex.index()] = to,
            None => {
                debug_assert!(false, "{vertex:?} {:?} in {from:?} met {trigger:?}", self.plan.vertices[vertex.index()])
            }
        }
    }

    /// Whether nothing in a scope has been started yet, entered or not.
    fn is_untouched(&self, scope: ScopeId) -> bool {
        self.scope_phase(scope).is_open() || !self.scopes[scope.index()].touched
    }

    /// Whether all that was begun in a scope has ended, its last hook included.
    fn is_still(&self, scope: ScopeId) -> bool {
        let state = &self.scopes[scope.index()];
        let hook = state.hook.is_none_or(|hook| self.end[self.plan.scope(hook).exit.index()].is_some());
        state.open == 0
            && !state.settling
            && !state.progress.busy
            && hook
            && self.scope_phase(scope).is_live()
            && !self.is_paused(scope)
    }

    fn phase_of(&self, vertex: VertexId) -> Phase {
        self.phase[vertex.index()]
    }

    /// The phase of a scope stands at its entry.
    fn scope_phase(&self, scope: ScopeId) -> Phase {
        self.phase_of(self.plan.scope(scope).enter)
    }

    /// Whether an end satisfies who waits for success. What is optional always does, unless it was cancelled.
    fn satisfies(&self, vertex: VertexId) -> bool {
        match self.end[vertex.index()] {
            Some(End::Ok | End::Passed | End::Lacked(_) | End::Fresh(_)) => true,
            Some(End::Failed(_) | End::TimedOut | End::Skipped(_)) => match self.plan.vertices[vertex.index()] {
                Vertex::Exit(scope) => self.plan.scope(scope).optional,
                _ => false,
            },
            Some(End::Cancelled(_) | End::Dropped(_)) | None => false,
        }
    }

    /// How many slots a leaf holds while it runs.
    pub fn slots_of(&self, leaf: LeafId) -> u32 {
        let weight = self.plan.scope(self.plan.leaf(leaf).scope).weight;
        // On a host it holds one of that host's.
        let here = self.host_of(self.plan.leaf(leaf).scope).is_none();
        if self.plan.leaf(leaf).slot && here { weight.min(self.slots().unwrap_or(weight)) } else { 0 }
    }

    /// How many slots there are, for those who show it.
    pub fn slots(&self) -> Option<u32> {
        self.limits.capacity(LimitId::SLOTS)
    }
}
