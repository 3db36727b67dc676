//! The verbs that only look, and that they only look.

use std::collections::BTreeMap;
use std::path::Path;

use crate::harness::Case;

const FILE: &str = r#"
env { GREETING "hello" }
task build desc="Compile it" { needs gen; run "touch ran-build" }
task gen { run "touch ran-gen" }
task test desc="Try it" { needs build; after gen; parallel { run "touch ran-a"; run "touch ran-b" }; call gen }
"#;

/// Every file under a directory with its length: what a run could have touched.
fn tree(dir: &Path) -> BTreeMap<std::path::PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                todo.push(entry.path());
            }
            found.insert(entry.path(), if meta.is_dir() { 0 } else { meta.len() });
        }
    }
    found
}

#[test]
fn looking_runs_nothing_and_writes_nothing() {
    let looks: [&[&str]; 7] = [
        &["-n", "test"],
        &["-l"],
        &["--list", "--json"],
        &["--check"],
        &["--graph", "test"],
        &["--graph=mermaid", "test"],
        &["--graph=json", "test"],
    ];
    for args in looks {
        let case = Case::new().xecfile(FILE).args(args);
        let before = tree(case.path());
        let ran = case.run().ok().nothing_left();
        assert_eq!(tree(ran.path()), before, "{args:?}");
    }
}

#[test]
fn a_dry_run_names_what_would_run_in_order() {
    let ran = Case::new().xecfile(FILE).args(["-n", "test"]).run().ok();
    let out = ran.out();
    let at = |word: &str| out.find(word).unwrap_or_else(|| panic!("no {word}, {}", ran.story()));
    assert!(at("ran-gen") < at("ran-build") && at("ran-build") < at("ran-a") && at("ran-a") < at("ran-b\n"), "{out}");
}

#[test]
fn the_list_shows_names_and_what_they_are_for() {
    let ran = Case::new().xecfile(FILE).args(["-l"]).run().ok();
    let out = ran.out();
    for words in ["build", "Compile it", "gen", "test", "Try it"] {
        assert!(out.contains(words), "no {words:?}, {}", ran.story());
    }
    let json = Case::new().xecfile(FILE).args(["-l", "--json"]).run().ok();
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert!(value.to_string().contains("Compile it"), "{value}");
}

#[test]
fn graphs_are_what_their_readers_take() {
    let graph = |format: &str| Case::new().xecfile(FILE).args([&format!("--graph={format}"), "test"]).run().ok().out();
    let dot = graph("dot");
    assert!(dot.trim_start().starts_with("digraph") && dot.trim_end().ends_with('}') && dot.contains("->"), "{dot}");
    let mermaid = graph("mermaid");
    assert!(mermaid.starts_with("flowchart") || mermaid.starts_with("graph"), "{mermaid}");
    assert!(mermaid.contains("-->"), "{mermaid}");
    let json: serde_json::Value = serde_json::from_str(&graph("json")).expect("JSON");
    let text = json.to_string();
    for task in ["build", "gen", "test"] {
        assert!(dot.contains(task) && mermaid.contains(task) && text.contains(task), "{task}: {dot}{mermaid}{text}");
    }
}

#[test]
fn a_check_of_a_good_file_succeeds() {
    Case::new().xecfile(FILE).args(["--check"]).run().ok();
}

#[test]
fn unknown_options_are_usage_errors() {
    Case::new().xecfile(FILE).args(["--no-such-option"]).run().code(2).says("--no-such-option");
    Case::new().xecfile(FILE).args(["-j", "many", "build"]).run().code(2).says("many");
    Case::new().xecfile(FILE).args(["-o", "loud", "build"]).run().code(2).says("loud");
}

#[test]
fn help_and_version_go_to_stdout() {
    let help = Case::new().args(["--help"]).run().ok();
    assert!(help.out().contains("--jobs") && help.out().contains("--check"), "{}", help.story());
    let version = Case::new().args(["--version"]).run().ok();
    assert_eq!(version.out(), format!("xec {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn options_are_found_anywhere() {
    let file = r#"task a { run "echo a" }
                  task b { run "echo b" }"#;
    Case::new().xecfile(file).args(["a", "-j1", "b", "-q"]).run().ok().stdout("a\nb\n");
}

#[test]
fn every_option_has_a_variable() {
    let case = Case::new().file("tasks.kdl", r#"task t { run "echo found" }"#);
    case.env("XEC_FILE", "tasks.kdl").args(["t"]).run().ok().stdout("found\n");
}

#[test]
fn events_are_lines_of_json_from_the_first_to_the_last() {
    let events = |to: &str| Case::new().xecfile(FILE).args([to, "build"]).run().ok();
    let ran = events("--events=json:events.jsonl");
    let from_file = ran.read("events.jsonl");
    let from_stdout = events("--events=json").out();
    for text in [from_file, from_stdout] {
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let kinds: Vec<&str> = lines.iter().map(|line| line["event"].as_str().expect("a kind")).collect();
        assert_eq!((kinds.first(), kinds.last()), (Some(&"run-started"), Some(&"run-finished")), "{text}");
        // Two tasks of one step each, and everything that begins ends once.
        let count = |kind: &str| kinds.iter().filter(|other| **other == kind).count();
        let counts = ["task-started", "step-started", "step-finished", "task-finished"].map(count);
        assert_eq!(counts, [2; 4], "{text}");
        assert!(lines.iter().all(|line| line["v"] == 1), "{text}");
        assert!(text.contains("gen") && text.contains("build"), "{text}");
    }
}
