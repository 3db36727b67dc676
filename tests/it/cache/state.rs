//! The state on the disk: damaged, from the future, not to be written, and xec killed at any instant.

use super::{last, runs};
use crate::harness::project::{Project, started};
use crate::harness::{Case, End, proc};

const MAKE: &str = r#"
    task make {
        inputs src
        outputs "out/**"
        cache
        run "mkdir -p out; cat src/x > out/half; cat src/x src/x > out/x; rm out/half; echo made"
    }
"#;

fn project() -> Project {
    let project = Project::new(MAKE);
    project.write("src/x", "one\n");
    project
}

#[test]
fn it_hides_from_git_and_is_made_only_where_it_is_wanted() {
    let project = Project::new("task plain { run \"true\" }\ntask kept { cache; run \"true\" }");
    project.xec(&["-n", "kept"]).ok();
    project.xec(&["--list"]).ok();
    assert!(!project.has(".xec/state"));
    project.xec(&["kept"]).ok();
    assert_eq!(project.read(".xec/.gitignore"), "*\n");
}

#[test]
fn it_can_be_elsewhere() {
    let project = project();
    let place = tempfile::tempdir().unwrap();
    let call = |project: &Project| project.case(&["make"]).env("XEC_STATE", place.path()).run().ok();
    assert_eq!(started(&call(&project)), ["make"]);
    assert_eq!(started(&call(&project)), Vec::<String>::new());
    assert!(!project.has(".xec"));
    // Another project with the same files has not been built.
    let other = Project::new(MAKE);
    other.write("src/x", "one\n");
    assert_eq!(started(&call(&other)), ["make"]);
}

#[test]
fn whatever_is_in_it_is_a_miss_and_never_a_crash() {
    let project = project();
    project.xec(&["make"]).ok();
    for name in ["state", "memo"] {
        let whole = std::fs::read(project.path().join(".xec").join(name)).unwrap();
        let cuts = [0, 1, 5, whole.len() / 2, whole.len() - 1];
        let mut wrong: Vec<Vec<u8>> = cuts.iter().map(|cut| whole[..*cut].to_vec()).collect();
        wrong.push((0..5000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect());
        wrong.push([&whole[..], b"torn"].concat());
        wrong.extend((0..whole.len()).step_by(37).map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x11;
            bytes
        }));
        for bytes in wrong {
            project.write(&format!(".xec/{name}"), &bytes);
            project.xec(&["make"]).ok().stdout("made\n");
            assert_eq!(project.read("out/x"), "one\none\n");
        }
    }
    assert!(!runs(&project, "make"));
}

#[test]
fn that_of_a_later_xec_is_left_alone() {
    let project = project();
    project.write(".xec/.gitignore", "*\n");
    project.write(".xec/state", "xec-state 9\nwhatever");
    for _ in 0..2 {
        let ran = project.xec(&["make"]).ok().stdout("made\n");
        assert!(ran.err().contains("was written by a later xec"), "{}", ran.story());
    }
    assert_eq!(project.read(".xec/state"), "xec-state 9\nwhatever");
}

#[test]
fn where_it_cannot_be_written_everything_runs_and_that_is_told() {
    let case = |xecfile: &str| {
        let case = Case::new().xecfile(xecfile).file("src/x", "one\n").file(".xec", "a file is in its place");
        case.args(["make"])
    };
    let ran = case(MAKE).run().ok().stdout("made\n");
    assert!(ran.err().contains("nothing is up to date, and nothing is remembered"), "{}", ran.story());
    // Who remembers nothing hears nothing of it.
    let ran = case("task make { run \"echo made\" }").run().ok().stdout("made\n");
    assert!(!ran.err().contains('!'), "{}", ran.story());
}

#[test]
fn a_full_disk_is_loud() {
    let project = project();
    project.write("src/x", "x".repeat(100_000));
    // No file may grow beyond this: what is to be kept does not fit.
    let case = project.case(&["make"]).limit(nix::sys::resource::Resource::RLIMIT_FSIZE, 50_000);
    let ran = case.run();
    assert!(ran.end != End::Code(0), "the task itself cannot write, {}", ran.story());
    assert!(runs(&project, "make"));
}

/// A state on a disk of its own, so large, on which so much is left when xec comes.
fn on_a_small_disk(project: &Project, size: &str, before: &str) -> crate::harness::Ran {
    let script = format!(
        "mount -t tmpfs -o size={size} none .xec && printf '*\\n' > .xec/.gitignore && {before} && exec \"$0\" make"
    );
    project.write("inner.sh", format!("cd {}\n{script}\n", project.path().display()));
    std::fs::create_dir_all(project.path().join(".xec")).unwrap();
    let script = project.path().join("inner.sh");
    let words = ["-rm", "sh", script.to_str().unwrap()];
    // The script is read by `sh FILE`; what it calls is handed on by name.
    project.write("inner.sh", project.read("inner.sh").replace("$0", crate::harness::XEC));
    Case::new().program("unshare").args(words).run()
}

/// The disk of the state is full, and that of the project is not: the task runs, what it made is right, and that it is not
/// remembered is told.
#[test]
fn a_state_without_room_is_told() {
    let project = project();
    project.write("src/x", "x".repeat(100_000));
    let ran = on_a_small_disk(&project, "64k", "true").ok().stdout("made\n");
    assert!(ran.err().contains("make: it will run again, since cannot write to"), "{}", ran.story());
    assert!(ran.err().contains("No space left on device"), "{}", ran.story());
    assert_eq!(project.read("out/x").len(), 200_000);
    // Not one byte more can be written.
    let full = "{ cat /dev/zero > .xec/rest 2> /dev/null; true; }";
    project.remove("out");
    let ran = on_a_small_disk(&project, "64k", full);
    assert!(ran.err().contains("No space left on device"), "{}", ran.story());
    assert!(ran.end != End::Code(0) || project.read("out/x").len() == 200_000, "{}", ran.story());
    // A success that was known before is not believed when the mark that takes it back cannot be written.
    let known = "{ %X make > log 2>&1; echo more >> src/x; cat /dev/zero > .xec/rest 2> /dev/null; true; }";
    let ran = on_a_small_disk(&project, "900k", &known.replace("%X", crate::harness::XEC));
    assert!(ran.err().contains("No space left on device"), "{}", ran.story());
    assert!(!ran.err().contains("up to date"), "{}", ran.story());
}

/// Nothing can be written there at all: everything runs, and that is told.
#[test]
fn a_state_that_is_read_only_is_told() {
    let project = project();
    let ran = on_a_small_disk(&project, "64k", "mount -o remount,ro .xec").ok().stdout("made\n");
    assert!(ran.err().contains("nothing is up to date, and nothing is remembered"), "{}", ran.story());
    assert!(ran.err().contains("Read-only file system"), "{}", ran.story());
    assert_eq!(project.read("out/x"), "one\none\n");
}

/// A state that lies in the project, where git does not hide it, is no input of anything.
#[test]
fn a_state_in_the_project_is_no_input() {
    let project = Project::new(r#"task make { inputs "**"; outputs out; cache; run "cat src/x > out" }"#);
    project.write("src/x", "one\n");
    let call = || project.case(&["make"]).env("XEC_STATE", "state").run().ok();
    assert_eq!(started(&call()), ["make"]);
    assert!(project.has("state"));
    for _ in 0..3 {
        assert_eq!(started(&call()), Vec::<String>::new());
    }
    project.write("state/of-somebody-else", "new");
    assert_eq!(started(&call()), ["make"], "what lies beside it is one");
}

/// Every place at which xec says that it could be killed.
const POINTS: [&str; 15] = [
    "locked",
    "before-mark",
    "after-mark",
    "blob-written",
    "before-record",
    "after-record",
    "before-unlock",
    "after-unlock",
    "replace-written",
    "restore-written",
    "before-remove",
    "journal-made",
    "before-journal",
    "after-journal",
    "nowhere",
];

#[test]
fn killed_at_any_write_the_next_run_is_honest() {
    for point in POINTS {
        let project = project();
        let kill = || project.case(&["make"]).env("XEC_KILL_AT", point).run();
        kill();
        honest(&project, point);
        // The same with a success before it, and something to bring back.
        project.write("src/x", "two\n");
        kill();
        honest(&project, point);
        project.write("src/x", "one\n");
        kill();
        honest(&project, point);
        project.remove("out");
        kill();
        honest(&project, point);
    }
}

/// Killed while it tidies up, it has taken nothing that the next run believes in.
#[test]
fn killed_while_it_collects_the_next_run_is_honest() {
    for point in
        ["before-shorten", "replace-written", "after-shorten", "blob-removed", "locked", "before-unlock", "nowhere"]
    {
        let project = project();
        for source in ["one\n", "two\n", "three\n"] {
            project.write("src/x", source);
            project.xec(&["make"]).ok();
        }
        project.write(".xec/locks/of-one-who-was-killed", "1 run");
        let killed = project.case(&["--cache-gc=0"]).env("XEC_KILL_AT", point).run();
        assert_eq!(killed.end == End::Code(0), point == "nowhere", "{point}, {}", killed.story());
        for source in ["three\n", "one\n"] {
            project.write("src/x", source);
            honest(&project, point);
        }
        project.xec(&["--cache-gc"]).ok();
        assert_eq!(std::fs::read_dir(project.path().join(".xec/locks")).unwrap().count(), 0, "{point}");
    }
}

/// What a run that was killed has written down is what `--last` shows, as far as it came.
#[test]
fn killed_while_it_writes_down_a_run_is_known_as_far_as_it_came() {
    for point in ["journal-made", "before-journal", "after-journal"] {
        let project = project();
        project.xec(&["make"]).ok();
        project.write("src/x", "two\n");
        let killed = project.case(&["make"]).env("XEC_KILL_AT", point).run();
        assert_eq!(killed.end, End::Signal(9), "{point}, {}", killed.story());
        let last = project.xec(&["--last"]);
        assert!(matches!(last.end, End::Code(0 | 1)), "{point}, {}", last.story());
        project.xec(&["--failed"]);
        honest(&project, point);
    }
}

/// Whatever was left behind: what is made now is what the inputs say, and then it is up to date.
#[track_caller]
fn honest(project: &Project, at: &str) {
    let ran = project.xec(&["make"]).ok();
    let source = project.read("src/x");
    assert_eq!(project.read("out/x"), format!("{source}{source}"), "killed at {at}, {}", ran.story());
    let again = project.xec(&["make"]).ok();
    assert_eq!(last(&again), "✓ 1 up to date", "killed at {at}, {}", again.story());
    assert!(!project.has("out/half"));
}

/// Killed at random instants, again and again, with a task whose traces nobody declared: what it left half done is
/// never taken for done.
#[test]
fn killed_at_random_the_next_run_is_honest() {
    let project = Project::new(
        r#"
        task half { inputs src; run "echo begun > mark; cat src/x > hidden; for i in 1 2 3 4 5 6 7 8; do cat src/x >> hidden; done; echo done > mark" }
        task make { needs half; inputs src; outputs "out/**"; cache; run "mkdir -p out; cat src/x src/x > out/x; cp out/x out/y" }
        "#,
    );
    let cases: u32 = std::env::var("XEC_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(24) * 3;
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for case in 0..cases {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let source = format!("{}\n", case % 3);
        project.write("src/x", &source);
        let live = project.start(&["make"]);
        // The instant is random, and so is what has been done by then; nothing hangs on it.
        let spin = (seed >> 33) % 400;
        for _ in 0..spin {
            std::thread::yield_now();
            let _ = std::fs::metadata(project.path());
        }
        live.signal(nix::sys::signal::Signal::SIGKILL);
        proc::await_gone(live.end().path());
        let ran = project.xec(&["make"]).ok();
        assert_eq!(project.read("mark"), "done\n", "case {case}, {}", ran.story());
        assert_eq!(project.read("hidden"), source.repeat(9), "case {case}, {}", ran.story());
        assert_eq!(project.read("out/y"), source.repeat(2), "case {case}, {}", ran.story());
        assert_eq!(last(&project.xec(&["make"]).ok()), "✓ 2 up to date", "case {case}");
    }
}
