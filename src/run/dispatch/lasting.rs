//! The services that a run shares with the session it is a part of: which of them can outlive it, what decides about
//! them, and when they are left as they are.

use std::rc::Rc;
use std::sync::Arc;

use crate::base::event::{JobId, Level, Reason};
use crate::exec::Target;
use crate::plan::defs::Work;
use crate::plan::graph::{EdgeKind, LimitKind, LinkKind, Plan};
use crate::plan::ids::{InstanceId, LeafId, ScopeId};
use crate::run::dispatch::Loop;
use crate::run::facts::{Facts, leaves};
use crate::run::standing::{Lasting, Reasons};

impl Loop {
    /// Whether a service can outlive this run, or one of an earlier run is in its place.
    pub(super) fn is_lasting(&self, service: ScopeId) -> bool {
        self.standing.is_some() && (self.one_step(service).is_some() || self.earlier(service).is_some())
    }

    /// The number of a service in the session.
    fn earlier(&self, service: ScopeId) -> Option<u64> {
        let id = self.plan.scope(service).instance()?;
        self.standing.as_ref()?.last(&self.plan.instance(id).label.instance)
    }

    /// The instance of a service that is one step and nothing else. With hooks, a `temp`, a time of its own or what
    /// others on the machine may wait for, there is something to do at the end of the run; and the way to a host ends
    /// with it.
    fn one_step(&self, service: ScopeId) -> Option<InstanceId> {
        let plan = &*self.plan;
        let id = plan.scope(service).instance()?;
        let mut all = leaves(plan, service);
        let (leaf, None) = (all.next()?, all.next()) else { return None };
        let command = plan.command(leaf);
        let plain = matches!(command.work, Work::Run(_) | Work::Exec(_))
            && command.capture.is_none()
            && command.place.sudo.is_none()
            && self.store.host_of(plan, plan.leaf(leaf).scope).is_none()
            && plan.leaf(leaf).instance == id
            && plan.task_of(id).temps.is_empty();
        let of_machine = |limit: usize| matches!(plan.limits[limit].kind, LimitKind::Machine(_));
        let inner = plan.around(plan.leaf(leaf).scope).take_while(|scope| scope.service == Some(service));
        let bound = inner
            .into_iter()
            .any(|scope| scope.timeout.is_some() || scope.claim.iter().any(|(limit, _)| of_machine(limit.index())));
        (plain && !bound && (self.has_reasons(id) || !is_requested(plan, id))).then_some(id)
    }

    /// Whether anything but its own text decides about an instance. Who asks for a service of which that is not known
    /// wants to see it begin anew.
    fn has_reasons(&self, id: InstanceId) -> bool {
        let def = self.plan.task_of(id);
        !def.files.inputs.is_empty() || !self.keeper.needed(&self.plan, id).is_empty()
    }

    /// Where a leaf runs.
    pub(super) fn place_of(&self, leaf: LeafId, target: Rc<dyn Target>) -> Rc<dyn Target> {
        self.lasting(leaf, &target).unwrap_or(target)
    }

    fn lasting(&self, leaf: LeafId, target: &Rc<dyn Target>) -> Option<Rc<dyn Target>> {
        let (standing, plan) = (self.standing.as_ref()?, &*self.plan);
        let scope = plan.leaf(leaf).service.filter(|scope| self.is_lasting(*scope))?;
        let id = plan.scope(scope).instance()?;
        Some(Rc::new(Lasting {
            standing: standing.clone(),
            target: target.clone(),
            scope,
            label: plan.instance(id).label.clone(),
            reasons: self.reasons(scope),
            news: self.news_tx.clone(),
            clock: self.clock.clone(),
        }))
    }

    /// What decides whether a service is still the same; nothing for one that does not last.
    fn reasons(&self, service: ScopeId) -> Option<Reasons> {
        let (id, plan) = (self.one_step(service)?, &*self.plan);
        let mut task = Facts { plan, store: &self.store, around: &self.around, id }.task(false).ok()?;
        task.facts.extend(self.keeper.needed(plan, id));
        let edges = plan.predecessors.of(plan.scope(service).enter).iter();
        let used = edges.filter(|edge| edge.kind == EdgeKind::Ready).filter_map(|edge| plan.scope_of(edge.other));
        // Who uses what does not last cannot last either.
        let uses = used.map(|used| self.one_step(used).and(self.earlier(used))).collect::<Option<_>>()?;
        Some(Reasons { task: Arc::new(task), uses })
    }

    /// A service is ready.
    pub(super) fn note_ready(&self, service: ScopeId) {
        if let (Some(standing), Some(id)) = (&self.standing, self.plan.scope(service).instance()) {
            standing.became_ready(&self.plan.instance(id).label.instance);
        }
    }

    /// Leaves a job of a service as it is, if it is ended for nothing but the end of the run, or of those who need it.
    pub(super) fn let_go(&self, job: JobId, reason: Reason, level: Level) -> bool {
        let kind = level == Level::Soft && matches!(reason, Reason::Unneeded | Reason::Changed | Reason::Failed);
        kind && self.standing.as_ref().is_some_and(|standing| standing.let_go(job))
    }
}

fn is_requested(plan: &Plan, id: InstanceId) -> bool {
    plan.links.iter().any(|link| link.kind == LinkKind::Requested && link.to == id)
}
