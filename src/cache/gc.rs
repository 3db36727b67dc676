//! What is kept and nobody can want any more is removed, and what nobody has asked for in a long time; of the rest the
//! newest stays, up to a limit.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::base::fault;
use crate::cache::digest::Digest;
use crate::cache::files::{UNFINISHED, named};
use crate::cache::ledger::{Entry, Id};
use crate::cache::lock;
use crate::cache::record::{Record, today};
use crate::cache::state::State;

/// What is so old and was never finished belongs to nobody who is still at it.
const ABANDONED: Duration = Duration::from_secs(3600);

/// What was not asked for in so many days will not be.
const FORGOTTEN: u32 = 30;

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Collected {
    /// How many files were removed.
    pub removed: u64,
    /// How many bytes they had.
    pub freed: u64,
    /// How many bytes are kept.
    pub left: u64,
}

impl State {
    /// Keeps so many bytes at most, what was made last first. What a task made and is still there stays up to date
    /// all the same, unless what it wrote is gone, or nobody has asked for it in a long time. A run beside it loses
    /// nothing but the chance to bring something back.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn collect(&self, limit: u64) -> Result<Collected, String> {
        let failed = |why: std::io::Error| named("write to", &self.dir, &why);
        let mut ledger = self.ledger();
        ledger.refresh().map_err(failed)?;
        let all = self.store.all();
        let sizes: HashMap<Digest, u64> = all.iter().map(|(digest, size, _)| (*digest, *size)).collect();
        let (mut wanted, mut kept): (HashSet<Digest>, HashSet<(Id, Digest)>) = (HashSet::new(), HashSet::new());
        let (mut left, mut records) = (0, 0);
        for entry in ledger.all().iter().rev().filter(|entry| !is_forgotten(entry)) {
            let needs: HashSet<Digest> = needed(entry.rest).filter(|digest| !wanted.contains(digest)).collect();
            let size: u64 = needs.iter().filter_map(|digest| sizes.get(digest)).sum();
            if left + size + records + entry.rest.len() as u64 > limit {
                break;
            }
            left += size;
            records += entry.rest.len() as u64;
            kept.insert((entry.id, entry.key));
            wanted.extend(needs);
        }
        let stays =
            |entry: &Entry<'_>| !is_forgotten(entry) && (entry.is_last || kept.contains(&(entry.id, entry.key)));
        ledger.shorten(stays, false).map_err(failed)?;
        drop(ledger);
        let mut done = Collected { left, ..Collected::default() };
        for (_, size, path) in all.iter().filter(|(digest, ..)| !wanted.contains(digest)) {
            std::fs::remove_file(path).map_err(|why| named("remove", path, &why))?;
            fault::point("blob-removed");
            done.removed += 1;
            done.freed += size;
        }
        for dir in [self.dir.clone(), self.dir.join("blobs")] {
            sweep(&dir);
        }
        free(&self.dir.join("locks"));
        let memo = self.dir.join("memo");
        self.memo.save(&memo, true).map_err(|why| named("write", &memo, &why))?;
        Ok(done)
    }
}

/// Whether nobody has asked for it in a long time. What cannot be read has been of no use to anybody.
fn is_forgotten(entry: &Entry<'_>) -> bool {
    let asked = Record::read(entry.rest).map(|(record, _)| record.day().max(entry.used.unwrap_or(0)));
    asked.is_none_or(|day| day.saturating_add(FORGOTTEN) < today())
}

fn needed(record: &[u8]) -> impl Iterator<Item = Digest> {
    let record = Record::read(record).map(|(record, _)| record);
    let all: Vec<Digest> = record.iter().flat_map(Record::blobs).collect();
    all.into_iter()
}

/// Locks of those who were killed.
fn free(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        // Who has it takes it away when it is given back.
        drop(lock::take(&entry.path(), ""));
    }
}

/// What someone began to write who was killed.
fn sweep(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let old = entry
            .metadata()
            .and_then(|meta| meta.modified())
            .is_ok_and(|written| SystemTime::now().duration_since(written).is_ok_and(|age| age > ABANDONED));
        if old && entry.file_name().to_string_lossy().ends_with(UNFINISHED) {
            let _ = std::fs::remove_file(entry.path()); // Next time, then.
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::ledger::Word;

    fn add(state: &State, word: Word, name: &str, age: u32) {
        let old = Record { at: Record::bare().at - u64::from(age) * 24 * 3600 * 1000, ..Record::bare() };
        let rest = postcard::to_stdvec(&old).unwrap();
        state.ledger().add(word, Id::new("x", name), Digest::of(b"key"), &rest, false).unwrap();
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let open = || State::open(dir.path(), "run").unwrap();
        let state = open();
        for (name, age) in [("new", 0), ("old", 31), ("used", 31), ("young", 29)] {
            add(&state, Word::Done, name, age);
            add(&state, Word::Kept, &format!("kept {name}"), age);
        }
        state.ledger().add(Word::Running, Id::new("x", "begun"), Digest::of(b""), &[], false).unwrap();
        let used = ["used", "kept used"].map(|name| (Id::new("x", name), Digest::of(b"key")));
        state.ledger().add_used(&used, today() - 1).unwrap();
        std::fs::write(dir.path().join("locks").join("left"), "1 x").unwrap();
        drop(state);
        let left = |state: &State| {
            let names = ["new", "old", "used", "young"].map(|name| [name.to_owned(), format!("kept {name}")]).concat();
            let there = |name: &&String| state.ledger().counts(Id::new("x", name));
            names.iter().filter(there).cloned().collect::<Vec<_>>()
        };
        let state = open();
        state.collect(u64::MAX).unwrap();
        for state in [state, open()] {
            assert_eq!(left(&state), ["new", "kept new", "used", "kept used", "young", "kept young"]);
            assert!(!state.ledger().is_unfinished(Id::new("x", "begun")));
        }
        assert_eq!(std::fs::read_dir(dir.path().join("locks")).unwrap().count(), 0);
    }
}
