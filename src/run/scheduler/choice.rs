//! Scopes that one of their children decides: `any` by the first success, `race` by the first end. The others are
//! cancelled like anything else, and the scope ends when they have.

use crate::base::event::{Level, Reason};
use crate::plan::graph::{Completion, ScopeKind, Vertex};
use crate::plan::ids::{ScopeId, VertexId};
use crate::run::phase::Phase;
use crate::run::scheduler::{Action, End, Scheduler};

impl Scheduler {
    /// A child of such a scope has ended.
    pub(super) fn weigh(&mut self, scope: ScopeId, child: VertexId, out: &mut Vec<Action>) {
        let only = self.only(child);
        // That a service has ended is a failure of who used it itself, and of nobody else.
        let result = if self.lost_its_service(only) { Some(End::Failed(1)) } else { self.end[only.index()] };
        let harmless = self.satisfies(child);
        let state = &mut self.scopes[scope.index()];
        match result {
            Some(End::Cancelled(_) | End::Dropped(_)) | None => state.dropped += 1,
            _ if harmless => {}
            _ => state.failed += 1,
        }
        if state.decided {
            return;
        }
        let decides = match (self.plan.scope(scope).completion, result) {
            (_, Some(End::Ok)) => true,
            // What had not to run is no result, and nor is what was ended from outside.
            (Completion::First, Some(End::Failed(_) | End::TimedOut | End::Skipped(_))) => true,
            (_, Some(End::Failed(_) | End::TimedOut | End::Skipped(_))) => {
                state.chosen = if harmless { state.chosen } else { Some(child) };
                false
            }
            _ => false,
        };
        if decides {
            state.chosen = Some(child);
            state.decided = true;
            out.push(Action::Decided(scope, child));
            self.cancel(scope, Reason::Decided, Level::Soft, out);
        }
    }

    /// Where to look for what a child came to: of a branch, at the one thing in it.
    fn only(&self, child: VertexId) -> VertexId {
        match self.plan.vertices[child.index()] {
            Vertex::Exit(branch) if self.plan.scope(branch).kind == ScopeKind::Branch => {
                self.plan.children_ends(branch).next().unwrap_or(child)
            }
            _ => child,
        }
    }

    /// What the body of such a scope came to: where nothing decided it, it is well if nothing failed.
    pub(super) fn judge_choice(&self, scope: ScopeId) -> End {
        let state = &self.scopes[scope.index()];
        match (state.chosen.filter(|_| state.decided), self.scope_phase(scope)) {
            (Some(chosen), _) if self.satisfies(chosen) => End::Ok,
            (Some(_), _) => End::Failed(1),
            (None, Phase::Cancelling(reason, _)) if state.dropped > 0 => End::Cancelled(reason),
            (None, _) if state.failed + state.dropped == 0 => End::Ok,
            (None, _) => End::Failed(state.failed as i32),
        }
    }

    /// Where to look for the failure of a scope: with the one that decided it or failed last, if that decides.
    pub(super) fn at_fault(&self, scope: ScopeId) -> Vec<VertexId> {
        match self.plan.scope(scope).completion {
            Completion::All => self.plan.children_ends(scope).collect(),
            Completion::First | Completion::FirstOk => self.scopes[scope.index()].chosen.into_iter().collect(),
        }
    }

    /// A scope begins: what decided an earlier attempt is void.
    pub(super) fn undecide(&self, scope: ScopeId, out: &mut Vec<Action>) {
        if self.plan.scope(scope).completion != Completion::All && self.scopes[scope.index()].attempt > 1 {
            out.push(Action::Undecided(scope));
        }
    }
}
