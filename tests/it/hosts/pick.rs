//! One of several hosts for each instance.

use std::collections::BTreeMap;

use super::{case, log};

/// How many lines each word has.
fn counted(lines: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    lines.iter().for_each(|line| *counts.entry(line.as_str()).or_default() += 1);
    counts
}

#[test]
fn one_of_them_is_enough_and_its_value_is_no_list() {
    let file = r#"
        task live { on web pick=first; run "echo v1 of $host" { capture tag } }
        task t { needs live { take tag as=previous }; run "echo $previous >> log" }
    "#;
    assert_eq!(log(&case(file, ["t"]).run().ok()), ["v1 of web1"]);
    let ran = case(file, ["live"]).run().ok();
    assert!(ran.err().contains("live@web1"), "{}", ran.story());
}

#[test]
fn turns_are_taken_by_weight() {
    let file = r#"
        host big { tags w; weight 2; via local; }
        host small { tags w; via local; }
        task t { on w pick=round-robin; matrix jobs=1 { n range="1..6" }; run "echo $host >> log" }
    "#;
    let ran = case(file, ["t"]).run().ok();
    assert_eq!(ran.read("log"), "big\nsmall\nbig\nbig\nsmall\nbig\n");
}

#[test]
fn the_one_with_the_least_to_do_is_next() {
    // The first instance stays where it is until the others are done: all of them go to the other host.
    let file = r#"
        host "w[1-2]" { tags w; jobs 1; via local; }
        task t { on w pick=least-loaded; matrix { n range="1..5" }
            run "if [ $n = 1 ]; then read -r go < gate; fi; echo $host >> log; if [ $n = 5 ]; then echo go > gate; fi" }
    "#;
    let ran = case(file, ["t"]).fifo("gate").run().ok();
    assert_eq!(ran.read("log"), "w2\nw2\nw2\nw2\nw1\n");
}

#[test]
fn what_was_picked_stays_through_attempts_and_steps() {
    let file = r#"
        task t { on web pick=random; matrix { n range="1..8" }; retry 1; run "echo $n $host >> log; [ $XEC_ATTEMPT = 2 ]"; run "echo $n $host >> log" }
    "#;
    let ran = case(file, ["t"]).run().ok();
    let lines = log(&ran);
    let counts = counted(&lines);
    assert_eq!((counts.len(), lines.len()), (8, 24), "{lines:?}");
    assert!(counts.values().all(|count| *count == 3), "{counts:?}");
}

#[test]
fn a_step_picks_for_itself() {
    let file = r#"task t { run "echo a $host >> log" { on web pick=round-robin }; run "echo b $host >> log" { on web pick=round-robin } }"#;
    assert_eq!(log(&case(file, ["t"]).run().ok()), ["a web1", "b web2"]);
}
