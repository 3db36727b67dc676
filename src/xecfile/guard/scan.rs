//! Where the guard stands in the text, and the three things it does to it: pass over, blank, replace.
//! Everything here moves forward only, but for looks ahead that end with the line.

use std::ops::Range;

use crate::base::diagnostic::{Problem, Problems};
use crate::base::source::{SourceId, Span};
use crate::xecfile::guard::chars::{is_space, newline_len};

/// Nothing sensible can be said of what follows: the problem has been told.
#[derive(Debug)]
pub(super) struct Stop;

/// The text, a copy to be changed, and what was found.
pub(super) struct Scan<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    /// Bytes passed over, each as often as it was: what makes linear time something to test.
    pub(super) steps: usize,
    pub(super) problems: Problems,
    /// What was replaced, in order.
    pub(super) broken: Vec<Range<usize>>,
    /// Where each `/-` that hides what is read now begins.
    pub(super) hidden: Vec<usize>,
    /// Up to here, no apostrophe ends a word of the line.
    pub(super) no_apostrophe: usize,
    out: Vec<u8>,
    source: SourceId,
}

impl<'a> Scan<'a> {
    pub(super) fn new(source: SourceId, text: &'a str) -> Self {
        let out = text.as_bytes().to_vec();
        let (problems, broken, hidden) = (Problems::default(), Vec::new(), Vec::new());
        Self { text, at: 0, steps: 0, problems, broken, hidden, no_apostrophe: 0, out, source }
    }

    /// The changed text.
    pub(super) fn finish(mut self) -> (String, Problems, Vec<Range<usize>>, usize) {
        self.broken.sort_by_key(|range| range.start);
        // Only whole characters were replaced, and only by ASCII.
        let text = String::from_utf8(self.out).unwrap_or_default();
        (text, self.problems, self.broken, self.steps)
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn starts(&self, what: &str) -> bool {
        self.rest().starts_with(what)
    }

    pub(super) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
        self.steps += bytes;
    }

    /// One character on.
    pub(super) fn bump(&mut self) {
        self.advance(self.peek().map_or(0, char::len_utf8));
    }

    /// On over what means nothing wherever it stands in a word or a string, which most of a file is.
    pub(super) fn letters(&mut self) {
        let bytes = self.rest().bytes();
        self.advance(bytes.take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte)).count());
    }

    /// On as long as `keep` says so, to the end of the line at most.
    pub(super) fn skip_while(&mut self, keep: impl Fn(char) -> bool) {
        while let Some(c) = self.peek()
            && newline_len(self.rest()) == 0
            && keep(c)
        {
            self.bump();
        }
    }

    pub(super) fn at_line_end(&self) -> bool {
        self.at == self.text.len() || newline_len(self.rest()) > 0
    }

    /// Passes over spaces, comments and continued lines, and blanks all but the spaces.
    /// With `lines`, over line breaks too.
    pub(super) fn space(&mut self, lines: bool) -> Result<(), Stop> {
        loop {
            let start = self.at;
            match self.peek() {
                Some(c) if is_space(c) => self.bump(),
                Some('/') if self.starts("//") => {
                    self.skip_while(|_| true);
                    self.blank(start..self.at);
                }
                Some('/') if self.starts("/*") => self.comment()?,
                Some('\\') if self.continued_line() => self.blank(start..self.at),
                Some(_) if lines && newline_len(self.rest()) > 0 => self.advance(newline_len(self.rest())),
                _ => return Ok(()),
            }
        }
    }

    /// A comment over any number of lines, which may hold others.
    fn comment(&mut self) -> Result<(), Stop> {
        let start = self.at;
        let mut depth = 0_usize;
        while self.at < self.text.len() {
            if self.starts("/*") {
                depth += 1;
                self.advance(2);
            } else if self.starts("*/") {
                depth -= 1;
                self.advance(2);
                if depth == 0 {
                    self.blank(start..self.at);
                    return Ok(());
                }
            } else {
                self.bump();
            }
        }
        Err(self.stop(
            start..start + 2,
            "the comment `/*` is not closed",
            "begins here",
            "close it with `*/`; comments can be nested, and each needs its own",
        ))
    }

    /// A backslash at the end of a line, comments aside.
    fn continued_line(&mut self) -> bool {
        let start = self.at;
        self.advance(1);
        self.skip_while(is_space);
        if self.starts("//") {
            self.skip_while(|_| true);
        }
        if self.at_line_end() {
            self.advance(newline_len(self.rest()));
            return true;
        }
        self.at = start;
        false
    }

    /// Makes it spaces.
    pub(super) fn blank(&mut self, range: Range<usize>) {
        self.out[range].fill(b' ');
    }

    /// Ends a node where nothing did, if there is a place for that.
    pub(super) fn terminate(&mut self, at: usize) -> bool {
        let free = at > 0 && matches!(self.out[at - 1], b' ' | b'\t');
        if free {
            self.out[at - 1] = b';';
        }
        free
    }

    /// Tells a problem and makes its text a word that the parser takes. What is commented out is nobody's problem.
    pub(super) fn replace(&mut self, range: Range<usize>, problem: Problem) {
        if self.hidden.is_empty() {
            self.problems.push(problem);
        }
        self.out[range.clone()].fill(b'_');
        self.broken.push(range);
    }

    /// Tells a problem, unless it is commented out.
    pub(super) fn tell(&mut self, problem: Problem) {
        if self.hidden.is_empty() {
            self.problems.push(problem);
        }
    }

    /// Tells a problem after which nothing more can be read.
    pub(super) fn stop(&mut self, range: Range<usize>, what: &str, label: &str, help: &str) -> Stop {
        let problem = Problem::error(crate::base::diagnostic::Code::Syntax, what);
        self.problems.push(problem.at(self.span(range), label).help(help));
        Stop
    }

    pub(super) fn span(&self, range: Range<usize>) -> Span {
        let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { source: self.source, start: byte(range.start), end: byte(range.end) }
    }

    /// From here to the closing `end` in the same line, if there is one.
    pub(super) fn until(&mut self, end: char) -> bool {
        self.skip_while(|c| c != end);
        let found = self.peek() == Some(end);
        if found {
            self.bump();
        }
        found
    }
}
