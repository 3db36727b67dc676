//! `cache`: what was made comes back.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::{last, runs, why};
use crate::harness::proc;
use crate::harness::project::{Project, started};

const MAKE: &str = r#"
    task make {
        inputs src
        outputs "out/**"
        cache
        run "mkdir -p out/deep; cp src/x out/x; chmod 755 out/x; echo deep > out/deep/y; ln -sf x out/link; echo made; echo oops >&2"
    }
"#;

fn project(xecfile: &str) -> Project {
    let project = Project::new(xecfile);
    project.write("src/x", "one");
    project
}

#[test]
fn what_was_made_once_comes_back_with_its_log() {
    let project = project(MAKE);
    project.xec(&["make"]).ok().stdout("made\n");
    project.write("src/x", "two");
    project.xec(&["make"]).ok().stdout("made\n");
    assert_eq!(project.read("out/x"), "two");
    project.write("src/x", "one");
    let ran =
        project.xec(&["make"]).ok().stdout("made\n").says("oops").says("↺ make: up to date; this is what it wrote");
    assert_eq!((started(&ran), last(&ran)), (Vec::new(), "✓ 1 up to date".to_owned()));
    assert_eq!(project.read("out/x"), "one");
    project.remove("out");
    assert_eq!(why(&project, "make"), "up to date, brought back");
    assert_eq!((project.read("out/x"), project.read("out/deep/y")), ("one".into(), "deep\n".into()));
    assert_eq!(project.link("out/link").as_deref(), Some("x"));
    let mode = |name: &str| project.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("out/x"), 0o755);
    assert_eq!(mode("out/deep/y") & 0o111, 0);
    project.write("out/x", "tampered");
    assert_eq!(why(&project, "make"), "up to date, brought back");
    assert_eq!(project.read("out/x"), "one");
    // What was brought back can be written to without changing what is kept.
    project.write("out/x", "one more time");
    assert_eq!(why(&project, "make"), "up to date, brought back");
    assert_eq!(project.read("out/x"), "one");
}

/// A directory comes back as it was: without what another version of the task has made in it, and with what others have
/// put there.
#[test]
fn what_another_version_made_does_not_stay() {
    let project = project(
        r#"
        task make { inputs src; outputs "out/**"; cache; run "mkdir -p out/in; n=$(cat src/x); echo $n > out/all; echo $n > out/$n; echo $n > out/in/$n" }
        task user { inputs src; run "ls -R out" }
        "#,
    );
    let listing = || {
        let mut all = Vec::new();
        let mut dirs = vec![project.path().join("out")];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path)
                } else {
                    all.push(path.strip_prefix(project.path()).unwrap().to_str().unwrap().to_owned())
                }
            }
        }
        all.sort();
        all
    };
    // A user's own file, there before the task ever ran, and one that came later.
    project.write("out/mine", "mine");
    project.xec(&["make"]).ok();
    project.write("src/x", "two");
    project.remove("out/one");
    project.remove("out/in");
    project.xec(&["make"]).ok();
    assert_eq!(listing(), ["out/all", "out/in/two", "out/mine", "out/two"]);
    project.write("out/later", "later");
    project.write("out/in/two", "changed by hand");
    project.write("src/x", "one");
    assert_eq!(why(&project, "make"), "up to date, brought back");
    assert_eq!(listing(), ["out/all", "out/in/one", "out/in/two", "out/later", "out/mine", "out/one"]);
    assert_eq!((project.read("out/in/two"), project.read("out/mine")), ("changed by hand".into(), "mine".into()));
    project.remove("out/in/two");
    // And back again: what was brought back is as much the task's own as what it made.
    project.write("src/x", "two");
    assert_eq!(why(&project, "make"), "up to date, brought back");
    assert_eq!(listing(), ["out/all", "out/in/two", "out/later", "out/mine", "out/two"]);
}

#[test]
fn what_is_kept_and_damaged_is_made_again() {
    let project = project(MAKE);
    project.xec(&["make"]).ok();
    for dir in std::fs::read_dir(project.path().join(".xec/blobs")).unwrap() {
        for blob in std::fs::read_dir(dir.unwrap().path()).unwrap() {
            let blob = blob.unwrap().path();
            std::fs::set_permissions(&blob, PermissionsExt::from_mode(0o644)).unwrap();
            let size = blob.metadata().unwrap().len() as usize;
            std::fs::write(&blob, "#".repeat(size)).unwrap();
        }
    }
    project.remove("out");
    assert!(runs(&project, "make"));
    assert_eq!(project.read("out/x"), "one");
    // From now on it can be brought back again.
    project.remove("out");
    assert!(!runs(&project, "make"));
    project.remove(".xec/blobs");
    assert_eq!(why(&project, "make"), "runs, since what it wrote is not kept any more");
    assert!(!runs(&project, "make"));
    project.remove(".xec/blobs");
    project.remove("out/x");
    assert!(runs(&project, "make"));
}

#[test]
fn nothing_is_brought_back_through_a_link() {
    let project = project(MAKE);
    let outside = tempfile::tempdir().unwrap();
    project.xec(&["make"]).ok();
    project.remove("out");
    symlink(outside.path(), project.path().join("out")).unwrap();
    let ran = project.xec(&["make"]).ok();
    assert!(ran.err().contains("lies behind the link"), "{}", ran.story());
    assert_eq!(started(&ran), ["make"], "what cannot be brought back is made");
    // A link in the way of a file is replaced, and what it leads to is not written.
    let victim = outside.path().join("victim");
    std::fs::write(&victim, "safe").unwrap();
    std::fs::remove_file(project.path().join("out")).unwrap();
    assert!(!runs(&project, "make"));
    project.remove("out/x");
    symlink(&victim, project.path().join("out/x")).unwrap();
    assert!(!runs(&project, "make"));
    assert_eq!((std::fs::read_to_string(&victim).unwrap().as_str(), project.read("out/x").as_str()), ("safe", "one"));
}

#[test]
fn captures_come_back() {
    let project = project(
        r#"
        task read {
            inputs src
            run "cat src/x" capture=word
            run "echo a; echo b c" { capture list as=lines }
            run "exit 3" status=code optional=#true
            call inner { take said }
            run "echo $said" capture=again
        }
        task inner { run "echo inner" capture=said }
        task use {
            needs read { take word list code again }
            exec printf "<%s>" "${word}" "${list}" "${code}" "${again}"
        }
        "#,
    );
    for _ in 0..3 {
        project.xec(&["use"]).ok().stdout("<one><a><b c><3><inner>");
    }
    let ran = project.xec(&["use"]).ok();
    assert_eq!(started(&ran), ["use"]);
}

#[test]
fn a_list_over_a_matrix_knows_what_was_up_to_date() {
    let project = project(
        r#"
        task one { matrix { n 1 2 3 }; inputs "src/x"; run "echo $n" capture=word }
        task all { needs one { take word }; exec echo "${word}" }
        "#,
    );
    project.xec(&["all"]).ok().stdout("1 2 3\n");
    project.xec(&["all"]).ok().stdout("1 2 3\n");
}

#[test]
fn what_it_wrote_is_there_as_a_whole_or_it_runs() {
    let project = Project::new("task say { cache; run \"echo said; echo ran >> log\" }");
    let log = || {
        let dirs = std::fs::read_dir(project.path().join(".xec/blobs")).unwrap();
        let mut blobs = dirs.flat_map(|dir| std::fs::read_dir(dir.unwrap().path()).unwrap());
        blobs.next().unwrap().unwrap().path()
    };
    project.xec(&["say"]).ok().stdout("said\n");
    let bytes = std::fs::read(log()).unwrap();
    for wrong in [None, Some(bytes[..3].to_vec()), Some(vec![b'#'; bytes.len()])] {
        let path = log();
        std::fs::remove_file(&path).unwrap();
        if let Some(wrong) = wrong {
            std::fs::write(&path, wrong).unwrap();
        }
        project.write("log", "");
        project.xec(&["say"]).ok().stdout("said\n");
        assert_eq!(project.read("log"), "ran\n");
        project.xec(&["say"]).ok().stdout("said\n");
        assert_eq!(project.read("log"), "ran\n", "it is kept again");
    }
}

#[test]
fn without_files_too() {
    let project =
        project("task ask { param what default=x; cache; run \"echo asked >> log; cat src/x\" capture=said }");
    project.xec(&["ask"]).ok();
    project.write("src/x", "two");
    project.xec(&["ask"]).ok();
    assert_eq!(project.read("log"), "asked\n");
}

#[test]
fn what_is_kept_has_its_time() {
    let project =
        project("task ask { cache ttl=\"1h\"; run \"echo asked\" }\ntask now { cache ttl=\"0s\"; run \"echo now\" }");
    assert!(runs(&project, "ask"));
    assert!(!runs(&project, "ask"));
    assert!(runs(&project, "now"));
    assert_eq!(why(&project, "now"), "runs, since it is older than 0ms");
}

#[test]
fn what_is_not_good_enough_is_not_kept() {
    let project =
        project(r#"task make { outputs out; cache { when run "test -s out" }; run "cp src/x out; echo made" }"#);
    project.write("src/x", "");
    assert!(runs(&project, "make"));
    assert!(runs(&project, "make"));
    project.write("src/x", "some");
    assert!(runs(&project, "make"));
    assert!(!runs(&project, "make"));
}

#[test]
fn the_log_is_bytes_in_order_and_shown_once_in_every_mode() {
    let project = project(
        r##"task say { cache; run #"printf 'a\n\377\n'; for i in $(seq 2000); do echo line $i; done; printf end"# }"##,
    );
    let first = project.xec(&["say", "-q"]).ok();
    let again = project.xec(&["say", "-q"]).ok();
    assert!(first.stdout.len() > 10_000 && first.stdout == again.stdout);
    let grouped = project.xec(&["say", "-o", "grouped"]).ok();
    assert!(grouped.stdout.starts_with(&first.stdout), "{}", grouped.story());
    project.xec(&["say", "-o", "failed"]).ok().stdout("");
    let events = project.xec(&["say", "--events=json"]).ok().out();
    let kinds: Vec<&str> =
        events.lines().filter_map(|line| line.split("\"event\":\"").nth(1)?.split('"').next()).collect();
    assert_eq!(kinds.first(), Some(&"run-started"));
    assert_eq!(kinds[1], "replay-started");
    assert!(kinds.ends_with(&["replay-finished", "task-finished", "run-finished"]), "{kinds:?}");
    assert!(events.contains(r#""verdict":{"kind":"skipped","why":"up-to-date"}"#), "{events}");
    assert!(events.contains(r#""fresh":1"#), "{events}");
}

/// However much a task wrote, showing it once more takes no more memory than its writing did.
#[test]
fn a_large_log_is_shown_in_little_memory() {
    const BYTES: u64 = 200_000_000;
    let project = Project::new(
        r#"
        task loud { inputs src; cache; run "yes 0123456789012345678901234567890123456789 | head -c 200000000" }
        task t { needs loud; run "echo up > $TELL; read -r x < $GATE" }
        "#,
    );
    project.write("src/x", "one");
    project.case(&["loud"]).stdout_to(std::fs::File::create("/dev/null").unwrap()).run().ok();
    let case = project.case(&["t"]).fifo("gate").stdout_raw();
    let gate = case.path().join("gate");
    let mut live = case.env("GATE", gate).spawn();
    let mut out = live.take_stdout();
    let reader = std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()).unwrap());
    assert_eq!(live.tell.line(), "up");
    let peak = proc::status_kib(live.pid(), "VmHWM");
    live.fifo("gate").say("end");
    live.end().ok().says("↺ loud");
    let seen = reader.join().unwrap();
    assert!(seen == BYTES || seen == BYTES + 1, "{seen}");
    assert!(peak < 64 << 10, "xec held {peak} KiB");
}
