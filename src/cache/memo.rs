//! What files held when they were last read, so that those that have not been touched since are not read again.
//!
//! A file is taken for untouched if its size, times, inode and device are the same. Times are as coarse as the
//! clock of the file system: a file that was written in the same tick in which it was read could be written once
//! more without a trace. So what was read too soon after its last change is not remembered (git calls such entries
//! racily clean).

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::cache::digest::Digest;
use crate::cache::{files, inputs};

/// Says which format the file has.
const HEAD: &[u8] = b"xec-memo 1\n";
/// A time stamp finer than a second can be as old as one tick of the kernel's clock (10 ms at most).
const TICK: u128 = 20_000_000;
/// One that is not (FAT knows every other second).
const COARSE_TICK: u128 = 2_000_000_000;

/// What tells a file that was not touched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
    device: u64,
}

impl Stamp {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self {
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
            device: meta.dev(),
        }
    }

    /// Whether a later change cannot leave it the same.
    fn is_settled(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        [self.modified, self.changed].into_iter().all(|(seconds, nanos)| {
            let Ok(seconds) = u128::try_from(seconds) else { return true };
            let tick = if nanos == 0 { COARSE_TICK } else { TICK };
            seconds * 1_000_000_000 + nanos.unsigned_abs() as u128 + tick < now
        })
    }
}

/// What is known of files.
#[derive(Debug, Default)]
pub struct Memo {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By their paths, as bytes: comparing those part by part costs more than the rest.
    files: HashMap<Vec<u8>, (Stamp, Digest)>,
    dirty: bool,
}

impl Memo {
    /// What an earlier run left; nothing, where that is damaged.
    pub fn load(path: &Path) -> Self {
        let files = std::fs::read(path).ok().and_then(|bytes| decode(&bytes)).unwrap_or_default();
        Self { known: Mutex::new(Known { files, dirty: false }) }
    }

    /// Leaves it for later runs, if it is new. Files that are gone are forgotten if `tidy`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, path: &Path, tidy: bool) -> io::Result<()> {
        let Ok(mut known) = self.known.lock() else { return Ok(()) };
        if tidy {
            let before = known.files.len();
            known.files.retain(|path, _| Path::new(OsStr::from_bytes(path)).symlink_metadata().is_ok());
            known.dirty |= known.files.len() != before;
        }
        if !std::mem::take(&mut known.dirty) {
            return Ok(());
        }
        files::replace(path, &encode(&known.files))
    }

    /// What a file holds. `meta` is what is known of it already.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn digest(&self, path: &Path, meta: &Metadata) -> io::Result<Digest> {
        let stamp = Stamp::of(meta);
        if let Ok(known) = self.known.lock()
            && let Some((seen, digest)) = known.files.get(path.as_os_str().as_bytes())
            && *seen == stamp
        {
            return Ok(*digest);
        }
        let now = SystemTime::now();
        let file = File::open(path)?;
        let before = Stamp::of(&file.metadata()?);
        let (digest, _) = Digest::read(&file)?;
        let after = Stamp::of(&file.metadata()?);
        if let Ok(mut known) = self.known.lock() {
            if before == after && before.is_settled(now) {
                known.files.insert(path.as_os_str().as_bytes().to_vec(), (before, digest));
                known.dirty = true;
            } else if known.files.remove(path.as_os_str().as_bytes()).is_some() {
                known.dirty = true;
            }
        }
        Ok(digest)
    }
}

fn encode(files: &HashMap<Vec<u8>, (Stamp, Digest)>) -> Vec<u8> {
    let list: Vec<(&[u8], &(Stamp, Digest))> = files.iter().map(|(path, known)| (&path[..], known)).collect();
    let body = postcard::to_stdvec(&list).unwrap_or_default();
    [HEAD, Digest::of(&body).as_bytes(), &body].concat()
}

fn decode(bytes: &[u8]) -> Option<HashMap<Vec<u8>, (Stamp, Digest)>> {
    let (sum, body) = bytes.strip_prefix(HEAD)?.split_first_chunk::<32>()?;
    if Digest::of(body).as_bytes() != sum {
        return None;
    }
    let list: Vec<(&[u8], (Stamp, Digest))> = postcard::from_bytes(body).ok()?;
    Some(list.into_iter().map(|(path, known)| (path.to_vec(), known)).collect())
}

/// What a symbolic link that leads nowhere stands for, or a file by what it holds.
///
/// # Errors
/// It cannot be read.
pub(super) fn digest_of_any(memo: &Memo, path: &Path) -> io::Result<Digest> {
    match path.metadata() {
        Ok(meta) if meta.is_file() => memo.digest(path, &meta),
        // A pipe, a socket or a device holds nothing that could be compared; reading it could wait for ever.
        Ok(_) => Ok(Digest::of(b"not a file")),
        Err(_) if inputs::is_broken_link(path) => {
            let target = std::fs::read_link(path)?;
            let mut said = b"leads nowhere: ".to_vec();
            said.extend_from_slice(target.as_os_str().as_bytes());
            Ok(Digest::of(&said))
        }
        Err(why) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that was last changed long enough ago, as far as that can be told from it.
    fn settled(path: &Path, text: &str) -> Metadata {
        std::fs::write(path, text).unwrap();
        let meta = path.metadata().unwrap();
        while !Stamp::of(&meta).is_settled(SystemTime::now()) {
            std::thread::yield_now();
        }
        meta
    }

    #[test]
    fn what_was_not_touched_is_not_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let (path, memo) = (dir.path().join("a"), dir.path().join("memo"));
        let meta = settled(&path, "one");
        let before = Memo::default();
        assert_eq!(before.digest(&path, &meta).unwrap(), Digest::of(b"one"));
        before.save(&memo, false).unwrap();
        let after = Memo::load(&memo);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(after.digest(&path, &meta).unwrap(), Digest::of(b"one"), "nothing is there to be read");
        let meta = settled(&path, "two");
        assert_eq!(after.digest(&path, &meta).unwrap(), Digest::of(b"two"), "it is another file");
        // What is gone is forgotten when there is time for that, and what is damaged is nothing.
        std::fs::remove_file(&path).unwrap();
        after.save(&memo, true).unwrap();
        assert!(Memo::load(&memo).digest(&path, &meta).is_err());
        std::fs::write(&memo, "xec-memo 1\nwhatever").unwrap();
        assert!(Memo::load(&memo).digest(&path, &meta).is_err());
    }

    #[test]
    fn what_was_written_a_moment_ago_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let (path, memo) = (dir.path().join("a"), Memo::default());
        std::fs::write(&path, "one").unwrap();
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        // Its time lies ahead, so it can be written again without a trace, however long that takes here.
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        let meta = path.metadata().unwrap();
        assert_eq!(memo.digest(&path, &meta).unwrap(), Digest::of(b"one"));
        std::fs::remove_file(&path).unwrap();
        assert!(memo.digest(&path, &meta).is_err());
    }
}
