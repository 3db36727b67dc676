//! Files of variables, `.env`: lines `NAME=value`, read and never executed. Nothing in a value is expanded.

use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::{SourceId, Span};

/// A variable.
pub(crate) type Variable = (Arc<str>, Arc<str>);

/// Reads a whole file; each problem with its place.
pub(crate) fn parse(source: SourceId, text: &str) -> (Vec<Variable>, Vec<Problem>) {
    let mut reader = Lines { source, text, at: 0, problems: Vec::new() };
    let mut variables = Vec::new();
    while reader.at < text.len() && reader.problems.len() < 20 {
        variables.extend(reader.line());
    }
    (variables, reader.problems)
}

struct Lines<'a> {
    source: SourceId,
    text: &'a str,
    at: usize,
    problems: Vec<Problem>,
}

impl<'a> Lines<'a> {
    /// One variable, or nothing; goes on to the next line either way.
    fn line(&mut self) -> Option<Variable> {
        let start = self.at;
        let rest = &self.text[start..];
        let line = rest.split('\n').next().unwrap_or_default();
        self.at = (start + line.len() + 1).min(self.text.len());
        let lead = line.len() - line.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').len();
        let mut content = line[lead..].trim_end();
        if content.is_empty() || content.starts_with('#') {
            return None;
        }
        let mut begin = start + lead;
        if let Some(after) = content.strip_prefix("export").filter(|after| after.starts_with([' ', '\t'])) {
            let trimmed = after.trim_start();
            begin += content.len() - trimmed.len();
            content = trimmed;
        }
        let Some((name, value)) = content.split_once('=') else {
            let end = begin + content.len();
            self.tell(begin..end, "a line without `=`", "a variable is written NAME=value, a comment begins with `#`");
            return None;
        };
        let shown = name.trim_end();
        if !is_variable(shown) {
            let end = begin + name.len().max(1);
            self.tell(begin..end, "this cannot be the name of a variable", "letters, digits and `_`, no digit first");
            return None;
        }
        let value_at = begin + name.len() + 1;
        let lead = value.len() - value.trim_start().len();
        let value = self.value(value_at + lead, &value[lead..])?;
        Some((shown.into(), value.into()))
    }

    fn value(&mut self, at: usize, value: &'a str) -> Option<String> {
        match value.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(at, quote),
            _ => {
                // A comment begins with a `#` behind a space.
                let end = value.find(" #").or(value.find("\t#")).unwrap_or(value.len());
                let plain = if value.starts_with('#') { "" } else { &value[..end] };
                Some(plain.trim_end().to_owned())
            }
        }
    }

    /// A value in quotes may have many lines.
    fn quoted(&mut self, at: usize, quote: char) -> Option<String> {
        let mut out = String::new();
        let mut chars = self.text[at + 1..].char_indices();
        while let Some((offset, c)) = chars.next() {
            if c == quote {
                let after = at + 1 + offset + 1;
                let rest = self.text[after..].split('\n').next().unwrap_or_default();
                self.at = (after + rest.len() + 1).min(self.text.len());
                let extra = rest.trim();
                if !extra.is_empty() && !extra.starts_with('#') {
                    self.tell(
                        after..after + rest.len(),
                        "something follows the closing quote",
                        "remove it, or quote all",
                    );
                    return None;
                }
                return Some(out);
            }
            match c {
                '\\' if quote == '"' => match chars.next().map(|(_, escaped)| escaped) {
                    Some('n') => out.push('\n'),
                    Some('r') => out.push('\r'),
                    Some('t') => out.push('\t'),
                    Some(plain @ ('"' | '\\' | '$' | '`' | '\'')) => out.push(plain),
                    Some(other) => out.extend(['\\', other]),
                    None => break,
                },
                c => out.push(c),
            }
        }
        self.tell(at..at + 1, "the quote is not closed", "close it, at the latest before the end of the file");
        self.at = self.text.len();
        None
    }

    fn tell(&mut self, range: std::ops::Range<usize>, message: &str, help: &str) {
        let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let span = Span { source: self.source, start: byte(range.start), end: byte(range.end) };
        self.problems.push(Problem::error(Code::BadDotenv, message).at(span, "").help(help));
    }
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let (variables, problems) = parse(SourceId(0), text);
        assert!(problems.is_empty(), "{text}: {problems:?}");
        variables.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn lines_of_all_kinds() {
        let text = "\u{feff}A=1\r\n# no\n\nexport B = two words # not this\nC=\nD=\"x\\n\\\"y\\\"\" # no\nE='$A\\n'\nF=a#b\nG=\"1\n2\"\nH=p$w";
        assert_eq!(read(text), ["A=1", "B=two words", "C=", "D=x\n\"y\"", "E=$A\\n", "F=a#b", "G=1\n2", "H=p$w"]);
    }

    #[test]
    fn what_is_no_variable_has_a_place() {
        for (text, place) in [("A=1\nnope\n", 4..8), ("1A=x", 0..2), ("A=\"x", 2..3), ("A='x' y", 5..7), ("=x", 0..1)] {
            let (_, problems) = parse(SourceId(0), text);
            let span = problems[0].labels[0].span;
            assert_eq!(span.start as usize..span.end as usize, place, "{text}");
        }
    }
}
