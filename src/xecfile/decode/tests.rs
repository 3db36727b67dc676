//! What good files mean. What bad ones are told is in `tests/problems`.

use std::time::Duration;

use crate::base::source::Spanned;
use crate::base::value::{Filter, Part};
use crate::xecfile::load::read;
use crate::xecfile::model::{EnvEntry, OnError, Settings, Step, StepKind, Width, Xecfile};

fn good(text: &str) -> Xecfile {
    let loaded = read(text);
    let messages: Vec<&str> = loaded.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert!(messages.is_empty(), "{text}: {messages:?}");
    loaded.file.expect("no problem, so a file")
}

/// What a place in the file says, letter for letter.
fn written<T>(file: &Xecfile, spanned: &Spanned<T>) -> String {
    let text = &file.sources.get(spanned.span.source).text;
    text[spanned.span.start as usize..spanned.span.end as usize].to_owned()
}

fn variables(entries: &[EnvEntry]) -> Vec<String> {
    let text =
        |entry: &EnvEntry| format!("{}={}", entry.name.value, entry.value.value.as_text().map_or("?", |text| text));
    entries.iter().map(text).collect()
}

/// The steps on one line.
fn body(steps: &[Step]) -> String {
    let step = |step: &Step| match &step.kind {
        StepKind::Run(text) => format!("run {text:?}"),
        StepKind::Exec(words) => {
            let words = words.iter().map(|word| word.value.as_text().map_or("?", |text| text).to_owned());
            words.collect::<Vec<_>>().join("|")
        }
        StepKind::Call(reference) => format!("call {}", reference.task.value),
        StepKind::Sequence(steps) => format!("({})", body(steps)),
        StepKind::Parallel(steps) => format!("[{}]", body(steps)),
    };
    steps.iter().map(step).collect::<Vec<_>>().join("; ")
}

fn settings(settings: &Settings) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        settings.timeout.map(|spanned| spanned.value),
        settings.grace.map(|spanned| spanned.value),
        settings.on_error.map(|spanned| spanned.value),
        settings.cwd.as_ref().map(|spanned| &spanned.value),
        settings.shell.as_ref().map(|spanned| &spanned.value),
        settings.optional.map(|spanned| spanned.value),
        settings.jobs.map(|spanned| spanned.value),
        settings.interactive.map(|spanned| spanned.value),
        variables(&settings.env),
    )
}

#[test]
fn a_whole_file() {
    let file = good(
        r##"xec min="0.1"
            env { A "1" }
            defaults timeout="10m" { on-error drain }
            task build desc="Compile" { needs lint clean; needs gen; after old
                run "make $A"
                exec cargo build --release "-p" 'x'y
                parallel { call lint; sequence { run "a"; run "b" } }
            }
            task lint; task clean; task gen; task old"##,
    );
    assert_eq!(variables(&file.env), ["A=1"]);
    assert_eq!(file.defaults.timeout.map(|spanned| spanned.value), Some(Duration::from_secs(600)));
    assert_eq!(file.defaults.on_error.map(|spanned| spanned.value), Some(OnError::Drain));
    let (place, build) = file.find("build").expect("there");
    assert_eq!((place, build.desc.as_deref()), (0, Some("Compile")));
    let names = |references: &[crate::xecfile::model::Reference]| {
        references.iter().map(|reference| reference.task.value.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&build.needs), ["lint", "clean", "gen"]);
    assert_eq!(names(&build.after), ["old"]);
    let expected = r#"run "make $A"; cargo|build|--release|-p|'x'y; [call lint; (run "a"; run "b")]"#;
    assert_eq!(body(&build.body), expected);
    assert_eq!(file.tasks.len(), 5);
}

#[test]
fn a_property_is_a_child() {
    let lines = [
        ("timeout=\"5m\"", "timeout \"5m\""),
        ("grace=\"0s\"", "grace \"0s\""),
        ("on-error=continue", "on-error continue"),
        ("cwd=web", "cwd web"),
        ("optional=#true", "optional #true"),
        ("jobs=\"50%\"", "jobs \"50%\""),
        ("jobs=4", "jobs 4"),
        ("interactive=#false", "interactive #false"),
    ];
    for (property, child) in lines {
        let one = good(&format!("task a {property}"));
        let other = good(&format!("task a {{ {child} }}"));
        assert_eq!(settings(&one.tasks[0].settings), settings(&other.tasks[0].settings), "{property}");
        assert_ne!(settings(&one.tasks[0].settings), settings(&Settings::default()), "{property}");
        let step = good(&format!("task a {{ run \"x\" {property}; exec x {{ {child} }} }}"));
        assert_eq!(settings(&step.tasks[0].body[0].settings), settings(&one.tasks[0].settings), "{property}");
        assert_eq!(settings(&step.tasks[0].body[1].settings), settings(&one.tasks[0].settings), "{property}");
    }
    for env in ["env A x", "env A=x", "env { A x }", "env {\n A \"x\"\n}"] {
        assert_eq!(variables(&good(&format!("task a {{ {env} }}")).tasks[0].settings.env), ["A=x"], "{env}");
    }
    let merged = good("task a { env A x; env { B y }; env C=z D=1.50 }");
    assert_eq!(variables(&merged.tasks[0].settings.env), ["A=x", "B=y", "C=z", "D=1.50"]);
}

#[test]
fn values_keep_their_spelling() {
    let file = good(
        "env { A 3.10; B 0755; C 1_000; D 0x1F; E 1e3; F +5 }\ntask a { exec x 1.50 -0 \"\\u{41}\\\"\" #\"\\d\"# }",
    );
    assert_eq!(variables(&file.env), ["A=3.10", "B=0755", "C=1_000", "D=0x1F", "E=1e3", "F=+5"]);
    assert_eq!(body(&file.tasks[0].body), "x|1.50|-0|A\"|\\d");
}

#[test]
fn the_text_of_run_is_as_it_was() {
    let file = good(
        "task a { run #\"\"\"\n    echo \"$x\" ${y} \\n\n      // no comment /* at all\n    \"\"\"#; run \"a\\tb\" }",
    );
    assert_eq!(body(&file.tasks[0].body), r#"run "echo \"$x\" ${y} \\n\n  // no comment /* at all"; run "a\tb""#);
}

#[test]
fn what_is_commented_out_is_not_there() {
    let file = good(
        "/- kdl-version 2\n/-task x { run \"a\" }\ntask a /-desc=\"x\" /-{ nonsense } { /-run \"x\"; /* run \"y\" */ exec b /-c d // e\n}",
    );
    assert_eq!(file.tasks.len(), 1);
    assert_eq!(body(&file.tasks[0].body), "b|d");
}

#[test]
fn everything_has_its_place() {
    let file = good("// first\ntask a cwd=\"é\" { needs b\n  run \"x y\" timeout=\"5s\" { env K v } }\ntask b");
    let task = &file.tasks[0];
    assert_eq!(written(&file, &task.name), "a");
    assert_eq!(written(&file, &task.needs[0].task), "b");
    assert_eq!(written(&file, task.settings.cwd.as_ref().expect("cwd")), "\"é\"");
    let step = &task.body[0];
    assert_eq!(written(&file, &Spanned::new((), step.span)), "run \"x y\" timeout=\"5s\"");
    assert_eq!(written(&file, step.settings.timeout.as_ref().expect("timeout")), "\"5s\"");
    assert_eq!(written(&file, &step.settings.env[0].name), "K");
    assert_eq!(file.sources.place(step.span).1, 3);
    let whole = written(&file, &Spanned::new((), task.span));
    assert!(whole.starts_with("task a") && whole.ends_with('}'), "{whole}");
    assert_eq!(written(&file, &Spanned::new((), file.tasks[1].span)), "task b");
}

#[test]
fn templates_and_widths() {
    let file = good(
        "task a jobs=\"cpus-1\" { cwd \"${env.HOME:-/}/x\"; shell bash -c; exec echo \"${env.A|stem}\" \"$${x}\" }",
    );
    let task = &file.tasks[0];
    assert_eq!(task.settings.jobs.map(|spanned| spanned.value), Some(Width::CpusLess(1)));
    assert_eq!(task.settings.shell.as_ref().map(|shell| shell.value.len()), Some(2));
    let StepKind::Exec(words) = &task.body[0].kind else { panic!("exec") };
    let Part::Hole { filters, .. } = &words[1].value.parts[0] else { panic!("a hole") };
    assert_eq!(filters[..], [Filter::Stem]);
    assert_eq!(words[2].value.as_text().map(|text| &**text), Some("${x}"));
}

#[test]
fn a_bad_node_hides_no_other() {
    let loaded = read("tsak a\ntask b { needs c }\ntask d 5s\ntask e timeout=1");
    let codes: Vec<&str> = loaded.problems.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(codes, ["unknown-node", "unknown-task", "bare-word", "bad-value"]);
    assert!(loaded.file.is_none());
}
