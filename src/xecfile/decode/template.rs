//! `template` and `use`: nodes that several tasks share. A task's own word wins over that of a template, and the
//! word of a template over those that it uses itself.

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::Range;

use kdl::{KdlDocument, KdlNode};

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::base::source::{Span, Spanned};
use crate::xecfile::cursor::{Cursor, Reader};
use crate::xecfile::decode::task::{Parts, child};
use crate::xecfile::decode::{empty, row_of, syntax, values};
use crate::xecfile::plain;
use crate::xecfile::schema::{Places, Row};

/// Templates within templates, at most.
const DEEPEST: usize = 64;

/// Nodes that templates may bring into the tasks of one file, at most.
const MOST_NODES: usize = 100_000;

/// The templates of one file.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    documents: Vec<(usize, KdlDocument)>,
    places: HashMap<String, usize>,
    /// They use each other in a circle, or too deeply: then none can be used.
    endless: bool,
    /// Nodes that were brought into tasks so far.
    inserted: Cell<usize>,
}

impl Templates {
    /// Finds them all, before any task is read.
    pub(super) fn find(reader: &mut Reader<'_>, text: &str, nodes: &[Range<usize>]) -> Self {
        let mut out = Self::default();
        for range in nodes.iter().filter(|range| is_template(&text[(*range).clone()])) {
            reader.base = range.start;
            match plain::parse(&text[range.clone()]) {
                Ok(document) => out.documents.push((range.start, document)),
                Err(why) => syntax::report(reader, &why),
            }
        }
        let mut spans: HashMap<String, Span> = HashMap::new();
        for at in 0..out.documents.len() {
            let (base, document) = &out.documents[at];
            let Some(node) = document.nodes().first() else { continue };
            let Some((name, span)) = argument(reader, *base, node) else { continue };
            if let Some(first) = spans.get(&name) {
                let problem = Problem::error(Code::Duplicate, format!("there are two templates `{name}`"));
                let problem = problem.at(span, "the second one").at(*first, "the first one");
                reader.report(problem.help("give one of them another name"));
                continue;
            }
            spans.insert(name.clone(), span);
            out.places.insert(name, at);
        }
        out.endless = out.circles(reader);
        out
    }

    fn node(&self, name: &str) -> Option<(usize, &KdlNode)> {
        let (base, document) = self.documents.get(*self.places.get(name)?)?;
        Some((*base, document.nodes().first()?))
    }

    /// Which templates each of them uses, and where.
    fn uses(&self, reader: &Reader<'_>, at: usize) -> Vec<(usize, Span)> {
        let (base, document) = &self.documents[at];
        let children = document.nodes().first().and_then(KdlNode::children);
        let nodes = children.into_iter().flat_map(KdlDocument::nodes).filter(|node| node.name().value() == "use");
        let entries = nodes.flat_map(|node| node.entries()).filter(|entry| entry.name().is_none());
        entries
            .filter_map(|entry| {
                let next = self.places.get(entry.value().as_string()?)?;
                let span = reader.span_at(*base, entry.span().offset(), entry.span().offset() + entry.span().len());
                Some((*next, trimmed(reader, span)))
            })
            .collect()
    }

    /// Tells of each circle; says whether there is one, or a chain without end for all that anybody can read.
    fn circles(&self, reader: &mut Reader<'_>) -> bool {
        let edges: Vec<Vec<(usize, Span)>> = (0..self.documents.len()).map(|at| self.uses(reader, at)).collect();
        let mut found = false;
        crate::xecfile::circle::circles(&edges, |circle| {
            let mut problem = Problem::error(Code::Cycle, "templates use each other in a circle");
            for (from, span) in circle {
                problem = problem.at(*span, format!("`{}` uses this", self.name_of(*from)));
            }
            reader.report(problem.help("remove one of these `use`s"));
            found = true;
        });
        found
    }

    fn name_of(&self, at: usize) -> &str {
        self.places.iter().find(|(_, place)| **place == at).map_or("", |(name, _)| name)
    }
}

fn is_template(text: &str) -> bool {
    text.trim_start_matches('"').starts_with("template")
}

fn trimmed(reader: &Reader<'_>, span: Span) -> Span {
    let text = reader.slice(span);
    let start = span.start + (text.len() - text.trim_start().len()) as u32;
    Span { start, end: start + text.trim().len() as u32, ..span }
}

fn argument(reader: &Reader<'_>, base: usize, node: &KdlNode) -> Option<(String, Span)> {
    let entry = node.entries().iter().find(|entry| entry.name().is_none())?;
    let span = reader.span_at(base, entry.span().offset(), entry.span().offset() + entry.span().len());
    Some((entry.value().as_string()?.to_owned(), trimmed(reader, span)))
}

/// Reads a template where it stands, as if a task used it, for the problems in it.
pub(super) fn template<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, span: Span) {
    if let Some(value) = cursor.arg(reader, row) {
        values::name(reader, &value, "a template");
    }
    let mut parts = Parts { in_task: false, ..Parts::new(span) };
    let children = cursor.take_children(reader);
    if children.is_empty() && !reader.is_broken(cursor.head) {
        empty(reader, &cursor, row);
    }
    for cursor in children {
        child(reader, cursor, &mut parts);
    }
    cursor.finish(reader);
}

/// `use a b`: the nodes of templates, here.
pub(super) fn used<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, parts: &mut Parts) {
    let args = cursor.args(reader, row).unwrap_or_default();
    cursor.finish(reader);
    for value in args {
        let Some(name) = values::text(reader, &value) else { continue };
        let Some(templates) = reader.templates else { continue };
        let Some((base, node)) = templates.node(name) else {
            let problem = Problem::error(Code::UnknownValue, format!("there is no template `{name}` in this file"));
            let help = did_you_mean(name, templates.places.keys().map(String::as_str));
            let help = help.unwrap_or_else(|| format!("write one at the top: template {name} {{ … }}"));
            reader.report(problem.at(value.span, "").help(help));
            continue;
        };
        // Where a template stands, those that it uses are not looked into: they stand elsewhere.
        let looked_into = parts.in_task && !templates.endless;
        if looked_into && allowed(reader, templates, parts, &Spanned::new(name, value.span)) {
            insert(reader, templates, (base, node), parts);
        }
    }
}

fn allowed(reader: &mut Reader<'_>, templates: &Templates, parts: &Parts, name: &Spanned<&str>) -> bool {
    let message = if parts.depth >= DEEPEST {
        format!("templates use each other more than {DEEPEST} deep")
    } else if templates.inserted.get() >= MOST_NODES {
        format!("templates bring more than {MOST_NODES} nodes into the tasks of this file")
    } else {
        return true;
    };
    reader.report(Problem::error(Code::TooDeep, message).at(name.span, "one too many"));
    false
}

/// The nodes of one template. What is wrong with them was told where they stand.
fn insert<'a>(reader: &mut Reader<'a>, templates: &Templates, (base, node): (usize, &'a KdlNode), parts: &mut Parts) {
    let quiet = parts.depth == 0;
    let kept = quiet.then(|| std::mem::take(&mut reader.problems));
    let outer_base = std::mem::replace(&mut reader.base, base);
    let outer = std::mem::replace(&mut parts.own, super::task::Own::new());
    parts.depth += 1;
    let mut cursor = Cursor::new(reader, node);
    if row_of(reader, &cursor, Places::TOP).is_some() {
        for cursor in cursor.take_children(reader) {
            templates.inserted.set(templates.inserted.get() + 1);
            child(reader, cursor, parts);
        }
    }
    parts.depth -= 1;
    let used = std::mem::replace(&mut parts.own, outer).merged();
    parts.own.use_below(used);
    reader.base = outer_base;
    if let Some(kept) = kept {
        let found = std::mem::replace(&mut reader.problems, kept);
        // Limits show only where a template is used.
        let limits = found.into_vec().into_iter().filter(|problem| problem.code == Code::TooDeep);
        limits.take(1).for_each(|problem| reader.report(problem));
    }
}
