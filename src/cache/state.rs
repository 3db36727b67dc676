//! Whether a task has to run, and what is remembered when it has: the one place where files, records, blobs and locks
//! meet. Everything here may take its time, and is meant for the threads of [`State::spawn`].

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::cache::digest::Digest;
use crate::cache::fault;
use crate::cache::files::{self, named};
use crate::cache::inputs::{Found, Patterns};
use crate::cache::key::{Entry, Kind, Manifest};
use crate::cache::ledger::{Id, Ledger, NoLedger, Word};
use crate::cache::lock::{self, Taken};
use crate::cache::memo::{self, Memo};
use crate::cache::store::{Made, Store};
use crate::cache::task::{Begun, Claimed, Fresh, Product, Settled, Task, inside, through_no_link};

/// What a record holds beside its key. The manifest is behind it: it is only read to explain.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    /// When, in milliseconds since 1970.
    at: u64,
    pub(super) made: Vec<Made>,
    captures: Vec<u8>,
    pub(super) log: Option<Digest>,
}

impl Record {
    /// Why it does not count any more, by its age.
    fn expired(&self, ttl: Option<Duration>) -> Option<String> {
        let ttl = ttl?;
        // What comes from the future has no age that could be trusted.
        let old = now().checked_sub(self.at).is_none_or(|age| Duration::from_millis(age) >= ttl);
        old.then(|| format!("it is older than {}", crate::base::duration::show(ttl)))
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// What a task writes while it runs.
pub type Spool = tempfile::SpooledTempFile;

/// So much of that is held in memory: many tasks may have begun, and few have much to say.
const HELD: usize = 8 << 10;

/// Why there is no state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoState(pub String);

/// The state of a project.
#[derive(Debug)]
pub struct State {
    pub(super) dir: PathBuf,
    run: String,
    ledger: Mutex<Ledger>,
    pub(super) memo: Memo,
    pub(super) store: Store,
    threads: rayon::ThreadPool,
}

impl State {
    /// Opens the state in this directory, for the run of that name; makes it where there is none.
    ///
    /// # Errors
    /// It cannot be read or written, or a later xec wrote it.
    pub fn open(dir: &Path, run: &str) -> Result<Self, NoState> {
        make_dir(dir).map_err(|why| NoState(named("write to", dir, &why)))?;
        std::fs::create_dir_all(dir.join("locks")).map_err(|why| NoState(named("write to", dir, &why)))?;
        let ledger = Ledger::open(&dir.join("state")).map_err(|why| match why {
            NoLedger::Future => NoState(format!("`{}` was written by a later xec", dir.display())),
            NoLedger::Io(why) => NoState(named("write to", dir, &why)),
        })?;
        let threads = rayon::ThreadPoolBuilder::new()
            .thread_name(|at| format!("cache-{at}"))
            // Who asked is told that there is no answer; the panic itself was told already.
            .panic_handler(|_| ())
            .build()
            .map_err(|why| NoState(format!("cannot start threads: {why}")))?;
        Ok(Self {
            dir: dir.to_owned(),
            run: run.to_owned(),
            ledger: Mutex::new(ledger),
            memo: Memo::load(&dir.join("memo")),
            store: Store::new(dir.join("blobs")),
            threads,
        })
    }

    /// Does something on another thread.
    pub fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        self.threads.spawn(work);
    }

    /// A thread that panicked has left nothing half done: each change is one call.
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a task had left that need not run; `None` if it has to, or can only be brought back. Needs no lock, since
    /// what is there is looked at as it is now.
    ///
    /// # Errors
    /// What it reads is not there or cannot be read: in words.
    pub fn probe(&self, task: &Task) -> Result<Option<Fresh>, String> {
        let (manifest, _) = manifest(&self.memo, task)?;
        Ok((!task.force).then(|| self.up_to_date(task, manifest.key())).flatten())
    }

    /// A task has to begin now, unless others have done so, or what it would make can be brought back. It is marked as
    /// running, and nobody else runs it until the answer is dropped.
    ///
    /// # Errors
    /// What it reads is not there or cannot be read, or the mark cannot be written: in words.
    pub fn claim(&self, task: &Task) -> Result<Claimed, String> {
        let lock = self.lock_of(task);
        let lock = match lock::take(&lock, &self.run).map_err(|why| named("lock", &lock, &why))? {
            Taken::Ours(lock) => lock,
            Taken::Theirs(holder) => return Ok(Claimed::Busy(holder)),
        };
        // As it is now: it may have waited for long since it was asked about.
        let (manifest, notes) = manifest(&self.memo, task)?;
        let key = manifest.key();
        self.ledger().refresh().map_err(|why| named("read", &self.dir, &why))?;
        if !task.force {
            // What another one made meanwhile is as good as if it were ours, and what was kept can come back.
            let fresh = self.up_to_date(task, key).or_else(|| self.bring_back(task, key));
            if let Some(fresh) = fresh {
                return Ok(Claimed::Fresh(fresh));
            }
        }
        let why = if task.force { vec!["it was asked for by `--force`".to_owned()] } else { self.why(task, &manifest) };
        self.mark(task)?;
        Ok(Claimed::Stale(Begun { why, notes, manifest, _lock: lock }))
    }

    /// The file that is locked while a task runs.
    pub fn lock_of(&self, task: &Task) -> PathBuf {
        self.dir.join("locks").join(task.id.to_string())
    }

    /// From here on nothing that was said of it counts.
    fn mark(&self, task: &Task) -> Result<(), String> {
        let mut ledger = self.ledger();
        // Only what takes back a success has to be on the disk before the task begins.
        let sync = ledger.counts(task.id);
        fault::point("before-mark");
        let marked = ledger.add(Word::Running, task.id, Digest::of(b""), &[], sync);
        fault::point("after-mark");
        marked.map_err(|why| named("write to", &self.dir, &why))
    }

    fn up_to_date(&self, task: &Task, key: Digest) -> Option<Fresh> {
        let bytes = self.ledger().last(task.id).filter(|(last, _)| *last == key)?.1.to_vec();
        let (record, _) = postcard::take_from_bytes::<Record>(&bytes).ok()?;
        let intact = record.made.iter().all(|made| made.is_intact(&task.base, &self.memo));
        (intact && self.has_log(&record) && record.expired(task.ttl).is_none()).then(|| fresh(task, record, false))
    }

    fn bring_back(&self, task: &Task, key: Digest) -> Option<Fresh> {
        let bytes = self.ledger().kept(task.id, key).filter(|_| task.cached)?.to_vec();
        let (record, _) = postcard::take_from_bytes::<Record>(&bytes).ok()?;
        if record.expired(task.ttl).is_some() || !self.store.has_all(&record.made) {
            return None;
        }
        if !self.has_log(&record) {
            self.store.weed(&record.made);
            return None;
        }
        let broken: Vec<&Made> = record.made.iter().filter(|made| !made.is_intact(&task.base, &self.memo)).collect();
        // Until all of it is back, nothing that was said of the task counts.
        self.mark(task).ok()?;
        if broken.iter().any(|made| self.store.restore(&task.base, made).is_err()) {
            self.store.weed(&record.made);
            return None;
        }
        self.ledger().add(Word::Kept, task.id, key, &bytes, false).ok()?;
        Some(fresh(task, record, true))
    }

    /// Whether all that a task wrote can be shown once more.
    fn has_log(&self, record: &Record) -> bool {
        record.log.is_none_or(|log| self.store.check(&log).is_ok())
    }

    /// What differs from the last time.
    fn why(&self, task: &Task, manifest: &Manifest) -> Vec<String> {
        let ledger = self.ledger();
        let Some((_, bytes)) = ledger.last(task.id) else {
            let why = if ledger.is_unfinished(task.id) { "it did not end well the last time" } else { "it never ran" };
            return vec![why.to_owned()];
        };
        let read = postcard::take_from_bytes::<Record>(bytes);
        let Ok((record, rest)) = read else { return vec!["what is known of it is damaged".to_owned()] };
        let before: Manifest = postcard::from_bytes(rest).unwrap_or_default();
        let mut why: Vec<String> = manifest.differences(&before).iter().map(ToString::to_string).collect();
        for made in &record.made {
            let path = made.path().display();
            if task.base.join(made.path()).symlink_metadata().is_err() {
                why.push(format!("output `{path}` is missing"));
            } else if !made.is_intact(&task.base, &self.memo) {
                why.push(format!("output `{path}` was changed"));
            }
        }
        why.extend(record.expired(task.ttl));
        if !self.has_log(&record) {
            why.push("what it wrote is not kept any more".to_owned());
        }
        if why.is_empty() {
            why.push("what it made is not what it was a moment ago".to_owned());
        }
        why
    }

    /// A task has succeeded: what it made is looked at, kept where it is to be, and remembered.
    pub fn settle(&self, task: &Task, begun: Option<Begun>, captures: Vec<u8>, log: Option<Spool>) -> Settled {
        let made = match self.made(task) {
            Ok(made) => made,
            Err(why) => return Settled { made: None, trouble: begun.map(|_| why) },
        };
        let made = Arc::new(Product::new(&task.base, made));
        let trouble = begun.and_then(|begun| self.remember(task, begun, made.files.clone(), captures, log).err());
        Settled { made: Some(made), trouble }
    }

    fn remember(
        &self,
        task: &Task,
        begun: Begun,
        made: Vec<Made>,
        captures: Vec<u8>,
        log: Option<Spool>,
    ) -> Result<(), String> {
        let (after, _) = manifest(&self.memo, task)?;
        if let Some(changed) = after.differences(&begun.manifest).first() {
            return Err(format!("{changed} while it ran"));
        }
        // The fact says what it was before: by now another xec may have made something else of it.
        if let Some((name, _)) = task.needed.iter().find(|(_, product)| !product.is_intact(&self.memo)) {
            return Err(format!("what `{name}` made changed while it ran"));
        }
        let mut record = Record { at: now(), made, captures, log: None };
        let mut word = Word::Done;
        if task.cached {
            word = Word::Kept;
            record.made.par_iter().try_for_each(|made| self.store.keep(&task.base, made))?;
            record.log = log.map(|log| self.store.put(log)).transpose()?;
        }
        fault::point("before-record");
        let encode = |why: postcard::Error| format!("cannot write what is known of it: {why}");
        let mut bytes = postcard::to_stdvec(&record).map_err(encode)?;
        bytes.extend(postcard::to_stdvec(&begun.manifest).map_err(encode)?);
        let added = self.ledger().add(word, task.id, begun.manifest.key(), &bytes, false);
        fault::point("after-record");
        added.map_err(|why| named("write to", &self.dir, &why))
    }

    /// What files hold that match these patterns, and which they are. What is named and not there is nothing.
    ///
    /// # Errors
    /// A pattern is none, or a file cannot be read: in words.
    pub fn look(&self, cwd: &Path, texts: &[String]) -> Result<Digest, String> {
        let mut entries = Vec::new();
        for text in texts {
            let patterns = Patterns::new(cwd, std::slice::from_ref(text), true)?;
            if patterns.places().any(|place| cwd.join(place).symlink_metadata().is_err()) {
                continue;
            }
            entries.extend(files(&self.memo, patterns.find(None)?.files)?);
        }
        Ok(Manifest::new(entries).key())
    }

    /// What a condition saw when its instance last succeeded.
    pub fn last_seen(&self, what: Id) -> Option<Digest> {
        self.ledger().last(what).map(|(seen, _)| seen)
    }

    /// A condition saw this, and its instance has succeeded.
    ///
    /// # Errors
    /// It cannot be written: in words.
    pub fn remember_seen(&self, what: Id, seen: Digest) -> Result<(), String> {
        let mut ledger = self.ledger();
        if ledger.last(what).is_some_and(|(before, _)| before == seen) {
            return Ok(());
        }
        ledger.add(Word::Done, what, seen, &[], false).map_err(|why| named("write to", &self.dir, &why))
    }

    /// What a task has made, as it is now.
    fn made(&self, task: &Task) -> Result<Vec<Made>, String> {
        let found =
            self.threads.install(|| task.outputs()?.find(None)).map_err(|why| format!("in its `outputs`, {why}"))?;
        let mut all = Vec::with_capacity(found.files.len());
        // A directory with nothing in it is there too.
        let (dirs, empty): (Vec<&String>, Vec<&String>) =
            found.empty.iter().partition(|text| task.cwd.join(text).is_dir());
        if let Some(text) = empty.first() {
            return Err(format!("`{text}` of its `outputs` matches nothing"));
        }
        for path in found.files.keys().map(PathBuf::as_path).chain(dirs.iter().map(Path::new)) {
            let place = inside(&task.base, &task.cwd.join(path))
                .ok_or_else(|| format!("its output `{}` is not in `{}`", path.display(), task.base.display()))?;
            through_no_link(&task.base, &place)?;
            all.push(place);
        }
        all.sort_unstable();
        all.dedup();
        let made = |path: &PathBuf| {
            Made::now(&task.base, path, &self.memo).map_err(|why| named("read", &task.base.join(path), &why))
        };
        if all.len() < 16 { all.iter().map(made).collect() } else { all.par_iter().map(made).collect() }
    }

    /// What a task wrote when it ran, which was looked through when it was found up to date.
    ///
    /// # Errors
    /// It is not there any more.
    pub fn log(&self, digest: &Digest) -> io::Result<File> {
        self.store.open_checked(digest)
    }

    /// A place for what a task writes: a file without a name, once that is too much to hold.
    pub fn new_log(&self) -> Spool {
        tempfile::spooled_tempfile_in(HELD, &self.dir)
    }

    /// Leaves for later runs what this one has learned.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn close(&self) -> Result<(), String> {
        let path = self.dir.join("memo");
        self.memo.save(&path, false).map_err(|why| named("write", &path, &why))
    }
}

/// All that decides about a task, as it is now, and what is odd about it.
///
/// # Errors
/// What it reads is not there or cannot be read: in words.
pub fn manifest(memo: &Memo, task: &Task) -> Result<(Manifest, Vec<String>), String> {
    let outputs = task.outputs().map_err(|why| format!("in its `outputs`, {why}"))?;
    let mut entries = task.facts.clone();
    for (name, texts) in [("inputs", &task.inputs), ("outputs", &task.outputs)] {
        entries.push(Entry::text(Kind::Patterns, name, &texts.join("\n")));
    }
    let mut notes = Vec::new();
    if !task.inputs.is_empty() {
        let inputs = Patterns::new(&task.cwd, &task.inputs, task.gitignore)?;
        let found = inputs.find(Some(&outputs))?;
        let Found { files, empty } = found;
        if files.is_empty() {
            return Err(format!("there is no file that `inputs` means: {}", task.inputs.join(" ")));
        }
        notes.extend(empty.iter().map(|text| format!("`{text}` of its `inputs` matches nothing")));
        entries.extend(self::files(memo, files)?);
    }
    Ok((Manifest::new(entries), notes))
}

/// A fact for each file.
fn files(memo: &Memo, files: BTreeMap<PathBuf, PathBuf>) -> Result<Vec<Entry>, String> {
    let files: Vec<(PathBuf, PathBuf)> = files.into_iter().collect();
    let entry = |(path, place): &(PathBuf, PathBuf)| {
        let digest = memo::digest_of_any(memo, place).map_err(|why| named("read", place, &why))?;
        Ok(Entry::digest(Kind::File, path.as_os_str().as_encoded_bytes(), digest))
    };
    if files.len() < 16 { files.iter().map(entry).collect() } else { files.par_iter().map(entry).collect() }
}

fn fresh(task: &Task, record: Record, restored: bool) -> Fresh {
    let made = Arc::new(Product::new(&task.base, record.made));
    Fresh { restored, made, captures: record.captures, log: record.log }
}

/// Makes the directory of a state, which git does not see.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    let ignore = dir.join(".gitignore");
    if ignore.symlink_metadata().is_ok() {
        return Ok(());
    }
    std::fs::create_dir_all(dir)?;
    files::replace(&ignore, b"*\n")
}
