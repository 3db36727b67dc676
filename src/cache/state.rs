//! Whether a task has to run, and what is remembered when it has: the one place where files, records, blobs and locks
//! meet. Everything here may take its time, and is meant for the threads of [`State::spawn`].

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::fault;
use crate::cache::digest::Digest;
use crate::cache::files::{self, named};
use crate::cache::inputs::{Found, Patterns};
use crate::cache::key::{Entry, Kind, Manifest};
use crate::cache::ledger::{Id, Ledger, NoLedger, Word};
use crate::cache::lock::{self, Taken};
use crate::cache::makers::Makers;
use crate::cache::memo::{self, Memo};
use crate::cache::record::{Record, today};
use crate::cache::store::{Made, Store};
use crate::cache::task::{Begun, Claimed, Fresh, Product, Task};
use rayon::prelude::*;

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
    pub(super) makers: Makers,
    /// What was found up to date and not said to be so today.
    used: Mutex<Vec<(Id, Digest)>>,
    pub(super) threads: rayon::ThreadPool,
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
            makers: Makers::default(),
            used: Mutex::default(),
            threads,
        })
    }

    /// Does something on another thread.
    pub fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        self.threads.spawn(work);
    }

    /// So many things can be done at once.
    pub fn width(&self) -> usize {
        self.threads.current_num_threads()
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
        let (manifest, odd) = manifest(&self.memo, task)?;
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
        let before = Box::new(self.before(task));
        self.mark(task)?;
        Ok(Claimed::Stale(Begun { why, notes: odd.notes(), manifest, before, _lock: lock }))
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
        let (record, used) = {
            let ledger = self.ledger();
            let (_, bytes) = ledger.last(task.id).filter(|(last, _)| *last == key)?;
            (Record::read(bytes)?.0, ledger.used(task.id, key))
        };
        let intact = || record.made.iter().all(|made| made.is_intact(&task.base, &self.memo));
        if record.expired(task.ttl).is_some() || !intact() || !self.has_log(&record) {
            return None;
        }
        if used.unwrap_or(0).max(record.day()) < today()
            && let Ok(mut used) = self.used.lock()
        {
            used.push((task.id, key));
        }
        Some(fresh(task, record, false))
    }

    fn bring_back(&self, task: &Task, key: Digest) -> Option<Fresh> {
        let bytes = self.ledger().kept(task.id, key).filter(|_| task.cached)?.to_vec();
        let (record, _) = Record::read(&bytes)?;
        if record.expired(task.ttl).is_some() || !self.store.has_all(&record.made) {
            return None;
        }
        if !self.has_log(&record) {
            self.store.weed(&record.made);
            return None;
        }
        let broken: Vec<&Made> = record.made.iter().filter(|made| !made.is_intact(&task.base, &self.memo)).collect();
        // What another version of it has made does not belong to this one.
        let mut others = self.own(task);
        others.retain(|other| record.made.binary_search_by(|made| made.path().cmp(other.path())).is_err());
        // Until all of it is back, nothing that was said of the task counts.
        self.mark(task).ok()?;
        if broken.iter().any(|made| self.store.restore(&task.base, made).is_err()) {
            self.store.weed(&record.made);
            return None;
        }
        fault::point("before-remove");
        let intact = others.iter().filter(|other| other.is_intact(&task.base, &self.memo));
        intact.for_each(|other| drop(Store::remove(&task.base, other))); // Who removes it first has done it too.
        self.ledger().add(Word::Kept, task.id, key, &bytes, false).ok()?;
        Some(fresh(task, record, true))
    }

    /// Whether all that a task wrote can be shown once more.
    fn has_log(&self, record: &Record) -> bool {
        record.log.is_none_or(|log| self.store.has(&log, &self.memo))
    }

    /// What differs from the last time.
    fn why(&self, task: &Task, manifest: &Manifest) -> Vec<String> {
        let ledger = self.ledger();
        let Some((_, bytes)) = ledger.last(task.id) else {
            let why = if ledger.is_unfinished(task.id) { "it did not end well the last time" } else { "it never ran" };
            return vec![why.to_owned()];
        };
        let Some((record, rest)) = Record::read(bytes) else {
            return vec!["what is known of it is damaged".to_owned()];
        };
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

    /// What files hold that match these patterns, and which they are. What is named and not there is nothing.
    ///
    /// # Errors
    /// A pattern is none, or a file cannot be read: in words.
    pub fn look(&self, cwd: &Path, texts: &[String]) -> Result<Digest, String> {
        let mut entries = Vec::new();
        for text in texts {
            let patterns = Patterns::new(cwd, std::slice::from_ref(text), true)?.apart_from(&self.dir);
            if patterns.places().any(|place| cwd.join(place).symlink_metadata().is_err()) {
                continue;
            }
            entries.extend(files_in(&self.memo, patterns.find(None)?.files)?);
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
        let rest = postcard::to_stdvec(&Record::bare()).unwrap_or_default();
        ledger.add(Word::Done, what, seen, &rest, false).map_err(|why| named("write to", &self.dir, &why))
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
        let used = self.used.lock().map(|mut used| std::mem::take(&mut *used)).unwrap_or_default();
        self.ledger().add_used(&used, today()).map_err(|why| named("write to", &self.dir, &why))?;
        let path = self.dir.join("memo");
        self.memo.save(&path, false).map_err(|why| named("write", &path, &why))
    }
}

/// All that decides about a task, as it is now, and what is odd about it.
///
/// # Errors
/// What it reads is not there or cannot be read: in words.
pub fn manifest(memo: &Memo, task: &Task) -> Result<(Manifest, Odd), String> {
    let outputs = task.outputs().map_err(|why| format!("in its `outputs`, {why}"))?;
    let mut entries = task.facts.clone();
    for (name, texts) in [("inputs", &task.inputs), ("outputs", &task.outputs)] {
        entries.push(Entry::text(Kind::Patterns, name, &texts.join("\n")));
    }
    let mut odd = Odd::default();
    if !task.inputs.is_empty() {
        let inputs = Patterns::new(&task.cwd, &task.inputs, task.gitignore)?.apart_from(&task.state);
        let Found { files, empty } = inputs.find(Some(&outputs))?;
        if files.is_empty() {
            let near = inputs.nearest(&empty).map(|near| format!("; {near}")).unwrap_or_default();
            return Err(format!("there is no file that `inputs` means: {}{near}", task.inputs.join(" ")));
        }
        entries.extend(files_in(memo, files)?);
        odd = Odd { inputs: Some(inputs).filter(|_| !empty.is_empty()), empty };
    }
    Ok((Manifest::new(entries), odd))
}

/// What is odd about what a task reads, though it can run.
#[derive(Debug, Default)]
pub struct Odd {
    inputs: Option<Patterns>,
    /// Patterns that match nothing.
    empty: Vec<String>,
}

impl Odd {
    /// In words. Looks around for what may have been meant: worth it only where somebody reads it.
    fn notes(&self) -> Vec<String> {
        let Some(inputs) = &self.inputs else { return Vec::new() };
        let note = |text: &String| {
            let near = inputs.nearest(std::slice::from_ref(text)).map(|near| format!("; {near}"));
            format!("`{text}` of its `inputs` matches nothing{}", near.unwrap_or_default())
        };
        self.empty.iter().map(note).collect()
    }
}

/// Whether what went wrong, in the words of this module, is only that there was no descriptor left: there will be again.
pub fn is_scarcity(why: &str) -> bool {
    use nix::errno::Errno;
    [Errno::EMFILE, Errno::ENFILE].into_iter().any(|code| why.ends_with(&io::Error::from(code).to_string()))
}

/// A fact for each file.
fn files_in(memo: &Memo, files: BTreeMap<PathBuf, PathBuf>) -> Result<Vec<Entry>, String> {
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

/// Where the state of a project is: beside its first file, or in a place for it in a directory for all.
pub fn place(root: &Path, elsewhere: Option<&OsStr>) -> PathBuf {
    match elsewhere.filter(|dir| !dir.is_empty()) {
        None => root.join(".xec"),
        Some(dir) => {
            let name = Digest::of(root.as_os_str().as_encoded_bytes()).to_string();
            root.join(dir).join(&name[..16])
        }
    }
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
