//! What happens to files in editors, merges and on disks, and what somebody would do on purpose.

use proptest::prelude::*;

/// Pieces that mean something where they land.
const WORDS: [&str; 58] = [
    "{",
    "}",
    "\"",
    "#\"",
    "\"#",
    "\"\"\"",
    "#\"\"\"",
    "/-",
    "/*",
    "*/",
    "//",
    "\\",
    "=",
    ";",
    "\n",
    "(",
    ")",
    "[",
    "'",
    "r\"",
    "${",
    "$${",
    "}",
    ":-",
    "|json",
    "|nope",
    "${env.",
    "#true",
    "#null",
    "#inf",
    "true",
    "-1",
    "0",
    "1e999",
    "5s",
    "\"5s\"",
    "\"90%\"",
    "99999999999999999999",
    "task",
    "task default",
    "matrix",
    "range=\"1..1000\"",
    "glob=\"**\"",
    "needs",
    "call",
    "when",
    "run",
    "exec",
    "use",
    "template",
    "include",
    "finally",
    "retry",
    "timeout",
    "\u{1b}[2J",
    "\u{feff}",
    "\u{202e}",
    "é",
];

/// One change; places are shares of the text, so that they fit whatever was done to it before.
#[derive(Clone, Debug)]
pub enum Change {
    /// A bit of a byte is another one.
    Flip(u16, u8),
    /// So many bytes are gone.
    Cut(u16, u8),
    /// A word stands where none was.
    Insert(u16, &'static str),
    /// So does any text.
    Text(u16, String),
    /// A piece of the text stands somewhere else, so many times.
    Copy(u16, u8, u16, u8),
    /// A piece of another file stands in it.
    Splice(u16, prop::sample::Index, u16, u8),
    /// A word is opened again and again.
    Nest(u16, &'static str, u8),
}

/// Any change.
pub fn change() -> impl Strategy<Value = Change> {
    let word = || prop::sample::select(&WORDS[..]);
    let open =
        prop::sample::select(vec!["{", "a {", "/-a {", "/*", "(", "parallel {", "sequence {\n", "${", "\\\n", "#"]);
    prop_oneof![
        (any::<u16>(), any::<u8>()).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (any::<u16>(), any::<u8>()).prop_map(|(at, length)| Change::Cut(at, length)),
        (any::<u16>(), word()).prop_map(|(at, word)| Change::Insert(at, word)),
        (any::<u16>(), any::<String>()).prop_map(|(at, text)| Change::Text(at, text)),
        (any::<u16>(), any::<u8>(), any::<u16>(), 1..40_u8)
            .prop_map(|(from, length, to, n)| Change::Copy(from, length, to, n)),
        (any::<u16>(), any::<prop::sample::Index>(), any::<u16>(), any::<u8>())
            .prop_map(|(at, other, from, length)| Change::Splice(at, other, from, length)),
        (any::<u16>(), open, 1..120_u8).prop_map(|(at, word, times)| Change::Nest(at, word, times)),
    ]
}

impl Change {
    /// Makes the change.
    pub fn apply(&self, text: &mut Vec<u8>, others: &[String]) {
        match self {
            Self::Flip(at, bit) => {
                let at = place(*at, text.len());
                if let Some(byte) = text.get_mut(at) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Cut(at, length) => drop(text.drain(piece(*at, *length, text.len()))),
            Self::Insert(at, word) => put(text, *at, word.as_bytes()),
            Self::Text(at, words) => put(text, *at, words.as_bytes()),
            Self::Copy(from, length, to, times) => {
                let copied = text[piece(*from, *length, text.len())].repeat(usize::from(*times));
                put(text, *to, &copied);
            }
            Self::Splice(at, other, from, length) => {
                let other = other.get(others).as_bytes();
                put(text, *at, &other[piece(*from, *length, other.len())]);
            }
            Self::Nest(at, word, times) => put(text, *at, word.repeat(usize::from(*times)).as_bytes()),
        }
    }
}

fn put(text: &mut Vec<u8>, at: u16, what: &[u8]) {
    let at = place(at, text.len());
    text.splice(at..at, what.iter().copied());
}

fn piece(at: u16, length: u8, all: usize) -> std::ops::Range<usize> {
    let start = place(at, all);
    start..(start + usize::from(length)).min(all)
}

fn place(share: u16, all: usize) -> usize {
    usize::from(share) * all / (usize::from(u16::MAX) + 1)
}
