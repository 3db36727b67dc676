//! Gates: places where several arrive before anyone goes on. A gate is judged when all before it have ended, and
//! stays shut where too few of them succeeded: then who waits behind it is skipped, and its scope fails.

use crate::plan::graph::{EdgeKind, Vertex};
use crate::plan::ids::{GateId, VertexId};
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

    /// Whether one of those before a gate begins anew when its scope does.
    pub(super) fn gate_begins_anew(&self, vertex: VertexId) -> bool {
        let gate = matches!(self.plan.vertices[vertex.index()], Vertex::Barrier(_));
        gate && self.plan.predecessors.of(vertex).iter().any(|edge| !self.satisfies(edge.other))
    }
}
