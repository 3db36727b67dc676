//! `leave`: a daemon that is meant to stay does, whichever way the run ends, and nothing else does.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::live::Live;
use crate::harness::{Case, Ran, proc};

/// One in the background, one with a session of its own and its parent gone, and one without environment that is still
/// in the group of the step. (`setsid -f` comes back before it has left the group.)
const DAEMONS: &str = r#"
sleep 1000 >/dev/null 2>&1 &
mkfifo away
setsid -f sh -c 'echo now > away; exec sleep 1000' >/dev/null 2>&1
read -r now < away
env -i sleep 1000 >/dev/null 2>&1 &
"#;

fn case(xecfile: &str) -> Case {
    Case::new().xecfile(xecfile).file("daemons.sh", DAEMONS).args(["t"])
}

/// Demands that so many of them are there and nothing else is, then ends them.
#[track_caller]
fn stay(ran: &Ran, count: usize) {
    let left = proc::marked(ran.path());
    let left: Vec<_> = left.into_iter().filter(|process| process.comm != "xec-broker").collect();
    proc::kill_marked(ran.path());
    assert!(left.len() == count && left.iter().all(|one| one.comm == "sleep"), "{left:?}, {}", ran.story());
    proc::await_gone(ran.path());
}

/// Kills xec, so that its broker sees to the rest, and demands the same.
#[track_caller]
fn stay_after_kill_9(live: Live, count: usize) {
    let broker = live.broker().pid;
    live.signal(Signal::SIGKILL);
    let ran = live.end().signal(Signal::SIGKILL);
    proc::await_end(broker, std::time::Instant::now() + crate::harness::DEADLINE);
    stay(&ran, count);
}

#[test]
fn a_daemon_that_is_meant_to_stay_does() {
    for file in [
        r#"task t { exec sh daemons.sh { leave #true }; run "sleep 1000 >/dev/null 2>&1 &" }"#,
        r#"task t leave=#true { exec sh daemons.sh; run "sleep 1000 >/dev/null 2>&1 &" leave=#false }"#,
        r#"defaults { leave #true }; task t { exec sh daemons.sh }"#,
    ] {
        let ran = case(file).run().ok();
        stay(&ran, 3);
    }
}

#[test]
fn without_it_the_same_daemons_are_ended_and_named() {
    case("task t { exec sh daemons.sh }").run().ok().says("sleep").nothing_left();
    case("task t leave=#true { exec sh daemons.sh { leave #false } }").run().ok().says("sleep").nothing_left();
}

#[test]
fn who_keeps_its_output_open_is_no_leak_and_holds_up_nothing() {
    let ran = case(r#"task t leave=#true { run "setsid -f sleep 1000; echo up"; run "echo next" }"#).run().ok();
    assert!(ran.out() == "up\nnext\n" && !ran.err().contains("sleep ("), "{}", ran.story());
    stay(&ran, 1);
}

/// A step with `leave` has ended, and the next one runs.
fn between() -> Live {
    let file = r#"task t { exec sh daemons.sh { leave #true }
        run "setsid -f sleep 1000; sleep 1000 & echo up > tell; read -r x < never" }"#;
    let mut live = case(file).spawn();
    assert_eq!(live.tell.line(), "up");
    live
}

#[test]
fn it_outlives_a_signal_to_the_run() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let live = between();
        live.signal_group(signal);
        stay(&live.end().signal(signal), 3);
    }
}

#[test]
fn it_outlives_kill_9_of_xec_and_of_the_broker() {
    stay_after_kill_9(between(), 3);
    let live = between();
    kill(Pid::from_raw(live.broker().pid), Signal::SIGKILL).expect("the broker is there");
    stay(&live.end().failed(), 3);
}

#[test]
fn a_failure_beside_it_does_not_end_it() {
    let file = r#"task t { parallel {
        sequence { exec sh daemons.sh { leave #true }; run "echo up > tell; read -r x < never" }
        run "read -r x < gate; exit 6"
    } }"#;
    let mut live = case(file).fifo("gate").spawn();
    assert_eq!(live.tell.line(), "up");
    live.fifo("gate").say("fail");
    stay(&live.end().code(6), 3);
}

/// The step itself is ended like any other, with all of its group; who has a group of its own was left behind.
#[test]
fn a_step_that_still_runs_is_ended_and_what_it_left_is_not() {
    let file = |settings: &str| {
        format!(
            "task t leave=#true grace=\"300ms\" {settings} {{ run \"sh daemons.sh; echo up > tell; read -r x < never\" }}"
        )
    };
    let mut live = case(&file("")).spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal(Signal::SIGTERM);
    stay(&live.end().signal(Signal::SIGTERM), 1);
    let mut live = case(&file("timeout=\"200ms\"")).spawn();
    assert_eq!(live.tell.line(), "up");
    stay(&live.end().code(124), 1);
    let mut live = case(&file("")).spawn();
    assert_eq!(live.tell.line(), "up");
    stay_after_kill_9(live, 1);
}

#[test]
fn a_run_within_a_run_says_for_itself_what_stays() {
    let inner = r#"
        task t { run "\"$XEC_BIN\" -q inner" { leave #true } }
        task inner { run "setsid -f sleep 1000 >/dev/null 2>&1"; run "setsid -f sleep 1000 >/dev/null 2>&1" leave=#true }
    "#;
    let ran = case(inner).env("XEC_BIN", crate::harness::XEC).run().ok();
    stay(&ran, 1);
    let ran = case(&inner.replace("{ leave #true }", "")).env("XEC_BIN", crate::harness::XEC).run().ok();
    ran.nothing_left();
}
