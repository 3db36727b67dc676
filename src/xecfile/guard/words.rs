//! Words, numbers and keywords: which of them the parser takes, and what to write in place of the others.

use std::ops::Range;

use crate::base::diagnostic::{Code, Problem};
use crate::xecfile::guard::chars::{is_like_number, is_number, is_space, is_word_char, newline_len, quote};
use crate::xecfile::guard::scan::{Scan, Stop};

/// A value, a name or a key.
pub(super) struct Token {
    /// Its bytes.
    pub(super) range: Range<usize>,
    /// Whether it can be the key of a property: a string of some kind.
    pub(super) key: bool,
}

impl Scan<'_> {
    /// Passes over the token that begins here. What the parser would not take is told and replaced.
    pub(super) fn token(&mut self) -> Result<Token, Stop> {
        let start = self.at;
        let mut key = true;
        let problem = match self.peek() {
            Some('"') => self.quoted()?,
            Some('#') => {
                let hashes = self.rest().bytes().take_while(|byte| *byte == b'#').count();
                if self.rest()[hashes..].starts_with('"') {
                    self.raw(hashes)?
                } else {
                    key = false;
                    self.keyword()
                }
            }
            _ => {
                self.letters();
                self.skip_while(is_word_char);
                key = !is_like_number(&self.text[start..self.at]);
                self.bare_word(start)?
            }
        };
        if let Some(problem) = problem {
            if !self.at_delimiter() {
                self.reach_delimiter();
            }
            self.replace(start..self.at, problem);
        } else if !self.at_delimiter() {
            self.reach_delimiter();
            let problem = self.not_a_word(start);
            self.replace(start..self.at, problem);
        }
        Ok(Token { range: start..self.at, key })
    }

    /// Passes over a word with something in it that no word holds, and replaces it.
    pub(super) fn bad_word(&mut self, start: usize) -> Token {
        self.reach_delimiter();
        let problem = self.not_a_word(start);
        self.replace(start..self.at, problem);
        Token { range: start..self.at, key: true }
    }

    /// Whether a token may end here.
    fn at_delimiter(&self) -> bool {
        match self.peek() {
            None | Some(';' | '{' | '}' | '=') => true,
            Some('/') => self.starts("//") || self.starts("/*"),
            Some('\\') => {
                let after = self.rest()[1..].trim_start_matches(is_space);
                after.is_empty() || after.starts_with("//") || newline_len(after) > 0
            }
            Some(c) => is_space(c) || newline_len(self.rest()) > 0,
        }
    }

    /// On to where the writer of a word meant it to end: `${…}`, `$(…)`, `"…"` and `{a,b}` are parts of it.
    fn reach_delimiter(&mut self) {
        while let Some(c) = self.peek() {
            if is_space(c) || self.at_line_end() || matches!(c, ';' | '}') {
                break;
            }
            if c == '{' && !self.braces_within_word() {
                break;
            }
            let close = match c {
                '"' => Some('"'),
                '{' => Some('}'),
                '$' if self.starts("${") => Some('}'),
                '$' if self.starts("$(") => Some(')'),
                _ => None,
            };
            self.bump();
            if let Some(close) = close {
                if c == '$' {
                    self.bump();
                }
                self.until(close);
            }
        }
    }

    /// Whether the brace here begins something like `{a,b}`.
    fn braces_within_word(&mut self) -> bool {
        let limit = self.rest().bytes().take(256).position(|byte| byte == b'}' || byte.is_ascii_whitespace());
        limit.is_some_and(|at| at > 1 && self.rest().as_bytes()[at] == b'}')
    }

    fn keyword(&mut self) -> Option<Problem> {
        let start = self.at;
        self.advance(1);
        self.skip_while(|c| is_word_char(c) || c == '#');
        let word = &self.text[start..self.at];
        if matches!(word, "#true" | "#false" | "#null" | "#inf" | "#-inf" | "#nan") {
            return None;
        }
        if word == "#" {
            self.skip_while(|_| true);
            let range = start..self.at;
            let help = format!("//{}", &self.text[start + 1..self.at]);
            let problem = Problem::error(Code::Syntax, "a comment begins with `//`");
            return Some(problem.at(self.span(range), "`#` begins none").help(help));
        }
        self.reach_delimiter();
        Some(self.not_a_word(start))
    }

    /// Looks at a bare word that has just been passed over.
    fn bare_word(&mut self, start: usize) -> Result<Option<Problem>, Stop> {
        let word = &self.text[start..self.at];
        if let "true" | "false" | "null" | "inf" | "nan" | "-inf" = word
            && self.at_delimiter()
        {
            let problem = Problem::error(Code::BareWord, format!("a bare `{word}` is not a value"));
            let help = format!("write `#{word}`, or {} for the word", quote(word));
            return Ok(Some(problem.at(self.span(start..self.at), "").help(help)));
        }
        if word == "r" && (self.starts("\"") || self.starts("#")) {
            return self.old_raw(start).map(Some);
        }
        // What is commented out ends where KDL says, whatever was meant.
        let hidden = !self.hidden.is_empty();
        if !hidden && word.starts_with('\'') && self.reach_apostrophe(start) {
            let range = start..self.at;
            let inner = &self.text[start + 1..self.at - 1];
            let problem = Problem::error(Code::BareWord, "apostrophes do not quote");
            return Ok(Some(problem.at(self.span(range), "").help(format!("write {}", quote(inner)))));
        }
        let glued = word.is_empty() || (!hidden && (self.starts("/") || (word.ends_with('$') && self.starts("{"))));
        if glued || (is_like_number(word) && !is_number(word)) {
            self.reach_delimiter();
            if self.at == start {
                self.bump();
            }
            return Ok(Some(self.not_a_word(start)));
        }
        Ok(None)
    }

    /// From a word that begins with an apostrophe to the one that ends a word of the same line.
    fn reach_apostrophe(&mut self, start: usize) -> bool {
        if start < self.no_apostrophe {
            return false;
        }
        let resume = self.at;
        self.at = start + 1;
        while self.until('\'') {
            if self.at_delimiter() {
                return true;
            }
        }
        self.no_apostrophe = self.at;
        self.at = resume;
        false
    }

    /// `r"…"` and `r#"…"#`, the raw strings of KDL 1.
    fn old_raw(&mut self, start: usize) -> Result<Problem, Stop> {
        let hashes = self.rest().bytes().take_while(|byte| *byte == b'#').count();
        if !self.rest()[hashes..].starts_with('"') {
            self.reach_delimiter();
            return Ok(self.not_a_word(start));
        }
        let end = format!("\"{}", "#".repeat(hashes));
        let open = self.at + hashes + 1;
        let Some(length) = memchr::memmem::find(&self.text.as_bytes()[open..], end.as_bytes()) else {
            let help = format!("close it with `{end}`");
            return Err(self.stop(start..open, "the string is not closed", "begins here", &help));
        };
        let inner = &self.text[open..open + length];
        self.advance(hashes + 1 + length + end.len());
        let help = match inner.contains(['\n', '\r']) {
            true => "write #\"\"\" … \"\"\"#, with the text on lines of its own in between".to_owned(),
            false if inner.contains(['"', '\\']) => format!("write {}", quote(inner)),
            false => format!("write #\"{inner}\"#, or just \"{inner}\""),
        };
        let problem = Problem::error(Code::Syntax, "a raw string begins with `#`, not with `r`");
        let shown = start..if inner.contains(['\n', '\r']) { open } else { self.at };
        Ok(problem.at(self.span(shown), "this is KDL 1").help(help))
    }

    /// What to say of a word that has to be quoted.
    fn not_a_word(&self, start: usize) -> Problem {
        let range = start..self.at;
        let word = &self.text[range.clone()];
        let (message, label) = if word.contains("${") {
            (format!("`{word}` is not quoted"), "without quotes, `{` begins a block")
        } else if is_like_number(word) {
            (format!("a bare word cannot begin like a number: `{word}`"), "not a number")
        } else if word.starts_with(['"', '#']) && word.contains('"') {
            ("a string goes on after its closing quote".to_owned(), "a space belongs between two values")
        } else if word.starts_with('(') {
            (format!("a bare word cannot hold `(`: `{word}`"), "")
        } else {
            let forbidden = word.chars().find(|c| !is_word_char(*c)).unwrap_or('/');
            (format!("a bare word cannot hold `{forbidden}`: `{word}`"), "")
        };
        let listed = word.trim_matches(['[', ']', ',']);
        let is_listed = listed.len() < word.len() && !listed.is_empty() && listed.chars().all(is_word_char);
        let quoted = format!("quote it: {}", quote(word));
        let help = match word {
            "\\" => "a backslash joins two lines only as the last character of the first".to_owned(),
            "=" | "==" | "!=" => format!("{quoted}\nto compare, in `when`: equal \"${{a}}\" b"),
            _ if is_listed => format!("{quoted}\nas a list, without brackets and commas: {listed}"),
            _ => quoted,
        };
        Problem::error(Code::BareWord, message).at(self.span(range), label).help(help)
    }
}
