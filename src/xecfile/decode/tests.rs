//! What good files mean. What bad ones are told is in `tests/problems`.

use std::time::Duration;

use crate::base::source::Spanned;
use crate::base::value::{Filter, Part};
use crate::xecfile::load::read;
use crate::xecfile::model::{
    AxisSource, Backoff, CaptureForm, EnvEntry, Group, Late, OnError, Settings, Share, Step, StepKind, Width, Xecfile,
};

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
        StepKind::Wait(_) => "wait".to_owned(),
        StepKind::Barrier => "barrier".to_owned(),
        StepKind::Reduce(reduce) => format!("reduce({})", body(std::slice::from_ref(&*reduce.step))),
        StepKind::Call(reference) => format!("call {}", reference.task.value),
        StepKind::Until(_) => "until".to_owned(),
        StepKind::Copy(_) => "copy".to_owned(),
        StepKind::Group(Group::Sequence, steps) => format!("({})", body(steps)),
        StepKind::Group(Group::Parallel, steps) => format!("[{}]", body(steps)),
        StepKind::Group(group, steps) => format!("{}({})", group.name(), body(steps)),
    };
    steps.iter().map(step).collect::<Vec<_>>().join("; ")
}

fn settings(settings: &Settings) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        settings.timeout.as_ref().map(|spanned| &spanned.value),
        settings.grace.as_ref().map(|spanned| &spanned.value),
        settings.on_error.map(|spanned| spanned.value),
        settings.cwd.as_ref().map(|spanned| &spanned.value),
        settings.shell.as_ref().map(|spanned| &spanned.value),
        settings.optional.as_ref().map(|spanned| &spanned.value),
        settings.jobs.as_ref().map(|spanned| &spanned.value),
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
    assert_eq!(variables(&file.files[0].env), ["A=1"]);
    assert_eq!(
        file.files[0].defaults.timeout.as_ref().map(|spanned| spanned.value.clone()),
        Some(Late::Now(Duration::from_secs(600)))
    );
    assert_eq!(file.files[0].defaults.on_error.map(|spanned| spanned.value), Some(OnError::Drain));
    let build = &file.tasks[0];
    assert_eq!(build.desc.as_deref(), Some("Compile"));
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
    assert_eq!(variables(&file.files[0].env), ["A=3.10", "B=0755", "C=1_000", "D=0x1F", "E=1e3", "F=+5"]);
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
    assert_eq!(task.settings.jobs.as_ref().map(|spanned| spanned.value.clone()), Some(Late::Now(Width::CpusLess(1))));
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

/// The text of a template, holes and all.
fn spelled(template: &crate::base::value::Template) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.to_string(),
        Part::Hole { name, .. } => format!("${{{name}}}"),
    };
    template.parts.iter().map(part).collect()
}

#[test]
fn inputs() {
    let file = good(
        "task a alias=b private=#true confirm=\"Sure about ${env-name}?\" {
            param env-name type=string default=staging short=e desc=\"Where\" { choices staging prod }
            param file type=path many=#true
            flag release short=r
            rest words
            alias c d
            run \"x\"
        }",
    );
    let task = &file.tasks[0];
    assert_eq!(task.aliases.iter().map(|alias| &*alias.value).collect::<Vec<_>>(), ["b", "c", "d"]);
    assert!(task.private && task.confirm.is_some());
    let shown: Vec<String> = task
        .params
        .iter()
        .map(|param| format!("{} {:?} {:?} {} {:?}", param.name.value, param.role, param.ty, param.many, param.short))
        .collect();
    let expected = [
        "env-name Value String false Some('e')",
        "file Value Path true None",
        "release Flag Bool false Some('r')",
        "words Rest String true None",
    ];
    assert_eq!(shown, expected);
    assert_eq!(task.params[0].choices.len(), 2);
    assert_eq!(task.params[0].desc.as_deref(), Some("Where"));
}

#[test]
fn a_matrix() {
    let file = good(
        "task a {
            matrix jobs=4 on-error=continue {
                os linux macos
                axis env \"${env.A}\" prod
                file glob=\"*.c\"
                shard range=\"1..4\"
                exclude os=macos env=prod
                include os=windows env=dev file=x.c shard=9
                require \"90%\"
                empty ok
                finally { run \"y\" }
            }
            run \"x\"
        }",
    );
    let matrix = file.tasks[0].matrix.as_ref().expect("a matrix");
    let axes: Vec<String> = matrix
        .axes
        .iter()
        .map(|axis| match &axis.source {
            AxisSource::Values(words) => {
                let words: Vec<String> = words.iter().map(|word| spelled(&word.value)).collect();
                format!("{} {}", axis.name.value, words.join(" "))
            }
            AxisSource::Glob(text) => format!("{} glob {}", axis.name.value, spelled(&text.value)),
            AxisSource::Range(text) => format!("{} range {}", axis.name.value, spelled(&text.value)),
            AxisSource::Hosts(text) => format!("{} hosts {}", axis.name.value, spelled(&text.value)),
            AxisSource::On(text) => format!("{} on {}", axis.name.value, spelled(&text.value)),
            AxisSource::From(from) => format!("{} from {}", axis.name.value, spelled(&from.list.value)),
        })
        .collect();
    assert_eq!(axes, ["os linux macos", "env ${env.A} prod", "file glob *.c", "shard range 1..4"]);
    assert_eq!((matrix.exclude[0].len(), matrix.include[0].len()), (2, 4));
    assert!(matrix.may_be_empty);
    assert_eq!(matrix.settings.require.as_ref().map(|set| set.value.clone()), Some(Late::Now(Share::Part(90, 100))));
    assert_eq!(matrix.settings.jobs.as_ref().map(|set| set.value.clone()), Some(Late::Now(Width::Count(4))));
    assert_eq!(body(&matrix.hooks.finally), "run \"y\"");
}

#[test]
fn conditions_in_one_line_and_in_many() {
    let shape = |text: &str| {
        let file = good(&format!("task a {{ {text}; run \"x\" }}"));
        let conditions = &file.tasks[0].conditions;
        let kinds: Vec<String> = conditions
            .iter()
            .flat_map(|condition| &condition.lines)
            .map(|line| format!("{:?}", line.kind).split(['(', ' ']).next().unwrap_or_default().to_owned())
            .collect();
        (conditions[0].negate, kinds.join(" "))
    };
    assert_eq!(shape("unless exists dist"), (true, "Exists".to_owned()));
    assert_eq!(shape("when os=linux"), (false, "Os".to_owned()));
    let all = "when { os linux macos; arch x86_64; env CI; equal a b c; command git; run \"true\" }";
    assert_eq!(shape(all), (false, "Os Arch Env Equal Command Run".to_owned()));
}

#[test]
fn data_hooks_and_edges() {
    let file = good(
        "task a {
            param level
            needs b { take out other; take list as=items }
            temp one two
            retry 3 delay=\"1s\" backoff=exponential max=\"1m\" jitter=#true
            timeout \"${level}\"
            run \"x\" capture=text status=code stdin=\"${out}\" args=\"${items}\"
            exec y { capture lines as=lines; when os linux }
            call b level=\"${text}\" { take out as=again; optional \"${code}\" }
            wait \"10s\"
            parallel { run \"p\"; on-failure { run \"q\" } }
            on-success { run \"s\" }
            finally cwd=web { run \"f ${again}\" }
        }
        task b {
            param level default=1
            run \"x\" capture=out
            run \"x\" { capture list as=lines }
            run \"x\" { capture other as=json }
        }",
    );
    let task = &file.tasks[0];
    let takes: Vec<String> =
        task.needs[0].takes.iter().map(|take| format!("{}>{}", take.name.value, take.here.value)).collect();
    assert_eq!(takes, ["out>out", "other>other", "list>items"]);
    assert_eq!(task.temps.len(), 2);
    let retry = &task.settings.retry.as_ref().expect("retry").value;
    let time = |set: &Option<Spanned<Late<Duration>>>| set.as_ref().map(|set| set.value.clone());
    let seconds = |count| Some(Late::Now(Duration::from_secs(count)));
    assert_eq!((&retry.times.value, retry.backoff, retry.jitter), (&Late::Now(3), Backoff::Exponential, true));
    assert_eq!((time(&retry.delay), time(&retry.max)), (seconds(1), seconds(60)));
    assert!(matches!(task.settings.timeout.as_ref().map(|set| &set.value), Some(Late::Text(_))));
    let data = &task.body[0].data;
    assert!(data.capture.is_some() && data.status.is_some() && data.stdin.is_some() && data.args.is_some());
    assert_eq!(task.body[1].data.capture.as_ref().map(|capture| capture.form), Some(CaptureForm::Lines));
    assert_eq!(task.body[1].conditions.len(), 1);
    let StepKind::Call(call) = &task.body[2].kind else { panic!("a call") };
    assert_eq!((&*call.bindings[0].name.value, &*call.takes[0].here.value), ("level", "again"));
    assert!(task.body[2].settings.optional.is_some());
    assert!(matches!(task.body[3].kind, StepKind::Wait(Late::Now(time)) if time == Duration::from_secs(10)));
    assert_eq!(body(&task.body[4].hooks.failure), "run \"q\"");
    assert_eq!(body(&task.hooks.success), "run \"s\"");
    assert!(
        matches!(task.hooks.finally[0].kind, StepKind::Group(Group::Sequence, _)),
        "a hook with a policy is one step"
    );
}

#[test]
fn templates_are_below_what_a_task_says() {
    let file = good(
        "template base { desc \"base\"; timeout \"1s\"; cwd base; env A=base B=base; run \"base\" }
        template more { use base; timeout \"2s\"; on-error drain; run \"more\" }
        template last { on-error continue }
        task a { env A=own; run \"first\"; use more last; timeout \"3s\"; run \"own\" }",
    );
    let task = &file.tasks[0];
    assert_eq!(body(&task.body), "run \"first\"; run \"base\"; run \"more\"; run \"own\"");
    assert_eq!(task.desc.as_deref(), Some("base"));
    let own = &task.settings;
    assert_eq!(own.timeout.as_ref().map(|set| set.value.clone()), Some(Late::Now(Duration::from_secs(3))));
    assert_eq!(own.cwd.as_ref().map(|cwd| spelled(&cwd.value)).as_deref(), Some("base"));
    assert_eq!(own.on_error.map(|mode| mode.value), Some(OnError::Continue), "the later template wins");
    assert_eq!(variables(&own.env), ["A=base", "B=base", "A=own"]);
    assert_eq!(file.sources.place(task.body[1].span).1, 1, "a node keeps the place it was written at");
}

#[test]
fn templates_do_not_explode() {
    let mut text = String::from("template t0 { run \"x\"; run \"y\" }\n");
    for level in 1..40 {
        text += &format!("template t{level} {{ use t{}; use t{} }}\n", level - 1, level - 1);
    }
    let loaded = read(&(text + "task a { use t39 }"));
    assert!(loaded.problems.iter().any(|problem| problem.code.as_str() == "too-deep"), "{:?}", loaded.problems);
}
