//! The judge of services: nobody uses one that is not ready, and who loses one is ended.

use super::*;
use crate::base::event::Reason;

/// What is known of services.
#[derive(Default)]
pub(in crate::run::scheduler) struct Services {
    /// Those that were ready.
    pub(in crate::run::scheduler) ready: BTreeSet<ScopeId>,
    /// Those that are asked.
    pub(in crate::run::scheduler) asked: BTreeSet<ScopeId>,
    /// Those that ended too early, or were not ready in time.
    early: BTreeSet<ScopeId>,
    /// What was ended, or not begun, since a service that it uses had ended.
    lost: BTreeSet<ScopeId>,
}

impl Judge<'_> {
    /// Whether it can be used, or need not be there.
    pub(super) fn is_up(&self, service: ScopeId) -> bool {
        let excused = self.plan.scope(service).optional && !self.ended.contains(&service);
        excused || self.services.ready.contains(&service) || self.passed.contains(&service)
    }

    /// Whether no service is the reason why a scope cannot have succeeded.
    pub(super) fn served(&self, scope: ScopeId) -> bool {
        let this = self.plan.scope(scope);
        let edges = this.gate.into_iter().chain([this.enter]).flat_map(|vertex| self.plan.predecessors.of(vertex));
        let used = edges.filter(|edge| edge.kind == EdgeKind::Ready).filter_map(|edge| self.plan.scope_of(edge.other));
        let gone = self.services.early.contains(&scope) || self.services.lost.contains(&scope);
        !gone && used.into_iter().all(|service| self.is_up(service))
    }

    /// Looks at what has become of services and of those who use them.
    pub(super) fn look_at_services(&mut self, scheduler: &Scheduler) {
        for at in (0..self.plan.scopes.len() as u32).map(ScopeId) {
            let scope = self.plan.scope(at);
            if scheduler.scopes[at.index()].ready {
                self.services.ready.insert(at);
            }
            let late = matches!(scheduler.scope_phase(at), Phase::Cancelling(Reason::NotReady, _));
            if scope.ready.is_some() && (late || scheduler.complaints.contains_key(&scope.exit)) {
                self.services.early.insert(at);
            }
            let gone = |exit: VertexId| scheduler.end[exit.index()].is_some() && !scheduler.satisfies(exit);
            let used = scheduler.lost_services(scope.exit);
            let lost = match scheduler.end[scope.exit.index()] {
                Some(End::Cancelled(Reason::Service) | End::Dropped(Reason::Service)) => used.into_iter().any(gone),
                // It was ready once, and had ended before this one began.
                Some(End::Skipped(blamed)) => used.contains(&blamed) && gone(blamed),
                _ => false,
            };
            if lost {
                self.services.lost.insert(at);
            }
        }
    }

    /// An attempt of an instance begins: what ended the last one is void.
    pub(in crate::run::scheduler) fn begins_anew(&mut self, instance: InstanceId, scheduler: &Scheduler) {
        let scope = self.plan.instance(instance).scope;
        if !scheduler.complaints.contains_key(&self.plan.scope(scope).exit) {
            self.services.early.remove(&scope);
        }
        self.services.lost.remove(&scope);
    }
}
