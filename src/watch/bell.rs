//! What the system tells, until somebody listens: when something happened, and where. Looks at no file but to see whether
//! it is a directory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use notify::Event;
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use tokio::sync::Notify;

use crate::watch::wanted::Wanted;

/// So many paths are looked at by themselves; where more are told of, all are looked at.
const SINGLE: usize = 256;

/// What rings when something has happened.
#[derive(Default)]
pub(super) struct Bell {
    pub(super) rung: Notify,
    told: Mutex<Told>,
    /// What links lead to.
    linked: Mutex<BTreeSet<PathBuf>>,
}

/// What was told since that was asked.
#[derive(Default)]
pub(super) struct Told {
    /// When it first and last rang: whoever comes late to a bell must not wait the longer for it.
    pub(super) when: Option<(Instant, Instant)>,
    /// Events were lost, or they mean more than the paths that they are of.
    pub(super) all: bool,
    pub(super) paths: BTreeSet<PathBuf>,
}

impl Bell {
    /// Something was told of.
    pub(super) fn hear(&self, wanted: &Wanted, event: notify::Result<Event>) {
        let Ok(event) = event else { return self.ring(true, Vec::new()) };
        if event.need_rescan() {
            return self.ring(true, Vec::new());
        }
        let shape = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
            EventKind::Access(_) => return,
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => true,
            _ => false,
        };
        // A directory matters for what may be in it, and what was moved away may have been one.
        let moved = matches!(event.kind, EventKind::Modify(ModifyKind::Name(_)));
        let is_linked = event.paths.iter().any(|path| self.is_linked(path));
        let matters = |path: &PathBuf| {
            wanted.may_mean(path) || (shape && path.is_dir()) || (moved && path.symlink_metadata().is_err())
        };
        if is_linked || event.paths.iter().any(matters) {
            let ignores = event.paths.iter().any(|path| path.ends_with(".gitignore"));
            self.ring(is_linked || ignores || event.paths.is_empty(), event.paths);
        }
    }

    /// What links lead to, from now on.
    pub(super) fn links(&self, links: BTreeSet<PathBuf>) {
        *self.linked.lock().unwrap_or_else(PoisonError::into_inner) = links;
    }

    fn is_linked(&self, path: &Path) -> bool {
        self.linked.lock().is_ok_and(|linked| linked.contains(path))
    }

    fn ring(&self, all: bool, paths: Vec<PathBuf>) {
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.when = Some((told.when.map_or(now, |(first, _)| first), now));
        told.all |= all;
        if told.paths.len() < SINGLE {
            told.paths.extend(paths);
        } else {
            told.all = true;
        }
        drop(told);
        self.rung.notify_one();
    }

    /// What was told since the last call.
    pub(super) fn told(&self) -> Told {
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
