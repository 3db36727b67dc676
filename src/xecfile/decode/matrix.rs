//! `matrix`: axes, what is left out and added, and the policies and hooks of the set.

mod batches;
mod combinations;

use std::collections::HashMap;
use std::time::Duration;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::base::source::{Span, Spanned};
use crate::base::value::Template;
use crate::xecfile::cursor::{Cursor, Reader, Value};
use crate::xecfile::decode::settings::Bag;
use crate::xecfile::decode::step::{hook, is_hook};
use crate::xecfile::decode::{Once, details, edge, empty, hosts, row_of, unreachable_row, values};
use crate::xecfile::model::{Axis, AxisSource, From, HOST_AXIS, Matrix, On, range};
use crate::xecfile::schema::{self, Places, Role, Row, State};

/// Axes of one matrix, at most: a second one of 2 values doubles it, so these are more than any run can be.
const MOST_AXES: usize = 64;

/// Reads a matrix.
pub(super) fn matrix<'a>(
    reader: &mut Reader<'a>,
    mut cursor: Cursor<'a>,
    row: &'static Row,
    span: Span,
) -> Option<Matrix> {
    cursor.args(reader, row)?;
    let matrix = Matrix::of(span);
    let mut parts = Parts { matrix, bag: Bag::new(), once: Once::default(), whole: true };
    for property in cursor.take_props() {
        if schema::find(property.name, Places::MATRIX).is_none() {
            parts.whole = false;
            no_setting(reader, &property);
        } else if let Some(row) = row_of(reader, &property, Places::MATRIX) {
            child(reader, property, row, &mut parts);
        } else {
            parts.whole = false;
        }
    }
    for node in cursor.take_block().unwrap_or_default() {
        let cursor = Cursor::new(reader, node);
        match schema::find(cursor.name, Places::MATRIX) {
            Some(row) if row.state == State::Now => child(reader, cursor, row, &mut parts),
            Some(_) => {
                row_of(reader, &cursor, Places::MATRIX);
                parts.whole = false;
            }
            None => bare_axis(reader, cursor, &mut parts),
        }
    }
    if parts.matrix.axes.is_empty() && parts.whole {
        empty(reader, &cursor, row);
    }
    cursor.finish(reader);
    if parts.whole {
        combinations::check(reader, &parts.matrix);
    }
    parts.matrix.settings = parts.bag.settings;
    Some(parts.matrix)
}

struct Parts {
    matrix: Matrix,
    bag: Bag,
    once: Once,
    /// Whether all axes are known.
    whole: bool,
}

fn child<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, parts: &mut Parts) {
    match row.name {
        "on" => return on(reader, cursor, row, parts),
        _ if row.is_setting() => return parts.bag.add(reader, cursor, row),
        _ if is_hook(row) => return hook(reader, cursor, row, &mut parts.once, &mut parts.matrix.hooks),
        "exclude" | "include" => {
            let bindings = edge::bindings(reader, &mut cursor);
            if bindings.is_empty() && cursor.args(reader, row).is_some() {
                let message = format!("`{}` names no values", row.name);
                let help = format!("like this: {}", row.example);
                reader.report(Problem::error(Code::MissingValue, message).at(cursor.name_span, "").help(help));
            }
            let list = if row.name == "exclude" { &mut parts.matrix.exclude } else { &mut parts.matrix.include };
            list.push(bindings);
        }
        "batches" => {
            if !parts.once.check(reader, row.name, &cursor) {
                return;
            }
            parts.matrix.batches = batches::batches(reader, &mut cursor, row);
        }
        "empty" => {
            if let Some(value) = cursor.arg(reader, row) {
                parts.matrix.may_be_empty = value.text == "ok";
                if value.text != "ok" {
                    values::bad(reader, row, &value, Some("like this: matrix empty=ok".to_owned()));
                }
            }
        }
        "axis" => {
            let mut args = cursor.take_args().into_iter();
            match args.next() {
                Some(name) => {
                    let values = args.collect();
                    axis(reader, cursor, &name, values, parts);
                }
                None => {
                    let problem = Problem::error(Code::MissingValue, "`axis` has no name").at(cursor.name_span, "");
                    reader.report(problem.help(format!("like this: {}", row.example)));
                }
            }
            return;
        }
        _ => unreachable_row(reader, &cursor),
    }
    cursor.finish(reader);
}

/// `on "web & !canary"`: the axis `host`, whose instances run there.
fn on<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, parts: &mut Parts) {
    let span = cursor.head;
    let Some(value) = cursor.arg(reader, row) else {
        parts.whole = false;
        return;
    };
    let found = hosts::on(reader, &mut cursor, &value);
    cursor.finish(reader);
    let source = match found.map(|on| on.value) {
        Some(On::Hosts(selector)) => AxisSource::On(selector),
        Some(On::Here | On::One(..)) => {
            let problem = Problem::error(Code::BadValue, "`on` in a matrix is an axis, and this is none");
            reader.report(problem.at(span, "").help("where its instances run is said in the task, beside the matrix"));
            parts.whole = false;
            return;
        }
        None => {
            parts.whole = false;
            return;
        }
    };
    push(reader, Axis { name: Spanned::new(HOST_AXIS.into(), value.span), source, span }, parts);
}

/// A property that is no setting of a matrix: nearly one, or an axis in the wrong place.
fn no_setting(reader: &mut Reader<'_>, property: &Cursor<'_>) {
    let name = property.name;
    let written = reader.slice(property.head).replacen('=', " ", 1);
    let axis = if written.len() < 100 && !written.contains('\n') { written } else { format!("{name} …") };
    let axis = format!("an axis stands in the block: matrix {{ {axis} }}");
    let native = schema::word_for(name).and_then(|word| schema::find(word, Places::MATRIX));
    let help = match (native, did_you_mean(name, schema::names_at(Places::MATRIX, true))) {
        (Some(row), _) => format!("here it is `{}`: {}", row.name, row.example),
        (None, Some(help)) => format!("{help}\n{axis}"),
        (None, None) => axis,
    };
    let problem = Problem::error(Code::UnknownSetting, format!("there is no setting `{name}` in `matrix`"));
    reader.report(problem.at(property.name_span, "").help(help));
}

/// A word that is no setting of a matrix: an axis, unless it is a word of the language.
fn bare_axis<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, parts: &mut Parts) {
    let name = cursor.name;
    let values = cursor.take_args();
    let places = Places::TOP.or(Places::TASK).or(Places::STEP).or(Places::GROUP);
    let word = schema::rows().iter().find(|row| row.name == name && places.overlaps(row.places));
    if let Some(row) = word {
        parts.whole = false;
        let step = row.role == Role::Node && row.places.has(Places::GROUP);
        let written = reader.slice(cursor.head).split_once(name).map_or("", |(_, rest)| rest);
        let (message, help) = match step {
            true => (format!("`{name}` is a step, and stands in the task"), "move it out of `matrix`".to_owned()),
            false => {
                let written = if written.len() < 100 && !written.contains('\n') { written } else { " …" };
                let there = if row.places.overlaps(Places::TASK) && !row.is_setting() {
                    "it stands in the task, beside `matrix`, and each instance has its own\n".to_owned()
                } else {
                    String::new()
                };
                let help = match name {
                    HOST_AXIS => OVER_HOSTS.to_owned(),
                    _ => format!("{there}as an axis: axis {name}{written}"),
                };
                (format!("`{name}` is a word of xec, and names no axis by itself"), help)
            }
        };
        return reader.report(Problem::error(Code::BadName, message).at(cursor.name_span, "").help(help));
    }
    // What holds steps is no axis, but a hook that is called otherwise elsewhere or mistyped.
    if cursor.holds(|inner| schema::find(inner, Places::GROUP).is_some_and(|row| row.role == Role::Node)) {
        parts.whole = false;
        let native = schema::word_for(name).filter(|word| schema::find(word, Places::MATRIX).is_some());
        let help = native
            .map(|word| format!("here it is `{word}`"))
            .or_else(|| did_you_mean(name, schema::names_at(Places::MATRIX, false)))
            .unwrap_or_else(|| "steps stand in the task, and in the hooks of a matrix".to_owned());
        let problem = Problem::error(Code::UnknownNode, format!("there is no node `{name}` in `matrix`"));
        return reader.report(problem.at(cursor.name_span, "").help(help));
    }
    let as_value = Value::of_name(&cursor);
    axis(reader, cursor, &as_value, values, parts);
}

fn axis<'a>(
    reader: &mut Reader<'a>,
    mut cursor: Cursor<'a>,
    name: &Value<'a>,
    values: Vec<Value<'a>>,
    parts: &mut Parts,
) {
    let span = cursor.head;
    let source = source(reader, &mut cursor, name, &values, parts);
    cursor.finish(reader);
    let name = values::name(reader, name, "an axis");
    let (Some(name), Some(source)) = (name, source) else {
        parts.whole = false;
        return;
    };
    push(reader, Axis { name, source, span }, parts);
}

fn push(reader: &mut Reader<'_>, axis: Axis, parts: &mut Parts) {
    let (name, span) = (&axis.name, axis.span);
    if let Some(first) = parts.matrix.axes.iter().find(|axis| axis.name.value == name.value) {
        let problem = Problem::error(Code::Duplicate, format!("there are two axes `{}`", name.value));
        let problem = problem.at(name.span, "the second one").at(first.name.span, "the first one");
        return reader.report(problem.help("write all of its values on one line"));
    }
    if parts.matrix.axes.len() == MOST_AXES {
        let problem = Problem::error(Code::TooDeep, format!("a matrix has more than {MOST_AXES} axes"));
        reader.report(problem.at(span, "one too many"));
    }
    if parts.matrix.axes.len() < MOST_AXES {
        parts.matrix.axes.push(axis);
    } else {
        parts.whole = false;
    }
}

fn source<'a>(
    reader: &mut Reader<'a>,
    cursor: &mut Cursor<'a>,
    name: &Value<'a>,
    values: &[Value<'a>],
    parts: &Parts,
) -> Option<AxisSource> {
    let mut found = None;
    let mut told = false;
    let written = cursor.count_children();
    let (mut many, mut late) = (0, Late::default());
    for (row, mut detail) in details(reader, cursor, Places::AXIS) {
        if late.takes(reader, &mut detail, row) {
            detail.finish(reader);
            continue;
        }
        many += 1;
        if let Some(value) = detail.arg(reader, row) {
            let text = match row.name {
                "hosts" => hosts::selector(reader, &value),
                _ => values::template(reader, &value),
            };
            if row.name == "range"
                && let Some(why) =
                    text.as_ref().and_then(|text| text.value.as_text()).and_then(|text| range(text).err())
            {
                let problem = Problem::error(Code::BadValue, format!("`{}` is {why}", value.text));
                reader.report(problem.at(value.span, "").help("like this: shard range=\"1..8\""));
                told = true;
            }
            found = text.map(|text| match row.name {
                "glob" => AxisSource::Glob(text),
                "hosts" => AxisSource::Hosts(text),
                _ => AxisSource::Range(text),
            });
        }
        detail.finish(reader);
    }
    let late = late.source(reader, cursor, parts);
    if let Some(from) = late {
        many += 1;
        found = from;
    }
    if written > 0 {
        if many > 1 && found.is_some() || found.is_some() && !values.is_empty() {
            let message = format!("the values of `{}` have more than one source", name.text);
            let help = "an axis has words, or `glob`, or `range`, or `hosts`, or `from`";
            reader.report(Problem::error(Code::ExtraValue, message).at(cursor.head, "").help(help));
        }
        return found.filter(|_| !told);
    }
    if values.is_empty() {
        no_values(reader, name, parts);
        return None;
    }
    words(reader, name, values)
}

/// The values of an axis as words.
fn words<'a>(reader: &mut Reader<'a>, name: &Value<'a>, values: &[Value<'a>]) -> Option<AxisSource> {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    let mut words = Vec::with_capacity(values.len());
    for value in values {
        values::no_comma(reader, value);
        if let Some(first) = seen.insert(value.text, value.span) {
            let problem =
                Problem::error(Code::Duplicate, format!("the axis `{}` has `{}` twice", name.text, value.text));
            reader
                .report(problem.at(value.span, "the second one").at(first, "the first one").help("remove one of them"));
        }
        words.extend(values::template(reader, value));
    }
    (words.len() == values.len()).then_some(AxisSource::Values(words))
}

/// `from="${list}" chunk=10 within="100ms"`, as far as it is written.
#[derive(Default)]
struct Late {
    list: Option<Option<Spanned<Template>>>,
    chunk: Option<Spanned<u32>>,
    within: Option<Spanned<Duration>>,
}

impl Late {
    /// Reads a detail if it is one of these.
    fn takes<'a>(&mut self, reader: &mut Reader<'a>, detail: &mut Cursor<'a>, row: &'static Row) -> bool {
        if !matches!(row.name, "from" | "chunk" | "within") {
            return false;
        }
        let value = detail.arg(reader, row);
        match (row.name, value) {
            ("from", value) => self.list = Some(value.and_then(|value| values::template(reader, &value))),
            ("chunk", Some(value)) => {
                self.chunk = values::number(reader, row, &value);
                if self.chunk.as_ref().is_some_and(|chunk| chunk.value == 0) {
                    values::bad(reader, row, &value, Some("a chunk holds at least one item".to_owned()));
                }
            }
            ("within", Some(value)) => self.within = values::time(reader, row, &value),
            _ => {}
        }
        true
    }

    /// What it comes to; `Some(None)` where that has been complained of.
    fn source(self, reader: &mut Reader<'_>, cursor: &Cursor<'_>, parts: &Parts) -> Option<Option<AxisSource>> {
        let (chunk, within) = (self.chunk, self.within);
        let lone = |at: Span, what: &str, wants: &str| {
            Problem::error(Code::MissingValue, format!("`{what}` says nothing without `{wants}`")).at(at, "")
        };
        if let (Some(within), None) = (&within, &chunk) {
            reader.report(lone(within.span, "within", "chunk").help("it is how long a chunk waits to be full"));
        }
        let Some(list) = self.list else {
            let chunk = chunk?;
            reader.report(lone(chunk.span, "chunk", "from").help("like this: batch from=\"${done}\" chunk=10"));
            return Some(None);
        };
        if let Some(first) = parts.matrix.late().map(|(axis, _)| axis.span) {
            let problem = Problem::error(Code::Duplicate, "a matrix has one axis with `from` at most");
            let problem = problem.at(cursor.head, "the second one").at(first, "the first one");
            reader.report(problem.help("make one list of the two, or `call` a task with a matrix of its own"));
            return Some(None);
        }
        let Some(list) = list else { return Some(None) };
        if let Some(text) = list.value.as_text() {
            let problem = Problem::error(Code::BadValue, format!("`from` reads a list, and `{text}` is a text"));
            let help =
                format!("name a list: from=\"${{{text}}}\"; values that are known stand behind the axis as words");
            reader.report(problem.at(list.span, "").help(help));
            return Some(None);
        }
        let (chunk, within) = (chunk.map(|chunk| chunk.value), within.map(|within| within.value));
        Some(Some(AxisSource::From(From { list, chunk, within })))
    }
}

/// How the axis that is called after them is written.
const OVER_HOSTS: &str = "an instance for each host: on \"web*\" (names, globs and tags of hosts)";

/// Most likely a line break among the values of the axis before.
fn no_values(reader: &mut Reader<'_>, name: &Value<'_>, parts: &Parts) {
    let problem = Problem::error(Code::MissingValue, format!("the axis `{}` has no values", name.text));
    let problem = problem.at(name.span, "");
    if name.text == HOST_AXIS {
        return reader.report(problem.help(OVER_HOSTS));
    }
    let before = parts.matrix.axes.last().map(|axis| (axis.span, reader.slice(axis.span)));
    reader.report(match before {
        Some((span, line)) if line.len() < 100 && !line.contains('\n') => problem
            .at(span, "if it is a value of this axis, a line break separates them")
            .help(format!("as a value: {line} {}\nas an axis: {} …", name.repr, name.repr)),
        _ => problem.help(format!("like this: {} linux macos", name.repr)),
    });
}
