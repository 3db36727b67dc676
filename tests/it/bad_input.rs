//! Whatever is in the file or on the command line: an answer, exit code 2, and the way out.

use crate::harness::{Case, Ran};

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
