//! How problems look: in the order of the file, each with its lines, at most so many. Knows nothing of where
//! problems come from.

use std::borrow::Cow;
use std::fmt::Write as _;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};

use crate::base::diagnostic::{Label, MOST_PROBLEMS, Problem, Severity};
use crate::base::name::is_unseen;
use crate::base::source::{SourceId, SourceMap};

/// Problems that are shown; beyond these they are counted.
const SHOWN: usize = 50;

/// Characters of a line that are shown around a place in it; a longer line is cut.
const LONGEST_LINE: usize = 200;

/// Lines of one place that are shown; a longer one is shown by its first line.
const LONGEST_PLACE: usize = 6;

/// Renders all problems, with a count at the end if there is more than one.
pub fn render(problems: &[Problem], sources: &SourceMap, color: bool, width: usize) -> String {
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort_by_key(|problem| problem.labels.first().map(|label| label.span));
    let shown = &sorted[..sorted.len().min(SHOWN)];
    let texts = Texts::new(shown, sources);
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .with_width(width.max(40))
        .with_context_lines(1)
        .without_cause_chain()
        .without_syntax_highlighting();
    let mut out = String::new();
    for problem in shown {
        // Writing to a string cannot fail, and a view gives only places inside its text.
        let _ = handler.render_report(&mut out, &View::new(problem, &texts));
        out.push('\n');
    }
    let _ = write!(out, "{}", count(problems, sources));
    out
}

/// `and 7 more` and `3 problems in Xecfile.kdl`, where there is something to count.
fn count(problems: &[Problem], sources: &SourceMap) -> String {
    let mut out = String::new();
    if let Some(more) = problems.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let least = if problems.len() >= MOST_PROBLEMS { "at least " } else { "" };
        let _ = writeln!(out, "and {least}{more} more\n");
    }
    if problems.len() > 1 {
        let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
        let of = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let counted = match (errors, problems.len() - errors) {
            (_, 0) => of(errors, "problem"),
            (0, warnings) => of(warnings, "warning"),
            (errors, warnings) => format!("{} and {}", of(errors, "problem"), of(warnings, "warning")),
        };
        let first = problems.iter().find_map(|problem| problem.labels.first()).map(|label| label.span.source);
        let same = problems.iter().flat_map(|problem| &problem.labels).all(|label| Some(label.span.source) == first);
        let place = match first.filter(|_| same) {
            Some(source) => format!(" in {}", escaped(&sources.get(source).path.to_string_lossy(), false)),
            None => String::new(),
        };
        let _ = writeln!(out, "{counted}{place}");
    }
    out
}

/// The sources as they can be shown: control characters escaped, endless lines cut. Only those with problems.
struct Texts {
    sources: Vec<(SourceId, Text)>,
}

#[derive(Debug)]
struct Text {
    name: String,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
    /// Where bytes of the source that labels begin or end at are in what is shown, in order.
    places: Vec<(u32, usize)>,
}

impl Texts {
    fn new(problems: &[&Problem], sources: &SourceMap) -> Self {
        let mut wanted: Vec<(SourceId, u32)> = Vec::new();
        for label in problems.iter().flat_map(|problem| &problem.labels) {
            wanted.extend([(label.span.source, label.span.start), (label.span.source, label.span.end)]);
        }
        wanted.sort_unstable();
        wanted.dedup();
        let by_source = wanted.chunk_by(|a, b| a.0 == b.0).map(|wanted| {
            let source = sources.get(wanted[0].0);
            let at: Vec<u32> = wanted.iter().map(|(_, byte)| *byte).collect();
            let (text, places) = showable(&source.text, &at);
            let name = escaped(&source.path.to_string_lossy(), false).into_owned();
            let lines =
                std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1)).collect();
            (wanted[0].0, Text { name, text, lines, places })
        });
        Self { sources: by_source.collect() }
    }

    fn get(&self, id: SourceId) -> Option<&Text> {
        let at = self.sources.binary_search_by_key(&id, |(source, _)| *source).ok()?;
        Some(&self.sources[at].1)
    }
}

impl Text {
    fn place(&self, byte: u32) -> usize {
        match self.places.binary_search_by_key(&byte, |(byte, _)| *byte) {
            Ok(at) => self.places[at].1,
            Err(_) => 0,
        }
    }

    fn label(&self, label: &Label) -> LabeledSpan {
        let (start, mut end) = (self.place(label.span.start), self.place(label.span.end));
        // Of a place as long as this, the beginning says enough.
        if let Some(whole) = self.text.get(start..end)
            && let Some((at, _)) = whole.match_indices('\n').nth(LONGEST_PLACE)
        {
            end = start + whole[..at].find('\n').unwrap_or(at);
        }
        let text = Some(escaped(&clipped(&label.text), false).into_owned()).filter(|text| !text.is_empty());
        LabeledSpan::new(text, start, end.saturating_sub(start))
    }
}

/// Whole lines of a source, and no others around them.
impl SourceCode for Text {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let start = span.offset();
        let end = start + span.len();
        let Some(inner) = self.text.get(start..end) else { return Err(MietteError::OutOfBounds) };
        let line = self.lines.partition_point(|begin| *begin <= start) - 1;
        let last = start + inner.strip_suffix('\n').unwrap_or(inner).len();
        let until =
            memchr::memchr(b'\n', &self.text.as_bytes()[last..]).map_or(self.text.len(), |length| last + length);
        // Without context, only where it begins is asked for.
        let (from, to, column) = match context {
            0 => (start, end, self.text[self.lines[line]..start].chars().count()),
            _ => (self.lines[line], until, 0),
        };
        let data = &self.text.as_bytes()[from..to];
        let count = memchr::memchr_iter(b'\n', data).count() + 1;
        let place = SourceSpan::from((from, to - from));
        Ok(Box::new(MietteSpanContents::new_named(self.name.clone(), data, place, line, column, count)))
    }
}

/// A copy of `text` to be shown, with the same lines, and where the bytes `wanted` (in order) are in it.
fn showable(text: &str, wanted: &[u32]) -> (String, Vec<(u32, usize)>) {
    let mut out = String::with_capacity(text.len());
    let mut places = Vec::with_capacity(wanted.len());
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        let rest = &wanted[places.len()..];
        let here = &rest[..rest.partition_point(|byte| (*byte as usize) < end)];
        show_line(line, start, here, &mut out, &mut places);
        start = end;
    }
    for byte in &wanted[places.len()..] {
        places.push((*byte, out.len()));
    }
    (out, places)
}

fn show_line(line: &str, start: usize, wanted: &[u32], out: &mut String, places: &mut Vec<(u32, usize)>) {
    let long = line.len() > 2 * LONGEST_LINE;
    let mut wanted = wanted.iter().copied().peekable();
    let mut last = None;
    let mut cut = false;
    for (offset, c) in line.char_indices() {
        let at = start + offset;
        while let Some(byte) = wanted.next_if(|byte| *byte as usize <= at) {
            places.push((byte, out.len()));
            last = Some(offset);
        }
        let before = last.map_or(offset, |last| offset - last) < LONGEST_LINE;
        let after = wanted.peek().is_some_and(|byte| *byte as usize - at < LONGEST_LINE / 2);
        if c == '\n' || !long || before || after {
            cut = false;
            // The end of a line in the way of Windows is shown as any other.
            if c != '\r' || !line[offset + 1..].starts_with('\n') {
                push_escaped(c, out);
            }
        } else if !cut {
            cut = true;
            out.push('…');
        }
    }
    for byte in wanted {
        places.push((byte, out.len()));
    }
}

fn push_escaped(c: char, out: &mut String) {
    if matches!(c, '\n' | '\t') || !is_unseen(c) {
        out.push(c);
    } else {
        let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
    }
}

/// A text of xec's own, which may quote the file.
fn escaped(text: &str, lines: bool) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' if !lines => out.push_str("\\n"),
            '\t' if !lines => out.push_str("\\t"),
            _ => push_escaped(c, &mut out),
        }
    }
    Cow::Owned(out)
}

/// One problem with its places in one source; what else belongs to it is `related`.
#[derive(Debug)]
struct View<'a> {
    code: Option<String>,
    severity: miette::Severity,
    message: String,
    labels: Vec<LabeledSpan>,
    source: Option<&'a Text>,
    help: Option<String>,
    related: Vec<View<'a>>,
}

impl<'a> View<'a> {
    fn new(problem: &Problem, texts: &'a Texts) -> Self {
        let (word, severity) = match problem.severity {
            Severity::Error => ("error", miette::Severity::Error),
            Severity::Warning => ("warning", miette::Severity::Warning),
        };
        let home = problem.labels.first().map(|label| label.span.source);
        let text = home.and_then(|home| texts.get(home));
        let here = problem.labels.iter().filter(|label| Some(label.span.source) == home);
        let elsewhere = problem.labels.iter().filter(|label| Some(label.span.source) != home);
        Self {
            code: Some(format!("{word}[{}]", problem.code.as_str())),
            severity,
            message: escaped(&clipped(&problem.message), false).into_owned(),
            labels: text.map(|text| here.map(|label| text.label(label)).collect()).unwrap_or_default(),
            source: text,
            help: problem.help.as_deref().map(|help| {
                let lines: Vec<Cow<'_, str>> = help.split('\n').map(clipped).collect();
                escaped(&lines.join("\n"), true).into_owned()
            }),
            related: elsewhere.filter_map(|label| Self::elsewhere(label, texts)).collect(),
        }
    }

    /// A place in another source than the problem's first.
    fn elsewhere(label: &Label, texts: &'a Texts) -> Option<Self> {
        let text = texts.get(label.span.source)?;
        let mut place = text.label(label);
        place.set_label(None);
        Some(Self {
            code: None,
            severity: miette::Severity::Advice,
            message: escaped(&label.text, false).into_owned(),
            labels: vec![place],
            source: Some(text),
            help: None,
            related: Vec::new(),
        })
    }
}

/// A message that quotes something endless is cut.
fn clipped(message: &str) -> Cow<'_, str> {
    match message.char_indices().nth(2 * LONGEST_LINE) {
        Some((end, _)) => Cow::Owned(format!("{}…", &message[..end])),
        None => Cow::Borrowed(message),
    }
}

impl std::fmt::Display for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for View<'_> {}

impl Diagnostic for View<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.code.as_ref().map(|code| Box::new(code) as Box<dyn std::fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty())
            .then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = LabeledSpan>>)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let each = || Box::new(self.related.iter().map(|view| view as &dyn Diagnostic)) as Box<dyn Iterator<Item = _>>;
        (!self.related.is_empty()).then(each)
    }
}
