//! Output of one job that is shown later: in memory while it is small, else in a file without a name. Knows nothing
//! of when or where it is shown.

use std::io::{self, Read, Seek, Write};

use tempfile::{SpooledTempFile, spooled_tempfile};

use crate::base::event::Stream;
use crate::report::sanitize::visible;

/// What one job may hold in memory.
const IN_MEMORY: usize = 1 << 20;
/// What all jobs together may hold in memory.
const ALL_IN_MEMORY: usize = 16 << 20;
/// What is read back at once.
const PIECE: usize = 64 * 1024;

/// The memory that the spools of a run share.
#[derive(Default, Debug)]
pub(crate) struct Budget {
    used: usize,
}

/// Pieces of both streams, in the order they came.
#[derive(Debug)]
pub(crate) struct Spool {
    file: SpooledTempFile,
    in_memory: usize,
}

impl Default for Spool {
    fn default() -> Self {
        Self { file: spooled_tempfile(IN_MEMORY), in_memory: 0 }
    }
}

impl Spool {
    /// Adds a piece.
    pub(crate) fn push(&mut self, budget: &mut Budget, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        self.keep(budget, stream, bytes).map_err(|why| in_file("keep output", &why))
    }

    fn keep(&mut self, budget: &mut Budget, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        for part in bytes.chunks(PIECE) {
            let length = u32::try_from(part.len()).expect("a part is at most 64 KiB");
            let mut head = [0; 5];
            head[0] = u8::from(stream == Stream::Stderr);
            head[1..].copy_from_slice(&length.to_le_bytes());
            let size = head.len() + part.len();
            if !self.file.is_rolled() && budget.used + size > ALL_IN_MEMORY {
                self.file.roll()?;
            }
            self.file.write_all(&head)?;
            self.file.write_all(part)?;
            if self.file.is_rolled() {
                budget.used -= std::mem::take(&mut self.in_memory);
            } else {
                self.in_memory += size;
                budget.used += size;
            }
        }
        Ok(())
    }

    /// Gives all pieces back, in order.
    pub(crate) fn drain(
        mut self,
        budget: &mut Budget,
        mut each: impl FnMut(Stream, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        budget.used -= self.in_memory;
        let lost = |why: io::Error| in_file("read back output that was kept", &why);
        self.file.rewind().map_err(lost)?;
        let mut file = io::BufReader::with_capacity(PIECE, self.file);
        let mut part = Vec::new();
        let mut head = [0; 5];
        loop {
            match file.read_exact(&mut head) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(lost(error)),
            }
            let [kind, length @ ..] = head;
            part.resize(u32::from_le_bytes(length) as usize, 0);
            file.read_exact(&mut part).map_err(lost)?;
            each(if kind == 0 { Stream::Stdout } else { Stream::Stderr }, &part)?;
        }
    }

    /// Forgets all of it.
    pub(crate) fn discard(self, budget: &mut Budget) {
        budget.used -= self.in_memory;
    }
}

/// An error that says where the file is; it has no name of its own.
fn in_file(what: &str, why: &io::Error) -> io::Error {
    let dir = tempfile::env::temp_dir();
    io::Error::new(why.kind(), format!("cannot {what} in {}: {why}", visible(&dir.to_string_lossy())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_came_in_memory_and_from_a_file() {
        for pieces in [3, 500] {
            let (mut budget, mut spool) = (Budget::default(), Spool::default());
            let piece = |n: u32| vec![n as u8; 10_000];
            let stream = |n: u32| if n.is_multiple_of(3) { Stream::Stderr } else { Stream::Stdout };
            for n in 0..pieces {
                spool.push(&mut budget, stream(n), &piece(n)).unwrap();
            }
            assert_eq!(spool.file.is_rolled(), pieces > 100);
            let mut n = 0;
            let each = |got, bytes: &[u8]| {
                assert!(got == stream(n) && bytes == piece(n));
                n += 1;
                Ok(())
            };
            spool.drain(&mut budget, each).unwrap();
            assert_eq!((n, budget.used), (pieces, 0));
        }
    }

    #[test]
    fn all_of_them_together_are_bounded() {
        let mut budget = Budget::default();
        let mut spools: Vec<Spool> = (0..40).map(|_| Spool::default()).collect();
        for spool in &mut spools {
            spool.push(&mut budget, Stream::Stdout, &vec![b'x'; 900_000]).unwrap();
            assert!(budget.used <= ALL_IN_MEMORY);
        }
        assert!(spools.iter().any(|spool| spool.file.is_rolled()));
        spools.into_iter().for_each(|spool| spool.discard(&mut budget));
        assert_eq!(budget.used, 0);
    }
}
