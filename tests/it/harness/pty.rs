//! A terminal of our own: what a user types, what the kernel makes of it, what is to be seen.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Instant;

use nix::fcntl::{OFlag, open};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;
use nix::sys::termios::{LocalFlags, tcgetattr};

use crate::harness::fifo::readable;
use crate::harness::live::Live;
use crate::harness::{Case, DEADLINE};

/// The shell that [`Case::on_terminal_with_jobs`] runs xec from. It says what became of its job each time it
/// gets the terminal back, and brings it to the foreground again when it is told so.
const JOB_CONTROL: &str = r#"
set -m
"$@"
code=$?
while [ -n "$(jobs -s)" ]; do
    echo "stopped $code" > "$TELL"
    read -r _ < go
    fg %1 > /dev/null
    code=$?
done
echo "ended $code" > "$TELL"
"#;

/// A running call of xec on a terminal.
pub struct Terminal {
    /// The process that leads the session.
    pub live: Live,
    master: Option<File>,
    /// Kept open so that the terminal's modes can be read after the end.
    slave: OwnedFd,
    seen: Vec<u8>,
}

/// Opens both ends of a new terminal, neither of them inherited: a child that held the master open would
/// never see its window closed.
fn terminal() -> nix::Result<(File, OwnedFd)> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let slave = open(ptsname_r(&master)?.as_str(), flags, Mode::empty())?;
    Ok((File::from(OwnedFd::from(master)), slave))
}

/// Both ends of a terminal, kept open to see what it was left as.
pub struct Watch {
    slave: OwnedFd,
    _master: OwnedFd,
}

impl Watch {
    /// Whether keys are shown and lines edited, as a shell leaves it.
    pub fn is_sane(&self) -> bool {
        let modes = tcgetattr(&self.slave).expect("the modes of a terminal");
        modes.local_flags.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG)
    }
}

impl Case {
    /// Starts xec as the leader of a session with a terminal of its own, as a terminal window does.
    pub fn on_terminal(self) -> Terminal {
        let (master, slave) = terminal().expect("a terminal");
        let fifos = self.open_fifos();
        let mut command = self.command();
        let end = || -> Stdio { slave.try_clone().expect("one more descriptor").into() };
        command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end());
        // SAFETY: between fork and exec only two system calls are made; descriptor 0 is the terminal.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                    -1 => Err(std::io::Error::last_os_error()),
                    _ => Ok(()),
                }
            });
        }
        let child = command.spawn().expect("start the binary");
        let live = Live::new(self.dir, child, fifos, false);
        Terminal { live, master: Some(master), slave, seen: Vec::new() }
    }

    /// Starts xec from a shell with job control, which is what Ctrl-Z needs. `$TELL` gets a line `stopped N`
    /// or `ended N` whenever the shell has the terminal back; a line to the fifo `go` is `fg`.
    pub fn on_terminal_with_jobs(mut self) -> Terminal {
        let program = std::mem::take(&mut self.program);
        let words = std::mem::take(&mut self.args);
        let case = self.fifo("go").program("bash").args(["-c", JOB_CONTROL, "bash"]).args([program]).args(words);
        case.on_terminal()
    }
}

impl Terminal {
    /// Types.
    pub fn press(&mut self, keys: &str) {
        self.master.as_mut().expect("not closed").write_all(keys.as_bytes()).expect("write to the terminal");
    }

    /// Awaits that these words have come to be seen since the last call.
    #[track_caller]
    pub fn await_text(&mut self, words: &str) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(at) = memchr::memmem::find(&self.seen, words.as_bytes()) {
                self.seen.drain(..at + words.len());
                return;
            }
            assert!(self.read_more(deadline), "no {words:?} in {:?}", String::from_utf8_lossy(&self.seen));
        }
    }

    /// Awaits the end of all processes on it, and tells what is left to be seen.
    #[track_caller]
    pub fn end(mut self) -> (crate::harness::Ran, String) {
        self.live_end_pump();
        let ran = self.live.end();
        (ran, String::from_utf8_lossy(&self.seen).into_owned())
    }

    /// Closes the window.
    pub fn close(mut self) -> Live {
        self.master = None;
        self.live
    }

    /// A look at the terminal that lasts beyond the end of the run.
    pub fn watch(&self) -> Watch {
        let end = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().expect("one more descriptor");
        Watch { slave: end(self.slave.as_fd()), _master: end(self.master.as_ref().expect("not closed").as_fd()) }
    }

    /// Whether keys are shown and lines edited, as a shell leaves it.
    pub fn is_sane(&self) -> bool {
        self.watch().is_sane()
    }

    /// The process group that has the foreground.
    pub fn foreground(&self) -> i32 {
        // SAFETY: a plain system call on a descriptor that we own.
        unsafe { libc::tcgetpgrp(self.master.as_ref().expect("not closed").as_raw_fd()) }
    }

    /// Reads what is written until the leader has ended, so that nobody waits for the terminal.
    fn live_end_pump(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        let Some(end) = crate::harness::proc::pidfd(self.live.pid()) else { return };
        while !readable(end.as_fd(), Instant::now()) && Instant::now() < deadline {
            self.read_more_or(&end, deadline);
        }
        while self.read_more(Instant::now()) {}
    }

    fn read_more_or(&mut self, end: &OwnedFd, deadline: Instant) {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let master = self.master.as_ref().expect("not closed");
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(master.as_fd(), PollFlags::POLLIN), PollFd::new(end.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, timeout).ok();
        self.read_more(Instant::now());
    }

    fn read_more(&mut self, deadline: Instant) -> bool {
        let Some(master) = self.master.as_mut() else { return false };
        if !readable(master.as_fd(), deadline) {
            return false;
        }
        let mut buffer = [0; 4096];
        let count = master.read(&mut buffer).unwrap_or(0);
        self.seen.extend_from_slice(&buffer[..count]);
        count > 0
    }
}
