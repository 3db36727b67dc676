//! What the cache is asked about a task, and what it says. Reads no file but to see where a path leads.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::base::path::inside;
use crate::cache::digest::{Digest, Mixer};
use crate::cache::inputs::Patterns;
use crate::cache::key::{Entry, Manifest};
use crate::cache::ledger::Id;
use crate::cache::lock::{Holder, Lock};
use crate::cache::memo::Memo;
use crate::cache::settle::Before;
use crate::cache::store::Made;

/// An instance of a task, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Task {
    /// Which.
    pub id: Id,
    /// What it is called.
    pub name: Arc<str>,
    /// The directory that nothing it makes may leave.
    pub base: PathBuf,
    /// The directory of the state, which is never an input.
    pub state: PathBuf,
    /// The directory that patterns are against.
    pub cwd: PathBuf,
    /// The patterns of what it reads.
    pub inputs: Vec<String>,
    /// Whether what git ignores is no input.
    pub gitignore: bool,
    /// The patterns of what it makes.
    pub outputs: Vec<String>,
    /// What else decides: steps, values, variables, what others made.
    pub facts: Vec<Entry>,
    /// What others made that it needs, with their names: it has to be there until the task is done.
    pub needed: Vec<(String, Arc<Product>)>,
    /// Whether what it makes is kept.
    pub cached: bool,
    /// How long it stays up to date, at most.
    pub ttl: Option<Duration>,
    /// It has to run, whatever is known of it.
    pub force: bool,
}

impl Task {
    /// Whether it can be up to date at all.
    pub fn is_probed(&self) -> bool {
        self.cached || !self.inputs.is_empty()
    }

    /// The patterns of what it makes, none of which leads out of the project.
    pub(super) fn outputs(&self) -> Result<Patterns, String> {
        let outputs = Patterns::new(&self.cwd, &self.outputs, false)?.without_links();
        let out = outputs.places().find(|place| inside(&self.base, &self.cwd.join(place)).is_none());
        let why = out.map(|out| format!("`{}` does not lie in the project, `{}`", out.display(), self.base.display()));
        why.map_or(Ok(outputs), Err)
    }
}

/// What is known of a task that has to begin now.
#[derive(Debug)]
pub enum Claimed {
    /// It need not run any more, or can be brought back.
    Fresh(Fresh),
    /// It has to. Nobody else runs it meanwhile.
    Stale(Begun),
    /// Another xec runs it.
    Busy(Holder),
}

/// What a task that need not run had left when it did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fresh {
    /// Something of it was brought back; else all was there.
    pub restored: bool,
    /// Its values, as they were handed in.
    pub captures: Vec<u8>,
    /// What it wrote.
    pub log: Option<Digest>,
    /// What it made, for who needs it.
    pub made: Arc<Product>,
}

/// A task that is about to run.
#[derive(Debug)]
pub struct Begun {
    /// Why: what differs from the last time, the nearest reasons first.
    pub why: Vec<String>,
    /// What was noticed beside.
    pub notes: Vec<String>,
    pub(super) manifest: Manifest,
    pub(super) before: Box<Before>,
    pub(super) _lock: Lock,
}

/// What is remembered of a task that has run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settled {
    /// What it made, for who needs it.
    pub made: Option<Arc<Product>>,
    /// Why it will not be up to date, though it succeeded.
    pub trouble: Option<String>,
}

/// All that a task has made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Product {
    base: PathBuf,
    pub(super) files: Vec<Made>,
}

impl Product {
    /// Of these, each against this directory.
    pub(super) fn new(base: &Path, files: Vec<Made>) -> Self {
        Self { base: base.to_owned(), files }
    }

    /// Whether it is nothing.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// All of it, for fingerprints.
    pub fn digest(&self) -> Digest {
        let mut mixer = Mixer::default();
        for made in &self.files {
            mixer.add(made.digest().as_bytes());
        }
        mixer.finish()
    }

    /// Whether all of it is still there, just as it was made.
    pub(super) fn is_intact(&self, memo: &Memo) -> bool {
        self.files.iter().all(|made| made.is_intact(&self.base, memo))
    }
}

/// What is written through a link may be anywhere.
pub(super) fn through_no_link(base: &Path, path: &Path) -> Result<(), String> {
    let mut at = base.to_owned();
    for part in path.parent().into_iter().flat_map(Path::components) {
        at.push(part);
        if at.symlink_metadata().is_ok_and(|meta| meta.is_symlink()) {
            return Err(format!("its output `{}` lies behind the link `{}`", path.display(), at.display()));
        }
    }
    Ok(())
}
