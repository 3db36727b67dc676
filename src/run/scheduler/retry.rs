//! Attempts: whether a scope is tried again, when, and what of it begins anew. A sequence begins anew as a whole,
//! of children side by side only those that failed do.

use std::time::Duration;

use crate::base::event::{Event, Reason};
use crate::plan::graph::{Edge, EdgeKind, Vertex};
use crate::plan::ids::{ScopeId, VertexId};
use crate::run::phase::{Phase, Trigger};
use crate::run::scheduler::feeds::FeedState;
use crate::run::scheduler::progress::Progress;
use crate::run::scheduler::state::Failed;
use crate::run::scheduler::{Action, Closing, End, Scheduler, ScopeState, TimerKey};
use crate::xecfile::model::{Backoff, Retry};

impl Scheduler {
    /// If a body failed that may be tried again, it will be; nobody around it hears of the failure.
    pub(super) fn try_again(&mut self, scope: ScopeId, body: End, out: &mut Vec<Action>) -> bool {
        let Some(retry) = self.plan.scope(scope).retry else { return false };
        let state = &self.scopes[scope.index()];
        let own = match self.scope_phase(scope) {
            Phase::Cancelling(reason, _) => {
                matches!(reason, Reason::Failed | Reason::Timeout | Reason::Decided | Reason::NotReady)
                    && !state.from_above
            }
            _ => !state.from_above,
        };
        if !own
            || state.tries > retry.times
            || !matches!(body, End::Failed(_) | End::TimedOut)
            || self.is_unknown(scope)
        {
            return false;
        }
        let pause = pause(retry, state.tries, self.random(scope));
        let (attempt, next) = (state.attempt, state.tries + 1);
        let enter = self.plan.scope(scope).enter;
        self.scopes[scope.index()].last = Some(body);
        self.shift(enter, Trigger::Retry);
        self.close_values(scope, Closing::Again, out);
        if let Some(limit) = self.plan.scope(scope).parent.and_then(|around| self.plan.scope(around).child_token) {
            self.adapt(limit, false);
        }
        self.unwatch(scope, out);
        self.lend(scope);
        if let Some(instance) = self.plan.instance_around(enter) {
            let task = self.plan.instance(instance).label.clone();
            out.push(Action::Emit(Event::Retrying { task, attempt: next, of: retry.times + 1, pause }));
        }
        out.push(Action::SetTimer(TimerKey::Retry(scope, attempt), self.now.saturating_add(pause)));
        true
    }

    /// The set that the end of an instance lies in directly, if that may still be tried again. Nobody outside hears
    /// of a failure there before it is the last one.
    pub(super) fn retrying_set(&self, vertex: VertexId) -> Option<ScopeId> {
        let (Vertex::Exit(_), set) = (self.plan.vertices[vertex.index()], self.plan.owner[vertex.index()]) else {
            return None;
        };
        (self.plan.scope(set).side_by_side && self.may_come_again(set)).then_some(set)
    }

    /// Whether there may yet be another attempt of a scope, should this one fail.
    pub(super) fn may_come_again(&self, scope: ScopeId) -> bool {
        let state = &self.scopes[scope.index()];
        let left = self.plan.scope(scope).retry.is_some_and(|retry| state.tries <= retry.times);
        left && self.scope_phase(scope).is_live() && state.body.is_none() && !state.from_above
    }

    /// A set will not be tried again: what failed in it is told to those who wait for it.
    pub(super) fn say(&mut self, set: ScopeId, out: &mut Vec<Action>) {
        if self.plan.scope(set).retry.is_none() || self.unsaid.is_empty() {
            return;
        }
        self.say_arrivals(set);
        let plan = self.plan.clone();
        for end in plan.children_ends(set) {
            if self.unsaid.remove(&end) {
                let outside = |edge: &&Edge| !plan.scope(set).vertices.contains(&edge.other.0);
                plan.successors.of(end).iter().filter(outside).for_each(|edge| self.failed_edge(end, edge.other, out));
            }
        }
    }

    /// The pause is over: the scope waits for room like any other.
    pub(super) fn retry_is_due(&mut self, scope: ScopeId, attempt: u32) {
        let enter = self.plan.scope(scope).enter;
        if self.phase_of(enter) == Phase::Backoff && self.scopes[scope.index()].attempt == attempt {
            self.stand_in_line(enter);
        }
    }

    /// A scope that waits for its next attempt is ended instead.
    pub(super) fn break_off(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        let enter = self.plan.scope(scope).enter;
        // What it held was given back when the pause began: only for hooks it has to come by it again.
        if !self.has_hook_due(scope) {
            self.leave_the_line(enter);
        }
        self.leave(scope, out);
    }

    /// Whether a scope has given back what it held, and has not got it again: between two attempts, and where the
    /// hooks of one that was broken off there wait for room.
    pub(super) fn is_paused(&self, scope: ScopeId) -> bool {
        let phase = self.scope_phase(scope);
        phase == Phase::Backoff || phase.is_live() && self.queue.contains_key(&self.plan.scope(scope).enter)
    }

    /// The next attempt begins.
    pub(super) fn enter_again(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        let plan = self.plan.clone();
        let this = plan.scope(scope);
        self.shift(this.enter, Trigger::Grant);
        let kept = &self.scopes[scope.index()];
        self.scopes[scope.index()] = ScopeState {
            attempt: kept.attempt + 1,
            tries: kept.tries + 1,
            interest: kept.interest,
            wanted: kept.wanted,
            waits: kept.waits,
            ready: kept.ready,
            entered: kept.entered,
            touched: true,
            opened: true,
            ..ScopeState::default()
        };
        self.undecide(scope, out);
        self.watch(scope, out);
        if let Some(instance) = this.instance() {
            out.push(Action::Open(instance));
        }
        let feed = this.feed.map(|feed| (feed, self.feeds[feed.index()].again(&plan, feed)));
        let (mut anew, mut kept): (Vec<VertexId>, u32) = (Vec::new(), 0);
        for child in plan.children(scope) {
            let inner = plan.scope_of(child);
            let end = inner.map_or(child, |inner| plan.scope(inner).exit);
            if inner.is_some_and(|inner| plan.scope(inner).is_hook) {
                continue;
            }
            if this.side_by_side && this.feed.is_none() && self.satisfies(end) && !self.gate_begins_anew(child) {
                kept += u32::from(inner.is_some() || matches!(plan.vertices[child.index()], Vertex::Leaf(_)));
                continue;
            }
            anew.extend((child.0..=end.0).map(VertexId));
            out.push(Action::Forget(child.0..end.0 + 1));
        }
        anew.push(this.exit);
        self.scopes[scope.index()].progress = Progress::kept(kept);
        self.reset(&anew);
        if let Some((feed, state)) = feed {
            self.feeds[feed.index()] = state;
            self.feed_begins(feed, out);
        }
        anew.into_iter().for_each(|vertex| self.look(vertex));
    }

    pub(super) fn reset(&mut self, anew: &[VertexId]) {
        let plan = self.plan.clone();
        for vertex in anew {
            if plan.vertices[vertex.index()] == Vertex::Arrive && self.is_said(*vertex) {
                self.arrives_again(*vertex);
            }
            if self.end[vertex.index()].take().is_some() {
                self.more_is_left(*vertex);
            }
            self.blamed.remove(vertex);
            self.ends.remove(vertex);
            self.complaints.remove(vertex);
            self.unsaid.remove(vertex);
            match plan.vertices[vertex.index()] {
                // The phase of a scope stands at its entry; the exit of the one that is tried again is not touched.
                Vertex::Exit(_) => {}
                Vertex::Enter(inner) => {
                    let kept = &self.scopes[inner.index()];
                    self.scopes[inner.index()] =
                        ScopeState { attempt: kept.attempt, interest: kept.interest, ..ScopeState::default() };
                    self.phase[vertex.index()] = if plan.scope(inner).is_hook || plan.scope(inner).is_lane {
                        Phase::Dormant
                    } else {
                        Phase::Waiting
                    };
                }
                Vertex::Feed(feed) => {
                    self.phase[vertex.index()] = Phase::Waiting;
                    self.feeds[feed.index()] = FeedState::new(&plan, feed);
                }
                Vertex::Barrier(gate) => {
                    self.lost[gate.index()] = 0;
                    self.phase[vertex.index()] = Phase::Waiting;
                }
                _ => self.phase[vertex.index()] = Phase::Waiting,
            }
        }
        anew.iter().for_each(|vertex| self.wait_again(*vertex));
        let (first, last) = (anew.first().copied(), anew.last().copied());
        if let (Some(first), Some(last)) = (first, last) {
            let range = first..=last;
            let (plan, end) = (&self.plan, &self.end);
            self.failures.retain(|failed| match failed {
                Failed::Here(vertex) => !range.contains(vertex) || end[vertex.index()].is_some(),
                Failed::Gone(feed, _) => !range.contains(&plan.feed(*feed).vertex),
            });
        }
    }

    /// A vertex that begins anew waits for those it needs, as far as they have not ended by now.
    fn wait_again(&mut self, vertex: VertexId) {
        let plan = self.plan.clone();
        let waits = plan.predecessors.of(vertex).iter().filter(|edge| {
            let up = edge.kind == EdgeKind::Ready && self.is_up(edge.other);
            edge.kind.is_waited_for() && !up && !self.is_said(edge.other)
        });
        self.pending[vertex.index()] = waits.count() as u32 + self.orders(vertex);
        // What is needed from outside and has failed does not come back.
        let lost = plan.predecessors.of(vertex).iter().find(|edge| {
            let needed = edge.kind.is_waited_for() && edge.kind != EdgeKind::Settled;
            // A service that has ended is of no use, however well it did.
            let gone = edge.kind == EdgeKind::Ready && self.end[edge.other.index()] == Some(End::Ok);
            gone || needed && self.is_said(edge.other) && !self.satisfies(edge.other)
        });
        if let Some(edge) = lost {
            self.blamed.insert(vertex, edge.other);
        }
    }

    /// How many a vertex comes after of those that are in play now, which may not be those of the last attempt.
    fn orders(&mut self, vertex: VertexId) -> u32 {
        let plan = self.plan.clone();
        let mut count = 0;
        for edge in plan.predecessors.of(vertex).iter().filter(|edge| edge.kind == EdgeKind::Order) {
            let dormant = plan.scope_of(edge.other).is_none_or(|scope| self.scope_phase(scope) == Phase::Dormant);
            if dormant || self.end[edge.other.index()].is_some() {
                self.counted.remove(&(edge.other, vertex));
            } else {
                self.counted.insert((edge.other, vertex));
                count += 1;
            }
        }
        count
    }

    /// Whether something has ended, and those who wait for it have been told.
    fn is_said(&self, vertex: VertexId) -> bool {
        self.end[vertex.index()].is_some() && !self.unsaid.contains(&vertex)
    }

    /// The nearest scope around a gate that may be tried again.
    pub(super) fn retrying_around(&self, gate: VertexId) -> Option<ScopeId> {
        let mut at = self.plan.scope_of(gate).and_then(|scope| self.plan.scope(scope).retried_parent);
        while let Some(id) = at {
            if self.scope_phase(id).is_live() && self.scopes[id.index()].body.is_none() {
                return Some(id);
            }
            at = self.plan.scope(id).retried_parent;
        }
        None
    }

    /// Which attempt a leaf belongs to: that of the nearest scope that can be tried again.
    pub(super) fn attempt_around(&self, scope: ScopeId) -> u32 {
        let this = self.plan.scope(scope);
        let mut retried = if this.retry.is_some() { Some(scope) } else { this.retried_parent };
        // What goes on from item to item begins anew too, but that is no new attempt.
        while let Some(id) = retried.filter(|id| self.plan.scope(*id).retry.is_none()) {
            retried = self.plan.scope(id).retried_parent;
        }
        retried.map_or(1, |id| self.scopes[id.index()].tries)
    }

    /// Whether something in a scope that fails now may be tried again, by the scope or one around it.
    pub(super) fn may_be_tried_again(&self, scope: ScopeId) -> bool {
        let this = self.plan.scope(scope);
        let mut at = if this.retry.is_some() { Some(scope) } else { this.retried_parent };
        while let Some(id) = at {
            let state = &self.scopes[id.index()];
            if self.plan.scope(id).retry.is_some_and(|retry| state.tries <= retry.times) && !state.from_above {
                return true;
            }
            at = self.plan.scope(id).retried_parent;
        }
        false
    }

    /// A number that differs from scope to scope, attempt to attempt and run to run.
    fn random(&self, scope: ScopeId) -> u64 {
        let attempt = u64::from(self.scopes[scope.index()].attempt);
        self.number(u64::from(scope.0) << 32 | attempt)
    }

    /// A number that differs from key to key and run to run (the finalizer of SplitMix64).
    pub(super) fn number(&self, key: u64) -> u64 {
        let mut mixed = self.seed ^ key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// How long to wait after so many attempts.
fn pause(retry: Retry, tries: u32, random: u64) -> Duration {
    let grown = match retry.backoff {
        Backoff::Fixed => retry.delay,
        Backoff::Linear => retry.delay.saturating_mul(tries),
        Backoff::Exponential => {
            retry.delay.saturating_mul(1u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX))
        }
    };
    let pause = retry.max.map_or(grown, |max| grown.min(max));
    if !retry.jitter {
        return pause;
    }
    let part = (random % 1024) as u32;
    pause - pause / 2 * part / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_as_they_should() {
        let second = Duration::from_secs(1);
        let retry = |backoff| Retry { times: 5, delay: second, backoff, max: Some(second * 6), jitter: false };
        let all = |backoff| (1..=4).map(|tries| pause(retry(backoff), tries, 0).as_secs()).collect::<Vec<_>>();
        assert_eq!(all(Backoff::Fixed), [1, 1, 1, 1]);
        assert_eq!(all(Backoff::Linear), [1, 2, 3, 4]);
        assert_eq!(all(Backoff::Exponential), [1, 2, 4, 6]);
        let shaken = Retry { jitter: true, ..retry(Backoff::Fixed) };
        for random in [0, 1, 511, 1023, u64::MAX] {
            let pause = pause(shaken, 1, random);
            assert!(pause > second / 2 - Duration::from_millis(1) && pause <= second);
        }
        assert_eq!(pause(Retry { max: None, ..retry(Backoff::Exponential) }, 40, 0), second * u32::MAX);
    }
}
