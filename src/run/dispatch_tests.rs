//! The dispatcher with a scripted target, in a time that is not the wall's.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use tokio::task::LocalSet;

use super::*;
use crate::base::command::{NotStarted, Outcome};
use crate::base::event::{Failure, Message, Verdict};
use crate::exec::fake::{Act, FakeTarget, What};
use crate::run::testing::{Tape, plan, plan_of, plan_of_text, plan_of_text_with};
use crate::xecfile::model::OnError;
use crate::xecfile::model::{Group, StepKind};

const MS: Duration = Duration::from_millis(1);

fn around() -> Rc<Surroundings> {
    Rc::new(Surroundings {
        env: HashMap::new(),
        dotenv: Vec::new(),
        root: "/".into(),
        run: "test".into(),
        merge: false,
    })
}

/// A run under a paused clock: its ending, and what the report was told.
fn ran(
    plan: Plan,
    target: Rc<FakeTarget>,
    orders: Vec<(Duration, Order)>,
    stopped: Duration,
) -> (Ending, Vec<(Duration, Event)>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let (output, mut messages) = OutputTx::pair();
    let local = LocalSet::new();
    let ending = local.block_on(&runtime, async {
        let (tx, mut rx) = unbounded_channel();
        tokio::task::spawn_local(async move {
            let start = tokio::time::Instant::now();
            for (time, order) in orders {
                tokio::time::sleep_until(start + time).await;
                let _ = tx.send(order);
            }
        });
        let suspend = Box::new(move || -> LocalFuture<'static, ()> { Box::pin(tokio::time::sleep(stopped)) });
        let dir = tempfile::tempdir().unwrap();
        let (plan, around, output, locks) = (Arc::new(plan), around(), output.clone(), Locks::at(dir.path()));
        let (memory, force) = (keep::Memory::None, false);
        let (hosts, standing, pool) = (Rc::new(crate::run::hosts::Nowhere), None, None);
        let dispatch = Dispatch { plan, target, hosts, around, memory, force, output, locks, standing, pool, suspend };
        // Without it, a run that waits for nothing would make the test wait for ever.
        let ended = tokio::time::timeout(Duration::from_secs(1_000_000), run(dispatch, &mut rx)).await;
        ended.expect("every run ends")
    });
    let mut told = Vec::new();
    while let Ok(message) = messages.try_recv() {
        if let Message::Event(at, event) = message {
            told.push((at, event));
        }
    }
    (ending, told)
}

fn times_of(target: &FakeTarget, wanted: impl Fn(&What) -> bool) -> Vec<Duration> {
    let trace = target.trace();
    let start = trace.first().map(|entry| entry.at);
    trace.iter().filter(|entry| wanted(&entry.what)).filter_map(|entry| Some(entry.at - start?)).collect()
}

#[test]
fn a_timeout_then_the_grace_then_the_kill() {
    let plan = plan_of("t", |task| {
        task.settings.timeout = Some(crate::run::testing::at(crate::xecfile::model::Late::Now(50 * MS)));
        task.settings.grace = Some(crate::run::testing::at(crate::xecfile::model::Late::Now(20 * MS)));
    });
    let target = Rc::new(FakeTarget::new(|_, _| Act::ok(9_000 * MS).stubborn()));
    let (ending, _) = ran(plan, target.clone(), Vec::new(), Duration::ZERO);
    assert_eq!(ending.code, 124);
    assert_eq!(times_of(&target, |what| *what == What::Signalled(Signal::End(15))), [50 * MS]);
    assert_eq!(times_of(&target, |what| *what == What::Signalled(Signal::Kill)), [70 * MS]);
}

#[test]
fn the_time_before_the_process_is_there_does_not_count() {
    let plan = plan_of("t", |task| {
        task.settings.timeout = Some(crate::run::testing::at(crate::xecfile::model::Late::Now(50 * MS)))
    });
    let target = Rc::new(FakeTarget::new(|_, _| Act { start: 500 * MS, ..Act::ok(49 * MS) }));
    assert_eq!(ran(plan, target, Vec::new(), Duration::ZERO).0.code, 0);
}

#[test]
fn clocks_stand_still_while_everything_is_stopped() {
    let plan = plan_of("t", |task| {
        task.settings.timeout = Some(crate::run::testing::at(crate::xecfile::model::Late::Now(50 * MS)))
    });
    let target = Rc::new(FakeTarget::new(|_, _| Act::ok(9_000 * MS)));
    let (ending, told) = ran(plan, target.clone(), vec![(20 * MS, Order::Suspend)], 1_000 * MS);
    assert_eq!(ending.code, 124);
    assert_eq!(times_of(&target, |what| *what == What::Signalled(Signal::Stop)), [20 * MS]);
    assert_eq!(times_of(&target, |what| *what == What::Signalled(Signal::Continue)), [1_020 * MS]);
    assert_eq!(times_of(&target, |what| matches!(what, What::Signalled(Signal::End(_)))), [1_050 * MS]);
    let at = |wanted: &Event| told.iter().find(|(_, event)| event == wanted).map(|(at, _)| *at);
    assert_eq!((at(&Event::Suspended), at(&Event::Resumed)), (Some(20 * MS), Some(20 * MS)));
}

#[test]
fn the_first_signal_is_passed_on_and_the_second_kills() {
    let orders = vec![
        (10 * MS, Order::Cancel(Reason::Signal(2), Level::Soft)),
        (15 * MS, Order::Cancel(Reason::Signal(2), Level::Kill)),
    ];
    let target = Rc::new(FakeTarget::new(|_, _| Act::ok(9_000 * MS).stubborn()));
    let (ending, _) = ran(plan_of("t", |_| {}), target.clone(), orders, Duration::ZERO);
    assert_eq!((ending.code, ending.signal), (130, Some(2)));
    assert_eq!(times_of(&target, |what| *what == What::Signalled(Signal::End(2))), [10 * MS]);
    assert_eq!(times_of(&target, |what| *what == What::Signalled(Signal::Kill)), [15 * MS]);
}

#[test]
fn a_signal_that_comes_before_the_process_reaches_it() {
    let orders = vec![(10 * MS, Order::Cancel(Reason::Signal(15), Level::Soft))];
    let target = Rc::new(FakeTarget::new(|_, _| Act { start: 30 * MS, ..Act::ok(9_000 * MS) }));
    let (ending, _) = ran(plan_of("t", |_| {}), target.clone(), orders, Duration::ZERO);
    assert_eq!(ending.code, 143);
    assert_eq!(times_of(&target, |what| *what == What::Signalled(Signal::End(15))), [30 * MS]);
}

#[test]
fn scarcity_halves_the_width_and_fails_nothing() {
    let plan = plan_of("t", |task| {
        let step = task.body[0].clone();
        task.body[0].kind = StepKind::Group(Group::Parallel, vec![step; 12]);
    });
    let room = Rc::new(std::cell::Cell::new(0));
    let asked = room.clone();
    // The second four attempts find no room.
    let target = Rc::new(FakeTarget::new(move |_, _| {
        asked.set(asked.get() + 1);
        match asked.get() {
            5..9 => Act::refused(NotStarted::Scarce("no more processes".to_owned())),
            _ => Act::ok(10 * MS),
        }
    }));
    let (ending, told) = ran(plan, target.clone(), Vec::new(), Duration::ZERO);
    assert_eq!(ending.code, 0);
    assert_eq!(room.get(), 16, "twelve steps, and four that were tried again");
    let widths: Vec<u32> = told
        .iter()
        .filter_map(|(_, event)| if let Event::Scarce { jobs, .. } = event { Some(*jobs) } else { None })
        .collect();
    assert!(!widths.is_empty() && widths.iter().all(|width| *width < 4), "{widths:?}");
    let finished = told.iter().filter(|(_, event)| matches!(event, Event::StepFinished { verdict: Verdict::Ok, .. }));
    assert_eq!(finished.count(), 12);
}

#[test]
fn no_room_at_all_is_a_failure_in_the_end() {
    let target = Rc::new(FakeTarget::new(|_, _| Act::refused(NotStarted::Scarce("none".to_owned()))));
    let (ending, _) = ran(plan_of("t", |_| {}), target, Vec::new(), Duration::ZERO);
    assert_eq!(ending.code, 1);
}

/// The scripts that were asked for, in order.
fn scripts_of(target: &FakeTarget) -> usize {
    target.trace().iter().filter(|entry| entry.what == What::Asked).count()
}

fn said_by(script: &str) -> impl Fn(&crate::base::command::CommandSpec) -> bool + use<> {
    let script = script.to_owned();
    move |spec| format!("{:?}", spec.program).contains(&script)
}

#[test]
fn what_is_asked_ends_with_the_run_and_nothing_more_is_asked() {
    let text = r#"task t { when { run "first"; run "second" }; run "work" }"#;
    for (stubborn, end) in [(false, 10 * MS), (true, 5_010 * MS)] {
        let act = Act::ok(9_000 * MS);
        let target = Rc::new(FakeTarget::new(move |_, _| if stubborn { act.clone().stubborn() } else { act.clone() }));
        let orders = vec![(10 * MS, Order::Cancel(Reason::Signal(2), Level::Soft))];
        let (ending, _) = ran(plan_of_text(text, &["t"]), target.clone(), orders, Duration::ZERO);
        assert_eq!((ending.code, ending.at), (130, end), "it is waited for, for as long as its grace");
        assert_eq!(scripts_of(&target), 1, "the second one is not asked");
    }
}

#[test]
fn a_failure_ends_what_is_asked_beside_it() {
    let text = r#"task t { parallel { run "bad"; sequence { when { run "slow" }; run "work" } } }"#;
    let bad = said_by("bad");
    let target =
        Rc::new(FakeTarget::new(move |spec, _| if bad(spec) { Act::exit(10 * MS, 3) } else { Act::ok(9_000 * MS) }));
    let (ending, _) = ran(plan_of_text(text, &["t"]), target.clone(), Vec::new(), Duration::ZERO);
    assert_eq!((ending.code, ending.at), (3, 10 * MS));
    assert_eq!(times_of(&target, |what| *what == What::Signalled(Signal::End(15))), [10 * MS]);
}

#[test]
fn a_value_is_asked_for_as_long_as_somebody_wants_it() {
    let text = r#"
        let value run="ask"
        task hasty { timeout "5ms"; run "true"; run "hasty $value" }
        task slow { run "slow $value" }
    "#;
    let ask = said_by("ask");
    let target = Rc::new(FakeTarget::new(move |spec, _| if ask(spec) { Act::ok(50 * MS) } else { Act::ok(MS) }));
    let plan = plan_of_text_with(text, &["hasty", "slow"], |request| request.on_error = OnError::Continue);
    let (ending, told) = ran(plan, target.clone(), Vec::new(), Duration::ZERO);
    assert_eq!(ending.code, 124);
    assert_eq!(times_of(&target, |what| matches!(what, What::Signalled(_))), [Duration::ZERO; 0], "nobody is ended");
    let ok = told.iter().filter(|(_, event)| matches!(event, Event::StepFinished { verdict: Verdict::Ok, .. }));
    assert_eq!(ok.count(), 2, "`true` and `slow`");
}

#[test]
fn many_answers_in_a_row_need_no_stack() {
    let steps = "run \"true\" { when { exists \"/none/such\" } }\n".repeat(20_000);
    let target = Rc::new(FakeTarget::new(|_, _| Act::ok(MS)));
    let (ending, _) = ran(
        plan_of_text(
            &format!(
                "task t {{
{steps}}}"
            ),
            &["t"],
        ),
        target,
        Vec::new(),
        Duration::ZERO,
    );
    assert_eq!(ending.code, 0);
}

/// What the report is told, held against the rules that it relies on.
fn judge(told: &[(Duration, Event)], slots: usize) -> Result<(), TestCaseError> {
    let (mut running, mut free, mut seen, mut tasks) = (HashSet::new(), HashSet::new(), HashSet::new(), 0i32);
    let mut last = Duration::ZERO;
    for (at, event) in told {
        prop_assert!(*at >= last, "time goes forward");
        last = *at;
        match event {
            Event::StepStarted { job, slots: held, .. } => {
                prop_assert!(seen.insert(*job), "a name is used once");
                running.insert(*job);
                if *held == 0 {
                    free.insert(*job);
                }
                prop_assert!(running.difference(&free).count() <= slots);
            }
            Event::StepFinished { job, .. } => prop_assert!(running.remove(job), "what runs ends once"),
            Event::TaskStarted { .. } => tasks += 1,
            // A question that cannot be answered fails what has not begun.
            Event::TaskFinished { verdict: Verdict::Failed(Failure::Value(_)) | Verdict::Skipped(_), .. } => {}
            Event::TaskFinished { .. } => tasks -= 1,
            Event::RunFinished { .. } => prop_assert!(false, "the last event is handed back"),
            _ => {}
        }
    }
    prop_assert_eq!((running.len(), tasks), (0, 0), "nothing is left running");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::base::test_cases() * 4))]

    #[test]
    fn every_run_ends_and_is_told_whole(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut tape = Tape::new(&bytes);
        let plan = plan(&mut tape);
        let slots = plan.limits[0].count.unwrap_or(u32::MAX) as usize;
        let mut acts: Vec<Act> = Vec::new();
        for _ in 0..16 {
            let run = MS * tape.pick(90) as u32;
            let act = match tape.pick(8) {
                0 => Act::exit(run, 3),
                1 => Act { outcome: Outcome::Signalled(11), ..Act::ok(run) },
                2 => Act::ok(run).stubborn(),
                3 => Act::refused(NotStarted::Missing("gone".to_owned())),
                4 => Act { start: run, ..Act::ok(run) },
                _ => Act::ok(run),
            };
            acts.push(act);
        }
        let mut orders = Vec::new();
        if tape.one_in(3) {
            let first = MS * tape.pick(60) as u32;
            orders.push((first, Order::Cancel(Reason::Signal(2), Level::Soft)));
            if tape.one_in(2) {
                orders.push((first + MS * tape.pick(9) as u32, Order::Cancel(Reason::Signal(2), Level::Kill)));
            }
        }
        let cancelled = !orders.is_empty();
        let target = Rc::new(FakeTarget::new(move |_, number| acts[number % acts.len()].clone()));
        let (ending, told) = ran(plan, target.clone(), orders, Duration::ZERO);
        judge(&told, slots)?;
        // Questions too: those are counted from the other end of the numbers.
        let jobs = |wanted: fn(&What) -> bool| target.trace().iter().filter(|entry| wanted(&entry.what)).count();
        prop_assert_eq!(jobs(|what| matches!(what, What::Started)), jobs(|what| matches!(what, What::Ended(_))));
        prop_assert!(matches!(ending.finished, Event::RunFinished { .. }), "it ends with that");
        prop_assert!(!cancelled || ending.signal.is_none() || ending.code == 130);
    }
}
