//! What a plan may know of the world, handed in by who makes it: this floor reads nothing itself.

use std::path::Path;

/// The files that match a pattern below a directory, sorted, relative to it.
pub type Glob<'w> = &'w dyn Fn(&Path, &str) -> Result<Vec<String>, String>;

/// The world, as far as a plan depends on it.
#[derive(Clone, Copy)]
pub struct World<'w> {
    /// The environment that xec was started with.
    pub env: &'w dyn Fn(&str) -> Option<String>,
    /// The files that are there.
    pub glob: Glob<'w>,
    /// It is the file that is looked at, not a run: that there are no files for an axis now is no mistake in it.
    pub lenient: bool,
    /// The operating system, as `when os` names it.
    pub os: &'w str,
    /// The processor, as `when arch` names it.
    pub arch: &'w str,
}

impl World<'_> {
    /// A world without files and variables: for tests.
    pub fn empty() -> World<'static> {
        World { env: &|_| None, glob: &|_, _| Ok(Vec::new()), lenient: false, os: "linux", arch: "x86_64" }
    }
}
