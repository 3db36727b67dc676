//! What nobody can bring back any more is removed, and no more is kept than is wanted.

use super::runs;
use crate::harness::project::Project;

fn blobs(project: &Project) -> usize {
    let dirs = std::fs::read_dir(project.path().join(".xec/blobs")).unwrap();
    dirs.map(|dir| std::fs::read_dir(dir.unwrap().path()).map_or(0, Iterator::count)).sum()
}

#[test]
fn what_is_too_much_goes_oldest_first() {
    let project = Project::new("task make { inputs src; outputs out; cache; run \"cat src/x src/x > out\" }");
    for word in ["one", "two", "three"] {
        project.write("src/x", word.repeat(1000));
        project.xec(&["make"]).ok();
    }
    assert_eq!(blobs(&project), 3);
    project.write(".xec/blobs/00/stray", "x");
    project.write(".xec/new-killed~", "x");
    project.xec(&["--cache-gc"]).ok().stdout("nothing was removed; 21.5 KiB are kept\n");
    project.xec(&["--cache-gc=17KiB"]).ok().stdout("1 file was removed, 5.9 KiB; 15.6 KiB are kept\n");
    assert_eq!(blobs(&project), 3, "the stray one is nobody's, and its name is no name of ours");
    project.write("src/x", "one".repeat(1000));
    assert!(runs(&project, "make"), "the oldest is gone");
    project.write("src/x", "three".repeat(1000));
    assert!(!runs(&project, "make"));
    project.xec(&["--cache-gc=0"]).ok();
    assert_eq!(blobs(&project), 1);
    assert!(!runs(&project, "make"), "what is there is up to date all the same");
    project.remove("out");
    assert!(runs(&project, "make"));
}

/// Not only files: what is known of versions that nobody can bring back any more goes too, and locks of the killed.
#[test]
fn records_and_locks_go_with_the_files() {
    let project = Project::new("task make { inputs src; cache; run \"true\" }");
    let size = || project.path().join(".xec/state").metadata().unwrap().len();
    project.write("src/x", "0");
    project.xec(&["make"]).ok();
    let one = size();
    for n in 1..50 {
        project.write("src/x", n.to_string());
        project.xec(&["make"]).ok();
    }
    assert!(size() > 40 * one / 2);
    project.write(".xec/locks/0123", "1 run");
    project.xec(&["--cache-gc"]).ok();
    assert!(size() > 40 * one / 2, "all of it can still be of use");
    assert!(!project.has(".xec/locks/0123"));
    project.xec(&["--cache-gc=0"]).ok();
    assert!(size() < 2 * one, "{} and {one}", size());
    assert!(!runs(&project, "make"), "the last one is up to date");
    project.write("src/x", "0");
    assert!(runs(&project, "make"));
}

/// Beside a run that goes on, nothing is taken from it but the chance to bring something back.
#[test]
fn a_run_beside_it_comes_out_right() {
    let project = Project::new(
        r#"task make { inputs src; outputs out; cache; run "cat src/x > out; echo here > $TELL; read -r x < $GATE; cat src/x >> out" }"#,
    );
    project.write("src/x", "one\n");
    let case = project.case(&["make"]).fifo("gate");
    let gate = case.path().join("gate");
    let mut live = case.env("GATE", gate).spawn();
    assert_eq!(live.tell.line(), "here");
    project.xec(&["--cache-gc=0"]).ok();
    // Its lock is still its own: another one waits, and says so.
    let mut other = project.case(&["make", "--events=json"]).stdout_raw().spawn();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(other.take_stdout()));
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("is being run by another xec"))));
    live.fifo("gate").say("go on");
    live.end().ok();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("up-to-date"))));
    other.end().ok();
    assert_eq!(project.read("out"), "one\none\n");
}

#[test]
fn what_is_no_size_is_refused() {
    let project = Project::new("task make { run \"true\" }");
    project.xec(&["--cache-gc=much"]).code(2).says("takes a size");
    project.xec(&["--cache-gc"]).ok().stdout("nothing is kept\n");
    assert!(!project.has(".xec"));
}
