//! The world that plans are made in: the environment and the files that are there.

use std::path::{Path, PathBuf};

use crate::plan::World;

/// The one that xec runs in.
pub(super) fn world() -> World<'static> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    World { env: &|name| std::env::var(name).ok(), glob: &glob, lenient: false, os, arch }
}

/// The files that match, relative to the directory, sorted by their bytes.
fn glob(dir: &Path, pattern: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for path in matching(dir, pattern)? {
        let name = path.strip_prefix(dir).unwrap_or(&path);
        names.push(utf8(name)?.to_owned());
    }
    names.sort_unstable();
    let (parents, last) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    let last = glob::Pattern::new(last).map_err(|why| why.to_string())?;
    let parents = if parents.is_empty() { vec![dir.to_owned()] } else { matching(dir, parents)? };
    parents.iter().try_for_each(|parent| spelled(parent, &last))?;
    Ok(names)
}

fn matching(dir: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let escaped = glob::Pattern::escape(utf8(dir)?);
    let found = glob::glob(&format!("{escaped}/{pattern}")).map_err(|why| why.to_string())?;
    found.map(|path| path.map_err(|why| why.to_string())).collect()
}

/// A name that is no text matches nothing, for the crate; that a file is left out for it has to be said.
fn spelled(dir: &Path, pattern: &glob::Pattern) -> Result<(), String> {
    // What is no directory has nothing in it.
    for entry in dir.read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_str().is_none() && pattern.matches(&name.to_string_lossy()) {
            return utf8(&entry.path()).map(drop);
        }
    }
    Ok(())
}

fn utf8(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("the name of {} is not UTF-8, which no value can hold", path.display()))
}
