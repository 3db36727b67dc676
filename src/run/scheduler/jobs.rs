//! Jobs: what their starts, ends and timers mean.

use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::base::command::{NotStarted, Outcome};
use crate::base::event::{Event, Failure, JobId, Level, Reason, Verdict};
use crate::plan::ids::{LeafId, LimitId, ScopeId};
use crate::run::phase::{Phase, Trigger};
use crate::run::scheduler::hosts::verdict_of;
use crate::run::scheduler::{Action, End, Input, JobEnd, Queue, Scheduler, TimerKey};

/// How often a leaf is tried again when there is no room even for it alone.
const STARVED_MAX: u32 = 8;

impl Scheduler {
    /// A process runs: from here on the time of all around it counts that has not begun to.
    pub(super) fn job_started(&mut self, job: JobId, out: &mut Vec<Action>) {
        let Some(live) = self.jobs.get_mut(&job) else { return };
        live.started = Some(self.now);
        let leaf = self.plan.leaf(live.leaf);
        let mut timed = Some(leaf.scope);
        while let Some(id) = timed {
            let scope = self.plan.scope(id);
            let state = &mut self.scopes[id.index()];
            if let Some(limit) = scope.timeout {
                // Whoever armed this one has armed all around it.
                if std::mem::replace(&mut state.armed, true) {
                    return;
                }
                out.push(Action::SetTimer(TimerKey::Timeout(id, state.attempt), self.now.saturating_add(limit)));
            }
            timed = scope.timed_parent;
        }
    }

    pub(super) fn timer(&mut self, key: TimerKey, out: &mut Vec<Action>) {
        match key {
            TimerKey::Timeout(scope, attempt) => {
                // Hooks are outside of the time of what they follow, and so are pauses.
                let body = self.scope_phase(scope).is_live() && self.scopes[scope.index()].body.is_none();
                let live = body && !matches!(self.scope_phase(scope), Phase::Cancelling(..) | Phase::Backoff);
                if live && self.scopes[scope.index()].attempt == attempt {
                    self.scopes[scope.index()].timed_out = true;
                    self.cancel(scope, Reason::Timeout, Level::Soft, out);
                }
            }
            TimerKey::Feed(feed) => self.pull(feed, out),
            TimerKey::Grace(job) => {
                let Some(leaf) = self.jobs.get(&job).map(|live| live.leaf) else { return };
                let vertex = self.plan.leaf(leaf).vertex;
                if let Phase::Cancelling(reason, Level::Soft) = self.phase_of(vertex) {
                    self.shift(vertex, Trigger::Cancel(reason, Level::Kill));
                    out.push(Action::Stop { job, reason, level: Level::Kill });
                }
            }
            TimerKey::Ready(scope, attempt) => self.not_ready(scope, attempt, out),
            TimerKey::Question(scope, number) => self.question_is_late(scope, number, out),
            TimerKey::Wait(job) => self.job_ended(job, JobEnd::plain(Outcome::Exited(0)), out),
            TimerKey::Retry(scope, attempt) => self.retry_is_due(scope, attempt),
            TimerKey::Pause(gate, attempt) => self.gate_opens(gate, attempt),
            TimerKey::Limit(limit) => self.limit_opens(limit),
            TimerKey::Room(leaf) => {
                let vertex = self.plan.leaf(leaf).vertex;
                if self.phase_of(vertex) == Phase::Queued && self.queue.contains_key(&vertex) {
                    self.ask(vertex);
                }
            }
        }
    }

    pub(super) fn job_ended(&mut self, job: JobId, mut end: JobEnd, out: &mut Vec<Action>) {
        let Some(live) = self.jobs.remove(&job) else { return };
        let (leaf, vertex) = (live.leaf, self.plan.leaf(live.leaf).vertex);
        self.live.remove(&leaf);
        self.vacate(leaf);
        self.scopes[self.plan.leaf(leaf).scope.index()].open -= 1;
        if let (Outcome::NotStarted(NotStarted::Scarce(why)), Phase::Running) = (&end.outcome, self.phase_of(vertex)) {
            let why = why.clone();
            if self.make_room(leaf, live.queue, why, out) {
                return;
            }
        } else if end.outcome == Outcome::Exited(0) {
            self.widen();
        }
        if !end.leaked.is_empty() {
            out.push(Action::Emit(Event::StepLeaked { job, holders: end.leaked.clone() }));
        }
        if let Phase::Cancelling(Reason::NotReady, _) = self.phase_of(vertex) {
            end.bad_value = self.plan.leaf(leaf).service.map(|service| self.too_late(service));
        }
        let (how, verdict) = self.judge(leaf, &end);
        if let End::Failed(_) = how {
            self.lose_host(leaf, &end);
        }
        let (step, usage) = (std::sync::Arc::new(self.step_label(leaf)), end.usage);
        let duration = self.now.saturating_sub(live.started.unwrap_or(self.now));
        out.push(Action::Emit(Event::StepFinished { job, step, verdict, duration, usage }));
        let slot = self.plan.leaf(leaf).slot && self.host_of(self.plan.leaf(leaf).scope).is_none();
        if slot && matches!(how, End::Ok | End::Failed(_)) {
            self.adapt(LimitId::SLOTS, how == End::Ok);
        }
        if how == End::Ok {
            if slot {
                self.took.insert(leaf, duration);
            }
            self.lane_made(leaf, &end);
        } else {
            self.ends.insert(vertex, (job, end));
        }
        self.finish(vertex, how);
        self.adapt_to(self.plan.leaf(leaf).scope, vertex);
        self.release(vertex);
        let exit = self.plan.scope(self.plan.leaf(leaf).scope).exit;
        self.look(exit);
    }

    /// How long the commands took that succeeded; of a lane, what it did last.
    pub fn take_durations(&mut self) -> FxHashMap<LeafId, Duration> {
        std::mem::take(&mut self.took)
    }

    /// What an end of a job means. Once we have sent it a signal, not even exit 0 is a success: nobody knows
    /// whether it did all that it should.
    fn judge(&self, leaf: LeafId, end: &JobEnd) -> (End, Verdict) {
        if let Phase::Cancelling(reason, _) = self.phase_of(self.plan.leaf(leaf).vertex) {
            let service = self.plan.leaf(leaf).service;
            match (reason, &end.bad_value) {
                // Our own word to a service that nobody needs any more is no failure of it.
                (Reason::Unneeded, _) if service.is_some_and(|scope| self.scopes[scope.index()].ready) => {
                    return (End::Ok, Verdict::Ok);
                }
                (Reason::NotReady, Some(why)) => return (End::Failed(1), Verdict::Failed(Failure::Value(why.clone()))),
                _ => {}
            }
            let verdict = match (reason, self.time_of(leaf)) {
                (Reason::Timeout, Some(limit)) => Verdict::TimedOut(limit),
                _ => Verdict::Cancelled(reason),
            };
            return (End::Cancelled(reason), verdict);
        }
        if let Some(why) = &end.bad_value {
            return (End::Failed(1), Verdict::Failed(Failure::Value(why.clone())));
        }
        match (&end.outcome, end.capture_overflow) {
            (_, Some(cap)) => (End::Failed(1), Verdict::Failed(Failure::CaptureTooLarge(cap))),
            (Outcome::Exited(0), None) => (End::Ok, Verdict::Ok),
            (outcome, None) => {
                let verdict = verdict_of(outcome).unwrap_or_else(|| Verdict::Failed(Failure::Command(outcome.clone())));
                (End::Failed(outcome.code()), verdict)
            }
        }
    }

    /// The timeout that ended a leaf: the nearest one around it that has run out.
    fn time_of(&self, leaf: LeafId) -> Option<Duration> {
        let mut scope: Option<ScopeId> = Some(self.plan.leaf(leaf).scope);
        while let Some(id) = scope {
            if self.scopes[id.index()].timed_out {
                return self.plan.scope(id).timeout;
            }
            scope = self.plan.scope(id).timed_parent;
        }
        None
    }

    /// Scarcity is no failure: from now on half as many at once, and this one again when another has ended, or
    /// after a while if it is alone. False when it has been tried often enough.
    fn make_room(&mut self, leaf: LeafId, mut queue: Queue, why: String, out: &mut Vec<Action>) -> bool {
        let vertex = self.plan.leaf(leaf).vertex;
        let others = self.jobs.len() as u32;
        if others == 0 && queue.starved >= STARVED_MAX {
            return false;
        }
        self.shift(vertex, Trigger::Scarce);
        self.narrow(others, why, out);
        self.release(vertex);
        queue.since = self.now;
        if others == 0 {
            let pause = Duration::from_millis(20 << queue.starved.min(6));
            queue.starved += 1;
            self.queue.insert(vertex, queue);
            out.push(Action::SetTimer(TimerKey::Room(leaf), self.now + pause));
        } else {
            self.queue.insert(vertex, queue);
            self.ask(vertex);
        }
        true
    }

    /// For who drives the scheduler without a process layer: every live job ends as lost.
    pub fn lose_all(&mut self, now: Duration, out: &mut Vec<Action>) {
        let mut jobs: Vec<JobId> = self.live_jobs().collect();
        jobs.sort_unstable();
        for job in jobs {
            let end = JobEnd::plain(Outcome::Unknown("the process layer is gone".to_owned()));
            self.step(now, Input::Ended(job, end), out);
        }
    }
}
