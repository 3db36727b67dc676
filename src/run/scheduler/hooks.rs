//! What follows a scope: which of its hooks is due, and what they may know of it.

use std::sync::Arc;

use crate::base::event::{JobId, Level};
use crate::plan::graph::Vertex;
use crate::plan::ids::{LeafId, ScopeId};
use crate::plan::values::Value;
use crate::run::phase::Phase;
use crate::run::scheduler::state::Failed;
use crate::run::scheduler::{End, Scheduler};

impl Scheduler {
    /// The next hook that is due: after a success, after a failure, after all; none any more once it is killed.
    pub(super) fn next_hook(&mut self, scope: ScopeId, body: End) -> Option<ScopeId> {
        let due = self.due_from(scope, body);
        let state = &mut self.scopes[scope.index()];
        state.stage = due.map_or(self.plan.scope(scope).hooks.len(), |stage| stage + 1);
        due.and_then(|stage| self.plan.scope(scope).hooks[stage])
    }

    /// Whether a scope whose body is over will run one of its hooks.
    pub(super) fn has_hook_due(&self, scope: ScopeId) -> bool {
        let body = self.scopes[scope.index()].body.unwrap_or_else(|| self.judge_body(scope));
        self.due_from(scope, body).is_some()
    }

    /// The first hook that is due once its body came to this.
    pub(super) fn due_from(&self, scope: ScopeId, body: End) -> Option<usize> {
        let state = &self.scopes[scope.index()];
        // A body that had to be killed for its time still gets its hooks; what was killed from above does not.
        let above = state.from_above || state.stage > 0;
        if above && matches!(self.scope_phase(scope), Phase::Cancelling(_, Level::Kill)) {
            return None;
        }
        let hooks = &self.plan.scope(scope).hooks;
        (state.stage..hooks.len()).find(|stage| {
            let due = match stage {
                0 => body == End::Ok,
                1 => matches!(body, End::Failed(_) | End::TimedOut),
                _ => true,
            };
            due && hooks[*stage].is_some()
        })
    }

    /// What a leaf in a hook may know of what it follows; nothing for any other leaf.
    pub fn hook_values(&self, leaf: LeafId, last_errors: &dyn Fn(JobId) -> String) -> Vec<(Arc<str>, Value)> {
        let hook = self.plan.outward(self.plan.leaf(leaf).scope).find(|id| self.plan.scope(*id).is_hook);
        let Some((hook, scope)) = hook.and_then(|hook| Some((hook, self.plan.scope(hook).parent?))) else {
            return Vec::new();
        };
        if self.is_progress(scope, hook) {
            return self.progress_values(scope);
        }
        let status = match self.scopes[scope.index()].body {
            Some(End::Ok) => "success",
            Some(End::Cancelled(_)) => "cancelled",
            _ => "failed",
        };
        let (mut names, mut error): (Vec<Arc<str>>, String) = (Vec::new(), String::new());
        let range = self.plan.scope(scope).vertices.clone();
        for failed in &self.failures {
            let (name, job) = match failed {
                Failed::Here(vertex) if range.contains(&vertex.0) => {
                    let Vertex::Leaf(leaf) = self.plan.vertices[vertex.index()] else { continue };
                    let job = self.ends.get(vertex).map(|(job, _)| *job);
                    (self.label(self.plan.leaf(leaf).instance).instance.clone(), job)
                }
                Failed::Gone(feed, culprit) if range.contains(&self.plan.feed(*feed).vertex.0) => {
                    (culprit.owner.instance.clone(), culprit.job)
                }
                _ => continue,
            };
            if !names.contains(&name) {
                names.push(name);
            }
            if let Some(job) = job {
                error = last_errors(job);
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
}
