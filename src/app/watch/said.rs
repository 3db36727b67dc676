//! What files said, where that differs, and how that is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::app::open::Opened;
use crate::base::event::Event;

/// So many changed files are named.
const NAMED: usize = 3;

/// Files, with what they said.
pub(super) type Read = BTreeMap<PathBuf, String>;

/// What the files said that this was made of.
pub(super) fn read(opened: &Opened) -> Read {
    let sources = opened.file.sources.iter().map(|source| (source.path.clone(), source.text.to_string()));
    let dotenv = opened.file.files.iter().map(|scope| (scope.dir.join(".env"), format!("{:?}", scope.dotenv)));
    sources.chain(dotenv).collect()
}

/// Where two readings differ.
pub(super) fn differ(before: &Read, now: &Read) -> Vec<PathBuf> {
    let all: BTreeSet<&PathBuf> = before.keys().chain(now.keys()).collect();
    all.into_iter().filter(|path| before.get(*path) != now.get(*path)).cloned().collect()
}

/// Why a run begins, for people.
pub(super) fn names(paths: &[PathBuf], root: &Path) -> Event {
    let named = paths.iter().take(NAMED).map(|path| short(path, root)).collect();
    Event::Changed { paths: named, more: paths.len().saturating_sub(NAMED) }
}

fn short(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}
