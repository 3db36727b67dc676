//! `--watch`: real events of the file system, and what xec does about them. Nothing sleeps: a test awaits what xec says
//! in `--events`.

mod edges;
mod meanwhile;
mod services;

use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::live::Live;
use crate::harness::project::Project;
use crate::harness::{Case, proc};

/// A project that is watched.
struct Watched {
    project: Project,
    live: Live,
}

impl Watched {
    fn start(project: Project, words: &[&str]) -> Self {
        Self::start_as(project.case(words), project)
    }

    fn start_as(case: Case, project: Project) -> Self {
        let case = case.fifo("events").fifo("gate");
        let (to, gate) = (format!("--events=json:{}", case.path().join("events").display()), case.path().join("gate"));
        Self { live: case.env("GATE", gate).args([to]).spawn(), project }
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.live.fifo("events").line()).expect("JSON")
    }

    /// Awaits an event, whatever comes before it.
    fn until(&mut self, event: &str) -> Value {
        loop {
            let next = self.next();
            if next["event"] == event {
                return next;
            }
        }
    }

    /// Awaits a run that was begun by this, and the wait after it; there was no other one.
    #[track_caller]
    fn runs_once_for(&mut self, path: &str) {
        let changed = self.until("changed");
        assert_eq!(changed["paths"], serde_json::json!([path]), "{changed}");
        assert_eq!(changed["more"], 0);
        self.rests();
    }

    /// Awaits the end of the run, and that nothing begins another one.
    #[track_caller]
    fn rests(&mut self) {
        loop {
            match self.next()["event"].as_str().expect("a name") {
                "waiting" => return,
                "changed" => panic!("one run too many"),
                _ => {}
            }
        }
    }

    fn end(self) {
        self.live.signal(Signal::SIGTERM);
        self.live.end().signal(Signal::SIGTERM).nothing_left();
    }

    fn at(&self, name: &str) -> PathBuf {
        self.project.path().join(name)
    }
}

const BUILD: &str = r#"task build { watch debounce="500ms"; inputs "src/**"; outputs "out/**"; run "mkdir -p out; cat src/a > out/a; echo ran" }"#;

fn build() -> Watched {
    let project = Project::new(BUILD);
    project.write("src/a", "1");
    let mut watched = Watched::start(project, &["-w", "build"]);
    assert_eq!(watched.until("waiting")["files"], 2, "the input and the Xecfile");
    watched
}

fn rename(from: &Path, to: &Path) {
    std::fs::rename(from, to).unwrap();
}

#[test]
fn every_editor_saves_in_its_own_way() {
    let mut watched = build();
    let (at, old, new) = (watched.at("src/a"), watched.at("src/a~"), watched.at("src/.a.new"));
    // VS Code: in place.
    watched.project.write("src/a", "in place");
    watched.runs_once_for("src/a");
    // vim: a probe, the old one moved away, a new one in its place.
    watched.project.write("src/4913", "");
    watched.project.remove("src/4913");
    rename(&at, &old);
    watched.project.write("src/a", "by vim");
    std::fs::remove_file(&old).unwrap();
    watched.runs_once_for("src/a");
    // JetBrains, and all that is careful: written beside and renamed.
    watched.project.write("src/.a.new", "beside");
    rename(&at, &old);
    rename(&new, &at);
    std::fs::remove_file(&old).unwrap();
    watched.runs_once_for("src/a");
    assert_eq!(watched.project.read("out/a"), "beside");
    watched.end();
}

#[test]
fn directories_come_and_go() {
    let mut watched = build();
    watched.project.write("src/x/y/z/deep", "1");
    watched.runs_once_for("src/x/y/z/deep");
    watched.project.write("src/x/y/z/deep", "22");
    watched.runs_once_for("src/x/y/z/deep");
    watched.project.remove("src/x");
    watched.runs_once_for("src/x/y/z/deep");
    watched.project.write("src/x/y/z/deep", "333");
    watched.runs_once_for("src/x/y/z/deep");
    watched.project.write("src/x/y/z/deep", "4444");
    watched.runs_once_for("src/x/y/z/deep");
    watched.end();
}

#[test]
fn a_storm_of_two_thousand_files_is_one_run() {
    let project = Project::new(r#"task build { watch "src/**" debounce="3s"; run "true" }"#);
    project.write("src/a", "");
    let mut watched = Watched::start(project, &["build"]);
    watched.rests();
    for n in 0..2_000 {
        watched.project.write(&format!("src/{}/{n}", n % 50), "storm");
    }
    let changed = watched.until("changed");
    assert_eq!(changed["more"], 1_997, "{changed}");
    watched.rests();
    watched.end();
}

#[test]
fn what_is_made_and_what_git_ignores_begins_nothing() {
    let project = Project::new(
        r#"task t { inputs "**"; outputs "out/**"; run "mkdir -p out; date +%N > out/a; date +%N > a.o" }"#,
    );
    project.write(".git/HEAD", "");
    project.write(".gitignore", "*.o\ntarget\n");
    project.write("target/x", "");
    let mut watched = Watched::start(project, &["-w", "t"]);
    watched.rests();
    watched.project.write("b.o", "ignored");
    watched.project.write("target/x", "ignored");
    watched.project.write("out/b", "made");
    watched.project.write(".git/HEAD", "git");
    watched.project.write("b", "counts");
    watched.runs_once_for("b");
    watched.end();
}

#[test]
fn where_nothing_is_declared_the_work_of_a_run_begins_no_other() {
    let project = Project::new(r#"task default { run "date +%N > made" }"#);
    let mut watched = Watched::start(project, &["--watch"]);
    watched.rests();
    watched.project.write("anything", "new");
    watched.runs_once_for("anything");
    watched.end();
}

#[test]
fn a_broken_file_is_waited_out() {
    let mut watched = build();
    watched.project.write("Xecfile.kdl", "task build {");
    let broken = watched.until("broken");
    assert!(broken["text"].as_str().unwrap().contains("Xecfile.kdl:1"), "{broken}");
    watched.rests();
    watched.project.write("Xecfile.kdl", "include \"more.kdl\"\ntask build { needs more }");
    assert!(watched.until("broken")["text"].as_str().unwrap().contains("more.kdl"));
    watched.rests();
    // What was looked for and not found is watched too.
    watched.project.write("more.kdl", r#"task more { run "true" }"#);
    watched.runs_once_for("more.kdl");
    let more = r#"dotenv ".env" optional=#true; task more { inputs "src/**"; run "echo \"two ${V:-1}\"" }"#;
    watched.project.write("more.kdl", more);
    watched.runs_once_for("more.kdl");
    watched.project.write(".env", "V=3\n");
    watched.until("changed");
    assert_eq!(watched.until("output")["text"], "two 3\n");
    watched.rests();
    watched.project.write("src/a", "what is watched is what the new file says");
    watched.runs_once_for("src/a");
    watched.end();
}

#[test]
fn a_directory_that_moves_away_is_a_change() {
    let project = Project::new(r#"task t { inputs "src/**/*.c"; run "true" }"#);
    project.write("src/a.c", "1");
    project.write("src/deep/b.c", "1");
    let mut watched = Watched::start(project, &["-w", "t"]);
    watched.rests();
    rename(&watched.at("src/deep"), &watched.at("away"));
    watched.runs_once_for("src/deep/b.c");
    watched.end();
}

#[test]
fn while_its_file_is_away_no_other_one_takes_its_place() {
    let project = Project::new(r#"task t { run "echo the parent's" }"#);
    project.write("inner/Xecfile.kdl", r#"task t { inputs "src/**"; run "echo ours" }"#);
    project.write("inner/src/a", "1");
    let inner = project.path().join("inner");
    let mut watched = Watched::start(project, &["-w", "-C", inner.to_str().unwrap(), "t"]);
    watched.rests();
    rename(&inner.join("Xecfile.kdl"), &inner.join("away"));
    watched.until("broken");
    watched.rests();
    rename(&inner.join("away"), &inner.join("Xecfile.kdl"));
    watched.until("changed");
    assert_eq!(watched.until("task-finished")["verdict"]["why"], "up-to-date", "it is ours again");
    watched.rests();
    watched.end();
}

#[test]
fn a_failure_is_no_end() {
    let project = Project::new(r#"task t { inputs "src/**"; run "grep -q good src/a" }"#);
    project.write("src/a", "bad");
    let mut watched = Watched::start(project, &["-w", "t"]);
    assert_eq!(watched.until("run-finished")["code"], 1);
    watched.rests();
    watched.project.write("src/a", "good");
    assert_eq!(watched.until("run-finished")["code"], 0);
    watched.rests();
    watched.end();
}

#[test]
fn nothing_is_left_between_runs_and_after_kill_9() {
    let project =
        Project::new(r#"task t { watch "src/**"; run "setsid -f sleep 1000 > /dev/null 2>&1; sleep 1000 & true" }"#);
    project.write("src/a", "");
    let mut watched = Watched::start(project, &["t"]);
    watched.rests();
    let left = proc::marked(watched.live.path());
    assert!(left.iter().all(|one| one.comm.starts_with("xec")), "{left:?}");
    watched.live.signal(Signal::SIGKILL);
    let ran = watched.live.end().signal(Signal::SIGKILL);
    proc::await_gone(ran.path());
}

#[test]
fn idle_costs_nothing() {
    let watched = {
        let mut watched = build();
        watched.project.write("src/a", "once more");
        watched.runs_once_for("src/a");
        watched
    };
    proc::await_idle(watched.live.pid(), 2);
    watched.end();
}

#[test]
fn keys_run_again_and_quit() {
    let project = Project::new(r#"task t { watch "src/**"; run "echo ran" }"#);
    project.write("src/a", "");
    let mut terminal = project.case(&["t"]).on_terminal();
    let watch = terminal.watch();
    terminal.await_text("q quits");
    terminal.press("x");
    terminal.press("\r");
    terminal.await_text("again, as asked");
    terminal.await_text("q quits");
    project.write("src/a", "changed");
    terminal.await_text("src/a changed");
    terminal.await_text("q quits");
    terminal.press("q");
    let (ran, _) = terminal.end();
    ran.ok().nothing_left();
    assert!(watch.is_sane());
}

#[test]
fn a_key_runs_what_failed() {
    let project = Project::new(
        r#"task good { run "echo good ran; echo >> good" }; task bad { run "test -e ok && echo bad ran" }; task t { needs good bad; on-error continue; watch "src/**" }"#,
    );
    project.write("src/a", "");
    let mut terminal = project.case(&["t"]).on_terminal();
    terminal.await_text("good ran");
    terminal.await_text("f what failed");
    project.write("ok", "");
    terminal.press("f");
    terminal.await_text("bad ran");
    terminal.await_text("f what failed");
    terminal.press("f");
    terminal.await_text("nothing failed in the last run");
    terminal.await_text("f what failed");
    terminal.press("q");
    terminal.end().0.ok().nothing_left();
    assert_eq!(project.read("good"), "\n", "what went well did not run again");
}

#[test]
fn ctrl_c_and_a_closed_window_end_it() {
    let file = r#"task t { watch "src/**"; run "echo ran" }"#;
    let mut terminal = Case::new().file("src/a", "").xecfile(file).args(["t"]).on_terminal();
    let watch = terminal.watch();
    terminal.await_text("q quits");
    terminal.press("\x03");
    terminal.end().0.signal(Signal::SIGINT).nothing_left();
    assert!(watch.is_sane());
    let mut terminal = Case::new().file("src/a", "").xecfile(file).args(["t"]).on_terminal();
    terminal.await_text("q quits");
    terminal.close().end().signal(Signal::SIGHUP).nothing_left();
}

#[test]
fn ctrl_z_gives_the_terminal_back_while_it_waits() {
    let file = r#"task t { watch "src/**"; run "echo ran" }"#;
    let mut terminal = Case::new().file("src/a", "").xecfile(file).args(["t"]).on_terminal_with_jobs();
    terminal.await_text("q quits");
    terminal.press("\x1a");
    assert!(terminal.live.tell.line().starts_with("stopped"));
    assert!(terminal.is_sane());
    terminal.live.fifo("go").say("fg");
    std::fs::write(terminal.live.path().join("src/a"), "changed").unwrap();
    terminal.await_text("src/a changed");
    terminal.await_text("q quits");
    terminal.press("q");
    assert_eq!(terminal.live.tell.line(), "ended 0");
    terminal.end().0.ok().nothing_left();
}

#[test]
fn what_cannot_be_watched_is_refused() {
    let run = |file: &str, words: &[&str]| Case::new().xecfile(file).args(words).run();
    run(r#"task t { watch "a["; run "true" }"#, &["t"]).code(2).says("`a[` is no pattern");
    run("task t {", &["-w", "t"]).code(2);
    run(r#"task t { run "true" }"#, &["-w", "u"]).code(2);
    run(r#"task t { run "true" }"#, &["-wn", "t"]).code(2).says("`--watch` goes with a run");
}
