//! The files that patterns mean: what is named, what a directory holds, what a glob matches, but for what git
//! ignores. Paths are bytes, links are followed unless they lead in a circle, and the order is always the same.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};
use ignore::{Error, WalkBuilder};

use crate::base::name::{did_you_mean, one_of};
use crate::cache::files::named;

/// So many files are looked at to say what may have been meant.
const LOOKED_AT: usize = 1000;

/// Patterns of one task, understood.
#[derive(Clone, Debug)]
pub struct Patterns {
    cwd: PathBuf,
    gitignore: bool,
    /// Links to directories are gone through.
    follow: bool,
    /// A directory that nothing is in, for them.
    apart: Option<PathBuf>,
    wanted: Vec<Pattern>,
    unwanted: GlobSet,
}

/// One that takes.
#[derive(Clone, Debug)]
struct Pattern {
    /// As it was written.
    text: String,
    /// What stands before the first component that is a glob; all of it where there is none.
    literal: PathBuf,
    /// What comes behind that, and how deep it reaches.
    glob: Option<(GlobMatcher, Option<usize>)>,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// The files, sorted: each by its path against the directory of the patterns, with where it is.
    pub files: BTreeMap<PathBuf, PathBuf>,
    /// Patterns that matched nothing, though their directory is there.
    pub empty: Vec<String>,
}

impl Patterns {
    /// Understands patterns against a directory; one that begins with `!` takes nothing, and keeps others from taking.
    ///
    /// # Errors
    /// One of them is no pattern: in words.
    pub fn new(cwd: &Path, texts: &[String], gitignore: bool) -> Result<Self, String> {
        let mut wanted = Vec::new();
        let mut unwanted = GlobSetBuilder::new();
        for text in texts {
            match text.strip_prefix('!') {
                Some(rest) => {
                    let rest = rest.strip_prefix("./").unwrap_or(rest).trim_end_matches('/');
                    unwanted.add(glob(rest)?.glob().clone());
                    // What is in a directory that is not wanted is not wanted either.
                    unwanted.add(glob(&format!("{rest}/**"))?.glob().clone());
                }
                None => wanted.push(Pattern::new(text)?),
            }
        }
        let unwanted = unwanted.build().map_err(|why| why.to_string())?;
        Ok(Self { cwd: cwd.to_owned(), gitignore, follow: true, apart: None, wanted, unwanted })
    }

    /// The same, without going through links to directories: for what may be written.
    #[must_use]
    pub fn without_links(self) -> Self {
        Self { follow: false, ..self }
    }

    /// The same, without what is in a directory, by whatever way that is reached.
    #[must_use]
    pub fn apart_from(self, dir: &Path) -> Self {
        Self { apart: Some(dir.to_owned()), ..self }
    }

    /// Whether there is none that takes anything.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// What is named, or holds what is matched, against the directory of the patterns.
    pub fn places(&self) -> impl Iterator<Item = &Path> {
        self.wanted.iter().map(|pattern| pattern.literal.as_path())
    }

    /// Whether a path, against the directory of the patterns, is meant.
    pub fn matches(&self, path: &Path) -> bool {
        !self.unwanted.is_match(path) && self.wanted.iter().any(|pattern| pattern.matches(path))
    }

    /// The files that are there now, without those that `other` means.
    ///
    /// # Errors
    /// What is named is not there, or cannot be read.
    pub fn find(&self, other: Option<&Patterns>) -> Result<Found, String> {
        let mut found = Found::default();
        for pattern in &self.wanted {
            let before = found.files.len();
            let mut any = false;
            let mut take = |path: PathBuf, place: PathBuf| {
                any = true;
                let own = other.is_some_and(|other| other.matches(&path));
                if !own && !self.unwanted.is_match(&path) {
                    found.files.insert(path, place);
                }
            };
            self.each(pattern, &mut take)?;
            if found.files.len() == before && !any {
                found.empty.push(pattern.text.clone());
            }
        }
        Ok(found)
    }

    fn each(&self, pattern: &Pattern, take: &mut dyn FnMut(PathBuf, PathBuf)) -> Result<(), String> {
        let place = self.cwd.join(&pattern.literal);
        let link = || place.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
        if !self.follow && pattern.glob.is_none() && link() {
            take(pattern.literal.clone(), place);
            return Ok(());
        }
        let meta = match place.metadata() {
            Ok(meta) => meta,
            // A link that leads nowhere is there, and can be made to lead somewhere.
            Err(_) if pattern.glob.is_none() && place.symlink_metadata().is_ok() => {
                take(pattern.literal.clone(), place);
                return Ok(());
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound || why.kind() == io::ErrorKind::NotADirectory => {
                return Err(self.missing(pattern));
            }
            Err(why) => return Err(named("read", &place, &why)),
        };
        match (&pattern.glob, meta.is_dir()) {
            (None, false) => take(pattern.literal.clone(), place),
            (None, true) => self.walk(pattern, &place, None, &|_| true, take)?,
            (Some(_), false) => return Err(self.missing(pattern)),
            (Some((glob, depth)), true) => self.walk(pattern, &place, *depth, &|path| glob.is_match(path), take)?,
        }
        Ok(())
    }

    /// The directories that a file can be in that is meant, or will be when it is there. Of those that are not there
    /// yet, the nearest that is.
    pub fn directories(&self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        for pattern in &self.wanted {
            let place = self.cwd.join(&pattern.literal);
            // Who comes to be in place of another is seen by the directory around it.
            let near = place.ancestors().skip(1).find(|dir| dir.is_dir());
            all.extend(near.map(Path::to_owned));
            let depth = pattern.glob.as_ref().and_then(|(_, depth)| *depth);
            let inner = self.walker(&place, depth.map(|depth| depth.saturating_sub(1))).build().flatten();
            let dirs = inner.filter(|entry| entry.file_type().is_some_and(|kind| kind.is_dir()));
            all.extend(dirs.map(ignore::DirEntry::into_path));
        }
        all
    }

    fn walker(&self, base: &Path, depth: Option<usize>) -> WalkBuilder {
        let mut walk = WalkBuilder::new(base);
        walk.standard_filters(false).follow_links(self.follow).max_depth(depth);
        walk.parents(self.gitignore).git_ignore(self.gitignore).git_exclude(self.gitignore);
        let apart = self.apart.clone();
        let is_apart = move |entry: &ignore::DirEntry| {
            let apart = apart.as_deref().filter(|apart| apart.file_name() == Some(entry.file_name()));
            // Hardly ever: only then it is worth a look at the disk.
            apart.is_some_and(|apart| {
                entry.path().canonicalize().ok().is_some_and(|place| Some(place) == apart.canonicalize().ok())
            })
        };
        walk.filter_entry(move |entry| entry.depth() == 0 || !(is_private(entry.file_name()) || is_apart(entry)));
        walk
    }

    fn walk(
        &self,
        pattern: &Pattern,
        base: &Path,
        depth: Option<usize>,
        fits: &dyn Fn(&Path) -> bool,
        take: &mut dyn FnMut(PathBuf, PathBuf),
    ) -> Result<(), String> {
        for entry in self.walker(base, depth).build() {
            let place = match entry {
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_dir()) => continue,
                Ok(entry) => entry.into_path(),
                Err(why) => match trouble(&why, None) {
                    Trouble::Circle => continue,
                    // A link that leads nowhere is one of the files; what vanished meanwhile is none.
                    Trouble::Gone(place) if place.symlink_metadata().is_ok() => place,
                    Trouble::Gone(_) => continue,
                    Trouble::Other => return Err(format!("cannot read all that `{}` means: {why}", pattern.text)),
                },
            };
            let Ok(below) = place.strip_prefix(base) else { continue };
            if fits(below) {
                take(pattern.literal.join(below), place);
            }
        }
        Ok(())
    }

    /// What may have been meant by patterns that match nothing, in words: of a kind of files the kinds that are there, else
    /// files. Nothing where there are too many to look at.
    pub fn nearest(&self, texts: &[String]) -> Option<String> {
        let pattern = self.wanted.iter().find(|pattern| texts.contains(&pattern.text))?;
        let (before, last) =
            pattern.text.rsplit_once('/').map_or(("", &*pattern.text), |(before, last)| (before, last));
        let kind = last.strip_prefix("*.").filter(|kind| !kind.contains(['*', '?', '[', '{']));
        let base = self.cwd.join(&pattern.literal);
        let mut names = std::collections::BTreeSet::new();
        for entry in self.walker(&base, None).build().take(LOOKED_AT).flatten() {
            let below = entry.path().strip_prefix(&base).ok().filter(|below| below.file_name().is_some());
            let (Some(below), false) = (below, entry.file_type().is_some_and(|file| file.is_dir())) else { continue };
            let near = match (kind, below.extension()) {
                (Some(_), Some(there)) => Path::new(before).join(format!("*.{}", there.to_string_lossy())),
                (Some(_), None) => continue,
                (None, _) => pattern.literal.join(below),
            };
            names.insert(near.to_string_lossy().into_owned());
        }
        one_of(&pattern.text, names.iter().map(String::as_str))
    }

    /// That nothing is there, with the nearest that is.
    fn missing(&self, pattern: &Pattern) -> String {
        let mut known = self.cwd.clone();
        let mut so_far = PathBuf::new();
        for part in pattern.literal.components() {
            let next = known.join(part);
            if next.metadata().is_ok() {
                known = next;
                so_far.push(part);
                continue;
            }
            let wanted = part.as_os_str().to_string_lossy().into_owned();
            let names: Vec<String> = std::fs::read_dir(&known)
                .map(|dir| dir.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
                .unwrap_or_default();
            let nearest = did_you_mean(&wanted, names.iter().map(String::as_str));
            let nearest = nearest.map(|text| format!("; {text}")).unwrap_or_default();
            return format!("`{}` means nothing: there is no `{}`{nearest}", pattern.text, so_far.join(part).display());
        }
        format!("`{}` means nothing: `{}` is no directory", pattern.text, so_far.display())
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Self, String> {
        let has_meta = |part: &str| part.contains(['*', '?', '[', '{', '\\']);
        let bare = text.trim_end_matches('/');
        let mut parts: Vec<&str> = bare.split('/').collect();
        let at = parts.iter().position(|part| has_meta(part)).unwrap_or(parts.len());
        let rest = parts.split_off(at).join("/");
        let joined = if bare.is_empty() && !text.is_empty() { "/".to_owned() } else { parts.join("/") };
        let absolute = text.starts_with('/') && !joined.starts_with('/');
        let literal = clean(Path::new(&if absolute { format!("/{joined}") } else { joined }));
        if rest.is_empty() {
            return Ok(Self { text: text.to_owned(), literal, glob: None });
        }
        let depth = (!rest.contains("**")).then(|| rest.split('/').count());
        Ok(Self { text: text.to_owned(), literal, glob: Some((glob(&rest)?, depth)) })
    }

    fn matches(&self, path: &Path) -> bool {
        match (&self.glob, path.strip_prefix(&self.literal)) {
            (_, Err(_)) => false,
            (None, Ok(_)) => true,
            (Some((glob, _)), Ok(below)) => glob.is_match(below),
        }
    }
}

/// Without `.` and doubled slashes.
fn clean(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

fn glob(text: &str) -> Result<GlobMatcher, String> {
    let built = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
    built.map(|glob| glob.compile_matcher()).map_err(|why| format!("`{text}` is no pattern: {}", why.kind()))
}

/// What is never an input: how others keep their state, and how we do.
fn is_private(name: &OsStr) -> bool {
    name == ".git" || name == ".xec"
}

/// What a walk stumbled over.
enum Trouble {
    Circle,
    Gone(PathBuf),
    Other,
}

fn trouble(why: &Error, path: Option<&Path>) -> Trouble {
    match (why, path) {
        (Error::Loop { .. }, _) => Trouble::Circle,
        (Error::WithPath { path, err }, _) => trouble(err, Some(path)),
        (Error::WithDepth { err, .. } | Error::WithLineNumber { err, .. }, path) => trouble(err, path),
        // What vanished, and a link that leads nowhere, or only to itself.
        (Error::Io(why), Some(path)) if why.kind() == io::ErrorKind::NotFound || is_broken_link(path) => {
            Trouble::Gone(path.to_owned())
        }
        (Error::Io(_), _) => Trouble::Other,
        // A line of a `.gitignore` that git would pass over too.
        _ => Trouble::Circle,
    }
}

/// Whether it is a link that leads to nothing.
pub(super) fn is_broken_link(path: &Path) -> bool {
    path.is_symlink() && path.metadata().is_err()
}

/// A text of which every character means itself in a pattern.
pub fn escape(text: &str) -> String {
    globset::escape(text)
}

#[cfg(test)]
#[path = "inputs_tests.rs"]
mod tests;
