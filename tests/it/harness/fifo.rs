//! Named pipes as meeting points: a task writes a line, the test awaits it; or the other way round.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::harness::DEADLINE;

/// Both ends of a named pipe, so that neither side waits for the other to open it.
pub struct Fifo {
    file: File,
    seen: Vec<u8>,
}

/// The named pipes of a case.
pub struct Fifos {
    /// What the tasks say: `$TELL`.
    pub tell: Fifo,
    /// Those that the case asked for.
    pub named: HashMap<String, Fifo>,
}

impl Fifo {
    /// Opens one that exists.
    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(path).expect("open a fifo");
        Self { file, seen: Vec::new() }
    }

    /// The next line that was written, without its newline.
    #[track_caller]
    pub fn line(&mut self) -> String {
        self.line_within(DEADLINE).expect("a line before the deadline")
    }

    /// The next line, or nothing where none comes in time.
    pub fn line_within(&mut self, patience: Duration) -> Option<String> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(at) = self.seen.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.seen.drain(..=at).collect();
                return Some(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if !readable(self.file.as_fd(), deadline) {
                return None;
            }
            let mut buffer = [0; 4096];
            let count = self.file.read(&mut buffer).expect("read a fifo");
            self.seen.extend_from_slice(&buffer[..count]);
        }
    }

    /// Awaits so many lines, and sorts them: what runs side by side has no order.
    #[track_caller]
    pub fn sorted(&mut self, count: usize) -> Vec<String> {
        let mut lines: Vec<String> = (0..count).map(|_| self.line()).collect();
        lines.sort();
        lines
    }

    /// Writes a line for a task that reads.
    pub fn say(&mut self, line: &str) {
        self.file.write_all(format!("{line}\n").as_bytes()).expect("write to a fifo");
    }
}

/// Waits until there is something to read (or the other side is gone), not beyond the deadline.
pub fn readable(fd: std::os::fd::BorrowedFd<'_>, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout) {
            Ok(0) | Err(nix::errno::Errno::EINTR) if Instant::now() < deadline => {}
            Ok(0) | Err(nix::errno::Errno::EINTR) => return false,
            Ok(_) => return true,
            Err(why) => panic!("poll: {why}"),
        }
    }
}
