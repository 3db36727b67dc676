//! Steps and groups of steps. Groups recurse no deeper than the guard lets blocks be nested.

mod reduce;

use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::is_value_name;
use crate::base::source::{Span, Spanned};
use crate::xecfile::cursor::{Cursor, Reader, Value, joined};
use crate::xecfile::decode::settings::Bag;
use crate::xecfile::decode::{Once, condition, copy, data, edge, empty, pipe, ready, row_of, unreachable_row, values};
use crate::xecfile::guard::quote;
use crate::xecfile::model::{Condition, Data, Group, Hooks, Reference, Share, Step, StepKind, Take};
use crate::xecfile::schema::{self, Places, Row};

/// Words that only a shell gives a meaning.
const OPERATORS: [&str; 14] = ["&&", "||", "|", "|&", "&", ">", ">>", "<", "<<", "2>", "2>>", "2>&1", ">&2", "1>&2"];

/// What a step says besides what it does.
struct Parts {
    kind: &'static str,
    bag: Bag,
    data: Data,
    conditions: Vec<Condition>,
    hooks: Hooks,
    takes: Vec<Take>,
    once: Once,
}

/// Reads a step; `None` if it cannot be one.
pub(super) fn step<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row) -> Option<Step> {
    let span = cursor.head;
    let mut parts = Parts {
        kind: row.name,
        bag: Bag::new(),
        data: Data::default(),
        conditions: Vec::new(),
        hooks: Hooks::default(),
        takes: Vec::new(),
        once: Once::default(),
    };
    let mut rest = Vec::new();
    let kind = match row.name {
        "run" => run(reader, &mut cursor, row).map(StepKind::Run),
        "exec" => exec(reader, &mut cursor, row),
        "call" => {
            let bindings = edge::bindings(reader, &mut cursor);
            let value = cursor.arg(reader, row);
            let task = value.and_then(|value| values::task(reader, &value));
            task.map(|task| StepKind::Call(Reference { task, bindings, takes: Vec::new() }))
        }
        "wait" => wait(reader, &mut cursor, row, &mut rest),
        "copy" => copy::copy(reader, &mut cursor, row, &mut rest),
        "barrier" => cursor.args(reader, row).map(|_| StepKind::Barrier),
        "reduce" => reduce::reduce(reader, &mut cursor, row, &mut parts).map(StepKind::Reduce),
        word if Group::named(word).is_some() || is_hook(row) => {
            let kind = Group::named(word).unwrap_or(Group::Sequence);
            group(reader, &mut cursor, row, &mut parts).map(|steps| StepKind::Group(kind, steps))
        }
        _ => {
            unreachable_row(reader, &cursor);
            return None;
        }
    };
    rest.extend(cursor.take_children(reader));
    for child in rest {
        if row.name == "barrier" {
            let problem = Problem::error(Code::UnknownSetting, "`barrier` has no settings");
            reader.report(problem.at(child.name_span, "").help("what holds for all of its task stands in the task"));
            continue;
        }
        if let Some(row) = row_of(reader, &child, Places::STEP) {
            setting(reader, child, row, &mut parts);
        }
    }
    go_together(reader, kind.as_ref(), &parts);
    cursor.finish(reader);
    let mut kind = kind?;
    if let StepKind::Copy(_) = &kind {
        copy::settings(reader, &parts.bag.settings);
    }
    if let StepKind::Group(Group::Pipe, members) = &kind {
        pipe::check(reader, span, members, &parts.bag.settings);
    }
    if let StepKind::Call(reference) = &mut kind {
        reference.takes = parts.takes;
    }
    let Parts { data, conditions, hooks, bag, .. } = parts;
    Some(Step { kind, conditions, data, hooks, settings: bag.settings, span })
}

/// Whether a step does what its settings are for.
fn go_together(reader: &mut Reader<'_>, kind: Option<&StepKind>, parts: &Parts) {
    if let (Some(StepKind::Group(group, _)), Some(require)) = (kind, &parts.bag.settings.require)
        && group.is_choice()
    {
        let problem = Problem::error(Code::UnknownSetting, format!("`{}` has no `require`", parts.kind));
        reader.report(problem.at(require.span, "").help("one of its steps is enough, whichever it is"));
    }
    if let (Some(capture), Some(stdout)) = (&parts.data.capture, &parts.data.stdout) {
        let problem = Problem::error(Code::UnknownSetting, "its output is kept, and cannot go to a file too");
        let problem = problem.at(stdout.span, "to a file").at(capture.name.span, "kept");
        reader.report(problem.help("`stdout` is for what is too large to keep; in a script, `tee` does both"));
    }
}

/// What a step says besides what it does.
fn setting<'a>(reader: &mut Reader<'a>, cursor: Cursor<'a>, row: &'static Row, parts: &mut Parts) {
    match row.name {
        "when" | "unless" => parts.conditions.extend(condition::condition(reader, cursor, row)),
        "take" if parts.kind == "call" => edge::take(reader, cursor, row, &mut parts.takes),
        "take" => {
            let problem = Problem::error(Code::UnknownNode, format!("`{}` gives nothing to take", parts.kind));
            reader.report(problem.at(cursor.name_span, "").help("a step keeps its output by `capture`"));
        }
        _ if data::is_data(row) => {
            if parts.once.check(reader, row.name, &cursor) {
                data::data(reader, cursor, row, parts.kind, &mut parts.data);
            }
        }
        _ if is_hook(row) => hook(reader, cursor, row, &mut parts.once, &mut parts.hooks),
        _ => parts.bag.add(reader, cursor, row),
    }
}

/// Whether a word is one that begins a hook.
pub(super) fn is_hook(row: &Row) -> bool {
    matches!(row.name, "on-success" | "on-failure" | "finally" | "on-progress")
}

/// Reads a hook: a sequence, which is one step where it has policies of its own.
pub(super) fn hook<'a>(
    reader: &mut Reader<'a>,
    mut cursor: Cursor<'a>,
    row: &'static Row,
    once: &mut Once,
    out: &mut Hooks,
) {
    if !once.check(reader, row.name, &cursor) {
        return;
    }
    if row.name == "on-progress" {
        out.every = every(reader, &mut cursor);
    }
    let Some(step) = step(reader, cursor, row) else { return };
    let plain = step.settings.is_empty() && step.conditions.is_empty() && step.hooks.is_empty();
    let steps = match step {
        Step { kind: StepKind::Group(Group::Sequence, steps), .. } if plain => steps,
        step => vec![step],
    };
    match row.name {
        "on-success" => out.success = steps,
        "on-failure" => out.failure = steps,
        "on-progress" => out.progress = steps,
        _ => out.finally = steps,
    }
}

/// How much more has to have ended each time.
fn every<'a>(reader: &mut Reader<'a>, cursor: &mut Cursor<'a>) -> Option<Spanned<Share>> {
    let (row, mut detail) = (schema::find("every", Places::PROGRESS)?, cursor.take_one(reader, "every")?);
    let found = detail.arg(reader, row).and_then(|value| values::number::<Share>(reader, row, &value));
    detail.finish(reader);
    let found = found?;
    if found.value.is_nothing() {
        let problem = Problem::error(Code::BadValue, "`every` nothing would never be done");
        reader.report(problem.at(found.span, "at least 1").help(format!("like this: {}", row.example)));
        return None;
    }
    Some(found)
}

/// `wait "10s"` or `wait tcp=5432`; what is said beside goes to `rest`.
fn wait<'a>(
    reader: &mut Reader<'a>,
    cursor: &mut Cursor<'a>,
    row: &'static Row,
    rest: &mut Vec<Cursor<'a>>,
) -> Option<StepKind> {
    let args = cursor.args(reader, row)?;
    let (mut found, told) = (Vec::new(), reader.problems.as_slice().len());
    for child in cursor.take_children(reader) {
        match schema::find(child.name, Places::WAIT) {
            Some(row) => found.extend(ready::probe(reader, child, row).map(|ready| (ready, row.name))),
            None => rest.push(child),
        }
    }
    match (args.first(), ready::one(reader, cursor.name_span, found)) {
        (Some(value), None) => values::late_time(reader, row, value).map(|time| StepKind::Wait(time.value)),
        (None, Some(ready)) => Some(StepKind::Until(ready)),
        (Some(value), Some(_)) => {
            let problem = Problem::error(Code::ExtraValue, "`wait` has a time and something to wait for");
            reader.report(problem.at(value.span, "").help("the longest that it may take is its `timeout`"));
            None
        }
        (None, None) => {
            if reader.problems.as_slice().len() == told {
                let problem = Problem::error(Code::MissingValue, "`wait` does not say how long, or what for");
                let help = format!("like this: {}, or wait tcp=5432 timeout=\"30s\"", row.example);
                reader.report(problem.at(cursor.name_span, "").help(help));
            }
            None
        }
    }
}

/// The policies and steps of a group.
fn group<'a>(
    reader: &mut Reader<'a>,
    cursor: &mut Cursor<'a>,
    row: &'static Row,
    parts: &mut Parts,
) -> Option<Vec<Step>> {
    cursor.args(reader, row)?;
    for property in cursor.take_props() {
        if let Some(row) = row_of(reader, &property, Places::GROUP) {
            setting(reader, property, row, parts);
        }
    }
    let mut steps = Vec::new();
    let mut complete = true;
    for node in cursor.take_block().unwrap_or_default() {
        let child = Cursor::new(reader, node);
        if row.name == "on-progress" && child.name == "every" {
            continue;
        }
        match row_of(reader, &child, Places::GROUP) {
            Some(row) if row.is_setting() || is_hook(row) => setting(reader, child, row, parts),
            Some(row) => match step(reader, child, row) {
                Some(step) => steps.push(step),
                None => complete = false,
            },
            None => complete = false,
        }
    }
    if steps.is_empty() && complete {
        empty(reader, cursor, row);
    }
    steps.shrink_to_fit();
    Some(steps)
}

fn run<'a>(reader: &mut Reader<'a>, cursor: &mut Cursor<'a>, row: &'static Row) -> Option<Arc<str>> {
    let args = cursor.take_args();
    if let [_, second, ..] = &args[..] {
        let problem = Problem::error(Code::ExtraValue, "the text of `run` is one string");
        let help = joined(reader, &args).map(|text| format!("quote all of it: run {text}"));
        let help = help.unwrap_or_else(|| format!("like this: {}", row.example));
        reader.report(problem.at(second.span, "one too many").help(help));
        return None;
    }
    let Some(value) = args.first() else {
        let problem = Problem::error(Code::MissingValue, "`run` needs the text of a script");
        reader.report(problem.at(cursor.name_span, "").help(format!("like this: {}", row.example)));
        return None;
    };
    let text = values::script(reader, value)?;
    if text.trim().is_empty() {
        let problem = Problem::error(Code::BadValue, "the text of `run` is empty");
        reader.report(problem.at(value.span, "").help("remove the step, or say what to run"));
        return None;
    }
    if value.repr.starts_with("\"\"\"") && value.repr.contains("\\n") {
        let problem = Problem::warning(Code::BadValue, "`\\n` in quotes is a line break before the shell sees it");
        let help = "in #\"\"\" … \"\"\"#, a backslash is a backslash";
        let at = value.span.start + value.repr.find("\\n").unwrap_or_default() as u32;
        reader.report(problem.at(Span { start: at, end: at + 2, ..value.span }, "").help(help));
    }
    Some(text.into())
}

fn exec<'a>(reader: &mut Reader<'a>, cursor: &mut Cursor<'a>, row: &'static Row) -> Option<StepKind> {
    for property in cursor.take_props() {
        exec_property(reader, cursor, &property);
    }
    let args = cursor.args(reader, row)?;
    let mut words = Vec::with_capacity(args.len());
    let mut shell = false;
    for value in &args {
        shell = shell || shell_word(reader, value, &args);
        words.extend(values::template(reader, value));
    }
    if args.first().is_some_and(|program| program.text.is_empty()) {
        let problem = Problem::error(Code::BadValue, "the name of the program is empty");
        reader.report(problem.at(args[0].span, ""));
        return None;
    }
    (words.len() == args.len() && !words.is_empty()).then_some(StepKind::Exec(words))
}

/// `FOO=bar` among the words: a property for KDL, and for `exec` none.
fn exec_property(reader: &mut Reader<'_>, cursor: &Cursor<'_>, property: &Cursor<'_>) {
    let written = reader.slice(property.head);
    let word = match reader.slice(property.name_span) == property.name {
        true => written.split_once('=').map(|(key, value)| format!("{}={}", key.trim(), unquoted(value.trim()))),
        false => None,
    };
    let word = quote(word.as_deref().unwrap_or(written));
    let problem = Problem::error(Code::ExecProperty, format!("`{written}` is a property, and `exec` has none"));
    let line = reader.slice(cursor.head);
    let help = match line.len() <= 120 && !line.contains(['\n', '\r']) {
        true => format!("as a word, quote it: {}", line.replacen(written, &word, 1)),
        false => format!("as a word, quote it: {word}"),
    };
    let help = match row_named(property.name) {
        Some(row) => format!("{help}\nas a setting, write it into the block: {{ {} … }}", row.name),
        None => help,
    };
    reader.report(problem.at(property.head, "").help(help));
}

fn row_named(name: &str) -> Option<&'static Row> {
    schema::find(name, Places::STEP)
}

/// The text of a quoted string without escapes; anything else as it is.
fn unquoted(text: &str) -> &str {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) if !inner.contains('\\') => inner,
        _ => text,
    }
}

/// Tells of a bare word that only a shell understands; says whether it was an error.
fn shell_word(reader: &mut Reader<'_>, value: &Value<'_>, all: &[Value<'_>]) -> bool {
    if !value.is_bare() {
        return false;
    }
    let word = value.text;
    let variable = word.match_indices('$').any(|(at, _)| {
        word[at + 1..].starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '@' | '*' | '?'))
    });
    let literal = || format!("if the program is to get it as it is, quote it: {}", quote(word));
    let script = |reader: &Reader<'_>| {
        joined(reader, all).map_or_else(|| "use `run`".to_owned(), |text| format!("for a shell: run {text}"))
    };
    if variable || OPERATORS.contains(&word) {
        let message = format!("`{word}` means nothing without a shell, and `exec` has none");
        let problem = Problem::error(Code::ShellWord, message);
        let filled = match word.strip_prefix('$') {
            Some(name) if is_value_name(name) => format!("\nfor a value of xec: \"${{{name}}}\""),
            _ => String::new(),
        };
        reader.report(problem.at(value.span, "").help(format!("{}{filled}\n{}", script(reader), literal())));
        return true;
    }
    if word.contains('*') {
        let message = format!("`{word}` reaches the program as it is: `exec` has no shell to expand it");
        let problem = Problem::warning(Code::ShellWord, message);
        reader.report(problem.at(value.span, "").help(format!("{}\n{}", script(reader), literal())));
    }
    false
}
