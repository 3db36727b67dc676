//! `batches` in a matrix: their sizes, the pauses between them, and the gates; what `-n` and `--check` say of them.

use super::{case, refused};

/// Each instance writes its number; a batch is over before the next one begins.
fn file(rules: &str, step: &str) -> String {
    format!("task t {{ matrix on-error=continue {{ {rules}; n range=\"1..6\" }}; run #\"{step}\"# }}\n")
}

/// The numbers of each batch, sorted: the batch of an instance is the count of batches whose file is whole.
fn log_of(text: &str, sizes: &[usize]) -> Vec<Vec<String>> {
    let mut lines = text.lines().map(str::to_owned);
    let mut batches = Vec::new();
    for size in sizes {
        let mut batch: Vec<String> = lines.by_ref().take(*size).collect();
        batch.sort();
        batches.push(batch);
    }
    assert_eq!(lines.next(), None, "{text}");
    batches
}

#[test]
fn a_batch_is_over_before_the_next_one_begins() {
    let step = r#"echo "$n" >> log"#;
    let ran = case(&file(r#"batches 1 "1/3""#, step), ["-j8", "t"]).run().ok();
    let batches = log_of(&ran.read("log"), &[1, 2, 2, 1]);
    assert_eq!(batches, [vec!["1"], vec!["2", "3"], vec!["4", "5"], vec!["6"]]);
    let ran = case(&file("batches 4 1", step), ["-j8", "t"]).run().ok();
    assert_eq!(log_of(&ran.read("log"), &[4, 1, 1])[1..], [["5"], ["6"]]);
}

#[test]
fn those_of_a_batch_run_side_by_side() {
    // Nobody goes on before both are there.
    let step = "echo in > tell; read -r go < gate";
    let mut live = case(&file("batches 2", step), ["-j8", "t"]).fifo("gate").spawn();
    for _ in 0..3 {
        live.tell.line();
        live.tell.line();
        live.fifo("gate").say("go");
        live.fifo("gate").say("go");
    }
    live.end().ok();
}

#[test]
fn a_pause_is_between_batches_and_nowhere_else() {
    // With a pause of an hour, one batch alone ends.
    let ran = case(&file(r#"batches 6 pause="1h""#, r#"echo "$n" >> log"#), ["-j8", "t"]).run().ok();
    assert_eq!(ran.read("log").lines().count(), 6);
    let ran = case(&file(r#"batches 3 pause="1ms""#, r#"echo "$n" >> log"#), ["-j8", "t"]).run().ok();
    assert_eq!(log_of(&ran.read("log"), &[3, 3])[1], ["4", "5", "6"]);
    let mut live = case(&file(r#"batches 1 pause="1h""#, r#"echo "$n" >> log; echo in > tell"#), ["t"]).spawn();
    live.tell.line();
    live.signal(nix::sys::signal::Signal::SIGINT);
    let ran = live.end().signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(ran.read("log"), "1\n", "in the pause, nothing begins");
}

#[test]
fn a_batch_that_falls_short_is_the_last() {
    let step = r#"echo "$n" >> log; test "$n" != 2"#;
    let ran = case(&file("batches 1 2", step), ["-j8", "t"]).run().code(1);
    assert_eq!(log_of(&ran.read("log"), &[1, 2])[1], ["2", "3"]);
    assert!(ran.err().contains("t[n=2]") && ran.err().contains("skipped"), "{}", ran.story());
    // Half of a batch is enough for the next one, and the whole is judged by itself.
    let ran = case(&file(r#"require "50%"; batches 1 2 require="50%""#, step), ["-j8", "t"]).run().ok();
    assert_eq!(ran.read("log").lines().count(), 6);
    let ran = case(&file(r#"batches 1 2 require="50%""#, step), ["-j8", "t"]).run().code(1);
    assert_eq!(ran.read("log").lines().count(), 6, "{}", ran.story());
    // Enough of the whole does not open the gate of a batch.
    let ran = case(&file(r#"require 1; batches 1 2 require="100%""#, step), ["-j8", "t"]).run().code(1);
    assert_eq!(ran.read("log").lines().count(), 3, "{}", ran.story());
    // Where a batch says nothing, the share of the whole is its own.
    let ran = case(&file(r#"require "50%"; batches 1 2"#, step), ["-j8", "t"]).run().ok();
    assert_eq!(ran.read("log").lines().count(), 6);
}

#[test]
fn a_canary_ends_the_rest() {
    let file = r##"
        task t { matrix { batches 1 "1/3" pause="1ms"; n range="1..6" }; run #"echo "$n" >> log; exit 4"# }
        task all { call t; on-failure { run "echo rollback >> log" } }
    "##;
    assert_eq!(case(file, ["-j8", "all"]).run().code(4).read("log"), "1\nrollback\n");
}

#[test]
fn an_attempt_of_the_set_keeps_its_batches() {
    // The third fails once: of the second batch it alone is tried again, and the last batch waits for that.
    let file = r##"
        task t {
            matrix retry=1 on-error=continue { batches 2; n range="1..6" }
            run #"echo "$n" >> log; test "$n" != 3 || test -e once || { touch once; exit 1; }"#
        }
    "##;
    let ran = case(file, ["-j8", "t"]).run().ok();
    let batches = log_of(&ran.read("log"), &[2, 2, 1, 2]);
    assert_eq!(batches, [vec!["1", "2"], vec!["3", "4"], vec!["3"], vec!["5", "6"]]);
}

#[test]
fn batches_are_of_those_that_were_asked_for() {
    let file = "task t { matrix { batches \"1/2\"; os a b; n range=\"1..4\" }; run \"true\" }\n";
    let ran = case(file, ["-n", "t[os=a]"]).run().ok();
    assert!(ran.out().starts_with("t  2 batches: 2, 2; at least 4 of 4\n"), "{}", ran.story());
    case(file, ["t[os=a]"]).run().ok();
}

#[test]
fn what_is_ruled_is_told_as_it_comes_out() {
    let file = r##"
        task deploy {
            param gate default="50%"
            matrix require="75%" { batches 1 "1/3" pause="5s" require="${gate}"; machine range="1..12" }
            run "true"
        }
        task health { matrix require="90%" { machine range="1..4" }; run "true" }
        task plain { matrix { n 1 2 }; run "true" }
    "##;
    let told = "4 batches: 1, 4, 4, 3 (at least 1, 2, 2, 2), 5s between; at least 9 of 12";
    let ran = case(file, ["--check"]).run().ok();
    assert_eq!(ran.out(), format!("ok: 3 tasks\ndeploy: {told}\nhealth: at least 4 of 4\n"));
    let ran = case(file, ["-n", "deploy", "health", "plain"]).run().ok();
    let lines: Vec<String> = ran.out().lines().filter(|line| line.contains("at least")).map(str::to_owned).collect();
    assert_eq!(lines, [format!("deploy  {told}"), "health  at least 4 of 4".to_owned()]);
    let ran = case(file, ["-n", "deploy", "gate=100%"]).run().ok();
    assert!(ran.out().starts_with("deploy  4 batches: 1, 4, 4, 3, 5s between; at least 9 of 12\n"), "{}", ran.story());
    let ran = case(file, ["-n", "--json", "deploy"]).run().ok();
    let sets = r#""sets":[{"task":"deploy","instances":12,"require":9,"batches":[{"size":1,"require":1},{"size":4,"require":2}"#;
    assert!(ran.out().contains(sets), "{}", ran.story());
}

#[test]
fn a_batch_of_nothing_is_refused() {
    let file = |sizes: &str| format!("task t {{ matrix {{ batches {sizes}; n 1 2 }}; run \"echo x >> log\" }}");
    refused(&file("0"), "bad-value", &["a batch of nothing"]);
    refused(&file("1 \"0%\""), "bad-value", &["a batch of nothing"]);
    refused(&file("\"150%\""), "bad-value", &["150%"]);
    refused(&file("1 require=\"101%\""), "bad-value", &["101%"]);
    refused("task t { matrix require=\"120%\" { n 1 2 }; run \"echo x >> log\" }", "bad-value", &["120%"]);
    let late = "task t { param s default=\"0\"; matrix { batches \"${s}\"; n 1 2 }; run \"echo x >> log\" }";
    refused(late, "bad-value", &["batches"]);
    case("task t { matrix empty=ok { batches 2; f glob=\"none-*\" }; run \"true\" }", ["t"]).run().ok();
}
