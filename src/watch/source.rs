//! Hints of the system that something has happened near the files that count, and a look at what it was.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use crate::watch::wanted::{Look, Wanted, difference};

/// How often files are looked at where the system cannot tell of them.
const POLL: Duration = Duration::from_secs(1);

/// Of its time, the share that looking for new directories may take while they come: one in so many.
const SHARE: u32 = 10;

/// Files that are watched.
pub struct Source {
    wanted: Arc<Wanted>,
    bell: Arc<Bell>,
    /// `None` where the system has no room for it: then files are looked at again and again.
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
    /// When new directories are looked for next, if some may have come; and no sooner than this.
    follow: Option<Instant>,
    rests: Instant,
    look: Look,
    /// Why the system cannot tell of changes, until that was asked for.
    trouble: Option<String>,
}

/// What rings when something has happened.
#[derive(Default)]
struct Bell {
    rung: Notify,
    /// Directories may have come or gone, or events were lost.
    shape: AtomicBool,
}

impl Bell {
    fn hear(&self, wanted: &Wanted, event: notify::Result<Event>) {
        let Ok(event) = event else { return self.ring(true) };
        if event.need_rescan() {
            return self.ring(true);
        }
        let shape = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
            EventKind::Access(_) => return,
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => true,
            _ => false,
        };
        // A directory matters for what may be in it, and what was moved away may have been one.
        let moved = matches!(event.kind, EventKind::Modify(ModifyKind::Name(_)));
        let matters = |path: &PathBuf| {
            wanted.may_mean(path) || (shape && path.is_dir()) || (moved && path.symlink_metadata().is_err())
        };
        if event.paths.iter().any(matters) {
            self.ring(shape || event.paths.iter().any(|path| path.ends_with(".gitignore")));
        }
    }

    fn ring(&self, shape: bool) {
        if shape {
            self.shape.store(true, Ordering::Release);
        }
        self.rung.notify_one();
    }
}

impl Source {
    /// Watches from now on: what changes after this is seen.
    pub fn new(wanted: Arc<Wanted>) -> Self {
        let bell = Arc::new(Bell::default());
        let (heard, meant) = (bell.clone(), wanted.clone());
        let watcher = notify::recommended_watcher(move |event| heard.hear(&meant, event));
        let (watcher, trouble) = match watcher {
            Ok(watcher) => (Some(watcher), None),
            Err(why) => (None, Some(why.to_string())),
        };
        let (directories, rests) = (BTreeSet::new(), Instant::now());
        let mut source = Self { wanted, bell, watcher, directories, follow: None, rests, look: Look::new(), trouble };
        source.cover();
        source.look = source.wanted.look();
        source
    }

    /// What it watches.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// How many files there are.
    pub fn count(&self) -> usize {
        self.look.len()
    }

    /// Why the files have to be looked at every second; said once.
    pub fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Ends when something may have changed. May be dropped at any time; nothing is lost.
    pub async fn rung(&self) {
        match self.watcher {
            Some(_) => self.bell.rung.notified().await,
            None => tokio::time::sleep(POLL).await,
        }
    }

    /// It has rung: new directories may have come, and what happens in them is of interest too.
    pub fn heard(&mut self, now: Instant) {
        if self.bell.shape.load(Ordering::Acquire) {
            self.follow.get_or_insert(self.rests.max(now));
        }
    }

    /// When [`Source::follow`] is to be called.
    pub fn follow_at(&self) -> Option<Instant> {
        self.follow
    }

    /// Looks for new directories.
    pub fn follow(&mut self) {
        let begun = Instant::now();
        self.follow = None;
        self.cover();
        self.rests = Instant::now() + begun.elapsed() * SHARE;
    }

    /// What has changed since the last call, or since the beginning.
    pub fn changes(&mut self) -> Vec<PathBuf> {
        self.follow = None;
        if self.bell.shape.swap(false, Ordering::AcqRel) {
            // A directory that went and came back under its name is another one.
            self.directories.clear();
            self.cover();
        }
        let look = self.wanted.look();
        let changed = difference(&self.look, &look);
        self.look = look;
        changed
    }

    /// Watches each directory there is, until no new one has come meanwhile.
    fn cover(&mut self) {
        while let Some(watcher) = &mut self.watcher {
            let there = self.wanted.directories();
            let new: Vec<PathBuf> = there.difference(&self.directories).cloned().collect();
            if new.is_empty() {
                return;
            }
            let mut failed = None;
            for dir in new {
                match watcher.watch(&dir, RecursiveMode::NonRecursive) {
                    Err(why) if dir.is_dir() => failed = Some(why.to_string()),
                    // What is gone by now tells its parent.
                    _ => drop(self.directories.insert(dir)),
                }
            }
            if let Some(why) = failed {
                self.watcher = None;
                self.trouble = Some(why);
            }
        }
    }
}
