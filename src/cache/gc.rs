//! What is kept and nobody can want any more is removed; of the rest the newest stays, up to a limit.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::cache::digest::Digest;
use crate::cache::files::{UNFINISHED, named};
use crate::cache::state::{Record, State};
use crate::cache::store::blobs;

/// What is so old and was never finished belongs to nobody who is still at it.
const ABANDONED: Duration = Duration::from_secs(3600);

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
    /// all the same, unless what it wrote is gone. A run beside it loses nothing but the chance to bring something back.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn collect(&self, limit: u64) -> Result<Collected, String> {
        let failed = |why: std::io::Error| named("write to", &self.dir, &why);
        let mut ledger = self.ledger();
        ledger.refresh().map_err(failed)?;
        let all = self.store.all();
        let sizes: std::collections::HashMap<Digest, u64> =
            all.iter().map(|(digest, size, _)| (*digest, *size)).collect();
        let (mut wanted, mut left) = (HashSet::new(), 0);
        for (_, _, bytes) in ledger.all().iter().rev() {
            let needs: HashSet<Digest> = needed(bytes).filter(|digest| !wanted.contains(digest)).collect();
            let size: u64 = needs.iter().filter_map(|digest| sizes.get(digest)).sum();
            if left + size > limit {
                break;
            }
            left += size;
            wanted.extend(needs);
        }
        ledger.shorten(|bytes| needed(bytes).all(|digest| wanted.contains(&digest))).map_err(failed)?;
        drop(ledger);
        let mut done = Collected { left, ..Collected::default() };
        for (_, size, path) in all.iter().filter(|(digest, ..)| !wanted.contains(digest)) {
            std::fs::remove_file(path).map_err(|why| named("remove", path, &why))?;
            done.removed += 1;
            done.freed += size;
        }
        for dir in [self.dir.clone(), self.dir.join("blobs")] {
            sweep(&dir);
        }
        let memo = self.dir.join("memo");
        self.memo.save(&memo, true).map_err(|why| named("write", &memo, &why))?;
        Ok(done)
    }
}

fn needed(record: &[u8]) -> impl Iterator<Item = Digest> {
    let record = postcard::take_from_bytes::<Record>(record).ok().map(|(record, _)| record);
    let all: Vec<Digest> = record.iter().flat_map(|record| blobs(&record.made).chain(record.log)).collect();
    all.into_iter()
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
