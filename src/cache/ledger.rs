//! What became of tasks, one record after the other in one file, so that ten thousand of them are one read.
//!
//! Records are only ever appended, each in one write and with a checksum: a record is there as a whole or not at
//! all, and what is torn or damaged is passed over to the next one that is whole. The last word on a task counts.
//! Several xecs append side by side; each holds a shared lock on the file, and what one has added the others see
//! when they [`Ledger::refresh`]. Only who is alone may write a shorter file in its place.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::cache::digest::Digest;
use crate::cache::files::{self, is_at};

/// Says which format the file has; a later one has another number.
const HEAD: &[u8] = b"xec-state 1\n";
/// What every format of it begins with.
const ANY_HEAD: &[u8] = b"xec-state ";
/// Where a record begins.
const MARK: &[u8] = b"\xf1XR\n";
/// How long a checksum is.
const SUM: usize = 8;
/// The mark, the length and the checksum.
const FRAME: usize = 4 + 4 + SUM;
/// Kind, task and key.
const FIXED: usize = 1 + 16 + 32;
/// A file is made shorter when so much of it says nothing any more.
const WASTE: usize = 4 << 20;

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
}

impl Word {
    fn byte(self) -> u8 {
        match self {
            Word::Running => 1,
            Word::Done => 2,
            Word::Kept => 3,
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [Word::Running, Word::Done, Word::Kept].into_iter().find(|word| word.byte() == byte)
    }
}

/// Why there is no ledger.
#[derive(Debug)]
pub enum NoLedger {
    /// A later xec wrote it.
    Future,
    /// It cannot be read or written.
    Io(io::Error),
}

impl From<io::Error> for NoLedger {
    fn from(why: io::Error) -> Self {
        NoLedger::Io(why)
    }
}

/// The records of a project.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    bytes: Vec<u8>,
    /// Up to here they were understood.
    read: usize,
    /// The last word on each task; `None` while it runs.
    last: HashMap<Id, Option<Range<usize>>>,
    /// What can be brought back.
    kept: HashMap<(Id, Digest), Range<usize>>,
    /// How much of it still says something.
    live: usize,
}

impl Ledger {
    /// Opens it, or makes it.
    ///
    /// # Errors
    /// It cannot be read or written, or a later xec wrote it.
    pub fn open(path: &Path) -> Result<Self, NoLedger> {
        let mut ledger = Self::attach(path)?;
        if ledger.bytes.len() > WASTE && ledger.bytes.len() > 2 * ledger.live {
            let _ = ledger.shorten(|_| true); // The long one is as good.
        }
        Ok(ledger)
    }

    fn attach(path: &Path) -> Result<Self, NoLedger> {
        loop {
            let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
            file.lock_shared()?;
            if !is_at(&file, path)? {
                continue;
            }
            let empty = Vec::new();
            let (last, kept) = (HashMap::new(), HashMap::new());
            let mut ledger = Self { path: path.to_owned(), file, bytes: empty, read: 0, last, kept, live: 0 };
            ledger.file.read_to_end(&mut ledger.bytes)?;
            let is_ours = ledger.bytes.starts_with(HEAD);
            if !is_ours && is_future(&ledger.bytes) {
                return Err(NoLedger::Future);
            }
            if !is_ours || !ledger.index() {
                ledger.begin()?;
            }
            return Ok(ledger);
        }
    }

    /// What is there is no ledger: nothing of it counts.
    fn begin(&mut self) -> io::Result<()> {
        if !self.bytes.is_empty() {
            // Nobody else can make use of it either.
            self.file.set_len(0)?;
        }
        self.file.write_all(HEAD)?;
        self.bytes = HEAD.to_vec();
        self.read = HEAD.len();
        Ok(())
    }

    /// Takes in what others have added.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn refresh(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() == self.bytes.len() as u64 {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(self.bytes.len() as u64))?;
        self.file.read_to_end(&mut self.bytes)?;
        self.index();
        Ok(())
    }

    /// Takes in what was read. Where it is so damaged that looking for what is whole would take for ever, nothing of
    /// it counts, and the answer is no: passing over a part could pass over the mark that takes back a success.
    fn index(&mut self) -> bool {
        let mut at = self.read.max(HEAD.len()).min(self.bytes.len());
        // Lengths that are damaged can claim the same bytes again and again.
        let mut in_vain = 0;
        loop {
            let framed = framed(&self.bytes, at);
            if let Some((body, _)) = framed.clone().filter(|(body, sum)| sum_of(&self.bytes[body.clone()]) == *sum) {
                at = body.end;
                self.take(body);
                continue;
            }
            in_vain += framed.map_or(0, |(body, _)| body.len());
            if in_vain > 2 * self.bytes.len() {
                (self.live, self.read) = (0, self.bytes.len());
                self.last.clear();
                self.kept.clear();
                return false;
            }
            // Torn, damaged, or the end: the next one that is whole.
            match memchr::memmem::find(self.bytes.get(at + 1..).unwrap_or_default(), MARK) {
                Some(skip) => at += 1 + skip,
                None => break,
            }
        }
        // A torn record at the end may be one that another xec has not written to its end.
        self.read = at;
        true
    }

    fn take(&mut self, body: Range<usize>) {
        let Some((word, id, key)) = fixed(&self.bytes[body.clone()]) else { return };
        self.live += body.len() + FRAME;
        let before = match word {
            Word::Running => self.last.insert(id, None).flatten(),
            Word::Done => self.last.insert(id, Some(body)).flatten(),
            Word::Kept => {
                self.last.insert(id, Some(body.clone()));
                self.kept.insert((id, key), body)
            }
        };
        let before = before.filter(|range| word == Word::Kept || self.word(range) != Some(Word::Kept));
        self.live = self.live.saturating_sub(before.map_or(0, |range| range.len() + FRAME));
    }

    fn word(&self, range: &Range<usize>) -> Option<Word> {
        fixed(&self.bytes[range.clone()]).map(|(word, ..)| word)
    }

    /// What was said of a task last, if it succeeded then: the key, and the rest.
    pub fn last(&self, id: Id) -> Option<(Digest, &[u8])> {
        self.last.get(&id)?.as_ref().and_then(|range| self.get(range))
    }

    /// Whether anything that was said of a task counts.
    pub fn counts(&self, id: Id) -> bool {
        self.last.get(&id).is_some_and(Option::is_some)
    }

    /// Whether it was begun and never ended well.
    pub fn is_unfinished(&self, id: Id) -> bool {
        self.last.get(&id).is_some_and(Option::is_none)
    }

    /// What of a task can be brought back under this key.
    pub fn kept(&self, id: Id, key: Digest) -> Option<&[u8]> {
        self.kept.get(&(id, key)).and_then(|range| self.get(range)).map(|(_, rest)| rest)
    }

    /// All that can be brought back, and what else counts: oldest first.
    pub fn all(&self) -> Vec<(Id, Digest, &[u8])> {
        let mut ranges: Vec<&Range<usize>> = self.kept.values().chain(self.last.values().flatten()).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        ranges.dedup();
        let read = |range: &&Range<usize>| {
            let bytes = &self.bytes[(*range).clone()];
            fixed(bytes).map(|(_, id, key)| (id, key, &bytes[FIXED..]))
        };
        ranges.iter().filter_map(read).collect()
    }

    fn get(&self, range: &Range<usize>) -> Option<(Digest, &[u8])> {
        let bytes = &self.bytes[range.clone()];
        fixed(bytes).map(|(_, _, key)| (key, &bytes[FIXED..]))
    }

    /// Adds a record; `sync` waits until it is on the disk.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&mut self, word: Word, id: Id, key: Digest, rest: &[u8], sync: bool) -> io::Result<()> {
        let framed = frame(word, id, key, rest);
        self.file.write_all(&framed)?;
        if sync {
            self.file.sync_data()?;
        }
        // What others have added stands before it, or behind it.
        self.refresh()
    }

    /// Writes a shorter file with what still counts, if nobody else uses it.
    ///
    /// # Errors
    /// It cannot be written; then the old one stays.
    pub fn shorten(&mut self, stays: impl Fn(&[u8]) -> bool) -> io::Result<()> {
        let alone = self.file.try_lock().is_ok();
        if !alone {
            self.file.lock_shared()?;
        }
        // For a moment no lock was held: someone else may have made it shorter just then.
        if !is_at(&self.file, &self.path)? {
            return self.attach_again();
        }
        if !alone {
            return Ok(());
        }
        // What was added by those who have left it since.
        self.refresh()?;
        let mut bytes = HEAD.to_vec();
        for (id, key, rest) in self.all() {
            let last = self.last.get(&id).and_then(Option::as_ref).and_then(|range| self.get(range));
            let is_kept = self.kept.contains_key(&(id, key));
            if last.is_some_and(|(last, _)| last == key) || (is_kept && stays(rest)) {
                let word = if is_kept { Word::Kept } else { Word::Done };
                bytes.extend(frame(word, id, key, rest));
            }
        }
        for (id, _) in self.last.iter().filter(|(_, range)| range.is_none()) {
            bytes.extend(frame(Word::Running, *id, Digest::of(b""), &[]));
        }
        files::replace(&self.path, &bytes)?;
        self.attach_again()
    }

    fn attach_again(&mut self) -> io::Result<()> {
        *self = Self::attach(&self.path).map_err(|why| match why {
            NoLedger::Io(why) => why,
            NoLedger::Future => io::ErrorKind::InvalidData.into(),
        })?;
        Ok(())
    }
}

/// Whether a file begins as that of another format does.
fn is_future(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(ANY_HEAD) else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && digits < 10 && rest.get(digits) == Some(&b'\n')
}

fn frame(word: Word, id: Id, key: Digest, rest: &[u8]) -> Vec<u8> {
    let body = [&[word.byte()][..], &id.0, key.as_bytes(), rest].concat();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    [MARK, &length, &sum_of(&body), &body].concat()
}

/// The body of the record at a place, if it can be one, and the checksum that it should have.
fn framed(bytes: &[u8], at: usize) -> Option<(Range<usize>, [u8; SUM])> {
    let rest = bytes.get(at..at + FRAME)?.strip_prefix(MARK)?;
    let (length, sum) = rest.split_first_chunk::<4>()?;
    let body = at + FRAME..(at + FRAME).checked_add(u32::from_le_bytes(*length) as usize)?;
    bytes.get(body.clone())?;
    Some((body, *sum.first_chunk()?))
}

fn sum_of(body: &[u8]) -> [u8; SUM] {
    let mut sum = [0; SUM];
    sum.copy_from_slice(&Digest::of(body).as_bytes()[..SUM]);
    sum
}

fn fixed(body: &[u8]) -> Option<(Word, Id, Digest)> {
    let (word, rest) = body.split_first()?;
    let (id, rest) = rest.split_first_chunk::<16>()?;
    let (key, _) = rest.split_first_chunk::<32>()?;
    Some((Word::of(*word)?, Id(*id), Digest::from_bytes(*key)))
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
