//! `limit … across=machine`: between processes, and gone with its holder.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::case;

/// Long enough for a run to begin a step that nothing holds back; one that begins later is not missed, only not seen.
const A_WHILE: Duration = Duration::from_millis(300);

/// A name that no other test, and no other run of this one, uses.
fn name(what: &str) -> String {
    format!("it-{what}-{}", std::process::id())
}

fn file(name: &str, count: u32) -> String {
    format!(
        "limit {name} {count} across=machine\n\
         task t {{ uses {name}; run #\"echo in > \"$TELL\"; read -r go < gate\"# }}\n"
    )
}

#[test]
fn two_runs_take_turns_and_a_killed_one_holds_nothing() {
    let name = name("turns");
    let start = || case(&file(&name, 1), ["t"]).fifo("gate").spawn();
    let mut first = start();
    first.tell.line();
    let mut second = start();
    assert_eq!(second.tell.line_within(A_WHILE), None, "the first one holds it");
    first.fifo("gate").say("go");
    first.end().ok();
    second.tell.line();
    let mut third = start();
    assert_eq!(third.tell.line_within(A_WHILE), None, "the second one holds it");
    second.signal(Signal::SIGKILL);
    third.tell.line();
    third.fifo("gate").say("go");
    third.end().ok();
    second.end();
}

#[test]
fn as_many_runs_as_there_are_places() {
    let name = name("places");
    let start = || case(&file(&name, 2), ["t"]).fifo("gate").spawn();
    let (mut first, mut second) = (start(), start());
    first.tell.line();
    second.tell.line();
    let mut third = start();
    assert_eq!(third.tell.line_within(A_WHILE), None, "both places are taken");
    for held in [&mut first, &mut second] {
        held.fifo("gate").say("go");
    }
    third.tell.line();
    third.fifo("gate").say("go");
    for run in [first, second, third] {
        run.end().ok();
    }
}

#[test]
fn who_waits_for_the_machine_holds_nothing_here() {
    let name = name("waits");
    let mut first = case(&file(&name, 1), ["t"]).fifo("gate").spawn();
    first.tell.line();
    let two = format!(
        "limit db 1\nlimit {name} 1 across=machine\n\
         task both {{ uses db; uses {name}; run #\"echo both > \"$TELL\"\"# }}\n\
         task one {{ uses db; wait \"10ms\"; run #\"echo one > \"$TELL\"\"# }}\n"
    );
    let mut second = case(&two, ["-p", "both", "one"]).spawn();
    assert_eq!(second.tell.line(), "one", "db is free for it");
    first.fifo("gate").say("go");
    first.end().ok();
    assert_eq!(second.tell.line(), "both");
    second.end().ok();
}

#[test]
fn a_run_that_waits_for_the_machine_can_be_ended() {
    let name = name("ended");
    let mut first = case(&file(&name, 1), ["t"]).fifo("gate").spawn();
    first.tell.line();
    let text = file(&name, 1) + "task u { run #\"echo u > \"$TELL\"\"# }\n";
    let mut second = case(&text, ["-p", "u", "t"]).fifo("gate").spawn();
    assert_eq!(second.tell.line(), "u");
    second.signal(Signal::SIGTERM);
    second.end().signal(Signal::SIGTERM).nothing_left();
    first.fifo("gate").say("go");
    first.end().ok();
}
