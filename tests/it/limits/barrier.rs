//! `barrier`: the instances of a matrix wait for each other, whatever room there is for them.

use super::{case, refused};

/// How often each word stands before the first of another one.
fn before(log: &str, word: &str, other: &str) -> (usize, usize) {
    let first = log.lines().position(|line| line == other).unwrap_or(usize::MAX);
    let all: Vec<usize> = log.lines().enumerate().filter(|(_, line)| *line == word).map(|(at, _)| at).collect();
    (all.len(), all.iter().filter(|at| **at < first).count())
}

#[test]
fn nobody_goes_on_before_all_are_here() {
    let file = r##"
        task t {
            matrix { n range="1..5" }
            run "echo one >> log"
            barrier
            run "echo two >> log"
            sequence { barrier; run "echo three >> log" }
        }
    "##;
    for jobs in ["-j1", "-j2", "-j16"] {
        let log = case(file, [jobs, "t"]).run().ok().read("log");
        assert_eq!((before(&log, "one", "two"), before(&log, "two", "three")), ((5, 5), (5, 5)), "{log}");
    }
}

#[test]
fn who_waits_holds_no_share_of_the_jobs() {
    // One at a time, and still all come to the barrier; behind it, again one at a time.
    let file = r##"
        task t {
            matrix jobs=1 { n range="1..4" }
            run "mkdir inside && rmdir inside && echo one >> log"
            barrier
            run "mkdir inside && rmdir inside && echo two >> log"
        }
    "##;
    let log = case(file, ["-j16", "t"]).run().ok().read("log");
    assert_eq!(before(&log, "one", "two"), (4, 4), "{log}");
}

#[test]
fn it_spans_its_batch() {
    let file = r##"
        task t {
            matrix { batches 2; n range="1..4" }
            run #"echo "one-$((n > 2))" >> log"#
            barrier
            run #"echo "two-$((n > 2))" >> log"#
        }
    "##;
    let log = case(file, ["-j16", "t"]).run().ok().read("log");
    assert_eq!(log, "one-0\none-0\ntwo-0\ntwo-0\none-1\none-1\ntwo-1\ntwo-1\n");
}

#[test]
fn who_has_ended_is_not_waited_for() {
    let file = r##"
        task t {
            matrix on-error=continue { n range="1..4" }
            unless equal "${n}" 4
            run #"echo one >> log; test "$n" != 2"#
            barrier
            run "echo two >> log"
        }
    "##;
    let log = case(file, ["-j16", "t"]).run().code(1).read("log");
    assert_eq!((before(&log, "one", "two"), log.matches("two").count()), ((3, 3), 2), "{log}");
}

#[test]
fn who_is_tried_again_is_waited_for() {
    let file = r##"
        task t retry=1 {
            matrix { n range="1..3" }
            run #"test "$n" != 2 || test -e once || { touch once; exit 1; }; echo one >> log"#
            barrier
            run "echo two >> log"
        }
    "##;
    let log = case(file, ["-j16", "t"]).run().ok().read("log");
    assert_eq!(before(&log, "one", "two"), (3, 3), "{log}");
}

#[test]
fn what_waits_at_a_barrier_can_be_ended() {
    let file = r##"
        task t {
            matrix { n 1 2 }
            run #"echo "$n" > tell; test "$n" = 1 || read -r go < never"#
            barrier
            run "echo two >> log"
            finally { run "echo end >> log" }
        }
    "##;
    let mut live = case(file, ["-j16", "t"]).spawn();
    live.tell.sorted(2);
    live.signal(nix::sys::signal::Signal::SIGTERM);
    let ran = live.end().signal(nix::sys::signal::Signal::SIGTERM).nothing_left();
    assert_eq!(ran.read("log"), "end\nend\n");
}

#[test]
fn where_not_all_come_alike_it_is_refused() {
    let file = |task: &str| format!("limit db 1\ntask t {{ {task}; run \"echo x >> log\" }}\n");
    refused(&file("barrier"), "barrier-place", &["without a matrix"]);
    refused(&file("matrix { n 1 2 }; uses db; barrier"), "barrier-place", &["while it holds"]);
    refused(&file("matrix { n 1 2 }; sequence uses=db { barrier }"), "barrier-place", &["while it holds"]);
    for group in ["parallel", "any", "race"] {
        let text = format!("matrix {{ n 1 2 }}; {group} {{ run \"true\"; sequence {{ barrier }} }}");
        refused(&file(&text), "barrier-place", &["the same way"]);
    }
    refused(&file("matrix { n 1 2; finally { barrier } }"), "barrier-place", &["in a hook"]);
    refused(&file("matrix { n 1 2 }; finally { barrier }"), "barrier-place", &["in a hook"]);
    refused(&file("matrix { n 1 2 }; barrier 3"), "extra-value", &["barrier"]);
    refused(&file("matrix { n 1 2 }; barrier { timeout \"1s\" }"), "unknown-setting", &["no settings"]);
    case("limit db 1\ntask t { matrix { uses db; n 1 2 }; uses jobs 2; barrier; run \"true\" }", ["t"]).run().ok();
}
