//! How files are built: templates, includes, names, questions, dotenv.

use super::{case, log, out, refused};

#[test]
fn a_template_is_inserted_and_the_task_wins() {
    let file = r#"
        template base { param mode default=debug; env { A template; B template }; run "echo first $mode $A $B >> log" }
        template more { use base; env { B more } }
        task t { use base; env { B task }; run "echo second >> log" }
        task u { use more; run "echo last >> log" }
    "#;
    assert_eq!(log(file, ["t", "mode=fast"]), "first fast template task\nsecond\n");
    assert_eq!(log(file, ["u"]), "first debug template more\nlast\n");
}

#[test]
fn templates_in_a_circle_and_unknown_ones_are_refused() {
    let file = r#"template a { use b }; template b { use a }; task t { use a; run "echo t >> log" }"#;
    refused(&file.replace("; template", "\ntemplate").replace("; task", "\ntask"), ["t"], "cycle", &["Xecfile.kdl:"]);
    let file = "template rust { cwd \".\" }\ntask t { use rsut; run \"echo t >> log\" }";
    case(file, ["t"]).run().code(2).says("did you mean `rust`?");
}

const API: &str = r#"
    let name api
    task build { run "pwd; echo $name" }
    task test { needs build; needs ":lint" }
    task lint { run "echo api lint" }
"#;

#[test]
fn an_included_file_has_names_and_a_folder_of_its_own() {
    let root = r#"
        let name root
        include "api/Xecfile.kdl" as=api
        task build { needs api:build; run "echo $name" }
        task lint { run "echo root lint" }
    "#;
    let ran = case(root, ["build"]).file("api/Xecfile.kdl", API).run().ok();
    let here = ran.path().canonicalize().unwrap();
    assert_eq!(ran.out(), format!("{}\napi\nroot\n", here.join("api").display()));
    let ran = case(root, ["-j1", "api:test"]).file("api/Xecfile.kdl", API).run().ok();
    assert!(ran.out().contains("root lint") && !ran.out().contains("api lint"), "{}", ran.out());
    let ran = case(root, ["-j1", "*:lint", ":lint"]).file("api/Xecfile.kdl", API).run().ok();
    assert_eq!(ran.out(), "api lint\nroot lint\n");
}

#[test]
fn what_belongs_to_a_file_stays_in_it() {
    let root = r#"
        env WHO root
        defaults { retry 3 }
        include "api/Xecfile.kdl" as=api
        task show { run "echo root $WHO >> log" }
    "#;
    let api = r#"task show { run "echo api ${WHO-none} >> ../log; exit 1" }"#;
    let ran = case(root, ["show"]).file("api/Xecfile.kdl", api).run().ok();
    assert_eq!(ran.read("log"), "root root\n");
    let ran = case(root, ["api:show"]).file("api/Xecfile.kdl", api).run().code(1);
    assert_eq!(ran.read("log"), "api none\n");
}

#[test]
fn files_in_a_circle_are_refused() {
    let ran = case("include \"b.kdl\" as=b\ntask t { run \"echo t >> log\" }", ["t"])
        .file("b.kdl", "include \"Xecfile.kdl\" as=a\ntask u { run \"true\" }")
        .run()
        .code(2);
    assert!(ran.err().contains("error[cycle]") && ran.err().contains("b.kdl"), "{}", ran.story());
    assert_eq!(ran.read("log"), "");
    case("include \"none.kdl\" as=n\ntask t { run \"true\" }", ["t"])
        .run()
        .code(2)
        .says("none.kdl")
        .says("Xecfile.kdl:1:");
}

#[test]
fn an_alias_is_the_task() {
    let file = r#"
        task build { alias b make; run "echo $XEC_TASK >> log" }
        task top { needs b build; run "echo top >> log" }
    "#;
    assert_eq!(log(file, ["b"]), "build\n");
    assert_eq!(log(file, ["b", "make", "build"]), "build\n");
    assert_eq!(log(file, ["top"]), "build\ntop\n");
}

#[test]
fn a_private_task_is_for_other_tasks() {
    let file = r#"
        task top { needs inner; run "echo top >> log" }
        task inner private=#true { run "echo inner >> log" }
    "#;
    assert_eq!(log(file, ["top"]), "inner\ntop\n");
    refused(file, ["inner"], "private-task", &["`inner`", "Xecfile.kdl:3:"]);
    assert!(!out(file, ["-l"]).contains("inner"));
    assert!(out(file, ["-l", "-a"]).contains("inner"));
}

const ASKS: &str = r#"
    task deploy { param env default=dev; confirm "Deploy to ${env}?"; run "echo deploy $env >> log" }
    task all { run "echo first >> log"; call deploy env=prod }
"#;

#[test]
fn a_question_without_a_terminal_is_refused() {
    refused(ASKS, ["deploy", "env=prod"], "usage", &["`deploy[env=prod]`", "Deploy to prod?", "-y", "Xecfile.kdl:2:"]);
    refused(ASKS, ["all"], "usage", &["Deploy to prod?"]);
    assert_eq!(log(ASKS, ["-y", "all"]), "first\ndeploy prod\n");
    case(ASKS, ["-n", "all"]).run().ok();
}

#[test]
fn a_question_on_a_terminal_is_answered() {
    for (answer, code, expected) in [("y\n", 0, "deploy dev\n"), ("n\n", 1, ""), ("\n", 1, "")] {
        let mut terminal = case(ASKS, ["deploy"]).on_terminal();
        terminal.await_text("Deploy to dev?");
        terminal.press(answer);
        let (ran, _) = terminal.end();
        assert_eq!(ran.code(code).read("log"), expected, "{answer:?}");
    }
}

#[test]
fn dotenv_is_the_weakest() {
    let file = r#"
        dotenv "base.env"
        dotenv "local.env" optional=#true
        env FILE file
        task t {
            env TASK task
            run "echo $DOT $LATER $PROCESS $FILE $TASK"
        }
    "#;
    let base = "DOT=dot\nLATER=base\nPROCESS=base\nFILE=base\nTASK=base\n# a comment\n";
    let with = |local: Option<&str>| {
        let case = case(file, ["t"]).file("base.env", base).env("PROCESS", "process");
        local.iter().fold(case, |case, text| case.file("local.env", text)).run().ok().out()
    };
    assert_eq!(with(None), "dot base process file task\n");
    assert_eq!(with(Some("LATER=local\n")), "dot local process file task\n");
}

#[test]
fn dotenv_runs_nothing() {
    let file = "dotenv \".env\"\ntask t { run \"printenv V\" }";
    let ran = case(file, ["t"]).file(".env", "V='$(touch pwned) $HOME'\n").run().ok();
    assert_eq!(ran.out(), "$(touch pwned) $HOME\n");
    assert!(!ran.path().join("pwned").exists());
    case(file, ["t"]).run().code(2).says(".env").says("Xecfile.kdl:1:");
}
