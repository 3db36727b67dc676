//! The world that plans are made in: the environment and the files that are there.

use std::path::Path;

use crate::plan::World;

/// The one that xec runs in.
pub(super) fn world() -> World<'static> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    World { env: &|name| std::env::var(name).ok(), glob: &glob, lenient: false, os, arch }
}

/// The files that match, relative to the directory, sorted by their bytes.
fn glob(dir: &Path, pattern: &str) -> Result<Vec<String>, String> {
    let escaped = glob::Pattern::escape(&dir.to_string_lossy());
    let found = glob::glob(&format!("{escaped}/{pattern}")).map_err(|why| why.to_string())?;
    let mut names = Vec::new();
    for path in found {
        let path = path.map_err(|why| why.to_string())?;
        let name = path.strip_prefix(dir).unwrap_or(&path);
        let name = name.to_str().ok_or_else(|| format!("the name of {} is not UTF-8", name.display()))?;
        names.push(name.to_owned());
    }
    names.sort_unstable();
    Ok(names)
}
