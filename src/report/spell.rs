//! Parts of a file as one would type them, in few words: for lists and pages that people read. Plain text; nothing
//! in here is made safe for a terminal yet. Knows nothing of what is shown where.

use std::fmt::Write as _;
use std::time::Duration;

use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::xecfile::model::{
    Backoff, Batches, Binding, CaptureForm, Copy, Data, End, From, Input, Late, On, OnError, Param, ParamRole,
    ParamType, Predicate, PredicateKind, Ready, Reduce, Reference, RetryText, Settings, Share, Task, Use, Width,
};

/// Choices and defaults longer than this say no more than `…` in a usage.
const LONGEST: usize = 32;

/// A task with all that it takes, as it is called: `deploy env=<dev|prod> [tag=latest] [--dry] [-- args…]`.
pub(crate) fn usage(task: &Task) -> String {
    let rest = |param: &&Param| param.role == ParamRole::Rest;
    let named = task.params.iter().filter(|param| !rest(param));
    let mut out = task.name.value.to_string();
    for param in named.chain(task.params.iter().filter(rest)) {
        let _ = write!(out, " {}", asked(param));
    }
    out
}

fn asked(param: &Param) -> String {
    let name = &param.name.value;
    let more = if param.many { "…" } else { "" };
    match (param.role, &param.default) {
        (ParamRole::Flag, _) => format!("[--{name}]"),
        (ParamRole::Rest, _) => format!("[-- {name}…]"),
        (ParamRole::Value, None) => format!("{}{more}", required(param)),
        (ParamRole::Value, Some(default)) => {
            let default = quoted(&template(&default.value));
            let shown = if default.chars().count() > LONGEST { "…" } else { &default };
            format!("[{name}={shown}]{more}")
        }
    }
}

/// `env=<dev|prod>`, `count=<int>`.
pub(crate) fn required(param: &Param) -> String {
    let choices: Vec<_> = param.choices.iter().map(|choice| quoted(&choice.value)).collect();
    let choices = choices.join("|");
    let takes = match choices.chars().count() {
        0 => type_name(param.ty),
        1..=LONGEST => &choices,
        _ => "…",
    };
    format!("{}=<{takes}>", param.name.value)
}

/// As `type=` has it.
pub(crate) fn type_name(ty: ParamType) -> &'static str {
    match ty {
        ParamType::String => "string",
        ParamType::Int => "int",
        ParamType::Float => "float",
        ParamType::Bool => "bool",
        ParamType::Path => "path",
        ParamType::Duration => "duration",
        ParamType::Size => "size",
    }
}

/// The text of a template, holes and all.
pub(crate) fn template(template: &Template) -> String {
    template.to_string()
}

/// In quotes, where it would not be one word without.
pub(crate) fn quoted(text: &str) -> String {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\' | ';');
    if text.is_empty() || text.contains(odd) { serde_json::Value::from(text).to_string() } else { text.to_owned() }
}

/// Several, each as one word.
pub(crate) fn words(templates: &[Spanned<Template>]) -> String {
    let words: Vec<_> = templates.iter().map(|word| quoted(&template(&word.value))).collect();
    words.join(" ")
}

/// `os=linux py=3.12`.
pub(crate) fn bindings(bindings: &[Binding]) -> String {
    let words = bindings.iter().map(|one| format!("{}={}", one.name.value, quoted(&template(&one.value.value))));
    words.collect::<Vec<_>>().join(" ")
}

/// `test os=linux, take files as other`.
pub(crate) fn reference(reference: &Reference) -> String {
    let mut out = reference.task.value.to_string();
    if !reference.bindings.is_empty() {
        let _ = write!(out, " {}", bindings(&reference.bindings));
    }
    for take in &reference.takes {
        let _ = write!(out, ", take {}", take.name.value);
        if take.here.value != take.name.value {
            let _ = write!(out, " as {}", take.here.value);
        }
    }
    out
}

/// A line of `when`: `os linux macos`.
pub(crate) fn predicate(predicate: &Predicate) -> String {
    let both = |first: &Spanned<Template>, others: &[Spanned<Template>]| {
        let first = quoted(&template(&first.value));
        if others.is_empty() { first } else { format!("{first} {}", words(others)) }
    };
    match &predicate.kind {
        PredicateKind::Os(names) => format!("os {}", words(names)),
        PredicateKind::Arch(names) => format!("arch {}", words(names)),
        PredicateKind::Env(name, values) => format!("env {}", both(name, values)),
        PredicateKind::Equal(one, others) => format!("equal {}", both(one, others)),
        PredicateKind::Exists(paths) => format!("exists {}", words(paths)),
        PredicateKind::Command(names) => format!("command {}", words(names)),
        PredicateKind::Changed(globs) => format!("changed {}", words(globs)),
        PredicateKind::Run(script) => format!("run {}", quoted(&script.value)),
    }
}

/// The policies that are written at one place, but for `env`: names and values.
pub(crate) fn settings(settings: &Settings) -> Vec<(&'static str, String)> {
    let yes = |value: &bool| if *value { "#true" } else { "#false" }.to_owned();
    let shell = |words: &Vec<Template>| words.iter().map(|word| quoted(&template(word))).collect::<Vec<_>>().join(" ");
    let all = [
        ("cwd", said(&settings.cwd, |cwd| quoted(&template(cwd)))),
        ("shell", said(&settings.shell, shell)),
        ("on-error", said(&settings.on_error, |mode| on_error(*mode).to_owned())),
        ("on", said(&settings.on, on)),
        ("sudo", said(&settings.sudo, |user| user.to_string())),
        ("priority", said(&settings.priority, i32::to_string)),
        ("timeout", said(&settings.timeout, |value| late(value, |time| duration(*time)))),
        ("grace", said(&settings.grace, |value| late(value, |time| duration(*time)))),
        ("optional", said(&settings.optional, |value| late(value, yes))),
        ("jobs", said(&settings.jobs, |value| late(value, |jobs| width(*jobs)))),
        ("require", said(&settings.require, |value| late(value, |part| share(*part)))),
        ("retry", said(&settings.retry, retry)),
        ("uses", uses(&settings.uses)),
        ("leave", said(&settings.leave, yes)),
        ("interactive", said(&settings.interactive, yes)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// `web & !canary`, `workers pick=first`.
fn on(on: &On) -> String {
    match on {
        On::Here => "local".to_owned(),
        On::Hosts(selector) => quoted(&template(&selector.value)),
        On::One(selector, pick) => format!("{} pick={}", quoted(&template(&selector.value)), pick.name()),
    }
}

fn uses(uses: &[Use]) -> Option<String> {
    let one = |held: &Use| match held.count {
        1 => held.name.value.to_string(),
        count => format!("{} {count}", held.name.value),
    };
    (!uses.is_empty()).then(|| uses.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn said<T>(value: &Option<Spanned<T>>, spell: impl FnOnce(&T) -> String) -> Option<String> {
    value.as_ref().map(|value| spell(&value.value))
}

/// What a step keeps and reads: names and values.
pub(crate) fn data(data: &Data) -> Vec<(&'static str, String)> {
    let capture = data.capture.as_ref().map(|capture| match capture.form {
        CaptureForm::Text => capture.name.value.to_string(),
        CaptureForm::Lines => format!("{} as=lines", capture.name.value),
        CaptureForm::Json => format!("{} as=json", capture.name.value),
        CaptureForm::Stream => format!("{} as=stream", capture.name.value),
    });
    let all = [
        ("capture", capture),
        ("status", said(&data.status, |name| name.to_string())),
        ("stdin", data.stdin.as_ref().map(input)),
        ("stdout", said(&data.stdout, |text| quoted(&template(text)))),
        ("args", said(&data.args, |text| quoted(&template(text)))),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// How to tell that something is there: `tcp=5432`.
pub(crate) fn ready(ready: &Ready) -> String {
    match ready {
        Ready::Tcp(text) => format!("tcp={}", quoted(&template(&text.value))),
        Ready::Http(text) => format!("http={}", quoted(&template(&text.value))),
        Ready::Exists(text) => format!("exists={}", quoted(&template(&text.value))),
        Ready::Run(script) => format!("run={}", quoted(&script.value)),
        Ready::Log(pattern) => format!("log={}", quoted(&pattern.value)),
    }
}

fn input(stdin: &Input) -> String {
    match stdin {
        Input::Text(text) => quoted(&template(&text.value)),
        Input::File(path) => format!("file={}", quoted(&template(&path.value))),
    }
}

/// The value, or the text that it will be read from.
pub(crate) fn late<T>(value: &Late<T>, spell: impl FnOnce(&T) -> String) -> String {
    match value {
        Late::Now(value) => spell(value),
        Late::Text(text) => quoted(&template(text)),
    }
}

/// `from="${list}" chunk=10`.
pub(crate) fn from(from: &From) -> String {
    let mut out = format!("from={}", quoted(&template(&from.list.value)));
    if let Some(chunk) = from.chunk {
        out += &format!(" chunk={chunk}");
    }
    if let Some(within) = from.within {
        out += &format!(" within={}", quoted(&duration(within)));
    }
    out
}

/// `"${list}" fan-in=16 capture=total`.
pub(crate) fn reduce(reduce: &Reduce) -> String {
    let list = format!("{} fan-in={}", quoted(&template(&reduce.list.value)), reduce.fan_in);
    match &reduce.capture {
        Some(name) => format!("{list} capture={}", name.value),
        None => list,
    }
}

/// `from=dist/app to=web1:/srv/app`.
pub(crate) fn copy(copy: &Copy) -> String {
    let paths = |end: &End| end.spelled().map(|path| quoted(&path)).collect::<Vec<_>>().join(" ");
    format!("from={} to={}", paths(&copy.from), paths(&copy.to))
}

/// `1m 30s`, exactly.
pub(crate) fn duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

fn on_error(mode: OnError) -> &'static str {
    match mode {
        OnError::FailFast => "fail-fast",
        OnError::Drain => "drain",
        OnError::Continue => "continue",
    }
}

fn width(width: Width) -> String {
    match width {
        Width::Count(count) => count.to_string(),
        Width::Percent(percent) => format!("{percent}%"),
        Width::CpusLess(0) => "cpus".to_owned(),
        Width::CpusLess(less) => format!("cpus-{less}"),
        Width::Adaptive { min, max: None } => format!("adaptive min={min}"),
        Width::Adaptive { min, max: Some(max) } => format!("adaptive min={min} max={max}"),
    }
}

/// `5`, `10%`, `1/3`.
pub(crate) fn share(share: Share) -> String {
    match share {
        Share::Count(count) => count.to_string(),
        Share::Part(percent, 100) => format!("{percent}%"),
        Share::Part(part, whole) => format!("{part}/{whole}"),
    }
}

/// `1 1/3 pause=5s require=100%`.
pub(crate) fn batches(batches: &Batches) -> String {
    let size = |size: &Spanned<Late<Share>>| late(&size.value, |size| share(*size));
    let mut out = batches.sizes.iter().map(size).collect::<Vec<_>>().join(" ");
    if let Some(pause) = said(&batches.pause, |pause| late(pause, |time| quoted(&duration(*time)))) {
        let _ = write!(out, " pause={pause}");
    }
    if let Some(require) = said(&batches.require, |require| late(require, |part| share(*part))) {
        let _ = write!(out, " require={require}");
    }
    out
}

fn retry(retry: &RetryText) -> String {
    let time = |set: &Spanned<Late<Duration>>| late(&set.value, |time| quoted(&duration(*time)));
    let mut out = late(&retry.times.value, u32::to_string);
    if let Some(delay) = &retry.delay {
        let _ = write!(out, " delay={}", time(delay));
    }
    match retry.backoff {
        Backoff::Fixed => {}
        Backoff::Linear => out.push_str(" backoff=linear"),
        Backoff::Exponential => out.push_str(" backoff=exponential"),
    }
    if let Some(max) = &retry.max {
        let _ = write!(out, " max={}", time(max));
    }
    if retry.jitter {
        out.push_str(" jitter=#true");
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::source::Span;

    /// A value that stands nowhere.
    pub(crate) fn placed<T>(value: T) -> Spanned<T> {
        Spanned::new(value, Span::default())
    }

    pub(crate) fn name(text: &str) -> Spanned<Arc<str>> {
        placed(text.into())
    }

    pub(crate) fn text(text: &str) -> Spanned<Template> {
        placed(Template::parse(text).unwrap())
    }

    /// A param that says as little as possible.
    pub(crate) fn param(called: &str, role: ParamRole, default: Option<&str>) -> Param {
        let (ty, choices) = (ParamType::default(), Vec::new());
        Param {
            name: name(called),
            role,
            ty,
            default: default.map(text),
            choices,
            many: false,
            short: None,
            desc: None,
        }
    }

    #[test]
    fn usages() {
        let value = |called, default| param(called, ParamRole::Value, default);
        let mut task = Task::new(name("t"), Span::default());
        task.params = vec![
            param("args", ParamRole::Rest, None),
            Param { ty: ParamType::Int, many: true, ..value("count", None) },
            Param { choices: vec![name("dev"), name("a b")], ..value("env", None) },
            value("tag", Some("")),
            value("out", Some("${env.HOME}/x")),
            value("far", Some("a-default-that-nobody-wants-to-see-in-a-list")),
            param("fast", ParamRole::Flag, None),
        ];
        let expected = "t count=<int>… env=<dev|\"a b\"> [tag=\"\"] [out=${env.HOME}/x] [far=…] [--fast] [-- args…]";
        assert_eq!(usage(&task), expected);
    }

    #[test]
    fn templates_are_as_they_were() {
        for text in ["", "a", "${x}", "a${x|name|stem}b", "${env.HOME:-/root}", "$${x}", "${x|dir:-.}", "$x"] {
            assert_eq!(template(&Template::parse(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_no_word_is_quoted() {
        for (text, expected) in [("a/b=c", "a/b=c"), ("", "\"\""), ("a b", "\"a b\""), ("\"\n", r#""\"\n""#)] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn policies() {
        let second = Duration::from_secs(1);
        let written = Settings {
            timeout: Some(placed(Late::Now(90 * second))),
            optional: Some(placed(Late::Text(Template::parse("${x}").unwrap()))),
            jobs: Some(placed(Late::Now(Width::CpusLess(1)))),
            require: Some(placed(Late::Now(Share::Part(1, 3)))),
            retry: Some(placed(RetryText {
                times: placed(Late::Now(3)),
                delay: Some(placed(Late::Now(second))),
                backoff: Backoff::Exponential,
                max: Some(placed(Late::Now(90 * second))),
                jitter: true,
            })),
            shell: Some(placed(["bash", "-c"].map(Template::plain).to_vec())),
            ..Settings::default()
        };
        let said: Vec<String> = settings(&written).into_iter().map(|(name, value)| format!("{name} {value}")).collect();
        let retry = "retry 3 delay=1s backoff=exponential max=\"1m 30s\" jitter=#true";
        let expected = ["shell bash -c", "timeout 1m 30s", "optional ${x}", "jobs cpus-1", "require 1/3", retry];
        assert_eq!(said, expected);
        assert!(settings(&Settings::default()).is_empty());
    }
}
