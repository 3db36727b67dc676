//! How the run moves along edges: who is demanded, who may begin, what ended and who waited for it.

use crate::base::event::{Event, JobId, Waits};
use crate::plan::graph::{EdgeKind, Guard, Memory, Vertex};
use crate::plan::ids::{LeafId, ScopeId, VertexId};
use crate::run::phase::{Phase, Trigger};
use crate::run::scheduler::{Action, End, Queue, Scheduler, TimerKey};
use crate::xecfile::model::OnError;

impl Scheduler {
    /// Someone wants a shared instance: from here on it is in play, and `after` edges from it count.
    pub(super) fn activate(&mut self, head: VertexId) {
        if self.phase_of(head) != Phase::Dormant {
            return;
        }
        let plan = self.plan.clone();
        let (Vertex::Gate(scope) | Vertex::Enter(scope)) = plan.vertices[head.index()] else { return };
        let (enter, exit) = (plan.scope(scope).enter, plan.scope(scope).exit);
        self.shift(enter, Trigger::Demand);
        if head != enter {
            self.shift(head, Trigger::Demand);
        }
        for edge in plan.successors.of(exit).iter().filter(|edge| edge.kind == EdgeKind::Order) {
            let waits = matches!(self.phase_of(edge.other), Phase::Dormant | Phase::Waiting);
            if waits && self.counted.insert((exit, edge.other)) {
                self.pending[edge.other.index()] += 1;
            }
        }
        self.look(head);
    }

    /// Fires a vertex, soon, if nothing holds it back.
    pub(super) fn look(&mut self, vertex: VertexId) {
        if self.pending[vertex.index()] == 0 && self.end[vertex.index()].is_none() {
            self.ready.push_back(vertex);
        }
    }

    /// Nothing is pending at this vertex any more.
    pub(super) fn fire(&mut self, vertex: VertexId, out: &mut Vec<Action>) {
        let open = self.end[vertex.index()].is_none() && self.pending[vertex.index()] == 0;
        if open && let Some(from) = self.blamed.remove(&vertex) {
            return self.skip(vertex, End::Skipped(from), out);
        }
        match self.plan.vertices[vertex.index()] {
            Vertex::Exit(scope) => {
                if open && self.is_still(scope) {
                    self.leave(scope, out);
                }
            }
            _ if !open || self.phase_of(vertex) != Phase::Waiting => {}
            Vertex::Gate(scope) => self.reach(vertex, scope, out),
            Vertex::Await => self.finish(vertex, End::Ok),
            Vertex::Barrier(gate) => self.gate_reached(vertex, gate, out),
            Vertex::Arrive => self.arrived(vertex),
            Vertex::Feed(feed) => self.feed_closes(feed, out),
            Vertex::Enter(scope) => {
                if self.plan.scope(scope).gate.is_none() {
                    self.scopes[scope.index()].wanted = self.now;
                }
                self.begin(vertex, scope, out);
            }
            Vertex::Leaf(_) | Vertex::Resume => self.claim(vertex),
        }
    }

    /// Nothing holds a scope back any more; whether it has to run at all is a question of its own.
    fn begin(&mut self, enter: VertexId, scope: ScopeId, out: &mut Vec<Action>) {
        let guard = self.plan.scope(scope).guard.clone();
        if matches!(guard, Guard::Never(_)) || self.spared_item(scope).is_some() {
            return self.skip(enter, End::Passed, out);
        }
        self.unbind(scope);
        if let Guard::Ask(_) = guard {
            // That is asked on the host.
            self.bind(scope, out);
        }
        if let (Some(instance), false) =
            (self.plan.scope(scope).instance(), std::mem::replace(&mut self.scopes[scope.index()].opened, true))
        {
            out.push(Action::Open(instance));
        }
        match guard {
            _ if self.plan.scope(scope).memory == Memory::Whole || matches!(guard, Guard::Ask(_)) => {
                self.shift(enter, Trigger::Met);
                self.shift(enter, Trigger::Probe);
                self.probe(scope, out);
            }
            _ => self.claim(enter),
        }
    }

    fn reach(&mut self, gate: VertexId, scope: ScopeId, out: &mut Vec<Action>) {
        if scope != ScopeId::RUN {
            self.scopes[scope.index()].wanted = self.now;
            let this = self.plan.scope(scope);
            if let (Some(from), false) = (self.blamed.get(&this.enter), this.on_error == OnError::Continue) {
                // What it needs has failed already, for someone else: the rest need not be woken.
                return self.skip(gate, End::Skipped(*from), out);
            }
        }
        let plan = self.plan.clone();
        let demands = plan.successors.of(gate).iter().filter(|edge| edge.kind == EdgeKind::Demand);
        self.demanded.extend(demands.map(|edge| edge.other));
        self.finish(gate, End::Ok);
    }

    /// A scope's body begins.
    pub(super) fn enter(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        let plan = self.plan.clone();
        let enter = plan.scope(scope).enter;
        if scope == ScopeId::RUN {
            self.shift(enter, Trigger::Met);
        }
        self.shift(enter, Trigger::Grant);
        let state = &mut self.scopes[scope.index()];
        state.attempt += 1;
        state.tries += 1;
        state.entered = self.now;
        if let Some(parent) = plan.scope(scope).parent {
            self.scopes[parent.index()].open += 1;
        }
        self.enter_host(scope, out);
        if let Some(instance) = plan.scope(scope).instance() {
            out.push(Action::Emit(Event::TaskStarted { task: self.label(instance) }));
        }
        if let Some(feed) = plan.scope(scope).feed {
            self.feed_begins(feed, out);
        }
        self.undecide(scope, out);
        self.watch(scope, out);
        self.end[enter.index()] = Some(End::Ok);
        self.ended.push_back(enter);
        // All that is in it may have been given up before it began.
        self.look(plan.scope(scope).exit);
    }

    pub(super) fn start(&mut self, vertex: VertexId, leaf: LeafId, mut queue: Queue, out: &mut Vec<Action>) {
        self.shift(vertex, Trigger::Grant);
        let plan = self.plan.clone();
        let job = JobId(self.next_job);
        self.next_job += 1;
        let waits = self.waited(leaf, &queue);
        self.scopes[plan.leaf(leaf).scope.index()].open += 1;
        for scope in plan.outward(plan.leaf(leaf).scope) {
            if std::mem::replace(&mut self.scopes[scope.index()].touched, true) {
                break;
            }
        }
        queue.attempt = self.attempt_around(plan.leaf(leaf).scope);
        self.jobs.insert(job, super::Job { leaf, started: None, queue });
        self.live.insert(leaf, job);
        self.occupy(leaf);
        let attempt = queue.attempt;
        if let Some(why) = self.lost_host(leaf) {
            return self.start_nowhere(leaf, why, out);
        }
        let Some(time) = plan.leaf(leaf).wait else {
            return out.push(Action::Start { job, leaf, attempt, waits });
        };
        let step = std::sync::Arc::new(self.step_label(leaf));
        out.push(Action::Emit(Event::StepStarted { job, step, attempt, waits, slots: 0, pid: None }));
        out.push(Action::SetTimer(TimerKey::Wait(job), self.now.saturating_add(time)));
        self.job_started(job, out);
    }

    /// What a step waited for since its task was wanted: room, its own and that of all around it, and for the rest of
    /// the time, others.
    fn waited(&self, leaf: LeafId, queue: &Queue) -> Waits {
        let instance = self.plan.instance(self.plan.leaf(leaf).instance).scope;
        let mut dependency = queue.since.saturating_sub(self.scopes[instance.index()].wanted);
        let Waits { mut slot, mut limit, .. } = queue.waits;
        let mut around = Some(self.plan.leaf(leaf).scope);
        while let Some(scope) = around {
            let room = self.scopes[scope.index()].waits;
            (slot, limit) = (slot + room.slot, limit + room.limit);
            dependency = dependency.saturating_sub(room.slot + room.limit);
            around = self.plan.scope(scope).parent.filter(|_| scope != instance);
        }
        Waits { dependency, slot, limit }
    }

    /// A vertex has come to its end; who waited for it is told soon.
    pub(super) fn finish(&mut self, vertex: VertexId, end: End) {
        debug_assert!(self.end[vertex.index()].is_none(), "every vertex ends once");
        self.end[vertex.index()] = Some(end);
        self.less_is_left(vertex);
        // A scope's phase stands at its entry and is moved on by who ends the scope.
        if !matches!(self.plan.vertices[vertex.index()], Vertex::Exit(_)) {
            let phase = self.phase_of(vertex);
            let trigger = match self.plan.vertices[vertex.index()] {
                Vertex::Leaf(_) if phase.is_live() => Trigger::End,
                _ => Trigger::Drop,
            };
            self.shift(vertex, trigger);
        }
        self.ended.push_back(vertex);
    }

    /// Tells everyone who waited for a vertex, and the scope that owns it.
    pub(super) fn propagate(&mut self, vertex: VertexId, out: &mut Vec<Action>) {
        let plan = self.plan.clone();
        let ok = self.satisfies(vertex);
        let (set, up) = (self.retrying_set(vertex).filter(|_| !ok), self.is_up(vertex));
        for edge in plan.successors.of(vertex) {
            match edge.kind {
                _ if set.is_some_and(|set| !plan.scope(set).vertices.contains(&edge.other.0)) => {
                    self.unsaid.insert(vertex);
                }
                EdgeKind::Settled if !ok && self.may_still_arrive(vertex) => {
                    self.unsaid.insert(vertex);
                }
                EdgeKind::Ready if up => {}
                // It had not to run, or may fail: who needs it goes on without it.
                EdgeKind::Ready if ok && self.end[vertex.index()] != Some(End::Ok) => self.met(edge.other),
                EdgeKind::Ready => self.failed_edge(vertex, edge.other, out),
                EdgeKind::Ok | EdgeKind::Data | EdgeKind::Stream if !ok => self.failed_edge(vertex, edge.other, out),
                EdgeKind::Order if !self.counted.remove(&(vertex, edge.other)) => {}
                EdgeKind::Demand | EdgeKind::Fed => {}
                _ => self.met(edge.other),
            }
        }
        if up && !ok {
            self.fail_users(vertex, out);
        }
        self.give_up(vertex);
        // After the edges, so that who waited for it is skipped for its sake, and not by the policy.
        self.account(vertex, ok, out);
        match plan.vertices[vertex.index()] {
            Vertex::Exit(scope) if plan.scope(scope).is_lane => self.lane_ended(scope, ok, out),
            Vertex::Feed(feed) => self.feed_ended(feed, out),
            _ => {}
        }
    }

    pub(super) fn met(&mut self, vertex: VertexId) {
        self.pending[vertex.index()] = self.pending[vertex.index()].saturating_sub(1);
        self.look(vertex);
    }

    /// What someone waits for did not succeed. By its policy it gives up at once, or when the rest has ended.
    pub(super) fn failed_edge(&mut self, from: VertexId, to: VertexId, out: &mut Vec<Action>) {
        self.pending[to.index()] = self.pending[to.index()].saturating_sub(1);
        if self.end[to.index()].is_some() || !self.phase_of(to).is_open() {
            return;
        }
        let (scope, policy) = match self.plan.vertices[to.index()] {
            Vertex::Enter(scope) | Vertex::Gate(scope) if scope != ScopeId::RUN => {
                (Some(scope), self.plan.scope(scope).on_error)
            }
            _ => (None, OnError::FailFast),
        };
        let waits = self.pending[to.index()] > 0;
        let gate = scope.and_then(|scope| self.plan.scope(scope).gate).filter(|gate| *gate != to);
        let reached = gate.is_none_or(|gate| self.end[gate.index()].is_some());
        match (policy, scope) {
            // What stands before it in its place runs all the same.
            _ if !reached => {
                self.blamed.insert(to, from);
            }
            (OnError::Continue, _) if waits => {
                self.blamed.insert(to, from);
            }
            (OnError::Drain, Some(scope)) if waits => {
                self.blamed.insert(to, from);
                self.give_up_open(scope);
            }
            _ => self.skip(to, End::Skipped(from), out),
        }
    }
}
