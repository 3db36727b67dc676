//! Several xecs at once in one project.

use nix::sys::resource::Resource;
use nix::sys::signal::Signal;

use crate::harness::project::{Project, started};
use crate::harness::{End, proc};

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

/// Who waits for a lock sleeps until it is free, and looks at no file until then.
#[test]
fn who_waits_does_nothing_meanwhile() {
    let project =
        Project::new("task slow { inputs src; run \"echo here > $TELL; read -r x < $GATE; echo ran >> log\" }");
    project.write("src/x", "");
    let case = project.case(&["slow"]).fifo("gate");
    let gate = case.path().join("gate");
    let mut first = case.env("GATE", gate).spawn();
    assert_eq!(first.tell.line(), "here");
    let mut second = project.case(&["slow", "--events=json"]).stdout_raw().spawn();
    let out = second.take_stdout();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(out));
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("is being run by another xec"))));
    proc::await_idle(second.pid(), 1);
    first.fifo("gate").say("go on");
    first.end().ok();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("up-to-date"))), "it uses what the first one made");
    second.end().ok();
    assert_eq!(project.read("log"), "ran\n");
}

/// What has not begun is held by nobody: another xec runs it meanwhile, and whoever is killed before it began takes
/// nothing back that was said of it.
#[test]
fn what_waits_for_a_slot_is_free_for_others() {
    let project = Project::new(
        r#"
        task all { needs first later }
        task first { run "echo here > $TELL; cat never" }
        task later { inputs src/b; run "echo later >> log" }
        "#
        .replace("src/b", "\"src/b\"")
        .as_str(),
    );
    project.write("src/b", "one");
    project.xec(&["later"]).ok();
    project.write("src/b", "two");
    nix::unistd::mkfifo(&project.path().join("never"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut live = project.start(&["-j1", "all"]);
    assert_eq!(live.tell.line(), "here");
    // What was true of it before is true again.
    project.write("src/b", "one");
    assert_eq!(started(&project.xec(&["later"]).ok()), Vec::<String>::new());
    project.write("src/b", "three");
    assert_eq!(started(&project.xec(&["later"]).ok()), ["later"]);
    live.signal(Signal::SIGKILL);
    live.end();
    assert_eq!(started(&project.xec(&["later"]).ok()), Vec::<String>::new());
    assert_eq!(project.read("log"), "later\nlater\n");
}

/// Without a limit of slots all of them want to begin at once: those for which there is no descriptor begin later.
#[test]
fn what_there_is_no_descriptor_for_begins_later() {
    let project = Project::new(
        r#"
        task all { needs wide }
        task wide { matrix { n range="1..300" }; inputs src; run "echo $n > out/$n" }
        "#,
    );
    project.write("src/x", "x");
    std::fs::create_dir(project.path().join("out")).unwrap();
    project.case(&["all", "-q", "-j0"]).limit(Resource::RLIMIT_NOFILE, 128).run().ok();
    assert_eq!(std::fs::read_dir(project.path().join("out")).unwrap().count(), 300);
}

/// However many wait for a slot: no descriptor is held for any of them, and none for what little they write.
#[test]
fn a_wide_run_needs_few_descriptors() {
    for (files, expected) in [("inputs src", "later"), ("inputs src; outputs \"out/$n\"; cache", "again")] {
        let xecfile = r#"
            task all { needs wide }
            task wide {
                matrix { n range="1..700" }
                FILES
                run "echo $n > out/$n; echo made $n"
            }
        "#;
        let project = Project::new(&xecfile.replace("FILES", &files.replace("$n", "${n}")));
        project.write("src/x", expected);
        std::fs::create_dir(project.path().join("out")).unwrap();
        let case = || project.case(&["all", "-q"]).limit(Resource::RLIMIT_NOFILE, 256).run().ok();
        let ran = case();
        assert!(!ran.err().contains("will run again") && !ran.err().contains("not kept"), "{}", ran.story());
        assert_eq!(std::fs::read_dir(project.path().join("out")).unwrap().count(), 700);
        std::fs::remove_dir_all(project.path().join("out")).unwrap();
        std::fs::create_dir(project.path().join("out")).unwrap();
        case();
        let there = std::fs::read_dir(project.path().join("out")).unwrap().count();
        assert_eq!(there, if files.contains("cache") { 700 } else { 0 }, "{files}");
        assert_eq!(std::fs::read_dir(project.path().join(".xec/locks")).unwrap().count(), 0, "no lock is left");
    }
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
