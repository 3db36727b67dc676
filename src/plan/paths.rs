//! How far each vertex is from the end: what is longest goes first where there is not room for all (Hu 1961, and
//! Graham's list scheduling with the critical path as its order). Counted in commands, until it is known from
//! earlier runs how long they take. Knows no clock.

use std::time::Duration;

use crate::plan::graph::{EdgeKind, Plan, Vertex};
use crate::plan::ids::{LeafId, VertexId};

impl Plan {
    /// Orders what is ready by these durations of commands, in milliseconds at least; one of which nothing is known
    /// counts as much as the middle one of the others.
    #[must_use]
    pub fn learn(mut self, known: impl Fn(&Plan, LeafId) -> Option<Duration>) -> Self {
        let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1);
        let leaves = (0..self.leaves.len() as u32).map(LeafId);
        let found: Vec<Option<u32>> = leaves.map(|leaf| known(&self, leaf).map(millis)).collect();
        let mut all: Vec<u32> = found.iter().copied().flatten().collect();
        if all.is_empty() {
            return self;
        }
        let middle = all.len() / 2;
        let usual = *all.select_nth_unstable(middle).1;
        let weights: Vec<u32> = found.into_iter().map(|known| known.unwrap_or(usual)).collect();
        self.path = self.longest_paths(&weights);
        self.with_ways_in_order()
    }

    /// For each vertex, the most that the leaves on any way from it to the end weigh together, itself included
    /// (Kahn's algorithm from the end). Demands wake, and are not waited for.
    pub(super) fn longest_paths(&self, weights: &[u32]) -> Vec<u32> {
        let count = self.vertices.len();
        let waits = |kind: EdgeKind| kind != EdgeKind::Demand;
        let mut path = vec![0u32; count];
        let mut open: Vec<u32> = (0..count as u32)
            .map(|at| self.successors.of(VertexId(at)).iter().filter(|edge| waits(edge.kind)).count() as u32)
            .collect();
        let mut ready: Vec<VertexId> = (0..count as u32).map(VertexId).filter(|at| open[at.index()] == 0).collect();
        while let Some(vertex) = ready.pop() {
            let own = match self.vertices[vertex.index()] {
                Vertex::Leaf(leaf) => weights[leaf.index()],
                _ => 0,
            };
            let length = path[vertex.index()].saturating_add(own);
            path[vertex.index()] = length;
            for edge in self.predecessors.of(vertex).iter().filter(|edge| waits(edge.kind)) {
                let before = edge.other.index();
                path[before] = path[before].max(length);
                open[before] -= 1;
                if open[before] == 0 {
                    ready.push(edge.other);
                }
            }
        }
        path
    }
}
