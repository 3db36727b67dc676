//! One escalation everywhere: the same signal, the grace, SIGKILL; a second Ctrl-C kills at once.

use nix::sys::signal::Signal;

use crate::harness::{Case, End, XEC};

/// A step that says which signal it got. `wait` is what a trap interrupts in every shell.
const LISTENER: &str = r#"
for name in INT TERM HUP QUIT; do trap "echo $name > \"$TELL\"; $1" $name; done
sleep 1000 &
echo up > "$TELL"
while :; do wait; done
"#;

fn listener(then: &str, grace: &str) -> Case {
    let file = format!("task t grace=\"{grace}\" {{ exec sh listener.sh \"{then}\" }}\n");
    Case::new().xecfile(file).file("listener.sh", LISTENER).args(["t"])
}

#[test]
fn the_same_signal_reaches_the_task() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        let mut live = listener("kill -KILL $!; echo cleaned > log; exit 0", "1h").spawn();
        assert_eq!(live.tell.line(), "up");
        live.signal(signal);
        assert_eq!(live.tell.line(), signal.as_str().trim_start_matches("SIG"));
        let ran = live.end().signal(signal).nothing_left();
        assert_eq!(ran.read("log"), "cleaned\n", "a task may clean up within its grace");
    }
}

#[test]
fn a_second_ctrl_c_kills() {
    let mut live = listener(":", "1h").spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal_group(Signal::SIGINT);
    assert_eq!(live.tell.line(), "INT");
    live.signal_group(Signal::SIGINT);
    live.end().signal(Signal::SIGINT).nothing_left();
}

#[test]
fn the_same_wish_told_twice_does_not_skip_the_grace() {
    let mut live = listener("kill -KILL $!; echo cleaned > log; exit 0", "1h").spawn();
    assert_eq!(live.tell.line(), "up");
    // As `timeout` does.
    live.signal(Signal::SIGTERM);
    live.signal_group(Signal::SIGTERM);
    let ran = live.end().signal(Signal::SIGTERM).nothing_left();
    assert_eq!(ran.read("log"), "cleaned\n", "{}", ran.story());
}

#[test]
fn after_the_grace_comes_the_kill() {
    let mut live = listener(":", "100ms").spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal(Signal::SIGTERM);
    assert_eq!(live.tell.line(), "TERM");
    live.end().signal(Signal::SIGTERM).nothing_left();
}

#[test]
fn a_signal_starts_nothing_new() {
    let file = r#"
        task t { run "echo up > tell; read -r x < never"; run "echo second >> log" }
        task next { run "echo next >> log" }
    "#;
    let mut live = Case::new().xecfile(file).args(["-k", "t", "next"]).spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal(Signal::SIGINT);
    let ran = live.end().signal(Signal::SIGINT).nothing_left();
    assert_eq!(ran.read("log"), "");
}

#[test]
fn a_signal_outweighs_a_failure() {
    let file = r#"task t on-error=continue { parallel { run "exit 3"; run "echo up > tell; read -r x < never" } }"#;
    let mut live = Case::new().xecfile(file).args(["t", "-j2"]).spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal(Signal::SIGTERM);
    live.end().signal(Signal::SIGTERM).nothing_left();
}

#[test]
fn what_was_written_before_the_end_is_shown() {
    let mut live = Case::new()
        .xecfile(r#"task t { run "printf 'half a line'; echo complaint >&2; echo up > tell; read -r x < never" }"#)
        .args(["t"])
        .spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal(Signal::SIGINT);
    let ran = live.end().signal(Signal::SIGINT).says("complaint");
    assert!(ran.out().starts_with("half a line"), "{}", ran.story());
}

#[test]
fn a_shell_loop_around_xec_stops() {
    let file = r#"task t { run "echo up > tell; read -r x < never" }"#;
    let case = Case::new().xecfile(file).program("bash");
    let mut live = case.args(["-c", "while \"$0\" t; do :; done; echo went on", XEC]).spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal_group(Signal::SIGINT);
    let ran = live.end().nothing_left();
    assert_eq!((ran.end, ran.out().as_str()), (End::Signal(Signal::SIGINT as i32), ""), "{}", ran.story());
}

#[test]
fn a_run_that_was_started_deaf_stays_deaf() {
    // `nohup` and `&` in scripts: what was ignored when xec began stays ignored, by xec and by its tasks.
    let file = r#"task t { run "echo up > tell; read -r x < gate; echo $x" }"#;
    let case = Case::new().fifo("gate").xecfile(file).program("sh");
    let mut live = case.args(["-c", "trap '' HUP; exec \"$0\" t", XEC]).spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal(Signal::SIGHUP);
    live.fifo("gate").say("survived");
    live.end().ok().stdout("survived\n").nothing_left();
}
