use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::{Early, parse};
use crate::app::options::{Color, EventsTo, GraphFormat, Options, OutputMode, Verb};
use crate::cli::help::HELP;
use crate::cli::table::{OPTIONS, Own};
use crate::plan::request::Asked;
use crate::xecfile::model::{OnError, Width};

fn with_env(line: &str, env: &[(&str, &str)]) -> Result<Options, Early> {
    let words = std::iter::once("xec").chain(line.split_whitespace()).map(OsString::from);
    parse(words, &|name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
}

fn ok(line: &str) -> Options {
    with_env(line, &[]).unwrap()
}

fn selectors(options: &Options) -> Vec<&str> {
    options.tasks.iter().map(|asked| &*asked.selector).collect()
}

/// The first line of the complaint, without `xec: `.
fn complaint(result: Result<Options, Early>) -> String {
    match result {
        Err(Early::Usage(text)) => {
            assert!(text.ends_with("shows all options\n"), "{text}");
            text.lines().next().unwrap().strip_prefix("xec: ").unwrap().to_owned()
        }
        other => panic!("{other:?}"),
    }
}

fn bad(line: &str) -> String {
    complaint(with_env(line, &[]))
}

#[test]
fn nothing_typed_is_the_default() {
    assert_eq!(ok(""), Options::default());
}

#[test]
fn options_stand_anywhere_before_the_dashes() {
    let options = ok("build -k -j 3 test -o grouped --file=x.kdl -C /tmp -py --");
    assert_eq!(selectors(&options), ["build", "test"]);
    assert_eq!(options.on_error, Some(OnError::Continue));
    assert_eq!(options.jobs, Some(Width::Count(3)));
    assert_eq!(options.show.mode, OutputMode::Grouped);
    assert_eq!((options.file, options.dir), (Some(PathBuf::from("x.kdl")), Some(PathBuf::from("/tmp"))));
    assert!(options.parallel && options.yes && !options.show.quiet);
}

#[test]
fn widths() {
    let jobs = |line| ok(line).jobs.unwrap();
    assert_eq!(jobs("-j4"), Width::Count(4));
    assert_eq!(jobs("-j 0"), Width::Count(0));
    assert_eq!(jobs("--jobs=50%"), Width::Percent(50));
    assert_eq!(jobs("-j cpus-1"), Width::CpusLess(1));
    assert_eq!(jobs("-j cpus"), Width::CpusLess(0));
    assert_eq!(jobs("-j 2 -j 8"), Width::Count(8), "the last one counts");
    for word in ["many", "+4", "=-1", "0%", "%", "cpus+1", "cpus-", "4.5", "99999999999"] {
        let typed = word.trim_start_matches('=');
        let says = format!("`--jobs` takes a number, a share as 50%, cpus-1 or adaptive; 0 is no limit; not `{typed}`");
        assert_eq!(bad(&format!("-j{word}")), says);
    }
    assert_eq!(jobs("-j adaptive"), Width::Adaptive { min: 1, max: None });
}

#[test]
fn verbs() {
    let verb = |line| ok(line).verb;
    assert_eq!(verb("-n build"), Verb::DryRun);
    assert_eq!(verb("-l"), Verb::List);
    assert_eq!(verb("--check"), Verb::Check);
    assert_eq!(verb("--show build"), Verb::Show("build".into()));
    assert_eq!(verb("--explain=cycle"), Verb::Explain("cycle".into()));
    assert!(ok("-la").all && !ok("-l").all);
    assert_eq!(verb("--graph build"), Verb::Graph(GraphFormat::Dot));
    assert_eq!(ok("--graph build").tasks, [Asked::plain("build")]);
    assert_eq!(verb("--graph=mermaid"), Verb::Graph(GraphFormat::Mermaid));
    assert_eq!(verb("-l --json"), Verb::List);
    assert!(bad("--json build").contains("`--events=json`"));
    assert_eq!(with_env("build", &[("XEC_JSON", "1")]).unwrap().verb, Verb::Run, "a preference is no mistake");
    assert_eq!(verb("-n --graph=mermaid"), Verb::Graph(GraphFormat::Mermaid), "nothing runs, and it is drawn");
    assert_eq!(bad("--graph --list"), "`--graph` and `--list` contradict each other");
    assert_eq!(verb("--graph --json"), Verb::Graph(GraphFormat::Json));
    assert_eq!(bad("--show"), "`--show` needs a value");
    assert_eq!(bad("--show build test"), "`--show` takes one word, so `test` has nowhere to go");
    assert_eq!(bad("x --explain cycle"), "`--explain` takes one word, so `x` has nowhere to go");
    assert_eq!(bad("--show x --check"), "`--show` and `--check` contradict each other");
    assert_eq!(bad("-a build"), "`--all` goes with `--list`: `xec -la`");
    assert_eq!(bad("--list -n"), "`--dry-run` and `--list` contradict each other");
    assert_eq!(bad("--graph=dott"), "`--graph` takes dot, mermaid or json, not `dott`; did you mean `dot`?");
}

#[test]
fn what_contradicts_itself() {
    assert_eq!(ok("--on-error=drain").on_error, Some(OnError::Drain));
    assert_eq!(bad("-k --on-error=drain"), "`--keep-going` and `--on-error` contradict each other");
    assert_eq!(bad("-qv"), "`--quiet` and `--verbose` contradict each other");
}

#[test]
fn where_events_go() {
    let events = |line| ok(line).show.events.unwrap();
    assert_eq!(events("--events=json"), EventsTo::Stdout);
    assert_eq!(events("--events json:out.jsonl"), EventsTo::Path(PathBuf::from("out.jsonl")));
    assert_eq!(events("--events=json:fd:3"), EventsTo::Fd(3));
    assert_eq!(events("--events=json:./fd:x"), EventsTo::Path(PathBuf::from("./fd:x")));
    assert_eq!(bad("--events=xml"), "`--events` takes json, json:FILE or json:fd:N, not `xml`");
    assert_eq!(bad("--events=json:"), "`--events` takes json, json:FILE or json:fd:N, not `json:`");
    assert!(bad("--events=json:fd:x").ends_with("a file of that name is `json:./fd:…`"));
}

#[test]
fn values_that_are_none() {
    assert_eq!(bad("-j"), "`--jobs` needs a value");
    assert_eq!(bad("--list=all"), "`--list` takes no value");
    let says =
        "`--output` takes auto, live, prefixed, grouped, failed or quiet, not `grupped`; did you mean `grouped`?";
    assert_eq!(bad("-o grupped"), says);
    assert_eq!(bad("--color=maybe"), "`--color` takes auto, always or never, not `maybe`");
}

#[test]
fn paths_need_not_be_text_but_tasks_do() {
    let odd = OsString::from_vec(b"a\xffb".to_vec());
    let words = ["xec".into(), "-f".into(), odd.clone()];
    assert_eq!(parse(words.into_iter(), &|_| None).unwrap().file, Some(PathBuf::from(odd.clone())));
    let result = parse(["xec".into(), odd].into_iter(), &|_| None);
    assert_eq!(complaint(result), "a task cannot be named `a\u{fffd}b`: not UTF-8");
}

#[test]
fn the_environment_fills_in() {
    let env = [
        ("XEC_JOBS", "cpus-1"),
        ("XEC_OUTPUT", "failed"),
        ("XEC_COLOR", "never"),
        ("XEC_YES", "yes"),
        ("XEC_PARALLEL", "0"),
        ("XEC_QUIET", ""),
        ("XEC_ON_ERROR", "continue"),
        ("XEC_FILE", "x.kdl"),
        ("XEC_DIRECTORY", "/d"),
        ("XEC_EVENTS", "json:e"),
        ("XEC_TASK", "build"),
        ("XEC_DRY_RUN", "1"),
        ("XEC_ALL", "1"),
        ("XEC_HELP", "1"),
    ];
    let options = with_env("", &env).unwrap();
    assert_eq!(options.jobs, Some(Width::CpusLess(1)));
    assert_eq!((options.show.mode, options.show.color), (OutputMode::Failed, Color::Never));
    assert_eq!((options.yes, options.parallel, options.show.quiet), (true, false, false));
    assert_eq!(options.on_error, Some(OnError::Continue));
    assert_eq!((options.file, options.dir), (Some(PathBuf::from("x.kdl")), Some(PathBuf::from("/d"))));
    assert_eq!(options.show.events, Some(EventsTo::Path(PathBuf::from("e"))));
    assert_eq!((options.verb, options.all), (Verb::DryRun, true));
    assert_eq!(with_env("", &[("XEC_SHOW", "x")]).unwrap().verb, Verb::Show("x".into()));
    assert_eq!(with_env("", &[("XEC_EXPLAIN", "x")]).unwrap().verb, Verb::Explain("x".into()));
    assert!(options.tasks.is_empty(), "what xec sets for its own processes is no option");
}

#[test]
fn the_command_line_goes_before_the_environment() {
    let env = [("XEC_JOBS", "1"), ("XEC_ON_ERROR", "drain"), ("XEC_QUIET", "1"), ("XEC_LIST", "1")];
    let options = with_env("-j2 -k -v --check", &env).unwrap();
    assert_eq!((options.jobs, options.on_error), (Some(Width::Count(2)), Some(OnError::Continue)));
    assert_eq!((options.show.quiet, options.show.verbose, options.verb), (false, true, Verb::Check));
    assert_eq!(with_env("-j2", &[("XEC_JOBS", "?")]).unwrap().jobs, Some(Width::Count(2)));
}

#[test]
fn what_is_wrong_in_the_environment_names_the_variable() {
    let says = |name, value| complaint(with_env("", &[(name, value)]));
    assert!(says("XEC_JOBS", "lots").starts_with("`XEC_JOBS` (in the environment) takes a number"));
    assert_eq!(says("XEC_YES", "maybe"), "`XEC_YES` (in the environment) takes 1 or 0, not `maybe`");
    assert!(says("XEC_ON_ERROR", "stop").starts_with("`XEC_ON_ERROR` (in the environment) takes fail-fast, drain or"));
    let both = complaint(with_env("", &[("XEC_KEEP_GOING", "1"), ("XEC_ON_ERROR", "drain")]));
    assert_eq!(both, "`XEC_KEEP_GOING` and `XEC_ON_ERROR` contradict each other");
}

#[test]
fn help_is_one_screen_and_tells_every_option() {
    assert_eq!(with_env("build -h", &[]), Err(Early::Text(HELP.to_owned())));
    for Own { name, letter, .. } in OPTIONS {
        let shown = letter.map_or(format!("      --{name}"), |letter| format!("  -{letter}, --{name}"));
        assert!(HELP.contains(&shown), "{shown}");
    }
    assert!(HELP.lines().count() <= 32 && HELP.lines().all(|line| line.chars().count() <= 80));
    let version = concat!("xec ", env!("CARGO_PKG_VERSION"), "\n").to_owned();
    assert_eq!(with_env("-V", &[]), Err(Early::Text(version)));
}
