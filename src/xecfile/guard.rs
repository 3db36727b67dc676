//! What reads a file before the KDL parser does: one pass, in time linear in its bytes, over any bytes.
//!
//! The parser recurses once for each block, each comment and each misplaced brace, doubles its time with each
//! nested `/-`, and says little of common mistakes. So it is given a copy of the text, equal in length, in which
//! comments are spaces and mistakes are harmless words; each mistake has then been told here, with the corrected
//! text, and all that stands beside it can still be read. Knows the lexis of KDL and nothing of xec.

mod blocks;
mod chars;
mod hide;
mod scan;
mod strings;
#[cfg(test)]
mod tests;
mod words;

use std::ops::Range;

use crate::base::diagnostic::{Code, Problem, Problems};
use crate::base::source::SourceId;
use crate::xecfile::guard::chars::newline_len;
pub(crate) use crate::xecfile::guard::chars::{is_forbidden, is_space, quote};
use crate::xecfile::guard::scan::{Scan, Stop};

/// A text that the parser can be given.
#[derive(Debug)]
pub(crate) struct Guarded {
    /// As long as the original, byte for byte.
    pub(crate) text: String,
    /// The nodes at the top, each of them for the parser to read alone.
    pub(crate) nodes: Vec<Range<usize>>,
    /// What was replaced because it has been told already, in order.
    pub(crate) broken: Vec<Range<usize>>,
    /// What was found.
    pub(crate) problems: Problems,
    /// Whether all of the text was understood; else `nodes` ends before what was not.
    pub(crate) whole: bool,
    /// How much work it was: bytes passed over, each as often as it was.
    #[cfg_attr(not(test), expect(dead_code, reason = "what the test of linear time counts"))]
    pub(crate) steps: usize,
}

/// Reads all of `text`.
pub(crate) fn guard(source: SourceId, text: &str) -> Guarded {
    let mut guard =
        Guard { scan: Scan::new(source, text), frames: vec![Frame::default()], nodes: Vec::new(), suspect: None };
    guard.forbidden_characters();
    let whole = guard.run().is_ok();
    let nodes = guard.nodes;
    let (text, problems, broken, steps) = guard.scan.finish();
    Guarded { text, nodes, broken, problems, whole, steps }
}

/// A block, or the whole file.
#[derive(Default)]
struct Frame {
    /// Its brace.
    open: usize,
    /// Its `/-`, if it is commented out.
    dash: Option<usize>,
    /// The node that is being read.
    node: Option<Node>,
    /// The node before, and where it ended: a brace on a line of its own belongs to it.
    before: Option<(Node, usize)>,
}

/// A node that is being read.
struct Node {
    start: usize,
    /// Its `/-`, if it is commented out.
    dash: Option<usize>,
    phase: Phase,
}

enum Phase {
    /// After `/-`.
    NoName,
    /// After a value that was hidden or could not be read.
    Entries,
    /// Right after its name.
    Name,
    /// After something that could be a key.
    Key(Range<usize>),
    /// After something that cannot be one.
    Value(Range<usize>),
    /// After a key and `=`.
    Equals(Range<usize>),
    /// After its block.
    Block,
}

struct Guard<'a> {
    scan: Scan<'a>,
    frames: Vec<Frame>,
    nodes: Vec<Range<usize>>,
    /// A `task` at the beginning of a line, in a block: most likely that block should have ended.
    suspect: Option<(usize, usize)>,
}

impl Guard<'_> {
    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the frame of the file is never popped")
    }

    /// Characters that KDL forbids everywhere, hidden directions of text among them.
    fn forbidden_characters(&mut self) {
        let text = self.scan.text;
        if text.starts_with('\u{feff}') {
            self.scan.advance(3);
            self.scan.blank(0..3);
        }
        let begin = self.scan.at;
        for (at, c) in text.char_indices().filter(|(at, c)| *at >= begin && chars::is_forbidden(*c)) {
            let range = at..at + c.len_utf8();
            let escape = format!("\\u{{{:x}}}", u32::from(c));
            let problem = Problem::error(Code::FileNotText, format!("the character {escape} cannot stand in a file"));
            let help = format!("remove it; in a quoted string it is written {escape}");
            self.scan.replace(range.clone(), problem.at(self.scan.span(range), "").help(help));
            if self.scan.problems.is_full() {
                break;
            }
        }
    }

    fn run(&mut self) -> Result<(), Stop> {
        loop {
            if self.scan.problems.is_full() {
                return Err(Stop);
            }
            self.scan.space(false)?;
            let at = self.scan.at;
            match self.scan.peek() {
                None => break,
                Some(';') => {
                    self.scan.advance(1);
                    if !self.end_node(at, true) {
                        self.scan.blank(at..at + 1);
                    }
                }
                Some('{') => self.open()?,
                Some('}') => self.close()?,
                Some('=') => self.equals(),
                Some('(') => self.annotation(),
                Some('/') if self.scan.starts("/-") && !self.after_equals() => self.slashdash()?,
                Some(_) => match newline_len(self.scan.rest()) {
                    0 => self.value()?,
                    length => {
                        self.scan.advance(length);
                        self.end_node(at, false);
                    }
                },
            }
        }
        self.end_node(self.scan.text.len(), false);
        self.finish()
    }

    fn after_equals(&self) -> bool {
        let node = self.frames.last().and_then(|frame| frame.node.as_ref());
        matches!(node, Some(Node { phase: Phase::Equals(_), .. }))
    }

    /// Ends the node before byte `end`; says whether there was one that stays.
    fn end_node(&mut self, end: usize, semicolon: bool) -> bool {
        let top = self.frames.len() == 1;
        let Some(mut node) = self.frame().node.take() else { return false };
        if let Phase::NoName = node.phase {
            // `/-` reaches over the end of the line to what it comments out.
            self.frame().node = Some(node);
            return false;
        }
        if let Phase::Equals(key) = &node.phase {
            self.no_value(key.clone());
            node.phase = Phase::Entries;
        }
        if let Some(dash) = node.dash {
            self.scan.blank(dash..end + usize::from(semicolon));
            self.scan.hidden.pop();
            self.frame().before = None;
            return false;
        }
        if top {
            self.nodes.push(node.start..end);
        }
        self.frame().before = Some((node, end));
        true
    }

    fn no_value(&mut self, key: Range<usize>) {
        let word = self.scan.text[key.clone()].trim_end_matches('=').trim_end();
        let problem = Problem::error(Code::Syntax, format!("`{word}=` has no value"));
        let help = match self.scan.rest().trim_start().starts_with('{') {
            true => format!("before a block there is no `=`: {word} {{"),
            false => format!("for an empty one: {word}=\"\""),
        };
        self.scan.replace(key.clone(), problem.at(self.scan.span(key), "").help(help));
    }

    fn equals(&mut self) {
        let at = self.scan.at;
        let doubled = self.scan.starts("==");
        let glued = self.scan.text[..at].ends_with(|c| !chars::is_space(c));
        let Some(node) = &mut self.frame().node else {
            let token = self.scan.bad_word(at);
            self.begin(token.range);
            return;
        };
        match &node.phase {
            Phase::Key(key) if !doubled => {
                node.phase = Phase::Equals(key.start..at + 1);
                self.scan.advance(1);
            }
            Phase::Name if !doubled => {
                let name = node.start;
                self.scan.advance(1);
                let problem = Problem::error(Code::Syntax, "a node has no `=`");
                let text = self.scan.text[name..at].trim_end();
                let value = self.scan.rest().trim_start_matches([' ', '\t']);
                let value = value.split([' ', '\t', '\r', '\n', ';', '}']).next().filter(|value| value.len() < 60);
                let value = value.filter(|value| !value.is_empty()).unwrap_or("…");
                let help = format!("write `{text} {value}`; with `=` it is a property, on the line of its node");
                self.scan.tell(problem.at(self.scan.span(at..at + 1), "").help(help));
                self.scan.broken.push(at..at + 1);
                self.scan.blank(at..at + 1);
            }
            Phase::Block => self.after_block(at),
            phase => {
                let start = match phase {
                    Phase::Key(range) | Phase::Value(range) if range.end == at => range.start,
                    Phase::Name if glued => node.start,
                    _ => at,
                };
                let token = self.scan.bad_word(start);
                self.place(token.range, false);
            }
        }
    }

    /// `(type)`, which means nothing in xec.
    fn annotation(&mut self) {
        let start = self.scan.at;
        self.scan.advance(1);
        self.scan.skip_while(|c| !matches!(c, '(' | ')' | ';' | '{' | '}' | '"' | '#'));
        if self.scan.peek() != Some(')') {
            self.scan.at = start;
            let token = self.scan.bad_word(start);
            return self.place(token.range, true);
        }
        self.scan.advance(1);
        let range = start..self.scan.at;
        let text = &self.scan.text[range.clone()];
        let problem = Problem::error(Code::TypeAnnotation, format!("the type `{text}` means nothing here"));
        let help = format!("remove it; if it is part of a text, quote that: {}", quote(text));
        self.scan.tell(problem.at(self.scan.span(range.clone()), "").help(help));
        self.scan.blank(range.clone());
        self.scan.broken.push(range);
    }

    fn value(&mut self) -> Result<(), Stop> {
        let told = self.scan.broken.len();
        let token = self.scan.token()?;
        let fine = self.scan.broken.len() == told;
        let node = self.frame().node.as_ref();
        if !token.key && fine && node.is_none_or(|node| matches!(node.phase, Phase::NoName | Phase::Block)) {
            let text = &self.scan.text[token.range.clone()];
            let problem = Problem::error(Code::BareWord, format!("`{text}` is not the name of a node"));
            let help = format!("a node begins with a word; as one, it is written {}", quote(text));
            self.scan.replace(token.range.clone(), problem.at(self.scan.span(token.range.clone()), "").help(help));
        }
        self.place(token.range, token.key);
        Ok(())
    }

    /// Gives a token its place in the node.
    fn place(&mut self, range: Range<usize>, key: bool) {
        let Some(node) = &mut self.frame().node else { return self.begin(range) };
        node.phase = match &node.phase {
            Phase::NoName => {
                node.start = range.start;
                Phase::Name
            }
            Phase::Block => return self.after_block(range.start),
            Phase::Equals(_) => Phase::Value(range),
            _ if key => Phase::Key(range),
            _ => Phase::Value(range),
        };
    }

    /// A node begins with its name.
    fn begin(&mut self, name: Range<usize>) {
        let text = self.scan.text;
        if self.frames.len() > 1 && self.suspect.is_none() {
            let at_margin = name.start == 0 || matches!(text.as_bytes()[name.start - 1], b'\n' | b'\r');
            if at_margin && &text[name.clone()] == "task" {
                self.suspect = Some((self.frame().open, name.start));
            }
        }
        self.frame().node = Some(Node { start: name.start, dash: None, phase: Phase::Name });
    }

    /// Something follows a block in its line: a node that wants a line of its own.
    fn after_block(&mut self, at: usize) {
        let range = at..self.scan.at.max(at + 1);
        let word = &self.scan.text[range.clone()];
        let problem = Problem::error(Code::Syntax, format!("`{word}` follows a block in its line"));
        let problem = problem.at(self.scan.span(range.clone()), "").help("put `;` or a line break after the `}`");
        let token = self.scan.at > at;
        if token && (self.frames.len() == 1 || self.scan.terminate(at)) {
            // A comment `/-` ends with its node, and so hides nothing of this.
            self.end_node(at, false);
            self.scan.tell(problem);
            self.begin(range);
        } else {
            self.scan.tell(problem);
            self.scan.advance(range.end - self.scan.at);
            self.scan.blank(range.clone());
            self.scan.broken.push(range);
        }
    }
}
