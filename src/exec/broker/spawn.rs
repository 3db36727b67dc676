//! What a process is made of: its words, its environment, its streams. Knows nothing of jobs.

use std::ffi::{CStr, CString, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::ptr;

use libc::{c_char, c_int};

use crate::exec::broker::child::{Child, Cradle};
use crate::exec::broker::leave::mark;
use crate::exec::broker::proto::{Spawn, Stdio};

/// What runs a file that the kernel cannot run.
const SHELL: &CStr = c"/bin/sh";

/// Starts processes, each in a group of its own, with no signal blocked or ignored.
pub(super) struct Spawner {
    cradle: Cradle,
    environment: Environment,
    null: File,
    /// What a process gets whose own may outlive the run.
    mark: CString,
    /// Where we are: a process that is to run here needs no chdir.
    cwd: Vec<u8>,
}

impl Spawner {
    /// To be made once all signals are blocked.
    pub(super) fn new(cwd: OsString) -> io::Result<Self> {
        let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        let mark = CString::new(mark(std::process::id() as i32))?;
        Ok(Self { cradle: Cradle::new()?, environment: Environment::new(), null, mark, cwd: cwd.into_vec() })
    }

    /// Starts one; the error is the kernel's.
    pub(super) fn spawn(&mut self, spawn: &Spawn<'_>, fds: &[OwnedFd]) -> Result<i32, i32> {
        let fds = self.descriptors(spawn, fds)?;
        let mark = spawn.leave.then_some(self.mark.as_c_str());
        let env = self.environment.with(spawn.env.iter().copied().chain(mark).collect());
        let moves = !spawn.cwd.is_empty() && spawn.cwd.to_bytes() != self.cwd;
        let argv = pointers(spawn.argv.iter().copied());
        let cwd = moves.then_some(spawn.cwd);
        let child = Child { program: spawn.program, argv: &argv, env: &env, cwd, fds: &fds };
        match self.cradle.start(&child) {
            Err(libc::ENOEXEC) => {
                let words = [SHELL, spawn.program].into_iter().chain(spawn.argv.iter().skip(1).copied());
                self.cradle.start(&Child { program: SHELL, argv: &pointers(words), ..child })
            }
            answer => answer,
        }
    }

    /// Where each of its descriptors comes from. What is sent along beyond the streams has its place behind them. It
    /// is one at most, so that none can be in the place of another.
    fn descriptors(&self, spawn: &Spawn<'_>, fds: &[OwnedFd]) -> Result<[Option<c_int>; 4], i32> {
        let mut passed = fds.iter().map(AsRawFd::as_raw_fd);
        let mut descriptors = [None; 4];
        for (descriptor, stdio) in descriptors.iter_mut().zip(spawn.stdio) {
            *descriptor = match stdio {
                Stdio::Inherit => None,
                Stdio::Null => Some(self.null.as_raw_fd()),
                Stdio::Passed => Some(passed.next().ok_or(libc::EMFILE)?),
                Stdio::SameAsStdout => Some(1),
            };
        }
        descriptors[3] = passed.next();
        Ok(descriptors)
    }
}

/// That of xec when it began.
struct Environment {
    /// `NAME=value`, sorted by name, of which each has the length that stands beside it.
    entries: Vec<(usize, CString)>,
}

impl Environment {
    fn new() -> Self {
        let entry = |(key, value): (OsString, OsString)| {
            let mut entry = key.into_vec();
            let length = entry.len();
            entry.push(b'=');
            entry.extend(value.into_vec());
            CString::new(entry).ok().map(|entry| (length, entry))
        };
        let mut entries: Vec<(usize, CString)> = std::env::vars_os().filter_map(entry).collect();
        entries.sort_by(|a, b| Self::name(a).cmp(Self::name(b)));
        Self { entries }
    }

    fn name((length, entry): &(usize, CString)) -> &[u8] {
        &entry.as_bytes()[..*length]
    }

    /// It with these changes, each `NAME=value` or the `NAME` of what is left out; of two with one name the later counts.
    fn with(&self, mut changes: Vec<&CStr>) -> Vec<*mut c_char> {
        changes.sort_by(|a, b| name(a).cmp(name(b))); // Stable, so the later stays later.
        let mut merged = Vec::with_capacity(self.entries.len() + changes.len() + 1);
        let mut rest = self.entries.as_slice();
        let pointer = |entry: &CStr| entry.as_ptr().cast_mut();
        for (at, change) in changes.iter().enumerate() {
            let own = name(change);
            if changes.get(at + 1).is_some_and(|next| name(next) == own) {
                continue;
            }
            let (before, after) = rest.split_at(rest.partition_point(|entry| Self::name(entry) < own));
            merged.extend(before.iter().map(|(_, entry)| pointer(entry)));
            rest = &after[after.iter().take_while(|entry| Self::name(entry) == own).count()..];
            if own.len() < change.count_bytes() {
                merged.push(pointer(change));
            }
        }
        merged.extend(rest.iter().map(|(_, entry)| pointer(entry)));
        merged.push(ptr::null_mut());
        merged
    }
}

fn pointers<'a>(words: impl Iterator<Item = &'a CStr>) -> Vec<*mut c_char> {
    words.map(|word| word.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect()
}

/// The name in `NAME=value`, or all of it.
fn name(entry: &CStr) -> &[u8] {
    let bytes = entry.to_bytes();
    &bytes[..memchr::memchr(b'=', bytes).unwrap_or(bytes.len())]
}
