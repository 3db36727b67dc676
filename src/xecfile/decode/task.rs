//! A task: its name, its place in the graph, its policies, its steps.

use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::is_task_name;
use crate::base::source::{Span, Spanned};
use crate::xecfile::cursor::{Cursor, Reader};
use crate::xecfile::decode::settings::Bag;
use crate::xecfile::decode::{Once, not_yet, row_of, step, values};
use crate::xecfile::model::{Reference, Settings, Task};
use crate::xecfile::schema::{Places, Row};

/// Reads a task; `None` if it has no name to be known by.
pub(super) fn task<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, span: Span) -> Option<Task> {
    let name = name(reader, &mut cursor, row);
    let mut parts = Parts { task: empty_task(span), bag: Bag::new(), once: Once::default() };
    for property in cursor.take_props() {
        child(reader, property, &mut parts);
    }
    for node in cursor.take_block().unwrap_or_default() {
        let cursor = Cursor::new(reader, node);
        child(reader, cursor, &mut parts);
    }
    cursor.finish(reader);
    Some(Task { name: name?, settings: parts.bag.settings, ..parts.task })
}

/// A task while it is read.
struct Parts {
    task: Task,
    bag: Bag,
    once: Once,
}

fn empty_task(span: Span) -> Task {
    Task {
        name: Spanned::new(Arc::from(""), span),
        desc: None,
        needs: Vec::new(),
        after: Vec::new(),
        settings: Settings::default(),
        body: Vec::new(),
        span,
    }
}

fn name<'a>(reader: &mut Reader<'a>, cursor: &mut Cursor<'a>, row: &'static Row) -> Option<Spanned<Arc<str>>> {
    let value = cursor.arg(reader, row)?;
    let text = values::text(reader, &value)?;
    if !is_task_name(text) {
        let problem = Problem::error(Code::BadName, format!("`{text}` cannot be the name of a task"));
        let help = "a name begins with a letter; letters, digits, `_`, `.` and `-` may follow";
        reader.report(problem.at(value.span, "").help(help));
        return None;
    }
    Some(Spanned::new(text.into(), value.span))
}

fn child<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, parts: &mut Parts) {
    let Some(row) = row_of(reader, &cursor, Places::TASK) else { return };
    match row.name {
        "desc" => {
            if !parts.once.check(reader, row.name, &cursor) {
                return;
            }
            if let Some(value) = cursor.arg(reader, row) {
                parts.task.desc = values::text(reader, &value).map(Arc::from);
            }
            cursor.finish(reader);
        }
        "needs" => edges(reader, cursor, row, &mut parts.task.needs),
        "after" => edges(reader, cursor, row, &mut parts.task.after),
        _ if row.is_setting() => parts.bag.add(reader, cursor, row),
        _ => parts.task.body.extend(step::step(reader, cursor, row)),
    }
}

/// `needs a b`, `after a b`.
fn edges<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, out: &mut Vec<Reference>) {
    for value in cursor.args(reader, row).unwrap_or_default() {
        out.extend(values::reference(reader, &value));
    }
    inputs(reader, &mut cursor);
    for node in cursor.take_block().unwrap_or_default() {
        let child = Cursor::new(reader, node);
        if row_of(reader, &child, Places::EDGE).is_some() {
            not_yet(reader, child.name_span, &format!("`{}` here", child.name));
        }
    }
    cursor.finish(reader);
}

/// The properties of an edge give values to the inputs of its task.
pub(super) fn inputs<'a>(reader: &mut Reader<'a>, cursor: &mut Cursor<'a>) {
    for property in cursor.take_props() {
        not_yet(reader, property.head, &format!("an input of a task, as `{}` here,", property.name));
    }
}
