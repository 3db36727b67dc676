//! Services: instances that are used while they run. Who needs one waits until it is ready instead of until it ends;
//! it is kept up by demand like anything that is shared, and what it leaves behind when it ends too early fails those
//! who still use it.

use crate::base::event::{Level, Reason};
use crate::plan::graph::EdgeKind;
use crate::plan::ids::{ScopeId, VertexId};
use crate::run::phase::{Phase, Trigger};
use crate::run::scheduler::{Action, End, Scheduler, TimerKey};

impl Scheduler {
    /// A service begins an attempt: from here on it is asked whether it is ready.
    pub(super) fn watch(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        let Some(service) = &self.plan.scope(scope).ready else { return };
        let (state, limit) = (&self.scopes[scope.index()], service.timeout);
        if !state.ready {
            out.push(Action::Watch(scope));
            out.push(Action::SetTimer(TimerKey::Ready(scope, state.attempt), self.now.saturating_add(limit)));
        }
    }

    /// An attempt of a service is over.
    pub(super) fn unwatch(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        if self.plan.scope(scope).ready.is_some() {
            out.push(Action::Unwatch(scope));
        }
    }

    /// A service can be used: who waited for it goes on.
    pub(super) fn becomes_ready(&mut self, scope: ScopeId) {
        let enter = self.plan.scope(scope).enter;
        if self.scopes[scope.index()].ready || self.phase_of(enter) != Phase::Running {
            return;
        }
        self.shift(enter, Trigger::Ready);
        self.scopes[scope.index()].ready = true;
        for to in self.users(scope) {
            self.met(to);
        }
    }

    /// It took too long.
    pub(super) fn not_ready(&mut self, scope: ScopeId, attempt: u32, out: &mut Vec<Action>) {
        let state = &self.scopes[scope.index()];
        if state.attempt == attempt && !state.ready && self.scope_phase(scope) == Phase::Running {
            self.cancel(scope, Reason::NotReady, Level::Soft, out);
        }
    }

    /// The entries of those who use a service.
    fn users(&self, scope: ScopeId) -> Vec<VertexId> {
        let edges = self.plan.successors.of(self.plan.scope(scope).exit).iter();
        edges.filter(|edge| edge.kind == EdgeKind::Ready).map(|edge| edge.other).collect()
    }

    /// Whether a vertex hangs on a service that is ready.
    pub(super) fn is_up(&self, exit: VertexId) -> bool {
        self.plan.scope_of(exit).is_some_and(|scope| self.scopes[scope.index()].ready)
    }

    /// What the body of a service came to. That it ended since nobody needs it any more is a success; that it ended by
    /// itself is none while somebody does.
    pub(super) fn judge_service(&mut self, scope: ScopeId, body: End) -> End {
        if self.plan.scope(scope).ready.is_none() {
            return body;
        }
        let up = self.scopes[scope.index()].ready;
        match self.scope_phase(scope) {
            Phase::Cancelling(Reason::Unneeded, _) if up => End::Ok,
            Phase::Cancelling(Reason::NotReady, _) => {
                // The step that ran tells it, and shows what it wrote.
                if self.scopes[scope.index()].failed == 0 {
                    self.complain(scope, self.too_late(scope));
                }
                End::Failed(1)
            }
            Phase::Cancelling(..) => body,
            _ if body == End::Ok && self.is_used(scope) => {
                let why = if up { "it ended while it was needed" } else { "it ended before it was ready" };
                self.complain(scope, why.to_owned());
                End::Failed(1)
            }
            _ => body,
        }
    }

    /// Why a service is ended that was not ready.
    pub(super) fn too_late(&self, scope: ScopeId) -> String {
        let time = self.plan.scope(scope).ready.as_ref().map(|service| service.timeout).unwrap_or_default();
        format!("not ready within {}", crate::base::duration::show(time))
    }

    fn complain(&mut self, scope: ScopeId, why: String) {
        self.complaints.insert(self.plan.scope(scope).exit, why.into());
    }

    fn is_used(&self, scope: ScopeId) -> bool {
        self.users(scope).into_iter().any(|user| {
            let user = self.plan.scope_of(user);
            user.is_some_and(|user| {
                self.end[self.plan.scope(user).exit.index()].is_none() && self.scope_phase(user) != Phase::Dormant
            })
        })
    }

    /// A service has ended that had been ready: whoever still uses it is ended.
    pub(super) fn fail_users(&mut self, exit: VertexId, out: &mut Vec<Action>) {
        let Some(scope) = self.plan.scope_of(exit) else { return };
        for enter in self.users(scope) {
            let Some(user) = self.plan.scope_of(enter) else { continue };
            let this = self.plan.scope(user);
            let reached = this.gate.is_none_or(|gate| self.end[gate.index()].is_some());
            if self.end[this.exit.index()].is_some() {
                continue;
            }
            if reached {
                self.cancel(user, Reason::Service, Level::Soft, out);
            } else {
                // What stands before it in its place runs all the same.
                self.blamed.insert(enter, exit);
            }
        }
    }

    /// Whether a vertex ended for the sake of a service that it uses itself: to those around it, that is a failure.
    pub(super) fn lost_its_service(&self, exit: VertexId) -> bool {
        let lost =
            matches!(self.end[exit.index()], Some(End::Cancelled(Reason::Service) | End::Dropped(Reason::Service)));
        let broken = |service: &VertexId| self.end[service.index()].is_some() && !self.satisfies(*service);
        lost && self.lost_services(exit).iter().any(broken)
    }

    /// The services whose end is the reason why something was ended.
    pub(super) fn lost_services(&self, exit: VertexId) -> Vec<VertexId> {
        let Some(scope) = self.plan.scope_of(exit) else { return Vec::new() };
        let edges = self.plan.predecessors.of(self.plan.scope(scope).enter).iter();
        edges.filter(|edge| edge.kind == EdgeKind::Ready).map(|edge| edge.other).collect()
    }
}
