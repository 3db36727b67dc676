//! Widths that follow what becomes of those who hold them.

use std::sync::Arc;
use std::time::Duration;

use crate::base::command::Outcome;
use crate::base::event::JobId;
use crate::plan::graph::Plan;
use crate::plan::ids::FeedId;
use crate::run::scheduler::{Action, Input, JobEnd, Scheduler};
use crate::run::testing::{at, now, plan_of, plan_of_text_with};
use crate::xecfile::model::{Group, Late, OnError, StepKind, Width};

/// A scheduler by hand: what runs, and an end for one of it.
struct Hand {
    scheduler: Scheduler,
    running: Vec<JobId>,
    /// How many lanes were given an item.
    given: usize,
}

impl Hand {
    fn new(plan: Plan) -> Self {
        let mut hand = Self { scheduler: Scheduler::new(Arc::new(plan)), running: Vec::new(), given: 0 };
        hand.step(Input::Begin);
        hand
    }

    fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        self.scheduler.step(Duration::ZERO, input, &mut out);
        let started =
            out.iter().filter_map(|action| if let Action::Start { job, .. } = action { Some(*job) } else { None });
        self.running.extend(started);
        self.given += out.iter().filter(|action| matches!(action, Action::Give { .. })).count();
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

/// As many items as there is room for are in work: the others wait in the list, in their order.
#[test]
fn lanes_follow_the_width_of_the_slots() {
    let text = r#"
        task find { run "find" capture=found; call each found="${found}" }
        task each { param found; matrix { x from="${found}" }; run "one"; run "two" }
    "#;
    let plan = plan_of_text_with(text, &["find"], |request| {
        (request.slots, request.cpus) = (Some(Width::Adaptive { min: 1, max: Some(3) }), 1);
    });
    let mut hand = Hand::new(plan);
    assert_eq!(hand.end(0), 0);
    hand.step(Input::Items(FeedId(0), (0..6).map(|item| item.to_string().into()).collect()));
    assert_eq!((hand.running.len(), hand.given), (2, 2), "one more than at first, since `find` went well");
    assert_eq!((hand.end(0), hand.given), (3, 3), "another one began with room for it, and the first goes on");
    assert_eq!((hand.end(1), hand.given), (2, 3), "half of it, and nothing new");
    assert_eq!((hand.end(0), hand.given), (1, 3));
}
