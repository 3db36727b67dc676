//! Ways through a plan: into a scope, out of one, and in the order of a run. Changes nothing.

use crate::plan::graph::{Edge, EdgeKind, Plan, Scope, TakeFrom, Vertex};
use crate::plan::ids::{FeedId, InstanceId, LeafId, ScopeId, VertexId};

impl Plan {
    /// The direct children of a scope, each by the vertex where it is reached.
    pub fn children(&self, scope: ScopeId) -> impl Iterator<Item = VertexId> + '_ {
        let (mut at, end) = (self.scope(scope).enter.0 + 1, self.scope(scope).exit.0);
        std::iter::from_fn(move || {
            let vertex = VertexId(at);
            if at >= end {
                return None;
            }
            at = match self.scope_of(vertex) {
                Some(inner) if inner != scope => self.scope(inner).exit.0 + 1,
                _ => at + 1,
            };
            Some(vertex)
        })
    }

    /// The same by the vertex where each ends.
    pub fn children_ends(&self, scope: ScopeId) -> impl Iterator<Item = VertexId> + '_ {
        self.children(scope).map(|head| self.scope_of(head).map_or(head, |inner| self.scope(inner).exit))
    }

    /// An instance that lies directly in a scope, if there is one.
    pub fn instance_in(&self, scope: ScopeId) -> Option<InstanceId> {
        self.children(scope).filter_map(|child| self.scope_of(child)).find_map(|inner| self.scope(inner).instance())
    }

    /// The instance that a vertex belongs to, if it is not the run's own.
    pub fn instance_around(&self, vertex: VertexId) -> Option<InstanceId> {
        let scope = self.scope_of(vertex).unwrap_or(self.owner[vertex.index()]);
        self.around(scope).find_map(Scope::instance)
    }

    /// The feeds that a leaf writes to.
    pub fn fed_by(&self, leaf: LeafId) -> impl Iterator<Item = FeedId> + '_ {
        let feeds = self.feeds.iter().enumerate().filter(move |(_, feed)| feed.streams.contains(&leaf));
        feeds.map(|(at, _)| FeedId(at as u32))
    }

    /// The feed that a scope is a lane of.
    pub fn feed_of_lane(&self, scope: ScopeId) -> Option<FeedId> {
        let this = self.scope(scope);
        this.parent.filter(|_| this.is_lane).and_then(|set| self.scope(set).feed)
    }

    /// The nearest lane that a scope is or lies in, and its feed.
    pub fn lane_around(&self, scope: ScopeId) -> Option<(ScopeId, FeedId)> {
        if self.feeds.is_empty() {
            return None;
        }
        self.outward(scope).find_map(|id| Some((id, self.feed_of_lane(id)?)))
    }

    /// Whether a leaf stands in a lane beside one that is just like it.
    pub fn is_spare(&self, leaf: LeafId) -> bool {
        let mut at = self.lane_around(self.leaf(leaf).scope);
        while let Some((lane, feed)) = at {
            if self.feed(feed).lanes.first() != Some(&lane) {
                return true;
            }
            at = self.scope(lane).parent.and_then(|set| self.lane_around(set));
        }
        false
    }

    /// Whose values a scope sees: those of the instance around it, or of the one that stands for the set around it.
    pub fn instance_for(&self, scope: ScopeId) -> Option<InstanceId> {
        self.around(scope).find_map(|scope| scope.instance().or(scope.stand_in))
    }

    /// The instance that begins with a scope: its own, or what stands in for a late set.
    pub fn instance_of(&self, scope: ScopeId) -> Option<InstanceId> {
        let this = self.scope(scope);
        let set = || Some(self.feed(this.feed?).instance).filter(|set| self.instance(*set).scope == scope);
        this.instance().or_else(set)
    }

    /// Whether what an instance takes comes only while it runs.
    pub fn is_streamed(&self, id: InstanceId, take: &TakeFrom) -> bool {
        let feed = self.scope(self.instance(id).scope).feed.map(|feed| self.feed(feed));
        feed.is_some_and(|feed| !feed.streams.is_empty() && feed.list.value.bare_hole() == Some(&take.here))
    }

    /// A scope and all around it, from the inside out.
    pub fn around(&self, scope: ScopeId) -> impl Iterator<Item = &Scope> + '_ {
        self.outward(scope).map(|id| self.scope(id))
    }

    /// The same, by their ids.
    pub fn outward(&self, scope: ScopeId) -> impl Iterator<Item = ScopeId> + '_ {
        std::iter::successors(Some(scope), |id| self.scope(*id).parent)
    }

    /// The instances in the order in which they would begin if one thing were done at a time: by what waits for
    /// what, then as found (Kahn's algorithm, with a heap for the ties).
    pub fn order(&self) -> Vec<InstanceId> {
        let waits = |edge: &&Edge| edge.kind != EdgeKind::Demand;
        let mut pending: Vec<usize> = (0..self.vertices.len() as u32)
            .map(|at| self.predecessors.of(VertexId(at)).iter().filter(waits).count())
            .collect();
        let free = |at: &u32| pending[*at as usize] == 0;
        let mut open: std::collections::BinaryHeap<_> =
            (0..self.vertices.len() as u32).filter(free).map(std::cmp::Reverse).collect();
        let mut order = Vec::with_capacity(self.instances.len());
        while let Some(std::cmp::Reverse(at)) = open.pop() {
            if let Vertex::Enter(scope) = self.vertices[at as usize]
                && let Some(instance) = self.scope(scope).instance()
                && !self.instance(instance).hidden
            {
                order.push(instance);
            }
            for edge in self.successors.of(VertexId(at)).iter().filter(waits) {
                pending[edge.other.index()] -= 1;
                if pending[edge.other.index()] == 0 {
                    open.push(std::cmp::Reverse(edge.other.0));
                }
            }
        }
        order
    }
}
