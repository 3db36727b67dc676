//! A node of the document as the language sees it: its name, its values in the spelling of the source, its
//! properties (each the same as a child), its block. What nobody took is reported. Knows KDL, and of the
//! language only how many values a row says there are.

use std::collections::HashMap;
use std::ops::Range;

use kdl::{KdlEntry, KdlNode, KdlValue};

use crate::base::diagnostic::{Code, Problem, Problems};
use crate::base::source::{SourceId, Span};
use crate::xecfile::decode::Templates;
use crate::xecfile::guard::quote;
use crate::xecfile::schema::Row;

/// Where decoding reads from and reports to.
pub(crate) struct Reader<'a> {
    /// The text as it was written.
    pub(crate) text: &'a str,
    source: SourceId,
    /// What has been told already.
    broken: &'a [Range<usize>],
    /// Where the part that is being read begins.
    pub(crate) base: usize,
    /// What was found.
    pub(crate) problems: Problems,
    /// What `use` finds.
    pub(crate) templates: Option<&'a Templates>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: SourceId, text: &'a str, broken: &'a [Range<usize>], problems: Problems) -> Self {
        Self { text, source, broken, base: 0, problems, templates: None }
    }

    /// Tells a problem, unless it only comes from a word that was told already.
    pub(crate) fn report(&mut self, problem: Problem) {
        let told = problem.labels.first().is_some_and(|label| self.is_broken(label.span));
        if !told {
            self.problems.push(problem);
        }
    }

    /// What has been told already.
    pub(crate) fn broken(&self) -> &'a [Range<usize>] {
        self.broken
    }

    /// Whether a part of this was replaced.
    pub(crate) fn is_broken(&self, span: Span) -> bool {
        overlaps(self.broken, span)
    }

    /// The text at a place.
    pub(crate) fn slice(&self, span: Span) -> &'a str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The place of a range of the part that is being read.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        self.span_at(self.base, start, end)
    }

    /// The same for another part.
    pub(crate) fn span_at(&self, base: usize, start: usize, end: usize) -> Span {
        let byte = |at: usize| u32::try_from(base + at).unwrap_or(u32::MAX);
        Span { source: self.source, start: byte(start), end: byte(end) }
    }
}

/// What kind of value it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ValueKind {
    Text,
    Number,
    Bool(bool),
    Other,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) struct Value<'a> {
    /// What a string says; for all else, the spelling of the source.
    pub(crate) text: &'a str,
    pub(crate) kind: ValueKind,
    pub(crate) span: Span,
    /// How it is spelled in the source.
    pub(crate) repr: &'a str,
}

impl<'a> Value<'a> {
    fn new(reader: &mut Reader<'a>, entry: &'a KdlEntry) -> Self {
        let end = entry.span().offset() + entry.span().len();
        let length = entry.format().map_or(entry.span().len(), |format| format.value_repr.len());
        let span = reader.span(end.saturating_sub(length), end);
        let repr = reader.slice(span);
        let (text, kind) = match entry.value() {
            KdlValue::String(text) => (text.as_str(), ValueKind::Text),
            KdlValue::Integer(_) | KdlValue::Float(_) if !repr.starts_with('#') => (repr, ValueKind::Number),
            KdlValue::Bool(value) => (repr, ValueKind::Bool(*value)),
            _ => (repr, ValueKind::Other),
        };
        if text.contains('\0') {
            let problem = Problem::error(Code::BadValue, "a text cannot hold the character NUL");
            reader.report(problem.at(span, "no program could be given this"));
        }
        Self { text, kind, span, repr }
    }

    /// The name of a node, as a value.
    pub(crate) fn of_name(cursor: &Cursor<'a>) -> Self {
        Self { text: cursor.name, kind: ValueKind::Text, span: cursor.name_span, repr: cursor.name }
    }

    /// Whether it is a string without quotes.
    pub(crate) fn is_bare(&self) -> bool {
        self.kind == ValueKind::Text && !self.repr.starts_with(['"', '#'])
    }

    /// The place of a range of its text, where the spelling is the text but for its quotes; else all of it.
    pub(crate) fn part(&self, range: Range<usize>) -> Span {
        let before = self.repr.find(self.text).filter(|_| !self.text.is_empty()).unwrap_or_default();
        let quotes = self.repr.len() - self.text.len().min(self.repr.len());
        let spelled = self.is_bare() || before * 2 == quotes;
        if !spelled || range.end > self.text.len() {
            return self.span;
        }
        let start = self.span.start + before as u32;
        Span { source: self.span.source, start: start + range.start as u32, end: start + range.end as u32 }
    }
}

/// A node, or a property, which is the same as a child of that name with one value.
pub(crate) struct Cursor<'a> {
    pub(crate) name: &'a str,
    pub(crate) name_span: Span,
    /// The node without its block.
    pub(crate) head: Span,
    /// Whether it was written as a property.
    pub(crate) property: bool,
    args: Vec<Value<'a>>,
    props: Vec<Cursor<'a>>,
    block: Option<&'a [KdlNode]>,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(reader: &mut Reader<'a>, node: &'a KdlNode) -> Self {
        let name = node.name().span();
        let name_span = reader.span(name.offset(), name.offset() + name.len());
        let mut head = name_span;
        let mut args = Vec::new();
        let mut props: Vec<Cursor<'a>> = Vec::new();
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for entry in node.entries() {
            let value = Value::new(reader, entry);
            head.end = head.end.max(value.span.end);
            let Some(key) = entry.name() else {
                args.push(value);
                continue;
            };
            let at = reader.span(key.span().offset(), key.span().offset() + key.span().len());
            if let Some(first) = seen.insert(key.value(), at) {
                let problem = Problem::error(Code::Duplicate, format!("`{}` is there twice", key.value()));
                reader.report(problem.at(at, "the second one").at(first, "the first one").help("remove one of them"));
                continue;
            }
            let head = Span { end: value.span.end, ..at };
            let args = vec![value];
            props.push(Cursor {
                name: key.value(),
                name_span: at,
                head,
                property: true,
                args,
                props: Vec::new(),
                block: None,
            });
        }
        let block = node.children().map(|children| children.nodes());
        Self { name: node.name().value(), name_span, head, property: false, args, props, block }
    }

    /// Its values, whatever they are.
    pub(crate) fn take_args(&mut self) -> Vec<Value<'a>> {
        std::mem::take(&mut self.args)
    }

    /// Its values, if there are as many as the row says; else tells so, and gives none.
    pub(crate) fn args(&mut self, reader: &mut Reader<'a>, row: &Row) -> Option<Vec<Value<'a>>> {
        let args = self.take_args();
        let like = || format!("like this: {}", row.example);
        if args.len() < row.args.min {
            let message = match args.len() {
                0 => format!("`{}` has no value", self.name),
                _ => format!("`{}` has too few values", self.name),
            };
            reader.report(Problem::error(Code::MissingValue, message).at(self.name_span, "").help(like()));
            return None;
        }
        if let Some(extra) = row.args.max.and_then(|max| args.get(max)) {
            let message = match row.args.max {
                Some(0) => format!("`{}` takes no value", self.name),
                _ => format!("`{}` takes no further value", self.name),
            };
            reader.report(Problem::error(Code::ExtraValue, message).at(extra.span, "one too many").help(like()));
            return None;
        }
        Some(args)
    }

    /// Its one value.
    pub(crate) fn arg(&mut self, reader: &mut Reader<'a>, row: &Row) -> Option<Value<'a>> {
        self.args(reader, row)?.into_iter().next()
    }

    /// Its properties.
    pub(crate) fn take_props(&mut self) -> Vec<Cursor<'a>> {
        std::mem::take(&mut self.props)
    }

    /// What it says under a name, in either spelling; a node of its block stays there, to be passed over.
    pub(crate) fn take_one(&mut self, reader: &mut Reader<'a>, name: &str) -> Option<Cursor<'a>> {
        if let Some(at) = self.props.iter().position(|property| property.name == name) {
            return Some(self.props.remove(at));
        }
        let node = self.block?.iter().find(|node| node.name().value() == name)?;
        Some(Cursor::new(reader, node))
    }

    /// Its block; `None` if there is none, or it is empty.
    pub(crate) fn take_block(&mut self) -> Option<&'a [KdlNode]> {
        self.block.take().filter(|nodes| !nodes.is_empty())
    }

    /// Its properties and then the nodes of its block: the two spellings of one thing.
    pub(crate) fn take_children(&mut self, reader: &mut Reader<'a>) -> Vec<Cursor<'a>> {
        let mut children = self.take_props();
        for node in self.take_block().unwrap_or_default() {
            children.push(Cursor::new(reader, node));
        }
        children
    }

    /// How many properties it has, and nodes in its block.
    pub(crate) fn count_children(&self) -> usize {
        self.props.len() + self.block.map_or(0, <[KdlNode]>::len)
    }

    /// Whether a node in its block has such a name.
    pub(crate) fn holds(&self, is: impl Fn(&str) -> bool) -> bool {
        self.block.is_some_and(|nodes| nodes.iter().any(|node| is(node.name().value())))
    }

    /// The node that its values spell: `when os linux` is `when { os linux }`.
    pub(crate) fn take_line(&mut self) -> Option<Cursor<'a>> {
        let mut values = self.take_args().into_iter();
        let first = values.next()?;
        let args: Vec<Value<'a>> = values.collect();
        let end = args.last().map_or(first.span.end, |last| last.span.end);
        let head = Span { end, ..first.span };
        let (name, name_span) = (first.text, first.span);
        Some(Cursor { name, name_span, head, property: false, args, props: Vec::new(), block: None })
    }

    /// Tells of everything that nobody took.
    pub(crate) fn finish(mut self, reader: &mut Reader<'a>) {
        if let Some(extra) = self.args.first() {
            let message = format!("`{}` takes no value here", self.name);
            reader.report(Problem::error(Code::ExtraValue, message).at(extra.span, ""));
        }
        for property in &self.props {
            let message = format!("`{}` has no property `{}`", self.name, property.name);
            reader.report(Problem::error(Code::UnknownSetting, message).at(property.name_span, ""));
        }
        if let Some(child) = self.take_block().and_then(<[KdlNode]>::first) {
            let name = child.name().span();
            let place = reader.span(name.offset(), name.offset() + name.len());
            let message = format!("`{}` takes no block", self.name);
            reader.report(Problem::error(Code::UnknownNode, message).at(place, "nothing can stand here"));
        }
    }
}

/// Whether one of these ranges, which are in order, has a byte of the place.
pub(crate) fn overlaps(ranges: &[Range<usize>], span: Span) -> bool {
    let (start, end) = (span.start as usize, span.end as usize);
    let after = ranges.partition_point(|range| range.end <= start);
    ranges.get(after).is_some_and(|range| range.start < end)
}

/// Joins values as they are written, for a proposal; `None` where that would be many lines.
pub(crate) fn joined(reader: &Reader<'_>, values: &[Value<'_>]) -> Option<String> {
    let (first, last) = (values.first()?, values.last()?);
    let text = reader.slice(Span { end: last.span.end, ..first.span });
    if text.len() > 200 || text.contains(['\n', '\r']) {
        return None;
    }
    let all_bare = values.iter().all(|value| value.is_bare() || value.kind == ValueKind::Number);
    Some(if all_bare { quote(text) } else { quote(&text.replace('"', "'")) })
}
