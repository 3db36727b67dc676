//! A run through a random plan, with a scripted executor around it: a tape says what comes next, and the judge sees all.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use crate::base::command::{NotStarted, Outcome};
use crate::base::event::{Culprit, Event, JobId, Level, Reason, Verdict};
use crate::plan::graph::{Memory, Plan, Vertex};
use crate::plan::ids::{FeedId, HostId, LeafId, LimitId, ScopeId, VertexId};
use crate::run::phase::Phase;
use crate::run::scheduler::judge::{HELD_BY_TIME, Judge};
use crate::run::scheduler::{Action, Answer, End, Input, JobEnd, LockAnswer, Scheduler, TimerKey};
use crate::run::testing::{Tape, plan};

/// No run takes more steps.
const STEPS: usize = 10_000;

type Judged = Result<(), TestCaseError>;

/// One random run to its end. One in so many `failures` fails, or none at 0; where it `cancels`, somebody ends it.
pub(super) fn drive(bytes: &[u8], failures: usize, cancels: bool) -> Judged {
    let mut tape = Tape::new(bytes);
    let plan = Arc::new(plan(&mut tape));
    let drive = Drive {
        scheduler: Scheduler::new(plan.clone()),
        judge: Judge::new(&plan),
        plan: &plan,
        tape,
        failures,
        cancels,
        timers: BTreeSet::new(),
        stopping: HashMap::new(),
        answers: BTreeMap::new(),
        unasked: HashMap::new(),
        now: Duration::ZERO,
        inputs: VecDeque::from([Input::Begin]),
        finished: None,
    };
    drive.run()
}

struct Drive<'d> {
    plan: &'d Plan,
    tape: Tape<'d>,
    scheduler: Scheduler,
    judge: Judge<'d>,
    failures: usize,
    cancels: bool,
    timers: BTreeSet<(Duration, TimerKey)>,
    stopping: HashMap<JobId, Level>,
    /// What will be said of scopes, and which of it nobody wants to know any more.
    answers: BTreeMap<ScopeId, Input>,
    unasked: HashMap<ScopeId, Level>,
    now: Duration,
    /// What follows from what the scheduler has said.
    inputs: VecDeque<Input>,
    finished: Option<(i32, Vec<Culprit>)>,
}

/// How things stood before a step, and what it decided.
struct Step {
    before: Vec<Option<End>>,
    decisions: Vec<(ScopeId, VertexId)>,
}

impl Drive<'_> {
    fn run(mut self) -> Judged {
        for _ in 0..STEPS {
            let Some(input) = self.next() else { break };
            self.step(input)?;
            if self.scheduler.is_done() && self.inputs.is_empty() {
                break;
            }
        }
        self.is_over()?;
        self.is_given_back()?;
        // What comes after the end changes nothing.
        self.is_over()?;
        self.has_its_code()
    }

    /// What comes next; nothing when nothing can.
    fn next(&mut self) -> Option<Input> {
        if let Some(input) = self.inputs.pop_front() {
            return Some(input);
        }
        let mut jobs: Vec<JobId> = self.judge.running.keys().copied().collect();
        jobs.sort_unstable();
        // A job that ignores signals ends by SIGKILL alone.
        let deaf = |job: &JobId| job.0.is_multiple_of(4) && self.stopping.get(job) == Some(&Level::Soft);
        jobs.retain(|job| !deaf(job));
        let deaf = |scope: &ScopeId| scope.0.is_multiple_of(4) && self.unasked.get(scope) == Some(&Level::Soft);
        let asked: Vec<ScopeId> = self.answers.keys().copied().filter(|scope| !deaf(scope)).collect();
        let service = self.judge.services.asked.first().copied().filter(|_| self.tape.one_in(3));
        if let Some(service) = service {
            self.judge.services.asked.remove(&service);
            return Some(Input::Ready(service));
        }
        if self.cancels && self.tape.one_in(16) {
            self.judge.cancelled = true;
            let level = if self.tape.one_in(3) { Level::Kill } else { Level::Soft };
            return Some(Input::Cancel(ScopeId::RUN, Reason::Signal(2), level));
        }
        let rings = jobs.len() + asked.len() == 0 || self.tape.one_in(6);
        if let Some((time, key)) = self.timers.first().copied().filter(|_| rings) {
            self.timers.remove(&(time, key));
            self.now = self.now.max(time);
            return Some(Input::Timer(key));
        }
        if !asked.is_empty() && (jobs.is_empty() || self.tape.one_in(2)) {
            let scope = asked[self.tape.pick(asked.len())];
            self.unasked.remove(&scope);
            self.judge.knocking.remove(&scope);
            return self.answers.remove(&scope);
        }
        if jobs.is_empty() {
            return None;
        }
        self.now += Duration::from_millis(self.tape.pick(8) as u64);
        let job = jobs[self.tape.pick(jobs.len())];
        Some(self.end(job))
    }

    /// A job ends, somehow.
    fn end(&mut self, job: JobId) -> Input {
        let outcome = if self.stopping.contains_key(&job) {
            Outcome::Signalled(15)
        } else if self.failures > 0 && self.tape.one_in(self.failures) {
            match self.tape.pick(4) {
                0 => Outcome::NotStarted(NotStarted::Scarce("no room".to_owned())),
                1 => Outcome::Signalled(11),
                _ => Outcome::Exited(1 + self.tape.pick(3) as i32),
            }
        } else {
            Outcome::Exited(0)
        };
        if matches!(outcome, Outcome::NotStarted(_)) {
            self.judge.running.remove(&job);
        } else {
            self.judge.end(job, outcome == Outcome::Exited(0));
        }
        self.stopping.remove(&job);
        Input::Ended(job, JobEnd::plain(outcome))
    }

    fn step(&mut self, input: Input) -> Judged {
        let mut step = Step { before: self.scheduler.end.clone(), decisions: Vec::new() };
        let timed = if let Input::Timer(TimerKey::Timeout(scope, _)) = input { Some(scope) } else { None };
        let ran: Vec<ScopeId> = timed.map(|scope| self.judge.within(scope, &self.scheduler)).unwrap_or_default();
        let mut actions = Vec::new();
        self.scheduler.step(self.now, input, &mut actions);
        for (timed, inner) in timed.into_iter().flat_map(|timed| ran.iter().map(move |inner| (timed, *inner))) {
            self.judge.late.entry(inner).or_insert(timed);
        }
        // The time of one attempt is no matter of the next.
        self.judge.late.retain(|_, timed| self.scheduler.scopes[timed.index()].timed_out);
        self.judge.items_over(&actions)?;
        self.judge.waits_over(&self.scheduler);
        // Before the starts of this step: what comes into play in the same step is not waited for.
        self.judge.began(&self.scheduler)?;
        for action in actions {
            self.act(action, &mut step)?;
        }
        for (scope, child) in step.decisions {
            self.judge.losers_are_ended(scope, child, &self.stopping)?;
        }
        Ok(())
    }

    fn act(&mut self, action: Action, step: &mut Step) -> Judged {
        match action {
            Action::Start { job, leaf, .. } => {
                self.judge.start(job, leaf)?;
                self.inputs.push_back(Input::Started(job));
            }
            Action::Stop { job, level, .. } => {
                prop_assert!(self.judge.running.contains_key(&job), "only what runs is stopped");
                prop_assert!(self.stopping.insert(job, level).is_none_or(|before| before < level), "levels only rise");
            }
            Action::SetTimer(key, time) => drop(self.timers.insert((time, key))),
            Action::Probe(scope) => self.probe(scope)?,
            Action::Claim(scope) => self.claim(scope)?,
            Action::Settle(scope) => self.will_answer(scope, Input::Settled(scope))?,
            Action::Unask { scope, level, .. } => {
                prop_assert!(self.answers.contains_key(&scope), "only what is asked is given up");
                prop_assert!(self.unasked.insert(scope, level).is_none_or(|before| before < level), "levels only rise");
            }
            Action::Watch(scope) => prop_assert!(self.judge.services.asked.insert(scope), "it is asked once"),
            Action::Unwatch(scope) => drop(self.judge.services.asked.remove(&scope)),
            Action::Feed(feed) => self.list(feed),
            Action::Open(instance) => self.judge.begins_anew(instance, &self.scheduler),
            Action::Close(..) | Action::Give { .. } | Action::Keep(..) | Action::Bound { .. } => {}
            Action::Idle(host) => self.is_idle(host)?,
            Action::TryLock(who, parts) => self.try_lock(who, parts)?,
            Action::Unlock(who) => {
                prop_assert!(self.judge.locked.remove(&who).is_some(), "what is given back was had");
            }
            Action::Decided(scope, child) => {
                self.judge.decide(scope, child, &step.before, &self.scheduler.end)?;
                step.decisions.push((scope, child));
            }
            Action::Forget(anew) => {
                let live = self.judge.running.values().any(|leaf| anew.contains(&self.plan.leaf(*leaf).vertex.0));
                prop_assert!(!live, "what begins anew has ended");
            }
            Action::Undecided(scope) => {
                self.judge.decided.remove(&scope);
                // It begins anew: how things stood is void too, and who ran then has ended.
                step.decisions.retain(|(decided, _)| *decided != scope);
                self.plan.children_ends(scope).for_each(|child| self.judge.forget(child, &mut step.before));
            }
            Action::Emit(event) => self.hear(event),
            Action::Done => prop_assert!(self.finished.is_some()),
        }
        Ok(())
    }

    fn probe(&mut self, scope: ScopeId) -> Judged {
        let answer = match (scope.0 % 3, self.plan.scope(scope).memory) {
            (0, Memory::Whole) => Answer::Fresh { restored: scope.0.is_multiple_of(2) },
            (0, _) => Answer::Pass,
            _ => Answer::Run,
        };
        self.will_answer(scope, Input::Probed(scope, Ok(answer)))
    }

    fn claim(&mut self, scope: ScopeId) -> Judged {
        // Another run has begun it just now, sometimes.
        let answer = if self.tape.pick(8) > 5 { Answer::Again } else { Answer::Run };
        self.will_answer(scope, Input::Probed(scope, Ok(answer)))?;
        self.judge.knocks(scope, &self.scheduler)
    }

    fn will_answer(&mut self, scope: ScopeId, answer: Input) -> Judged {
        prop_assert!(self.answers.insert(scope, answer).is_none(), "one question at a time");
        Ok(())
    }

    fn list(&mut self, feed: FeedId) {
        self.judge.begins_list(feed);
        let count = self.tape.pick(6);
        if self.tape.one_in(12) {
            return self.inputs.push_back(Input::Unfed(feed, "no list".to_owned()));
        }
        self.judge.totals.insert(feed, count);
        self.inputs.push_back(Input::Items(feed, (0..count).map(|item| Arc::from(item.to_string())).collect()));
    }

    fn is_idle(&self, host: HostId) -> Judged {
        let there = |leaf: &LeafId| self.scheduler.host_of(self.plan.leaf(*leaf).scope) == Some(host);
        prop_assert!(!self.judge.running.values().any(there), "who has no more to do does nothing");
        Ok(())
    }

    fn try_lock(&mut self, who: VertexId, parts: Vec<(LimitId, u32)>) -> Judged {
        // Another run holds it, now and then.
        let answer = if self.tape.one_in(4) { LockAnswer::Busy } else { LockAnswer::Held };
        if answer == LockAnswer::Held {
            prop_assert!(self.judge.locked.insert(who, parts).is_none(), "it is had once");
        }
        self.inputs.push_back(Input::Locked(who, answer));
        Ok(())
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::TaskStarted { .. } => self.judge.started += 1,
            Event::TaskFinished { verdict, .. } if !matches!(verdict, Verdict::Skipped(_)) => self.judge.told += 1,
            Event::RunFinished { code, culprits, .. } => self.finished = Some((code, culprits)),
            _ => {}
        }
    }

    /// All that began has ended.
    fn is_over(&self) -> Judged {
        prop_assert!(self.scheduler.is_done(), "it has come to rest, and is not done");
        prop_assert!(self.judge.running.is_empty() && self.answers.is_empty(), "nothing outlives the run");
        prop_assert_eq!(self.judge.started, self.judge.told, "what begins ends, once");
        self.judge.choices_ended_well(&self.scheduler)?;
        prop_assert!(self.judge.services.asked.is_empty(), "what has ended is asked no more");
        prop_assert!(self.judge.open.is_empty(), "what is opened is closed");
        prop_assert!(self.scheduler.end.iter().all(Option::is_some), "every vertex ends");
        let over = |(phase, vertex): (&Phase, &Vertex)| matches!(vertex, Vertex::Exit(_)) || *phase == Phase::Ended;
        prop_assert!(self.scheduler.phase.iter().zip(&self.plan.vertices).all(over));
        Ok(())
    }

    /// All that was held is free, what is only had after the end included.
    fn is_given_back(&mut self) -> Judged {
        let inputs = std::mem::take(&mut self.inputs);
        for late in inputs.into_iter().filter(|input| matches!(input, Input::Locked(..))) {
            let mut actions = Vec::new();
            self.scheduler.step(self.now, late, &mut actions);
            for action in actions {
                let Action::Unlock(who) = action else { panic!("nothing else follows the end: {action:?}") };
                prop_assert!(self.judge.locked.remove(&who).is_some(), "what is given back was had");
            }
        }
        prop_assert!(self.judge.locked.is_empty(), "what was had of the machine is given back");
        let limits = &self.scheduler.limits;
        prop_assert_eq!(limits.waiting(), 0);
        for (limit, at) in self.plan.limits.iter().zip(0..) {
            let back = limit.kind == HELD_BY_TIME || limits.used(LimitId(at)) == 0;
            prop_assert!(back, "what was held is given back");
        }
        Ok(())
    }

    /// The exit code says how it went.
    fn has_its_code(self) -> Judged {
        let (code, culprits) = self.finished.expect("it is done");
        // A hook that failed fails a run in which nothing else did; the rest is judged without hooks.
        let failed = |at: usize| self.judge.hook_failed(ScopeId(at as u32));
        let hook = self.plan.scopes.iter().enumerate().any(|(at, scope)| scope.is_hook && failed(at));
        let well = self.plan.requested.iter().all(|(_, wait)| self.judge.met(*wait));
        if self.judge.cancelled {
            prop_assert_eq!(code, 130);
        } else {
            prop_assert!(code != 0 || well, "the exit code hides nothing");
            prop_assert!(code == 0 || !well || hook, "the exit code makes nothing up: {:?}", culprits);
            prop_assert!(code != 0 || culprits.is_empty());
        }
        Ok(())
    }
}
