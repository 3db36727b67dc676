//! Hints of the system that something has happened near the files that count, and a look at what it was.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use notify::{Event, RecommendedWatcher, RecursiveMode};

use crate::watch::bell::{Bell, Told};
use crate::watch::wanted::{Look, Stamp, Wanted, difference, linked};

/// How often files are looked at where the system cannot tell of them.
const POLL: Duration = Duration::from_secs(1);

/// Of its time, the share that looking for new directories may take while they come: one in so many.
const SHARE: u32 = 10;

/// What is told when something has happened.
type Tell = Box<dyn FnMut(notify::Result<Event>) + Send>;

/// Who tells of directories.
trait Watch: Send {
    /// Tells of this one too.
    fn watch(&mut self, dir: &Path) -> notify::Result<()>;
}

impl Watch for RecommendedWatcher {
    fn watch(&mut self, dir: &Path) -> notify::Result<()> {
        notify::Watcher::watch(self, dir, RecursiveMode::NonRecursive)
    }
}

/// Files that are watched.
pub struct Source {
    wanted: Arc<Wanted>,
    bell: Arc<Bell>,
    /// `None` where the system has no room for it: then files are looked at again and again.
    watcher: Option<Box<dyn Watch>>,
    directories: BTreeSet<PathBuf>,
    /// When new directories are looked for next, if some may have come; and no sooner than this.
    follow: Option<Instant>,
    rests: Instant,
    look: Look,
    touched: Touched,
    /// Why the system cannot tell of changes, until that was asked for.
    trouble: Option<String>,
}

/// What may not look as it did.
#[derive(Default)]
struct Touched {
    /// All of it, and directories may have come or gone.
    all: bool,
    paths: BTreeSet<PathBuf>,
}

impl Source {
    /// Watches from now on: what changes after this is seen.
    pub fn new(wanted: Arc<Wanted>) -> Self {
        Self::told_by(wanted, |tell| Ok(Box::new(notify::recommended_watcher(tell)?)))
    }

    fn told_by(wanted: Arc<Wanted>, make: impl FnOnce(Tell) -> notify::Result<Box<dyn Watch>>) -> Self {
        let bell = Arc::new(Bell::default());
        let (heard, meant) = (bell.clone(), wanted.clone());
        let watcher = make(Box::new(move |event| heard.hear(&meant, event)));
        let (watcher, trouble) = match watcher {
            Ok(watcher) => (Some(watcher), None),
            Err(why) => (None, Some(why.to_string())),
        };
        let (directories, rests) = (BTreeSet::new(), Instant::now());
        let (follow, look, touched) = (None, Look::new(), Touched::default());
        let mut source = Self { wanted, bell, watcher, directories, follow, rests, look, touched, trouble };
        source.cover();
        source.look = source.look();
        source
    }

    /// What the files look like now. What links lead to is watched before it is looked at.
    fn look(&mut self) -> Look {
        loop {
            let look = self.wanted.look();
            let links = linked(&look);
            let dirs: BTreeSet<PathBuf> = links.iter().filter_map(|path| path.parent()).map(Path::to_owned).collect();
            self.bell.links(links);
            if !self.add(dirs) {
                return look;
            }
        }
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

    /// It has rung: new directories may have come, and what happens in them is of interest too. When something first
    /// and last happened, which is earlier than now where there was no time to listen.
    pub fn heard(&mut self) -> (Instant, Instant) {
        let now = Instant::now();
        let when = self.listen();
        if self.touched.all {
            self.follow.get_or_insert(self.rests.max(now));
        }
        when.unwrap_or((now, now))
    }

    /// Takes in what was told by now.
    fn listen(&mut self) -> Option<(Instant, Instant)> {
        let Told { when, all, paths } = self.bell.told();
        let is_dir = |path: &PathBuf| self.directories.contains(path) || path.is_dir();
        self.touched.all |= all || paths.iter().any(is_dir);
        self.touched.paths.extend(paths);
        when
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

    /// What has changed of what was told of; all of it, where one cannot go by that. Somebody waits for this, and most
    /// saves are of one file among thousands.
    pub fn told(&mut self) -> Vec<PathBuf> {
        self.listen();
        let is_new = |path: &PathBuf| !self.look.contains_key(path) && path.symlink_metadata().is_ok();
        if self.watcher.is_none() || self.touched.all || self.touched.paths.iter().any(is_new) {
            return self.changes();
        }
        let mut changed = Vec::new();
        for path in &self.touched.paths {
            let (before, now) = (self.look.get(path), self.wanted.stamp(path));
            if before != now.as_ref() {
                // What links lead to is watched as well, and that is for the whole look to find.
                if before.into_iter().chain(&now).any(Stamp::is_link) {
                    return self.changes();
                }
                changed.push((path.clone(), now));
            }
        }
        self.follow = None;
        self.touched.paths.clear();
        for (path, now) in &changed {
            match now {
                Some(now) => self.look.insert(path.clone(), *now),
                None => self.look.remove(path),
            };
        }
        changed.into_iter().map(|(path, _)| path).collect()
    }

    /// What has changed since the last call, or since the beginning, told of or not.
    pub fn changes(&mut self) -> Vec<PathBuf> {
        self.follow = None;
        self.listen();
        if std::mem::take(&mut self.touched).all {
            // A directory that went and came back under its name is another one.
            self.directories.clear();
            self.cover();
        }
        let look = self.look();
        let changed = difference(&self.look, &look);
        self.look = look;
        changed
    }

    /// Watches each directory there is, until no new one has come meanwhile.
    fn cover(&mut self) {
        while self.watcher.is_some() && self.add(self.wanted.directories()) {}
    }

    /// Watches these too; whether one of them is new.
    fn add(&mut self, dirs: BTreeSet<PathBuf>) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let new: Vec<PathBuf> = dirs.difference(&self.directories).cloned().collect();
        let mut failed = None;
        for dir in &new {
            match watcher.watch(dir) {
                Err(why) if dir.is_dir() => failed = Some(why.to_string()),
                // What is gone by now tells its parent.
                _ => drop(self.directories.insert(dir.clone())),
            }
        }
        if let Some(why) = failed {
            self.watcher = None;
            self.trouble = Some(why);
        }
        !new.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{EventKind, Flag, ModifyKind};
    use notify::{Error, ErrorKind};

    use super::*;
    use crate::watch::wanted::{Set, Wish};

    /// Watches a number of directories and no more, and hands out what it tells by.
    struct Fake {
        room: usize,
    }

    impl Watch for Fake {
        fn watch(&mut self, _: &Path) -> notify::Result<()> {
            self.room = self.room.checked_sub(1).ok_or_else(|| Error::new(ErrorKind::MaxFilesWatch))?;
            Ok(())
        }
    }

    fn wanted(dir: &Path, text: &str) -> Arc<Wanted> {
        let set = Set { cwd: dir.to_owned(), texts: vec![text.to_owned()], gitignore: true };
        Arc::new(Wanted::new(Wish { sets: [set].into(), ..Wish::default() }).unwrap())
    }

    fn source(dir: &Path, room: usize) -> (Source, Tell) {
        let mut way = None;
        let source = Source::told_by(wanted(dir, "**"), |tell| {
            way = Some(tell);
            Ok(Box::new(Fake { room }))
        });
        (source, way.unwrap())
    }

    fn is_rung(source: &Source) -> bool {
        use std::future::Future as _;
        let mut rung = std::pin::pin!(source.bell.rung.notified());
        rung.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
    }

    #[test]
    fn what_was_lost_on_the_way_is_found_by_the_next_look() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "1").unwrap();
        let (mut source, mut tell) = source(dir.path(), 100);
        std::fs::create_dir_all(dir.path().join("new/deep")).unwrap();
        std::fs::write(dir.path().join("new/deep/b"), "2").unwrap();
        std::fs::write(dir.path().join("a"), "changed").unwrap();
        assert!(!is_rung(&source), "nobody has told of any of it");
        tell(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        assert!(is_rung(&source));
        source.heard();
        assert!(source.follow_at().is_some(), "there may be new directories");
        assert_eq!(source.changes(), [dir.path().join("a"), dir.path().join("new/deep/b")]);
        assert!(source.directories.contains(&dir.path().join("new/deep")), "and what happens in them is told now");
        tell(Err(Error::new(ErrorKind::Generic("the queue is gone".to_owned()))));
        assert!(is_rung(&source), "an error is one more reason to look");
    }

    #[test]
    fn one_that_was_told_of_is_looked_at_alone_and_what_is_new_with_all() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
        ["a", "b", "c"].iter().for_each(|name| write(name, "1"));
        let (mut source, mut tell) = source(dir.path(), 100);
        let mut touch = |name: &str| tell(Ok(Event::new(EventKind::Modify(ModifyKind::Any)).add_path(at(name))));
        ["a", "b"].iter().for_each(|name| write(name, "changed"));
        touch("a");
        assert_eq!(source.told(), [at("a")], "and nothing else, so nothing else was looked at");
        touch("a");
        assert_eq!(source.told(), [] as [PathBuf; 0]);
        assert_eq!(source.changes(), [at("b")], "what nobody told of is found by the next look at all");
        // A probe that came and went, as editors make them.
        write("c", "changed");
        touch("4913");
        assert_eq!(source.told(), [] as [PathBuf; 0]);
        touch("new");
        write("new", "1");
        assert_eq!(source.told(), [at("c"), at("new")]);
        std::fs::remove_file(at("b")).unwrap();
        touch("b");
        assert_eq!(source.told(), [at("b")]);
        // What is not named may be anything.
        write("c", "changed again");
        tell(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        assert_eq!(source.told(), [at("c")]);
    }

    #[test]
    fn who_comes_late_is_told_when_it_rang() {
        let dir = tempfile::tempdir().unwrap();
        let (mut source, mut tell) = source(dir.path(), 100);
        let mut ring = || {
            let before = Instant::now();
            tell(Ok(Event::new(EventKind::Modify(ModifyKind::Any)).add_path(dir.path().join("a"))));
            (before, Instant::now())
        };
        let (first, last) = (ring(), ring());
        let late = Instant::now();
        let heard = source.heard();
        assert!(first.0 <= heard.0 && heard.0 <= first.1, "the first time");
        assert!(last.0 <= heard.1 && heard.1 <= last.1, "and the last");
        assert!(source.heard().0 >= late, "each is told once");
        let before_the_look = ring();
        source.changes();
        assert!(source.heard().0 >= before_the_look.1, "what has been looked at is over");
    }

    #[test]
    fn where_there_is_no_room_files_are_looked_at_again_and_again() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("one/two/three")).unwrap();
        let (mut full, _) = source(dir.path(), 2);
        assert!(full.watcher.is_none(), "half of it would be worse than nothing");
        assert!(full.trouble().is_some_and(|why| why.contains("watch")));
        assert_eq!(full.trouble(), None, "said once");
        std::fs::write(dir.path().join("one/two/three/a"), "1").unwrap();
        assert_eq!(full.changes(), [dir.path().join("one/two/three/a")]);
        // Room for what is there, and none for what comes.
        let (mut later, mut tell) = source(dir.path(), 6);
        assert!(later.watcher.is_some());
        for n in 0..6 {
            std::fs::create_dir(dir.path().join(format!("one/{n}"))).unwrap();
        }
        tell(Ok(Event::new(EventKind::Create(notify::event::CreateKind::Folder)).add_path(dir.path().join("one/1"))));
        later.changes();
        assert!(later.watcher.is_none() && later.trouble().is_some());
        std::fs::write(dir.path().join("one/5/b"), "1").unwrap();
        assert_eq!(later.changes(), [dir.path().join("one/5/b")]);
    }

    #[test]
    fn what_a_link_leads_to_is_watched() {
        let (dir, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (target, hop) = (away.path().join("target"), away.path().join("hop"));
        std::fs::write(&target, "1").unwrap();
        std::os::unix::fs::symlink(&target, &hop).unwrap();
        std::os::unix::fs::symlink(&hop, dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("round", dir.path().join("round")).unwrap();
        let (mut source, mut tell) = source(dir.path(), 100);
        assert!(source.directories.contains(away.path()));
        std::fs::write(&target, "changed").unwrap();
        tell(Ok(Event::new(EventKind::Modify(ModifyKind::Any)).add_path(target)));
        assert!(is_rung(&source));
        assert_eq!(source.changes(), [dir.path().join("link")]);
    }
}
