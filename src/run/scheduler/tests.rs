//! The scheduler driven by a scripted executor through random plans, and judged.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::judge::{HELD_BY_TIME, Judge};
use super::*;
use crate::base::command::{NotStarted, Outcome};
use crate::base::event::{Event, Level, Reason};
use crate::plan::graph::{Memory, ScopeKind};
use crate::run::testing::{Tape, plan};

/// One random run to its end.
fn drive(bytes: &[u8], failures: usize, cancels: bool) -> Result<(), TestCaseError> {
    let mut tape = Tape::new(bytes);
    let plan = Arc::new(plan(&mut tape));
    let mut scheduler = Scheduler::new(plan.clone());
    let mut judge = Judge {
        plan: &plan,
        running: HashMap::new(),
        result: HashMap::new(),
        late: BTreeMap::new(),
        ended: BTreeSet::new(),
        passed: BTreeSet::new(),
        decided: HashMap::new(),
        services: Default::default(),
        begun: BTreeSet::new(),
        knocking: BTreeSet::new(),
        cancelled: false,
        open: BTreeSet::new(),
        locked: BTreeMap::new(),
        started: 0,
        told: 0,
        totals: HashMap::new(),
        lanes: HashMap::new(),
        renewed: BTreeSet::new(),
        items: HashMap::new(),
    };
    let mut timers: BTreeSet<(Duration, TimerKey)> = BTreeSet::new();
    let mut stopping: HashMap<JobId, Level> = HashMap::new();
    // What will be said of scopes, and which of it nobody wants to know any more.
    let mut answers: BTreeMap<ScopeId, Input> = BTreeMap::new();
    let mut unasked: HashMap<ScopeId, Level> = HashMap::new();
    let mut now = Duration::ZERO;
    let mut finished = None;
    let mut inputs = VecDeque::from([Input::Begin]);
    for _ in 0..10_000 {
        let input = match inputs.pop_front() {
            Some(input) => input,
            None => {
                let mut jobs: Vec<JobId> = judge.running.keys().copied().collect();
                jobs.sort_unstable();
                // A job that ignores signals ends by SIGKILL alone.
                let deaf = |job: &JobId| job.0.is_multiple_of(4) && stopping.get(job) == Some(&Level::Soft);
                jobs.retain(|job| !deaf(job));
                let deaf = |scope: &ScopeId| scope.0.is_multiple_of(4) && unasked.get(scope) == Some(&Level::Soft);
                let asked: Vec<ScopeId> = answers.keys().copied().filter(|scope| !deaf(scope)).collect();
                let timer = timers.first().copied();
                let service = judge.services.asked.first().copied().filter(|_| tape.one_in(3));
                if let Some(service) = service {
                    judge.services.asked.remove(&service);
                    Input::Ready(service)
                } else if cancels && tape.one_in(16) {
                    judge.cancelled = true;
                    let level = if tape.one_in(3) { Level::Kill } else { Level::Soft };
                    Input::Cancel(ScopeId::RUN, Reason::Signal(2), level)
                } else if let (Some((time, key)), true) = (timer, jobs.len() + asked.len() == 0 || tape.one_in(6)) {
                    timers.remove(&(time, key));
                    now = now.max(time);
                    Input::Timer(key)
                } else if !asked.is_empty() && (jobs.is_empty() || tape.one_in(2)) {
                    let scope = asked[tape.pick(asked.len())];
                    unasked.remove(&scope);
                    judge.knocking.remove(&scope);
                    answers.remove(&scope).expect("it is one of these")
                } else if !jobs.is_empty() {
                    now += Duration::from_millis(tape.pick(8) as u64);
                    let job = jobs[tape.pick(jobs.len())];
                    let outcome = if stopping.contains_key(&job) {
                        Outcome::Signalled(15)
                    } else if failures > 0 && tape.one_in(failures) {
                        match tape.pick(4) {
                            0 => Outcome::NotStarted(NotStarted::Scarce("no room".to_owned())),
                            1 => Outcome::Signalled(11),
                            _ => Outcome::Exited(1 + tape.pick(3) as i32),
                        }
                    } else {
                        Outcome::Exited(0)
                    };
                    if matches!(outcome, Outcome::NotStarted(_)) {
                        judge.running.remove(&job);
                    } else {
                        judge.end(job, outcome == Outcome::Exited(0));
                    }
                    stopping.remove(&job);
                    Input::Ended(job, JobEnd::plain(outcome))
                } else {
                    break;
                }
            }
        };
        let (mut actions, mut decisions) = (Vec::new(), Vec::new());
        let mut before = scheduler.end.clone();
        let timed = if let Input::Timer(TimerKey::Timeout(scope, _)) = input { Some(scope) } else { None };
        let ran: Vec<ScopeId> = timed.map(|scope| judge.within(scope, &scheduler)).unwrap_or_default();
        scheduler.step(now, input, &mut actions);
        for (timed, inner) in timed.into_iter().flat_map(|timed| ran.iter().map(move |inner| (timed, *inner))) {
            judge.late.entry(inner).or_insert(timed);
        }
        // The time of one attempt is no matter of the next.
        judge.late.retain(|_, timed| scheduler.scopes[timed.index()].timed_out);
        judge.items_over(&actions)?;
        judge.waits_over(&scheduler);
        // Before the starts of this step: what comes into play in the same step is not waited for.
        judge.began(&scheduler)?;
        for action in actions {
            match action {
                Action::Start { job, leaf, .. } => {
                    judge.start(job, leaf)?;
                    inputs.push_back(Input::Started(job));
                }
                Action::Stop { job, level, .. } => {
                    prop_assert!(judge.running.contains_key(&job), "only what runs is stopped");
                    prop_assert!(stopping.insert(job, level).is_none_or(|before| before < level), "levels only rise");
                }
                Action::SetTimer(key, time) => {
                    timers.insert((time, key));
                }
                Action::Probe(scope) => {
                    let answer = match (scope.0 % 3, plan.scope(scope).memory) {
                        (0, Memory::Whole) => Answer::Fresh { restored: scope.0 % 2 == 0 },
                        (0, _) => Answer::Pass,
                        _ => Answer::Run,
                    };
                    prop_assert!(answers.insert(scope, Input::Probed(scope, Ok(answer))).is_none(), "asked once");
                }
                Action::Claim(scope) => {
                    // Another run has begun it just now, sometimes.
                    let answer = if tape.pick(8) > 5 { Answer::Again } else { Answer::Run };
                    prop_assert!(answers.insert(scope, Input::Probed(scope, Ok(answer))).is_none(), "asked once");
                    judge.knocks(scope, &scheduler)?;
                }
                Action::Settle(scope) => {
                    prop_assert!(answers.insert(scope, Input::Settled(scope)).is_none(), "one question at a time");
                }
                Action::Unask { scope, level, .. } => {
                    prop_assert!(answers.contains_key(&scope), "only what is asked is given up");
                    prop_assert!(unasked.insert(scope, level).is_none_or(|before| before < level), "levels only rise");
                }
                Action::Watch(scope) => prop_assert!(judge.services.asked.insert(scope), "it is asked once"),
                Action::Unwatch(scope) => drop(judge.services.asked.remove(&scope)),
                Action::Feed(feed) => {
                    judge.begins_list(feed);
                    let count = tape.pick(6);
                    let items = (0..count).map(|item| std::sync::Arc::from(item.to_string())).collect();
                    if tape.one_in(12) {
                        inputs.push_back(Input::Unfed(feed, "no list".to_owned()));
                    } else {
                        judge.totals.insert(feed, count);
                        inputs.push_back(Input::Items(feed, items));
                    }
                }
                Action::Open(instance) => judge.begins_anew(instance, &scheduler),
                Action::Close(..) | Action::Give { .. } | Action::Keep(..) | Action::Bound { .. } => {}
                Action::Idle(host) => {
                    let there = |leaf: &LeafId| scheduler.host_of(plan.leaf(*leaf).scope) == Some(host);
                    prop_assert!(!judge.running.values().any(there), "who has no more to do does nothing");
                }
                Action::TryLock(who, parts) => {
                    // Another run holds it, now and then.
                    let answer = if tape.one_in(4) { LockAnswer::Busy } else { LockAnswer::Held };
                    if answer == LockAnswer::Held {
                        prop_assert!(judge.locked.insert(who, parts).is_none(), "it is had once");
                    }
                    inputs.push_back(Input::Locked(who, answer));
                }
                Action::Unlock(who) => prop_assert!(judge.locked.remove(&who).is_some(), "what is given back was had"),
                Action::Decided(scope, child) => {
                    judge.decide(scope, child, &before, &scheduler.end)?;
                    decisions.push((scope, child));
                }
                Action::Forget(anew) => {
                    let live = judge.running.values().any(|leaf| anew.contains(&plan.leaf(*leaf).vertex.0));
                    prop_assert!(!live, "what begins anew has ended");
                }
                Action::Undecided(scope) => {
                    judge.decided.remove(&scope);
                    // It begins anew: how things stood is void too, and who ran then has ended.
                    decisions.retain(|(decided, _)| *decided != scope);
                    plan.children_ends(scope).for_each(|child| judge.forget(child, &mut before));
                }
                Action::Emit(Event::TaskStarted { .. }) => judge.started += 1,
                Action::Emit(Event::TaskFinished { verdict, .. }) => {
                    if !matches!(verdict, crate::base::event::Verdict::Skipped(_)) {
                        judge.told += 1;
                    }
                }
                Action::Emit(Event::RunFinished { code, culprits, .. }) => finished = Some((code, culprits)),
                Action::Emit(_) => {}
                Action::Done => prop_assert!(finished.is_some()),
            }
        }
        for (scope, child) in decisions {
            judge.losers_are_ended(scope, child, &stopping)?;
        }
        if scheduler.is_done() && inputs.is_empty() {
            break;
        }
    }
    prop_assert!(scheduler.is_done(), "it has come to rest, and is not done");
    prop_assert!(judge.running.is_empty() && answers.is_empty(), "nothing outlives the run");
    prop_assert_eq!(judge.started, judge.told, "what begins ends, once");
    judge.choices_ended_well(&scheduler)?;
    prop_assert!(judge.services.asked.is_empty(), "what has ended is asked no more");
    prop_assert!(judge.open.is_empty(), "what is opened is closed");
    for late in inputs.into_iter().filter(|input| matches!(input, Input::Locked(..))) {
        let mut actions = Vec::new();
        scheduler.step(now, late, &mut actions);
        for action in actions {
            let Action::Unlock(who) = action else { panic!("nothing else follows the end: {action:?}") };
            prop_assert!(judge.locked.remove(&who).is_some(), "what is given back was had");
        }
    }
    prop_assert!(judge.locked.is_empty(), "what was had of the machine is given back");
    prop_assert_eq!(scheduler.limits.waiting(), 0);
    for limit in 0..plan.limits.len() {
        let back = plan.limits[limit].kind == HELD_BY_TIME || scheduler.limits.used(LimitId(limit as u32)) == 0;
        prop_assert!(back, "what was held is given back");
    }
    prop_assert!(scheduler.end.iter().all(Option::is_some), "every vertex ends");
    let over = |(phase, vertex): (&Phase, &Vertex)| matches!(vertex, Vertex::Exit(_)) || *phase == Phase::Ended;
    prop_assert!(scheduler.phase.iter().zip(&plan.vertices).all(over));
    let (code, culprits) = finished.expect("it is done");
    // A hook that failed fails a run in which nothing else did; the rest is judged without hooks.
    let hook = plan.scopes.iter().enumerate().any(|(at, scope)| scope.is_hook && judge.hook_failed(ScopeId(at as u32)));
    let well = plan.requested.iter().all(|(_, wait)| judge.met(*wait));
    if judge.cancelled {
        prop_assert_eq!(code, 130);
    } else {
        prop_assert!(code != 0 || well, "the exit code hides nothing");
        prop_assert!(code == 0 || !well || hook, "the exit code makes nothing up: {:?}", culprits);
        prop_assert!(code != 0 || culprits.is_empty());
    }
    Ok(())
}

/// Shown as one line of hexadecimal.
struct Bytes(Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn tape() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..400).prop_map(Bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::base::test_cases() * 8))]

    #[test]
    fn without_failures_everything_runs(bytes in tape()) {
        drive(&bytes.0, 0, false)?;
    }

    #[test]
    fn failures_stop_what_they_should(bytes in tape()) {
        drive(&bytes.0, 5, false)?;
    }

    #[test]
    fn a_run_ends_however_it_is_cancelled(bytes in tape()) {
        drive(&bytes.0, 6, true)?;
    }
}

#[test]
fn the_run_is_the_root() {
    let plan = plan(&mut Tape::new(&[]));
    assert_eq!(plan.scope(ScopeId::RUN).kind, ScopeKind::Run);
    assert_eq!(plan.scopes.iter().filter(|scope| scope.parent.is_none()).count(), 1);
}
