//! `host`, `hosts` and `on`: where things can run, and where they shall.

use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem, clipped};
use crate::base::hostname::{Part, trouble};
use crate::base::selector::{self, Selector, is_ranged};
use crate::base::source::{Span, Spanned};
use crate::xecfile::cursor::{Cursor, Reader, Value, ValueKind};
use crate::xecfile::decode::settings::Bag;
use crate::xecfile::decode::{Once, details, not_yet, row_of, unreachable_row, values};
use crate::xecfile::model::{Host, On, Origin, Pick, Via};
use crate::xecfile::schema::{Places, Row};

/// `host "web[01-12]" { tags web; user deploy }`: a host for each name of the range.
pub(super) fn host<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, out: &mut Vec<Host>) {
    let span = cursor.head;
    let names = cursor.arg(reader, row).and_then(|value| names(reader, &value));
    let mut parts = Parts {
        host: Host::new(Spanned::new(Arc::from(""), span), Origin::Xecfile, span),
        addresses: Vec::new(),
        bag: Bag::new(),
    };
    let mut once = Once::default();
    for child in cursor.take_children(reader) {
        let Some(row) = row_of(reader, &child, Places::HOST) else { continue };
        match row.name {
            "env" | "cwd" | "sudo" => parts.bag.add(reader, child, row),
            _ if once.check(reader, row.name, &child) => detail(reader, child, row, &mut parts),
            _ => {}
        }
    }
    cursor.finish(reader);
    let Some(names) = names else { return };
    let Parts { mut host, addresses, bag } = parts;
    host.env = bag.settings.env;
    host.cwd = bag.settings.cwd;
    host.sudo = bag.settings.sudo.map(|user| user.value);
    if addresses.len() > 1 && addresses.len() != names.value.len() {
        let message = format!("there are {} hosts, and {} addresses", names.value.len(), addresses.len());
        let problem = Problem::error(Code::BadValue, message).at(names.span, "");
        return reader.report(problem.help("a range in `address` has as many members as that of the names"));
    }
    for (at, name) in names.value.into_iter().enumerate() {
        let address = addresses.get(if addresses.len() > 1 { at } else { 0 }).cloned();
        out.push(Host { name: Spanned::new(name, names.span), address, ..host.clone() });
    }
}

struct Parts {
    host: Host,
    /// One for all hosts, or one for each.
    addresses: Vec<Arc<str>>,
    bag: Bag,
}

/// The names of a range, each one that can be handed to a program.
fn names(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Spanned<Vec<Arc<str>>>> {
    let text = values::text(reader, value)?;
    let bad = |why: String| {
        let problem =
            Problem::error(Code::BadName, format!("`{}` cannot be {}: {why}", clipped(text), Part::Name.describe()));
        problem.at(value.span, "")
    };
    let names = match selector::expand(text) {
        Ok(names) => names,
        Err(why) => {
            reader.report(bad(why.to_string()).help("like this: host \"web[01-12].example.com\""));
            return None;
        }
    };
    if let Some(why) = names.first().and_then(|name| trouble(Part::Name, name)) {
        reader.report(bad(why).help("letters, digits, `.`, `-` and `_`; all else is said in its block"));
        return None;
    }
    if text == "local" {
        let problem = bad("`on local` means this machine".to_owned());
        reader.report(problem.help("choose another name, and say `via local` for a rehearsal on this machine"));
        return None;
    }
    Some(Spanned::new(names.into_iter().map(Arc::from).collect(), value.span))
}

/// A word that is handed to a program.
fn word(reader: &mut Reader<'_>, value: &Value<'_>, part: Part) -> Option<Arc<str>> {
    let text = values::text(reader, value)?;
    if let Some(why) = trouble(part, text) {
        let message = format!("`{}` cannot be {}: {why}", clipped(text), part.describe());
        reader.report(Problem::error(Code::BadName, message).at(value.span, ""));
        return None;
    }
    Some(text.into())
}

fn detail<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, parts: &mut Parts) {
    let args = cursor.args(reader, row).unwrap_or_default();
    let host = &mut parts.host;
    for value in &args {
        match row.name {
            "tags" => {
                values::no_comma(reader, value);
                host.tags.extend(tag(reader, value));
            }
            "user" => host.user = word(reader, value, Part::User),
            "port" => host.port = port(reader, row, value),
            "address" => parts.addresses = addresses(reader, value),
            "jobs" => host.jobs = values::number(reader, row, value).map(|jobs| jobs.value),
            "weight" => host.weight = at_least_one(reader, row, value).unwrap_or(1),
            "pool" => host.pool = pool(reader, row, value),
            "via" => host.via = via(reader, &mut cursor, row, value),
            _ => unreachable_row(reader, &cursor),
        }
    }
    if row.name == "pool" {
        for (row, mut idle) in details(reader, &mut cursor, Places::POOL) {
            if let Some(value) = idle.arg(reader, row) {
                host.idle = values::time(reader, row, &value).map(|time| time.value);
            }
            idle.finish(reader);
        }
    }
    cursor.finish(reader);
}

fn tag(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Arc<str>> {
    let text = values::text(reader, value)?;
    if trouble(Part::Name, text).is_some() {
        let problem = Problem::error(Code::BadName, format!("`{}` cannot be a tag", clipped(text)));
        reader.report(problem.at(value.span, "").help("letters, digits, `.`, `-` and `_`; several stand side by side"));
        return None;
    }
    Some(text.into())
}

fn addresses(reader: &mut Reader<'_>, value: &Value<'_>) -> Vec<Arc<str>> {
    let Some(text) = values::text(reader, value) else { return Vec::new() };
    // The brackets of `[::1]` hold no range.
    let texts = match selector::expand(text) {
        Ok(texts) if is_ranged(text) => texts,
        _ => vec![text.to_owned()],
    };
    if let Some(why) = texts.first().and_then(|text| trouble(Part::Address, text)) {
        let message = format!("`{}` cannot be {}: {why}", clipped(text), Part::Address.describe());
        reader.report(Problem::error(Code::BadName, message).at(value.span, ""));
        return Vec::new();
    }
    texts.into_iter().map(Arc::from).collect()
}

fn port(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<u16> {
    let port = values::number::<u16>(reader, row, value)?.value;
    if port == 0 {
        values::bad(reader, row, value, Some("a port is a number from 1 to 65535".to_owned()));
        return None;
    }
    Some(port)
}

fn at_least_one(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<u32> {
    let number = values::number::<u32>(reader, row, value)?.value;
    if number == 0 {
        values::bad(reader, row, value, Some("at least 1".to_owned()));
        return None;
    }
    Some(number)
}

fn pool(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<u8> {
    let number = at_least_one(reader, row, value)?;
    let pool = u8::try_from(number).ok();
    if pool.is_none() {
        values::bad(reader, row, value, Some("a host has at most 255 connections".to_owned()));
    }
    pool
}

fn via<'a>(reader: &mut Reader<'a>, cursor: &mut Cursor<'a>, row: &'static Row, value: &Value<'_>) -> Via {
    let (mut namespace, mut container, mut label) = (None, None, None);
    let mut said: Vec<(&'static str, Span)> = Vec::new();
    for (row, mut detail) in details(reader, cursor, Places::VIA) {
        said.push((row.name, detail.head));
        if let Some(value) = detail.arg(reader, row) {
            match row.name {
                "namespace" => namespace = word(reader, &value, Part::Name),
                "container" => container = word(reader, &value, Part::Name),
                _ => label = labels(reader, &value),
            }
        }
        detail.finish(reader);
    }
    let allowed: &[&str] = match value.text {
        "docker" => &["label"],
        "kubernetes" => &["namespace", "container", "label"],
        _ => &[],
    };
    for (name, span) in said.into_iter().filter(|(name, _)| !allowed.contains(name)) {
        let message = format!("`{name}` says nothing of a host that is reached via {}", clipped(value.text));
        reader.report(Problem::error(Code::UnknownSetting, message).at(span, ""));
    }
    match value.text {
        "ssh" => Via::Ssh,
        "docker" => Via::Docker { label },
        "kubernetes" => Via::Kubernetes { namespace, container, label },
        "local" => Via::Local,
        "slurm" => {
            not_yet(reader, value.span, "`via slurm`");
            Via::Ssh
        }
        _ => {
            let help = crate::base::name::did_you_mean(value.text, ["ssh", "docker", "kubernetes", "local"]);
            values::bad(reader, row, value, help);
            Via::Ssh
        }
    }
}

fn labels(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Arc<str>> {
    let text = values::text(reader, value)?;
    if text.is_empty() || text.starts_with('-') || text.chars().any(char::is_control) {
        let problem = Problem::error(Code::BadValue, format!("`{}` selects nothing by its labels", clipped(text)));
        reader.report(problem.at(value.span, "").help("like this: label=\"app=web\""));
        return None;
    }
    Some(text.into())
}

/// `hosts from="inventory.ini"`: the path.
pub(super) fn inventory<'a>(
    reader: &mut Reader<'a>,
    mut cursor: Cursor<'a>,
    row: &'static Row,
) -> Option<Spanned<Arc<str>>> {
    let (span, mut found) = (cursor.head, None);
    cursor.args(reader, row)?;
    let written = cursor.count_children() > 0;
    for (row, mut detail) in details(reader, &mut cursor, Places::HOSTS) {
        if let Some(value) = detail.arg(reader, row) {
            found = values::text(reader, &value).map(|text| Spanned::new(Arc::from(text), value.span));
        }
        detail.finish(reader);
    }
    cursor.finish(reader);
    if !written && !reader.is_broken(span) {
        let problem = Problem::error(Code::MissingValue, "`hosts` names no file").at(span, "");
        reader.report(problem.help(format!("like this: {}\na single host is declared by `host`", row.example)));
    }
    found
}

/// `on "web & !canary" pick=first`, `on local`.
pub(super) fn on<'a>(reader: &mut Reader<'a>, cursor: &mut Cursor<'a>, value: &Value<'_>) -> Option<Spanned<On>> {
    let mut pick: Option<Spanned<Pick>> = None;
    for (row, mut detail) in details(reader, cursor, Places::ON) {
        if let Some(value) = detail.arg(reader, row) {
            pick = values::choice(reader, row, &value);
        }
        detail.finish(reader);
    }
    if value.text == "local" {
        if let Some(pick) = pick {
            let problem = Problem::error(Code::UnknownSetting, "there is one machine to pick from here");
            reader.report(problem.at(pick.span, "").at(value.span, "this machine"));
        }
        return Some(Spanned::new(On::Here, value.span));
    }
    let selector = selector(reader, value)?;
    Some(Spanned::new(
        match pick {
            Some(pick) => On::One(selector, pick.value),
            None => On::Hosts(selector),
        },
        value.span,
    ))
}

/// `sudo`, `sudo postgres`, `sudo user=postgres`: as whom.
pub(super) fn sudo<'a>(
    reader: &mut Reader<'a>,
    cursor: &mut Cursor<'a>,
    row: &'static Row,
) -> Option<Spanned<Arc<str>>> {
    let name = |reader: &mut Reader<'a>, value: &Value<'a>| match value.kind {
        // As `sudo=#true` of a step has it.
        ValueKind::Bool(true) => Some(Spanned::new(ROOT.into(), value.span)),
        _ => word(reader, value, Part::User).map(|user| Spanned::new(user, value.span)),
    };
    let mut found = Spanned::new(ROOT.into(), cursor.name_span);
    for value in &cursor.args(reader, row)? {
        found = name(reader, value)?;
    }
    for (row, mut detail) in details(reader, cursor, Places::SUDO) {
        if let Some(value) = detail.arg(reader, row) {
            if found.span != cursor.name_span {
                let problem = Problem::error(Code::Duplicate, "`sudo` says twice as whom").at(value.span, "");
                reader.report(problem.at(found.span, "the first time").help("sudo user=postgres"));
            }
            found = name(reader, &value)?;
        }
        detail.finish(reader);
    }
    Some(found)
}

/// Who is meant where nobody is named.
const ROOT: &str = "root";

/// A selector, read here already where it is written out.
pub(super) fn selector(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Spanned<crate::base::value::Template>> {
    values::no_comma(reader, value);
    let found = values::template(reader, value)?;
    if let Some(text) = found.value.as_text()
        && let Err(bad) = Selector::parse(text)
    {
        let message = format!("`{}` selects no hosts: {}", clipped(text), bad.why);
        let help =
            "hosts are selected by names, tags, patterns (`web*`) and ranges (`web[1-3]`): `,` or, `&` and, `!` not";
        reader.report(Problem::error(Code::BadValue, message).at(value.part(bad.place), "").help(help));
        return None;
    }
    Some(found)
}
