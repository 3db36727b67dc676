//! A stage for single runs, on which nothing happens by itself.

use std::sync::Arc;
use std::time::Duration;

use crate::base::command::Outcome;
use crate::base::event::{Event, JobId, Level, Reason};
use crate::plan::Request;
use crate::plan::graph::Plan;
use crate::plan::ids::ScopeId;
use crate::run::scheduler::{Action, Input, JobEnd, Scheduler, TimerKey};
use crate::run::testing::plan_of_text_with;

/// A run whose every move is made by hand. What the scheduler says is kept as words: `start a`, `kill a`, `end 0`.
pub(super) struct Stage {
    pub(super) plan: Arc<Plan>,
    pub(super) scheduler: Scheduler,
    pub(super) now: Duration,
    pub(super) running: Vec<(Arc<str>, JobId)>,
    /// What each that was started had waited for, in milliseconds: for others, for a slot, for a limit.
    pub(super) waited: Vec<[u128; 3]>,
    pub(super) timers: Vec<(Duration, TimerKey)>,
}

impl Stage {
    /// The tasks asked for, side by side, and what they begin with.
    pub(super) fn begin(text: &str, tasks: &[&str]) -> (Self, Vec<String>) {
        Self::begin_with(text, tasks, |_| ())
    }

    /// The same, where something else is asked for too.
    pub(super) fn begin_with(text: &str, tasks: &[&str], change: impl FnOnce(&mut Request)) -> (Self, Vec<String>) {
        let plan = Arc::new(plan_of_text_with(text, tasks, change));
        let scheduler = Scheduler::new(plan.clone());
        let mut stage =
            Self { plan, scheduler, now: Duration::ZERO, running: Vec::new(), waited: Vec::new(), timers: Vec::new() };
        let said = stage.step(Input::Begin);
        (stage, said)
    }

    pub(super) fn step(&mut self, input: Input) -> Vec<String> {
        let mut actions = Vec::new();
        self.scheduler.step(self.now, input, &mut actions);
        let mut said = Vec::new();
        for action in actions {
            match action {
                Action::Start { job, leaf, waits, .. } => {
                    self.waited.push([waits.dependency, waits.slot, waits.limit].map(|time| time.as_millis()));
                    let text = self.plan.command(leaf).text.clone();
                    said.push(format!("start {text}"));
                    self.running.push((text, job));
                }
                Action::Stop { job, level, .. } => {
                    let word = if level == Level::Soft { "stop" } else { "kill" };
                    said.push(format!("{word} {}", self.text(job)));
                }
                Action::SetTimer(key, at) => self.timers.push((at, key)),
                Action::Decided(..) => said.push("decided".to_owned()),
                Action::Emit(Event::RunFinished { code, .. }) => said.push(format!("end {code}")),
                _ => {}
            }
        }
        said
    }

    pub(super) fn text(&self, job: JobId) -> Arc<str> {
        self.running.iter().find(|(_, other)| *other == job).map(|(text, _)| text.clone()).expect("it runs")
    }

    /// Tells that the process of a step runs.
    pub(super) fn runs(&mut self, text: &str) {
        let (_, job) = self.running.iter().find(|(other, _)| **other == *text).cloned().expect("it was started");
        assert_eq!(self.step(Input::Started(job)), [""; 0]);
    }

    pub(super) fn ends(&mut self, text: &str, outcome: Outcome) -> Vec<String> {
        let at = self.running.iter().position(|(other, _)| **other == *text).expect("it was started");
        let (_, job) = self.running.remove(at);
        self.step(Input::Ended(job, JobEnd::plain(outcome)))
    }

    pub(super) fn ok(&mut self, text: &str) -> Vec<String> {
        self.ends(text, Outcome::Exited(0))
    }

    pub(super) fn fails(&mut self, text: &str) -> Vec<String> {
        self.ends(text, Outcome::Exited(3))
    }

    /// The next timer of this kind comes.
    pub(super) fn rings(&mut self, kind: fn(&TimerKey) -> bool) -> Vec<String> {
        let at = self.timers.iter().position(|(_, key)| kind(key)).expect("such a timer was set");
        let (time, key) = self.timers.remove(at);
        self.now = self.now.max(time);
        self.step(Input::Timer(key))
    }

    pub(super) fn cancel(&mut self, level: Level) -> Vec<String> {
        self.step(Input::Cancel(ScopeId::RUN, Reason::Signal(2), level))
    }
}

pub(super) fn timeout(key: &TimerKey) -> bool {
    matches!(key, TimerKey::Timeout(..))
}

pub(super) fn retry(key: &TimerKey) -> bool {
    matches!(key, TimerKey::Retry(..))
}
