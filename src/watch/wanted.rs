//! Which files count, and what they look like now. Reads directories and what is said of files, never what they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::base::path::clean;
use crate::cache::inputs::Patterns;

/// Some patterns against one directory, as they were written; `!` takes away.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Set {
    /// The directory.
    pub cwd: PathBuf,
    /// The patterns.
    pub texts: Vec<String>,
    /// What git ignores does not count, unless it is named.
    pub gitignore: bool,
}

/// What counts. Two that are equal find the same.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wish {
    /// What is watched.
    pub sets: BTreeSet<Set>,
    /// What is not, since the run itself makes it.
    pub made: BTreeSet<Set>,
    /// Files that count whatever else is said.
    pub files: BTreeSet<PathBuf>,
    /// Files that never do.
    pub never: BTreeSet<PathBuf>,
    /// The same by device and number: what xec itself writes to.
    pub written: BTreeSet<(u64, u64)>,
}

/// The same, understood.
#[derive(Debug)]
pub struct Wanted {
    /// What it was made of.
    pub wish: Wish,
    sets: Vec<(PathBuf, Patterns)>,
    made: Vec<(PathBuf, Patterns)>,
}

/// What can be seen of a file without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// It is a link, and all else is said of what that leads to.
    link: bool,
    place: (u64, u64),
    size: u64,
    mode: u32,
    time: (i64, i64),
}

/// All files that count, by their whole paths.
pub type Look = BTreeMap<PathBuf, Stamp>;

impl Wanted {
    /// Understands what is wished for.
    ///
    /// # Errors
    /// One of the patterns is none: in words.
    pub fn new(wish: Wish) -> Result<Self, String> {
        // Each pattern that takes stands alone with all that take away: one whose directory is not there yet keeps
        // none of the others from being found.
        let mut sets = Vec::new();
        for Set { cwd, texts, gitignore } in &wish.sets {
            let (less, more): (Vec<_>, Vec<_>) = texts.iter().cloned().partition(|text| text.starts_with('!'));
            for text in more {
                let texts: Vec<String> = std::iter::once(text).chain(less.iter().cloned()).collect();
                sets.push((cwd.clone(), Patterns::new(cwd, &texts, *gitignore)?));
            }
        }
        let made = wish.made.iter().map(|set| Ok((set.cwd.clone(), Patterns::new(&set.cwd, &set.texts, false)?)));
        let made = made.collect::<Result<_, String>>()?;
        Ok(Self { sets, made, wish })
    }

    /// Whether something that happened to this path may matter. Asked of every event, so it asks no disk.
    pub fn may_mean(&self, path: &Path) -> bool {
        if self.wish.files.contains(path) || path.file_name().is_some_and(|name| name == ".gitignore") {
            return true;
        }
        let taken = |(cwd, patterns): &(PathBuf, Patterns)| match path.strip_prefix(cwd) {
            Ok(below) => patterns.matches(below),
            // A pattern may lead out of its directory.
            Err(_) => true,
        };
        !self.is_made(path) && self.sets.iter().any(taken)
    }

    fn is_made(&self, path: &Path) -> bool {
        let by = |(cwd, made): &(PathBuf, Patterns)| path.strip_prefix(cwd).is_ok_and(|below| made.matches(below));
        self.wish.never.contains(path) || self.made.iter().any(by)
    }

    /// What the files look like now. What is not there, or cannot be looked at, is left out.
    pub fn look(&self) -> Look {
        let mut look = Look::new();
        let mut add = |path: PathBuf| {
            if let Some(stamp) = self.stamp(&path) {
                look.insert(path, stamp);
            }
        };
        for (_, patterns) in &self.sets {
            let found = patterns.find(None).unwrap_or_default().files;
            found.into_values().map(|path| clean(&path)).filter(|path| !self.is_made(path)).for_each(&mut add);
        }
        self.wish.files.iter().cloned().for_each(add);
        look
    }

    /// What one of them looks like now, if it is there.
    pub fn stamp(&self, path: &Path) -> Option<Stamp> {
        Stamp::of(path).filter(|stamp| !self.wish.written.contains(&stamp.place))
    }

    /// The directories in which files that count are, or could come to be.
    pub fn directories(&self) -> BTreeSet<PathBuf> {
        let mut all: BTreeSet<PathBuf> = self.sets.iter().flat_map(|(_, patterns)| patterns.directories()).collect();
        all = all.iter().map(|path| clean(path)).filter(|path| !self.is_made(path)).collect();
        let parents = self.wish.files.iter().filter_map(|file| file.parent());
        all.extend(parents.filter(|dir| dir.is_dir()).map(Path::to_owned));
        all
    }
}

impl Stamp {
    /// Whether it is a link.
    pub fn is_link(&self) -> bool {
        self.link
    }

    fn of(path: &Path) -> Option<Self> {
        let meta = path.symlink_metadata().ok()?;
        let link = meta.is_symlink();
        let meta = if link { path.metadata().unwrap_or(meta) } else { meta };
        // What goes through a pipe or a device changes nothing in it.
        if !meta.is_file() && !meta.is_symlink() {
            return None;
        }
        Some(Self {
            link,
            place: (meta.dev(), meta.ino()),
            size: meta.size(),
            mode: meta.mode(),
            time: (meta.mtime(), meta.mtime_nsec()),
        })
    }
}

/// What links among these files lead to, each step of the way: what happens there happens to the file.
pub fn linked(look: &Look) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    for (path, _) in look.iter().filter(|(_, stamp)| stamp.link) {
        let mut at = path.clone();
        // A circle comes to something that is known.
        while let Ok(target) = at.read_link() {
            let Some(dir) = at.parent().and_then(|dir| dir.canonicalize().ok()) else { break };
            at = clean(&dir.join(target));
            if !all.insert(at.clone()) {
                break;
            }
        }
        // As the system tells of it.
        all.extend(at.canonicalize());
    }
    all
}

/// What differs between two looks, sorted.
pub fn difference(before: &Look, after: &Look) -> Vec<PathBuf> {
    let changed = after.iter().filter(|(path, stamp)| before.get(*path) != Some(stamp)).map(|(path, _)| path);
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    changed.chain(gone).cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(dir: &Path, texts: &[&str], made: &[&str]) -> Wanted {
        let set = |texts: &[&str]| Set {
            cwd: dir.to_owned(),
            texts: texts.iter().map(|text| (*text).to_owned()).collect(),
            gitignore: true,
        };
        let files = [dir.join("Xecfile.kdl")].into();
        Wanted::new(Wish { sets: [set(texts)].into(), made: [set(made)].into(), files, ..Wish::default() }).unwrap()
    }

    #[test]
    fn what_is_made_and_what_git_ignores_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        for name in [".git", "src/deep", "out", "target/x"] {
            std::fs::create_dir_all(at.join(name)).unwrap();
        }
        for name in ["src/a", "src/deep/b", "src/c.o", "out/a", "target/x/y", "Xecfile.kdl"] {
            std::fs::write(at.join(name), name).unwrap();
        }
        std::fs::write(at.join(".gitignore"), "target\n*.o\n").unwrap();
        let wanted = wanted(at, &["**"], &["out/**"]);
        let before = wanted.look();
        let names: Vec<_> = before.keys().map(|path| path.strip_prefix(at).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, [".gitignore", "Xecfile.kdl", "src/a", "src/deep/b"]);
        assert!(!wanted.directories().iter().any(|dir| dir.ends_with("target") || dir.ends_with("x")));
        assert!(wanted.directories().contains(&at.join("src/deep")));
        assert!(wanted.may_mean(&at.join("src/new")) && !wanted.may_mean(&at.join("out/new")));

        std::fs::write(at.join("src/.a.tmp"), "saved beside and renamed").unwrap();
        std::fs::rename(at.join("src/.a.tmp"), at.join("src/a")).unwrap();
        std::fs::write(at.join("out/b"), "made").unwrap();
        std::fs::remove_file(at.join("src/deep/b")).unwrap();
        assert_eq!(difference(&before, &wanted.look()), [at.join("src/a"), at.join("src/deep/b")]);
    }

    #[test]
    fn what_is_not_there_yet_keeps_nothing_from_being_found() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "a").unwrap();
        let wanted = wanted(dir.path(), &["later/**", "a"], &[]);
        assert_eq!(wanted.look().len(), 1);
        assert!(wanted.directories().contains(dir.path()));
        assert!(Wanted::new(Wish { sets: wanted.wish.sets.clone(), ..Wish::default() }).is_ok());
    }
}
