//! The policies of one place: each at most once, whichever way it is spelled.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::{SH_LIKE, is_sh_like};
use crate::base::source::{Span, Spanned};
use crate::base::value::Template;
use crate::xecfile::cursor::{Cursor, Reader, Value, ValueKind};
use crate::xecfile::decode::{Once, details, empty, hosts, limits, unreachable_row, values};
use crate::xecfile::model::{Backoff, EnvEntry, RetryText, Settings};
use crate::xecfile::schema::{Places, Row};

/// The least time between two measures.
const SHORTEST: Duration = Duration::from_millis(10);

/// What xec sets itself for every process.
const OWN_VARIABLES: [&str; 7] =
    ["XEC", "XEC_TASK", "XEC_INSTANCE", "XEC_ROOT", "XEC_RUN_ID", "XEC_ATTEMPT", "XEC_ANCESTORS"];

/// Programs that take a lone word behind them for the name of a file.
const SHELLS: [&str; 10] = ["sh", "bash", "zsh", "dash", "ksh", "fish", "ash", "pwsh", "python", "python3"];

/// `cwd web`. Empty text would mean the directory of the file, which nobody means who writes it.
fn directory(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Spanned<Template>> {
    if value.kind == ValueKind::Text && value.text.is_empty() {
        let problem = Problem::error(Code::BadValue, "the directory of `cwd` is empty").at(value.span, "");
        reader.report(problem.help("the directory of the file is written `cwd .`"));
        return None;
    }
    values::template(reader, value)
}

/// Collects the policies of one place.
pub(super) struct Bag {
    pub(super) settings: Settings,
    once: Once,
    variables: HashMap<Arc<str>, Span>,
}

impl Bag {
    pub(super) fn new() -> Self {
        Self { settings: Settings::default(), once: Once::default(), variables: HashMap::new() }
    }

    /// Adds a policy, written either way.
    pub(super) fn add<'a>(&mut self, reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row) {
        match row.name {
            "env" => return self.env(reader, cursor, row),
            "uses" => return limits::uses(reader, cursor, row, &mut self.settings.uses),
            _ => {}
        }
        if !self.once.check(reader, row.name, &cursor) {
            return;
        }
        if row.name == "sudo" {
            self.settings.sudo = hosts::sudo(reader, &mut cursor, row);
            return cursor.finish(reader);
        }
        if let Some(args) = cursor.args(reader, row)
            && let Some(value) = args.first()
        {
            let settings = &mut self.settings;
            match row.name {
                "cwd" => settings.cwd = directory(reader, value),
                "shell" => {
                    settings.pool = pool(reader, &mut cursor, value);
                    settings.shell = shell(reader, &cursor, &args, settings.pool.is_some());
                }
                "on-error" => settings.on_error = values::choice(reader, row, value),
                "priority" => settings.priority = values::number(reader, row, value),
                "on" => settings.on = hosts::on(reader, &mut cursor, value),
                "timeout" => settings.timeout = values::late_time(reader, row, value),
                "grace" => settings.grace = values::late_time(reader, row, value),
                "optional" => settings.optional = values::late_boolean(reader, row, value),
                "jobs" => settings.jobs = limits::jobs(reader, &mut cursor, row, value),
                "require" => settings.require = values::share(reader, row, value),
                "retry" => settings.retry = retry(reader, &mut cursor, row, value),
                "session" => settings.session = values::boolean(reader, row, value),
                "sample" => settings.sample = sample(reader, row, value),
                "leave" => settings.leave = values::boolean(reader, row, value),
                "interactive" => settings.interactive = values::boolean(reader, row, value),
                _ => unreachable_row(reader, &cursor),
            }
        }
        cursor.finish(reader);
    }

    /// `env K v`, `env K=v`, `env { K v }`.
    fn env<'a>(&mut self, reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row) {
        let props = cursor.take_props();
        let block = cursor.take_block();
        let args = cursor.args(reader, row).unwrap_or_default();
        match &args[..] {
            [] if props.is_empty() && block.is_none() => empty(reader, &cursor, row),
            [] => {}
            [name] => {
                let message = format!("the variable `{}` has no value", name.text);
                let help = format!("env {} \"…\"", name.repr);
                reader.report(Problem::error(Code::MissingValue, message).at(name.span, "").help(help));
            }
            [name, value, ..] => {
                if let Some(text) = values::text(reader, name) {
                    self.variable(reader, text, name.span, value);
                }
            }
        }
        for property in props {
            self.pair(reader, property, row);
        }
        for node in block.unwrap_or_default() {
            let child = Cursor::new(reader, node);
            self.pair(reader, child, row);
        }
        cursor.finish(reader);
    }

    /// A variable as a node of its own: its name, and one value.
    fn pair<'a>(&mut self, reader: &mut Reader<'a>, mut child: Cursor<'a>, row: &Row) {
        match &child.take_args()[..] {
            [value] => self.variable(reader, child.name, child.name_span, value),
            [] => {
                let message = format!("the variable `{}` has no value", child.name);
                let help = format!("like this: {}", row.example);
                reader.report(Problem::error(Code::MissingValue, message).at(child.name_span, "").help(help));
            }
            [first, second, .., last] | [first, second @ last] => {
                let message = format!("the variable `{}` has more than one value", child.name);
                let written = reader.slice(Span { end: last.span.end, ..first.span });
                let problem = Problem::error(Code::ExtraValue, message).at(second.span, "one too many");
                reader.report(problem.help(format!("quote all of it: {} \"{written}\"", child.name)));
            }
        }
        child.finish(reader);
    }

    fn variable(&mut self, reader: &mut Reader<'_>, name: &str, at: Span, value: &Value<'_>) {
        if name.is_empty() || name.contains(|c: char| c == '=' || c.is_whitespace() || c.is_control()) {
            let problem = Problem::error(Code::BadName, format!("`{name}` cannot be the name of a variable"));
            return reader.report(problem.at(at, ""));
        }
        if let Some(bare) = name.strip_suffix(':') {
            let problem = Problem::error(Code::BadName, format!("the colon of `{name}` would be a part of the name"));
            return reader.report(problem.at(at, "").help(format!("write {bare} {}", value.repr)));
        }
        if OWN_VARIABLES.contains(&name) {
            let problem = Problem::error(Code::BadName, format!("xec sets `{name}` itself, for every process"));
            return reader.report(problem.at(at, ""));
        }
        let Some(template) = values::template(reader, value) else { return };
        let name: Arc<str> = name.into();
        if let Some(first) = self.variables.insert(name.clone(), at) {
            let problem = Problem::error(Code::Duplicate, format!("the variable `{name}` is there twice"));
            let problem = problem.at(at, "the second one").at(first, "the first one");
            return reader.report(problem.help("remove one of them"));
        }
        self.settings.env.push(EnvEntry { name: Spanned::new(name, at), value: template });
    }
}

/// `retry 3 delay="1s" backoff=exponential`.
fn retry<'a>(
    reader: &mut Reader<'a>,
    cursor: &mut Cursor<'a>,
    row: &Row,
    value: &Value<'_>,
) -> Option<Spanned<RetryText>> {
    let times = values::late_number(reader, row, value)?;
    let span = times.span;
    let mut retry = RetryText { times, delay: None, backoff: Backoff::default(), max: None, jitter: false };
    for (row, mut detail) in details(reader, cursor, Places::RETRY) {
        if let Some(value) = detail.arg(reader, row) {
            match row.name {
                "delay" => retry.delay = Some(values::late_time(reader, row, &value)?),
                "max" => retry.max = Some(values::late_time(reader, row, &value)?),
                "backoff" => retry.backoff = values::choice(reader, row, &value)?.value,
                "jitter" => retry.jitter = values::boolean(reader, row, &value)?.value,
                _ => unreachable_row(reader, &detail),
            }
        }
        detail.finish(reader);
    }
    Some(Spanned::new(retry, span))
}

/// How many shells are kept.
fn pool<'a>(reader: &mut Reader<'a>, cursor: &mut Cursor<'a>, program: &Value<'_>) -> Option<Spanned<u32>> {
    let mut pool = None;
    for (row, mut detail) in details(reader, cursor, Places::SHELL) {
        if let Some(value) = detail.arg(reader, row) {
            pool = values::number(reader, row, &value);
            if pool.is_some() && !is_sh_like(program.text) {
                let problem =
                    Problem::error(Code::BadValue, format!("`{}` is no shell that can be kept", program.text));
                reader.report(problem.at(program.span, "").help(format!("it can be {}", SH_LIKE.join(", "))));
            }
        }
        detail.finish(reader);
    }
    pool
}

/// The interpreter and its options, to which the text is added as one more word.
fn shell(
    reader: &mut Reader<'_>,
    cursor: &Cursor<'_>,
    args: &[Value<'_>],
    pool: bool,
) -> Option<Spanned<Vec<Template>>> {
    let mut words = Vec::with_capacity(args.len());
    for value in args {
        words.push(values::template(reader, value)?.value);
    }
    if let (true, [_]) = (pool, &words[..]) {
        // What is kept can only be a shell, so that is all there is to say.
        words.extend(["-eu", "-c"].map(Template::plain));
        return Some(Spanned::new(words, cursor.head));
    }
    if let [only] = args {
        let split: Vec<&str> = only.text.split_whitespace().collect();
        let help = match &split[..] {
            [program] if SHELLS.contains(program) => Some(format!("shell {program} -c")),
            [_] => None,
            [] => Some("like this: shell bash -euo pipefail -c".to_owned()),
            words => Some(format!("shell {}", words.join(" "))),
        };
        if let Some(help) = help {
            let message = match split.len() {
                1 => format!("`{}` would take the text of `run` for the name of a file", only.text),
                _ => format!("`{}` is one word, and so the name of one program", only.text),
            };
            reader.report(Problem::error(Code::BadValue, message).at(only.span, "").help(help));
            return None;
        }
    }
    Some(Spanned::new(words, cursor.head))
}

/// How often something is measured.
fn sample(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<Spanned<Duration>> {
    let every = values::time(reader, row, value)?;
    if every.value < SHORTEST {
        let message = format!("`sample` is at least 10ms, not `{}`", value.text);
        let help = "a look at all processes takes its time too: sample \"1s\"";
        reader.report(Problem::error(Code::BadValue, message).at(value.span, "").help(help));
        return None;
    }
    Some(every)
}
