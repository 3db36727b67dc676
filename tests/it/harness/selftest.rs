//! The harness itself, with a shell in the place of xec: what cannot see a survivor proves nothing.

use nix::sys::signal::Signal;

use crate::harness::{Case, End, proc};

/// A shell that leaves three behind: a child, a daemon without environment and directory, and one without
/// environment and arguments.
const LEAVES: &str = r#"
sleep 1000 &
dir=$(pwd)
setsid -f env -i PATH="$PATH" sh -c "cd /; echo daemon > $dir/tell; read -r x < $dir/never"
setsid -f env -i PATH="$PATH" sleep 1000
echo up > "$TELL"
read -r x < never
"#;

fn shell(script: &str) -> Case {
    Case::new().file("script.sh", script).program("sh").args(["script.sh"])
}

#[test]
fn survivors_are_seen_and_cleaned_up() {
    let mut live = shell(LEAVES).spawn();
    assert_eq!(live.tell.sorted(2), ["daemon", "up"]);
    let dir = live.path().to_owned();
    live.signal(Signal::SIGKILL);
    proc::await_end(live.pid(), std::time::Instant::now() + crate::harness::DEADLINE);
    let left = proc::marked(&dir);
    assert_eq!(left.len(), 3, "{left:?}");
    drop(live);
    proc::await_gone(&dir);
}

#[test]
fn streams_and_ends_are_told() {
    let ran = shell("echo out; echo err >&2; exit 3").run();
    assert_eq!((ran.end, ran.out().as_str(), ran.err().as_str()), (End::Code(3), "out\n", "err\n"));
    shell("kill -INT $$").run().signal(Signal::SIGINT);
}

#[test]
fn keys_reach_a_program_on_a_terminal() {
    let mut terminal = shell("echo up > tell; read -r x; echo got:$x").on_terminal();
    assert_eq!(terminal.live.tell.line(), "up");
    assert!(terminal.is_sane());
    assert_eq!(terminal.foreground(), terminal.live.pid());
    terminal.press("hello\n");
    terminal.await_text("got:hello");
    terminal.end().0.ok();

    let mut terminal = shell("echo up > tell; exec sleep 1000").on_terminal();
    assert_eq!(terminal.live.tell.line(), "up");
    terminal.press("\x03");
    terminal.end().0.signal(Signal::SIGINT);

    let mut terminal = shell("echo up > tell; exec sleep 1000").on_terminal();
    assert_eq!(terminal.live.tell.line(), "up");
    terminal.close().end().signal(Signal::SIGHUP);
}

#[test]
fn a_shell_with_job_control_stops_and_continues() {
    let mut terminal =
        shell("echo up > tell; read -r x < gate; echo $x > tell; exit 4").fifo("gate").on_terminal_with_jobs();
    assert_eq!(terminal.live.tell.line(), "up");
    terminal.press("\x1a");
    assert!(terminal.live.tell.line().starts_with("stopped"));
    terminal.live.fifo("go").say("fg");
    terminal.live.fifo("gate").say("went on");
    assert_eq!(terminal.live.tell.line(), "went on");
    assert_eq!(terminal.live.tell.line(), "ended 4");
    terminal.end().0.ok();
}

#[test]
fn limits_bind() {
    crate::scarcity::with_processes(Case::new(), 3)
        .program("sh")
        .args(["-c", "sleep 0 & sleep 0 & sleep 0 & sleep 0 & wait"])
        .run()
        .failed();
}
