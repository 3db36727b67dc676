//! What everything came to: scopes judged by what is in them, and at the end who is to blame.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::event::{Counts, Culprit, Event, Failure, JobId, Level, Reason, SkipReason, TaskLabel, Verdict};
use crate::plan::graph::{Completion, EdgeKind, ScopeKind, Vertex};
use crate::plan::ids::{LeafId, ScopeId, VertexId};
use crate::plan::values::Value;
use crate::run::phase::{Phase, Trigger};
use crate::run::scheduler::{Action, End, Scheduler};

impl Scheduler {
    /// A child has ended: its scope counts it, and acts by its policy.
    pub(super) fn account(&mut self, vertex: VertexId, ok: bool, out: &mut Vec<Action>) {
        let owner = self.plan.owner[vertex.index()];
        let counts = match self.plan.vertices[vertex.index()] {
            Vertex::Leaf(_) | Vertex::Await => true,
            Vertex::Exit(scope) => scope != ScopeId::RUN && !self.plan.scope(scope).shared,
            _ => false,
        };
        if let Some(End::Failed(_) | End::TimedOut) = self.end[vertex.index()] {
            self.failures.push(vertex);
        }
        if let (Some(inner), false) = (self.plan.scope_of(vertex).filter(|inner| self.plan.scope(*inner).is_hook), ok) {
            let began = self.end[self.plan.scope(inner).enter.index()] == Some(End::Ok);
            self.scopes[owner.index()].hook_failed |= began;
            return;
        }
        if !counts {
            return;
        }
        if self.plan.scope(owner).completion != Completion::All {
            return self.weigh(owner, vertex, out);
        }
        if ok {
            return;
        }
        let fault = match self.end[vertex.index()] {
            Some(End::Cancelled(_) | End::Dropped(_)) => false,
            // A later step of a sequence: the failure was that of the earlier one, and is counted there.
            Some(End::Skipped(blamed)) => !self.is_sibling(blamed, owner),
            _ => true,
        };
        if fault {
            self.scopes[owner.index()].failed += 1;
        } else {
            self.scopes[owner.index()].dropped += 1;
        }
        let this = self.plan.scope(owner);
        let state = &self.scopes[owner.index()];
        let possible = this.children.saturating_sub(state.failed + state.dropped);
        if fault && (possible < this.require.of(this.children) || owner == ScopeId::RUN) {
            self.trip(owner, out);
        }
    }

    fn is_sibling(&self, vertex: VertexId, owner: ScopeId) -> bool {
        let shared = self.plan.scope_of(vertex).is_some_and(|scope| self.plan.scope(scope).shared);
        self.plan.owner[vertex.index()] == owner && !shared
    }

    /// A scope's body is over, or one of its hooks is: the next hook that is due begins, or the scope ends.
    pub(super) fn leave(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        let body = match self.scopes[scope.index()].body {
            Some(body) => body,
            None => {
                let body = self.judge_body(scope);
                if self.try_again(scope, body, out) {
                    return;
                }
                self.scopes[scope.index()].body = Some(body);
                body
            }
        };
        if let Some(hook) = self.next_hook(scope, body) {
            let enter = self.plan.scope(scope).enter;
            if self.phase_of(enter) != Phase::Hooks {
                self.shift(enter, Trigger::Hook);
            }
            self.scopes[scope.index()].hook = Some(hook);
            let begins = self.plan.scope(hook).enter;
            self.shift(begins, Trigger::Demand);
            return self.look(begins);
        }
        self.end_scope(scope, body, out);
    }

    fn judge_body(&self, scope: ScopeId) -> End {
        let this = self.plan.scope(scope);
        let state = &self.scopes[scope.index()];
        let succeeded = this.children.saturating_sub(state.failed + state.dropped);
        let enough = succeeded >= this.require.of(this.children);
        match self.scope_phase(scope) {
            _ if state.timed_out => End::TimedOut,
            _ if this.completion != Completion::All => self.judge_choice(scope),
            _ if enough => End::Ok,
            Phase::Cancelling(reason, _) if state.failed == 0 => End::Cancelled(reason),
            _ => End::Failed(state.failed as i32),
        }
    }

    /// The next hook that is due: after a success, after a failure, after all; none any more once it is killed.
    fn next_hook(&mut self, scope: ScopeId, body: End) -> Option<ScopeId> {
        // A body that had to be killed for its time still gets its hooks; what was killed from above does not.
        let above = self.scopes[scope.index()].from_above || self.scopes[scope.index()].stage > 0;
        let killed = above && matches!(self.scope_phase(scope), Phase::Cancelling(_, Level::Kill));
        while let Some(hook) = self.plan.scope(scope).hooks.get(self.scopes[scope.index()].stage).copied() {
            let stage = self.scopes[scope.index()].stage;
            self.scopes[scope.index()].stage += 1;
            let due = match stage {
                0 => body == End::Ok,
                1 => matches!(body, End::Failed(_) | End::TimedOut),
                _ => true,
            };
            if let (Some(hook), true, false) = (hook, due, killed) {
                return Some(hook);
            }
        }
        None
    }

    fn end_scope(&mut self, scope: ScopeId, body: End, out: &mut Vec<Action>) {
        let plan = self.plan.clone();
        let this = plan.scope(scope);
        let end = if body == End::Ok && self.scopes[scope.index()].hook_failed { End::Failed(1) } else { body };
        // Hooks that were not due end with their scope.
        for hook in this.hooks.iter().flatten() {
            if self.end[plan.scope(*hook).exit.index()].is_none() {
                self.skip(plan.scope(*hook).enter, End::Dropped(Reason::Decided), out);
            }
        }
        self.shift(this.enter, Trigger::End);
        self.close_values(scope, matches!(end, End::Ok), out);
        self.finish(this.exit, end);
        for gate in self.held.remove(&scope).unwrap_or_default() {
            self.give_up_gate(gate, self.scopes[scope.index()].gently);
        }
        if scope == ScopeId::RUN {
            return self.close(out);
        }
        if let ScopeKind::Instance(instance) = this.kind {
            let verdict = self.verdict(scope, end);
            count(&mut self.counts, &verdict);
            let duration = self.now.saturating_sub(self.scopes[scope.index()].entered);
            let task = plan.instance(instance).label.clone();
            out.push(Action::Emit(Event::TaskFinished { task, verdict, duration }));
        }
        if let Some(parent) = this.parent {
            self.scopes[parent.index()].open -= 1;
            self.look(plan.scope(parent).exit);
        }
        self.release(this.enter);
    }

    /// What lived as long as an attempt of an instance goes with it.
    pub(super) fn close_values(&mut self, scope: ScopeId, succeeded: bool, out: &mut Vec<Action>) {
        if let ScopeKind::Instance(instance) = self.plan.scope(scope).kind
            && std::mem::replace(&mut self.scopes[scope.index()].opened, false)
        {
            out.push(Action::Close(instance, succeeded));
        }
    }

    /// An instance that never began is told of, unless nobody had asked for it.
    pub(super) fn tell_skipped(&mut self, scope: ScopeId, end: End, out: &mut Vec<Action>) {
        let ScopeKind::Instance(instance) = self.plan.scope(scope).kind else { return };
        let why = self.complaints.get(&self.plan.scope(scope).exit);
        let verdict = match (why, end) {
            (Some(why), _) => Verdict::Failed(Failure::Value(why.clone())),
            // What failed without having begun is around it, and told there.
            (None, End::Failed(_)) => Verdict::Skipped(SkipReason::Earlier),
            (None, _) => self.verdict(scope, end),
        };
        count(&mut self.counts, &verdict);
        let task = self.plan.instance(instance).label.clone();
        out.push(Action::Emit(Event::TaskFinished { task, verdict, duration: std::time::Duration::ZERO }));
    }

    /// What a leaf in a hook may know of what it follows; nothing for any other leaf.
    pub fn hook_values(&self, leaf: LeafId, last_errors: &dyn Fn(JobId) -> String) -> Vec<(Arc<str>, Value)> {
        let mut at = Some(self.plan.leaf(leaf).scope);
        while let Some(id) = at.filter(|id| !self.plan.scope(*id).is_hook) {
            at = self.plan.scope(id).parent;
        }
        let Some(scope) = at.and_then(|hook| self.plan.scope(hook).parent) else { return Vec::new() };
        let status = match self.scopes[scope.index()].body {
            Some(End::Ok) => "success",
            Some(End::Cancelled(_)) => "cancelled",
            _ => "failed",
        };
        let (mut names, mut error): (Vec<Arc<str>>, String) = (Vec::new(), String::new());
        let range = self.plan.scope(scope).vertices.clone();
        for vertex in self.failures.iter().filter(|vertex| range.contains(&vertex.0)) {
            let Vertex::Leaf(failed) = self.plan.vertices[vertex.index()] else { continue };
            let name = self.plan.instance(self.plan.leaf(failed).instance).label.instance.clone();
            if !names.contains(&name) {
                names.push(name);
            }
            if let Some((job, _)) = self.ends.get(vertex) {
                error = last_errors(*job);
            }
        }
        let duration = self.now.saturating_sub(self.scopes[scope.index()].entered);
        [
            ("xec_status", Value::text(status)),
            ("xec_failed", Value::List(names.into())),
            ("xec_error", Value::text(error)),
            ("xec_duration", Value::text(crate::base::duration::show(duration))),
        ]
        .map(|(name, value)| (Arc::from(name), value))
        .to_vec()
    }

    fn verdict(&self, scope: ScopeId, end: End) -> Verdict {
        match end {
            End::Ok => Verdict::Ok,
            End::Passed => Verdict::Skipped(SkipReason::Condition),
            End::Failed(inside) => Verdict::Failed(Failure::Inside(inside.unsigned_abs())),
            End::TimedOut => Verdict::TimedOut(self.plan.scope(scope).timeout.unwrap_or_default()),
            End::Cancelled(reason) => Verdict::Cancelled(reason),
            End::Dropped(reason) => Verdict::Skipped(SkipReason::Cancelled(reason)),
            End::Skipped(vertex) => Verdict::Skipped(self.skip_reason(scope, vertex)),
        }
    }

    fn skip_reason(&self, scope: ScopeId, blamed: VertexId) -> SkipReason {
        match self.plan.vertices[blamed.index()] {
            Vertex::Exit(other)
                if other != scope && !self.is_sibling(blamed, self.plan.owner[self.plan.scope(scope).exit.index()]) =>
            {
                match self.plan.scope(other).kind {
                    ScopeKind::Instance(id) => SkipReason::Dependency(self.plan.instance(id).label.instance.clone()),
                    _ => match self.plan.instance_in(other) {
                        Some(id) => SkipReason::Dependency(self.plan.instance(id).label.task.clone()),
                        None => SkipReason::Earlier,
                    },
                }
            }
            _ => SkipReason::Earlier,
        }
    }

    /// The run is over.
    fn close(&mut self, out: &mut Vec<Action>) {
        self.done = true;
        let blame = self.blame();
        let (guilty, others): (Vec<VertexId>, _) = self.failures.iter().partition(|vertex| blame.contains(vertex));
        let culprits: Vec<Culprit> = guilty.into_iter().filter_map(|vertex| self.culprit(vertex)).collect();
        let forgiven = others.into_iter().filter(|vertex| self.is_forgiven(*vertex)).count();
        self.counts.failed = (culprits.len() + forgiven) as u32;
        let code = match (self.signal, culprits.as_slice()) {
            (Some(signal), _) => 128 + signal,
            // Whatever the reason: what was asked for and did not come about is no success.
            (None, []) if self.broken || self.plan.requested.iter().any(|(_, wait)| !self.satisfies(*wait)) => 1,
            (None, []) => 0,
            (None, [only]) => only.code,
            (None, _) => 1,
        };
        out.push(Action::Emit(Event::RunFinished {
            culprits,
            counts: self.counts,
            signal: self.signal,
            code,
            duration: self.now,
        }));
        out.push(Action::Done);
    }

    /// The failures that count: found from what was asked for, down into what failed and back along what was
    /// waited for. What is optional hides what is in it; what was cancelled is nobody's fault.
    fn blame(&self) -> HashSet<VertexId> {
        let mut guilty: HashSet<VertexId> = HashSet::new();
        let mut in_hooks: HashSet<VertexId> = HashSet::new();
        let mut seen: HashSet<VertexId> = HashSet::new();
        let mut ended_others: HashSet<VertexId> = HashSet::new();
        let mut open: Vec<(VertexId, bool)> = self.plan.requested.iter().map(|(_, wait)| (*wait, false)).collect();
        while let Some((vertex, mut hook)) = open.pop() {
            // What ended something else is to blame for that, even if it may fail itself.
            if (self.satisfies(vertex) && !ended_others.contains(&vertex)) || !seen.insert(vertex) {
                continue;
            }
            hook |= self.plan.scope_of(vertex).is_some_and(|scope| self.plan.scope(scope).is_hook);
            match (self.end[vertex.index()], self.plan.vertices[vertex.index()]) {
                (Some(End::Failed(_)), Vertex::Leaf(_)) | (Some(End::TimedOut), _) => {
                    if hook {
                        in_hooks.insert(vertex)
                    } else {
                        guilty.insert(vertex)
                    };
                }
                (Some(End::Failed(_)), Vertex::Exit(_)) if self.complaints.contains_key(&vertex) => {
                    guilty.insert(vertex);
                }
                (Some(End::Failed(_)), Vertex::Exit(scope)) => {
                    open.extend(self.at_fault(scope).into_iter().map(|end| (end, hook)));
                }
                (Some(End::Skipped(_)), Vertex::Exit(scope)) => {
                    let this = self.plan.scope(scope);
                    let waits = this.gate.into_iter().chain([this.enter]);
                    open.extend(waits.flat_map(|waits| self.blamed_by(waits)).map(|end| (end, hook)));
                }
                // It was ended for the sake of what is around it, and there the reason is to be found.
                (Some(End::Cancelled(_) | End::Dropped(_)), _) => {
                    let around = self.plan.owner[vertex.index()];
                    if around != ScopeId::RUN {
                        let exit = self.plan.scope(around).exit;
                        ended_others.insert(exit);
                        open.push((exit, hook));
                    }
                }
                (Some(End::Skipped(_)), _) => open.extend(self.blamed_by(vertex).map(|end| (end, hook))),
                _ => {}
            }
        }
        // Hooks count only if nothing else failed.
        if guilty.is_empty() { in_hooks } else { guilty }
    }

    /// Whether a failure that does not count was one of its own, and not only of something inside, and was forgiven
    /// where it stands: what ended for another reason, and a hook of what failed, says nothing more by its failures.
    fn is_forgiven(&self, vertex: VertexId) -> bool {
        let own = match self.plan.vertices[vertex.index()] {
            Vertex::Leaf(_) => true,
            _ => self.end[vertex.index()] == Some(End::TimedOut) || self.complaints.contains_key(&vertex),
        };
        let first = self.plan.scope_of(vertex).unwrap_or(self.plan.owner[vertex.index()]);
        for scope in self.plan.around(first) {
            let overruled = matches!(self.end[scope.exit.index()], Some(End::TimedOut | End::Cancelled(_)));
            if self.satisfies(scope.exit) {
                return own;
            }
            if scope.is_hook || (overruled && scope.exit != vertex) {
                return false;
            }
        }
        own
    }

    fn blamed_by(&self, vertex: VertexId) -> impl Iterator<Item = VertexId> + '_ {
        let edges = self.plan.predecessors.of(vertex).iter();
        edges.filter(|edge| !matches!(edge.kind, EdgeKind::Demand | EdgeKind::Order)).map(|edge| edge.other)
    }

    /// Whose a vertex is: an instance's, or that of a task whose set stands around its instances.
    fn owner_label(&self, vertex: VertexId) -> Option<Arc<TaskLabel>> {
        if let Vertex::Leaf(leaf) = self.plan.vertices[vertex.index()] {
            return Some(self.plan.instance(self.plan.leaf(leaf).instance).label.clone());
        }
        if let Some(instance) = self.plan.instance_around(vertex) {
            return Some(self.plan.instance(instance).label.clone());
        }
        let mut at = self.plan.scope_of(vertex);
        while let Some(id) = at {
            if let Some(inside) = self.plan.instance_in(id) {
                return Some(self.plan.defs.tasks[self.plan.instance(inside).def.index()].label.clone());
            }
            at = self.plan.scope(id).parent;
        }
        None
    }

    fn culprit(&self, vertex: VertexId) -> Option<Culprit> {
        let owner = self.owner_label(vertex)?;
        match self.plan.vertices[vertex.index()] {
            Vertex::Leaf(leaf) => {
                let (job, end) = self.ends.get(&vertex)?;
                let failure = match (&end.bad_value, end.capture_overflow) {
                    (Some(why), _) => Failure::Value(why.clone()),
                    (None, Some(cap)) => Failure::CaptureTooLarge(cap),
                    (None, None) => Failure::Command(end.outcome.clone()),
                };
                Some(Culprit {
                    owner,
                    step: Some(Arc::new(self.plan.step_label(leaf))),
                    job: Some(*job),
                    code: match failure {
                        Failure::Command(_) => end.outcome.code(),
                        _ => 1,
                    },
                    verdict: Verdict::Failed(failure),
                })
            }
            Vertex::Exit(_) if self.complaints.contains_key(&vertex) => {
                let verdict = Verdict::Failed(Failure::Value(self.complaints[&vertex].clone()));
                Some(Culprit { owner, step: None, job: None, verdict, code: 1 })
            }
            Vertex::Exit(scope) => {
                let timeout = self.plan.scope(scope).timeout.unwrap_or_default();
                let range = self.plan.scope(scope).vertices.clone();
                let running = range.map(VertexId).find(|inner| {
                    self.end[inner.index()] == Some(End::Cancelled(Reason::Timeout)) && self.ends.contains_key(inner)
                });
                let step = running.and_then(|inner| match self.plan.vertices[inner.index()] {
                    Vertex::Leaf(leaf) => Some(Arc::new(self.plan.step_label(leaf))),
                    _ => None,
                });
                let job = running.and_then(|inner| self.ends.get(&inner)).map(|(job, _)| *job);
                Some(Culprit { owner, step, job, verdict: Verdict::TimedOut(timeout), code: 124 })
            }
            _ => None,
        }
    }
}

fn count(counts: &mut Counts, verdict: &Verdict) {
    match verdict {
        Verdict::Ok => counts.ok += 1,
        // What failed is counted by itself at the end: around one failure there can be many tasks.
        Verdict::Failed(_) | Verdict::TimedOut(_) => {}
        Verdict::Cancelled(_) => counts.cancelled += 1,
        Verdict::Skipped(_) => counts.skipped += 1,
    }
}
