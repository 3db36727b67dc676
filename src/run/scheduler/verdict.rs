//! What everything came to: scopes judged by what is in them, and at the end who is to blame.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::event::{Counts, Culprit, Event, Failure, Reason, SkipReason, Verdict};
use crate::plan::graph::{EdgeKind, ScopeKind, Vertex};
use crate::plan::ids::{ScopeId, VertexId};
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
        if !counts || ok {
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
            self.trip(owner, out);
        } else {
            self.scopes[owner.index()].dropped += 1;
        }
    }

    fn is_sibling(&self, vertex: VertexId, owner: ScopeId) -> bool {
        let shared = self.plan.scope_of(vertex).is_some_and(|scope| self.plan.scope(scope).shared);
        self.plan.owner[vertex.index()] == owner && !shared
    }

    /// A scope's body is over.
    pub(super) fn leave(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        let plan = self.plan.clone();
        let this = plan.scope(scope);
        let state = &self.scopes[scope.index()];
        let end = match self.scope_phase(scope) {
            _ if state.timed_out => End::TimedOut,
            _ if state.failed > 0 => End::Failed(state.failed as i32),
            Phase::Cancelling(reason, _) if state.dropped > 0 => End::Cancelled(reason),
            _ => End::Ok,
        };
        self.shift(this.enter, Trigger::End);
        self.finish(this.exit, end);
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

    /// An instance that never began is told of, unless nobody had asked for it.
    pub(super) fn tell_skipped(&mut self, scope: ScopeId, end: End, out: &mut Vec<Action>) {
        let ScopeKind::Instance(instance) = self.plan.scope(scope).kind else { return };
        let verdict = self.verdict(scope, end);
        count(&mut self.counts, &verdict);
        let task = self.plan.instance(instance).label.clone();
        out.push(Action::Emit(Event::TaskFinished { task, verdict, duration: std::time::Duration::ZERO }));
    }

    fn verdict(&self, scope: ScopeId, end: End) -> Verdict {
        match end {
            End::Ok => Verdict::Ok,
            End::Failed(inside) => Verdict::Failed(Failure::Inside(inside.unsigned_abs())),
            End::TimedOut => Verdict::TimedOut(self.plan.scope(scope).timeout.unwrap_or_default()),
            End::Cancelled(reason) => Verdict::Cancelled(reason),
            End::Dropped(reason) => Verdict::Skipped(SkipReason::Cancelled(reason)),
            End::Skipped(vertex) => Verdict::Skipped(self.skip_reason(scope, vertex)),
        }
    }

    fn skip_reason(&self, scope: ScopeId, blamed: VertexId) -> SkipReason {
        match self.plan.vertices[blamed.index()] {
            Vertex::Exit(other) if self.plan.scope(other).shared => match self.plan.scope(other).kind {
                ScopeKind::Instance(id) if other != scope => {
                    SkipReason::Dependency(self.plan.instance(id).label.instance.clone())
                }
                _ => SkipReason::Earlier,
            },
            _ => SkipReason::Earlier,
        }
    }

    /// The run is over.
    fn close(&mut self, out: &mut Vec<Action>) {
        self.done = true;
        let culprits = self.culprits();
        let code = match (self.signal, culprits.as_slice()) {
            (Some(signal), _) => 128 + signal,
            (None, []) if self.broken => 1,
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
    fn culprits(&self) -> Vec<Culprit> {
        let mut guilty: HashSet<VertexId> = HashSet::new();
        let mut seen: HashSet<VertexId> = HashSet::new();
        let mut open: Vec<VertexId> = self.plan.requested.iter().map(|(_, wait)| *wait).collect();
        while let Some(vertex) = open.pop() {
            if self.satisfies(vertex) || !seen.insert(vertex) {
                continue;
            }
            match (self.end[vertex.index()], self.plan.vertices[vertex.index()]) {
                (Some(End::Failed(_)), Vertex::Leaf(_)) | (Some(End::TimedOut), _) => {
                    guilty.insert(vertex);
                }
                (Some(End::Failed(_)), Vertex::Exit(scope)) => open.extend(self.plan.children_ends(scope)),
                (Some(End::Skipped(_)), Vertex::Exit(scope)) => {
                    let this = self.plan.scope(scope);
                    open.extend(this.gate.into_iter().chain([this.enter]).flat_map(|waits| self.blamed_by(waits)));
                }
                (Some(End::Skipped(_)), _) => open.extend(self.blamed_by(vertex)),
                _ => {}
            }
        }
        self.failures
            .iter()
            .filter(|vertex| guilty.contains(vertex))
            .filter_map(|vertex| self.culprit(*vertex))
            .collect()
    }

    fn blamed_by(&self, vertex: VertexId) -> impl Iterator<Item = VertexId> + '_ {
        let edges = self.plan.predecessors.of(vertex).iter();
        edges.filter(|edge| !matches!(edge.kind, EdgeKind::Demand | EdgeKind::Order)).map(|edge| edge.other)
    }

    fn culprit(&self, vertex: VertexId) -> Option<Culprit> {
        let instance = self.plan.instance_around(vertex)?;
        let owner = self.plan.instance(instance).label.clone();
        match self.plan.vertices[vertex.index()] {
            Vertex::Leaf(leaf) => {
                let (job, end) = self.ends.get(&vertex)?;
                let failure = match end.capture_overflow {
                    Some(cap) => Failure::CaptureTooLarge(cap),
                    None => Failure::Command(end.outcome.clone()),
                };
                Some(Culprit {
                    owner,
                    step: Some(Arc::new(self.plan.step_label(leaf))),
                    job: Some(*job),
                    code: match end.capture_overflow {
                        Some(_) => 1,
                        None => end.outcome.code(),
                    },
                    verdict: Verdict::Failed(failure),
                })
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
        Verdict::Failed(_) | Verdict::TimedOut(_) => counts.failed += 1,
        Verdict::Cancelled(_) => counts.cancelled += 1,
        Verdict::Skipped(_) => counts.skipped += 1,
    }
}
