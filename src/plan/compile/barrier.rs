//! Barriers: where the instances of a batch wait for each other. What a batch is is not known here.
//!
//! Each instance has a place where it arrives and one where it goes on; between them is one gate for all:
//!
//! ```text
//! step ─Ok─► arrive ─Settled─► gate ─Ok─► resume ─Ok─► step      (the same for each other instance, by way of
//!               └─────────────────Ok─────────▲                    the same gate)
//! ```
//!
//! An instance that ends early, or never begins, settles its arrival by that, and so leaves the barrier.

use std::time::Duration;

use crate::base::source::Span;
use crate::plan::compile::Builder;
use crate::plan::compile::frames::Frame;
use crate::plan::graph::{EdgeKind, Gate, Vertex};
use crate::plan::ids::{GateId, ScopeId, VertexId};
use crate::plan::layout::Laid;

/// Where one instance arrives at a barrier, and where it goes on.
pub(super) struct Stop {
    barrier: Span,
    arrive: VertexId,
    resume: VertexId,
}

impl Builder<'_, '_> {
    /// The place of one instance at a barrier; the gate comes when its batch is laid out.
    pub(super) fn barrier(&mut self, frame: &mut Frame<'_>, barrier: Span) -> Laid<()> {
        let arrive = self.layout.vertex(Vertex::Arrive, frame.scope, 0, barrier)?;
        let resume = self.layout.vertex(Vertex::Resume, frame.scope, 0, barrier)?;
        self.layout.edge(frame.tail, arrive, EdgeKind::Ok);
        self.layout.edge(arrive, resume, EdgeKind::Ok);
        frame.tail = resume;
        let instance = frame.instance.map(|instance| self.layout.instances[instance.index()].scope);
        // Without a set there is nobody to wait for; the check of the file has refused that.
        if let Some(set) = instance.and_then(|scope| self.layout.scopes[scope.index()].parent) {
            self.stops.entry(set).or_default().push(Stop { barrier, arrive, resume });
        }
        Ok(())
    }

    /// The instances of a batch are laid out: one gate for each barrier of theirs, in the order of the file.
    pub(super) fn join(&mut self, set: ScopeId) -> Laid<()> {
        let mut stops = self.stops.remove(&set).unwrap_or_default();
        stops.sort_by_key(|stop| stop.barrier);
        for together in stops.chunk_by(|one, other| one.barrier == other.barrier) {
            let id = GateId(self.layout.gates.len() as u32);
            let gate = self.layout.vertex(Vertex::Barrier(id), set, 0, together[0].barrier)?;
            self.layout.gates.push(Gate { need: 0, pause: Duration::ZERO });
            for stop in together {
                self.layout.edge(stop.arrive, gate, EdgeKind::Settled);
                self.layout.edge(gate, stop.resume, EdgeKind::Ok);
            }
        }
        Ok(())
    }
}
