//! Fingerprints of contents (BLAKE3).

use std::fmt;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};

/// What is read at once; large pieces of large files are hashed on all cores.
const PIECE: usize = 1 << 20;

/// The fingerprint of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of bytes that are there.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }

    /// Of all that can be read, and how much that was.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(mut from: impl Read) -> io::Result<(Self, u64)> {
        let mut hasher = blake3::Hasher::new();
        let mut piece = vec![0; PIECE.min(64 * 1024)];
        let mut total = 0;
        loop {
            let length = fill(&mut from, &mut piece)?;
            total += length as u64;
            if length < 256 * 1024 {
                hasher.update(&piece[..length]);
            } else {
                hasher.update_rayon(&piece[..length]);
            }
            if length < piece.len() {
                return Ok((Self(hasher.finalize().into()), total));
            }
            // Most files are small: only what has filled a small piece is worth a large one.
            piece.resize(PIECE, 0);
        }
    }

    /// From its bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From what it is written as.
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self(blake3::Hash::from_hex(text).ok()?.into()))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Reads until the piece is full or nothing is left.
fn fill(from: &mut impl Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut at = 0;
    while at < piece.len() {
        match from.read(&mut piece[at..]) {
            Ok(0) => break,
            Ok(length) => at += length,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
    Ok(at)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Several parts to one fingerprint, each with its length before it, so that no two lists of parts are one.
#[derive(Default)]
pub struct Mixer(blake3::Hasher);

impl Mixer {
    /// One more part.
    pub fn add(&mut self, part: &[u8]) -> &mut Self {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// Of all of them.
    pub fn finish(&self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_no_difference() {
        for size in [0, 1, 65_535, 65_536, 65_537, 300_000, 3 << 20] {
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            assert_eq!(Digest::read(&bytes[..]).unwrap(), (Digest::of(&bytes), size as u64));
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        let mixed = |parts: &[&str]| {
            let mut mixer = Mixer::default();
            for part in parts {
                mixer.add(part.as_bytes());
            }
            mixer.finish()
        };
        assert_ne!(mixed(&["ab", "c"]), mixed(&["a", "bc"]));
        assert_ne!(mixed(&["ab"]), mixed(&["ab", ""]));
    }
}
