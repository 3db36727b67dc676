//! The files that patterns mean: what is named, what a directory holds, what a glob matches, but for what git
//! ignores. Paths are bytes, links are followed unless they lead in a circle, and the order is always the same.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};
use ignore::{Error, WalkBuilder};

use crate::base::name::did_you_mean;
use crate::cache::files::named;

/// Patterns of one task, understood.
#[derive(Clone, Debug)]
pub struct Patterns {
    cwd: PathBuf,
    gitignore: bool,
    /// Links to directories are gone through.
    follow: bool,
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
        Ok(Self { cwd: cwd.to_owned(), gitignore, follow: true, wanted, unwanted })
    }

    /// The same, without going through links to directories: for what may be written.
    #[must_use]
    pub fn without_links(self) -> Self {
        Self { follow: false, ..self }
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
        walk.filter_entry(|entry| entry.depth() == 0 || !is_private(entry.file_name()));
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
mod tests {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    fn place(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        dir
    }

    fn names(dir: &Path, texts: &[&str]) -> Vec<String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let found = Patterns::new(dir, &texts, true).unwrap().find(None).unwrap();
        found.files.keys().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn patterns_mean_what_people_expect() {
        let dir =
            place(&["a.c", "b.h", "src/c.c", "src/deep/d.c", "src/.hidden", "src/[x].c", ".git/HEAD", ".xec/memo"]);
        let at = dir.path();
        assert_eq!(names(at, &["*.c"]), ["a.c"]);
        assert_eq!(names(at, &["**/*.c"]), ["a.c", "src/[x].c", "src/c.c", "src/deep/d.c"]);
        assert_eq!(names(at, &["src"]), ["src/.hidden", "src/[x].c", "src/c.c", "src/deep/d.c"]);
        assert_eq!(names(at, &["./src/**"]), names(at, &["src/"]));
        assert_eq!(names(at, &["src/*.c", "b.h", "b.h"]), ["b.h", "src/[x].c", "src/c.c"]);
        assert_eq!(names(at, &["*.{c,h}"]), ["a.c", "b.h"]);
        assert_eq!(names(at, &["**", "!src/deep", "!*.h"]), ["a.c", "src/.hidden", "src/[x].c", "src/c.c"]);
        assert_eq!(names(at, &[&format!("src/{}", escape("[x].c"))]), ["src/[x].c"]);
        assert_eq!(names(&at.join("src"), &["../a.c", "../*.h"]), ["../a.c", "../b.h"]);
        assert_eq!(names(Path::new("/"), &[&format!("{}/a.c", at.display())]), [at.join("a.c").display().to_string()]);
    }

    #[test]
    fn what_git_ignores_is_left_out_unless_it_is_named() {
        let dir = place(&[".gitignore", "src/a.c", "src/out/b.o", "sub/c.o"]);
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        std::fs::write(dir.path().join(".gitignore"), "*.o\n").unwrap();
        assert_eq!(names(dir.path(), &["**"]), [".gitignore", "src/a.c"]);
        assert_eq!(names(dir.path(), &["sub/c.o"]), ["sub/c.o"]);
        let all = Patterns::new(dir.path(), &["src/**".to_owned()], false).unwrap().find(None).unwrap();
        assert_eq!(all.files.len(), 2);
    }

    #[test]
    fn links_are_followed_and_circles_are_not() {
        let dir = place(&["src/a.c", "other/b.c"]);
        symlink("../other", dir.path().join("src/linked")).unwrap();
        symlink(".", dir.path().join("src/circle")).unwrap();
        symlink("nowhere", dir.path().join("src/broken")).unwrap();
        symlink("self", dir.path().join("src/self")).unwrap();
        assert_eq!(names(dir.path(), &["src/**"]), ["src/a.c", "src/broken", "src/linked/b.c", "src/self"]);
        let texts = ["src".to_owned()];
        let found = Patterns::new(dir.path(), &texts, true).unwrap().without_links().find(None).unwrap();
        assert!(found.files.contains_key(Path::new("src/circle")) && found.files.contains_key(Path::new("src/linked")));
    }

    #[test]
    fn names_that_are_no_text_are_files_too() {
        let dir = place(&[]);
        let name = OsStr::from_bytes(b"\xff\xfe.c");
        std::fs::write(dir.path().join(name), "x").unwrap();
        let found = Patterns::new(dir.path(), &["*.c".to_owned()], true).unwrap().find(None).unwrap();
        assert_eq!(found.files.keys().next().unwrap().as_os_str(), name);
    }

    #[test]
    fn what_is_not_there_is_told_with_the_nearest() {
        let dir = place(&["src/main.c"]);
        let find = |text: &str| Patterns::new(dir.path(), &[text.to_owned()], true).unwrap().find(None);
        assert_eq!(find("scr/**").unwrap_err(), "`scr/**` means nothing: there is no `scr`; did you mean `src`?");
        assert_eq!(
            find("src/mian.c").unwrap_err(),
            "`src/mian.c` means nothing: there is no `src/mian.c`; did you mean `main.c`?"
        );
        assert!(find("src/main.c/*.c").unwrap_err().ends_with("`src/main.c` is no directory"));
        assert_eq!(find("src/*.h").unwrap().empty, ["src/*.h"]);
        assert!(Patterns::new(dir.path(), &["a[".to_owned()], true).is_err());
    }

    #[test]
    fn what_a_task_makes_is_not_what_it_reads() {
        let dir = place(&["a.c", "out/a.o"]);
        let outputs = Patterns::new(dir.path(), &["out".to_owned()], false).unwrap();
        let found = Patterns::new(dir.path(), &["**".to_owned()], true).unwrap().find(Some(&outputs)).unwrap();
        assert_eq!(found.files.len(), 1);
        assert!(outputs.matches(Path::new("out/x")) && !outputs.matches(Path::new("outer")));
    }
}
