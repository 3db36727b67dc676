use std::sync::Arc;
use std::time::Duration;

use super::{End, Ended, Look, Summary};
use crate::base::command::Outcome;
use crate::base::event::{Counts, Culprit, Failure, JobId, Reason, SkipReason, Verdict};
use crate::report::scripts::{counts, culprit, task};
use crate::report::style::Style;
use crate::report::tail::Tail;

const LOOK: Look = Look { style: Style { on: false }, terminal: false, quiet: false, above: None };

const FAILED: Verdict = Verdict::Failed(Failure::Inside(1));

fn end(culprits: Vec<Culprit>, counts: Counts, code: i32) -> End {
    End { culprits, counts, signal: None, code, duration: Duration::from_millis(250) }
}

fn text(summary: &Summary, end: &End, look: Look) -> String {
    String::from_utf8(summary.text(end, look).unwrap_or_default()).unwrap()
}

fn after_steps(steps: u32) -> Summary {
    let mut summary = Summary::default();
    (0..steps).for_each(|_| summary.step_started());
    summary
}

fn ended(out: &str, err: &str) -> Ended {
    let tail = |text: &str| {
        let mut tail = Tail::default();
        tail.push(text.as_bytes());
        tail
    };
    Ended { duration: Duration::from_millis(7), out: tail(out), err: tail(err) }
}

#[test]
fn a_run_that_went_well() {
    let all_well = end(vec![], counts(5, 0, 0, 0), 0);
    assert_eq!(text(&after_steps(1), &all_well, LOOK), "", "one step says enough itself");
    assert_eq!(text(&after_steps(6), &all_well, LOOK), "✓ 5 tasks in 250ms");
    assert_eq!(text(&after_steps(6), &all_well, Look { quiet: true, ..LOOK }), "");
    let mixed = end(vec![], counts(1, 1, 0, 2), 0);
    assert_eq!(text(&after_steps(2), &mixed, LOOK), "✓ 1 task in 250ms, 1 failed and not counted, 2 skipped");
}

#[test]
fn what_failed_and_what_was_not_run_for_it() {
    let mut summary = after_steps(4);
    summary.step_failed(JobId(1), &task("t"), &FAILED, ended("out\n", ""));
    summary.step_failed(JobId(2), &task("t"), &FAILED, ended("out\n", "one\ntwo\n"));
    let skipped = |needed: &str| Verdict::Skipped(SkipReason::Dependency(needed.into()));
    summary.task_finished(&task("test"), &skipped("build"));
    // The one before it was skipped itself: what counts is the first that failed.
    summary.task_finished(&task("deploy"), &skipped("test"));
    summary.task_finished(&task("lint"), &Verdict::Cancelled(Reason::Failed));
    summary.task_finished(&task("fine"), &Verdict::Ok);
    let end = end(vec![culprit(1, "build", 2), culprit(2, "docs", 3)], counts(1, 2, 1, 2), 1);
    let expected = "\
✗ build: do build (Xecfile.kdl:4)
  exit 2 after 7ms
  │ out
✗ docs: do docs (Xecfile.kdl:4)
  exit 3 after 7ms
  │ one
  │ two
– skipped because `build` failed: test, deploy (2 tasks)
– cancelled: something else failed: lint (1 task)
✗ 2 failed, 1 ok, 2 skipped, 1 cancelled in 250ms; exit code 1";
    assert_eq!(text(&summary, &end, LOOK), expected);
}

#[test]
fn what_is_optional_is_told_apart() {
    let one = end(vec![culprit(1, "build", 2)], counts(1, 3, 0, 0), 2);
    let said = text(&after_steps(4), &one, LOOK);
    assert!(said.ends_with("✗ 1 failed, 2 failed and not counted, 1 ok in 250ms; exit code 2"), "{said}");
}

#[test]
fn what_ended_nobody_knows_how_is_told_apart() {
    let lost = Verdict::Failed(Failure::Command(Outcome::Unknown("the link is gone".into())));
    let lost = Culprit { verdict: lost, ..culprit(1, "build", 255) };
    let all = Counts { unknown: 2, ..counts(1, 4, 0, 0) };
    let said = text(&after_steps(4), &end(vec![lost, culprit(2, "docs", 2)], all, 2), LOOK);
    let expected =
        "✗ 1 failed, 1 of unknown end, 1 failed and not counted, 1 of unknown end and not counted, 1 ok in 250ms";
    assert!(said.ends_with(&format!("{expected}; exit code 2")), "{said}");
}

#[test]
fn a_task_whose_time_was_up_and_a_signal() {
    let late =
        Culprit { step: None, job: None, verdict: Verdict::TimedOut(Duration::from_secs(5)), ..culprit(1, "a", 124) };
    let timed_out = text(&after_steps(1), &end(vec![late], counts(0, 1, 0, 0), 124), LOOK);
    assert_eq!(timed_out, "✗ a (Xecfile.kdl:3)\n  timed out after 5.00s\n✗ 1 failed in 250ms; exit code 124");
    let signalled = End { signal: Some(2), ..end(vec![], counts(1, 0, 1, 0), 130) };
    let said = "✗ ended by SIGINT: 1 ok, 1 cancelled in 250ms; exit code 130";
    assert_eq!(text(&after_steps(1), &signalled, LOOK), said);
}

#[test]
fn last_lines_on_a_terminal_are_cleaned() {
    let mut summary = after_steps(2);
    summary.step_failed(JobId(1), &task("t"), &FAILED, ended("", "\x1b[2J\x1b[31mred\x1b]0;t\nx\r\n"));
    let end = end(vec![culprit(1, "a", 1)], counts(0, 1, 0, 0), 1);
    let shown = text(&summary, &end, Look { terminal: true, ..LOOK });
    assert!(shown.contains("  │ \x1b[31mred\x1b[0m\n  │ x\n"), "{shown:?}");
}

#[test]
fn thousands_of_failures_and_skips_stay_bounded() {
    let mut summary = after_steps(20_000);
    let long = "x".repeat(4000);
    let mut culprits = Vec::new();
    for n in 0..20_000 {
        summary.step_failed(JobId(n), &task("t"), &FAILED, ended(&long, ""));
        culprits.push(culprit(n, "a", 1));
        let needed: Arc<str> = format!("t{n}").into();
        summary.task_finished(&task(&format!("t{}", n + 1)), &Verdict::Skipped(SkipReason::Dependency(needed.clone())));
        summary.task_finished(&task("x"), &Verdict::Skipped(SkipReason::Dependency(format!("x{n}").into())));
    }
    assert!(summary.held <= super::TAILS && summary.ended.len() <= super::TAILS / 64);
    let shown = text(&summary, &end(culprits, counts(0, 20_000, 0, 40_000), 1), LOOK);
    assert!(shown.contains("… and 19980 more failures\n"));
    assert!(shown.contains("– skipped because `t0` failed: t1, t2, t3, t4, t5, 19995 more (20000 tasks)\n"));
    assert!(shown.contains("– for other reasons: 19991 tasks\n"), "{}", &shown[shown.len() - 1500..]);
    assert!(shown.len() < 100_000);
}
