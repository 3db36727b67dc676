//! What git says has changed, asked before there is a plan. The one program that the broker does not start: it only
//! reads, ends by itself and with its pipe, and is asked by looks too, which have no broker. Knows no tasks.
#![allow(clippy::disallowed_methods)] // For the reason above.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The files that differ between a revision and what is there now, committed or not: those that git knows and those
/// that it would not ignore. The revision is where the branch of `base` and this one parted; without one, where this
/// one left its upstream, and if it has none, what was committed last.
///
/// # Errors
/// Git is not there, this is no work tree, or there is no such revision: in words.
pub fn changed(dir: &Path, base: Option<&str>) -> Result<Vec<PathBuf>, String> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end().to_owned();
    let mut top = ask(dir, ["rev-parse", "--show-toplevel"])?;
    while top.last() == Some(&b'\n') {
        top.pop();
    }
    let top = PathBuf::from(OsString::from_vec(top));
    let revision = match base {
        Some(base) => {
            // What begins with a dash would be an option, and `rev-parse --verify` takes only one revision.
            let commit = format!("{base}^{{commit}}");
            let commit = text(
                ask(dir, ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])
                    .map_err(|why| if why.is_empty() { format!("git knows no revision `{base}`") } else { why })?,
            );
            // Two histories that have nothing in common are compared as they are.
            ask(dir, ["merge-base", "HEAD", &commit]).map_or(commit, text)
        }
        None => ask(dir, ["merge-base", "HEAD", "@{upstream}"]).map_or_else(|_| "HEAD".to_owned(), text),
    };
    let known = ask(&top, ["diff", "--name-only", "--no-renames", "-z", &revision, "--"])?;
    let new = ask(&top, ["ls-files", "--others", "--exclude-standard", "-z"])?;
    let paths = known.split(|byte| *byte == 0).chain(new.split(|byte| *byte == 0)).filter(|path| !path.is_empty());
    Ok(paths.map(|path| top.join(OsString::from_vec(path.to_vec()))).collect())
}

/// What it wrote; else what it complained of.
fn ask<W: AsRef<OsStr>>(dir: &Path, words: impl IntoIterator<Item = W>) -> Result<Vec<u8>, String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(dir).args(words).stdin(Stdio::null());
    // Nothing is written, so nobody else's lock is in the way.
    match git.env("GIT_OPTIONAL_LOCKS", "0").output() {
        Ok(said) if said.status.success() => Ok(said.stdout),
        Ok(said) => Err(String::from_utf8_lossy(&said.stderr).trim().to_owned()),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Err("git is not there".to_owned()),
        Err(why) => Err(format!("cannot start git: {why}")),
    }
}
