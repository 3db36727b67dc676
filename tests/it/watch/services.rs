//! Services in a session: they go on from run to run, and begin anew only where something has changed for them.

use std::time::Instant;

use nix::sys::signal::Signal;

use super::Watched;

use crate::harness::project::Project;
use crate::harness::{DEADLINE, proc};

/// Up until it is ended, and says so in `log`.
fn service(name: &str, rest: &str) -> String {
    format!(
        r##"task {name} {{
            {rest}
            service {{ ready exists="{name}.up" }}
            run #"trap 'echo "{name} down" >> log; rm {name}.up; exit' TERM; echo "{name} up" >> log; touch {name}.up; sleep 1000 & wait"#
        }}
        "##
    )
}

fn start(file: &str, words: &[&str]) -> Watched {
    let project = Project::new(file);
    for name in ["src/a", "conf/db", "out/bin"] {
        project.write(name, "1");
    }
    Watched::start(project, words)
}

impl Watched {
    /// What the project's `log` has come to.
    #[track_caller]
    fn logged(&self, lines: &[&str]) {
        assert_eq!(self.project.read("log").lines().collect::<Vec<_>>(), lines);
    }

    /// Awaits what a service is ready by.
    #[track_caller]
    fn is_up(&self, name: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.at(&format!("{name}.up")).exists() {
            assert!(Instant::now() < deadline, "`{name}` is not up");
            std::thread::yield_now();
        }
    }

    /// Changes a file, and awaits the run that this begins.
    #[track_caller]
    fn changes(&mut self, name: &str, text: &str) {
        self.project.write(name, text);
        self.runs_once_for(name);
    }

    /// Ends the session, and says what it has logged after this many lines.
    fn end_after(self, lines: usize) -> Vec<String> {
        self.live.signal(Signal::SIGTERM);
        self.live.end().signal(Signal::SIGTERM).nothing_left();
        self.project.read("log").lines().skip(lines).map(str::to_owned).collect()
    }
}

#[test]
fn they_go_on_until_their_inputs_change() {
    let file = service("db", r#"inputs "conf/*""#)
        + r#"task test { watch "src/**" "conf/*"; needs db; run "test -e db.up; echo test >> log" }"#;
    let mut watched = start(&file, &["test"]);
    watched.rests();
    watched.logged(&["db up", "test"]);
    watched.project.write("src/a", "22");
    let up = watched.until("still-up");
    assert_eq!(up["instance"], "db");
    watched.rests();
    watched.logged(&["db up", "test", "test"]);
    watched.project.write("conf/db", "22");
    let stale = watched.until("task-stale");
    assert_eq!((&stale["instance"], &stale["why"]), (&"db".into(), &serde_json::json!(["`conf/db` changed"])));
    watched.rests();
    watched.logged(&["db up", "test", "test", "db down", "db up", "test"]);
    watched.changes("src/a", "333");
    assert_eq!(watched.end_after(6), ["test", "db down"]);
}

#[test]
fn a_failure_ends_none_of_them() {
    let file =
        service("db", "") + r#"task test { watch "src/**"; needs db; run "echo test >> log; grep -q good src/a" }"#;
    let mut watched = start(&file, &["test"]);
    assert_eq!(watched.until("run-finished")["code"], 1);
    watched.rests();
    watched.project.write("src/a", "good");
    assert_eq!(watched.until("run-finished")["code"], 0);
    watched.rests();
    watched.logged(&["db up", "test", "test"]);
    watched.end();
}

#[test]
fn who_uses_one_that_begins_anew_begins_anew_too() {
    let file = service("db", r#"inputs "conf/*""#)
        + &service("web", "needs db")
        + r#"task test { watch "src/**" "conf/*"; needs web; run "test -e db.up -a -e web.up; echo test >> log" }"#;
    let mut watched = start(&file, &["test"]);
    watched.rests();
    watched.changes("src/a", "22");
    watched.logged(&["db up", "web up", "test", "test"]);
    watched.changes("conf/db", "22");
    watched.logged(&["db up", "web up", "test", "test", "web down", "db down", "db up", "web up", "test"]);
    assert_eq!(watched.end_after(9), ["web down", "db down"]);
}

#[test]
fn one_that_is_asked_for_begins_anew_with_what_it_is_made_of() {
    let file = r#"task build { inputs "src/**"; run "echo build >> log; grep -v bad src/a > out/bin" }
        "#
    .to_owned()
        + &service("web", "needs build\ninputs \"out/bin\" \"conf/*\"\nwatch \"src/**\" \"conf/*\"");
    let mut watched = start(&file, &["web"]);
    let awaited = |watched: &mut Watched, event: &str| drop(watched.until(event));
    awaited(&mut watched, "step-started");
    awaited(&mut watched, "step-started");
    // A change that leaves it as it is: the one that is up is used.
    watched.is_up("web");
    watched.logged(&["build", "web up"]);
    watched.project.write("src/b", "not a part of it");
    awaited(&mut watched, "still-up");
    watched.logged(&["build", "web up", "build"]);
    // The build fails: the last good one goes on.
    watched.project.write("src/a", "bad");
    awaited(&mut watched, "changed");
    assert_eq!(watched.until("run-finished")["code"], 1);
    awaited(&mut watched, "waiting");
    watched.logged(&["build", "web up", "build", "build"]);
    watched.project.write("src/a", "better");
    assert_eq!(watched.until("task-stale")["instance"], "build");
    assert_eq!(watched.until("task-stale")["why"], serde_json::json!(["`out/bin` changed"]));
    awaited(&mut watched, "step-started");
    watched.is_up("web");
    assert_eq!(watched.end_after(4), ["build", "web down", "web up", "web down"]);
}

#[test]
fn one_that_is_asked_for_and_reads_nothing_begins_anew_each_time() {
    let file = service("web", r#"watch "src/**""#);
    let mut watched = start(&file, &["web"]);
    watched.until("step-started");
    watched.is_up("web");
    watched.project.write("src/a", "22");
    watched.until("changed");
    watched.until("step-started");
    watched.is_up("web");
    assert_eq!(watched.end_after(0), ["web up", "web down", "web up", "web down"]);
}

#[test]
fn what_one_writes_between_two_runs_is_shown_with_the_next() {
    let file = r#"
        task db { service { ready exists="up" }; run "touch up; while read -r x < $GATE; do echo got $x; echo said > $TELL; done" }
        task test { watch "src/**"; needs db; run "true" }
    "#;
    let mut watched = start(file, &["test"]);
    watched.rests();
    watched.live.fifo("gate").say("one");
    assert_eq!(watched.live.tell.line(), "said");
    watched.project.write("src/a", "22");
    assert_eq!(watched.until("output")["text"], "got one\n");
    watched.rests();
    watched.end();
}

#[test]
fn what_one_writes_between_two_runs_shows_no_secret() {
    let file = r#"
        secret TOKEN
        task db { service { ready exists="up" }; run "touch up; while read -r x < $GATE; do echo got $TOKEN; echo said > $TELL; done" }
        task test { watch "src/**"; needs db; run "true" }
    "#;
    let project = Project::new(file).with("TOKEN", "never-to-be-shown");
    project.write("src/a", "1");
    let mut watched = Watched::start(project, &["test"]);
    watched.rests();
    watched.live.fifo("gate").say("one");
    assert_eq!(watched.live.tell.line(), "said");
    watched.project.write("src/a", "22");
    let shown = watched.until("output")["text"].to_string();
    assert!(shown.contains("got ") && !shown.contains("never"), "{shown}");
    watched.rests();
    watched.end();
}

#[test]
fn one_that_has_ended_meanwhile_begins_anew() {
    let file = r#"
        task db { service { ready exists="up" }; run "echo $$ > pid; touch up; read -r x < $GATE; echo last words; exit 3" }
        task test { watch "src/**" debounce="500ms"; needs db; run "true" }
    "#;
    let mut watched = start(file, &["test"]);
    watched.rests();
    let pid: i32 = watched.project.read("pid").trim().parse().unwrap();
    watched.live.fifo("gate").say("end");
    assert!(proc::await_end(pid, Instant::now() + DEADLINE));
    watched.project.write("src/a", "22");
    assert_eq!(watched.until("task-stale")["why"], serde_json::json!(["it had ended meanwhile (exit 3)"]));
    assert_eq!(watched.until("output")["text"], "last words\n");
    watched.rests();
    watched.end();
}

#[test]
fn one_with_something_to_do_at_its_end_ends_with_each_run() {
    let file = service("db", r#"finally { run "echo bye >> log" }"#)
        + r#"task test { watch "src/**"; needs db; run "echo test >> log" }"#;
    let mut watched = start(&file, &["test"]);
    watched.rests();
    watched.changes("src/a", "22");
    let one = ["db up", "test", "db down", "bye"];
    watched.logged(&[one, one].concat());
    watched.end();
}

#[test]
fn one_that_is_no_part_of_the_file_any_more_is_ended() {
    let file = service("db", "") + r#"task test { watch "src/**"; needs db; run "echo test >> log" }"#;
    let mut watched = start(&file, &["test"]);
    watched.rests();
    watched.changes(
        "Xecfile.kdl",
        r#"task test { watch "src/**"; run "while test -e db.up; do :; done; echo alone >> log" }"#,
    );
    watched.logged(&["db up", "test", "db down", "alone"]);
    watched.end();
}

#[test]
fn nothing_is_left_of_them_after_kill_9() {
    let file = service("db", "") + r#"task test { watch "src/**"; needs db; run "true" }"#;
    let mut watched = start(&file, &["test"]);
    watched.rests();
    assert!(watched.at("db.up").exists());
    watched.live.signal(Signal::SIGKILL);
    let ran = watched.live.end().signal(Signal::SIGKILL);
    proc::await_gone(ran.path());
}
