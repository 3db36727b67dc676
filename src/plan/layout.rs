//! The arrays of a plan while they grow: vertices, scopes and edges, and how they are frozen. Knows nothing of
//! tasks.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::Span;
use crate::plan::compile::MAX_VERTICES;
use crate::plan::defs::Defs;
use crate::plan::graph::{
    Claim, Completion, Csr, Edge, EdgeKind, Feed, Gate, Guard, Instance, Leaf, Limit, Link, Memory, Plan, Pool, Scope,
    ScopeKind, Set, Target, Vertex,
};
use crate::plan::ids::{FeedId, HostId, InstanceId, LeafId, LimitId, PoolId, ScopeId, VertexId};
use crate::plan::values::FileValues;
use crate::xecfile::model::{Host, OnError, Retry, Share};

/// What a new scope goes by, settled.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What a failure does to its siblings.
    pub on_error: OnError,
    /// Whether its own failure counts.
    pub optional: bool,
    /// The longest an attempt may take.
    pub timeout: Option<std::time::Duration>,
    /// How many of its children at once.
    pub jobs: Option<Limit>,
    /// What it holds while it runs.
    pub uses: Vec<(LimitId, u32)>,
    /// How many slots each command in it takes, if that is said.
    pub weight: Option<u32>,
    /// How many of them must succeed.
    pub require: Share,
    /// How often it is tried again.
    pub retry: Option<Retry>,
    /// When it has what it wants.
    pub completion: Completion,
    /// Higher first.
    pub priority: i32,
    /// Whether it has to run at all.
    pub guard: Guard,
    /// What is remembered of it.
    pub memory: Memory,
    /// Needed or requested, instead of standing in place.
    pub shared: bool,
    /// It follows the scope around it.
    pub is_hook: bool,
    /// Where it runs, if not where what is around it does.
    pub place: Option<Where>,
}

/// Where a new scope runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Where {
    /// Here.
    Here,
    /// On this host.
    Host(HostId),
    /// On one of these, which is picked when it begins.
    One(PoolId),
}

impl Rules {
    /// Nothing is said but what a failure does.
    pub fn plain(on_error: OnError) -> Self {
        Self {
            on_error,
            optional: false,
            timeout: None,
            jobs: None,
            uses: Vec::new(),
            weight: None,
            require: Share::ALL,
            retry: None,
            completion: Completion::All,
            priority: 0,
            guard: Guard::Always,
            memory: Memory::None,
            shared: false,
            is_hook: false,
            place: None,
        }
    }
}

/// The growing arrays.
#[derive(Default)]
pub struct Layout {
    /// What each vertex is.
    pub vertices: Vec<Vertex>,
    /// Whose child it is.
    pub owner: Vec<ScopeId>,
    /// Its priority, if any is set.
    pub priority: Vec<i32>,
    /// From, to, why.
    pub edges: Vec<(VertexId, VertexId, EdgeKind)>,
    /// The tree.
    pub scopes: Vec<Scope>,
    /// What is done.
    pub leaves: Vec<Leaf>,
    /// For whom.
    pub instances: Vec<Instance>,
    /// What was asked for.
    pub requested: Vec<(Arc<str>, VertexId)>,
    /// What there is only so much of.
    pub limits: Vec<Limit>,
    /// The hosts of the run.
    pub hosts: Arc<[Host]>,
    /// Where their limits begin.
    pub host_limits: u32,
    /// Hosts of which one is picked.
    pub pools: Vec<Pool>,
    /// Where the parts of a leaf run that are not all where its scope is.
    pub parts: HashMap<LeafId, Box<[Target]>>,
    /// Where several arrive.
    pub gates: Vec<Gate>,
    /// The sets of matrices.
    pub sets: Vec<Set>,
    /// What lanes are fed with.
    pub feeds: Vec<Feed>,
    /// Who names whom.
    pub links: Vec<Link>,
}

/// Something was laid out, or there was too much.
pub type Laid<T> = Result<T, Box<Problem>>;

impl Layout {
    /// A vertex, as a child of `owner`.
    ///
    /// # Errors
    /// There are too many.
    pub fn vertex(&mut self, vertex: Vertex, owner: ScopeId, priority: i32, site: Span) -> Laid<VertexId> {
        if self.vertices.len() >= MAX_VERTICES {
            let message = format!("the plan has more than {MAX_VERTICES} vertices");
            let help = "a `call` is a fresh instance each time, where `needs` runs once for all";
            let problem = Problem::error(Code::PlanTooLarge, message).at(site, "it grew too large here");
            return Err(Box::new(problem.help(help)));
        }
        if priority != 0 || !self.priority.is_empty() {
            self.priority.resize(self.vertices.len(), 0);
            self.priority.push(priority);
        }
        self.vertices.push(vertex);
        self.owner.push(owner);
        Ok(VertexId(self.vertices.len() as u32 - 1))
    }

    /// An edge.
    pub fn edge(&mut self, from: VertexId, to: VertexId, kind: EdgeKind) {
        self.edges.push((from, to, kind));
    }

    /// Opens a scope; its exit comes with [`Layout::close`].
    ///
    /// # Errors
    /// There are too many vertices.
    pub fn open(&mut self, parent: Option<ScopeId>, kind: ScopeKind, rules: Rules, site: Span) -> Laid<ScopeId> {
        let id = ScopeId(self.scopes.len() as u32);
        let enter = self.vertex(Vertex::Enter(id), parent.unwrap_or(ScopeId::RUN), rules.priority, site)?;
        let inside = parent.filter(|_| !rules.shared);
        let around = inside.map(|parent| &self.scopes[parent.index()]);
        let token = around.filter(|_| !rules.is_hook).and_then(|around| around.child_token);
        let claim: Claim = rules.uses.into_iter().chain(token.map(|limit| (limit, 1))).collect();
        let weight = rules.weight.or(around.map(|around| around.weight)).unwrap_or(1);
        // Hooks are outside of the time and the attempts of what they follow, and of nothing else.
        let above = |has: fn(&Scope) -> bool, next: fn(&Scope) -> Option<ScopeId>| {
            around.and_then(|scope| if has(scope) && !rules.is_hook { inside } else { next(scope) })
        };
        let timed_parent = above(|scope| scope.timeout.is_some(), |scope| scope.timed_parent);
        let retried_parent = above(|scope| scope.retry.is_some() || scope.feed.is_some(), |scope| scope.retried_parent);
        let service = around.and_then(|around| around.service);
        let target = match rules.place {
            None => around.map_or(Target::Here, |around| around.target),
            Some(Where::Here) => Target::Here,
            Some(Where::Host(host)) => Target::Host(host),
            Some(Where::One(pool)) => Target::Pick(pool, id),
        };
        let child_token = rules.jobs.map(|limit| {
            self.limits.push(limit);
            LimitId(self.limits.len() as u32 - 1)
        });
        self.scopes.push(Scope {
            parent,
            kind,
            shared: rules.shared,
            completion: rules.completion,
            vertices: enter.0..enter.0,
            gate: None,
            enter,
            exit: enter,
            guard: rules.guard,
            memory: rules.memory,
            side_by_side: false,
            children: 0,
            require: rules.require,
            retry: rules.retry,
            retried_parent,
            hooks: [None; 3],
            progress: None,
            stand_in: None,
            feed: None,
            is_lane: false,
            is_hook: rules.is_hook,
            on_error: rules.on_error,
            optional: rules.optional,
            timeout: rules.timeout,
            timed_parent,
            claim,
            weight,
            target,
            child_token,
            service,
            ready: None,
            site,
        });
        Ok(id)
    }

    /// Closes a scope whose body ends with these vertices.
    ///
    /// # Errors
    /// There are too many vertices.
    pub fn close(&mut self, id: ScopeId, ends: &[VertexId]) -> Laid<VertexId> {
        let scope = &self.scopes[id.index()];
        let (around, site) = (scope.parent.unwrap_or(ScopeId::RUN), scope.site);
        let exit = self.vertex(Vertex::Exit(id), around, 0, site)?;
        for end in ends {
            self.edge(*end, exit, EdgeKind::Settled);
        }
        let scope = &mut self.scopes[id.index()];
        scope.exit = exit;
        scope.vertices.end = exit.0 + 1;
        Ok(exit)
    }

    /// The feed of the late set that an instance stands for.
    pub fn feed_of(&self, id: InstanceId) -> Option<FeedId> {
        let instance = &self.instances[id.index()];
        self.scopes[instance.scope.index()].feed.filter(|_| instance.hidden)
    }

    /// A scope and all around it, from the inside out.
    pub fn outward(&self, scope: ScopeId) -> impl Iterator<Item = ScopeId> + '_ {
        std::iter::successors(Some(scope), |id| self.scopes[id.index()].parent)
    }

    /// Where a scope is reached.
    pub fn head(&self, scope: ScopeId) -> VertexId {
        let scope = &self.scopes[scope.index()];
        scope.gate.unwrap_or(scope.enter)
    }

    /// The plan.
    pub fn freeze(self, defs: Arc<Defs>, files: Vec<FileValues>) -> Plan {
        let forward: Vec<(VertexId, Edge)> =
            self.edges.iter().map(|(from, to, kind)| (*from, Edge { other: *to, kind: *kind })).collect();
        let backward: Vec<(VertexId, Edge)> =
            self.edges.iter().map(|(from, to, kind)| (*to, Edge { other: *from, kind: *kind })).collect();
        let mut priority = self.priority;
        if !priority.is_empty() {
            priority.resize(self.vertices.len(), 0);
        }
        let mut plan = Plan {
            successors: Csr::new(self.vertices.len(), &forward),
            predecessors: Csr::new(self.vertices.len(), &backward),
            vertices: self.vertices,
            owner: self.owner,
            path: Vec::new(),
            scopes: self.scopes,
            leaves: self.leaves,
            instances: self.instances,
            requested: self.requested,
            priority,
            limits: self.limits,
            gates: self.gates,
            sets: self.sets,
            feeds: self.feeds,
            hosts: self.hosts,
            host_limits: self.host_limits,
            pools: self.pools,
            parts: self.parts,
            links: self.links,
            spared: HashMap::new(),
            defs,
            files,
        };
        // A demand wakes, it is not waited for; all else was checked for circles.
        plan.path = plan.longest_paths(&vec![1; plan.leaves.len()]);
        plan.with_ways_in_order()
    }
}
