//! Scopes of which one child decides (`any`, `race`): in which order they are tried, and which of them a vertex lies in.

use std::ops::Range;

use crate::plan::graph::{Completion, Plan};
use crate::plan::ids::{ScopeId, VertexId};

impl Plan {
    /// The ways of each `any` get their turns in the order in which they are written, whatever their priorities and
    /// however long they are.
    pub(super) fn with_ways_in_order(mut self) -> Self {
        for at in (0..self.scopes.len() as u32).map(ScopeId) {
            if self.scope(at).completion != Completion::FirstOk {
                continue;
            }
            let heads: Vec<VertexId> = self.children(at).collect();
            let longest = heads.iter().map(|head| self.path[head.index()]).max().unwrap_or(0);
            let own = self.priority.get(self.scope(at).enter.index()).copied().unwrap_or(0);
            for head in heads {
                self.path[head.index()] = longest;
                if let Some(priority) = self.priority.get_mut(head.index()) {
                    *priority = own;
                }
            }
        }
        self
    }

    /// The scopes of which one child decides that a vertex lies in, from the inside out and below `until`; each with
    /// the vertices of the child that it is part of.
    pub fn choices(&self, vertex: VertexId, until: ScopeId) -> impl Iterator<Item = (ScopeId, Range<u32>)> + '_ {
        let first = match self.scope_of(vertex) {
            Some(scope) => (self.scope(scope).parent, self.scope(scope).vertices.clone()),
            None => (Some(self.owner[vertex.index()]), vertex.0..vertex.0 + 1),
        };
        let next = move |(around, _): &(Option<ScopeId>, Range<u32>)| {
            let scope = around.filter(|scope| *scope != until)?;
            Some((self.scope(scope).parent, self.scope(scope).vertices.clone()))
        };
        std::iter::successors(Some(first), next).filter_map(|(around, child)| {
            let scope = around.filter(|scope| self.scope(*scope).completion != Completion::All)?;
            Some((scope, child))
        })
    }
}
