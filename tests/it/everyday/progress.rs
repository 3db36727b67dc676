//! `on-progress`: what runs along with a set and is told how far it is.

use super::{case, log, refused};
use crate::harness::Case;

#[test]
fn it_is_told_each_time_that_so_much_more_has_ended() {
    let file = r#"
        task t {
            matrix jobs=1 {
                n range="1..4"
                on-progress every="25%" {
                    run "echo $xec_completed of $xec_total >> log; test $xec_completed = $xec_total || echo > said"
                }
            }
            run "test $n = 1 || read -r x < said"
        }
    "#;
    let ran = Case::new().fifo("said").xecfile(file).args(["-j2", "t"]).run().ok();
    assert_eq!(ran.read("log"), "1 of 4\n2 of 4\n3 of 4\n4 of 4\n");
}

#[test]
fn the_last_time_tells_of_all() {
    let file = r#"
        task t {
            on-error continue
            matrix on-error=continue {
                n range="1..7"
                on-progress every=3 { run "echo $xec_completed $xec_total $xec_succeeded $xec_failed_count $xec_rate $xec_eta >> log" }
            }
            run "test $n != 5"
        }
    "#;
    let log = case(file, ["t"]).run().code(1).read("log");
    let lines: Vec<Vec<&str>> = log.lines().map(|line| line.split(' ').collect()).collect();
    assert!((1..=3).contains(&lines.len()), "{log}");
    let last = lines.last().unwrap();
    assert_eq!(last[..4], ["7", "7", "6", "1"]);
    assert!(last[4].parse::<f64>().unwrap() > 0.0 && last[5] == "0ms", "{log}");
    assert!(lines.is_sorted_by_key(|line| line[0].parse::<u32>().unwrap()), "{log}");
}

#[test]
fn a_group_waits_for_it_before_what_follows() {
    let file = r#"
        task t {
            parallel {
                run "true"
                run "true"
                on-progress every="100%" { run "echo $xec_completed >> log"; run "echo again >> log" }
                on-success { run "echo success >> log" }
            }
            run "echo next >> log"
        }
    "#;
    assert_eq!(log(file, ["t"]), "2\nagain\nsuccess\nnext\n");
}

#[test]
fn items_that_come_late_are_counted_too() {
    let file = r#"
        task names { run "seq 5" { capture names as=lines } }
        task t {
            needs names { take names }
            matrix { n from="${names}"; on-progress every="100%" { run "echo $xec_completed of $xec_total >> log" } }
            run "true"
        }
    "#;
    assert_eq!(log(file, ["t"]), "5 of 5\n");
}

#[test]
fn one_that_fails_is_not_asked_again_and_fails_the_run() {
    let file = r#"
        task t {
            matrix { n range="1..5"; on-progress every=1 { run "echo here >> log; exit 3" } }
            run "true"
        }
    "#;
    assert_eq!(case(file, ["t"]).run().code(3).read("log"), "here\n");
}

#[test]
fn in_another_attempt_what_went_well_stays_counted() {
    let file = r#"
        task t {
            matrix retry=1 on-error=continue {
                n range="1..4"
                on-progress every="100%" { run "echo $xec_succeeded of $xec_total >> log" }
            }
            run "test $n != 2 || test -e there || { touch there; exit 1; }"
        }
    "#;
    assert_eq!(log(file, ["t"]), "3 of 4\n4 of 4\n");
}

#[test]
fn what_it_is_told_is_told_to_nobody_else() {
    let wrong = r#"task t { run "echo x >> log"; exec echo "${xec_eta}" }"#;
    refused(wrong, ["t"], "unknown-value", &["xec says it to `on-progress` only"]);
    let wrong = r#"task t { run "echo x >> log"; on-progress every=0 { run "true" } }"#;
    refused(wrong, ["t"], "bad-value", &["`every` nothing would never be done"]);
}
