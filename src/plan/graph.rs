//! The frozen plan: what the scheduler reads and never changes.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::base::event::{Site, StepLabel, TaskLabel};
use crate::base::source::Span;
use crate::plan::defs::{Command, Defs};
use crate::plan::ids::{CommandId, InstanceId, LeafId, LimitId, ScopeId, TaskDefId, TemplateId, VertexId};
use crate::plan::values::{FileValues, Inputs};
use crate::xecfile::model::{Condition, OnError, Retry, Share};

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
    /// All of a batch have arrived.
    Barrier,
    /// Grows its template between its scope's entry and exit.
    Expand(TemplateId),
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
    /// Met when it started.
    Stream,
    /// Met when it is ready (a service).
    Ready,
    /// Not waited for: it wakes what is dormant, and is the interest that keeps it alive.
    Demand,
}

/// One edge, seen from one of its ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edge {
    /// The vertex at the other end.
    pub other: VertexId,
    /// Why.
    pub kind: EdgeKind,
}

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

/// When a scope has what it wants.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Completion {
    /// When all of its children have ended.
    #[default]
    All,
    /// At the first success; with the last failure if there is none.
    FirstOk,
    /// At the first end, whichever it is.
    First,
}

/// What a scope is to a user.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ScopeKind {
    /// The run.
    Run,
    /// An instance of a task.
    Instance(InstanceId),
    /// A group, or a step with policies of its own.
    Group,
    /// One of several ways (`any`): it holds the turn, and comes to what the one thing in it comes to.
    Branch,
}

/// A scope: who owns what, and by which rules. Everything in it lies in `vertices`.
#[derive(Clone, Debug)]
pub struct Scope {
    /// What it is in; `None` for the run.
    pub parent: Option<ScopeId>,
    /// What it is to a user.
    pub kind: ScopeKind,
    /// Whether it is needed or requested (once for the run, and kept alive by demand) instead of standing in place.
    pub shared: bool,
    /// When it has what it wants.
    pub completion: Completion,
    /// Its vertices, from its gate or entry to its exit.
    pub vertices: Range<u32>,
    /// Where its place in the run is reached, if it waits for others from there on.
    pub gate: Option<VertexId>,
    /// Where its body begins.
    pub enter: VertexId,
    /// Where it ends.
    pub exit: VertexId,
    /// Whether it has to run at all.
    pub guard: Guard,
    /// Its children run side by side: tried again, only those that failed are.
    pub side_by_side: bool,
    /// How many direct children it has.
    pub children: u32,
    /// How many of them must succeed.
    pub require: Share,
    /// How often it is tried again.
    pub retry: Option<Retry>,
    /// The nearest scope around it that may be tried again.
    pub retried_parent: Option<ScopeId>,
    /// What follows it: after a success, after a failure, after all.
    pub hooks: [Option<ScopeId>; 3],
    /// It is such a hook: its place is reached when the scope around it says so.
    pub is_hook: bool,
    /// What a failure in it does to the rest of it.
    pub on_error: OnError,
    /// Whether its failure is none to those around it.
    pub optional: bool,
    /// The longest one attempt may take, from its first process on.
    pub timeout: Option<Duration>,
    /// The nearest scope around it that has a timeout.
    pub timed_parent: Option<ScopeId>,
    /// What it holds from its entry to its exit.
    pub claim: Claim,
    /// The limit that each of its direct children takes one of.
    pub child_token: Option<LimitId>,
    /// Where it is written.
    pub site: Span,
}

/// Whether a scope has to run at all.
#[derive(Clone, Debug, Default)]
pub enum Guard {
    /// It has.
    #[default]
    Always,
    /// It has not: that is known already.
    Never,
    /// That is asked just before its body.
    Ask(Arc<[Condition]>),
}

/// What is taken in one move, each limit once.
pub type Claim = Box<[(LimitId, u32)]>;

/// A leaf: a command in a scope.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    /// The scope it is a direct child of.
    pub scope: ScopeId,
    /// The instance it belongs to.
    pub instance: InstanceId,
    /// Its vertex.
    pub vertex: VertexId,
    /// What it does.
    pub command: CommandId,
    /// From the first signal to SIGKILL.
    pub grace: Duration,
    /// It does nothing, for so long.
    pub wait: Option<Duration>,
}

/// A task's instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its scope.
    pub scope: ScopeId,
    /// The task.
    pub def: TaskDefId,
    /// How it is shown.
    pub label: Arc<TaskLabel>,
    /// What it was given.
    pub inputs: Inputs,
    /// Who called it, in whose scope late inputs are made.
    pub caller: Option<InstanceId>,
    /// What it has from others.
    pub takes: Vec<TakeFrom>,
}

/// A value that an instance has from others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TakeFrom {
    /// What it is called here.
    pub here: Arc<str>,
    /// What it is called there.
    pub name: Arc<str>,
    /// From whom, in the order of their matrix.
    pub from: Vec<InstanceId>,
    /// Whether it is a list, however many there are.
    pub list: bool,
}

/// How two instances are tied, for those who look at a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// Who names the other; `None` is the request.
    pub from: Option<InstanceId>,
    /// Who is named.
    pub to: InstanceId,
    /// How.
    pub kind: LinkKind,
}

/// The ways one instance names another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkKind {
    /// It was asked for.
    Requested,
    /// `needs`.
    Needs,
    /// `after`.
    After,
    /// `call`.
    Calls,
}

/// The order in which what is ready gets its turn: by priority, then the longest way to the end, then as written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rank {
    /// Higher first.
    pub priority: std::cmp::Reverse<i32>,
    /// Longer first, in leaves.
    pub path: std::cmp::Reverse<u32>,
    /// Lower first.
    pub order: u32,
}

/// A run, wholly known before it begins, but for what `Expand` grows.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What each vertex is.
    pub vertices: Vec<Vertex>,
    /// The scope each vertex is a direct child of. Entries and exits belong to the scope *around* theirs.
    pub owner: Vec<ScopeId>,
    /// The longest way from each vertex to the end, in leaves.
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
    /// How many there are of each limit; `None` is without end. The first one is the `-j` slots.
    pub limits: Vec<Option<u32>>,
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

    /// A leaf.
    pub fn leaf(&self, id: LeafId) -> &Leaf {
        &self.leaves[id.index()]
    }

    /// What a leaf does.
    pub fn command(&self, id: LeafId) -> &Command {
        &self.defs.commands[self.leaf(id).command.index()]
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
        self.children(scope).filter_map(|child| self.scope_of(child)).find_map(|inner| match self.scope(inner).kind {
            ScopeKind::Instance(instance) => Some(instance),
            _ => None,
        })
    }

    /// The instance that a vertex belongs to, if it is not the run's own.
    pub fn instance_around(&self, vertex: VertexId) -> Option<InstanceId> {
        let mut scope = self.scope_of(vertex).or(Some(self.owner[vertex.index()]));
        while let Some(id) = scope {
            match self.scope(id).kind {
                ScopeKind::Instance(instance) => return Some(instance),
                _ => scope = self.scope(id).parent,
            }
        }
        None
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
                && let ScopeKind::Instance(instance) = self.scope(scope).kind
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

    /// A scope and all around it, from the inside out.
    pub fn around(&self, scope: ScopeId) -> impl Iterator<Item = &Scope> + '_ {
        let parent = |scope: &&Scope| scope.parent.map(|parent| self.scope(parent));
        std::iter::successors(Some(self.scope(scope)), parent)
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
