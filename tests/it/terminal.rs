//! On a terminal: Ctrl-C, Ctrl-Z, a closed window, and one owner of the keys.

use nix::sys::signal::Signal;

use crate::harness::{Case, proc};

const LONG: &str = r#"task t grace="300ms" { run "sleep 1000 & echo up > tell; read -r x < never" }"#;

#[test]
fn ctrl_c_is_typed() {
    let mut terminal = Case::new().xecfile(LONG).args(["t"]).on_terminal();
    assert_eq!(terminal.live.tell.line(), "up");
    terminal.press("\x03");
    let (ran, _) = terminal.end();
    ran.signal(Signal::SIGINT).nothing_left();
}

#[test]
fn ctrl_backslash_is_typed() {
    let mut terminal = Case::new().xecfile(LONG).args(["t"]).on_terminal();
    assert_eq!(terminal.live.tell.line(), "up");
    terminal.press("\x1c");
    let (ran, _) = terminal.end();
    ran.signal(Signal::SIGQUIT).nothing_left();
}

#[test]
fn the_window_is_closed() {
    let mut terminal = Case::new().xecfile(LONG).args(["t"]).on_terminal();
    assert_eq!(terminal.live.tell.line(), "up");
    let live = terminal.close();
    live.end().signal(Signal::SIGHUP).nothing_left();
}

#[test]
fn the_window_is_closed_on_a_shell_that_runs_xec() {
    let mut terminal = Case::new().xecfile(LONG).args(["t"]).on_terminal_with_jobs();
    assert_eq!(terminal.live.tell.line(), "up");
    let ran = terminal.close().end();
    proc::await_gone(ran.path());
}

/// What is there to be stopped by Ctrl-Z.
const STOPPED: &str = r#"
read -r x < never &
echo up > "$TELL"
read -r x < gate
echo "$x" > "$TELL"
"#;

#[test]
fn ctrl_z_stops_the_tasks_and_fg_goes_on() {
    let case = Case::new().fifo("gate").file("task.sh", STOPPED).xecfile("task t { exec sh task.sh }");
    let mut terminal = case.args(["t"]).on_terminal_with_jobs();
    assert_eq!(terminal.live.tell.line(), "up");
    terminal.press("\x1a");
    assert!(terminal.live.tell.line().starts_with("stopped"));
    proc::await_all(terminal.live.path(), "sh", 2, 'T');
    terminal.live.fifo("go").say("fg");
    terminal.live.fifo("gate").say("went on");
    assert_eq!(terminal.live.tell.line(), "went on");
    assert_eq!(terminal.live.tell.line(), "ended 0");
    let (ran, _) = terminal.end();
    ran.ok().nothing_left();
}

#[test]
fn clocks_stand_still_while_stopped() {
    let file = "task t timeout=\"4s\" { exec sh task.sh }\ntask longer { exec sleep 5 }\n";
    let case = Case::new().fifo("gate").file("task.sh", STOPPED).xecfile(file);
    let mut terminal = case.args(["t"]).on_terminal_with_jobs();
    assert_eq!(terminal.live.tell.line(), "up");
    terminal.press("\x1a");
    assert!(terminal.live.tell.line().starts_with("stopped"));
    // Another run goes by that takes longer than the timeout of the one that is stopped.
    Case::new().xecfile(file).args(["longer"]).run().ok();
    terminal.live.fifo("go").say("fg");
    terminal.live.fifo("gate").say("in time");
    assert_eq!(terminal.live.tell.line(), "in time");
    assert_eq!(terminal.live.tell.line(), "ended 0");
    terminal.end().0.ok().nothing_left();
}

#[test]
fn ctrl_z_then_kill_leaves_nothing() {
    let case = Case::new().fifo("gate").file("task.sh", STOPPED).xecfile("task t { exec sh task.sh }");
    let mut terminal = case.args(["t"]).on_terminal_with_jobs();
    assert_eq!(terminal.live.tell.line(), "up");
    terminal.press("\x1a");
    assert!(terminal.live.tell.line().starts_with("stopped"));
    let xec = proc::child_named(terminal.live.pid(), "xec");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(xec.pid), Signal::SIGKILL).unwrap();
    terminal.live.fifo("go").say("fg");
    assert!(terminal.live.tell.line().starts_with("ended"));
    let (ran, _) = terminal.end();
    proc::await_gone(ran.path());
}

#[test]
fn a_task_reads_nothing_from_the_terminal() {
    let file = r#"task t { run "cat; echo end of input" }"#;
    let (ran, seen) = Case::new().xecfile(file).args(["t"]).on_terminal().end();
    ran.ok().nothing_left();
    assert!(seen.contains("end of input"), "{seen}");
}

#[test]
fn a_task_that_opens_the_terminal_does_not_get_the_keys() {
    let file = r#"task t grace="200ms" { run "echo up > tell; read -r x < /dev/tty" }"#;
    let mut terminal = Case::new().xecfile(file).args(["t"]).on_terminal();
    assert_eq!(terminal.live.tell.line(), "up");
    terminal.press("\x03");
    let (ran, _) = terminal.end();
    ran.signal(Signal::SIGINT).nothing_left();
}

#[test]
fn an_interactive_task_has_the_terminal_alone() {
    // `stty` waits until the terminal is the task's.
    let file =
        r#"task t { run "stty echo; echo up > tell; read -r x; echo got:$x" interactive=#true; run "echo after" }"#;
    let mut terminal = Case::new().xecfile(file).args(["t"]).on_terminal();
    assert_eq!(terminal.live.tell.line(), "up");
    assert_ne!(terminal.foreground(), terminal.live.pid(), "the foreground is the task's");
    terminal.press("hello\n");
    terminal.await_text("got:hello");
    terminal.await_text("after");
    let (ran, _) = terminal.end();
    ran.ok().nothing_left();
}

#[test]
fn ctrl_c_in_an_interactive_task_ends_the_run() {
    let file = r#"task t grace="300ms" { run "stty echo; echo up > tell; read -r x" interactive=#true }"#;
    let mut terminal = Case::new().xecfile(file).args(["t"]).on_terminal();
    assert_eq!(terminal.live.tell.line(), "up");
    terminal.press("\x03");
    let (ran, _) = terminal.end();
    ran.failed().nothing_left();
}

/// Starts an interactive task that leaves the terminal in a bad state and waits.
fn spoiler() -> crate::harness::pty::Terminal {
    let file =
        r#"task t grace="300ms" { run "stty raw -echo; echo up > tell; read -r x < gate; exit $x" interactive=#true }"#;
    let mut terminal = Case::new().fifo("gate").xecfile(file).args(["t"]).on_terminal();
    assert_eq!(terminal.live.tell.line(), "up");
    assert!(!terminal.is_sane(), "the task has spoilt it");
    terminal
}

#[test]
fn modes_are_restored_after_success_and_failure() {
    for code in [0, 3] {
        let mut terminal = spoiler();
        let watch = terminal.watch();
        terminal.live.fifo("gate").say(&code.to_string());
        let (ran, _) = terminal.end();
        ran.code(code).nothing_left();
        assert!(watch.is_sane(), "after exit code {code}");
    }
}

#[test]
fn modes_are_restored_after_a_signal() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let terminal = spoiler();
        let watch = terminal.watch();
        terminal.live.signal(signal);
        let (ran, _) = terminal.end();
        ran.signal(signal).nothing_left();
        assert!(watch.is_sane(), "after {signal}");
    }
}
