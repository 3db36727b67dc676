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
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All that the rest of xec looks at.
    fn shape(nodes: &[KdlNode], text: &str, out: &mut String) {
        use std::fmt::Write as _;
        for node in nodes {
            let (name, span) = (node.name(), node.span());
            let whole = text[span.offset()..span.offset() + span.len()].trim();
            write!(out, "{:?}@{} {whole:?}", name.value(), name.span().offset()).unwrap();
            for entry in node.entries() {
                let span = entry.span();
                let length = entry.format().map_or(span.len(), |format| format.value_repr.len());
                let end = span.offset() + span.len();
                let key = entry.name().map(|key| (key.value(), key.span().offset(), key.span().len()));
                let shown = text[span.offset()..end].trim();
                write!(out, " {key:?}={:?}@{}..{end} {shown:?}", entry.value(), end - length).unwrap();
            }
            if let Some(children) = node.children() {
                out.push('{');
                shape(children.nodes(), text, out);
                out.push('}');
            }
            out.push(';');
        }
    }

    /// Holds the reader against the crate; says whether it had something to say.
    fn agree(text: &str) -> bool {
        let Some(ours) = Plain::new(text).and_then(Plain::document) else { return false };
        let theirs = KdlDocument::parse(text).unwrap_or_else(|why| panic!("{text:?}: {:?}", why.diagnostics));
        let (mut left, mut right) = (String::new(), String::new());
        shape(ours.nodes(), text, &mut left);
        shape(theirs.nodes(), text, &mut right);
        assert_eq!(left, right, "{text:?}");
        true
    }

    #[test]
    fn what_files_are_made_of_is_read_the_short_way() {
        for text in [
            "task build",
            "task build desc=\"Compile\" { needs a b-c 'd'; run \"cc -o x\" }  ",
            "a {\n\tb 1 2.5 0 x=3 y=#true #false\n\n  c --release -x .y + -\n};",
            r###"a "\"q\" \\ \n\t" #"raw "x" \"# ##"two"# "##"###,
            "run #\"\"\"\n    if x\n      y\n   \n    fi\n    \"\"\"#",
            "run \"\"\"\n\"\"\"",
            "run \"\"\"\n  one – zwei\n\n  \"\"\"",
            "a {}",
            "a b=c { d; }",
            "matrix { py 3.12 3.13; os linux } ",
            "a é=1",
        ] {
            assert_eq!(agree(text), !text.contains('é'), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_parser() {
        for text in [
            "a \"\\u{41}\"",
            "a \\\n b",
            "a // x",
            "a (t)b",
            "a true",
            "a 1x",
            "a -1",
            "a 0x1f",
            "a 1_000",
            "a b = c",
            "a \"x",
            "a {",
            "a }",
            "a #null",
            "\"a\" b",
            "a \"x\"\"y\"",
            "a{b}",
            "a {} b",
            "a\r\nb",
            "a \"\u{85}\"",
            "a \"\"\"x\"\"\"",
            "a \"\"\"\n x\n  \"\"\"",
            "a \"\"\"\n x\\n\n \"\"\"",
            "a #trueish",
            "a #true#",
            "a 1.",
        ] {
            assert!(!agree(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn never_says_what_the_parser_does_not(
            parts in proptest::collection::vec(prop::sample::select(vec![
                "a", "b-1", "run", " ", "  ", "\t", "\n", ";", "{", "}", " { ", " }", "=", "\"x\"", "\"", "\"\"\"", "\"\"\"\n",
                "#", "#\"", "\"#", "##\"", "\"##", "#true", "#false", "1", "2.5", ".", "-", "+", "0", "\\", "\\n", "\\\"",
                "é", "…", "\u{3000}", "/", "//", "(", "[", "true", "x=", "k=1", "k=\"v\"", "\n  ", "'", "$x", "%,:@",
            ]), 0..24),
        ) {
            agree(&parts.concat());
        }

        #[test]
        fn agrees_on_what_is_plain(
            words in proptest::collection::vec(prop::sample::select(vec![
                "word", "k=v", "k=\"v w\"", "\"a b\"", "\"\\n\\\"\"", "#\"r\"w\"#", "3", "4.5", "x=#true", "--flag",
                "{\n  c 1\n  d\n}\n e", "{ c; d x=1 }; f", "; g", "\nh", "\"\"\"\n  l\n\n   m\n  \"\"\"", "#\"\"\"\n\tl\\\n\t\"\"\"#",
                "\"–\"", "{}", "i=\"\"\"\n\"\"\"",
            ]), 0..16),
        ) {
            agree(&format!("node {}", words.join(" ")));
        }
    }

    /// Every KDL file of the tests and examples, node by node, as it is read.
    #[test]
    fn agrees_on_all_files_that_there_are() {
        let mut dirs =
            vec!["tests", "examples", "docs", "."].into_iter().map(std::path::PathBuf::from).collect::<Vec<_>>();
        let (mut plain, mut all) = (0, 0);
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(&dir).unwrap().map(Result::unwrap) {
                let path = entry.path();
                if path.is_dir() && dir != std::path::Path::new(".") {
                    dirs.push(path);
                } else if path.extension().is_some_and(|ext| ext == "kdl")
                    && let Ok(text) = std::fs::read_to_string(&path)
                {
                    let guarded = crate::xecfile::guard::guard(crate::base::source::SourceId(0), &text);
                    for range in guarded.nodes {
                        all += 1;
                        plain += usize::from(agree(&guarded.text[range]));
                    }
                }
            }
        }
        assert!(plain * 10 > all * 8, "{plain} of {all}");
    }
}
