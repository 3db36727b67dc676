//! Nothing outlives the run: however xec ends, no process that a task started is left.
//!
//! make, ninja, just, go-task and mise all leave processes behind on `kill -9` of the runner.

use nix::sys::signal::Signal;

use crate::harness::live::Live;
use crate::harness::{Case, Ran, proc};

/// Children, a grandchild whose parent is gone, a daemon with no environment and no directory of ours, and
/// one with no environment and no arguments of ours. `$1` are the signals that the shell ignores, if any.
const TREE: &str = r#"
trap '' $1 PIPE
dir=$(pwd)
sleep 1000 &
(sleep 1000 &)
setsid -f env -i PATH="$PATH" sh -c "cd /; trap '' HUP INT TERM QUIT; echo daemon > $dir/tell; read -r x < $dir/never"
setsid -f env -i PATH="$PATH" sleep 1000
echo up > "$TELL"
"#;

/// xec, its broker, the shell of the task, and the four that it starts.
const PROCESSES: usize = 7;

/// A run with such a tree that does not end by itself, all of it up.
#[track_caller]
fn tree(ignored: &str) -> Live {
    let file = format!("task t grace=\"300ms\" {{ exec sh tree.sh \"{ignored}\" }}\n");
    let script = format!("{TREE}read -r x < never\n");
    let mut live = Case::new().xecfile(file).file("tree.sh", script).args(["t"]).spawn();
    assert_eq!(live.tell.sorted(2), ["daemon", "up"]);
    let there = proc::marked(live.path());
    assert!(there.len() >= PROCESSES, "the test itself must see them all: {there:?}");
    live
}

/// Runs a tree whose shell ends by itself in this way.
fn tree_then(last: &str, settings: &str) -> Ran {
    let file = format!("task t grace=\"300ms\" {settings} {{ exec sh tree.sh TERM }}\n");
    let mut live = Case::new().xecfile(file).file("tree.sh", format!("{TREE}{last}\n")).args(["t"]).spawn();
    assert_eq!(live.tell.sorted(2), ["daemon", "up"]);
    live.end()
}

#[test]
fn after_success() {
    tree_then("exit 0", "").ok().nothing_left();
}

#[test]
fn after_failure() {
    tree_then("exit 3", "").code(3).nothing_left();
}

#[test]
fn after_a_timeout() {
    tree_then("read -r x < never", "timeout=\"500ms\"").code(124).nothing_left();
}

#[test]
fn after_death_of_the_task() {
    tree_then("kill -KILL $$", "").code(137).nothing_left();
}

#[test]
fn after_a_signal_to_xec_alone() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        let live = tree("USR1");
        live.signal(signal);
        live.end().signal(signal).nothing_left();
    }
}

#[test]
fn after_a_signal_to_the_group_of_xec() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        let live = tree("USR1");
        live.signal_group(signal);
        live.end().signal(signal).nothing_left();
    }
}

#[test]
fn after_a_signal_that_the_task_ignores() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let live = tree("HUP INT TERM QUIT");
        live.signal(signal);
        live.end().signal(signal).nothing_left();
    }
}

#[test]
fn after_kill_9_of_xec() {
    let live = tree("HUP INT TERM QUIT");
    live.signal(Signal::SIGKILL);
    let ran = live.end().signal(Signal::SIGKILL);
    proc::await_gone(ran.path());
}

#[test]
fn after_kill_9_of_the_group_of_xec() {
    let live = tree("HUP INT TERM QUIT");
    live.signal_group(Signal::SIGKILL);
    let ran = live.end().signal(Signal::SIGKILL);
    proc::await_gone(ran.path());
}

#[test]
fn after_kill_9_of_the_broker() {
    let live = tree("HUP INT TERM QUIT");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(live.broker().pid), Signal::SIGKILL)
        .expect("the broker is there");
    live.end().failed().nothing_left();
}

#[test]
fn after_kill_9_of_the_group_of_the_broker() {
    let live = tree("HUP INT TERM QUIT");
    let group = live.broker().group;
    assert_ne!(group, live.pid(), "the broker is in a group of its own");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(-group), Signal::SIGKILL).expect("the broker is there");
    live.end().failed().nothing_left();
}

#[test]
fn after_kill_9_while_tasks_come_and_go() {
    let steps = "run \"setsid -f sleep 1000; sleep 1000 & echo up > tell\"\n".repeat(40);
    for _ in 0..5 {
        let file = format!("task t {{ parallel {{ {steps} }} }}\n");
        let mut live = Case::new().xecfile(file).args(["t", "-j4"]).spawn();
        for _ in 0..10 {
            assert_eq!(live.tell.line(), "up");
        }
        live.signal(Signal::SIGKILL);
        let ran = live.end();
        proc::await_gone(ran.path());
    }
}

#[test]
fn fail_fast_takes_the_trees_of_the_siblings() {
    let file = r#"task t grace="300ms" { parallel { exec sh tree.sh "INT TERM"; run "read -r x < gate; exit 6" } }"#;
    let case = Case::new().fifo("gate").xecfile(file).file("tree.sh", format!("{TREE}read -r x < never\n"));
    let mut live = case.args(["t", "-j2"]).spawn();
    assert_eq!(live.tell.sorted(2), ["daemon", "up"]);
    live.fifo("gate").say("fail");
    live.end().code(6).nothing_left();
}

#[test]
fn a_pipe_that_leaked_is_named_and_does_not_hang_the_run() {
    for leak in ["sleep 1000 & echo started", "setsid -f sleep 1000; echo started", "(sleep 1000 &) ; echo started"] {
        let file = format!("task t {{ run \"{leak}\"; run \"echo next\" }}\n");
        let ran = Case::new().xecfile(file).args(["t"]).run().ok().stdout("started\nnext\n").says("sleep");
        ran.nothing_left();
    }
}

#[test]
fn a_read_only_command_starts_no_broker() {
    // strace is not everywhere: with room for one process alone, only what starts none can succeed.
    let file = r#"task t { run "true" }"#;
    for look in [["-l"].as_slice(), &["--check"], &["-n", "t"], &["--graph", "t"]] {
        let case = crate::scarcity::with_processes(Case::new().xecfile(file), 1);
        case.args(look).run().ok();
    }
}

#[test]
fn no_signal_is_blocked_or_ignored_whatever_xec_was_started_with() {
    let file = r#"task t { exec "grep" "-E" "^Sig(Blk|Ign)" "/proc/self/status" }"#;
    let xec = env!("CARGO_BIN_EXE_xec");
    let ignoring = format!("trap '' HUP USR1 USR2 PIPE; exec '{xec}' -q t");
    let ran = Case::new().xecfile(file).program("sh").args(["-c", &ignoring]).run().ok();
    ran.stdout("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}
