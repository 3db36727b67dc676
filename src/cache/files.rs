//! How files of the state are written: beside, synced, renamed, so that a reader sees the old or the new one.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tempfile::NamedTempFile;

/// What is being written has a name that ends so, until it is whole.
pub(super) const UNFINISHED: &str = "~";

/// Replaces a file as a whole.
///
/// # Errors
/// It cannot be written; then the old one stays.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = beside(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    crate::base::fault::point("replace-written");
    file.as_file().sync_data()?;
    file.persist(path)?;
    Ok(())
}

/// A new file in that directory, which goes away again unless it is given a name.
pub(super) fn beside(dir: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix("new-").suffix(UNFINISHED).tempfile_in(dir)
}

/// Whether a file is still the one that has this name: others may have put another one in its place.
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let here = file.metadata()?;
    Ok(path.metadata().is_ok_and(|there| (there.dev(), there.ino()) == (here.dev(), here.ino())))
}

/// Says what could not be done to which file.
pub(super) fn named(what: &str, path: &Path, why: &io::Error) -> String {
    format!("cannot {what} `{}`: {why}", path.display())
}
