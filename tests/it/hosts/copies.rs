//! `copy`: what goes where, and what becomes of it when that is not possible.

use std::os::unix::fs::PermissionsExt;

use super::{case, log, refused, with_docker};

#[test]
fn files_go_there_between_hosts_and_back_with_their_modes() {
    let file = r#"
        host a { via local; cwd "a"; }
        host b { via local; cwd "b"; }
        task t {
            run "mkdir a b; printf data > 'it is'; chmod 750 'it is'"
            copy from="it is" to="a:deep/er/one"
            copy from="a:deep/er/one" to="b:two"
            copy from="b:two" to="local:three"
            copy from="b:two" to="into/"
        }
    "#;
    let ran = case(file, ["t"]).run().ok();
    for name in ["a/deep/er/one", "b/two", "three", "into/two"] {
        assert_eq!(ran.read(name), "data", "{name}: {}", ran.story());
        let mode = std::fs::metadata(ran.path().join(name)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o750, "{name}");
    }
    assert!(ran.err().contains("▸ t: copy a:deep/er/one to b:two"), "{}", ran.story());
}

#[test]
fn directories_patterns_and_lists() {
    let file = r#"
        task t {
            param star default="*"
            run "mkdir -p src/sub; for f in a.txt b.txt '*.txt' c.md .hidden sub/d; do echo $f > \"src/$f\"; done"
            run "printf '%s\\n' src/a.txt 'src/*.txt'" { capture some as=lines }
            copy from="src" to="web1:whole"
            copy from="src/." to="web1:inside/"
            copy from="src/*.txt" to="web1:texts/"
            copy from="src/${star}.txt" to="web1:star"
            copy from="src/[!a]${star}.*" to="web1:nothing/" { optional #true }
            copy from="${some}" to="web1:listed/"
            copy { from "web1:texts/a.txt" "web1:inside/c.md"; to "back/" }
        }
    "#;
    let ran = case(file, ["t"]).run().ok();
    let names = |dir: &str| {
        let mut names: Vec<String> = std::fs::read_dir(ran.path().join(dir))
            .map(|entries| {
                entries.map(|entry| entry.expect("entry").file_name().into_string().expect("text")).collect()
            })
            .unwrap_or_default();
        names.sort();
        names
    };
    for (dir, expected) in [
        ("whole", &["*.txt", ".hidden", "a.txt", "b.txt", "c.md", "sub"][..]),
        ("inside", &["*.txt", ".hidden", "a.txt", "b.txt", "c.md", "sub"]),
        ("texts", &["*.txt", "a.txt", "b.txt"]),
        ("nothing", &[]),
        ("listed", &["*.txt", "a.txt"]),
        ("back", &["a.txt", "c.md"]),
    ] {
        assert_eq!(names(dir), expected, "{dir}: {}", ran.story());
    }
    assert_eq!(ran.read("star"), "*.txt\n", "a value is a name, and no pattern");
}

#[test]
fn a_task_over_hosts_copies_to_each_from_here() {
    let file = r#"
        task t { cwd there; on web; copy from="made/app" to="${host}:${host}/app"; run "cat $host/app" { capture said }; run "echo $said >> log" { on local; cwd "." } }
        task picked { on web pick=first; copy from="made/app" to="${host}:picked"; run "[ -s picked ]" }
        task step { sequence { on web3; copy from="made/app" to="${host}:step" } }
        task other { on web1; copy from="web2:there/web2/app" to="${host}:other"; copy from="web3:there/web3/app" to="other.txt" }
    "#;
    let case = case(file, ["t", "picked", "step", "other"]).file("made/app", "app\n").file("there/x", "");
    let ran = case.run().ok();
    assert_eq!(log(&ran), ["app", "app", "app"]);
    for name in ["there/web1/app", "there/web3/app", "picked", "step", "other", "other.txt"] {
        assert_eq!(ran.read(name), "app\n", "{name}: {}", ran.story());
    }
}

#[test]
fn what_is_not_there_fails_as_a_command_does() {
    let file = r#"
        task gone { copy from="nix" to="web1:x" }
        task none { copy from="*.nix" to="web1:x/" }
        task taken { copy from="full" to="web1:dir" }
        task empty { param name default=""; copy from="${name}" to="web1:x" }
        task hook { copy from="nix" to="web1:x"; on-failure { run "echo failed >> log" } }
        task again { retry 1; copy from="${env.NAME}" to="web1:x"; on-failure { run "echo tried >> log" } }
        task fine { copy from="nix" to="web1:x" { optional #true }; run "echo fine >> log" }
    "#;
    let with = |task: &str| case(file, [task]).file("full", "full").file("dir/x", "x").env("NAME", "nix");
    for (task, words) in [
        ("gone", "nix: not found"),
        ("none", "*.nix: not found"),
        ("taken", "dir: is a directory"),
        ("empty", "the path of a copy is empty"),
        ("hook", "nix: not found"),
        ("again", "attempt 2 of 2"),
    ] {
        let ran = with(task).run().code(1);
        assert!(ran.err().contains(words), "{task}: {}", ran.story());
        assert_eq!(ran.read("x"), "");
        assert_eq!(ran.read("log").lines().count(), usize::from(matches!(task, "hook" | "again")), "{task}");
    }
    assert_eq!(with("fine").run().ok().read("log"), "fine\n");
}

#[test]
fn a_host_that_is_not_there_is_unreachable_and_not_tried_again() {
    let file = r#"
        host "gone[1-2]" { tags box; via docker; }
        host box { tags box; via docker; }
        task t { matrix on-error=continue require=1 { on box; }; copy from="in" to="${host}:out.${host}"; run "echo $host >> log" }
        task back { copy from="gone1:x" to="x" }
        task both { matrix on-error=continue require=1 { on box; }; copy from="gone1:x" to="${host}:x" }
    "#;
    let ran = with_docker(case(file, ["t"])).file("in", "in").run().ok();
    assert_eq!(ran.read("out.box"), "in", "{}", ran.story());
    assert_eq!(log(&ran), ["box"]);
    assert_eq!(ran.read("calls").matches("gone").count(), 2, "{}", ran.story());
    let ran = with_docker(case(file, ["back"])).run().code(255);
    assert!(ran.err().contains("unreachable: No such container: gone1"), "{}", ran.story());
    let ran = with_docker(case(file, ["-k", "both"])).run().failed();
    assert!(ran.err().contains("No such container: gone1"), "{}", ran.story());
}

#[test]
fn a_timeout_ends_both_sides_and_nothing_is_left() {
    // A docker that tells of itself, and then says nothing more.
    let docker = "#!/bin/sh\necho began > \"$TELL\"\nexec sleep 1000\n";
    let file = r#"
        host slow { via docker; }
        task t { copy from="in" to="slow:out" { timeout "300ms" } }
        task u { copy from="in" to="slow:out" }
    "#;
    let with = |task: &str| with_docker(case(file, [task])).file("bin/docker", docker).file("in", "in");
    with("t").run().code(124).nothing_left();
    let mut live = with("u").spawn();
    live.tell.line();
    live.signal(nix::sys::signal::Signal::SIGINT);
    live.end().signal(nix::sys::signal::Signal::SIGINT).nothing_left();
}

#[test]
fn it_takes_a_slot_of_each_host_and_none_here() {
    let file = r#"
        host one { via local; jobs 1; }
        host two { via local; jobs 1; }
        task t { parallel { copy from="one:in" to="two:a"; copy from="two:in" to="one:b"; copy from="one:in" to="one:c"; copy from="in" to="one:d" } }
    "#;
    let ran = case(file, ["-j1", "--events=json", "-q", "t"]).file("in", "in").run().ok();
    for name in ["a", "b", "c", "d"] {
        assert_eq!(ran.read(name), "in", "{name}: {}", ran.story());
    }
    let (mut open, mut most) = (0, 0);
    for line in ran.out().lines() {
        open += i32::from(line.contains(r#""event":"step-started""#))
            - i32::from(line.contains(r#""event":"step-finished""#));
        most = most.max(open);
    }
    assert_eq!(most, 1, "all of them have a host in common: {}", ran.story());
}

#[test]
fn a_plan_shows_it_and_copies_nothing() {
    let file = r#"task t { on web; copy from="in" to="${host}:out" }"#;
    let ran = case(file, ["-n", "t"]).file("in", "in").run().ok();
    assert!(ran.out().contains("    copy in to ${host}:out\n"), "{}", ran.story());
    assert_eq!(ran.read("out"), "");
    case(file, ["--check"]).run().ok();
}

#[test]
fn what_is_only_known_in_the_plan_is_refused_there() {
    refused("task t { param to default=web; copy from=\"log\" to=\"${to}:x\" }", "one-host", &["selects 3"]);
    refused("task t { param to default=wob; copy from=\"log\" to=\"${to}:x\" }", "unknown-host", &["wob"]);
    refused(
        "task t { run \"echo a >> log\" { capture to }; copy from=\"log\" to=\"${to}:x\" }",
        "late-value",
        &["must be known before anything runs"],
    );
}
