//! `inputs` alone: skipped when nothing that decides has changed.

use super::{last, runs, why};
use crate::harness::project::Project;

const ONE: &str = r#"
    task build {
        inputs "src/**"
        run "find src -type f | sort | xargs cat > out"
    }
"#;

fn project() -> Project {
    let project = Project::new(ONE);
    project.write("src/a", "a\n");
    project.write("src/b", "b\n");
    project
}

#[test]
fn content_decides_and_time_does_not() {
    let project = project();
    assert!(runs(&project, "build"));
    assert!(!runs(&project, "build"));
    // A touch is no change.
    project.age("src/a", 1000);
    assert!(!runs(&project, "build"));
    // An edit is one, even with the time that it had before, and the same size.
    let time = project.path().join("src/a").metadata().unwrap().modified().unwrap();
    project.write("src/a", "A\n");
    std::fs::File::options().write(true).open(project.path().join("src/a")).unwrap().set_modified(time).unwrap();
    assert!(runs(&project, "build"));
    assert_eq!(project.read("out"), "A\nb\n");
    project.age("src/a", -100_000);
    project.write("src/b", "older\n");
    project.age("src/b", -100_000);
    assert!(runs(&project, "build"));
    assert_eq!(project.read("out"), "A\nolder\n");
    assert!(!runs(&project, "build"));
}

#[test]
fn names_that_are_no_text_and_links_that_go_round() {
    use std::os::unix::ffi::OsStrExt as _;
    let project = Project::new(r#"task make { inputs "src/**"; run "true" }"#);
    project.write("src/a", "");
    let odd = project.path().join(std::ffi::OsStr::from_bytes(b"src/\xff\xfe\n.c"));
    std::fs::write(&odd, "1").unwrap();
    std::os::unix::fs::symlink(".", project.path().join("src/round")).unwrap();
    assert!(runs(&project, "make") && !runs(&project, "make"));
    std::fs::write(&odd, "2").unwrap();
    let why = why(&project, "make");
    assert!(why.contains("changed"), "{why}");
    assert!(!runs(&project, "make"));
}

#[test]
fn what_git_ignores_is_no_input_unless_that_is_said() {
    for (said, counts) in [("", false), (" gitignore=#false", true)] {
        let project = Project::new(&format!(r#"task make {{ inputs "src/**"{said}; run "true" }}"#));
        project.write(".git/HEAD", "");
        project.write(".gitignore", "*.o\n");
        project.write("src/a.c", "");
        project.write("src/a.o", "1");
        assert!(runs(&project, "make") && !runs(&project, "make"));
        project.write("src/a.o", "2");
        assert_eq!(runs(&project, "make"), counts, "{said}");
        project.write("src/a.c", "2");
        assert!(runs(&project, "make"));
    }
}

#[test]
fn files_come_and_go() {
    let project = project();
    assert_eq!(why(&project, "build"), "runs, since it never ran");
    assert_eq!(why(&project, "build"), "up to date");
    project.write("src/deep/c", "c\n");
    project.write("src/a", "x\n");
    assert_eq!(why(&project, "build"), "runs, since `src/a` changed, `src/deep/c` is new");
    project.remove("src/deep");
    assert_eq!(why(&project, "build"), "runs, since `src/deep/c` is gone");
}

#[test]
fn a_failed_task_is_never_up_to_date() {
    let project = Project::new(r#"task check { inputs src; run "test ! -e src/bad" }"#);
    project.write("src/a", "a");
    assert!(runs(&project, "check"));
    project.write("src/bad", "");
    project.xec(&["check"]).code(1);
    project.xec(&["check"]).code(1);
    // Back to what succeeded once: a failure came after it, and what it left nobody knows.
    project.remove("src/bad");
    assert_eq!(why(&project, "check"), "runs, since it did not end well the last time");
    assert!(!runs(&project, "check"));
}

#[test]
fn an_edit_while_it_runs_runs_it_again() {
    let project = Project::new(r#"task slow { inputs src; run "cat src/a > out; echo reading > $TELL; cat wait" }"#);
    project.write("src/a", "before");
    let mut live = project.case(&["slow"]);
    let fifo = project.path().join("wait");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    live = live.env("WAIT", &fifo);
    let mut live = live.spawn();
    assert_eq!(live.tell.line(), "reading");
    project.write("src/a", "after");
    std::fs::write(&fifo, "").unwrap();
    live.end().ok().says("slow: it will run again, since `src/a` changed while it ran");
    project.write("Xecfile.kdl", r#"task slow { inputs src; run "cat src/a > out" }"#);
    assert!(runs(&project, "slow"));
    assert_eq!(project.read("out"), "after");
    assert!(!runs(&project, "slow"));
}

#[test]
fn what_is_up_to_date_satisfies_those_who_need_it() {
    let project = Project::new(
        r#"
        task a { inputs src; run "echo a" }
        task b { needs a; run "echo b" }
        task c { needs b; inputs src; run "echo c" }
        "#,
    );
    project.write("src/x", "x");
    assert_eq!(last(&project.xec(&["c"]).ok()), "✓ 3 tasks");
    let ran = project.xec(&["c"]).ok().stdout("b\n");
    assert_eq!(last(&ran), "✓ 1 task, 2 up to date");
    let ran = project.xec(&["a", "-k"]).ok().stdout("");
    assert_eq!(last(&ran), "✓ 1 up to date");
}

#[test]
fn force_runs_what_is_asked_for_and_not_what_it_needs() {
    let project = Project::new(
        r#"
        task a { inputs src; run "echo a" }
        task b { needs a; inputs src; run "echo b" }
        "#,
    );
    project.write("src/x", "x");
    project.xec(&["b"]).ok().stdout("a\nb\n");
    project.xec(&["b"]).ok().stdout("");
    project.xec(&["b", "--force"]).ok().stdout("b\n");
    project.xec(&["b"]).ok().stdout("");
}

#[test]
fn each_instance_of_a_matrix_by_itself() {
    let project = Project::new(
        r#"
        task compile {
            matrix { file glob="src/*.c" }
            inputs "${file}" "all.h"
            run "echo \"$file\""
        }
        "#,
    );
    project.write("all.h", "");
    project.write("src/a.c", "a");
    project.write("src/b.c", "b");
    // A name that would be a pattern is a name.
    project.write("src/[ab].c", "c");
    assert_eq!(last(&project.xec(&["compile"]).ok()), "✓ 3 tasks");
    project.write("src/[ab].c", "C");
    project.xec(&["compile"]).ok().stdout("src/[ab].c\n");
    project.write("src/b.c", "B");
    let ran = project.xec(&["compile"]).ok().stdout("src/b.c\n");
    assert_eq!(last(&ran), "✓ 1 task, 2 up to date");
    project.write("all.h", "!");
    assert_eq!(last(&project.xec(&["compile"]).ok()), "✓ 3 tasks");
}

#[test]
fn what_conditions_skip_is_not_asked_and_not_remembered() {
    let project = Project::new(r#"task a { inputs src; unless exists "stop"; run "echo a" }"#);
    project.write("src/x", "x");
    project.write("stop", "");
    project.xec(&["a"]).ok().stdout("");
    project.remove("stop");
    project.xec(&["a"]).ok().stdout("a\n");
    project.xec(&["a"]).ok().stdout("");
}

#[test]
fn hooks_belong_to_a_body_that_began() {
    let project = Project::new(
        r#"
        task a {
            inputs src
            run "echo a"
            on-success { run "echo well" }
            finally { run "echo last" }
        }
        "#,
    );
    project.write("src/x", "x");
    project.xec(&["a"]).ok().stdout("a\nwell\nlast\n");
    project.xec(&["a"]).ok().stdout("");
}

#[test]
fn retries_and_calls_are_part_of_it() {
    let project = Project::new(
        r#"
        task a {
            inputs src
            retry 3
            run "echo x >> tries; test $(wc -l < tries) -ge 2"
            call b word=one
        }
        task b { param word; run "echo called $word" }
        "#,
    );
    project.write("src/x", "x");
    project.xec(&["a"]).ok().stdout("called one\n");
    project.xec(&["a"]).ok().stdout("");
    project.write("Xecfile.kdl", project.read("Xecfile.kdl").replace("word=one", "word=two"));
    assert_eq!(project.xec(&["a"]).ok().out(), "called two\n");
    project.write("Xecfile.kdl", project.read("Xecfile.kdl").replace("echo called", "echo called with"));
    assert_eq!(project.xec(&["a"]).ok().out(), "called with two\n");
}
