//! The world that plans are made in: the environment and the files that are there.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::plan::World;

/// The one that xec runs in.
pub(super) fn world() -> World<'static> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    World { env: &|name| std::env::var(name).ok(), glob: &glob, lenient: false, os, arch }
}

/// The files that match, relative to the directory, sorted by their bytes.
fn glob(dir: &Path, pattern: &str) -> Result<Vec<String>, String> {
    let (parents, last) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    let mut dirs = if parents.is_empty() { vec![dir.to_owned()] } else { matching(dir, parents)? };
    // For the crate, `**` is what is in a directory, and not always the directory.
    if parents == "**" {
        dirs.push(dir.to_owned());
    } else if let Some(above) = parents.strip_suffix("/**") {
        dirs.extend(matching(dir, above)?);
    }
    let mut names = Vec::new();
    if last.contains("**") || parents.ends_with("**/**") || !last.contains(['*', '?', '[']) {
        matching(dir, pattern)?.iter().try_for_each(|path| add(&mut names, dir, path))?;
    } else {
        // The last step is made here: the crate would pass over names that are no text, in silence.
        let last = glob::Pattern::new(last).map_err(|why| why.to_string())?;
        dirs.iter().try_for_each(|parent| in_one(&mut names, dir, parent, &last))?;
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn matching(dir: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let escaped = glob::Pattern::escape(utf8(dir)?);
    let found = glob::glob(&format!("{escaped}/{pattern}")).map_err(|why| why.to_string())?;
    found.map(|path| path.map_err(|why| why.to_string())).collect()
}

/// What matches in one directory. A name that is no text cannot be a value; that a file is left out for it has to be said.
fn in_one(names: &mut Vec<String>, dir: &Path, parent: &Path, last: &glob::Pattern) -> Result<(), String> {
    // What is no directory has nothing in it, and neither has a link that leads nowhere or in a circle.
    if !parent.is_dir() {
        return Ok(());
    }
    let entries = match parent.read_dir() {
        Ok(entries) => entries,
        Err(why) if matches!(why.kind(), ErrorKind::NotADirectory | ErrorKind::NotFound) => return Ok(()),
        Err(why) => return Err(format!("cannot read {}: {why}", parent.display())),
    };
    for entry in entries {
        let entry = entry.map_err(|why| format!("cannot read {}: {why}", parent.display()))?;
        if last.matches(&entry.file_name().to_string_lossy()) {
            add(names, dir, &entry.path())?;
        }
    }
    Ok(())
}

fn add(names: &mut Vec<String>, dir: &Path, path: &Path) -> Result<(), String> {
    names.push(utf8(path.strip_prefix(dir).unwrap_or(path))?.to_owned());
    Ok(())
}

fn utf8(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("the name of {} is not UTF-8, which no value can hold", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn one_walk_finds_what_the_crate_finds() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.txt", ".b.txt", "sub/c.txt", "sub/deep/d.txt", "sub/e", "[x]/f.txt"] {
            std::fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        for (to, link) in [("sub", "link"), ("circle", "circle"), ("nothing", "sub/broken")] {
            std::os::unix::fs::symlink(to, dir.path().join(link)).unwrap();
        }
        for pattern in [
            "*",
            "*.txt",
            "**/*.txt",
            "*/*",
            "*/*/*",
            "*/c*",
            "sub/*",
            "sub/[ce]*",
            "**/d*",
            "link/*",
            "none/*",
            "a.txt/*",
            "**",
            "sub/c.txt",
            "[[]x]/?.txt",
            "./*",
            "*/",
        ] {
            let mut all: Vec<String> = Vec::new();
            matching(dir.path(), pattern).unwrap().iter().for_each(|path| add(&mut all, dir.path(), path).unwrap());
            all.sort_unstable();
            assert_eq!(glob(dir.path(), pattern).unwrap(), all, "{pattern}");
        }
    }
}
