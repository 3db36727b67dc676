//! Single runs, step by step: what random ones found once, and what is easier to read than to describe.

use super::*;
use crate::base::command::Outcome;
use crate::base::event::Level;
use crate::plan::Request;
use crate::run::scheduler::stage::{Stage, retry, timeout};
use crate::xecfile::model::OnError;

const NOTHING: [&str; 0] = [];

#[test]
fn who_waits_for_one_member_hears_of_its_last_attempt_only() {
    let text = r#"
        task set { matrix timeout="5ms" retry=1 { x a }; run "work" }
        task next { needs set x=a; run "next" }
    "#;
    let (mut stage, said) = Stage::begin(text, &["next"]);
    assert_eq!(said, ["start work"]);
    stage.runs("work");
    assert_eq!(stage.rings(timeout), ["stop work"]);
    assert_eq!(stage.ends("work", Outcome::Signalled(15)), NOTHING, "there is another attempt");
    assert_eq!(stage.rings(retry), ["start work"]);
    assert_eq!(stage.ok("work"), ["start next"]);
    assert_eq!(stage.ok("next"), ["end 0"]);
}

#[test]
fn who_waits_for_one_member_hears_of_the_last_failure() {
    let text = r#"
        task set { matrix retry=1 { x a }; run "work" }
        task next { needs set x=a; run "next" }
    "#;
    let (mut stage, said) = Stage::begin(text, &["next"]);
    assert_eq!(said, ["start work"]);
    assert_eq!(stage.fails("work"), NOTHING);
    assert_eq!(stage.rings(retry), ["start work"]);
    assert_eq!(stage.fails("work"), ["end 3"]);
}

#[test]
fn what_comes_after_still_waits_for_its_place_in_another_attempt() {
    let text = r#"
        task slow { run "slow" }
        task late { after slow; run "late" }
        task main { retry 1; run "first"; call late }
    "#;
    let (mut stage, said) = Stage::begin(text, &["slow", "main"]);
    assert_eq!(said, ["start slow", "start first"]);
    assert_eq!(stage.fails("first"), NOTHING);
    assert_eq!(stage.rings(retry), ["start first"]);
    assert_eq!(stage.ok("slow"), NOTHING, "`first` has not ended");
    assert_eq!(stage.ok("first"), ["start late"]);
    assert_eq!(stage.ok("late"), ["end 0"]);
}

/// Two that failed and wait for their next attempts, each with a hook, and room for one at a time.
const PAUSED: &str = r#"
    task set {
        retry 1 delay="1m"
        matrix jobs=1 { x a b }
        run "work"
        on-failure { run "hook" }
    }
"#;

fn paused() -> Stage {
    let (mut stage, said) = Stage::begin(PAUSED, &["set"]);
    assert_eq!(said, ["start work"]);
    assert_eq!(stage.fails("work"), ["start work"], "a pause holds nothing");
    assert_eq!(stage.fails("work"), NOTHING);
    stage
}

#[test]
fn hooks_of_what_was_broken_off_wait_for_room() {
    let mut stage = paused();
    assert_eq!(stage.cancel(Level::Soft), ["start hook"]);
    assert_eq!(stage.ok("hook"), ["start hook"]);
    assert_eq!(stage.ok("hook"), ["end 130"]);
}

#[test]
fn a_second_signal_ends_even_those_that_wait_for_room() {
    let mut stage = paused();
    assert_eq!(stage.cancel(Level::Soft), ["start hook"]);
    assert_eq!(stage.cancel(Level::Kill), ["kill hook"]);
    assert_eq!(stage.ends("hook", Outcome::Signalled(9)), ["end 130"]);
    assert_eq!((stage.scheduler.limits.waiting(), stage.scheduler.limits.used(LimitId(1))), (0, 0));
}

#[test]
fn a_set_that_never_was_says_so_of_each_member() {
    let text = r#"
        task set { matrix { x a }; run "never" }
        task tidy { needs set x=a; run "nor this" }
        task work { run "work"; finally { call tidy } }
    "#;
    let (mut stage, said) = Stage::begin(text, &["work"]);
    assert_eq!(said, ["start work"]);
    assert_eq!(stage.cancel(Level::Soft), ["stop work"]);
    assert_eq!(stage.ends("work", Outcome::Signalled(2)), ["end 130"]);
}

#[test]
fn enough_is_no_success_of_what_was_cut_short() {
    let text = r#"
        task set {
            matrix timeout="5ms" { x a }
            parallel require="1/2" { run "one"; run "two" }
        }
        task next { needs set x=a; run "next" }
    "#;
    let (mut stage, said) = Stage::begin(text, &["next"]);
    assert_eq!(said, ["start one", "start two"]);
    stage.runs("one");
    assert_eq!(stage.ok("one"), NOTHING);
    assert_eq!(stage.rings(timeout), ["stop two"]);
    assert_eq!(stage.ends("two", Outcome::Signalled(15)), ["end 124"]);
}

#[test]
fn a_way_that_was_ended_with_all_around_it_decides_nothing() {
    let text = r#"
        task db { service { ready exists="/" }; run "db" }
        task main { needs db; race { run "one"; parallel { run "two"; run "three" } } }
    "#;
    let (mut stage, said) = Stage::begin(text, &["main"]);
    assert_eq!(said, ["start db"]);
    let service = stage.plan.scopes.iter().position(|scope| scope.ready.is_some()).expect("a service");
    assert_eq!(stage.step(Input::Ready(ScopeId(service as u32))), ["start one", "start two", "start three"]);
    assert_eq!(stage.fails("two"), ["stop three"]);
    assert_eq!(stage.fails("db"), ["stop one"]);
    assert_eq!(stage.ends("one", Outcome::Signalled(15)), NOTHING, "that was for the sake of the service");
    assert_eq!(stage.ends("three", Outcome::Signalled(15)), ["decided", "end 3"], "this way had failed by itself");
}

#[test]
fn a_barrier_at_the_end_is_no_work_that_could_be_late() {
    let text = r#"
        task set {
            matrix timeout="5ms" { x a }
            race { run "quick"; run "slow" }
            barrier
        }
        task next { needs set x=a; run "next" }
    "#;
    let (mut stage, said) = Stage::begin(text, &["next"]);
    assert_eq!(said, ["start quick", "start slow"]);
    stage.runs("quick");
    assert_eq!(stage.ok("quick"), ["decided", "stop slow"]);
    assert_eq!(stage.rings(timeout), NOTHING);
    assert_eq!(stage.ends("slow", Outcome::Signalled(15)), ["start next"], "all of its work was done");
    assert_eq!(stage.ok("next"), ["end 0"]);
}

#[test]
fn who_comes_to_a_barrier_lends_its_share_when_its_hook_has_ended() {
    let text = r#"
        task set {
            matrix jobs=1 { x a b }
            on-progress every=1 { run "hook" }
            run "work"
            barrier
            run "rest"
        }
    "#;
    let (mut stage, said) = Stage::begin(text, &["set"]);
    assert_eq!(said, ["start work"]);
    assert_eq!(stage.ok("work"), ["start hook"], "that counts as one of one");
    assert_eq!(stage.ok("hook"), ["start work"]);
    assert_eq!(stage.ok("work"), ["start hook", "start rest"], "all are here");
    assert_eq!(stage.ok("hook"), NOTHING);
    assert_eq!(stage.ok("rest"), ["start hook"]);
    assert_eq!(stage.ok("hook"), ["start rest"]);
    assert_eq!(stage.ok("rest"), ["start hook"]);
    assert_eq!(stage.ok("hook"), ["end 0"]);
}

#[test]
fn another_attempt_around_a_barrier_waits_for_its_share_of_the_jobs() {
    let text = r#"
        task set {
            matrix jobs=1 { x a b }
            sequence timeout="5ms" retry=1 { run "work"; barrier }
            run "rest"
        }
    "#;
    let (mut stage, said) = Stage::begin(text, &["set"]);
    assert_eq!(said, ["start work"]);
    stage.runs("work");
    assert_eq!(stage.ok("work"), ["start work"], "the first one waits at the barrier");
    assert_eq!(stage.rings(timeout), NOTHING);
    assert_eq!(stage.rings(retry), NOTHING, "the second one has the only share");
    assert_eq!(stage.ok("work"), ["start work"]);
    assert_eq!(stage.ok("work"), ["start rest"]);
    assert_eq!(stage.ok("rest"), ["start rest"]);
    assert_eq!(stage.ok("rest"), ["end 0"]);
}

#[test]
fn who_goes_on_past_a_barrier_that_it_gave_up_waits_for_its_share_of_the_jobs() {
    let text = r#"
        task set {
            matrix jobs=1 { x a b }
            sequence timeout="5ms" optional=#true { run "work"; barrier }
            run "rest"
        }
    "#;
    let (mut stage, said) = Stage::begin(text, &["set"]);
    assert_eq!(said, ["start work"]);
    stage.runs("work");
    assert_eq!(stage.ok("work"), ["start work"]);
    assert_eq!(stage.rings(timeout), NOTHING, "the second one has the only share");
    assert_eq!(stage.ok("work"), ["start rest"]);
    assert_eq!(stage.ok("rest"), ["start rest"]);
    assert_eq!(stage.ok("rest"), ["end 0"]);
}

#[test]
fn who_is_blamed_stays_blamed_while_something_else_is_waited_for() {
    let text = r#"
        task bad { run "bad" }
        task slow { run "slow" }
        task main { needs bad; after slow; run "main" }
        task other { needs slow; run "other" }
        task both { needs main other }
    "#;
    let one_by_one = |request: &mut Request| (request.parallel, request.on_error) = (false, OnError::Continue);
    let (mut stage, said) = Stage::begin_with(text, &["bad", "both"], one_by_one);
    assert_eq!(said, ["start bad"]);
    assert_eq!(stage.fails("bad"), ["start slow"]);
    assert_eq!(stage.ok("slow"), ["start other"], "`main` needs what has failed");
    assert_eq!(stage.ok("other"), ["end 3"]);
}

#[test]
fn a_late_set_that_only_has_hooks_left_is_not_cut_short() {
    let text = r#"
        task set {
            matrix timeout="5ms" { y a }
            run "find" capture=found
            call late found="${found}"
        }
        task late { param found; matrix { x from="${found}"; on-success { run "hook" } }; run "item" }
        task next { needs set y=a; run "next" }
    "#;
    let (mut stage, said) = Stage::begin(text, &["next"]);
    assert_eq!(said, ["start find"]);
    stage.runs("find");
    assert_eq!(stage.ok("find"), NOTHING);
    assert_eq!(stage.step(Input::Items(FeedId(0), vec!["1".into()])), ["start item"]);
    assert_eq!(stage.ok("item"), ["start hook"]);
    assert_eq!(stage.rings(timeout), NOTHING);
    assert_eq!(stage.ok("hook"), ["start next"]);
    assert_eq!(stage.ok("next"), ["end 0"]);
}

#[test]
fn what_is_broken_off_before_its_next_attempt_is_no_better_than_the_last_one_was() {
    let text = r#"
        task base { service { ready exists="/base" }; run "base" }
        task up {
            needs base
            retry 1 delay="1s"
            service { ready exists="/up" timeout="5ms" }
            any { run "a"; run "b" }
        }
        task user { needs up; run "user" }
    "#;
    let (mut stage, said) = Stage::begin(text, &["user"]);
    assert_eq!(said, ["start base"]);
    stage.runs("base");
    let services = |stage: &Stage| -> Vec<ScopeId> {
        let all = stage.plan.scopes.iter().zip(0..);
        all.filter(|(scope, _)| scope.ready.is_some()).map(|(_, at)| ScopeId(at)).collect()
    };
    let of_base = *services(&stage).last().expect("two services");
    assert_eq!(stage.step(Input::Ready(of_base)), ["start a", "start b"]);
    for step in ["a", "b"] {
        stage.runs(step);
    }
    assert_eq!(stage.ok("a"), ["decided", "stop b"]);
    assert_eq!(stage.rings(|key| matches!(key, TimerKey::Ready(..))), NOTHING);
    assert_eq!(stage.ends("b", Outcome::Signalled(15)), NOTHING, "another attempt is to come");
    assert_eq!(stage.fails("base"), ["end 1"]);
}

/// Ends all that runs, a second later, for so many rounds; says what those had waited for who began then.
fn waited_for(text: &str, tasks: &[&str], rounds: u32) -> Vec<[u128; 3]> {
    let (mut stage, _) = Stage::begin(text, tasks);
    for _ in 0..rounds {
        stage.now += Duration::from_secs(1);
        stage.waited.clear();
        for (text, _) in stage.running.clone() {
            stage.ok(&text);
        }
    }
    stage.waited
}

#[test]
fn who_waits_for_a_place_in_a_set_waits_for_a_limit() {
    let set =
        r#"task first { run "first" }; task set { needs first; matrix jobs=1 { x a b }; run "work"; run "more" }"#;
    assert_eq!(waited_for(set, &["set"], 1), [[1000, 0, 0]], "the set was wanted from the beginning");
    assert_eq!(waited_for(set, &["set"], 3), [[1000, 0, 2000]], "the other one had the place for two steps");
    assert_eq!(waited_for(set, &["set"], 4), [[2000, 0, 2000]], "and then its own first step");
    let group = r#"task t { parallel jobs=1 { run "one"; run "two" } }"#;
    assert_eq!(waited_for(group, &["t"], 1), [[0, 0, 1000]]);
    let limited = r#"limit db 1; task a { uses db; run "a" }; task b { uses db; run "b" }"#;
    assert_eq!(waited_for(limited, &["a", "b"], 1), [[0, 0, 1000]]);
}

#[test]
fn who_waits_for_a_slot_waits_for_a_slot() {
    let text = r#"task t { parallel jobs=9 { run "1"; run "2"; run "3"; run "4"; run "5" } }"#;
    assert_eq!(waited_for(text, &["t"], 1), [[0, 1000, 0]]);
}
