//! Widths that follow what becomes of those who hold them.

use std::sync::Arc;
use std::time::Duration;

use crate::base::command::Outcome;
use crate::base::event::JobId;
use crate::plan::graph::Plan;
use crate::run::scheduler::{Action, Input, JobEnd, Scheduler};
use crate::run::testing::{at, now, plan_of};
use crate::xecfile::model::{Group, Late, OnError, StepKind, Width};

/// A scheduler by hand: what runs, and an end for one of it.
struct Hand {
    scheduler: Scheduler,
    running: Vec<JobId>,
}

impl Hand {
    fn new(plan: Plan) -> Self {
        let mut hand = Self { scheduler: Scheduler::new(Arc::new(plan)), running: Vec::new() };
        hand.step(Input::Begin);
        hand
    }

    fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        self.scheduler.step(Duration::ZERO, input, &mut out);
        let started =
            out.iter().filter_map(|action| if let Action::Start { job, .. } = action { Some(*job) } else { None });
        self.running.extend(started);
    }

    /// The first that runs ends with this code; says how many run then.
    fn end(&mut self, code: i32) -> usize {
        let job = self.running.remove(0);
        self.step(Input::Ended(job, JobEnd::plain(Outcome::Exited(code))));
        self.running.len()
    }
}

fn many(jobs: Width) -> Plan {
    plan_of("t", |task| {
        let step = task.body[0].clone();
        task.body[0].kind = StepKind::Group(Group::Parallel, vec![step; 40]);
        task.body[0].settings.jobs = now(jobs);
        task.body[0].settings.on_error = Some(at(OnError::Continue));
    })
}

#[test]
fn one_more_after_a_success_and_half_after_a_failure() {
    let mut hand = Hand::new(many(Width::Adaptive { min: 1, max: Some(4) }));
    assert_eq!(hand.running.len(), 1, "it begins with the fewest");
    assert_eq!([0, 0, 0, 0, 0].map(|code| hand.end(code)), [2, 3, 4, 4, 4], "up to the most");
    assert_eq!(hand.end(1), 3, "there is room for two now, and three run");
    assert_eq!([1, 1, 1].map(|code| hand.end(code)), [2, 1, 1], "never less than the fewest");
    assert_eq!(hand.end(0), 2);
}

#[test]
fn a_late_width_adapts_too() {
    let text = Late::Text(crate::base::value::Template::parse("${env.NONE:-adaptive}").expect("a template"));
    let plan = plan_of("t", |task| {
        let step = task.body[0].clone();
        task.body[0].kind = StepKind::Group(Group::Parallel, vec![step; 9]);
        task.body[0].settings.jobs = Some(at(text));
    });
    let mut hand = Hand::new(plan);
    assert_eq!([hand.running.len(), hand.end(0), hand.end(0)], [1, 2, 3]);
}
