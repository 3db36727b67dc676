//! Lines for machines on their way to their place: collected, and only ever written as whole ones. Knows no format.

use std::io::{self, Write};

/// As much is collected before it is written.
const MUCH: usize = 64 * 1024;

/// A place, and what is not written to it yet.
pub(super) struct Collected {
    to: Box<dyn Write + Send>,
    /// To be added to.
    pub(super) bytes: Vec<u8>,
}

impl Collected {
    pub(super) fn new(to: Box<dyn Write + Send>) -> Self {
        Self { to, bytes: Vec::new() }
    }

    /// A line is whole: what there is goes out if it is much.
    pub(super) fn end_line(&mut self) -> io::Result<()> {
        if self.bytes.len() >= MUCH { self.flush() } else { Ok(()) }
    }

    /// Everything goes out.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if !self.bytes.is_empty() {
            self.to.write_all(&self.bytes)?;
            self.bytes.clear();
        }
        self.to.flush()
    }
}
