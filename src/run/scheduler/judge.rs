//! A judge of the traces of random runs: knows the plan, and what ran and how it ended; of the scheduler only the phases.

mod choice;
mod lanes;
mod service;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use proptest::prelude::*;

use crate::base::event::JobId;
use crate::plan::graph::{Completion, EdgeKind, LimitKind, Memory, Plan, Scope, Vertex};
use crate::plan::ids::{FeedId, InstanceId, LeafId, LimitId, ScopeId, VertexId};
use crate::run::phase::Phase;
use crate::run::scheduler::{End, Scheduler};

/// What comes back by itself, and is judged where it is counted.
pub(super) const HELD_BY_TIME: LimitKind = LimitKind::Rate(Duration::from_millis(20));

/// What is known of a run from the outside, and what must hold of it.
pub(super) struct Judge<'p> {
    pub(super) plan: &'p Plan,
    pub(super) running: HashMap<JobId, LeafId>,
    pub(super) result: HashMap<LeafId, bool>,
    /// Scopes that ran when their time, or that of one around them, was up, and whose time it was: what is optional
    /// in them is no excuse.
    pub(super) late: BTreeMap<ScopeId, ScopeId>,
    /// Scopes that were ended from outside: that they are optional is no excuse.
    pub(super) ended: BTreeSet<ScopeId>,
    /// Scopes that had not to run.
    pub(super) passed: BTreeSet<ScopeId>,
    /// Which child decided a scope, by the vertex where it ended.
    pub(super) decided: HashMap<ScopeId, VertexId>,
    /// What is known of services.
    pub(super) services: service::Services,
    pub(super) begun: BTreeSet<ScopeId>,
    /// Scopes that hold all they claim and are asked whether they still have to run.
    pub(super) knocking: BTreeSet<ScopeId>,
    pub(super) cancelled: bool,
    pub(super) open: BTreeSet<InstanceId>,
    /// Who holds what of the machine.
    pub(super) locked: BTreeMap<VertexId, Vec<(LimitId, u32)>>,
    pub(super) started: usize,
    pub(super) told: usize,
    /// How many items each feed has, where it has a list.
    pub(super) totals: HashMap<FeedId, usize>,
    /// The item that each lane works on, or did last.
    pub(super) lanes: HashMap<ScopeId, (FeedId, u64)>,
    /// Entries of the lanes that began with an item in this step.
    pub(super) renewed: BTreeSet<VertexId>,
    /// What became of each item, where its instance was begun.
    pub(super) items: HashMap<(FeedId, u64), Option<bool>>,
}

impl<'p> Judge<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            running: HashMap::new(),
            result: HashMap::new(),
            late: BTreeMap::new(),
            ended: BTreeSet::new(),
            passed: BTreeSet::new(),
            decided: HashMap::new(),
            services: Default::default(),
            begun: BTreeSet::new(),
            knocking: BTreeSet::new(),
            cancelled: false,
            open: BTreeSet::new(),
            locked: BTreeMap::new(),
            started: 0,
            told: 0,
            totals: HashMap::new(),
            lanes: HashMap::new(),
            renewed: BTreeSet::new(),
            items: HashMap::new(),
        }
    }

    pub(super) fn start(&mut self, job: JobId, leaf: LeafId) -> Result<(), TestCaseError> {
        prop_assert!(!self.running.values().any(|other| *other == leaf), "one attempt at a time");
        let again = self.plan.scope(self.plan.leaf(leaf).scope);
        let retried = again.retry.is_some() || again.retried_parent.is_some() || self.goes_along(leaf);
        prop_assert!(retried || !self.result.contains_key(&leaf), "a leaf that has ended does not begin again");
        self.result.remove(&leaf);
        prop_assert!(self.running.insert(job, leaf).is_none(), "a job's name is never used twice");
        // Whatever the leaf, and every scope around it, waits for, has succeeded.
        self.waits(self.plan.leaf(leaf).vertex)?;
        for scope in self.plan.around(self.plan.leaf(leaf).scope) {
            self.waits(scope.enter)?;
        }
        self.no_lost_way(leaf)?;
        self.limits()
    }

    /// Whether it stands in a hook that is run again and again while the scope around it goes on.
    fn goes_along(&self, leaf: LeafId) -> bool {
        self.plan.around(self.plan.leaf(leaf).scope).any(|scope| self.is_progress(scope))
    }

    /// Whether it is such a hook.
    fn is_progress(&self, scope: &Scope) -> bool {
        let hook = scope.parent.and_then(|parent| self.plan.scope(parent).progress);
        hook.is_some_and(|(hook, _)| self.plan.scope(hook).enter == scope.enter)
    }

    /// A scope that is remembered is about to begin: there is a slot for it, and nothing in it has begun.
    pub(super) fn knocks(&mut self, scope: ScopeId, scheduler: &Scheduler) -> Result<(), TestCaseError> {
        prop_assert!(self.idle(scope) && self.plan.scope(scope).memory == Memory::Whole);
        self.waits(self.plan.scope(scope).enter)?;
        self.knocking.insert(scope);
        let slots = self.plan.limits[0].count.expect("random plans have slots") as usize;
        let running = self.running.values().filter(|leaf| self.plan.leaf(**leaf).slot).count();
        let knocking = self.knocking.iter().filter(|scope| scheduler.takes_a_slot(**scope)).count();
        prop_assert!(running + knocking <= slots, "no more begin than there are slots");
        Ok(())
    }

    fn waits(&self, vertex: VertexId) -> Result<(), TestCaseError> {
        for edge in self.plan.predecessors.of(vertex) {
            match (edge.kind, self.plan.vertices[edge.other.index()]) {
                (EdgeKind::Ok, Vertex::Leaf(leaf)) => prop_assert_eq!(self.result.get(&leaf), Some(&true)),
                (EdgeKind::Ok, Vertex::Exit(scope)) => {
                    prop_assert!(self.fine(scope), "{:?} before {:?}", scope, vertex);
                    prop_assert!(self.idle(scope));
                }
                (EdgeKind::Ok, Vertex::Resume) => self.all_are_here(edge.other)?,
                (EdgeKind::Ok, Vertex::Barrier(_)) => {
                    prop_assert!(self.gate_is_open(edge.other), "a batch before its gate is open");
                    prop_assert!(self.before(edge.other).all(|scope| self.idle(scope)));
                }
                (EdgeKind::Ready, Vertex::Exit(scope)) => prop_assert!(self.is_up(scope), "{:?} is not ready", scope),
                _ => {}
            }
        }
        Ok(())
    }

    /// Who goes on behind a barrier leaves nobody behind who is still on his way to it. (Who is tried again comes late.)
    fn all_are_here(&self, resume: VertexId) -> Result<(), TestCaseError> {
        let gates = self.plan.predecessors.of(resume).iter().map(|edge| edge.other);
        let arrivals = gates.flat_map(|gate| self.plan.predecessors.of(gate)).map(|edge| edge.other);
        for arrival in arrivals.filter(|vertex| self.plan.vertices[vertex.index()] == Vertex::Arrive) {
            let around = self.plan.scope(self.plan.owner[arrival.index()]);
            let retried = around.retry.is_some() || around.retried_parent.is_some();
            let before = around.enter.0..arrival.0;
            // Whose time is up has left the barrier, though hooks of his may still run.
            let gone = |leaf: &LeafId| {
                self.plan.outward(self.plan.leaf(*leaf).scope).any(|scope| self.late.contains_key(&scope))
            };
            let on_the_way = |leaf: &LeafId| before.contains(&self.plan.leaf(*leaf).vertex.0) && !gone(leaf);
            let late = self.running.values().any(on_the_way);
            prop_assert!(retried || !late, "someone is still on the way to a barrier that is open");
        }
        Ok(())
    }

    /// What stands directly before a gate.
    fn before(&self, gate: VertexId) -> impl Iterator<Item = ScopeId> {
        self.plan.predecessors.of(gate).iter().filter_map(|edge| self.plan.scope_of(edge.other))
    }

    /// Enough of what is before a gate has succeeded.
    fn gate_is_open(&self, vertex: VertexId) -> bool {
        let Vertex::Barrier(gate) = self.plan.vertices[vertex.index()] else { return true };
        self.before(vertex).filter(|scope| self.fine(*scope)).count() >= self.plan.gates[gate.index()].need as usize
    }

    /// All that a vertex waits for is as it should be.
    pub(super) fn met(&self, vertex: VertexId) -> bool {
        self.plan.predecessors.of(vertex).iter().all(|edge| match (edge.kind, self.plan.scope_of(edge.other)) {
            (EdgeKind::Ok, Some(scope)) if self.plan.scope(scope).exit == edge.other => self.fine(scope),
            _ => true,
        })
    }

    /// A scope has succeeded, may fail (which is no excuse for being ended from around it), or had not to run.
    fn fine(&self, scope: ScopeId) -> bool {
        let excused = self.plan.scope(scope).optional
            && !self.ended.contains(&scope)
            && self.late.get(&scope).is_none_or(|timed| *timed == scope);
        excused || self.passed.contains(&scope) || self.succeeded(scope)
    }

    /// What it needed has succeeded, and enough of what is in it.
    fn succeeded(&self, scope: ScopeId) -> bool {
        let this = self.plan.scope(scope);
        let needs = this.gate.into_iter().chain([this.enter]).flat_map(|vertex| self.plan.predecessors.of(vertex));
        let needs = needs.filter(|edge| edge.kind == EdgeKind::Ok).all(|edge| match self.plan.scope_of(edge.other) {
            Some(other) if self.plan.scope(other).exit == edge.other && self.foreign(other, scope) => self.fine(other),
            _ => true,
        });
        if !self.served(scope) {
            return false;
        }
        if let Some(feed) = this.feed {
            return !self.late.contains_key(&scope) && needs && self.fed_well(feed);
        }
        if this.completion != Completion::All {
            return !self.late.contains_key(&scope) && needs && self.choice_succeeded(scope);
        }
        let mut good = 0;
        for child in self.plan.children(scope) {
            good += u32::from(match (self.plan.scope_of(child), self.plan.vertices[child.index()]) {
                (Some(inner), _) if self.plan.scope(inner).is_hook || self.plan.scope(inner).shared => continue,
                (Some(inner), _) => self.fine(inner),
                (None, Vertex::Leaf(leaf)) => self.result.get(&leaf) == Some(&true),
                _ => continue,
            });
        }
        let open = self.plan.children(scope).all(|child| self.gate_is_open(child));
        !self.late.contains_key(&scope) && needs && open && good >= this.require.of(this.children)
    }

    /// Whether it is no earlier child of the same scope, but something that is needed.
    fn foreign(&self, other: ScopeId, scope: ScopeId) -> bool {
        let (a, b) = (self.plan.scope(other), self.plan.scope(scope));
        a.shared || a.parent != b.parent
    }

    pub(super) fn hook_failed(&self, hook: ScopeId) -> bool {
        let range = &self.plan.scope(hook).vertices;
        let bad = |(leaf, ok): (&LeafId, &bool)| !ok && range.contains(&self.plan.leaf(*leaf).vertex.0);
        self.result.iter().any(bad) || self.late.contains_key(&hook) || !self.succeeded(hook)
    }

    /// Who comes after another waits while that one runs. (Once it waits for room alone, it waits for no one else.)
    pub(super) fn began(&mut self, scheduler: &Scheduler) -> Result<(), TestCaseError> {
        for at in (0..self.plan.scopes.len() as u32).map(ScopeId) {
            let waits = matches!(scheduler.scope_phase(at), Phase::Dormant | Phase::Waiting);
            let entry = scheduler.end[self.plan.scope(at).enter.index()];
            let never = !matches!(entry, None | Some(End::Ok));
            if waits || never || !self.begun.insert(at) {
                continue;
            }
            for edge in self.plan.predecessors.of(self.plan.scope(at).enter) {
                if let (EdgeKind::Order, Some(other)) = (edge.kind, self.plan.scope_of(edge.other)) {
                    prop_assert!(self.idle(other));
                }
            }
        }
        Ok(())
    }

    fn idle(&self, scope: ScopeId) -> bool {
        let range = &self.plan.scope(scope).vertices;
        !self.running.values().any(|leaf| range.contains(&self.plan.leaf(*leaf).vertex.0))
    }

    /// Whether it is plain already what a scope will come to.
    fn settled(&self, scope: ScopeId) -> bool {
        self.decided.contains_key(&scope) || self.doomed(scope)
    }

    /// Whether so much in a scope has failed already that it can only fail.
    fn doomed(&self, scope: ScopeId) -> bool {
        let this = self.plan.scope(scope);
        let bad = |child: &VertexId| match (self.plan.scope_of(*child), self.plan.vertices[child.index()]) {
            (Some(inner), _) => {
                let other = self.plan.scope(inner);
                !(other.is_hook || other.shared || other.optional || self.passed.contains(&inner)) && self.doomed(inner)
            }
            (None, Vertex::Leaf(leaf)) => self.result.get(&leaf) == Some(&false),
            _ => false,
        };
        self.late.contains_key(&scope)
            || match this.completion {
                Completion::All if this.feed.is_some() => this.feed.is_some_and(|feed| self.fed_badly(feed)),
                Completion::All => {
                    let bad = self.plan.children(scope).filter(bad).count() as u32;
                    this.children - bad < this.require.of(this.children)
                }
                Completion::FirstOk => this.children > 0 && self.branches(scope).all(|child| bad(&child)),
                Completion::First => self.decided.get(&scope).is_some_and(|winner| !self.child_is_fine(*winner)),
            }
    }

    /// A scope and those in it that are cut short when its time is up: they could still succeed, and something is left
    /// in them, hooks aside, which are outside of the time of what they follow.
    pub(super) fn within(&self, scope: ScopeId, scheduler: &Scheduler) -> Vec<ScopeId> {
        let mut hooks: BTreeSet<ScopeId> = BTreeSet::new();
        let mut found = vec![scope];
        // A lane that works on nothing, once there is nothing left to work on, is no work either.
        let done_with = |lane: ScopeId| {
            let fed = self.plan.feed_of_lane(lane).map(|feed| self.plan.feed(feed).vertex);
            fed.is_some_and(|feed| scheduler.end[feed.index()].is_some() && scheduler.scope_phase(lane).is_open())
        };
        let left = |at: ScopeId| {
            let mut vertices = self.plan.scope(at).vertices.clone();
            while let Some(vertex) = vertices.next().map(VertexId) {
                match self.plan.scope_of(vertex) {
                    Some(inner)
                        if inner != at
                            && (self.plan.scope(inner).is_hook || self.settled(inner) || done_with(inner)) =>
                    {
                        vertices.start = self.plan.scope(inner).vertices.end;
                    }
                    // A barrier is a place to meet, and no work: who has nothing behind it has done all of his.
                    _ if matches!(
                        self.plan.vertices[vertex.index()],
                        Vertex::Exit(_) | Vertex::Arrive | Vertex::Resume
                    ) => {}
                    _ if scheduler.end[vertex.index()].is_none() => return true,
                    _ => {}
                }
            }
            false
        };
        for at in (scope.0..self.plan.scopes.len() as u32).map(ScopeId) {
            let this = self.plan.scope(at);
            let inside = this.vertices.start >= self.plan.scope(scope).vertices.start
                && this.vertices.end <= self.plan.scope(scope).vertices.end;
            let hook =
                inside && at != scope && (this.is_hook || this.parent.is_some_and(|parent| hooks.contains(&parent)));
            if hook {
                hooks.insert(at);
            } else if inside && at != scope && scheduler.scope_phase(at).is_live() && left(at) && !self.settled(at) {
                found.push(at);
            }
        }
        found
    }

    fn limits(&self) -> Result<(), TestCaseError> {
        let slots = self.plan.limits[0].count.expect("random plans have slots");
        let weight = |leaf: &LeafId| self.plan.scope(self.plan.leaf(*leaf).scope).weight;
        let taken: u32 = self.running.values().filter(|leaf| self.plan.leaf(**leaf).slot).map(weight).sum();
        prop_assert!(taken <= slots, "more at once than there are slots");
        for (at, limit) in self.plan.limits.iter().enumerate() {
            if limit.kind == HELD_BY_TIME || limit.adapts.is_some() {
                continue;
            }
            let busy = (0..self.plan.scopes.len() as u32).map(ScopeId).filter(|scope| !self.idle(*scope));
            let claims = busy.flat_map(|scope| self.plan.scope(scope).claim.iter());
            let used: u32 = claims.filter(|(id, _)| id.index() == at).map(|(_, count)| count).sum();
            prop_assert!(limit.count.is_none_or(|count| used <= count), "more is held than there is");
        }
        for (at, scope) in self.plan.scopes.iter().enumerate() {
            let Some(limit) = scope.child_token else { continue };
            let busy: BTreeSet<VertexId> = self
                .plan
                .children(ScopeId(at as u32))
                .filter(|child| match self.plan.scope_of(*child) {
                    Some(inner) => !self.plan.scope(inner).is_hook && !self.idle(inner),
                    None => self.running.values().any(|leaf| self.plan.leaf(*leaf).vertex == *child),
                })
                .collect();
            let limit = &self.plan.limits[limit.index()];
            let most = limit.adapts.map_or(limit.count, |range| Some(range.max)).expect("a token has a limit");
            prop_assert!(busy.len() <= most as usize);
        }
        Ok(())
    }

    /// Leaves that only wait end by themselves; scopes that had not to run say so.
    pub(super) fn waits_over(&mut self, scheduler: &Scheduler) {
        for (at, leaf) in self.plan.leaves.iter().enumerate().filter(|(_, leaf)| leaf.wait.is_some()) {
            match scheduler.end[leaf.vertex.index()] {
                Some(end) => drop(self.result.insert(LeafId(at as u32), end == End::Ok)),
                None => drop(self.result.remove(&LeafId(at as u32))),
            }
        }
        self.look_at_services(scheduler);
        for (at, scope) in self.plan.scopes.iter().enumerate() {
            match scheduler.end[scope.exit.index()] {
                Some(End::Passed | End::Fresh(_)) => drop(self.passed.insert(ScopeId(at as u32))),
                Some(End::Cancelled(_) | End::Dropped(_)) => drop(self.ended.insert(ScopeId(at as u32))),
                _ => drop(self.ended.remove(&ScopeId(at as u32))),
            }
        }
    }

    pub(super) fn end(&mut self, job: JobId, ok: bool) {
        let leaf = self.running.remove(&job).expect("only what runs is ended");
        self.result.insert(leaf, ok);
    }
}
