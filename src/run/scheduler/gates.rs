//! Gates: places where several arrive before anyone goes on. A gate is judged when all before it have ended, and
//! stays shut where too few of them succeeded: then who waits behind it is skipped, and its scope fails.

use crate::plan::graph::{EdgeKind, Vertex};
use crate::plan::ids::{GateId, ScopeId, VertexId};
use crate::run::phase::Phase;
use crate::run::scheduler::state::End;
use crate::run::scheduler::{Action, Scheduler, TimerKey};

impl Scheduler {
    /// All before a gate have ended.
    pub(super) fn gate_reached(&mut self, vertex: VertexId, gate: GateId, out: &mut Vec<Action>) {
        let before = self.plan.predecessors.of(vertex).iter();
        let count = before.clone().filter(|edge| edge.kind == EdgeKind::Settled).count() as u32;
        let good = before.filter(|edge| edge.kind == EdgeKind::Settled && self.satisfies(edge.other)).count() as u32;
        let (need, pause) = (self.plan.gates[gate.index()].need, self.plan.gates[gate.index()].pause);
        let owner = self.plan.owner[vertex.index()];
        if good < need {
            self.scopes[owner.index()].shut = true;
            return self.finish(vertex, End::Failed((count - good) as i32));
        }
        if pause.is_zero() {
            return self.finish(vertex, End::Ok);
        }
        let attempt = self.scopes[owner.index()].attempt;
        out.push(Action::SetTimer(TimerKey::Pause(vertex, attempt), self.now.saturating_add(pause)));
    }

    /// The pause of a gate is over.
    pub(super) fn gate_opens(&mut self, vertex: VertexId, attempt: u32) {
        let waits = self.phase_of(vertex) == Phase::Waiting && self.pending[vertex.index()] == 0;
        let owner = self.plan.owner[vertex.index()];
        if waits && self.end[vertex.index()].is_none() && self.scopes[owner.index()].attempt == attempt {
            self.finish(vertex, End::Ok);
        }
    }

    /// Something before a gate has ended without success: whether that shuts the gate.
    pub(super) fn gate_loses(&mut self, vertex: VertexId) -> bool {
        let plan = self.plan.clone();
        let mut shut = false;
        for edge in plan.successors.of(vertex).iter().filter(|edge| edge.kind == EdgeKind::Settled) {
            let Vertex::Barrier(gate) = plan.vertices[edge.other.index()] else { continue };
            let lost = &mut self.lost[gate.index()];
            *lost += 1;
            let all = plan.predecessors.of(edge.other).len() as u32;
            shut |= all.saturating_sub(*lost) < plan.gates[gate.index()].need;
        }
        // The policy may end the scope before the gate is reached, which fails it all the same.
        self.scopes[plan.owner[vertex.index()].index()].shut |= shut;
        shut
    }

    /// An instance has come to a barrier.
    pub(super) fn arrived(&mut self, vertex: VertexId) {
        self.finish(vertex, End::Ok);
        if let Some(instance) = self.brought_by(vertex).last() {
            self.meeting.insert(instance, vertex);
            self.lend_at_barrier(instance);
        }
    }

    /// While an instance waits at a barrier, others have its share of the `jobs`: as soon as nothing of it runs, which
    /// hooks do that go along with it. None is woken before it has its share again.
    pub(super) fn lend_at_barrier(&mut self, scope: ScopeId) {
        let meeting = self.up_to_instance(scope).last().and_then(|instance| self.meeting.get(&instance).copied());
        let Some(arrival) = meeting.filter(|arrival| self.end[arrival.index()] == Some(End::Ok)) else { return };
        let goes_on = self.plan.successors.of(arrival).iter().find(|edge| edge.kind == EdgeKind::Ok);
        let waits = goes_on.is_some_and(|edge| self.phase_of(edge.other) == Phase::Waiting);
        let around: Vec<ScopeId> = self.brought_by(arrival).collect();
        if waits && around.iter().all(|scope| !self.scopes[scope.index()].progress.busy) {
            around.into_iter().for_each(|scope| self.lend(scope));
        }
    }

    /// It goes on, and tells how far it is.
    pub(super) fn resumed(&mut self, vertex: VertexId, out: &mut Vec<Action>) {
        self.finish(vertex, End::Ok);
        for scope in self.brought_by(vertex).collect::<Vec<_>>() {
            self.tell_progress(scope, out);
        }
    }

    /// The scopes from a place at a barrier up to its instance: what they claim is shares of `jobs` alone.
    fn brought_by(&self, vertex: VertexId) -> impl Iterator<Item = ScopeId> + '_ {
        self.up_to_instance(self.plan.owner[vertex.index()])
    }

    fn up_to_instance(&self, scope: ScopeId) -> impl Iterator<Item = ScopeId> + '_ {
        let mut at = Some(scope);
        std::iter::from_fn(move || {
            let scope = at?;
            let instance = self.plan.scope(scope).instance().is_some();
            at = self.plan.scope(scope).parent.filter(|_| !instance);
            Some(scope)
        })
    }

    /// Whether who does not come to a barrier may come there in another attempt: then the others wait for that.
    pub(super) fn may_still_arrive(&self, vertex: VertexId) -> bool {
        self.plan.vertices[vertex.index()] == Vertex::Arrive
            && self.brought_by(vertex).any(|scope| self.may_come_again(scope))
    }

    /// A scope will not be tried again: those in it that stayed away from a barrier leave it.
    pub(super) fn say_arrivals(&mut self, scope: ScopeId) {
        let plan = self.plan.clone();
        let range = &plan.scope(scope).vertices;
        let away = |vertex: &&VertexId| range.contains(&vertex.0) && plan.vertices[vertex.index()] == Vertex::Arrive;
        let mut away: Vec<VertexId> = self.unsaid.iter().filter(away).copied().collect();
        away.sort_unstable();
        for vertex in away.into_iter().filter(|vertex| !self.may_still_arrive(*vertex)).collect::<Vec<_>>() {
            self.unsaid.remove(&vertex);
            let gates = plan.successors.of(vertex).iter().filter(|edge| edge.kind == EdgeKind::Settled);
            gates.for_each(|edge| self.met(edge.other));
        }
    }

    /// An arrival begins anew: who has not gone on without it waits for it again.
    pub(super) fn arrives_again(&mut self, vertex: VertexId) {
        let plan = self.plan.clone();
        for edge in plan.successors.of(vertex).iter().filter(|edge| edge.kind == EdgeKind::Settled) {
            if self.end[edge.other.index()].is_none() {
                self.pending[edge.other.index()] += 1;
            }
        }
    }

    /// Whether one of those before a gate begins anew when its scope does.
    pub(super) fn gate_begins_anew(&self, vertex: VertexId) -> bool {
        let gate = matches!(self.plan.vertices[vertex.index()], Vertex::Barrier(_));
        let stays = |before: VertexId| match (self.plan.scope_of(before), self.plan.instance_around(before)) {
            (None, Some(instance)) => self.satisfies(self.plan.scope(self.plan.instance(instance).scope).exit),
            _ => self.satisfies(before),
        };
        gate && self.plan.predecessors.of(vertex).iter().any(|edge| !stays(edge.other))
    }
}
