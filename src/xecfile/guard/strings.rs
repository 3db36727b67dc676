//! Quoted and raw strings, of one line and of many: where they end, and what the parser would not take of them.

use std::ops::Range;

use crate::base::diagnostic::{Code, Problem, clipped};
use crate::xecfile::guard::chars::{is_space, newline_len, quote};
use crate::xecfile::guard::scan::{Scan, Stop};

/// A string that ends, and what is wrong with it.
type Scanned = Result<Option<Problem>, Stop>;

/// What closes a text of many lines.
const TRIPLE: &str = "\"\"\"";

impl Scan<'_> {
    /// A quoted string, from its first quote on.
    pub(super) fn quoted(&mut self) -> Scanned {
        let start = self.at;
        if !self.starts(TRIPLE) {
            return self.quoted_line(start);
        }
        self.advance(3);
        if newline_len(self.rest()) == 0 {
            return self.triple_in_line(start, 0);
        }
        let mut bad = None;
        while !self.starts(TRIPLE) {
            match self.peek() {
                None => return Err(self.unclosed_lines(start, TRIPLE)),
                Some('\\') => self.escape(&mut bad),
                Some(_) => self.bump(),
            }
            self.letters();
        }
        self.advance(3);
        Ok(match bad {
            Some(range) => Some(self.bad_escape(range, start)),
            None => self.badly_indented(start + 3..self.at - 3, true),
        })
    }

    /// A raw string, from the first of its `hashes` on.
    pub(super) fn raw(&mut self, hashes: usize) -> Scanned {
        let start = self.at;
        let fence = "#".repeat(hashes);
        self.advance(hashes);
        if self.starts(TRIPLE) {
            self.advance(3);
            if newline_len(self.rest()) == 0 {
                return self.triple_in_line(start, hashes);
            }
            let end = format!("{TRIPLE}{fence}");
            if !self.find(&end) {
                return Err(self.unclosed_lines(start, &end));
            }
            return Ok(self.badly_indented(start + hashes + 3..self.at - end.len(), false));
        }
        self.advance(1);
        let end = format!("\"{fence}");
        while !self.starts(&end) {
            if self.at_line_end() {
                return Err(self.unclosed_line(start, &end));
            }
            self.bump();
        }
        self.advance(end.len());
        Ok(None)
    }

    /// On past the next `end`, if there is one.
    fn find(&mut self, end: &str) -> bool {
        let found = memchr::memmem::find(self.rest().as_bytes(), end.as_bytes());
        self.advance(found.map_or(self.rest().len(), |offset| offset + end.len()));
        found.is_some()
    }

    fn quoted_line(&mut self, start: usize) -> Scanned {
        self.advance(1);
        let mut bad = None;
        loop {
            self.letters();
            match self.peek() {
                Some('"') => break,
                Some('\\') => self.escape(&mut bad),
                _ if self.at_line_end() => return Err(self.unclosed_line(start, "\"")),
                _ => self.bump(),
            }
        }
        self.advance(1);
        Ok(bad.map(|range| self.bad_escape(range, start)))
    }

    /// Passes over a backslash and what it escapes, and remembers the first that escapes nothing.
    fn escape(&mut self, bad: &mut Option<Range<usize>>) {
        let start = self.at;
        self.advance(1);
        let rest = self.rest();
        let valid = match self.peek() {
            Some('\\' | '"' | 'b' | 'f' | 'n' | 'r' | 't' | 's') => {
                self.advance(1);
                true
            }
            Some('u') => {
                let digits = rest.strip_prefix("u{").unwrap_or_default();
                let count = digits.bytes().take(7).take_while(u8::is_ascii_hexdigit).count();
                let code = u32::from_str_radix(&digits[..count], 16).ok().and_then(char::from_u32);
                let valid = count <= 6 && digits.as_bytes().get(count) == Some(&b'}') && code.is_some();
                self.advance(1);
                valid
            }
            Some(c) if is_space(c) || newline_len(rest) > 0 => {
                while self.peek().is_some_and(is_space) || newline_len(self.rest()) > 0 {
                    self.bump();
                }
                true
            }
            _ => false,
        };
        if !valid && bad.is_none() {
            let shown = self.peek().filter(|_| self.at == start + 1).map_or(0, char::len_utf8);
            *bad = Some(start..self.at + shown);
        }
    }

    fn bad_escape(&self, range: Range<usize>, start: usize) -> Problem {
        let escape = &self.text[range.clone()];
        let whole = &self.text[start..self.at];
        let fits = |inner: &str| !inner.contains(['"', '\n', '\r']);
        let help = match whole.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(inner) if fits(inner) => format!("a raw string keeps backslashes: {}", quote(inner)),
            _ => "a raw string keeps backslashes: #\"…\"#, or #\"\"\" … \"\"\"# for many lines".to_owned(),
        };
        let problem = Problem::error(Code::Syntax, format!("`{escape}` is no escape"));
        problem.at(self.span(range), "in a quoted string, a backslash begins an escape").help(help)
    }

    /// `"""` and text in the same line.
    fn triple_in_line(&mut self, start: usize, hashes: usize) -> Scanned {
        let (open, end) = (self.at, format!("{TRIPLE}{}", "#".repeat(hashes)));
        if !self.find(&end) {
            self.at = open;
            return Err(self.unclosed_lines(start, &end));
        }
        let inner = &self.text[open..self.at - end.len()];
        let help = match inner.contains(['\n', '\r']) {
            true => format!("begin the text on the next line, and put `{}` on a line of its own", clipped(&end)),
            false => format!("for text in one line: {}", quote(inner)),
        };
        let problem = Problem::error(Code::Syntax, "a text of many lines begins on the line after `\"\"\"`");
        Ok(Some(problem.at(self.span(start..open), "a line break belongs here").help(help)))
    }

    /// Whether each line of a text of many lines begins with the spaces that its last one consists of.
    fn badly_indented(&self, body: Range<usize>, escapes: bool) -> Option<Problem> {
        let text = &self.text[body.clone()];
        let mut lines = Vec::new();
        let mut at = newline_len(text);
        let mut continued = false;
        while let Some((end, next, escaped)) = line_end(text, at, escapes, continued) {
            lines.push((at, end, continued));
            (at, continued) = (next, escaped);
        }
        let prefix = &text[at..];
        if continued || !prefix.chars().all(is_space) {
            let place = self.span(body.end..body.end + 3);
            let problem = Problem::error(Code::Syntax, "`\"\"\"` ends a text of many lines on a line of its own");
            return Some(problem.at(place, "a line break belongs before this"));
        }
        let bad = |(start, end, continued): &&(usize, usize, bool)| {
            let line = &text[*start..*end];
            !continued && !line.starts_with(prefix) && !line.chars().all(is_space)
        };
        let (start, end, _) = lines.iter().find(bad)?;
        let line = &text[*start..*end];
        let indent = line.len() - line.trim_start_matches(is_space).len();
        // What begins in the first column is shown by its first letter.
        let shown = if indent > 0 { indent } else { line.chars().next().map_or(0, char::len_utf8) };
        let place = self.span(body.start + start..body.start + start + shown);
        let closing = self.span(body.end - prefix.len()..body.end + 3);
        let problem = Problem::error(Code::Syntax, "a line is indented less than the `\"\"\"` that ends the text");
        let help = "indent each line by the same spaces or tabs as the closing `\"\"\"`";
        Some(problem.at(place, "starts further left").at(closing, "than this, or with other spaces").help(help))
    }

    fn unclosed_line(&mut self, start: usize, end: &str) -> Stop {
        let help = "close it; a text of many lines is written #\"\"\" … \"\"\"#, each on a line of its own";
        let range = start..self.at;
        let label = format!("no `{}` up to the end of the line", clipped(end));
        self.stop(range, "the string does not end in its line", &label, help)
    }

    fn unclosed_lines(&mut self, start: usize, end: &str) -> Stop {
        let shown = clipped(end);
        let help = format!("end the text with `{shown}` on a line of its own");
        let opening = start..start + end.len();
        self.stop(opening, "the text is not closed", &format!("no `{shown}` follows"), &help)
    }
}

/// The end of the line at byte `at`, the beginning of the next one, and whether the break was escaped.
fn line_end(text: &str, at: usize, escapes: bool, continued: bool) -> Option<(usize, usize, bool)> {
    let mut chars = text[at..].char_indices();
    let mut backslash = continued;
    while let Some((offset, c)) = chars.next() {
        let broken = newline_len(&text[at + offset..]);
        if broken > 0 {
            return Some((at + offset, at + offset + broken, backslash));
        }
        if escapes && c == '\\' {
            // What follows an escaped line break is passed over with it, up to what is no space.
            match chars.clone().next() {
                Some((_, next)) if is_space(next) || newline_len(&text[at + offset + 1..]) > 0 => backslash = true,
                _ => {
                    chars.next();
                }
            }
        } else if !is_space(c) {
            backslash = false;
        }
    }
    None
}
