//! What reaches a terminal. Two ways, for two kinds of text:
//!
//! - [`visible`]: what xec itself prints (names, descriptions, the text of steps) has control characters spelled
//!   out, so that no file can drive the terminal of who lists it;
//! - [`Cleaner`]: what a task writes keeps its colours and loses whatever would move the cursor, set a title or
//!   fill the clipboard. Only where its lines stand among those of others, and only on a terminal.
//!
//! Knows nothing of tasks, modes or streams.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Text in which every character that could act on a terminal is spelled out: `\u{1b}`, `\n`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// The first line of a text of several that is not blank, with `…` where there is more; spelled out as [`visible`].
pub fn first_line(text: &str) -> String {
    /// Longer lines are machine-made, and nobody reads them to the end.
    const LONGEST: usize = 500;
    let text = text.trim();
    let line = text.lines().next().unwrap_or_default().trim_end();
    let cut = line.char_indices().nth(LONGEST).map_or(line.len(), |(at, _)| at);
    let more = if cut < text.len() { " …" } else { "" };
    format!("{}{more}", visible(&line[..cut]))
}

/// Controls, and the characters that turn the direction of what follows or break a line.
fn acts(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

const ESCAPE: u8 = 0x1b;
/// The first byte of U+0080 to U+00BF in UTF-8; the first half of these are controls of their own.
const LEAD: u8 = 0xc2;
/// What a terminal shows for half a character. Written in its stead, lest what is taken out after [`LEAD`] join it
/// with a byte that makes it a control.
const BROKEN: &[u8] = "\u{fffd}".as_bytes();
/// Longer than any list of colours.
const LONGEST_COLOUR: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    #[default]
    Text,
    /// After [`LEAD`].
    Lead,
    /// After ESC.
    Escape,
    /// After ESC and bytes that lead up to a final one.
    Between,
    /// In `ESC [ …`; `true` while it may still be a colour.
    Control(bool),
    /// In a title or the like, up to its terminator.
    Hidden,
    /// The same, after ESC.
    HiddenEscape,
    /// The same, after [`LEAD`].
    HiddenLead,
}

/// Takes the sequences out of one stream, however it is cut into pieces.
///
/// A line feed ends whatever sequence it stands in: what a task left open hides no more than the rest of its line.
#[derive(Clone, Default, Debug)]
pub struct Cleaner {
    state: State,
    colour: Vec<u8>,
}

impl Cleaner {
    /// Adds what may be shown of the next piece to `out`.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for &byte in bytes {
            self.byte(byte, out);
        }
    }

    /// The end of the stream: what was held back and turned out to be no sequence.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.state == State::Lead {
            out.extend_from_slice(BROKEN);
        }
        *self = Self::default();
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.state = match (self.state, byte) {
            (State::Text, _) => Self::text(byte, out),
            (State::Lead, 0x80..=0x9f) => self.sequence(byte - 0x40),
            (State::Lead, 0xa0..=0xbf) => {
                out.extend_from_slice(&[LEAD, byte]);
                State::Text
            }
            (State::Lead, _) => {
                out.extend_from_slice(BROKEN);
                Self::text(byte, out)
            }
            (State::Escape, 0x20..=0x2f) | (State::Between, 0x20..=0x2f) => State::Between,
            (State::Escape, 0x30..=0x7e) => self.sequence(byte),
            (State::Between, 0x30..=0x7e) => State::Text,
            (State::Control(_), _) => self.control(byte, out),
            (State::Hidden | State::HiddenLead, 0x07 | 0x18 | 0x1a) => State::Text,
            (State::HiddenLead, 0x9c) => State::Text,
            (State::Hidden | State::HiddenLead, ESCAPE) => State::HiddenEscape,
            (State::Hidden | State::HiddenLead, LEAD) => State::HiddenLead,
            (State::HiddenEscape, b'\\') => State::Text,
            (State::HiddenEscape, 0x20..=0x7e) => {
                self.state = State::Escape;
                return self.byte(byte, out);
            }
            (State::Hidden | State::HiddenLead, other) if other != b'\n' => State::Hidden,
            _ => Self::text(byte, out),
        };
    }

    /// A byte outside of any sequence.
    fn text(byte: u8, out: &mut Vec<u8>) -> State {
        match byte {
            ESCAPE => return State::Escape,
            LEAD => return State::Lead,
            b'\n' | b'\r' | b'\t' | 0x07 | 0x20..=0x7e | 0x80.. => out.push(byte),
            // Backspace, form feed, shifts of the character set: each moves or garbles what others wrote.
            _ => {}
        }
        State::Text
    }

    /// The byte after ESC, or the same said as one character.
    fn sequence(&mut self, byte: u8) -> State {
        match byte {
            b'[' => {
                self.colour.clear();
                State::Control(true)
            }
            b']' | b'P' | b'X' | b'^' | b'_' => State::Hidden,
            _ => State::Text,
        }
    }

    /// A byte after `ESC [`.
    fn control(&mut self, byte: u8, out: &mut Vec<u8>) -> State {
        let colour = self.state == State::Control(true);
        match byte {
            b'0'..=b'9' | b';' | b':' if colour && self.colour.len() < LONGEST_COLOUR => {
                self.colour.push(byte);
                State::Control(true)
            }
            0x20..=0x3f => State::Control(false),
            b'm' if colour => {
                out.extend_from_slice(b"\x1b[");
                out.extend_from_slice(&self.colour);
                out.push(b'm');
                State::Text
            }
            0x40..=0x7e => State::Text,
            _ => Self::text(byte, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

    use super::*;

    fn clean(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut cleaner, mut out) = (Cleaner::default(), Vec::new());
        pieces.iter().for_each(|piece| cleaner.feed(piece, &mut out));
        cleaner.finish(&mut out);
        out
    }

    #[test]
    fn what_xec_prints_is_spelled_out() {
        assert_eq!(visible("a ü │ 日"), "a ü │ 日");
        assert_eq!(visible("\x1b[2Ja\tb\n\u{9b}1m\u{202e}x\x7f"), "\\u{1b}[2Ja\\tb\\n\\u{9b}1m\\u{202e}x\\u{7f}");
        assert_eq!(first_line("\n  cargo build\n  cargo test\n"), "cargo build …");
        assert_eq!(first_line("  make \n"), "make");
        assert_eq!(first_line(""), "");
        assert_eq!(first_line(&"ä".repeat(600)).chars().count(), 502);
    }

    #[test]
    fn colours_stay_and_the_rest_goes() {
        for (raw, shown) in [
            ("\x1b[1;31mred\x1b[m\x1b[38:2::1:2:3mx", "\x1b[1;31mred\x1b[m\x1b[38:2::1:2:3mx"),
            ("a\x1b]0;title\x07b\x1b]52;c;Zm9v\x1b\\c", "abc"),
            ("a\x1b[2J\x1b[H\x1b[?1049h\x1b[>4;1m\x1b[5 qb", "ab"),
            ("a\x1bc\x1b7\x1b(0\x1bMb", "ab"),
            ("a\x1bPq#0\x1b\\b\x1b_x\x1b\\c", "abc"),
            ("a\u{9b}2Jb\u{9d}title\u{9c}c\u{85}d\u{9b}1me", "abcd\x1b[1me"),
            ("a\x08\x0c\x0e\x7fb\tc\r\n\x07", "ab\tc\r\n\x07"),
            ("a\x1b]never ended\nb", "a\nb"),
            ("a\x1b[12\nb\x1b\nc", "a\nb\nc"),
            ("a\x1b]x\x1b[1mb", "a\x1b[1mb"),
            ("ä © é 日本", "ä © é 日本"),
        ] {
            assert_eq!(String::from_utf8(clean(&[raw.as_bytes()])).unwrap(), shown, "{raw:?}");
        }
        assert_eq!(clean(&[b"\xff\xfe"]), b"\xff\xfe", "bytes that are not UTF-8 pass");
        assert_eq!(clean(&[b"\xc2\x1b\x9b2J"]), [BROKEN, b"\x9b2J"].concat());
        let long = [b"\x1b[".as_slice(), &b"1;".repeat(100), b"mx"].concat();
        assert_eq!(clean(&[&long]), b"x");
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            Just(ESCAPE),
            Just(LEAD),
            Just(b'['),
            Just(b']'),
            Just(b'm'),
            Just(b'\\'),
            Just(b'\n'),
            Just(b'1'),
            Just(0x9b),
            Just(0x9c),
            Just(0x9d),
            Just(7),
            any::<u8>(),
        ];
        proptest::collection::vec(byte, 0..12)
    }

    proptest! {
        #[test]
        fn however_it_is_cut(pieces in proptest::collection::vec(piece(), 0..12)) {
            let cut: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let whole = pieces.concat();
            let shown = clean(&cut);
            assert_eq!(shown, clean(&[&whole]));
            assert_eq!(clean(&[&shown]), shown, "what is clean stays as it is");
            let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(lines(&shown), lines(&whole), "no line is lost");
        }
    }
}
