//! `posix_spawn`, with what stays the same from one process to the next made once. Knows nothing of jobs.
#![allow(unsafe_code)] // posix_spawn and its parts exist as C only; a fork of our own would cost more with every megabyte.

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::ptr;

use libc::{c_char, c_int};

use crate::exec::broker::leave::mark;
use crate::exec::broker::proto::{Spawn, Stdio};

/// What runs a file that the kernel cannot run.
const SHELL: &CStr = c"/bin/sh";

/// Starts processes, each in a group of its own, with no signal blocked or ignored.
pub(super) struct Spawner {
    attributes: Box<libc::posix_spawnattr_t>,
    environment: Vec<CString>,
    null: File,
    known: HashMap<Streams, Actions>,
    /// What a process gets whose own may outlive the run.
    mark: CString,
    /// Where we are: a process that is to run here needs no chdir.
    cwd: Vec<u8>,
}

impl Spawner {
    pub(super) fn new(cwd: OsString) -> io::Result<Self> {
        let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        let mut environment: Vec<CString> = std::env::vars_os()
            .filter_map(|(key, value)| {
                let mut entry = key.into_vec();
                entry.push(b'=');
                entry.extend(value.into_vec());
                CString::new(entry).ok()
            })
            .collect();
        environment.sort_by(|a, b| name(a).cmp(name(b)));
        let mark = CString::new(mark(std::process::id() as i32))?;
        Ok(Self { attributes: attributes()?, environment, null, known: HashMap::new(), mark, cwd: cwd.into_vec() })
    }

    /// Starts one; the error is the kernel's.
    pub(super) fn spawn(&mut self, spawn: &Spawn<'_>, fds: &[OwnedFd]) -> Result<i32, i32> {
        let actions = self.actions(spawn, fds)?;
        let started = self.start(spawn, &actions);
        if let Some(streams) = actions.streams {
            // Only so many: descriptors are numbered from below.
            self.known.insert(streams, actions);
        }
        started
    }

    fn start(&self, spawn: &Spawn<'_>, actions: &Actions) -> Result<i32, i32> {
        let changed = self.environment(&spawn.env, spawn.leave);
        let argv: Vec<*mut c_char> = pointers(spawn.argv.iter().copied());
        match self.call(spawn.program, actions, &argv, &changed) {
            Err(libc::ENOEXEC) => {
                let words = [SHELL, spawn.program].into_iter().chain(spawn.argv.iter().skip(1).copied());
                self.call(SHELL, actions, &pointers(words), &changed)
            }
            answer => answer,
        }
    }

    fn call(&self, program: &CStr, actions: &Actions, argv: &[*mut c_char], env: &[*mut c_char]) -> Result<i32, i32> {
        let mut pid = 0;
        // SAFETY: every pointer is to a live value; both lists end with a null pointer, and their strings live
        // in the frame or in `self`.
        let error = unsafe {
            let attributes = &raw const *self.attributes;
            libc::posix_spawn(
                &raw mut pid,
                program.as_ptr(),
                &raw const actions.raw,
                attributes,
                argv.as_ptr(),
                env.as_ptr(),
            )
        };
        if error == 0 { Ok(pid) } else { Err(error) }
    }

    /// What the child does first: most often what an earlier one did, since descriptors come back under the
    /// same numbers. Making it anew costs two system calls for each of them.
    fn actions(&mut self, spawn: &Spawn<'_>, fds: &[OwnedFd]) -> Result<Actions, i32> {
        let mut passed = fds.iter();
        let mut streams = [None; 3];
        for (stream, stdio) in streams.iter_mut().zip(spawn.stdio) {
            *stream = match stdio {
                Stdio::Inherit => None,
                Stdio::Null => Some(self.null.as_raw_fd()),
                Stdio::Passed => Some(passed.next().ok_or(libc::EMFILE)?.as_raw_fd()),
                Stdio::SameAsStdout => Some(1),
            };
        }
        let moves = !spawn.cwd.is_empty() && spawn.cwd.to_bytes() != self.cwd;
        let more = passed.as_slice();
        if let (false, true, Some(known)) = (moves, more.is_empty(), self.known.remove(&streams)) {
            return Ok(known);
        }
        let mut actions = Actions::new()?;
        if moves {
            actions.chdir(spawn.cwd)?;
        } else if more.is_empty() {
            actions.streams = Some(streams);
        }
        for (target, stream) in (0..).zip(streams) {
            if let Some(stream) = stream {
                actions.dup(stream, target)?;
            }
        }
        // What is sent along beyond the streams has its place behind them. It is one at most, so that none can be in
        // the place of another.
        if let Some(fd) = more.first() {
            actions.dup(fd.as_raw_fd(), 3)?;
        }
        Ok(actions)
    }

    /// Ours with the changes: two sorted lists, merged.
    fn environment(&self, changes: &[&CStr], leave: bool) -> Vec<*mut c_char> {
        let mark = leave.then_some(self.mark.as_c_str());
        let mut changes: Vec<&CStr> = changes.iter().copied().chain(mark).collect();
        changes.sort_by(|a, b| name(a).cmp(name(b))); // Stable: of two with one name, the later stays later.
        let mut merged: Vec<&CStr> = Vec::with_capacity(self.environment.len() + changes.len());
        let mut ours = self.environment.iter().map(CString::as_c_str).peekable();
        for (at, change) in changes.iter().enumerate() {
            if changes.get(at + 1).is_some_and(|next| name(next) == name(change)) {
                continue;
            }
            while let Some(entry) = ours.next_if(|entry| name(entry) < name(change)) {
                merged.push(entry);
            }
            while ours.next_if(|entry| name(entry) == name(change)).is_some() {}
            if name(change).len() < change.count_bytes() {
                merged.push(change);
            }
        }
        merged.extend(ours);
        pointers(merged.into_iter())
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

fn ok(error: c_int) -> Result<(), i32> {
    if error == 0 { Ok(()) } else { Err(error) }
}

fn attributes() -> io::Result<Box<libc::posix_spawnattr_t>> {
    let flags = libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
    // SAFETY: init makes the attributes valid before anything else touches them. They live as long as the
    // broker does, so they are never destroyed.
    unsafe {
        let mut attributes: Box<MaybeUninit<libc::posix_spawnattr_t>> = Box::new(MaybeUninit::uninit());
        let (mut none, mut all) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigfillset(all.as_mut_ptr());
        let parts = [
            libc::posix_spawnattr_init(attributes.as_mut_ptr()),
            libc::posix_spawnattr_setpgroup(attributes.as_mut_ptr(), 0),
            libc::posix_spawnattr_setsigmask(attributes.as_mut_ptr(), none.as_ptr()),
            libc::posix_spawnattr_setsigdefault(attributes.as_mut_ptr(), all.as_ptr()),
            libc::posix_spawnattr_setflags(attributes.as_mut_ptr(), flags as _),
        ];
        match parts.into_iter().find(|error| *error != 0) {
            Some(error) => Err(io::Error::from_raw_os_error(error)),
            None => Ok(attributes.assume_init()),
        }
    }
}

/// What the child does before it is the program.
struct Actions {
    raw: libc::posix_spawn_file_actions_t,
    /// Where its streams come from, if that is all it does.
    streams: Option<Streams>,
}

/// The descriptors that become stdin, stdout and stderr; `None` stays as it is.
type Streams = [Option<c_int>; 3];

impl Actions {
    fn new() -> Result<Self, i32> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: valid once init has said so. glibc keeps no pointer to the value itself, so it may move.
        unsafe {
            ok(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
            Ok(Self { raw: actions.assume_init(), streams: None })
        }
    }

    fn dup(&mut self, from: c_int, to: c_int) -> Result<(), i32> {
        // SAFETY: `self.raw` is valid; the numbers are checked by the child.
        ok(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut self.raw, from, to) })
    }

    fn chdir(&mut self, to: &CStr) -> Result<(), i32> {
        // SAFETY: `self.raw` is valid; the path is copied.
        ok(unsafe { libc::posix_spawn_file_actions_addchdir_np(&raw mut self.raw, to.as_ptr()) })
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: valid, and not used again.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.raw) };
    }
}
