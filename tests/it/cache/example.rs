//! `examples/site`: 50 source files, and the least that is right for whatever happens to them.

use super::last;
use crate::harness::Ran;
use crate::harness::project::{Project, started};

const PAGE: &str = "page[page=pages/page-07.txt]";

fn built() -> Project {
    let project = Project::example("site");
    assert_eq!(last(&project.xec(&["site"]).ok()), "✓ 52 tasks");
    assert_eq!(std::fs::read_dir(project.path().join("build")).unwrap().count(), 51);
    project
}

#[track_caller]
fn ran(project: &Project, expected: &[&str]) -> Ran {
    let ran = project.xec(&["site"]).ok();
    assert_eq!(started(&ran), expected, "{}", ran.story());
    ran
}

#[test]
fn touching_runs_nothing() {
    let project = built();
    for page in ["pages/page-01.txt", "pages/page-50.txt", "parts/head.html", "build/page-03.html"] {
        project.age(page, 1000);
    }
    assert_eq!(last(&ran(&project, &[])), "✓ 52 up to date");
}

#[test]
fn editing_runs_what_it_touches_and_taking_it_back_brings_it_back() {
    let project = built();
    let before = (project.read("pages/page-07.txt"), project.read("build/page-07.html"));
    project.write("pages/page-07.txt", "Quite different.\n");
    ran(&project, &["index", PAGE, "site"]);
    assert!(project.read("build/page-07.html").contains("Quite different."));
    project.write("pages/page-07.txt", &before.0);
    // The archive is not kept, so it is put together once more; all else comes back.
    ran(&project, &["site"]);
    assert_eq!(project.read("build/page-07.html"), before.1);
    ran(&project, &[]);
    // One more page is one more, and one that is gone makes nothing any more.
    project.write("pages/page-51.txt", "One more.\n");
    ran(&project, &["index", "page[page=pages/page-51.txt]", "site"]);
    assert!(project.read("build/index.html").contains("page-51"));
    // What all pages share touches all of them.
    project.write("parts/foot.html", "<p>The end\n");
    assert_eq!(started(&project.xec(&["site"]).ok()).len(), 53);
}

#[test]
fn what_is_deleted_or_tampered_with_comes_back() {
    let project = built();
    let page = project.read("build/page-07.html");
    project.remove("build/page-07.html");
    project.write("build/page-08.html", "tampered");
    ran(&project, &[]);
    assert_eq!(project.read("build/page-07.html"), page);
    assert!(!project.read("build/page-08.html").contains("tampered"));
    project.remove("build");
    project.remove("site.tar");
    ran(&project, &["site"]);
}

#[test]
fn killed_in_the_middle_it_goes_on_where_it_was() {
    let project = Project::example("site");
    let whole = project.read("Xecfile.kdl");
    // The 30th page waits until it is killed.
    let waits = whole.replace(
        " > \"build/$name.html\"\n",
        " > \"build/$name.html\"\n        case $name in *30) echo here > \"$TELL\"; cat never;; esac\n",
    );
    assert_ne!(waits, whole);
    project.write("Xecfile.kdl", &waits);
    nix::unistd::mkfifo(&project.path().join("never"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut live = project.start(&["site", "-j2"]);
    assert_eq!(live.tell.line(), "here");
    live.signal(nix::sys::signal::Signal::SIGKILL);
    live.end();
    // It stands there as if it had been made, and is not believed.
    assert!(project.has("build/page-30.html"));
    project.remove("never");
    project.write("never", "");
    let ran = project.xec(&["site", "--why"]).ok();
    assert!(
        ran.err().contains("◦ page[page=pages/page-30.txt]: runs, since it did not end well the last time"),
        "{}",
        ran.story()
    );
    let count = started(&ran).len();
    assert!(count < 52, "what had ended well is not made again, {}", ran.story());
    assert_eq!(last(&project.xec(&["site"]).ok()), "✓ 52 up to date");
}
