//! `on-progress`: the one hook that goes along with its scope. It is woken whenever so much more of the scope's
//! children has ended, one time after the other: what ends while it runs is told the next time, all at once.

use std::sync::Arc;
use std::time::Duration;

use crate::plan::ids::{ScopeId, VertexId};
use crate::plan::values::Value;
use crate::run::phase::{Phase, Trigger};
use crate::run::scheduler::{Action, End, Scheduler};
use crate::xecfile::model::Share;

/// How far the children of a scope are.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    ended: u32,
    well: u32,
    /// How many there are, if that is known.
    total: Option<u32>,
    /// Since the scope was entered.
    time: Duration,
}

/// What a scope keeps for its hook.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    now: Seen,
    /// What the hook was woken for last.
    told: Seen,
    /// The hook is woken and has not ended: its scope waits for it.
    pub(super) busy: bool,
}

impl Progress {
    /// In another attempt, so many children that went well stay as they are.
    pub(super) fn kept(count: u32) -> Self {
        let now = Seen { ended: count, well: count, ..Seen::default() };
        Self { now, told: now, busy: false }
    }
}

impl Scheduler {
    /// A child has ended.
    pub(super) fn progressed(&mut self, scope: ScopeId, ok: bool, out: &mut Vec<Action>) {
        if self.plan.scope(scope).progress.is_some() {
            let now = &mut self.scopes[scope.index()].progress.now;
            now.ended += 1;
            now.well += u32::from(ok);
            self.tell_progress(scope, out);
        }
    }

    /// Wakes the hook if enough has ended since the last time, or all.
    pub(super) fn tell_progress(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        let Some((hook, every)) = self.plan.scope(scope).progress else { return };
        // Who lent its share begins nothing before it has that again.
        let goes_on = matches!(self.scope_phase(scope), Phase::Running | Phase::Ready | Phase::Draining)
            && self.lent_around(self.plan.scope(scope).enter).is_empty();
        let (enter, exit) = (self.plan.scope(hook).enter, self.plan.scope(hook).exit);
        // One that has failed is not asked again: it is told once.
        let failed = self.end[exit.index()].is_some_and(|end| end != End::Ok);
        let total = self.children_of(scope);
        let state = &mut self.scopes[scope.index()];
        let (now, told) = (state.progress.now, state.progress.told);
        if !goes_on || failed || state.progress.busy || state.body.is_some() || now.ended == told.ended {
            return;
        }
        let whole = total == Some(now.ended);
        let part = match (every, total) {
            (Share::Count(count), _) => count.max(1),
            (share, Some(total)) => share.of(total).max(1),
            (_, None) => return,
        };
        if !whole && now.ended / part == told.ended / part {
            return;
        }
        state.progress.told = Seen { total, time: self.now.saturating_sub(state.entered), ..now };
        state.progress.busy = true;
        if self.end[exit.index()].is_some() {
            let anew: Vec<VertexId> = (enter.0..=exit.0).map(VertexId).collect();
            out.push(Action::Forget(enter.0..exit.0 + 1));
            self.reset(&anew);
        }
        self.shift(enter, Trigger::Demand);
        self.look(enter);
    }

    /// The hook has ended.
    pub(super) fn progress_told(&mut self, scope: ScopeId, hook: ScopeId, out: &mut Vec<Action>) {
        if self.is_progress(scope, hook) {
            self.scopes[scope.index()].progress.busy = false;
            self.tell_progress(scope, out);
            self.lend_at_barrier(scope);
            self.look(self.plan.scope(scope).exit);
        }
    }

    /// Whether that is the hook which goes along with a scope.
    pub(super) fn is_progress(&self, scope: ScopeId, hook: ScopeId) -> bool {
        self.plan.scope(scope).progress.is_some_and(|(progress, _)| progress == hook)
    }

    /// What the hook may know.
    pub(super) fn progress_values(&self, scope: ScopeId) -> Vec<(Arc<str>, Value)> {
        let Seen { ended, well, total, time } = self.scopes[scope.index()].progress.told;
        let rate = f64::from(ended) / time.as_secs_f64().max(0.001);
        let left = total.map(|total| f64::from(total.saturating_sub(ended)) / rate);
        let eta = left.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        [
            ("xec_completed", ended.to_string()),
            ("xec_total", total.map(|total| total.to_string()).unwrap_or_default()),
            ("xec_succeeded", well.to_string()),
            ("xec_failed_count", (ended - well).to_string()),
            ("xec_rate", format!("{rate:.2}")),
            ("xec_eta", eta.map(crate::base::duration::show).unwrap_or_default()),
        ]
        .map(|(name, value)| (Arc::from(name), Value::text(value)))
        .to_vec()
    }
}
