//! The broker: a second process that starts every other one, and outlives xec for as long as it takes to end
//! them all. Knows no tasks, and of a command no more than its words.
//!
//! It is forked before there are files, threads and secrets, lives in a process group of its own but in the
//! same session (so that its jobs are no orphans to the terminal), and orphans below it become its children:
//! nothing that a task starts gets away, `setsid` or not. Whatever way xec ends, the socket between the two
//! ends too, and the broker ends what is left: SIGTERM, the grace, SIGKILL, until it has no children. The other
//! way round, xec takes over the orphans of a broker that was killed. Both killed in the same instant is
//! outside of the promise.
//!
//! What xec was started with the two have in common: stdin, stdout and stderr (for interactive tasks), the
//! directory, and the environment, to which a command brings changes. Other descriptors reach no task.
//!
//! A job that was asked to end has ended only with the last of its group: whoever asked escalates until then.
//! What a finished job leaves behind lives until the sweep at the end of the run, but for what it may leave for good.
//!
//! On macOS there is no subreaper and no `/proc`: there the broker ends process groups, and what has left the
//! group of its job is not found.
//!
//! | | |
//! |---|---|
//! | `proto`, `inbox` | the frames between the two; pure |
//! | `serve`, `jobs`, `sweep`, `leave`, `spawn`, `child` | the broker's side |
//! | `link` | xec's side, on tokio |
//! | `sys` | system calls |
#![allow(unsafe_code)] // fork exists as C only.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::exec::broker::sys::Signals;
use crate::exec::fd;

mod child;
mod inbox;
mod jobs;
mod leave;
pub(crate) mod link;
pub(crate) mod proto;
mod serve;
mod spawn;
mod sweep;
mod sys;
mod wire;

pub use link::Link;

/// What the broker's process is called in `ps`.
const NAME: &std::ffi::CStr = c"xec-broker";

/// The broker, as xec holds it. Dropping it ends everything that is left, and waits for that.
#[derive(Debug)]
pub struct Broker {
    pid: i32,
    socket: Arc<OwnedFd>,
    /// Set once its end is wanted.
    closing: Arc<AtomicBool>,
    /// Children that xec had before: whoever called it left them, and they are not ours to end.
    before: bool,
}

/// Forks the broker. To be called before there are threads, files that tasks must not have, a runtime, and
/// anything secret in memory.
pub fn fork() -> io::Result<Broker> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    let before = sys::has_children();
    sys::become_subreaper();
    sys::default_sigchld();
    // SAFETY: there is one thread, so the child may do all that the parent may.
    let pid = sys::check(unsafe { libc::fork() })?;
    if pid == 0 {
        drop(ours);
        be_broker(theirs.into());
    }
    // Both sides do it, so that it is done whoever comes first.
    // SAFETY: takes numbers only.
    unsafe { libc::setpgid(pid, pid) };
    let ours = ours.into();
    fd::make_room(&ours);
    Ok(Broker { pid, socket: Arc::new(ours), closing: Arc::default(), before })
}

/// The whole life of the forked process.
fn be_broker(socket: OwnedFd) -> ! {
    let life = catch_unwind(AssertUnwindSafe(|| -> io::Result<()> {
        let signals = Signals::block();
        // SAFETY: both take numbers only.
        let foreign = unsafe {
            let xec = libc::getpgrp();
            libc::setpgid(0, 0);
            [xec, libc::getpgrp()]
        };
        sys::become_subreaper();
        sys::set_name(NAME);
        sys::keep_descriptors_from_tasks();
        serve::serve(socket, serve::prepare()?, signals, foreign);
        Ok(())
    }));
    let code = i32::from(!matches!(life, Ok(Ok(()))));
    // SAFETY: ends the process without what the parent would do at its end. After a panic xec sees the end of
    // the socket and sweeps in our place.
    unsafe { libc::_exit(code) }
}

impl Broker {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.pid as u32
    }

    /// Xec's end of the broker; inside a tokio runtime, and once.
    pub fn link(&self) -> io::Result<Link> {
        wire::connect(wire::Peer {
            pid: self.pid,
            socket: Arc::clone(&self.socket),
            closing: Arc::clone(&self.closing),
            spared: if self.before { sys_children() } else { Vec::new() },
        })
    }
}

/// The children that are not the broker.
fn sys_children() -> Vec<i32> {
    let table = crate::exec::tree::Table::read();
    table.children(std::process::id() as i32).map(|process| process.pid).collect()
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        // Closes for every copy of the descriptor, so the broker sees the end whoever else holds one.
        // SAFETY: takes numbers only.
        unsafe { libc::shutdown(self.socket.as_raw_fd(), libc::SHUT_RDWR) };
        sys::wait_for(self.pid);
    }
}
