//! The system calls of the broker and of xec's end of it that no crate wraps as they are needed here. Knows
//! nothing of jobs.
#![allow(unsafe_code)] // Descriptors in control messages, wait4 and prctl exist as C only.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use libc::c_int;

use crate::base::command::Usage;

/// No message carries more descriptors than this.
const MOST_FDS: usize = 4;
const CONTROL_WORDS: usize = 8;

#[cfg(target_os = "linux")]
const SEND: c_int = libc::MSG_NOSIGNAL;
#[cfg(target_os = "linux")]
const RECEIVE: c_int = libc::MSG_CMSG_CLOEXEC;
// std ignores SIGPIPE in xec, and the broker blocks it.
#[cfg(not(target_os = "linux"))]
const SEND: c_int = 0;
#[cfg(not(target_os = "linux"))]
const RECEIVE: c_int = 0;

/// The descriptors that came with some bytes.
#[derive(Debug)]
pub(super) enum Batch {
    /// None were sent.
    None,
    /// All that were sent.
    Fds(Vec<OwnedFd>),
    /// Some were sent, and there was no room for them here.
    Lost,
}

/// The answer of a system call as std has it.
pub(super) fn check(answer: c_int) -> io::Result<c_int> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// Sends some of `bytes`, and all of `fds` with the first of them.
pub(super) fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[OwnedFd]) -> io::Result<usize> {
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = [0u64; CONTROL_WORDS];
    // SAFETY: msghdr is plain data for which zeros are valid.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if !fds.is_empty() {
        assert!(fds.len() <= MOST_FDS, "no process has more than three streams and one descriptor beside");
        let size = mem::size_of_val(fds) as u32;
        message.msg_control = control.as_mut_ptr().cast();
        // SAFETY: the control buffer has room for MOST_FDS descriptors and is aligned as cmsghdr wants it;
        // OwnedFd is a transparent RawFd.
        unsafe {
            message.msg_controllen = libc::CMSG_SPACE(size) as _;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size) as _;
            ptr::copy_nonoverlapping(fds.as_ptr().cast::<u8>(), libc::CMSG_DATA(header), size as usize);
        }
    }
    // SAFETY: all that the message points to outlives the call.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, SEND) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Receives some bytes and what came with them; no bytes are the end.
pub(super) fn receive(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<(usize, Batch)> {
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut control = [0u64; CONTROL_WORDS];
    // SAFETY: msghdr is plain data for which zeros are valid.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = mem::size_of_val(&control) as _;
    // SAFETY: all that the message points to outlives the call, with its true sizes.
    let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, RECEIVE) };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    let mut fds = Vec::new();
    // SAFETY: the kernel has filled the control buffer; each descriptor in it is new and ours alone.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let data = libc::CMSG_DATA(header).cast::<RawFd>();
                let size = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                fds.extend(
                    (0..size / size_of::<RawFd>()).map(|at| OwnedFd::from_raw_fd(data.add(at).read_unaligned())),
                );
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    if cfg!(not(target_os = "linux")) {
        fds.iter().for_each(close_on_exec);
    }
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        return Ok((count, Batch::Lost));
    }
    Ok((count, if fds.is_empty() { Batch::None } else { Batch::Fds(fds) }))
}

fn close_on_exec(fd: &OwnedFd) {
    // SAFETY: F_SETFD takes a number and touches no memory.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// What wait4 said of a child.
pub(super) struct Waited {
    pub pid: i32,
    pub status: c_int,
    pub usage: Usage,
}

/// The next child that changed, without waiting: `Ok(None)` if none did, ECHILD if there is none at all.
pub(super) fn wait_any() -> io::Result<Option<Waited>> {
    let flags = libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED;
    let mut status = 0;
    // SAFETY: rusage is plain data for which zeros are valid.
    let mut used: libc::rusage = unsafe { mem::zeroed() };
    // SAFETY: both pointers are to live values of the right type.
    let pid = check(unsafe { libc::wait4(-1, &raw mut status, flags, &raw mut used) })?;
    let time = |value: libc::timeval| Duration::new(value.tv_sec as u64, value.tv_usec as u32 * 1000);
    // Linux counts in KiB, the others in bytes.
    let unit = if cfg!(target_os = "linux") { 1024 } else { 1 };
    let usage =
        Usage { user: time(used.ru_utime), system: time(used.ru_stime), peak_memory: used.ru_maxrss as u64 * unit };
    Ok((pid > 0).then_some(Waited { pid, status, usage }))
}

/// Waits until this child has ended; at once if it is none.
pub(super) fn wait_for(pid: i32) {
    let mut status = 0;
    // SAFETY: the pointer is to a live value.
    while check(unsafe { libc::waitpid(pid, &raw mut status, 0) })
        .is_err_and(|error| error.kind() == io::ErrorKind::Interrupted)
    {}
}

/// Whether this process has children.
pub(super) fn has_children() -> bool {
    // SAFETY: siginfo is plain data; WNOWAIT leaves every child as it is.
    unsafe {
        let mut info: libc::siginfo_t = mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        libc::waitid(libc::P_ALL, 0, &raw mut info, flags) == 0
    }
}

/// Sends a signal to a process or, with a negative number, a group; `false` if there is none.
pub(super) fn kill(pid: i32, signal: c_int) -> bool {
    // SAFETY: kill touches no memory.
    check(unsafe { libc::kill(pid, signal) }).map_or_else(|error| error.raw_os_error() != Some(libc::ESRCH), |_| true)
}

/// Orphans below this process become its children.
pub(super) fn become_subreaper() {
    // SAFETY: takes a number and touches no memory. It cannot fail where it exists.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    };
}

/// How the process is called in `ps`.
pub(super) fn set_name(name: &std::ffi::CStr) {
    // SAFETY: the name ends with a NUL and is copied.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0)
    };
    #[cfg(not(target_os = "linux"))]
    let _ = name;
}

/// Descriptors that came from whoever started xec stay with xec: a task gets its three and no other.
pub(super) fn keep_descriptors_from_tasks() {
    // SAFETY: sets flags only. Where the call is missing (before Linux 5.11), tasks inherit what xec did.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
}

/// The broker's signals: all blocked, and SIGCHLD noticed by [`wait_ready`] alone. No stray signal ends it.
pub(super) struct Signals {
    waiting: libc::sigset_t,
}

impl Signals {
    pub(super) fn block() -> Self {
        extern "C" fn notice(_: c_int) {}
        // SAFETY: all of it is plain data on our stack; the handler does nothing and so is safe at any instant.
        unsafe {
            let mut waiting: libc::sigset_t = mem::zeroed();
            libc::sigfillset(&raw mut waiting);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const waiting, ptr::null_mut());
            libc::sigdelset(&raw mut waiting, libc::SIGCHLD);
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = notice as *const () as usize;
            libc::sigaction(libc::SIGCHLD, &raw const action, ptr::null_mut());
            Self { waiting }
        }
    }

    /// Whether a child changed while nobody waited.
    pub(super) fn child_pending(&self) -> bool {
        // SAFETY: a set on our stack.
        unsafe {
            let mut pending: libc::sigset_t = mem::zeroed();
            libc::sigpending(&raw mut pending) == 0 && libc::sigismember(&raw const pending, libc::SIGCHLD) == 1
        }
    }
}

/// In the parent of a broker: SIGCHLD must not be ignored, or the kernel reaps in our place.
pub(super) fn default_sigchld() {
    // SAFETY: sets a disposition; no handler of anybody else is there this early.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Waits for the socket, a child or the time. `Ok(None)`: a child or the time; else what the socket is ready for.
pub(super) fn wait_ready(
    socket: Option<BorrowedFd<'_>>,
    write: bool,
    limit: Option<Duration>,
    signals: &Signals,
) -> Ready {
    let events = if write { libc::POLLIN | libc::POLLOUT } else { libc::POLLIN };
    let mut entry = libc::pollfd { fd: socket.map_or(-1, |fd| fd.as_raw_fd()), events, revents: 0 };
    let limit = limit.map(|time| libc::timespec { tv_sec: time.as_secs() as _, tv_nsec: time.subsec_nanos() as _ });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: one entry, and pointers to live values.
    #[cfg(target_os = "linux")]
    let count = unsafe { libc::ppoll(&raw mut entry, 1, limit, &raw const signals.waiting) };
    #[cfg(not(target_os = "linux"))]
    let count = pselect_one(&mut entry, limit, &signals.waiting);
    match count {
        count if count > 0 => {
            let end = libc::POLLHUP | libc::POLLERR | libc::POLLNVAL;
            Ready { read: entry.revents & (libc::POLLIN | end) != 0, child: false }
        }
        0 => Ready { read: false, child: false },
        _ => Ready { read: false, child: true },
    }
}

/// What [`wait_ready`] saw.
pub(super) struct Ready {
    pub read: bool,
    pub child: bool,
}

/// There is no ppoll on macOS.
#[cfg(not(target_os = "linux"))]
fn pselect_one(entry: &mut libc::pollfd, limit: *const libc::timespec, mask: *const libc::sigset_t) -> c_int {
    // SAFETY: sets on our stack; the broker's descriptors are far below FD_SETSIZE.
    unsafe {
        let (mut read, mut write): (libc::fd_set, libc::fd_set) = (mem::zeroed(), mem::zeroed());
        if entry.fd >= 0 {
            libc::FD_SET(entry.fd, &raw mut read);
            if entry.events & libc::POLLOUT != 0 {
                libc::FD_SET(entry.fd, &raw mut write);
            }
        }
        let count = libc::pselect(entry.fd + 1, &raw mut read, &raw mut write, ptr::null_mut(), limit, mask);
        if count > 0 && libc::FD_ISSET(entry.fd, &raw mut read) {
            entry.revents = libc::POLLIN;
        }
        count
    }
}
