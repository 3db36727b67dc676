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

#[test]
fn what_is_no_size_is_refused() {
    let project = Project::new("task make { run \"true\" }");
    project.xec(&["--cache-gc=much"]).code(2).says("takes a size");
    project.xec(&["--cache-gc"]).ok().stdout("nothing is kept\n");
    assert!(!project.has(".xec"));
}
