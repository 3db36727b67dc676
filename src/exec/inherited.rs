//! The descriptors that xec was started with, as far as they can still be told from its own. Knows nothing of what
//! they are for.
//!
//! Before `main`, std opens `/dev/null` in the place of each of the first three that is closed. What is written there is
//! lost without a word, so they are looked at before std does: by a function that the loader calls, into the one global
//! there is, which nothing writes afterwards.
#![allow(unsafe_code)] // A function that runs before main, and descriptors known by their number only.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use libc::c_int;

static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];

extern "C" fn look() {
    for (number, closed) in (0..).zip(&CLOSED) {
        // SAFETY: takes numbers only, and works before anything of Rust's runtime does.
        closed.store(unsafe { libc::fcntl(number, libc::F_GETFD) } < 0, Ordering::Relaxed);
    }
}

// SAFETY: the loader calls what these sections hold, once and before main; `look` is such a function.
#[used]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
static BEFORE_MAIN: extern "C" fn() = look;

/// Whether xec was started with this descriptor closed. Of those above 2, which xec may have opened itself since, only
/// those are taken for inherited that go on to its children: its own never do.
pub fn is_closed(number: RawFd) -> bool {
    match usize::try_from(number).ok().and_then(|number| CLOSED.get(number)) {
        Some(closed) => closed.load(Ordering::Relaxed),
        None => get(number, libc::F_GETFD).is_none_or(|flags| flags & libc::FD_CLOEXEC != 0),
    }
}

/// One more descriptor for what an inherited one stands for, if that can be written: whatever it is, a socket too.
///
/// # Errors
/// There is no such descriptor, or it is for reading only.
pub fn writable_copy(number: RawFd) -> io::Result<OwnedFd> {
    if is_closed(number) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    let mode = get(number, libc::F_GETFL).map(|flags| flags & libc::O_ACCMODE);
    if !matches!(mode, Some(libc::O_WRONLY | libc::O_RDWR)) {
        return Err(io::Error::other("it is open for reading only"));
    }
    // SAFETY: takes numbers only; the answer, if it is no error, is a new descriptor that nobody else owns.
    unsafe {
        match libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) {
            copy if copy >= 0 => Ok(OwnedFd::from_raw_fd(copy)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// What fcntl says of a descriptor; `None` if there is none.
fn get(number: RawFd, what: c_int) -> Option<c_int> {
    // SAFETY: both things that are asked for take numbers only.
    Some(unsafe { libc::fcntl(number, what) }).filter(|flags| *flags >= 0)
}
