//! Neighbours of vertices, as compressed sparse rows. Knows no scopes.

use std::ops::Range;

use crate::plan::graph::Edge;
use crate::plan::graph::EdgeKind;
use crate::plan::ids::VertexId;

/// Neighbours of all vertices in one array (compressed sparse rows).
#[derive(Clone, Debug, Default)]
pub struct Csr {
    starts: Vec<u32>,
    edges: Vec<Edge>,
}

impl Csr {
    /// Sorts `(vertex, edge)` pairs into rows, keeping the order within a row.
    pub fn new(vertices: usize, pairs: &[(VertexId, Edge)]) -> Self {
        let mut starts = vec![0u32; vertices + 1];
        for (from, _) in pairs {
            starts[from.index() + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut edges = vec![Edge { other: VertexId(0), kind: EdgeKind::Ok }; pairs.len()];
        for (from, edge) in pairs {
            edges[next[from.index()] as usize] = *edge;
            next[from.index()] += 1;
        }
        Self { starts, edges }
    }

    /// The neighbours of one vertex.
    pub fn of(&self, vertex: VertexId) -> &[Edge] {
        &self.edges[self.range(vertex)]
    }

    /// Where they stand, for a loop that needs the rest of its owner meanwhile.
    pub fn range(&self, vertex: VertexId) -> Range<usize> {
        self.starts[vertex.index()] as usize..self.starts[vertex.index() + 1] as usize
    }

    /// One of them.
    pub fn at(&self, place: usize) -> Edge {
        self.edges[place]
    }
}
