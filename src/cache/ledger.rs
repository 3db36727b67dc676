//! What became of tasks, one record after the other in one file, so that ten thousand of them are one read.
//!
//! Records are only ever appended, each in one write and with a checksum: a record is there as a whole or not at
//! all. The last word on a task counts. What is torn or damaged is passed over to the next one that is whole, and as nobody
//! knows of which task it was the last word, no success before it counts any more; what can be brought back still can.
//! Several xecs append side by side; each holds a shared lock on the file, and what one has added the others see
//! when they [`Ledger::refresh`]. Only who is alone may write a shorter file in its place.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::cache::digest::Digest;
use crate::cache::files::{self, is_at};
use crate::cache::frame::{FIXED, FRAME, HEAD, MARK, fixed, frame, framed, is_future, sum_of};
pub use crate::cache::frame::{Id, Word};

/// So often, with a pause between, a record that is not there as a whole is looked at again: another xec may be about it.
const LOOKS: u32 = 10;
/// A file is made shorter when so much of it says nothing any more.
const WASTE: usize = 4 << 20;

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

/// A record that says something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'l> {
    /// Of which task.
    pub id: Id,
    /// Under which key.
    pub key: Digest,
    /// What else it holds.
    pub rest: &'l [u8],
    /// It is what the task came to last.
    pub is_last: bool,
    /// It can be brought back.
    pub is_kept: bool,
    /// The day on which it was up to date last, if that was said.
    pub used: Option<u32>,
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
    /// The day on which something was found up to date last, if that was not the day on which it was made.
    used: HashMap<(Id, Digest), u32>,
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
            let _ = ledger.shorten(|_| true, true); // The long one is as good.
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
            let (bytes, last, kept, used) = (Vec::new(), HashMap::new(), HashMap::new(), HashMap::new());
            let mut ledger = Self { path: path.to_owned(), file, bytes, read: 0, last, kept, used, live: 0 };
            ledger.file.read_to_end(&mut ledger.bytes)?;
            let is_ours = ledger.bytes.starts_with(HEAD);
            if !is_ours && is_future(&ledger.bytes) {
                return Err(NoLedger::Future);
            }
            if !is_ours || !ledger.index() {
                ledger.begin()?;
            }
            ledger.await_the_end()?;
            return Ok(ledger);
        }
    }

    /// What stands at the end and is no record may be one that another xec is writing just now. If it is not, it is the
    /// rest of one that nobody knows any more.
    fn await_the_end(&mut self) -> io::Result<()> {
        for _ in 0..LOOKS {
            if self.read == self.bytes.len() {
                return Ok(());
            }
            #[expect(clippy::disallowed_methods, reason = "before the run begins, and hardly ever")]
            std::thread::sleep(std::time::Duration::from_millis(1));
            self.refresh()?;
        }
        self.doubt();
        Ok(())
    }

    /// One word was lost: it may have taken back any success before it.
    fn doubt(&mut self) {
        self.last.clear();
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
            if framed.is_some() {
                self.doubt();
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
            self.doubt();
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
            Word::Used => {
                let day = self.bytes.get(body.start + FIXED..body.end).and_then(|rest| rest.first_chunk::<4>());
                let before = day.and_then(|day| self.used.insert((id, key), u32::from_le_bytes(*day)));
                self.live -= before.map_or(0, |_| body.len() + FRAME);
                return;
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

    /// The day on which it was up to date last with this key, if that was said.
    pub fn used(&self, id: Id, key: Digest) -> Option<u32> {
        self.used.get(&(id, key)).copied()
    }

    /// All that can be brought back, and what else counts: oldest first.
    pub fn all(&self) -> Vec<Entry<'_>> {
        let mut ranges: Vec<&Range<usize>> = self.kept.values().chain(self.last.values().flatten()).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        ranges.dedup();
        let read = |range: &&Range<usize>| {
            let bytes = &self.bytes[(*range).clone()];
            let (_, id, key) = fixed(bytes)?;
            let is_last = self.last(id).is_some_and(|(last, _)| last == key);
            let (is_kept, used) = (self.kept.contains_key(&(id, key)), self.used(id, key));
            Some(Entry { id, key, rest: &bytes[FIXED..], is_last, is_kept, used })
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

    /// Says that these were up to date on a day, all in one write.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn add_used(&mut self, which: &[(Id, Digest)], day: u32) -> io::Result<()> {
        let frames: Vec<u8> =
            which.iter().flat_map(|(id, key)| frame(Word::Used, *id, *key, &day.to_le_bytes())).collect();
        if frames.is_empty() { Ok(()) } else { self.file.write_all(&frames) }
    }

    /// Writes a shorter file with what still counts of what `stays`, if nobody else uses it; with those that were begun
    /// and never ended, if that is to be known.
    ///
    /// # Errors
    /// It cannot be written; then the old one stays.
    pub fn shorten(&mut self, stays: impl Fn(&Entry<'_>) -> bool, unfinished: bool) -> io::Result<()> {
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
        let (mut bytes, mut void) = (HEAD.to_vec(), HashSet::new());
        for entry in self.all().iter().filter(|entry| stays(entry)) {
            let Entry { id, key, rest, is_last, is_kept, used } = *entry;
            let word = if is_kept { Word::Kept } else { Word::Done };
            bytes.extend(frame(word, id, key, rest));
            if let Some(day) = used {
                bytes.extend(frame(Word::Used, id, key, &day.to_le_bytes()));
            }
            // What can be brought back, and is not what the task came to last, is no success.
            if is_last {
                void.remove(&id)
            } else {
                void.insert(id)
            };
        }
        let open = self.last.iter().filter(|(_, range)| range.is_none() && unfinished);
        void.extend(open.map(|(id, _)| *id));
        for id in void {
            bytes.extend(frame(Word::Running, id, Digest::of(b""), &[]));
        }
        crate::base::fault::point("before-shorten");
        files::replace(&self.path, &bytes)?;
        crate::base::fault::point("after-shorten");
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

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
