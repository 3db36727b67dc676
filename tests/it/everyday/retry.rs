//! Attempts: how many, what each starts with, and what is not run again.

use super::{case, log, refused};

#[test]
fn a_retry_means_so_many_more() {
    let file = r#"task t retry=3 { run "echo $XEC_ATTEMPT >> log; test $XEC_ATTEMPT = 3" }"#;
    assert_eq!(log(file, ["t"]), "1\n2\n3\n");
    let file = r#"task t retry=2 { run "echo $XEC_ATTEMPT >> log; exit 8" }"#;
    assert_eq!(case(file, ["t"]).run().code(8).read("log"), "1\n2\n3\n");
    let file = r#"task t { run "echo once >> log; exit 8" }"#;
    assert_eq!(case(file, ["t"]).run().code(8).read("log"), "once\n");
}

#[test]
fn every_backoff_makes_all_its_attempts() {
    for policy in [
        r#"retry 3 delay="1ms""#,
        r#"retry 3 delay="1ms" backoff=fixed"#,
        r#"retry 3 delay="1ms" backoff=linear"#,
        r#"retry 3 delay="1ms" backoff=exponential"#,
        r#"retry 3 delay="1ms" backoff=exponential max="2ms" jitter=#true"#,
        r#"retry 3 delay="0s" jitter=#true"#,
        "retry 3",
    ] {
        let file =
            format!("task t {{ {policy}; run \"echo $XEC_ATTEMPT >> log; exit 1\"; run \"echo never >> log\" }}");
        assert_eq!(case(&file, ["t"]).run().code(1).read("log"), "1\n2\n3\n4\n", "{policy}");
    }
    refused(r#"task t { retry 3 backoff=quadratic; run "echo x >> log" }"#, ["t"], "bad-value", &["quadratic"]);
}

#[test]
fn a_sequence_starts_over_and_a_step_does_not() {
    let file = r#"task t retry=1 { run "echo one >> log"; run "echo two >> log; exit 1" }"#;
    assert_eq!(case(file, ["t"]).run().code(1).read("log"), "one\ntwo\none\ntwo\n");
    let file = r#"task t { run "echo one >> log"; run "echo two >> log; exit 1" retry=1 }"#;
    assert_eq!(case(file, ["t"]).run().code(1).read("log"), "one\ntwo\ntwo\n");
}

#[test]
fn a_group_reruns_only_what_failed() {
    let file = r#"
        task t {
            parallel retry=2 on-error=continue {
                run "echo good >> log"
                run "echo bad >> log; exit 1"
            }
        }
    "#;
    let ran = case(file, ["-j1", "t"]).run().failed();
    let text = ran.read("log");
    assert_eq!((text.matches("good").count(), text.matches("bad").count()), (1, 3), "{text}");
}

#[test]
fn a_matrix_retries_each_instance_alone() {
    let file = r#"
        task t {
            matrix on-error=continue { n 1 2 3 }
            retry 2
            run "echo $n >> log; test $n != 2"
        }
    "#;
    let ran = case(file, ["-j1", "t"]).run().failed();
    let text = ran.read("log");
    let count = |n: &str| text.lines().filter(|line| *line == n).count();
    assert_eq!((count("1"), count("2"), count("3")), (1, 3, 1), "{text}");
}

#[test]
fn an_attempt_has_its_own_temp_and_captures() {
    let file = r##"
        task t retry=1 {
            temp scratch
            run #"echo "${v-none} $(ls "$scratch" | wc -l)" >> log; echo "$scratch" >> dirs; touch "$scratch/x""#
            run "echo kept" capture=v
            run "test $XEC_ATTEMPT = 2"
        }
    "##;
    let ran = case(file, ["t"]).run().ok();
    let lines: Vec<String> =
        ran.read("log").lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines, ["none 0", "none 0"]);
    let dirs = ran.read("dirs");
    let dirs: Vec<&str> = dirs.lines().collect();
    assert!(dirs.len() == 2 && dirs[0] != dirs[1], "{dirs:?}");
    assert!(dirs.iter().all(|dir| !std::path::Path::new(dir).exists()), "{dirs:?}");
}

#[test]
fn an_expired_attempt_is_retried() {
    let file = r#"
        task t retry=1 timeout="500ms" { run "echo $XEC_ATTEMPT >> log; test $XEC_ATTEMPT = 2 || read -r x < never" }
    "#;
    let ran = case(file, ["t"]).run().ok().nothing_left();
    assert_eq!(ran.read("log"), "1\n2\n");
}

#[test]
fn a_cancelled_attempt_is_not_retried() {
    let file = r#"task t retry=5 { run "echo $XEC_ATTEMPT >> log; echo up > \"$TELL\"; read -r x < never" }"#;
    let mut live = case(file, ["t"]).spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal(nix::sys::signal::Signal::SIGTERM);
    let ran = live.end().signal(nix::sys::signal::Signal::SIGTERM).nothing_left();
    assert_eq!(ran.read("log"), "1\n");
}

#[test]
fn ctrl_c_does_not_wait_for_a_delay() {
    let file =
        r#"task t { retry 5 delay="10h"; run "echo up > \"$TELL\"; exit 1"; finally { run "echo end >> log" } }"#;
    let mut live = case(file, ["t"]).spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal(nix::sys::signal::Signal::SIGINT);
    let ran = live.end().signal(nix::sys::signal::Signal::SIGINT).nothing_left();
    assert_eq!(ran.read("log"), "end\n");
}

#[test]
fn how_often_may_be_a_value() {
    let file = r#"
        task t {
            param n type=int default=0
            param pause type=duration default="1ms"
            retry "${n}" delay="${pause}" max="${pause}"
            run "echo try >> log; exit 3"
        }
    "#;
    let tries = |args: [&str; 2]| case(file, args).run().code(3).read("log").lines().count();
    assert_eq!((tries(["t", "n=0"]), tries(["t", "n=2"])), (1, 3));
    let file = r#"task t { param n default=x; retry "${n}"; run "echo ran >> log" }"#;
    refused(file, ["t"], "bad-value", &["`x` is no value of `retry`"]);
    let file = r#"task t { run "echo 1" capture=n; run "echo ran >> log" { retry "${n}" } }"#;
    refused(file, ["t"], "late-value", &["`retry`"]);
}
