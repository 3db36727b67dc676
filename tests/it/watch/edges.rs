//! What happens where nobody looks: behind links, before the first look, when nobody reads any more, and where the system
//! tells of nothing.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;

use super::{Watched, rename};
use crate::harness::project::Project;
use crate::harness::{Case, End, XEC, proc};

/// An edit is an edit, whether the file is named or a link that leads to it, over however many others.
#[test]
fn a_change_of_what_a_link_leads_to_is_seen_at_once() {
    let away = tempfile::tempdir().unwrap();
    let project = Project::new(r#"task t { inputs "src/**"; run "cat src/link" }"#);
    project.write("src/a", "1");
    project.write("ignored/target", "one");
    project.write(".git/HEAD", "");
    project.write(".gitignore", "ignored\n");
    std::fs::write(away.path().join("far"), "far").unwrap();
    symlink("../ignored/hop", project.path().join("src/link")).unwrap();
    symlink("target", project.path().join("ignored/hop")).unwrap();
    symlink(away.path().join("far"), project.path().join("src/far")).unwrap();
    let mut watched = Watched::start(project, &["-w", "t"]);
    watched.rests();
    watched.project.write("ignored/target", "changed");
    watched.runs_once_for("src/link");
    // As editors save: another file under the name.
    watched.project.write("ignored/new", "saved beside");
    rename(&watched.at("ignored/new"), &watched.at("ignored/target"));
    watched.runs_once_for("src/link");
    // A step of the way leads elsewhere.
    std::fs::remove_file(watched.at("ignored/hop")).unwrap();
    watched.runs_once_for("src/link");
    watched.project.write("ignored/other", "other");
    symlink("other", watched.at("ignored/hop")).unwrap();
    watched.runs_once_for("src/link");
    watched.project.write("ignored/other", "another other");
    watched.runs_once_for("src/link");
    std::fs::write(away.path().join("far"), "farther").unwrap();
    watched.runs_once_for("src/far");
    watched.end();
}

/// `xec -w | head`: the session ends with its reader, and not with the next change.
#[test]
fn it_ends_when_nobody_reads_any_more() {
    let project = Project::new(r#"task t { watch "src/**"; run "echo ran" }"#);
    project.write("src/a", "1");
    let case = project.case(&["t"]).fifo("events").stdout_raw();
    let to = format!("--events=json:{}", case.path().join("events").display());
    let mut live = case.args([to]).spawn();
    let mut out = BufReader::new(live.take_stdout());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "ran\n");
    while !live.fifo("events").line().contains("\"waiting\"") {}
    drop(out);
    let ran = live.end().code(1).nothing_left();
    assert!(ran.err().contains("cannot write output"), "{}", ran.story());
}

/// What is saved after the files were read and before they are watched is no less a change.
#[test]
fn a_save_before_the_first_look_is_not_lost() {
    for broken in [false, true] {
        let project = Project::new("task t { inputs src; run \"echo old\" }");
        project.write("src/a", "1");
        let case = project.case(&["-w", "t"]).env("XEC_STOP_AT", "before-watch").fifo("events");
        let to = format!("--events=json:{}", case.path().join("events").display());
        let mut live = case.args([to]).spawn();
        let go_on = |live: &crate::harness::live::Live| {
            proc::await_all(live.path(), "xec", 1, 'T');
            live.signal(Signal::SIGCONT);
        };
        proc::await_all(live.path(), "xec", 1, 'T');
        project.write("Xecfile.kdl", if broken { "task t {" } else { "task t { inputs src; run \"echo new\" }" });
        live.signal(Signal::SIGCONT);
        if broken {
            while !live.fifo("events").line().contains("\"broken\"") {}
            project.write("Xecfile.kdl", "task t { inputs src; run \"echo new\" }");
        }
        go_on(&live);
        let mut story = Vec::new();
        while !story.last().is_some_and(|line: &String| line.contains("\"run-finished\"")) {
            story.push(live.fifo("events").line());
        }
        let said = |text: &str| story.iter().any(|line| line.contains(text));
        assert!(said("new\\n") && !said("old\\n"), "{story:?}");
        live.signal(Signal::SIGKILL);
        live.end();
    }
}

/// No room for more watches, for real: that is told, and files are looked at again and again.
#[test]
fn without_watches_files_are_looked_at() {
    let project = Project::new(r#"task t { watch "src/**"; run "cat src/a/b/c/d" }"#);
    project.write("src/a/b/c/d", "one\n");
    let case = Case::new().fifo("events").program("unshare");
    let to = format!("--events=json:{}", case.path().join("events").display());
    let script = "echo 3 > /proc/sys/user/max_inotify_watches && exec \"$@\"";
    let words = ["-r", "sh", "-c", script, "sh", XEC, "-C", project.path().to_str().unwrap(), "t", &to];
    let mut watched = Watched { live: case.args(words).spawn(), project };
    let trouble = watched.until("trouble");
    assert!(trouble["why"].as_str().unwrap().contains("files are looked at every second"), "{trouble}");
    watched.rests();
    watched.project.write("src/a/b/c/d", "two\n");
    watched.runs_once_for("src/a/b/c/d");
    watched.project.write("src/a/b/c/new/e", "three\n");
    watched.runs_once_for("src/a/b/c/new/e");
    watched.end();
}

#[test]
fn without_a_default_there_is_nothing_to_watch() {
    let project = Project::new(r#"task t { inputs src; run "cat src/a" }"#);
    project.write("src/a", "1");
    let listed = project.xec(&[]);
    let watched = project.xec(&["-w"]);
    assert_eq!((watched.end, watched.out()), (End::Code(0), listed.out()));
    // One that there was is waited for.
    let project = Project::new(r#"task default { inputs src; run "cat src/a" }"#);
    project.write("src/a", "1");
    let mut watched = Watched::start(project, &["-w"]);
    watched.rests();
    watched.project.write("Xecfile.kdl", r#"task t { inputs src; run "cat src/a" }"#);
    let broken = watched.until("broken");
    assert!(broken["text"].as_str().unwrap().contains("there is no `default` any more"), "{broken}");
    watched.rests();
    watched.project.write("Xecfile.kdl", r#"task default { inputs src; run "cat src/a src/a" }"#);
    watched.runs_once_for("Xecfile.kdl");
    watched.end();
}

/// All that a plan is made of is watched, and what has changed of it is what runs, whatever else begins the run.
#[test]
fn what_the_file_includes_is_watched_too() {
    let project = Project::new(
        r#"
        include "part/Xecfile.kdl" as=part
        dotenv ".env" optional=#true
        task t { watch "src/**"; needs part:say; run "echo ${said:-nothing} $(cat src/a)" }
        "#,
    );
    project.write("src/a", "1");
    project.write("part/Xecfile.kdl", r#"task say { run "echo one" }"#);
    let mut watched = Watched::start_as(project.case(&["t"]).stdout_raw(), project);
    let mut out = BufReader::new(watched.live.take_stdout());
    let mut next = |watched: &mut Watched, path: Option<&str>| {
        match path {
            Some(path) => watched.runs_once_for(path),
            None => watched.rests(),
        }
        let mut lines = String::new();
        (0..2).for_each(|_| assert!(out.read_line(&mut lines).unwrap() > 0));
        lines
    };
    assert_eq!(next(&mut watched, None), "one\nnothing 1\n");
    watched.project.write("part/Xecfile.kdl", r#"task say { run "echo two" }"#);
    assert_eq!(next(&mut watched, Some("part/Xecfile.kdl")), "two\nnothing 1\n");
    watched.project.write("src/a", "22");
    assert_eq!(next(&mut watched, Some("src/a")), "two\nnothing 22\n");
    watched.project.write(".env", "said=something");
    assert_eq!(next(&mut watched, Some(".env")), "two\nsomething 22\n");
    watched.project.write("src/a", "333");
    assert_eq!(next(&mut watched, Some("src/a")), "two\nsomething 333\n");
    watched.end();
}
