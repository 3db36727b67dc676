//! What fails, what that does to the rest, and the exit code that comes of it.

use nix::sys::signal::Signal;

use crate::harness::Case;

fn case(xecfile: &str) -> Case {
    Case::new().xecfile(xecfile)
}

#[test]
fn the_code_of_a_single_failure_is_kept() {
    for code in [1, 2, 3, 42, 126, 127, 255] {
        let file = format!(r#"task t {{ run "exit {code}" }}"#);
        case(&file).args(["t"]).run().code(code).nothing_left();
    }
}

#[test]
fn the_summary_names_task_place_code_and_last_words() {
    let file = "task good { run \"true\" }\ntask bad {\n    run \"echo the last words >&2; exit 7\"\n}\n";
    let ran = case(file).args(["good", "bad"]).run().code(7);
    for words in ["bad", "Xecfile.kdl:3", "7", "the last words"] {
        assert!(ran.err().contains(words), "no {words:?}, {}", ran.story());
    }
}

#[test]
fn death_by_signal_is_128_and_its_number() {
    case(r#"task t { run "kill -TERM $$" }"#).args(["t"]).run().code(128 + Signal::SIGTERM as i32);
    case(r#"task t { run "kill -SEGV $$" }"#).args(["t"]).run().code(128 + Signal::SIGSEGV as i32);
}

#[test]
fn several_failures_are_1() {
    let file = r#"
        task t on-error=continue { parallel { run "exit 3"; run "exit 4" } }
        task same on-error=continue { parallel { run "exit 3"; run "exit 3" } }
    "#;
    case(file).args(["t"]).run().code(1);
    case(file).args(["same"]).run().code(1);
}

#[test]
fn a_missing_program_is_127_with_its_place() {
    let file = "task t {\n    exec no-such-program-here --flag\n}\n";
    let ran = case(file).args(["t"]).run().code(127).says("no-such-program-here");
    assert!(ran.err().contains("Xecfile.kdl:2"), "{}", ran.story());
    case(r#"task t { run "no-such-program-here" }"#).args(["t"]).run().code(127).says("no-such-program-here");
}

#[test]
fn a_file_that_may_not_be_executed_is_126() {
    let file = r#"task t { exec "./data.txt" }"#;
    case(file).file("data.txt", "data").args(["t"]).run().code(126).says("data.txt");
}

#[test]
fn a_missing_directory_is_a_failure_that_names_it() {
    case(r#"task t cwd="no/such/dir" { run "true" }"#).args(["t"]).run().failed().says("no/such/dir");
}

#[test]
fn a_step_after_a_failure_does_not_run() {
    let ran = case(r#"task t { run "exit 5"; run "touch ran" }"#).args(["t"]).run().code(5);
    assert!(!ran.path().join("ran").exists());
}

#[test]
fn a_request_after_a_failure_does_not_run_but_with_k() {
    let file = r#"
        task bad { run "exit 5" }
        task next { run "echo next >> log" }
    "#;
    assert_eq!(case(file).args(["bad", "next"]).run().code(5).read("log"), "");
    assert_eq!(case(file).args(["-k", "bad", "next"]).run().code(5).read("log"), "next\n");
    assert_eq!(case(file).args(["--on-error=continue", "bad", "next"]).run().code(5).read("log"), "next\n");
}

/// Two steps that are surely running when the third fails: each says so, and the third waits for both.
fn siblings(mode: &str) -> String {
    format!(
        r##"
        task t on-error={mode} {{
            parallel {{
                run #"echo up > meet; read -r x < gate; echo went-on >> log"#
                run #"read -r x < meet; echo failing >> log; exit 9"#
                sequence priority=-1 {{ run "true"; run #"echo second >> log"# }}
            }}
        }}
        "##
    )
}

#[test]
fn fail_fast_ends_the_siblings() {
    let case = case(&siblings("fail-fast")).fifo("meet").fifo("gate");
    let ran = case.args(["t", "-j2"]).run().code(9).nothing_left();
    assert_eq!(ran.read("log"), "failing\n");
}

#[test]
fn drain_lets_them_end_and_starts_nothing() {
    let case = case(&siblings("drain")).fifo("meet").fifo("gate");
    let events = case.path().join("events");
    let mut live = case.fifo("events").args(["t", "-j2", &format!("--events=json:{}", events.display())]).spawn();
    await_failure(live.fifo("events"));
    live.fifo("gate").say("go on");
    let ran = live.end().code(9).nothing_left();
    assert_eq!(ran.read("log"), "failing\nwent-on\n");
}

#[test]
fn continue_runs_all_that_can_be_reached() {
    let case = case(&siblings("continue")).fifo("meet").fifo("gate");
    let events = case.path().join("events");
    let mut live = case.fifo("events").args(["t", "-j2", &format!("--events=json:{}", events.display())]).spawn();
    await_failure(live.fifo("events"));
    live.fifo("gate").say("go on");
    let ran = live.end().code(9).nothing_left();
    let mut lines: Vec<String> = ran.read("log").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["failing", "second", "went-on"]);
}

/// Reads events until one says that a step ended with code 9.
#[track_caller]
fn await_failure(events: &mut crate::harness::fifo::Fifo) {
    loop {
        let event: serde_json::Value = serde_json::from_str(&events.line()).expect("a line of JSON");
        if event["event"] == "step-finished" && event["code"] == 9 {
            return;
        }
    }
}

#[test]
fn what_needs_a_failure_is_skipped_and_named() {
    let file = r#"
        task bad { run "exit 4" }
        task mid { needs bad; run "echo mid >> log" }
        task top { needs mid; run "echo top >> log" }
    "#;
    let ran = case(file).args(["-k", "top"]).run().code(4);
    assert_eq!(ran.read("log"), "");
    assert!(ran.err().contains("mid") && ran.err().contains("top"), "{}", ran.story());
}

#[test]
fn an_optional_failure_does_not_count() {
    let file = r#"
        task t { run "exit 3" optional=#true; run "echo went on" }
        task group { parallel optional=#true { run "exit 3" }; run "echo went on" }
        task lenient optional=#true { run "exit 3" }
        task dependant { needs lenient; run "echo went on" }
    "#;
    case(file).args(["t"]).run().ok().stdout("went on\n");
    case(file).args(["group"]).run().ok().stdout("went on\n");
    case(file).args(["dependant"]).run().ok().stdout("went on\n");
    // And it is told so, wherever the word stands.
    for task in ["t", "group", "lenient", "dependant"] {
        case(file).args([task]).run().says("exit 3").says(", optional\n");
    }
}

#[test]
fn one_failure_is_counted_once() {
    let calls: String = (1..13).map(|n| format!("task t{n} {{ call t{} }}\n", n + 1)).collect();
    let ran =
        case(&format!("{calls}task t13 {{ run \"false\" }}\ntask ok {{ run \"true\" }}")).args(["-k", "t1", "ok"]);
    ran.run().code(1).says("✗ 1 failed, 1 ok in ");
    let file = r#"
        task both { run "exit 3" optional=#true; run "exit 4" }
        task wide on-error=continue { parallel { run "exit 5"; run "exit 6" } }
        task late { sequence timeout="100ms" grace="100ms" { run "sleep 1000" } }
        task maybe { call late { optional #true }; run "true" }
        task hooked { run "exit 7"; on-failure { run "exit 8" } }
    "#;
    case(file).args(["both"]).run().code(4).says("✗ 1 failed, 1 failed and not counted in ");
    case(file).args(["wide"]).run().code(1).says("✗ 2 failed in ");
    case(file).args(["late"]).run().code(124);
    case(file).args(["maybe"]).run().ok().says("✓ 1 task in ").says(", 1 failed and not counted");
    case(file).args(["hooked"]).run().code(7).says("✗ 1 failed in ");
}

#[test]
fn a_timeout_is_124_and_ends_the_whole_tree() {
    let file = r#"task t timeout="200ms" grace="200ms" { run "sleep 1000 & sleep 1000" }"#;
    case(file).args(["t"]).run().code(124).nothing_left();
    let file = r#"task t { run "trap '' TERM; sleep 1000 & wait" timeout="200ms" grace="200ms" }"#;
    case(file).args(["t"]).run().code(124).nothing_left();
}

#[test]
fn a_timeout_of_a_group_bounds_its_total() {
    let file = r#"task t { sequence timeout="300ms" grace="200ms" { run "echo one"; run "read -r x < never"; run "echo three" } }"#;
    case(file).args(["t"]).run().code(124).stdout("one\n").nothing_left();
}

#[test]
fn a_quick_step_does_not_wait_for_its_timeout() {
    case(r#"task t timeout="1h" { run "echo done" }"#).args(["t"]).run().ok().stdout("done\n");
}

#[test]
fn a_shell_script_stops_at_its_first_failure_and_at_unset_names() {
    case(r#"task t { run "false; echo not reached" }"#).args(["t"]).run().code(1).stdout("");
    case(r#"task t { run "echo $no_such_name; echo not reached" }"#)
        .args(["t"])
        .run()
        .failed()
        .stdout("")
        .says("no_such_name");
}

#[test]
fn in_a_hook_what_did_not_come_to_be_is_empty() {
    let file = r##"
        task t {
            matrix { n 1 2; finally { run "echo \"set <$xec_status>\"" } }
            env N "${n}"
            run "test $n != 1"
            run "echo made" capture=tag
            on-failure { run #"echo "<$tag>""#; exec echo "<${tag}>" "${tag:-none}" }
        }
    "##;
    let ran = Case::new().xecfile(file).args(["t[n=1]"]).run().code(1);
    ran.stdout("<>\n<> none\nset <failed>\n");
}
