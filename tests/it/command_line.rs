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
    let looks: [&[&str]; 13] = [
        &["-n", "test"],
        &["-n", "--json", "test"],
        &["-l"],
        &["-la"],
        &["--list", "--json"],
        &["--show", "test"],
        &["--show=test", "--json"],
        &["--explain", "cycle"],
        &["--check"],
        &["--check", "--json"],
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
fn a_dry_run_says_what_conditions_come_to() {
    let file = r#"
        task m { matrix { n 1 2 }; when equal "${n}" 2; run "echo two" }
        task late { needs m; unless exists done; run "echo late" }
    "#;
    let shown = "m[n=1]  needed by late; skipped, by its condition\n\
                 m[n=2]  needed by late\n    echo two\n\
                 late  requested; whether it runs is decided at run time\n    echo late\n";
    Case::new().xecfile(file).args(["-n", "late"]).run().ok().stdout(shown);
}

#[test]
fn a_dry_run_tells_hooks_from_steps() {
    let file = r#"task t {
        matrix { n 1 2; finally { run "once" } }
        sequence { run "step"; on-success { run "good" } }
        on-failure { run "bad" }
    }"#;
    let each = |n| format!("t[n={n}]  requested\n    step\n    on-success: good\n    on-failure: bad\n");
    let shown = each(1) + &each(2) + "t  once for all of them\n    finally: once\n";
    Case::new().xecfile(file).args(["-n", "t"]).run().ok().stdout(&shown);
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

const INPUTS: &str = r#"
task deploy desc="Send it off" alias=d {
    param env { choices dev prod }
    param tag default=latest desc="Which build"
    flag dry short=d
    rest args
    needs build
    run "echo $env"
}
task build private=#true { run "true" }
"#;

fn inputs() -> Case {
    Case::new().xecfile(INPUTS)
}

#[test]
fn the_list_shows_what_tasks_take_and_hides_what_is_private() {
    let usage = "deploy env=<dev|prod> [tag=latest] [--dry] [-- args…]  Send it off [alias: d]\n";
    inputs().args(["-l"]).run().ok().stdout(usage);
    inputs().run().ok().stdout(usage);
    let all = inputs().args(["-la"]).run().ok();
    assert!(
        all.out().starts_with(usage) && all.out().contains("\nbuild") && all.out().contains("[private]"),
        "{}",
        all.story()
    );
    for (args, names) in [(&["-l", "--json"][..], &["deploy"][..]), (&["-a", "-l", "--json"], &["deploy", "build"])] {
        let ran = inputs().args(args).run().ok();
        let value: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
        let tasks = value["tasks"].as_array().expect("a list");
        assert_eq!(tasks.iter().map(|task| task["name"].as_str().expect("a name")).collect::<Vec<_>>(), names);
        assert_eq!(tasks[0]["params"][0]["choices"], serde_json::json!(["dev", "prod"]), "{}", ran.story());
    }
}

#[test]
fn a_task_is_shown_as_it_was_understood() {
    for name in ["deploy", "d"] {
        let ran = inputs().args(["--show", name]).run().ok();
        for words in [
            "deploy  Send it off",
            "Xecfile.kdl:2",
            "env=<dev|prod>",
            "Which build [default latest]",
            "needs",
            "echo $env",
        ] {
            assert!(ran.out().contains(words), "no {words:?}, {}", ran.story());
        }
    }
    let ran = inputs().args(["--show", "build", "--json"]).run().ok();
    let value: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!((&value["task"]["private"], &value["task"]["steps"][0]["run"]), (&true.into(), &"true".into()));
    inputs().args(["--show", "deplyo"]).run().code(2).stdout("").says("did you mean `deploy`?");
}

#[test]
fn explanations_need_no_file() {
    let ran = Case::new().args(["--explain", "unknown-task"]).run().ok();
    assert!(ran.out().starts_with("unknown-task\n\nNo task of that name exists"), "{}", ran.story());
    let ran = Case::new().args(["--explain", "error[cycle]", "--json"]).run().ok();
    let value: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(value["code"], "cycle");
    Case::new().args(["--explain", "cycel"]).run().code(2).stdout("").says("did you mean `cycle`?");
}

#[test]
fn a_check_for_machines_has_its_problems_on_stdout() {
    let bad = "task t timout=\"5s\" { run \"true\" }\ntask u { needs nobody }\n";
    let ran = Case::new().xecfile(bad).args(["--check", "--json"]).run().code(2);
    let lines: Vec<serde_json::Value> =
        ran.out().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(ran.err().is_empty() && lines.len() >= 2, "{}", ran.story());
    for (line, (number, code)) in lines.iter().zip([(1, "unknown-setting"), (2, "unknown-task")]) {
        assert_eq!((&line["code"], &line["places"][0]["line"]), (&code.into(), &number.into()), "{}", ran.story());
        assert_eq!((&line["severity"], &line["places"][0]["file"]), (&"error".into(), &"Xecfile.kdl".into()));
    }
    // What only a plan can know comes the same way.
    let circle = "task a { needs b }\ntask b { needs a }\n";
    let ran = Case::new().xecfile(circle).args(["--check", "--json"]).run().code(2);
    let value: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(value["code"], "cycle", "{}", ran.story());
    Case::new().xecfile(FILE).args(["--check", "--json"]).run().ok().stdout("");
    let none = Case::new().args(["--check", "--json"]).run().code(2);
    assert!(none.out().contains("\"file-unreadable\"") && none.err().is_empty(), "{}", none.story());
}

#[test]
fn a_look_for_machines_that_cannot_be_has_its_problems_on_stdout() {
    let looks = [&["-l"][..], &["-n", "t"], &["--show=t"], &["--graph", "t"], &["--last"]];
    let bad = "task t timout=\"5s\" { run \"true\" }\n";
    for look in looks {
        let ran = Case::new().xecfile(bad).args(look).args(["--json"]).run().code(2);
        let value: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
        assert!(value["code"] == "unknown-setting" && ran.err().is_empty(), "{}", ran.story());
    }
    // So do those of what was asked for.
    for look in [&["--show=nobody"][..], &["-n", "nobody"]] {
        let ran = Case::new().xecfile(FILE).args(look).args(["--json"]).run().code(2);
        let value: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
        assert!(value["code"] == "unknown-task" && ran.err().is_empty(), "{}", ran.story());
    }
}

#[test]
fn words_without_a_task_are_shown_their_place() {
    let says = |args: &[&str], words: &str| inputs().args(args).run().code(2).stdout("").says(words);
    says(&["env=prod", "deploy"], "what a task takes follows it: `xec deploy env=prod`");
    says(&["--jbos", "4"], "did you mean `--jobs`");
    says(&["--", "x"], "`xec TASK -- x`");
    says(&["deploy", "--doctor"], "a later version");
    says(&["-a", "deploy"], "`xec -la`");
    says(&["deploy", "--version=2"], "an input of `deploy` of that name is given without the dashes: version=2");
}

#[test]
fn what_a_task_takes_follows_it() {
    let file = r#"
task hello {
    param name default=you
    flag loud short=x
    rest more
    run "echo $name ${loud:-quiet} \"$@\"" args="${more}"
}
"#;
    let said = |args: &[&str], out: &str| drop(Case::new().xecfile(file).args(args).run().ok().stdout(out));
    said(&["hello"], "you quiet\n");
    said(&["-q", "hello", "name=me", "--loud", "-j1"], "me true\n");
    said(&["hello", "--name=a b", "-qx", "--", "-j", "c  d"], "a b true -j c  d\n");
    said(&["hello", "name=1", "hello", "name=2"], "1 quiet\n2 quiet\n");
}

#[test]
fn what_has_to_be_confirmed_needs_a_terminal_or_a_yes() {
    let file = r#"
task deploy { confirm "Really?"; run "echo done" }
task all { needs deploy; run "echo all" }
"#;
    let ran = Case::new().xecfile(file).args(["all"]).run().code(2).stdout("").says("`deploy` has to be confirmed");
    assert!(ran.err().contains("-y") && ran.err().contains("Xecfile.kdl:2"), "{}", ran.story());
    Case::new().xecfile(file).args(["-y", "all"]).run().ok().stdout("done\nall\n");
    Case::new().xecfile(file).env("XEC_YES", "1").args(["deploy"]).run().ok().stdout("done\n");
    Case::new().xecfile(file).args(["-n", "all"]).run().ok();
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

#[test]
fn a_run_is_no_look() {
    let ran = Case::new().xecfile(FILE).args(["--json", "test"]).run().code(2).stdout("");
    ran.says("`--json`").says("`--events=json`");
}
