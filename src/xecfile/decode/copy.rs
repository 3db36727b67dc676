//! `copy from="dist/app" to="web1:/srv/app"`: what goes where. A path with a host before it is there, as for `scp` and
//! `rsync`, and any other is here.

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::Spanned;
use crate::base::value::{Part, Template};
use crate::xecfile::cursor::{Cursor, Reader, Value};
use crate::xecfile::decode::{Once, row_of, values};
use crate::xecfile::model::{Copy, End, HERE, Settings, StepKind, is_pattern, split_place};
use crate::xecfile::schema::{self, Places, Row};

/// Reads the two ends; what is said beside goes to `rest`.
pub(super) fn copy<'a>(
    reader: &mut Reader<'a>,
    cursor: &mut Cursor<'a>,
    row: &'static Row,
    rest: &mut Vec<Cursor<'a>>,
) -> Option<StepKind> {
    if let Some(value) = cursor.take_args().first() {
        let problem = Problem::error(Code::ExtraValue, "`copy` takes its two places by name");
        reader.report(problem.at(value.span, "").help(format!("like this: {}", row.example)));
        return None;
    }
    let (mut once, mut from, mut to) = (Once::default(), None, None);
    let told = reader.problems.as_slice().len();
    for mut child in cursor.take_children(reader) {
        if schema::find(child.name, Places::COPY).is_none() {
            rest.push(child);
            continue;
        }
        let Some(row) = row_of(reader, &child, Places::COPY) else { continue };
        if !once.check(reader, row.name, &child) {
            continue;
        }
        let place = child.name_span;
        let found = child.args(reader, row).and_then(|args| end(reader, &args));
        child.finish(reader);
        match row.name {
            "from" => from = found.map(|end| (end, place)),
            _ => to = found.map(|end| (end, place)),
        }
    }
    let missing = |what: String| Problem::error(Code::MissingValue, format!("`copy` does not say {what}"));
    let (Some((from, _)), Some((to, _))) = (from, to) else {
        if reader.problems.as_slice().len() == told {
            let names: Vec<&str> = ["from", "to"].into_iter().filter(|name| !once.has(name)).collect();
            let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
            let problem = missing(names.join(" and ")).at(cursor.name_span, "");
            reader.report(problem.help(format!("like this: {}", row.example)));
        }
        return None;
    };
    let copy = Copy { from, to };
    fits(reader, cursor, &copy).then_some(StepKind::Copy(copy))
}

/// One end: paths that are all at one place.
fn end<'a>(reader: &mut Reader<'a>, args: &[Value<'a>]) -> Option<End> {
    let mut ends = Vec::with_capacity(args.len());
    for value in args {
        ends.push(path(reader, value)?);
    }
    let (host, _) = ends.first()?.clone();
    let other = |(at, _): &&(Option<Spanned<Template>>, _)| {
        at.as_ref().map(|host| &host.value) != host.as_ref().map(|host| &host.value)
    };
    if let Some((_, path)) = ends.iter().find(other) {
        let problem = Problem::error(Code::CopyPlace, "what one `copy` takes is all at one place");
        reader.report(problem.at(path.span, "").help("a `copy` for each place"));
        return None;
    }
    Some(End { host, paths: ends.into_iter().map(|(_, path)| path).collect() })
}

/// A path, and the host that it is on.
fn path(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<(Option<Spanned<Template>>, Spanned<Template>)> {
    let text = values::template(reader, value)?;
    let (host, path) = match split_place(&text.value) {
        Some((host, path)) => (Some(host), path),
        None => (None, text.value.clone()),
    };
    let empty = |text: &Template| text.as_text().is_some_and(|text| text.is_empty());
    let (message, help) = match &host {
        Some(host) if empty(host) => ("there is no host before the colon", "a path here that has a colon: ./a:b"),
        Some(_) if empty(&path) => ("there is no path behind the colon", "the directory of the login is written ./"),
        None if empty(&path) => ("the path is empty", "the directory itself is written ./"),
        Some(_) if begins_at_home(&path) => ("a path on a host begins where one is who logs in", "leave `~/` out"),
        None if begins_at_home(&path) => ("`~` is a sign of shells", "write ${env.HOME}"),
        _ => {
            let host = host.filter(|host| host.as_text().is_none_or(|host| **host != *HERE));
            return Some((host.map(|host| Spanned::new(host, text.span)), Spanned::new(path, text.span)));
        }
    };
    reader.report(Problem::error(Code::CopyPlace, message).at(value.span, "").help(help));
    None
}

/// Tells of what no copy can be, or only by chance.
fn fits(reader: &mut Reader<'_>, cursor: &Cursor<'_>, copy: &Copy) -> bool {
    let [target] = &copy.to.paths[..] else {
        let span = copy.to.paths.last().map_or(cursor.name_span, |path| path.span);
        let problem = Problem::error(Code::ExtraValue, "a `copy` goes to one place").at(span, "one too many");
        reader.report(problem.help("a `copy` for each place"));
        return false;
    };
    let told = reader.problems.as_slice().len();
    let mut tell = |problem: Problem| reader.report(problem);
    if copy.place().is_none() {
        let problem = Problem::error(Code::CopyPlace, "both places of this `copy` are here").at(target.span, "");
        tell(problem.help(
            "a place on a host is written host:path, such as \"${host}:/srv/app\"; for files here there is `cp`",
        ));
    }
    if is_pattern(&target.value) {
        let problem = Problem::error(Code::CopyPlace, "a pattern stands for what is there, and this is where it goes");
        tell(problem.at(target.span, "").help("with a / at its end, it is a directory to put things into"));
    }
    for path in &copy.from.paths {
        if literals(&path.value).any(|text| text.contains("**")) {
            let problem = Problem::error(Code::CopyPlace, "`**` means no more than `*` to a copy").at(path.span, "");
            tell(problem.help("a directory is copied with all that is in it"));
        } else if last(&path.value).is_some_and(|text| text.ends_with('/') && text.len() > 1) {
            let problem = Problem::error(Code::CopyPlace, "this directory, or what is in it?").at(path.span, "");
            let plain = path.value.to_string();
            let plain = plain.trim_end_matches('/');
            tell(problem.help(format!("the directory: {plain}\nwhat is in it: {plain}/.")));
        }
    }
    let several = copy
        .from
        .paths
        .iter()
        .find(|path| is_pattern(&path.value) || is_contents(&path.value))
        .or(copy.from.paths.get(1));
    if let (Some(several), false) = (several, is_directory(&target.value)) {
        let problem = Problem::error(Code::CopyPlace, "this may be many, and goes into a directory");
        let problem = problem.at(several.span, "").at(target.span, "this is no directory by its name");
        tell(problem.help(format!("with a / at its end, it is one: {}/", target.value)));
    }
    reader.problems.as_slice().len() == told
}

/// Tells of what is said of a copy and means nothing to it.
pub(super) fn settings(reader: &mut Reader<'_>, settings: &Settings) {
    let Settings { on, interactive, leave, session, shell, .. } = settings;
    let env = settings.env.first().map(|entry| entry.name.span);
    for (name, span) in [
        ("on", on.as_ref().map(|set| set.span)),
        ("interactive", interactive.as_ref().map(|set| set.span)),
        ("leave", leave.as_ref().map(|set| set.span)),
        ("session", session.as_ref().map(|set| set.span)),
        ("shell", shell.as_ref().map(|set| set.span)),
        ("env", env),
    ] {
        if let Some(span) = span {
            let problem = Problem::error(Code::UnknownSetting, format!("`copy` has no `{name}`")).at(span, "");
            reader.report(problem.help(match name {
                "on" => "where it is from and goes to stands before the paths: \"web1:/srv/app\"",
                _ => "it runs no command of yours",
            }));
        }
    }
}

/// Whether it is what is in a directory.
fn is_contents(text: &Template) -> bool {
    last(text).is_some_and(|text| text.ends_with("/.") || text == ".")
}

fn is_directory(text: &Template) -> bool {
    last(text).is_some_and(|text| text.ends_with('/') || text.ends_with("/.") || text == ".")
}

fn begins_at_home(text: &Template) -> bool {
    matches!(text.parts.first(), Some(Part::Text(text)) if &**text == "~" || text.starts_with("~/"))
}

fn literals(text: &Template) -> impl Iterator<Item = &str> {
    text.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(&**text),
        Part::Hole { .. } => None,
    })
}

fn last(text: &Template) -> Option<&str> {
    match text.parts.last() {
        Some(Part::Text(text)) => Some(text),
        _ => None,
    }
}
