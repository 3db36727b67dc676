//! Several xecs at once in one project.

use crate::harness::End;
use crate::harness::project::{Project, started};

#[test]
fn two_at_once_run_it_once_and_both_come_out_right() {
    let project = Project::new(
        r#"
        task make {
            inputs src
            outputs "out/**"
            run "echo begin >> log; rm -rf out; mkdir out; cat src/x > out/x; cat src/x >> out/x; echo end >> log"
        }
        task use { needs make; run "cat out/x" }
        "#,
    );
    for round in 0..50 {
        project.write("src/x", format!("{round}\n"));
        project.write("log", "");
        let [one, other] = [(); 2].map(|()| project.start(&["use"]));
        for live in [one, other] {
            let ran = live.end();
            assert_eq!(ran.end, End::Code(0), "round {round}, {}", ran.story());
            assert_eq!(ran.out(), format!("{round}\n{round}\n"), "round {round}, {}", ran.story());
        }
        assert_eq!(project.read("log"), "begin\nend\n", "round {round}: one of them makes it, the other one uses that");
    }
}

#[test]
fn who_waits_says_for_whom_and_can_be_ended() {
    let project = Project::new("task slow { inputs src; run \"echo here > $TELL; cat never\" }");
    project.write("src/x", "");
    let never = project.path().join("never");
    nix::unistd::mkfifo(&never, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut first = project.start(&["slow"]);
    assert_eq!(first.tell.line(), "here");
    // The second one says so before it can be ended; its events tell when.
    let mut second = project.case(&["slow", "--events=json"]).stdout_raw().spawn();
    let out = second.take_stdout();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(out));
    let waits = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("is being run by another xec")));
    assert!(waits.is_some());
    second.signal(nix::sys::signal::Signal::SIGINT);
    drop(lines);
    let ended = second.end();
    assert_eq!(ended.end, End::Signal(2), "{}", ended.story());
    first.signal(nix::sys::signal::Signal::SIGKILL);
    first.end();
    // The lock of who was killed is free.
    project.write("Xecfile.kdl", "task slow { inputs src; run \"echo well\" }");
    project.xec(&["slow"]).ok().stdout("well\n");
}

#[test]
fn one_that_is_asked_for_from_within_is_an_error_and_no_deadlock() {
    // What has conditions may end by them, so that only its lock tells.
    let project = Project::new("task outer { inputs src; when run \"true\"; run \"$XEC_BIN -C $HERE outer\" }");
    project.write("src/x", "");
    let case = project.case(&["outer"]).env("XEC_BIN", crate::harness::XEC).env("HERE", project.path());
    let ran = case.run().failed();
    assert!(ran.err().contains("the xec that runs this one is running `outer`, and waits"), "{}", ran.story());
}

#[test]
fn calls_of_one_task_side_by_side_wait_for_each_other() {
    let project = Project::new(
        r#"
        task all { parallel { call one; call one; call one } }
        task one { inputs src; run "echo ran >> log" }
        "#,
    );
    project.write("src/x", "");
    let ran = project.xec(&["all", "-j4"]).ok();
    assert_eq!(project.read("log"), "ran\n");
    assert_eq!(started(&ran), ["one"]);
}

/// Who needs something and works with what another xec made of it meanwhile is not up to date, even when it is made
/// back to what it was.
#[test]
fn what_is_needed_has_to_stay_until_the_body_is_done() {
    for needed in ["make", "all"] {
        let project = Project::new(
            r#"
            task make { inputs "src/x"; outputs out; run "cp src/x out" }
            task all { needs make }
            task use {
                needs NEEDED
                inputs fixed
                run "if test -e swap; then rm swap; echo two > src/x; $XEC_BIN -C $HERE make; fi; cat out > result"
            }
            "#
            .replace("NEEDED", needed)
            .as_str(),
        );
        project.write("fixed", "");
        project.write("swap", "");
        project.write("src/x", "one\n");
        let case = || project.case(&["use"]).env("XEC_BIN", crate::harness::XEC).env("HERE", project.path()).run().ok();
        let ran = case();
        assert_eq!(project.read("result"), "two\n");
        assert!(
            ran.err().contains("it will run again, since what `make` made changed while it ran"),
            "{}",
            ran.story()
        );
        project.write("src/x", "one\n");
        case();
        assert_eq!(project.read("result"), "one\n");
        assert_eq!(started(&case()), Vec::<String>::new());
    }
}
