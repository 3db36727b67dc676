//! Who is to blame when the run is over: the failures that count, and what is told of each. Changes nothing.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::base::event::{Culprit, Failure, Reason, TaskLabel, Verdict};
use crate::plan::graph::Vertex;
use crate::plan::ids::{FeedId, ScopeId, VertexId};
use crate::run::scheduler::hosts::verdict_of;
use crate::run::scheduler::{End, Scheduler};

/// What counts of all that failed.
pub(super) struct Blame {
    guilty: FxHashSet<VertexId>,
    /// Of these feeds what failed in a lane before.
    pub(super) feeds: FxHashSet<FeedId>,
}

impl Blame {
    pub(super) fn counts(&self, vertex: VertexId) -> bool {
        self.guilty.contains(&vertex)
    }
}

impl Scheduler {
    /// The failures that count: found from what was asked for, down into what failed and back along what was
    /// waited for. What is optional hides what is in it; what was cancelled is nobody's fault.
    pub(super) fn blame(&self) -> Blame {
        self.blame_from(self.plan.requested.iter().map(|(_, wait)| (*wait, false)).collect())
    }

    /// The same from some ends on, each with whether it lies in a hook.
    pub(super) fn blame_from(&self, mut open: Vec<(VertexId, bool)>) -> Blame {
        let mut feeds: FxHashSet<FeedId> = FxHashSet::default();
        let mut guilty: FxHashSet<VertexId> = FxHashSet::default();
        let mut in_hooks: FxHashSet<VertexId> = FxHashSet::default();
        let mut seen: FxHashSet<VertexId> = FxHashSet::default();
        let mut ended_others: FxHashSet<VertexId> = FxHashSet::default();
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
                    feeds.extend(self.plan.scope(scope).feed);
                    open.extend(self.at_fault(scope).into_iter().map(|end| (end, hook)));
                }
                (Some(End::Skipped(_)), Vertex::Exit(scope)) => {
                    let this = self.plan.scope(scope);
                    let waits = this.gate.into_iter().chain([this.enter]);
                    open.extend(waits.flat_map(|waits| self.blamed_by(waits)).map(|end| (end, hook)));
                }
                // It was ended for the sake of what is around it, and there the reason is to be found.
                (Some(End::Cancelled(Reason::Service) | End::Dropped(Reason::Service)), Vertex::Exit(_))
                    if !self.lost_services(vertex).is_empty() =>
                {
                    open.extend(self.lost_services(vertex).into_iter().map(|end| (end, hook)));
                }
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
        Blame { guilty: if guilty.is_empty() { in_hooks } else { guilty }, feeds }
    }

    /// Whether a failure that does not count was one of its own, and not only of something inside, and was forgiven
    /// where it stands: what ended for another reason, and a hook of what failed, says nothing more by its failures.
    pub(super) fn is_forgiven(&self, vertex: VertexId) -> bool {
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

    pub(super) fn blamed_by(&self, vertex: VertexId) -> impl Iterator<Item = VertexId> + '_ {
        let edges = self.plan.predecessors.of(vertex).iter();
        edges.filter(|edge| edge.kind.is_waited_for()).map(|edge| edge.other)
    }

    /// Whose a vertex is: an instance's, or that of a task whose set stands around its instances.
    pub(super) fn owner_label(&self, vertex: VertexId) -> Option<Arc<TaskLabel>> {
        if let Vertex::Leaf(leaf) = self.plan.vertices[vertex.index()] {
            return Some(self.label(self.plan.leaf(leaf).instance));
        }
        if let Some(instance) = self.plan.instance_around(vertex) {
            return Some(self.label(instance));
        }
        let inside = self.plan.outward(self.plan.scope_of(vertex)?).find_map(|id| self.plan.instance_in(id))?;
        Some(self.plan.task_of(inside).label.clone())
    }

    pub(super) fn culprit(&self, vertex: VertexId) -> Option<Culprit> {
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
                    step: Some(Arc::new(self.step_label(leaf))),
                    job: Some(*job),
                    code: match failure {
                        Failure::Command(_) => end.outcome.code(),
                        _ => 1,
                    },
                    verdict: verdict_of(&end.outcome).unwrap_or(Verdict::Failed(failure)),
                })
            }
            Vertex::Exit(_) if self.complaints.contains_key(&vertex) => {
                let why = &self.complaints[&vertex];
                Some(Culprit { owner, step: None, job: None, verdict: why.verdict(), code: why.code() })
            }
            Vertex::Exit(scope) => {
                let timeout = self.plan.scope(scope).timeout.unwrap_or_default();
                let range = self.plan.scope(scope).vertices.clone();
                let running = range.map(VertexId).find(|inner| {
                    self.end[inner.index()] == Some(End::Cancelled(Reason::Timeout)) && self.ends.contains_key(inner)
                });
                let step = running.and_then(|inner| match self.plan.vertices[inner.index()] {
                    Vertex::Leaf(leaf) => Some(Arc::new(self.step_label(leaf))),
                    _ => None,
                });
                let job = running.and_then(|inner| self.ends.get(&inner)).map(|(job, _)| *job);
                Some(Culprit { owner, step, job, verdict: Verdict::TimedOut(timeout), code: 124 })
            }
            _ => None,
        }
    }
}
