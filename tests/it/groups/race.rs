//! `race`: the first end is the end of all, whichever it is.

use super::{case, log};

#[test]
fn the_first_to_end_decides() {
    let file = r#"
        task well { race { run "echo won >> log"; run "read -r x < never"; wait "1h" }; run "echo after >> log" }
        task badly { race { run "exit 6"; run "read -r x < never" }; run "echo never >> log" }
        task shrug { race optional=#true { run "exit 6"; run "read -r x < never" }; run "echo after >> log" }
    "#;
    assert_eq!(case(file, ["-j3", "well"]).run().ok().nothing_left().read("log"), "won\nafter\n");
    let ran = case(file, ["-j3", "badly"]).run().code(6).nothing_left();
    assert_eq!(ran.read("log"), "");
    assert!(ran.err().contains("✗ 1 failed in "), "{}", ran.story());
    assert_eq!(case(file, ["-j3", "shrug"]).run().ok().nothing_left().read("log"), "after\n");
}

#[test]
fn a_lost_race_can_be_run_again() {
    let file = r#"
        task t { race retry=2 { run "echo $XEC_ATTEMPT >> log; test $XEC_ATTEMPT = 3"; run "read -r x < never" } }
    "#;
    assert_eq!(case(file, ["-j3", "t"]).run().ok().nothing_left().read("log"), "1\n2\n3\n");
}

#[test]
fn a_timer_may_run_along() {
    let file = r#"task t { race { wait "1ms"; run "read -r x < never" }; run "echo on >> log" }"#;
    assert_eq!(log(file, ["t"]), "on\n");
}

#[test]
fn what_only_a_loser_needs_is_ended_too() {
    let file = r#"
        task t { race { call slow; run "read -r x < go" }; run "echo after >> log" }
        task slow { needs big; run "echo never >> log" }
        task big { run "echo up > $TELL; read -r x < never" }
    "#;
    let mut live = case(file, ["-j3", "t"]).fifo("go").spawn();
    assert_eq!(live.tell.line(), "up");
    live.fifo("go").say("go");
    assert_eq!(live.end().ok().nothing_left().read("log"), "after\n");
}
