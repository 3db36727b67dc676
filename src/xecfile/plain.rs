//! A node of the file as a KDL document, by the short way where there is one.
//!
//! The parser of the kdl crate looks at each character many times; a file of thousands of tasks is worth a second
//! reader for what nearly all of them are made of: ASCII words, numbers, strings, blocks. That reader gives up on
//! whatever else it meets (an escape it does not know, a comment, a mistake), and the crate, which alone decides what
//! KDL is, has the word. A test holds the two against each other. Knows KDL and nothing of xec.

use kdl::{KdlDocument, KdlEntry, KdlEntryFormat, KdlError, KdlIdentifier, KdlNode, KdlValue};

use crate::xecfile::guard::{is_forbidden, is_space};

/// What stands in a part of a guarded text: a node, most often.
///
/// # Errors
/// It is not KDL.
pub(crate) fn parse(text: &str) -> Result<KdlDocument, KdlError> {
    match Plain::new(text).and_then(Plain::document) {
        Some(document) => Ok(document),
        None => KdlDocument::parse(text),
    }
}

/// Where the reader stands. All that gives `None` gives up on the whole text.
struct Plain<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

/// The largest number of digits that fits any integer.
const DIGITS: usize = 18;

impl<'a> Plain<'a> {
    fn new(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let controls = bytes.iter().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\n' | b'\t'));
        let odd = |c| is_forbidden(c) || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
        let plain = !controls && (text.is_ascii() || !text.contains(odd));
        plain.then_some(Self { text, bytes, at: 0 })
    }

    fn document(mut self) -> Option<KdlDocument> {
        let nodes = self.nodes()?;
        (self.at == self.bytes.len()).then(|| document(nodes))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn skip(&mut self, set: &[u8]) -> bool {
        let rest = &self.bytes[self.at..];
        let count = rest.iter().position(|byte| !set.contains(byte)).unwrap_or(rest.len());
        self.at += count;
        count > 0
    }

    /// Up to the end, or the brace that closes the block. Recurses no deeper than the guard lets blocks nest.
    fn nodes(&mut self) -> Option<Vec<KdlNode>> {
        let mut nodes = Vec::new();
        loop {
            self.skip(b" \t\n");
            match self.peek() {
                None | Some(b'}') => return Some(nodes),
                Some(_) => nodes.push(self.node()?),
            }
        }
    }

    /// With what ends it.
    fn node(&mut self) -> Option<KdlNode> {
        let start = self.at;
        let mut node = KdlNode::new(self.identifier()?);
        loop {
            let spaced = self.skip(b" \t");
            match self.peek() {
                None | Some(b'\n' | b';' | b'}') => break,
                Some(b'{') if spaced => {
                    self.at += 1;
                    let children = self.nodes()?;
                    if !self.eat(b'}') {
                        return None;
                    }
                    node.set_children(document(children));
                    let end = self.at;
                    self.skip(b" \t");
                    matches!(self.peek(), None | Some(b'\n' | b';' | b'}')).then_some(())?;
                    node.set_span((start, end - start));
                    let _ = self.eat(b'\n') || self.eat(b';');
                    return Some(node);
                }
                Some(_) if spaced => node.entries_mut().push(self.entry()?),
                Some(_) => return None,
            }
        }
        node.set_span((start, self.at - start));
        let _ = self.eat(b'\n') || self.eat(b';');
        Some(node)
    }

    fn entry(&mut self) -> Option<KdlEntry> {
        let start = self.at;
        match self.bytes[self.at] {
            b'"' | b'#' | b'0'..=b'9' => {
                let value = self.value()?;
                return Some(self.spanned(KdlEntry::new(value), start));
            }
            _ => {}
        }
        let word = self.identifier()?;
        if !self.eat(b'=') {
            return Some(self.spanned(KdlEntry::new(word.value()), start));
        }
        let from = self.at;
        let value = self.value()?;
        let mut entry = KdlEntry::new_prop(word, value);
        let value_repr = self.text[from..self.at].to_owned();
        entry.set_format(KdlEntryFormat { value_repr, ..KdlEntryFormat::default() });
        Some(self.spanned(entry, start))
    }

    fn spanned(&self, mut entry: KdlEntry, start: usize) -> KdlEntry {
        entry.set_span((start, self.at - start));
        entry
    }

    fn value(&mut self) -> Option<KdlValue> {
        match self.peek()? {
            b'"' => self.quoted(),
            b'#' => match self.bytes.get(self.at + 1)? {
                b'"' | b'#' => self.raw(),
                _ => self.keyword(),
            },
            b'0'..=b'9' => self.number(),
            _ => self.word().map(|word| KdlValue::String(word.to_owned())),
        }
    }

    fn identifier(&mut self) -> Option<KdlIdentifier> {
        let start = self.at;
        let mut name = KdlIdentifier::from(self.word()?);
        name.set_span((start, self.at - start));
        Some(name)
    }

    fn word(&mut self) -> Option<&'a str> {
        let rest = &self.bytes[self.at..];
        let word = |byte: &u8| byte.is_ascii_graphic() && !b"\\/(){};[]\"#=".contains(byte);
        let text = &self.text[self.at..self.at + rest.iter().position(|byte| !word(byte)).unwrap_or(rest.len())];
        let like_number = match text.as_bytes() {
            [] | [b'0'..=b'9', ..] | [b'+' | b'-' | b'.', b'0'..=b'9', ..] | [b'+' | b'-', b'.', ..] => true,
            _ => matches!(text, "true" | "false" | "null" | "inf" | "-inf" | "nan"),
        };
        self.at += text.len();
        (!like_number).then_some(text)
    }

    fn keyword(&mut self) -> Option<KdlValue> {
        self.at += 1;
        let rest = &self.bytes[self.at..];
        let value = match rest.iter().position(|byte| !byte.is_ascii_lowercase()).map_or(rest, |end| &rest[..end]) {
            b"true" => true,
            b"false" => false,
            _ => return None,
        };
        self.at += if value { 4 } else { 5 };
        Some(KdlValue::Bool(value))
    }

    /// `8` or `3.12`.
    fn number(&mut self) -> Option<KdlValue> {
        let start = self.at;
        self.skip(b"0123456789");
        let whole = self.eat(b'.').then(|| self.skip(b"0123456789")).is_none();
        let text = &self.text[start..self.at];
        let digits = text.len() <= DIGITS && !text.ends_with('.');
        match (digits, whole) {
            (true, true) => text.parse().ok().map(KdlValue::Integer),
            (true, false) => text.parse().ok().map(KdlValue::Float),
            (false, _) => None,
        }
    }

    fn quoted(&mut self) -> Option<KdlValue> {
        if self.bytes[self.at..].starts_with(b"\"\"\"") {
            return self.lines("\"\"\"", true);
        }
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.bytes[self.at..];
            let length = memchr::memchr3(b'"', b'\\', b'\n', rest)?;
            text.push_str(&self.text[self.at..self.at + length]);
            self.at += length + 1;
            match rest[length] {
                b'"' => return Some(KdlValue::String(text)),
                b'\\' => text.push(match rest.get(length + 1)? {
                    b'"' => '"',
                    b'\\' => '\\',
                    b'n' => '\n',
                    b't' => '\t',
                    _ => return None,
                }),
                _ => return None,
            }
            self.at += 1;
        }
    }

    fn raw(&mut self) -> Option<KdlValue> {
        let hashes = self.bytes[self.at..].iter().take_while(|byte| **byte == b'#').count();
        let marks = &self.text[self.at..self.at + hashes];
        self.at += hashes;
        let rest = &self.text[self.at..];
        if rest.starts_with("\"\"\"") {
            return self.lines(&format!("\"\"\"{marks}"), false);
        }
        let inner = rest.strip_prefix('"')?;
        let inner = &inner[..inner.find(&format!("\"{marks}"))?];
        self.at += 1 + inner.len() + 1 + hashes;
        (!inner.contains('\n')).then(|| KdlValue::String(inner.to_owned()))
    }

    /// A text of many lines, without the indentation of the line that ends it.
    fn lines(&mut self, end: &str, escapes: bool) -> Option<KdlValue> {
        let body = self.text[self.at..].strip_prefix("\"\"\"\n")?;
        let length = body.find(end)?;
        let (body, indent) = match body[..length].rsplit_once('\n') {
            Some((body, indent)) => (Some(body), indent),
            None => (None, &body[..length]),
        };
        let simple = indent.bytes().all(|byte| matches!(byte, b' ' | b'\t'));
        if !simple || (escapes && body.is_some_and(|body| body.contains('\\'))) {
            return None;
        }
        let mut text = String::with_capacity(length);
        for (number, line) in body.into_iter().flat_map(|body| body.split('\n')).enumerate() {
            if number > 0 {
                text.push('\n');
            }
            if !line.chars().all(is_space) {
                text.push_str(line.strip_prefix(indent)?);
            }
        }
        self.at += "\"\"\"\n".len() + length + end.len();
        Some(KdlValue::String(text))
    }
}

fn document(nodes: Vec<KdlNode>) -> KdlDocument {
    let mut document = KdlDocument::new();
    *document.nodes_mut() = nodes;
    document
}

#[cfg(test)]
#[path = "plain_tests.rs"]
mod tests;
