//! The judge of `any` and `race`: one winner, which earned it; the others are ended; it fails only as it must.

use std::collections::HashMap;

use proptest::prelude::*;

use super::Judge;
use crate::base::event::{JobId, Level, Reason};
use crate::plan::graph::{Completion, EdgeKind, Scope, ScopeKind, Vertex};
use crate::plan::ids::{LeafId, ScopeId, VertexId};
use crate::run::scheduler::{End, Scheduler};

impl Judge<'_> {
    /// A scope is said to be decided by a child that has ended: by the first that could. Several may have ended in the
    /// same step, of which one is the first; `before` is how things stood when it began.
    pub(in crate::run::scheduler) fn decide(
        &mut self,
        scope: ScopeId,
        child: VertexId,
        before: &[Option<End>],
        now: &[Option<End>],
    ) -> Result<(), TestCaseError> {
        let completion = self.plan.scope(scope).completion;
        prop_assert!(completion != Completion::All, "nothing is decided where all count");
        prop_assert!(self.decided.insert(scope, child).is_none(), "one winner for each attempt");
        let decides = |child: VertexId, ends: &[Option<End>]| {
            let only = self.only(child);
            match (completion, ends[only.index()]) {
                (Completion::First, Some(End::Cancelled(Reason::Service) | End::Dropped(Reason::Service))) => {
                    self.uses_what_ended(only, ends)
                }
                (Completion::FirstOk, end) => matches!(end, Some(End::Ok)),
                (_, end) => matches!(end, Some(End::Ok | End::Failed(_) | End::TimedOut | End::Skipped(_))),
            }
        };
        let gone = |lane: &Scope| {
            let again = lane.is_lane || self.is_progress(lane);
            again && (now[lane.enter.index()] != Some(End::Ok) || self.renewed.contains(&lane.enter))
        };
        if self.plan.around(scope).any(gone) {
            // The lane has done with its item in the same step, and with what it came to; and so has a hook that goes on.
            return Ok(());
        }
        prop_assert!(decides(child, now), "the winner earned it");
        for other in self.plan.children_ends(scope).filter(|other| !self.is_hook(*other)) {
            prop_assert!(!decides(other, before), "{:?} was there before", other);
        }
        Ok(())
    }

    /// What a child came to, and what a branch holds.
    fn end_of(&self, child: VertexId, ends: &[Option<End>]) -> Option<End> {
        ends[self.only(child).index()]
    }

    /// A child, or what a branch holds.
    fn only(&self, mut child: VertexId) -> VertexId {
        while let Some(branch) = self.plan.scope_of(child).filter(|at| self.plan.scope(*at).kind == ScopeKind::Branch) {
            child = self.plan.children_ends(branch).next().expect("a branch holds something");
        }
        child
    }

    /// A service has ended that this one uses itself; one that somebody around it uses ends all of that, and decides
    /// nothing within.
    fn uses_what_ended(&self, exit: VertexId, ends: &[Option<End>]) -> bool {
        let Some(scope) = self.plan.scope_of(exit) else { return false };
        let edges = self.plan.predecessors.of(self.plan.scope(scope).enter).iter();
        edges.filter(|edge| edge.kind == EdgeKind::Ready).any(|edge| ends[edge.other.index()].is_some())
    }

    /// A child begins anew.
    pub(in crate::run::scheduler) fn forget(&self, child: VertexId, ends: &mut [Option<End>]) {
        let range =
            self.plan.scope_of(child).map_or(child.0..child.0 + 1, |inner| self.plan.scope(inner).vertices.clone());
        range.for_each(|at| ends[at as usize] = None);
    }

    /// The children of a scope but for its hooks.
    pub(super) fn branches(&self, scope: ScopeId) -> impl Iterator<Item = VertexId> + '_ {
        self.plan.children(scope).filter(|child| !self.is_hook(*child))
    }

    fn is_hook(&self, child: VertexId) -> bool {
        self.plan.scope_of(child).is_some_and(|scope| self.plan.scope(scope).is_hook)
    }

    fn in_hook(&self, leaf: LeafId) -> bool {
        self.plan.around(self.plan.leaf(leaf).scope).any(|scope| scope.is_hook)
    }

    /// Whatever runs of a loser in the moment of the decision has been told to end, but for hooks.
    pub(in crate::run::scheduler) fn losers_are_ended(
        &self,
        scope: ScopeId,
        child: VertexId,
        stopping: &HashMap<JobId, Level>,
    ) -> Result<(), TestCaseError> {
        let won =
            self.plan.scope_of(child).map_or(child.0..child.0 + 1, |inner| self.plan.scope(inner).vertices.clone());
        for (job, leaf) in &self.running {
            let at = self.plan.leaf(*leaf).vertex.0;
            let lost = self.plan.scope(scope).vertices.contains(&at) && !won.contains(&at) && !self.in_hook(*leaf);
            prop_assert!(!lost || stopping.contains_key(job), "a loser goes on");
        }
        Ok(())
    }

    /// What has lost begins nothing any more, but for hooks.
    pub(in crate::run::scheduler) fn no_lost_way(&self, leaf: LeafId) -> Result<(), TestCaseError> {
        for (scope, child) in self.plan.choices(self.plan.leaf(leaf).vertex, ScopeId::RUN) {
            let lost = self.decided.get(&scope).is_some_and(|winner| !child.contains(&winner.0));
            prop_assert!(!lost || self.in_hook(leaf), "a loser begins something");
        }
        Ok(())
    }

    /// Whether it has what it wants, as far as that can be said from the ends of leaves.
    pub(in crate::run::scheduler) fn choice_succeeded(&self, scope: ScopeId) -> bool {
        let children: Vec<VertexId> = self.branches(scope).collect();
        let fine = |child: &VertexId| self.child_is_fine(*child);
        match self.plan.scope(scope).completion {
            Completion::FirstOk => children.iter().any(|child| self.won(*child)) || children.iter().all(fine),
            _ => match self.decided.get(&scope) {
                Some(winner) => self.child_is_fine(*winner),
                None => children.iter().all(fine),
            },
        }
    }

    pub(super) fn child_is_fine(&self, child: VertexId) -> bool {
        match (self.plan.scope_of(child), self.plan.vertices[child.index()]) {
            (Some(inner), _) => self.fine(inner),
            (None, Vertex::Leaf(leaf)) => self.result.get(&leaf) == Some(&true),
            _ => true,
        }
    }

    fn won(&self, child: VertexId) -> bool {
        match self.plan.scope_of(child) {
            Some(branch) if self.plan.scope(branch).kind == ScopeKind::Branch => {
                self.plan.children(branch).next().is_some_and(|only| self.won(only))
            }
            Some(inner) => !self.passed.contains(&inner) && self.succeeded(inner),
            None => self.child_is_fine(child),
        }
    }

    /// `any` failed only where every way did, and a winner is not passed over.
    pub(in crate::run::scheduler) fn choices_ended_well(&self, scheduler: &Scheduler) -> Result<(), TestCaseError> {
        for at in (0..self.plan.scopes.len() as u32).map(ScopeId) {
            let this = self.plan.scope(at);
            let hook = scheduler.scopes[at.index()].hook_failed;
            let end = scheduler.end[this.exit.index()];
            let ends = || self.plan.children_ends(at).filter(|child| !self.is_hook(*child));
            match (this.completion, end) {
                (Completion::FirstOk, Some(End::Failed(_))) if !hook => {
                    prop_assert!(!self.decided.contains_key(&at));
                    prop_assert!(ends().all(|child| self.end_of(child, &scheduler.end) != Some(End::Ok)));
                }
                (Completion::First, Some(End::Ok)) if !ends().all(|child| scheduler.satisfies(child)) => {
                    prop_assert!(self.decided.get(&at).is_some_and(|winner| scheduler.satisfies(*winner)));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
