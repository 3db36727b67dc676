//! From the document to the model of the file: what stands at its top. All problems are told at once; what is
//! wrong is left out of the result. Knows no IO.

mod condition;
mod copy;
mod data;
mod edge;
mod file;
mod files;
mod hosts;
mod inputs;
mod limits;
mod matrix;
mod pipe;
mod ready;
mod settings;
mod step;
mod syntax;
mod task;
mod template;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use crate::xecfile::decode::file::{Dotenv, Include};
pub(crate) use crate::xecfile::decode::inputs::misfit;
pub(crate) use crate::xecfile::decode::template::Templates;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use kdl::{KdlDocument, KdlNode};

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::base::source::{Span, Spanned};
use crate::xecfile::cursor::{Cursor, Reader};
use crate::xecfile::decode::settings::Bag;
use crate::xecfile::model::{EnvEntry, Host, Let, Limit, Secret, Settings, Task};
use crate::xecfile::plain;
use crate::xecfile::schema::{self, Places, Row, State};

/// What the nodes of one file say.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) defaults: Settings,
    pub(crate) env: Vec<EnvEntry>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) lets: Vec<Let>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) hosts: Vec<Host>,
    /// Files of hosts, against the directory of the file that names them.
    pub(crate) inventories: Vec<Spanned<Arc<str>>>,
    pub(crate) dotenvs: Vec<Dotenv>,
    pub(crate) includes: Vec<Include>,
}

/// Reads the nodes at the top, one after the other, so that the document of a big file is never whole in memory
/// and a mistake in one node hides no other.
pub(crate) fn decode(reader: &mut Reader<'_>, text: &str, nodes: &[Range<usize>]) -> Decoded {
    let templates = Templates::find(reader, text, nodes);
    let mut top = Top {
        out: Decoded::default(),
        defaults: Bag::new(),
        env: Bag::new(),
        once: Once::default(),
        lets: HashMap::new(),
    };
    for range in nodes {
        if reader.problems.is_full() {
            break;
        }
        reader.base = range.start;
        match plain::parse(&text[range.clone()]) {
            Ok(document) => read_chunk(reader, &document, &templates, &mut top),
            Err(why) => syntax::report(reader, &why),
        }
    }
    top.out.defaults = top.defaults.settings;
    top.out.env = top.env.settings.env;
    top.out
}

/// What is known while the top of the file is read.
struct Top {
    out: Decoded,
    defaults: Bag,
    env: Bag,
    once: Once,
    lets: HashMap<String, Span>,
}

impl Top {
    /// Tells of a second value of one name.
    fn is_new(&mut self, reader: &mut Reader<'_>, found: &Spanned<Arc<str>>) -> bool {
        let name = crate::base::name::variable(&found.value);
        let Some(first) = self.lets.get(&name) else {
            self.lets.insert(name, found.span);
            return true;
        };
        let problem = Problem::error(Code::Duplicate, format!("there are two values `{}`", found.value));
        let problem = problem.at(found.span, "the second one").at(*first, "the first one");
        reader.report(problem.help("give one of them another name"));
        false
    }
}

/// The document lives only as long as this: what is kept of it is copied.
fn read_chunk(reader: &mut Reader<'_>, document: &KdlDocument, templates: &Templates, top: &mut Top) {
    let mut inner =
        Reader::new(reader.span(0, 0).source, reader.text, reader.broken(), std::mem::take(&mut reader.problems));
    inner.base = reader.base;
    inner.templates = Some(templates);
    for node in document.nodes() {
        read_top(&mut inner, node, top);
    }
    reader.problems = inner.problems;
}

fn read_top<'a>(reader: &mut Reader<'a>, node: &'a KdlNode, top: &mut Top) {
    let cursor = Cursor::new(reader, node);
    let Some(row) = row_of(reader, &cursor, Places::TOP) else { return };
    match row.name {
        "task" => {
            let span = whole(reader, node);
            top.out.tasks.extend(task::task(reader, cursor, row, span));
        }
        "template" => {
            let span = whole(reader, node);
            template::template(reader, cursor, row, span);
        }
        "let" => {
            let span = whole(reader, node);
            let found = file::value(reader, cursor, row, span);
            if let Some(found) = found.filter(|found| top.is_new(reader, &found.name)) {
                top.out.lets.push(found);
            }
        }
        "host" => hosts::host(reader, cursor, row, &mut top.out.hosts),
        "hosts" => top.out.inventories.extend(hosts::inventory(reader, cursor, row)),
        "secret" => {
            let span = whole(reader, node);
            let found = file::secret(reader, cursor, row, span);
            if let Some(found) = found.filter(|found| top.is_new(reader, &found.name)) {
                top.out.secrets.push(found);
            }
        }
        "limit" => top.out.limits.extend(limits::limit(reader, cursor, row)),
        "dotenv" => top.out.dotenvs.extend(file::dotenv(reader, cursor, row)),
        "include" => top.out.includes.extend(file::include(reader, cursor, row)),
        "env" => top.env.add(reader, cursor, row),
        "defaults" => defaults(reader, cursor, row, top),
        "xec" => xec(reader, cursor, row, &mut top.once),
        _ => unreachable_row(reader, &cursor),
    }
}

fn defaults<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &Row, top: &mut Top) {
    let block = cursor.take_block();
    let props = cursor.take_props();
    if block.is_none() && props.is_empty() {
        empty(reader, &cursor, row);
    }
    for property in props {
        defaults_child(reader, property, &mut top.defaults);
    }
    for node in block.unwrap_or_default() {
        let child = Cursor::new(reader, node);
        defaults_child(reader, child, &mut top.defaults);
    }
    cursor.finish(reader);
}

fn defaults_child<'a>(reader: &mut Reader<'a>, child: Cursor<'a>, bag: &mut Bag) {
    if let Some(row) = row_of(reader, &child, Places::DEFAULTS) {
        bag.add(reader, child, row);
    }
}

/// `xec min="0.1"`.
fn xec<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &Row, once: &mut Once) {
    once.check(reader, "xec", &cursor);
    let mut children = cursor.take_props();
    for node in cursor.take_block().unwrap_or_default() {
        children.push(Cursor::new(reader, node));
    }
    let found = !children.is_empty();
    for mut child in children {
        if child.name != "min" {
            let message = format!("`xec` has no setting `{}`", child.name);
            let help = format!("like this: {}", row.example);
            reader.report(Problem::error(Code::UnknownSetting, message).at(child.name_span, "").help(help));
            continue;
        }
        for value in child.take_args() {
            min_version(reader, &value);
        }
        child.finish(reader);
    }
    if !found && !reader.is_broken(cursor.head) {
        let help = format!("like this: {}", row.example);
        reader.report(Problem::error(Code::MissingValue, "`xec` needs `min`").at(cursor.name_span, "").help(help));
    }
    cursor.finish(reader);
}

fn min_version(reader: &mut Reader<'_>, value: &crate::xecfile::cursor::Value<'_>) {
    let version = |text: &str| text.split('.').map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<u32>>>();
    let own = env!("CARGO_PKG_VERSION");
    match (version(value.text), version(own)) {
        (Some(wanted), Some(have)) if wanted > have => {
            let message = format!("the file is for xec {} or later, and this is xec {own}", value.text);
            reader.report(Problem::error(Code::XecTooOld, message).at(value.span, "").help("install a newer xec"));
        }
        (Some(_), _) => {}
        (None, _) => {
            let message = format!("`{}` is not a version", value.text);
            reader
                .report(Problem::error(Code::BadValue, message).at(value.span, "").help("like this: xec min=\"0.1\""));
        }
    }
}

/// The row of a node or property at a place, if it has a meaning; else tells what is wrong with it.
fn row_of(reader: &mut Reader<'_>, cursor: &Cursor<'_>, place: Places) -> Option<&'static Row> {
    let name = cursor.name;
    let what = if cursor.property { "setting" } else { "node" };
    let code = if cursor.property { Code::UnknownSetting } else { Code::UnknownNode };
    match schema::find(name, place) {
        Some(row) if row.state == State::Later => {
            not_yet(reader, cursor.name_span, &format!("`{name}`"));
            None
        }
        Some(row) if cursor.property && !schema::is_property(row) => {
            let message = format!("`{name}` is a node, not a property");
            let help = format!("write it into the block: {}", row.example);
            reader.report(Problem::error(code, message).at(cursor.name_span, "").help(help));
            None
        }
        Some(row) => Some(row),
        None => {
            let place_name = place.describe();
            let nothing = || Problem::error(code, format!("there is no {what} `{name}` {place_name}"));
            let problem = if let Some(row) = schema::word_for(name).and_then(|word| schema::find(word, place)) {
                nothing().help(format!("here it is `{}`: {}", row.name, row.example))
            } else if let Some(instead) = schema::instead_of(name) {
                nothing().help(instead)
            } else if let Some(elsewhere) = schema::elsewhere(name) {
                Problem::error(code, format!("`{name}` cannot stand {place_name}"))
                    .help(format!("it stands {elsewhere}"))
            } else {
                match did_you_mean(name, schema::names_at(place, cursor.property)) {
                    Some(help) => nothing().help(help),
                    None => nothing(),
                }
            };
            reader.report(problem.at(cursor.name_span, ""));
            None
        }
    }
}

/// What a node says of itself, in either spelling, each with its row and at most once.
fn details<'a>(reader: &mut Reader<'a>, cursor: &mut Cursor<'a>, place: Places) -> Vec<(&'static Row, Cursor<'a>)> {
    let mut once = Once::default();
    let mut out = Vec::new();
    for child in cursor.take_children(reader) {
        if let Some(row) = row_of(reader, &child, place)
            && once.check(reader, row.name, &child)
        {
            out.push((row, child));
        }
    }
    out
}

/// Something that only a later version knows the meaning of.
fn not_yet(reader: &mut Reader<'_>, span: Span, what: &str) {
    let message = format!("{what} is not in this version of xec yet");
    reader.report(Problem::error(Code::NotYet, message).at(span, ""));
}

/// A block that is empty or missing, and without which the node says nothing.
fn empty(reader: &mut Reader<'_>, cursor: &Cursor<'_>, row: &Row) {
    let message = format!("`{}` says nothing without something in its block", cursor.name);
    let help = format!("like this: {}", row.example);
    reader.report(Problem::error(Code::EmptyBlock, message).at(cursor.name_span, "").help(help));
}

/// A row that has a meaning by the table and none in the code: said to the user as what it is, a gap in xec.
fn unreachable_row(reader: &mut Reader<'_>, cursor: &Cursor<'_>) {
    not_yet(reader, cursor.name_span, &format!("`{}` here", cursor.name));
}

/// The whole node, without the spaces behind it.
fn whole(reader: &Reader<'_>, node: &KdlNode) -> Span {
    let mut span = reader.span(node.span().offset(), node.span().offset() + node.span().len());
    span.end = span.start + reader.slice(span).trim_end().len() as u32;
    span
}

/// Remembers what may be said only once.
#[derive(Default)]
struct Once {
    seen: Vec<(&'static str, Span)>,
}

impl Once {
    /// Whether it was there.
    fn has(&self, name: &str) -> bool {
        self.seen.iter().any(|(seen, _)| *seen == name)
    }

    /// Tells if it was there before, in either spelling; says whether this is the first.
    fn check(&mut self, reader: &mut Reader<'_>, name: &'static str, cursor: &Cursor<'_>) -> bool {
        let Some((_, first)) = self.seen.iter().find(|(seen, _)| *seen == name) else {
            self.seen.push((name, cursor.name_span));
            return true;
        };
        let problem = Problem::error(Code::Duplicate, format!("`{name}` is there twice"));
        reader.report(
            problem.at(cursor.name_span, "the second one").at(*first, "the first one").help("remove one of them"),
        );
        false
    }
}
