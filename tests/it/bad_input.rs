//! Whatever is in the file or on the command line: an answer, exit code 2, and the way out.

use crate::harness::{Case, Ran, XEC};

#[track_caller]
fn refused(text: impl AsRef<[u8]>) -> Ran {
    let check = Case::new().xecfile(&text).args(["--check"]).run().code(2);
    let run = Case::new().xecfile(&text).args(["t"]).run().code(2);
    assert!(check.out().is_empty() && run.out().is_empty(), "{}\n{}", check.story(), run.story());
    assert!(!check.err().contains("panicked") && !run.err().contains("panicked"), "{}", run.story());
    run.nothing_left()
}

#[test]
fn an_unknown_task_brings_the_nearest_names() {
    let file = r#"task build { run "true" }
                  task test { run "true" }"#;
    let ran = Case::new().xecfile(file).args(["biuld"]).run().code(2).says("biuld");
    assert!(ran.err().contains("did you mean `build`?"), "{}", ran.story());
}

#[test]
fn an_unknown_task_that_is_needed_is_shown_in_the_file() {
    let file = "task build { run \"true\" }\ntask t { needs biuld }\n";
    let ran = refused(file).says("did you mean `build`?");
    assert!(ran.err().contains("Xecfile.kdl:2"), "{}", ran.story());
}

#[test]
fn unknown_nodes_settings_and_values_bring_the_nearest_names() {
    refused("taks t { run \"true\" }\n").says("did you mean `task`?");
    refused("task t { rnu \"true\" }\n").says("did you mean `run`?");
    refused("task t timout=\"5s\" { run \"true\" }\n").says("did you mean `timeout`?");
    refused("task t on-error=continu { run \"true\" }\n").says("did you mean `continue`?");
    refused("task t timeout=soon { run \"true\" }\n").says("soon");
    refused("task t jobs=many { run \"true\" }\n").says("many");
}

#[test]
fn all_problems_come_at_once() {
    let file = "task a { needs nothing-like-it }\ntask t timout=\"5s\" { rnu \"true\" }\ntask t { run \"again\" }\n";
    let ran = refused(file);
    for words in ["nothing-like-it", "timout", "rnu", "duplicate"] {
        assert!(ran.err().contains(words), "no {words:?}, {}", ran.story());
    }
}

#[test]
fn a_cycle_is_shown_whole() {
    let file = "task a { needs b }\ntask b { needs c }\ntask c { call a }\ntask t { needs a }\n";
    let ran = refused(file).says("cycle");
    for place in ["needs b", "needs c", "call a"] {
        assert!(ran.err().contains(place), "no {place:?}, {}", ran.story());
    }
}

#[test]
fn a_problem_anywhere_keeps_everything_from_running() {
    let file = "task t { run \"touch ran\" }\ntask other { rnu \"true\" }\n";
    let ran = refused(file);
    assert!(!ran.path().join("ran").exists());
}

#[test]
fn no_file_at_all() {
    Case::new().args(["t"]).run().code(2).says("Xecfile.kdl");
    Case::new().args(["-f", "elsewhere.kdl", "t"]).run().code(2).says("elsewhere.kdl");
    Case::new().args(["-C", "no/such/dir", "t"]).run().code(2).says("no/such/dir");
    Case::new().file("Xecfile.kdl/inside", "").args(["t"]).run().code(2).says("Xecfile.kdl");
}

#[test]
fn the_largest_script_runs() {
    let file =
        |filler: usize| format!("task t {{ run \"echo ran # {}\" }}\n", "x".repeat(filler - "echo ran # ".len()));
    Case::new().xecfile(file(120 << 10)).args(["t"]).run().ok().stdout("ran\n");
    refused(file((120 << 10) + 1)).says("put it into a script file");
}

const ABOVE: &str = "task t { run \"touch $XEC_ROOT/ran\" }\n";

/// Nothing of the file above runs, and the answer has these words.
#[track_caller]
fn not_the_one_above(case: Case, words: &[&str]) {
    let ran = case.xecfile(ABOVE).args(["t"]).run().code(2).says("error[file-unreadable]");
    for words in words {
        assert!(ran.err().contains(words), "no {words:?}, {}", ran.story());
    }
    assert!(!ran.path().join("ran").exists(), "{}", ran.story());
}

#[test]
fn a_wrong_directory_runs_no_tasks_of_another() {
    not_the_one_above(Case::new().args(["-C", "gone"]), &["`gone`", "No such file"]);
    not_the_one_above(Case::new().args(["-C", "gone/deep"]), &["`gone/deep`", "No such file"]);
    not_the_one_above(Case::new().file("plain", "").args(["-C", "plain"]), &["`plain`", "it is a file"]);
    Case::new().xecfile(ABOVE).args(["-C", "", "t"]).run().code(2).says("`--directory` needs a value");
    not_the_one_above(Case::new().args(["-C", "never"]), &["`never`", "it is a named pipe"]);
    let ran = Case::new().xecfile(ABOVE).file("sub/x", "").args(["-C", "sub", "t"]).run().ok();
    assert!(ran.path().join("ran").exists(), "{}", ran.story());
}

#[test]
fn a_file_that_is_none_is_not_passed_over() {
    let sub = || Case::new().file("sub/x", "").args(["-C", "sub"]);
    let found = |case: &Case| case.path().join("sub/Xecfile.kdl");
    let dir = Case::new().file("sub/Xecfile.kdl/x", "").args(["-C", "sub"]);
    not_the_one_above(dir, &["cannot read Xecfile.kdl: it is a directory"]);
    let pipe = sub();
    nix::unistd::mkfifo(&found(&pipe), nix::sys::stat::Mode::S_IRWXU).unwrap();
    not_the_one_above(pipe, &["cannot read Xecfile.kdl: it is a named pipe"]);
    let dangling = sub();
    std::os::unix::fs::symlink("nowhere", found(&dangling)).unwrap();
    not_the_one_above(dangling, &["it is a symbolic link to nowhere", "No such file"]);
    let loose = sub();
    std::os::unix::fs::symlink("Xecfile.kdl", found(&loose)).unwrap();
    not_the_one_above(loose, &["it is a symbolic link to Xecfile.kdl"]);
}

#[test]
fn a_file_that_is_given_is_one_or_is_open_already() {
    let case = Case::new().fifo("pipe").args(["-f", "pipe", "t"]);
    case.run().code(2).says("cannot read pipe: it is a named pipe, not a file");
    Case::new().args(["-f", "/dev/zero"]).run().code(2).says("it is a device, not a file");
    // What is read from a descriptor stands in the directory that xec is in.
    let file = r#"task t { run "cat here" }"#;
    for command in [
        r#"printf '%s' "$FILE" | "$BIN" -f - t"#,
        r#"printf '%s' "$FILE" | "$BIN" -f /dev/stdin t"#,
        r#"exec "$BIN" -f <(printf '%s' "$FILE") t"#,
    ] {
        let case = Case::new().file("here", "found\n").env("FILE", file).env("BIN", XEC);
        let ran = case.program("bash").args(["-c", command]).run().ok();
        assert!(ran.out().contains("found\n"), "{}", ran.story());
    }
}

#[test]
fn a_file_that_may_not_be_looked_at_is_not_passed_over() {
    use std::os::unix::fs::PermissionsExt;
    for locked in ["sub/Xecfile.kdl", "sub"] {
        let case = Case::new().file("sub/Xecfile.kdl", ABOVE).args(["-C", "sub"]);
        let path = case.path().join(locked);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
        let case = if nix::unistd::Uid::effective().is_root() { case.user(65_534) } else { case };
        not_the_one_above(case, &["cannot read Xecfile.kdl: Permission denied"]);
    }
}

#[test]
fn a_link_to_a_file_is_as_good_as_the_file() {
    let case =
        Case::new().xecfile(ABOVE).file("sub/real.kdl", "task t { run \"echo linked\" }\n").args(["-C", "sub", "t"]);
    std::os::unix::fs::symlink("real.kdl", case.path().join("sub/Xecfile.kdl")).unwrap();
    case.run().ok().stdout("linked\n");
}

#[test]
fn bytes_that_are_not_text() {
    refused(b"task t { run \"\xff\xfe\" }").says("file-not-text");
    refused("task t { run \"a\0b\" }").says("file-not-text");
    refused([0_u8; 4096]).says("file-not-text");
}

#[test]
fn an_empty_file() {
    refused("");
    refused("  \n\n");
}

#[test]
fn a_file_over_its_size() {
    let mut file = "task t { run \"true\" }\n".to_owned();
    file.push_str(&"// filler\n".repeat(1 << 17));
    refused(&file).says("file-too-large");
    file.truncate(1 << 20);
    file.truncate(file.rfind('\n').unwrap() + 1);
    Case::new().xecfile(file).args(["t"]).run().ok();
}

#[test]
fn ten_thousand_nested_braces() {
    refused("a { ".repeat(10_000)).says("too-deep");
    refused("a { ".repeat(10_000) + &"}".repeat(10_000)).says("too-deep");
    refused("a ".to_owned() + &"{".repeat(10_000));
}

#[test]
fn nested_slashdash_blocks() {
    refused("/- a { ".repeat(40) + &"}".repeat(40)).says("too-deep");
    refused("task t { run \"true\" }\n".to_owned() + &"/-a{".repeat(200) + &"}".repeat(200)).says("too-deep");
}

#[test]
fn nested_comments_and_strings_that_do_not_end() {
    refused("/*".repeat(10_000));
    refused("task t { run \"");
    refused("task t { run #\"\"\"\n");
    refused("#".repeat(100_000));
}

#[test]
fn braces_in_strings_and_comments_are_none() {
    let deep = "{".repeat(500);
    let file = format!("// {deep}\n/* {deep} */\ntask t {{ run #\"echo '{deep}'\"# }}\n");
    Case::new().xecfile(file).args(["t"]).run().ok().stdout(&format!("{deep}\n"));
}

#[test]
fn random_bytes_get_an_answer() {
    use proptest::prelude::*;
    let cases = std::env::var("XEC_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(32);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let pieces = prop::sample::select(vec![
        "task", " t ", "{", "}", "\n", "run", "\"x\"", "needs", "=", "#true", "/-", "/*", "*/", "\\", "#\"", "\"#",
        "(u8)", "${", "5s", "\"", "env", "parallel", ";", "\u{feff}", "\0", "é", "exec", "call", "-", "\"\"\"",
        "default",
    ]);
    proptest!(config, |(words in prop::collection::vec(pieces, 0..60))| {
        let ran = Case::new().xecfile(words.concat()).args(["--check"]).run();
        prop_assert!(matches!(ran.end, crate::harness::End::Code(0 | 2)), "{}", ran.story());
        prop_assert!(!ran.err().contains("panicked"), "{}", ran.story());
    });
}
