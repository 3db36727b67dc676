//! Pipes, and descriptors that the runtime watches. Knows nothing of who reads and writes them.
#![allow(unsafe_code)] // Registering a descriptor, and reading into memory that is not initialised.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::write;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What is read of a pipe at once unless it proves to be full: no more than a page or two of stack.
pub(crate) const SMALL_READ: usize = 8 * 1024;

/// The end of a pipe that is ours, which never blocks, and the one for a process, which does.
pub(crate) struct Pipe {
    pub(crate) ours: OwnedFd,
    pub(crate) theirs: OwnedFd,
}

impl Pipe {
    /// A pipe that we read.
    pub(crate) fn to_read() -> io::Result<Self> {
        let (ours, theirs) = pipe()?;
        set_nonblocking(&ours)?;
        Ok(Self { ours, theirs })
    }

    /// A pipe that we write.
    pub(crate) fn to_write() -> io::Result<Self> {
        let (theirs, ours) = pipe()?;
        set_nonblocking(&ours)?;
        Ok(Self { ours, theirs })
    }
}

#[cfg(target_os = "linux")]
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC)?)
}

/// Without pipe2. Nothing else here forks, so nobody comes between the two steps.
#[cfg(not(target_os = "linux"))]
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = nix::unistd::pipe()?;
    for fd in [&read, &write] {
        fcntl(fd, FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    }
    Ok((read, write))
}

/// Has the kernel make room for many descriptors while there is one thread. Later it would have to wait, each time that
/// their table grows, until no other thread can be looking at the old one: ten milliseconds at 64, at 128, at 256.
pub(crate) fn make_room(any: &OwnedFd) {
    const MANY: i32 = 1024;
    // The table stays as large as that once needed. Where so many may not be open there is less to make room for.
    if let Ok(last) = fcntl(any, FcntlArg::F_DUPFD_CLOEXEC(MANY - 1)) {
        let _ = nix::unistd::close(last); // Nobody else knows of it.
    }
}

/// A pipe from one process to another, neither end ours: first the one to read.
pub(crate) fn between() -> io::Result<(OwnedFd, OwnedFd)> {
    pipe()
}

fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Lets a pipe hold more, where that may be.
pub(crate) fn grow_pipe(fd: BorrowedFd<'_>, size: usize) {
    #[cfg(target_os = "linux")]
    let _ = fcntl(fd, FcntlArg::F_SETPIPE_SZ(size as i32)); // A smaller one works too.
    #[cfg(not(target_os = "linux"))]
    let _ = (fd, size);
}

/// How much a pipe can hold.
pub(crate) fn pipe_size(fd: BorrowedFd<'_>) -> usize {
    #[cfg(target_os = "linux")]
    let size = fcntl(fd, FcntlArg::F_GETPIPE_SZ).ok().and_then(|size| usize::try_from(size).ok());
    #[cfg(not(target_os = "linux"))]
    let size = {
        let _ = fd;
        None
    };
    size.unwrap_or(64 * 1024)
}

/// The number by which others that hold the pipe can be found.
pub(crate) fn inode(fd: BorrowedFd<'_>) -> Option<u64> {
    nix::sys::stat::fstat(fd).ok().map(|stat| stat.st_ino)
}

/// Has the runtime watch a descriptor.
pub(crate) fn watch<T: AsFd + AsRawFd + Stable>(fd: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    // SAFETY: what is Stable owns its descriptor, and gives the same one for as long as it lives.
    Ok(unsafe { AsyncFd::register_with_interest(fd, interest) }?)
}

/// Owns one descriptor that stays open and the same until it is dropped.
pub(crate) trait Stable {}
impl Stable for OwnedFd {}
impl Stable for std::sync::Arc<OwnedFd> {}

/// Reads at most `limit` bytes into memory of just the size that is needed; none are the end.
pub(crate) fn read(fd: BorrowedFd<'_>, limit: usize) -> io::Result<Vec<u8>> {
    if limit <= SMALL_READ {
        let mut buffer = [MaybeUninit::<u8>::uninit(); SMALL_READ];
        // SAFETY: `limit` bytes fit, and as many as the kernel says have been written.
        return unsafe {
            let count = read_raw(fd, buffer.as_mut_ptr().cast(), limit)?;
            Ok(std::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), count).to_vec())
        };
    }
    let mut bytes = Vec::with_capacity(limit);
    // SAFETY: the capacity is `limit`, and as many bytes as the kernel says have been written.
    let count = unsafe {
        let count = read_raw(fd, bytes.as_mut_ptr(), limit)?;
        bytes.set_len(count);
        count
    };
    if count < limit / 2 {
        bytes.shrink_to_fit();
    }
    Ok(bytes)
}

/// The next bytes of a pipe, at most `limit`; none at its end, or where it cannot be read. What is dropped half-way has
/// taken nothing.
pub(crate) async fn next(pipe: &AsyncFd<OwnedFd>, limit: usize) -> Option<Vec<u8>> {
    loop {
        match pipe.readable().await.ok()?.try_io(|pipe| read(pipe.as_fd(), limit)) {
            Ok(Ok(bytes)) if !bytes.is_empty() => return Some(bytes),
            Ok(_) => return None,
            Err(_) => {} // Not yet.
        }
    }
}

/// # Safety
/// `to` has room for `limit` bytes.
unsafe fn read_raw(fd: BorrowedFd<'_>, to: *mut u8, limit: usize) -> io::Result<usize> {
    loop {
        // SAFETY: as promised by the caller.
        let count = unsafe { libc::read(fd.as_raw_fd(), to.cast(), limit) };
        match usize::try_from(count) {
            Ok(count) => return Ok(count),
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

/// Writes all of it to a file, which takes it at once or says why not.
pub(crate) fn write_all(file: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(file, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Writes to a pipe without making anybody else wait, or to a file, which takes all at once.
pub(crate) enum Writer {
    Pipe(AsyncFd<OwnedFd>),
    File(OwnedFd),
}

impl Writer {
    /// Nobody else may write through this descriptor.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        let kind = nix::sys::stat::SFlag::from_bits_truncate(nix::sys::stat::fstat(&fd)?.st_mode);
        if !kind.contains(nix::sys::stat::SFlag::S_IFIFO) {
            return Ok(Self::File(fd));
        }
        set_nonblocking(&fd)?;
        watch(fd, Interest::WRITABLE).map(Self::Pipe)
    }

    /// Writes all of it.
    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let pipe = match self {
            Writer::File(file) => return write_all(file, bytes),
            Writer::Pipe(pipe) => pipe,
        };
        while !bytes.is_empty() {
            if let Ok(count) = pipe.writable().await?.try_io(|pipe| Ok(write(pipe, bytes)?)) {
                bytes = &bytes[count?..];
            }
        }
        Ok(())
    }
}

/// What goes into a process, piece by piece.
pub(crate) struct Feeder<B> {
    fd: Option<AsyncFd<OwnedFd>>,
    bytes: B,
    written: usize,
}

impl<B: AsRef<[u8]>> Feeder<B> {
    /// Writes what fits at once; what does not is left for [`Feeder::feed`].
    pub(crate) fn new(fd: OwnedFd, bytes: B) -> io::Result<Self> {
        let written = match write(&fd, bytes.as_ref()) {
            Ok(written) => written,
            Err(nix::Error::EAGAIN) => 0,
            Err(error) => return Err(error.into()),
        };
        let rest = written < bytes.as_ref().len();
        Ok(Self { fd: rest.then(|| watch(fd, Interest::WRITABLE)).transpose()?, bytes, written })
    }

    /// Writes the rest and closes. That nobody reads it is no failure.
    pub(crate) async fn feed(&mut self) {
        while let Some(fd) = &self.fd {
            let rest = &self.bytes.as_ref()[self.written..];
            let wrote = match fd.writable().await {
                Ok(mut ready) => ready.try_io(|fd| Ok(write(fd, rest)?)),
                Err(error) => Ok(Err(error)),
            };
            match wrote {
                Ok(Ok(count)) => self.written += count,
                Ok(Err(_)) => self.fd = None,
                Err(_) => {}
            }
            if self.written == self.bytes.as_ref().len() {
                self.fd = None;
            }
        }
    }
}
