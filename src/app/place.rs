//! Where the state of a project is.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::cache::digest::Digest;
use crate::run::command::Surroundings;

/// Of the project that a run is for.
pub(super) fn of(around: &Surroundings) -> PathBuf {
    state(&around.root, around.env.get(OsStr::new("XEC_STATE")).map(std::ffi::OsString::as_os_str))
}

/// Beside the first file, or one for each project where `XEC_STATE` says.
pub(super) fn state(root: &Path, elsewhere: Option<&OsStr>) -> PathBuf {
    match elsewhere.filter(|dir| !dir.is_empty()) {
        None => root.join(".xec"),
        Some(dir) => {
            let name = Digest::of(root.as_os_str().as_encoded_bytes()).to_string();
            root.join(dir).join(&name[..16])
        }
    }
}
