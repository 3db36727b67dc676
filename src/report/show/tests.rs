use std::time::Duration;

use super::{json, text};
use crate::base::source::{SourceMap, Span, Spanned};
use crate::report::spell::tests::{name, param, placed, text as template};
use crate::report::style::Style;
use crate::xecfile::model::{
    Axis, AxisSource, Binding, Capture, CaptureForm, Condition, Data, EnvEntry, Group, Hooks, Late, Matrix, OnError,
    Param, ParamRole, Predicate, PredicateKind, Reference, Settings, Share, Step, StepKind, Take, Task,
};

fn run(script: &str) -> Step {
    Step::new(StepKind::Run(script.into()), Span::default())
}

fn bind(to: &str, value: &str) -> Binding {
    Binding { name: name(to), value: template(value) }
}

fn axes() -> Matrix {
    let axis = |called: &str, source| Axis { name: name(called), source, span: Span::default() };
    Matrix {
        axes: vec![
            axis("os", AxisSource::Values(vec![template("linux"), template("mac os")])),
            axis("file", AxisSource::Glob(template("data/*.csv"))),
        ],
        exclude: vec![vec![bind("os", "linux"), bind("file", "data/a.csv")]],
        include: Vec::new(),
        may_be_empty: true,
        batches: None,
        settings: Settings { on_error: Some(placed(OnError::Continue)), ..Settings::default() },
        hooks: Hooks { finally: vec![run("echo end")], ..Hooks::default() },
        span: Span::default(),
    }
}

fn task(sources: &mut SourceMap) -> Task {
    let source = sources.add("sub/a.kdl", "\n\ntask deploy\n");
    let gen_ = Reference {
        task: name("gen"),
        bindings: vec![bind("os", "${os}")],
        takes: vec![Take { name: name("files"), here: name("list"), default: None }],
    };
    let line = |kind| Predicate { kind, span: Span::default() };
    let os: Vec<Spanned<_>> = vec![template("linux")];
    let grouped = Step {
        data: Data { capture: Some(Capture { name: name("rows"), form: CaptureForm::Lines }), ..Data::default() },
        ..run("\nwc -l \"$x\"\n\tsort\n\n")
    };
    Task {
        aliases: vec![name("d")],
        desc: Some("Ship it".into()),
        confirm: Some(template("Really, to ${env}?")),
        params: vec![
            Param {
                choices: vec![name("dev"), name("prod")],
                short: Some('e'),
                desc: Some("where to".into()),
                ..param("env", ParamRole::Value, Some("dev"))
            },
            param("version", ParamRole::Value, None),
            Param { short: Some('n'), desc: Some("only look".into()), ..param("dry", ParamRole::Flag, None) },
            param("args", ParamRole::Rest, None),
        ],
        needs: vec![Reference::to(name("build")), gen_],
        matrix: Some(axes()),
        conditions: vec![Condition {
            negate: true,
            lines: vec![line(PredicateKind::Os(os)), line(PredicateKind::Run(name("test -s x")))],
            span: Span::default(),
        }],
        settings: Settings {
            timeout: Some(placed(Late::Now(Duration::from_secs(90)))),
            env: vec![EnvEntry { name: name("K"), value: template("a b") }],
            ..Settings::default()
        },
        temps: vec![name("scratch")],
        body: vec![
            Step::new(StepKind::Exec(vec![template("make"), template("a b")]), Span::default()),
            Step::new(StepKind::Group(Group::Parallel, vec![grouped, run("\x1b[31m")]), Span::default()),
        ],
        hooks: Hooks {
            failure: vec![run("undo")],
            progress: vec![run("tell")],
            every: Some(placed(Share::Part(10, 100))),
            ..Hooks::default()
        },
        ..Task::new(name("deploy"), Span { source, start: 2, end: 13 })
    }
}

#[test]
fn all_that_is_known_for_people() {
    let mut sources = SourceMap::default();
    let task = task(&mut sources);
    let expected = r#"deploy  Ship it
  usage        xec deploy [env=dev] version=<string> [--dry] [-- args…]
  at           sub/a.kdl:3
  alias        d
  confirm      Really, to ${env}?
  takes
    env=<dev|prod>, -e  where to [default dev]
    version=<string>    [required]
    --dry, -n           only look
    -- args…
  needs        build
               gen os=${os}, take files as list
  matrix
    os        linux "mac os"
    file      glob=data/*.csv
    exclude   os=linux file=data/a.csv
    empty     ok
    on-error  continue
    finally
      run  echo end
  unless       os linux
               run "test -s x"
  timeout      1m 30s
  env          K "a b"
  temp         scratch
  steps
    exec  make "a b"
    parallel
      run  wc -l "$x"
               sort
        capture  rows as=lines
      run  \u{1b}[31m
  on-failure
    run  undo
  on-progress  every=10%
    run  tell
"#;
    assert_eq!(text(&task, &sources, Style::default()), expected);
}

#[test]
fn many_choices_have_room() {
    let mut sources = SourceMap::default();
    let mut task = task(&mut sources);
    let choices = ["eu-central-1", "eu-north-1", "us-east-1"].map(name).to_vec();
    task.params = vec![Param { choices, many: true, ..param("region", ParamRole::Value, None) }];
    let page = text(&task, &sources, Style::default());
    let line = "    region=<…>  [required, any number of times, one of eu-central-1 eu-north-1 us-east-1]\n";
    assert!(page.contains(line), "{page}");
}

#[test]
fn little_to_say() {
    let mut sources = SourceMap::default();
    let source = sources.add("a.kdl", "");
    let task = Task { private: true, ..Task::new(name("x"), Span { source, start: 0, end: 0 }) };
    let expected = "x\n  usage    xec x\n  at       a.kdl:1\n  private  only other tasks can ask for it\n";
    assert_eq!(text(&task, &sources, Style::default()), expected);
    let painted = text(&task, &sources, Style { on: true });
    assert!(painted.starts_with("\x1b[1mx\x1b[0m\n  \x1b[2musage\x1b[0m    xec x\n"), "{painted}");
}

#[test]
fn all_that_is_known_for_machines() {
    let mut sources = SourceMap::default();
    let task = task(&mut sources);
    let line = json(&task, &sources);
    assert_eq!(line.lines().count(), 1);
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["v"], 1);
    let at = |path: &str| value["task"].pointer(path).unwrap_or_else(|| panic!("no {path} in {line}")).clone();
    for (path, expected) in [
        ("/name", "deploy"),
        ("/file", "sub/a.kdl"),
        ("/confirm", "Really, to ${env}?"),
        ("/params/1/name", "version"),
        ("/needs/1/task", "gen"),
        ("/needs/1/inputs/0/value", "${os}"),
        ("/needs/1/takes/0/as", "list"),
        ("/matrix/axes/0/values/1", "mac os"),
        ("/matrix/axes/1/glob", "data/*.csv"),
        ("/matrix/exclude/0/1/value", "data/a.csv"),
        ("/matrix/hooks/finally/0/run", "echo end"),
        ("/conditions/0/lines/0", "os linux"),
        ("/settings/0/value", "1m 30s"),
        ("/env/0/name", "K"),
        ("/temps/0", "scratch"),
        ("/steps/0/exec/1", "a b"),
        ("/steps/1/parallel/0/data/0/value", "rows as=lines"),
        ("/steps/1/parallel/1/run", "\x1b[31m"),
        ("/hooks/on-failure/0/run", "undo"),
        ("/hooks/on-progress/0/run", "tell"),
        ("/hooks/every", "10%"),
    ] {
        assert_eq!(at(path), expected, "{path}");
    }
    assert_eq!((at("/line"), at("/params/1/required"), at("/after")), (3.into(), true.into(), serde_json::json!([])));
}
