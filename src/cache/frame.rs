//! How the words of the [`crate::cache::ledger`] are written, one frame after the other: a mark, a length and a checksum
//! before each.

use std::ops::Range;

use crate::cache::digest::Digest;

/// Says which format the file has; a later one has another number.
pub(super) const HEAD: &[u8] = b"xec-state 2\n";
/// The number in it.
const FORMAT: u32 = 2;
/// What every format of it begins with.
const ANY_HEAD: &[u8] = b"xec-state ";
/// Where a record begins.
pub(super) const MARK: &[u8] = b"\xf1XR\n";
/// How long a checksum is.
pub(super) const SUM: usize = 8;
/// The mark, the length and the checksum.
pub(super) const FRAME: usize = 4 + 4 + SUM;
/// Kind, task and key.
pub(super) const FIXED: usize = 1 + 16 + 32;
/// An instance of a task, in this project.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Id([u8; 16]);

impl Id {
    /// By the file that was asked for and the name of the instance.
    pub fn new(file: &str, instance: &str) -> Self {
        let mut mixer = crate::cache::digest::Mixer::default();
        let digest = mixer.add(file.as_bytes()).add(instance.as_bytes()).finish();
        let mut id = [0; 16];
        id.copy_from_slice(&digest.as_bytes()[..16]);
        Self(id)
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// It runs, or was running when xec died: whatever was before does not count any more.
    Running,
    /// It succeeded, and this is true of what it left.
    Done,
    /// The same, and it can be brought back.
    Kept,
    /// It was up to date on that day, with this key: so this is not forgotten yet.
    Used,
}

impl Word {
    pub(super) fn byte(self) -> u8 {
        match self {
            Word::Running => 1,
            Word::Done => 2,
            Word::Kept => 3,
            Word::Used => 4,
        }
    }

    pub(super) fn of(byte: u8) -> Option<Self> {
        [Word::Running, Word::Done, Word::Kept, Word::Used].into_iter().find(|word| word.byte() == byte)
    }
}

/// Whether a file begins as that of a later format does. What an earlier one says is as good as nothing.
pub(super) fn is_future(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(ANY_HEAD) else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&rest[..digits]).ok().and_then(|digits| digits.parse::<u32>().ok());
    number.is_some_and(|number| number > FORMAT) && rest.get(digits) == Some(&b'\n')
}

pub(super) fn frame(word: Word, id: Id, key: Digest, rest: &[u8]) -> Vec<u8> {
    let body = [&[word.byte()][..], &id.0, key.as_bytes(), rest].concat();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    [MARK, &length, &sum_of(&body), &body].concat()
}

/// The body of the record at a place, if it can be one, and the checksum that it should have.
pub(super) fn framed(bytes: &[u8], at: usize) -> Option<(Range<usize>, [u8; SUM])> {
    let rest = bytes.get(at..at + FRAME)?.strip_prefix(MARK)?;
    let (length, sum) = rest.split_first_chunk::<4>()?;
    let body = at + FRAME..(at + FRAME).checked_add(u32::from_le_bytes(*length) as usize)?;
    bytes.get(body.clone())?;
    Some((body, *sum.first_chunk()?))
}

pub(super) fn sum_of(body: &[u8]) -> [u8; SUM] {
    let mut sum = [0; SUM];
    sum.copy_from_slice(&Digest::of(body).as_bytes()[..SUM]);
    sum
}

pub(super) fn fixed(body: &[u8]) -> Option<(Word, Id, Digest)> {
    let (word, rest) = body.split_first()?;
    let (id, rest) = rest.split_first_chunk::<16>()?;
    let (key, _) = rest.split_first_chunk::<32>()?;
    Some((Word::of(*word)?, Id(*id), Digest::from_bytes(*key)))
}
