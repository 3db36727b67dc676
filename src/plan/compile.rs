//! From lowered tasks to instances, scopes and edges, then frozen.
//!
//! What a task's instance becomes, with `needs x` and two steps:
//!
//! ```text
//!            Demand ╌╌╌► (gate or entry of x)        x: shared, dormant until someone demands it
//!   gate ────┤                    x.exit ──Ok──┐
//!            └────Ok──────────────────────► enter ─Ok─► step 1 ─Ok─► step 2 ─Settled─► exit
//! ```
//!
//! A group is the same without a gate; in `parallel` every child hangs between entry and exit. The run is a
//! scope too: each requested task is a pair of gates, one to demand it and one to wait for it, in a row or
//! (with `-p`) side by side. Instances are found by a loop over open frames: calls nest as deep as the file
//! says, and nothing here recurses.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use petgraph::graph::{DiGraph, NodeIndex};

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::Span;
use crate::plan::cycle;
use crate::plan::defs::{Defs, Node, NodeKind, Policy};
use crate::plan::graph::{
    Claim, Completion, Csr, Edge, EdgeKind, Instance, Leaf, Link, LinkKind, Plan, Scope, ScopeKind, Vertex,
};
use crate::plan::ids::{CommandId, InstanceId, LeafId, LimitId, ScopeId, TaskDefId, VertexId};
use crate::plan::select::Names;
use crate::xecfile::model::{OnError, Xecfile};

/// The most vertices that a plan may have.
pub const MAX_VERTICES: usize = 1_000_000;

/// What a run is asked to do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Request {
    /// The tasks, in the order asked for.
    pub tasks: Vec<String>,
    /// Side by side instead of in that order.
    pub parallel: bool,
    /// What a failure does where the file does not say.
    pub on_error: OnError,
    /// The `-j` slots; `None` is no limit.
    pub slots: Option<u32>,
    /// The CPUs that widths count by.
    pub cpus: u32,
}

/// Makes the plan of a request.
///
/// # Errors
/// All problems that can be known before anything runs: unknown tasks, cycles, a plan that is too large.
pub fn compile(file: &Xecfile, request: &Request) -> Result<Plan, Vec<Problem>> {
    let names = Names::new(file);
    let requested = names.request(&request.tasks)?;
    let (reached, mentions) = names.reach(&requested);
    let cycles = cycle::check(file, &mentions);
    if !cycles.is_empty() {
        return Err(cycles);
    }
    let defs = Defs::lower(file, &names, &reached, request.on_error);
    let on_error = file.defaults.on_error.map_or(request.on_error, |mode| mode.value);
    // `reach` lists what was asked for first and in order, so these are the first ids.
    let roots: Vec<TaskDefId> = (0..requested.len() as u32).map(TaskDefId).collect();
    let mut builder = Builder::new(defs, request);
    builder.build(&roots, on_error, request.parallel).map_err(|problem| vec![*problem])?;
    Ok(builder.freeze())
}

/// All that is wrong with the tasks of a file and no single request may show: every cycle, and the plan of all.
pub fn check(file: &Xecfile, request: &Request) -> Vec<Problem> {
    let tasks: Vec<String> = file.tasks.iter().map(|task| task.name.value.to_string()).collect();
    compile(file, &Request { tasks, parallel: true, ..request.clone() }).err().unwrap_or_default()
}

/// How the children of an open scope hang together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    InTurn,
    SideBySide,
}

/// A scope whose steps are being laid out.
struct Frame<'d> {
    scope: ScopeId,
    instance: InstanceId,
    steps: std::slice::Iter<'d, Node>,
    order: Order,
    /// What the next child waits for.
    tail: VertexId,
    /// Children side by side that have ended, for the exit to wait for.
    loose: Vec<VertexId>,
}

impl<'d> Frame<'d> {
    fn new(scope: ScopeId, instance: InstanceId, steps: &'d [Node], order: Order, tail: VertexId) -> Self {
        Self { scope, instance, steps: steps.iter(), order, tail, loose: Vec::new() }
    }
}

struct Builder {
    defs: Arc<Defs>,
    cpus: u32,
    vertices: Vec<Vertex>,
    owner: Vec<ScopeId>,
    edges: Vec<(VertexId, VertexId, EdgeKind)>,
    scopes: Vec<Scope>,
    leaves: Vec<Leaf>,
    instances: Vec<Instance>,
    requested: Vec<(InstanceId, VertexId)>,
    limits: Vec<Option<u32>>,
    links: Vec<Link>,
    /// The one instance of each task that is needed or requested, once it is laid out.
    shared: HashMap<TaskDefId, InstanceId>,
    /// Those that are demanded, in the order they were found, laid out or not.
    found: Vec<TaskDefId>,
    seen: HashSet<TaskDefId>,
    /// Gate or entry, task: edges to draw when all shared instances stand.
    demands: Vec<(VertexId, Option<VertexId>, Option<InstanceId>, TaskDefId, LinkKind)>,
}

type Built<T> = Result<T, Box<Problem>>;

impl Builder {
    fn new(defs: Defs, request: &Request) -> Self {
        Self {
            defs: Arc::new(defs),
            cpus: request.cpus,
            vertices: Vec::new(),
            owner: Vec::new(),
            edges: Vec::new(),
            scopes: Vec::new(),
            leaves: Vec::new(),
            instances: Vec::new(),
            requested: Vec::new(),
            limits: vec![request.slots],
            links: Vec::new(),
            shared: HashMap::new(),
            found: Vec::new(),
            seen: HashSet::new(),
            demands: Vec::new(),
        }
    }

    fn build(&mut self, roots: &[TaskDefId], on_error: OnError, parallel: bool) -> Built<()> {
        let policy = Policy { on_error, ..Policy::default() };
        let run = self.open_scope(None, ScopeKind::Run, policy, false, Span::default())?;
        let waits = self.requests(run, roots, on_error, parallel)?;
        let mut next = 0;
        while let Some(task) = self.found.get(next).copied() {
            next += 1;
            let instance = self.instance(run, task, true)?;
            self.shared.insert(task, instance);
        }
        self.draw_demands();
        self.draw_after();
        self.requested = roots.iter().zip(&waits).map(|(task, wait)| (self.shared[task], *wait)).collect();
        let exit = self.vertex(Vertex::Exit(run), run, Span::default())?;
        // The run has ended when all that was asked for has, and every shared instance, wanted or not.
        let shared: Vec<VertexId> = self.scopes.iter().filter(|scope| scope.shared).map(|scope| scope.exit).collect();
        for vertex in waits.into_iter().chain(shared) {
            self.edge(vertex, exit, EdgeKind::Settled);
        }
        self.close_scope(run, exit);
        Ok(())
    }

    /// A pair of gates for each requested task: reached, and done.
    fn requests(
        &mut self,
        run: ScopeId,
        roots: &[TaskDefId],
        on_error: OnError,
        parallel: bool,
    ) -> Built<Vec<VertexId>> {
        let enter = self.scopes[run.index()].enter;
        let mut waits = Vec::new();
        let mut tail = enter;
        for root in roots {
            let reached = self.vertex(Vertex::Gate(run), run, Span::default())?;
            let done = self.vertex(Vertex::Await, run, Span::default())?;
            let in_turn = if on_error == OnError::Continue { EdgeKind::Settled } else { EdgeKind::Ok };
            self.edge(tail, reached, if tail == enter { EdgeKind::Ok } else { in_turn });
            self.edge(reached, done, EdgeKind::Ok);
            self.demand(reached, Some(done), None, *root, LinkKind::Requested);
            if !parallel {
                tail = done;
            }
            waits.push(done);
        }
        Ok(waits)
    }

    fn demand(
        &mut self,
        gate: VertexId,
        then: Option<VertexId>,
        from: Option<InstanceId>,
        task: TaskDefId,
        kind: LinkKind,
    ) {
        if self.seen.insert(task) {
            self.found.push(task);
        }
        self.demands.push((gate, then, from, task, kind));
    }

    /// Lays out one instance with all that stands in place inside it; says nothing of what it needs but a demand.
    fn instance(&mut self, parent: ScopeId, task: TaskDefId, shared: bool) -> Built<InstanceId> {
        let defs = self.defs.clone();
        let mut frames: Vec<Frame<'_>> = Vec::new();
        let first = self.open_instance(&defs, parent, task, shared)?;
        frames.push(first);
        let instance = frames[0].instance;
        while let Some(frame) = frames.last_mut() {
            let (scope, owner) = (frame.scope, frame.instance);
            let Some(node) = frame.steps.next() else {
                let mut ends = std::mem::take(&mut frame.loose);
                if ends.is_empty() {
                    ends.push(frame.tail);
                }
                frames.pop();
                self.close_frame(scope, &ends, frames.last_mut())?;
                continue;
            };
            let order = match &node.kind {
                NodeKind::Leaf(command) => {
                    let (head, tail) = self.leaf(scope, owner, *command, node)?;
                    self.hang(frame, head, tail);
                    continue;
                }
                NodeKind::Call(callee) if !node.policy.needs_scope() => {
                    let inner = self.open_call(&defs, scope, owner, *callee)?;
                    let head = self.head(inner.scope);
                    self.edge(frame.tail, head, EdgeKind::Ok);
                    frames.push(inner);
                    continue;
                }
                NodeKind::Call(callee) => {
                    let around = self.open_scope(Some(scope), ScopeKind::Group, node.policy, false, node.span)?;
                    let enter = self.scopes[around.index()].enter;
                    self.edge(frame.tail, enter, EdgeKind::Ok);
                    frames.push(Frame::new(around, owner, &[], Order::InTurn, enter));
                    let inner = self.open_call(&defs, around, owner, *callee)?;
                    let head = self.head(inner.scope);
                    self.edge(enter, head, EdgeKind::Ok);
                    frames.push(inner);
                    continue;
                }
                NodeKind::Sequence(_) => Order::InTurn,
                NodeKind::Parallel(_) => Order::SideBySide,
            };
            let (NodeKind::Sequence(steps) | NodeKind::Parallel(steps)) = &node.kind else { continue };
            let inner = self.open_scope(Some(scope), ScopeKind::Group, node.policy, false, node.span)?;
            let enter = self.scopes[inner.index()].enter;
            self.edge(frame.tail, enter, EdgeKind::Ok);
            frames.push(Frame::new(inner, owner, steps, order, enter));
        }
        Ok(instance)
    }

    /// A child that has both ends already, hung into its scope.
    fn hang(&mut self, frame: &mut Frame<'_>, head: VertexId, tail: VertexId) {
        self.edge(frame.tail, head, EdgeKind::Ok);
        Self::joined(frame, tail);
    }

    /// A child has got its end: the next one waits for it, or none does.
    fn joined(frame: &mut Frame<'_>, tail: VertexId) {
        match frame.order {
            Order::InTurn => frame.tail = tail,
            Order::SideBySide => frame.loose.push(tail),
        }
    }

    fn close_frame(&mut self, scope: ScopeId, ends: &[VertexId], outer: Option<&mut Frame<'_>>) -> Built<()> {
        let site = self.scopes[scope.index()].site;
        let around = self.scopes[scope.index()].parent.unwrap_or(ScopeId::RUN);
        let exit = self.vertex(Vertex::Exit(scope), around, site)?;
        ends.iter().for_each(|end| self.edge(*end, exit, EdgeKind::Settled));
        self.close_scope(scope, exit);
        if let Some(outer) = outer {
            Self::joined(outer, exit);
        }
        Ok(())
    }

    fn open_call<'d>(
        &mut self,
        defs: &'d Defs,
        scope: ScopeId,
        owner: InstanceId,
        callee: TaskDefId,
    ) -> Built<Frame<'d>> {
        let frame = self.open_instance(defs, scope, callee, false)?;
        self.links.push(Link { from: Some(owner), to: frame.instance, kind: LinkKind::Calls });
        Ok(frame)
    }

    fn open_instance<'d>(
        &mut self,
        defs: &'d Defs,
        parent: ScopeId,
        task: TaskDefId,
        shared: bool,
    ) -> Built<Frame<'d>> {
        let def = &defs.tasks[task.index()];
        let id = InstanceId(self.instances.len() as u32);
        let waits = !def.needs.is_empty() || !def.after.is_empty();
        // The scope is the next one to be opened.
        let next = ScopeId(self.scopes.len() as u32);
        let gate = if waits { Some(self.vertex(Vertex::Gate(next), parent, def.span)?) } else { None };
        let scope = self.open_scope(Some(parent), ScopeKind::Instance(id), def.policy, shared, def.span)?;
        let enter = self.scopes[scope.index()].enter;
        if let Some(gate) = gate {
            self.scopes[scope.index()].gate = Some(gate);
            self.scopes[scope.index()].vertices.start = gate.0;
            self.edge(gate, enter, EdgeKind::Ok);
            for need in &def.needs {
                self.demand(gate, Some(enter), Some(id), need.value, LinkKind::Needs);
            }
        }
        self.instances.push(Instance { scope, def: task, label: def.label.clone() });
        Ok(Frame::new(scope, id, &def.body, Order::InTurn, enter))
    }

    fn open_scope(
        &mut self,
        parent: Option<ScopeId>,
        kind: ScopeKind,
        policy: Policy,
        shared: bool,
        site: Span,
    ) -> Built<ScopeId> {
        let id = ScopeId(self.scopes.len() as u32);
        let enter = self.vertex(Vertex::Enter(id), parent.unwrap_or(ScopeId::RUN), site)?;
        let claim = self.token_of(parent.filter(|_| !shared), []);
        let child_token = policy.jobs.and_then(|width| width.resolve(self.cpus)).map(|count| {
            self.limits.push(Some(count));
            LimitId(self.limits.len() as u32 - 1)
        });
        let timed_parent = parent.filter(|_| !shared).and_then(|parent| {
            let around = &self.scopes[parent.index()];
            around.timeout.map(|_| parent).or(around.timed_parent)
        });
        self.scopes.push(Scope {
            parent,
            kind,
            shared,
            completion: Completion::All,
            vertices: enter.0..enter.0,
            gate: None,
            enter,
            exit: enter,
            on_error: policy.on_error,
            optional: policy.optional,
            timeout: policy.timeout,
            timed_parent,
            claim,
            child_token,
            site,
        });
        Ok(id)
    }

    /// What a direct child of a scope takes: one of the scope's `jobs`, and `more`.
    fn token_of<const N: usize>(&self, parent: Option<ScopeId>, more: [(LimitId, u32); N]) -> Claim {
        let token = parent.and_then(|parent| self.scopes[parent.index()].child_token).map(|limit| (limit, 1));
        token.into_iter().chain(more).collect()
    }

    fn close_scope(&mut self, scope: ScopeId, exit: VertexId) {
        let scope = &mut self.scopes[scope.index()];
        scope.exit = exit;
        scope.vertices.end = exit.0 + 1;
    }

    fn leaf(
        &mut self,
        scope: ScopeId,
        instance: InstanceId,
        command: CommandId,
        node: &Node,
    ) -> Built<(VertexId, VertexId)> {
        let own = if node.policy.needs_scope() {
            Some(self.open_scope(Some(scope), ScopeKind::Group, node.policy, false, node.span)?)
        } else {
            None
        };
        let id = LeafId(self.leaves.len() as u32);
        let around = own.unwrap_or(scope);
        let vertex = self.vertex(Vertex::Leaf(id), around, node.span)?;
        self.leaves.push(Leaf { scope: around, instance, vertex, command });
        let Some(own) = own else { return Ok((vertex, vertex)) };
        let enter = self.scopes[own.index()].enter;
        let exit = self.vertex(Vertex::Exit(own), scope, node.span)?;
        self.edge(enter, vertex, EdgeKind::Ok);
        self.edge(vertex, exit, EdgeKind::Settled);
        self.close_scope(own, exit);
        Ok((enter, exit))
    }

    /// Where an instance is reached.
    fn head(&self, scope: ScopeId) -> VertexId {
        self.scopes[scope.index()].gate.unwrap_or(self.scopes[scope.index()].enter)
    }

    fn draw_demands(&mut self) {
        for (gate, then, from, task, kind) in std::mem::take(&mut self.demands) {
            let instance = self.shared[&task];
            let scope = self.instances[instance.index()].scope;
            let (head, exit) = (self.head(scope), self.scopes[scope.index()].exit);
            self.edge(gate, head, EdgeKind::Demand);
            if let Some(then) = then {
                self.edge(exit, then, EdgeKind::Ok);
            }
            self.links.push(Link { from, to: instance, kind });
        }
    }

    fn draw_after(&mut self) {
        let defs = self.defs.clone();
        for at in 0..self.instances.len() {
            let scope = self.instances[at].scope;
            for other in &defs.tasks[self.instances[at].def.index()].after {
                let Some(instance) = self.shared.get(other).copied() else { continue };
                let exit = self.scopes[self.instances[instance.index()].scope.index()].exit;
                let enter = self.scopes[scope.index()].enter;
                self.edge(exit, enter, EdgeKind::Order);
                self.links.push(Link { from: Some(InstanceId(at as u32)), to: instance, kind: LinkKind::After });
            }
        }
    }

    fn vertex(&mut self, vertex: Vertex, owner: ScopeId, site: Span) -> Built<VertexId> {
        if self.vertices.len() >= MAX_VERTICES {
            return Err(Box::new(self.too_large(site)));
        }
        self.vertices.push(vertex);
        self.owner.push(owner);
        Ok(VertexId(self.vertices.len() as u32 - 1))
    }

    fn too_large(&self, site: Span) -> Problem {
        let mut counts: HashMap<TaskDefId, u32> = HashMap::new();
        self.instances.iter().for_each(|instance| *counts.entry(instance.def).or_default() += 1);
        let most = counts.into_iter().max_by_key(|(id, count)| (*count, std::cmp::Reverse(*id)));
        let problem = Problem::error(Code::PlanTooLarge, format!("the plan has more than {MAX_VERTICES} vertices"));
        match most {
            Some((id, count)) if count > 1 => {
                let def = &self.defs.tasks[id.index()];
                let name = &def.label.task;
                problem
                    .at(def.span, format!("`{name}` is called {count} times, and more were to come"))
                    .help(format!("every `call` is a fresh instance; `needs {name}` runs it once"))
            }
            _ => problem.at(site, "it grew too large here"),
        }
    }

    fn edge(&mut self, from: VertexId, to: VertexId, kind: EdgeKind) {
        self.edges.push((from, to, kind));
    }

    fn freeze(self) -> Plan {
        let mut graph: DiGraph<(), EdgeKind> = DiGraph::with_capacity(self.vertices.len(), self.edges.len());
        self.vertices.iter().for_each(|_| {
            graph.add_node(());
        });
        // A demand wakes, it is not waited for: with the order in which tasks were asked for it may run in circles.
        for (from, to, kind) in self.edges.iter().filter(|(_, _, kind)| *kind != EdgeKind::Demand) {
            graph.add_edge(NodeIndex::new(from.index()), NodeIndex::new(to.index()), *kind);
        }
        let path = longest_paths(&graph, &self.vertices);
        let forward: Vec<(VertexId, Edge)> =
            self.edges.iter().map(|(from, to, kind)| (*from, Edge { other: *to, kind: *kind })).collect();
        let backward: Vec<(VertexId, Edge)> =
            self.edges.iter().map(|(from, to, kind)| (*to, Edge { other: *from, kind: *kind })).collect();
        Plan {
            successors: Csr::new(self.vertices.len(), &forward),
            predecessors: Csr::new(self.vertices.len(), &backward),
            vertices: self.vertices,
            owner: self.owner,
            path,
            scopes: self.scopes,
            leaves: self.leaves,
            instances: self.instances,
            requested: self.requested,
            limits: self.limits,
            links: self.links,
            defs: Arc::unwrap_or_clone(self.defs),
        }
    }
}

/// For each vertex, the most leaves on any way from it to the end, itself included.
fn longest_paths(graph: &DiGraph<(), EdgeKind>, vertices: &[Vertex]) -> Vec<u32> {
    let order = petgraph::algo::toposort(graph, None)
        .expect("cycles among tasks were refused before, and edges within a task follow the order of its steps");
    let mut path = vec![0u32; vertices.len()];
    for node in order.into_iter().rev() {
        let longest = graph.neighbors(node).map(|next| path[next.index()]).max().unwrap_or(0);
        path[node.index()] = longest + u32::from(matches!(vertices[node.index()], Vertex::Leaf(_)));
    }
    path
}
