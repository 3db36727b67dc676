//! The frozen plan: what the scheduler reads and never changes.

mod csr;
mod feed;
mod gate;
mod host;
mod instance;
mod limit;
mod scope;
mod walk;

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::event::{Site, SkipReason, StepLabel};
use crate::plan::defs::{Command, Defs, TaskDef};
use crate::plan::ids::{FeedId, GateId, HostId, InstanceId, LeafId, LimitId, ScopeId, VertexId};
use crate::plan::values::FileValues;
use crate::xecfile::model::Host;

pub use csr::Csr;
pub use feed::{Feed, FeedWay};
pub use gate::{Gate, Over, Set};
pub use host::{Pool, Target};
pub use instance::{Instance, Leaf, Link, LinkKind, TakeFrom};
pub use limit::{Adapts, Limit, LimitKind};
pub use scope::{Claim, Completion, Guard, Memory, Scope, ScopeKind};

/// What a vertex stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vertex {
    /// A scope begins: its limits are taken here.
    Enter(ScopeId),
    /// A scope has ended, hooks and all: dependants hang on this one.
    Exit(ScopeId),
    /// Something is done.
    Leaf(LeafId),
    /// The place of a scope in the run is reached: what it needs is demanded now. The run's own scope has one
    /// for each requested task.
    Gate(ScopeId),
    /// A requested task has ended.
    Await,
    /// An instance has come to a barrier.
    Arrive,
    /// All of a batch have arrived.
    Barrier(GateId),
    /// An instance goes on behind a barrier, once there is room for it again.
    Resume,
    /// All that the lanes of a scope shall work on has been handed out, and has ended.
    Feed(FeedId),
}

/// Why one vertex waits for another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EdgeKind {
    /// Met when it succeeded; else the one that waits is skipped.
    Ok,
    /// Met when it ended, however.
    Settled,
    /// Met when it ended, however, or is not in play.
    Order,
    /// As `Ok`, and a value travels along.
    Data,
    /// Met when it started; what follows is fed by it.
    Stream,
    /// Met when it is ready (a service).
    Ready,
    /// Not waited for: it wakes what is dormant, and is the interest that keeps it alive.
    Demand,
    /// Not waited for: the way from a feed through its lanes, for those who look how long it is.
    Fed,
}

impl EdgeKind {
    /// Whether one end is waited for from the start, whoever is in play.
    pub fn is_waited_for(self) -> bool {
        !matches!(self, EdgeKind::Order | EdgeKind::Demand | EdgeKind::Fed)
    }
}

/// One edge, seen from one of its ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edge {
    /// The vertex at the other end.
    pub other: VertexId,
    /// Why.
    pub kind: EdgeKind,
}

/// The order in which what is ready gets its turn: by priority, then the longest way to the end, then as written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rank {
    /// Higher first.
    pub priority: std::cmp::Reverse<i32>,
    /// Longer first.
    pub path: std::cmp::Reverse<u32>,
    /// Lower first.
    pub order: u32,
}

/// A run, wholly known before it begins, but for how many items its feeds will have.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What each vertex is.
    pub vertices: Vec<Vertex>,
    /// The scope each vertex is a direct child of. Entries and exits belong to the scope *around* theirs.
    pub owner: Vec<ScopeId>,
    /// The longest way from each vertex to the end: in commands, or in milliseconds where it is known what they take.
    pub path: Vec<u32>,
    /// Who waits for each vertex.
    pub successors: Csr,
    /// For whom each vertex waits.
    pub predecessors: Csr,
    /// The scope tree; a parent comes before its children.
    pub scopes: Vec<Scope>,
    /// The leaves.
    pub leaves: Vec<Leaf>,
    /// The instances, in the order they were found.
    pub instances: Vec<Instance>,
    /// What was asked for, each with the vertex that ends as it did.
    pub requested: Vec<(Arc<str>, VertexId)>,
    /// The priority of each vertex; empty where none is set.
    pub priority: Vec<i32>,
    /// What there is only so much of: the `-j` slots, the limits of the file in their order, the `jobs` of scopes.
    pub limits: Vec<Limit>,
    /// Where several arrive before anyone goes on.
    pub gates: Vec<Gate>,
    /// The sets of matrices.
    pub sets: Vec<Set>,
    /// What lanes are fed with.
    pub feeds: Vec<Feed>,
    /// The hosts of the run, whether anything runs on them or not.
    pub hosts: Arc<[Host]>,
    /// Where the limits of the hosts begin, which are in the same order.
    pub host_limits: u32,
    /// Hosts of which one is picked.
    pub pools: Vec<Pool>,
    /// Where the parts of a leaf run that are not all where its scope is: the two ends of a copy.
    pub parts: HashMap<LeafId, Box<[Target]>>,
    /// What need not run of what comes late, and why.
    pub spared: HashMap<Arc<str>, SkipReason>,
    /// How instances are tied.
    pub links: Vec<Link>,
    /// Tasks and commands, lowered once.
    pub defs: Arc<Defs>,
    /// What each file says, as far as it is known.
    pub files: Vec<FileValues>,
}

impl Plan {
    /// A scope.
    pub fn scope(&self, id: ScopeId) -> &Scope {
        &self.scopes[id.index()]
    }

    /// A host.
    pub fn host(&self, id: HostId) -> &Host {
        &self.hosts[id.index()]
    }

    /// What steps on a host take of it.
    pub fn host_limit(&self, id: HostId) -> LimitId {
        LimitId(self.host_limits + id.0)
    }

    /// Where the parts of a leaf run that are not all where its scope is; else empty.
    pub fn parts_of(&self, id: LeafId) -> &[Target] {
        self.parts.get(&id).map_or(&[], |parts| parts)
    }

    /// All places that a leaf needs, its own first, each once.
    pub fn targets_of(&self, id: LeafId) -> Vec<Target> {
        let mut targets = vec![self.scope(self.leaf(id).scope).target];
        for part in self.parts_of(id) {
            if !targets.contains(part) {
                targets.push(*part);
            }
        }
        targets
    }

    /// A leaf.
    pub fn leaf(&self, id: LeafId) -> &Leaf {
        &self.leaves[id.index()]
    }

    /// What a leaf does.
    pub fn command(&self, id: LeafId) -> &Command {
        &self.defs.commands[self.leaf(id).command.index()]
    }

    /// What lanes are fed with.
    pub fn feed(&self, id: FeedId) -> &Feed {
        &self.feeds[id.index()]
    }

    /// What the file says of the task of an instance.
    pub fn task_of(&self, id: InstanceId) -> &TaskDef {
        &self.defs.tasks[self.instance(id).def.index()]
    }

    /// An instance.
    pub fn instance(&self, id: InstanceId) -> &Instance {
        &self.instances[id.index()]
    }

    /// When a vertex gets its turn among those that are ready.
    pub fn rank(&self, vertex: VertexId) -> Rank {
        Rank {
            priority: std::cmp::Reverse(self.priority.get(vertex.index()).copied().unwrap_or(0)),
            path: std::cmp::Reverse(self.path[vertex.index()]),
            order: vertex.0,
        }
    }

    /// The scope a vertex opens or closes, gates of requests aside.
    pub fn scope_of(&self, vertex: VertexId) -> Option<ScopeId> {
        match self.vertices[vertex.index()] {
            Vertex::Gate(scope) if scope == ScopeId::RUN => None,
            Vertex::Gate(scope) | Vertex::Enter(scope) | Vertex::Exit(scope) => Some(scope),
            _ => None,
        }
    }

    /// How a leaf is shown.
    pub fn step_label(&self, id: LeafId) -> StepLabel {
        let leaf = self.leaf(id);
        let command = self.command(id);
        StepLabel {
            owner: self.instance(leaf.instance).label.clone(),
            text: command.text.clone(),
            site: command.site.clone(),
            optional: self.around(leaf.scope).any(|scope| scope.optional),
        }
    }

    /// Where a scope is written, for people.
    pub fn site(&self, id: ScopeId) -> Site {
        self.defs.site(self.scope(id).site)
    }
}
