//! What the wrapper on a host says in the stream of a command's stderr, and how it is taken out again. Pure.

use memchr::memmem;

/// The longest line that can be one: `xec-NONCE start 4194304`.
const LONGEST: usize = 80;

/// Finds and removes the lines that begin with `xec-NONCE `, wherever they begin.
#[derive(Clone, Debug)]
pub(crate) struct Markers {
    prefix: Vec<u8>,
    /// What may be the beginning of one.
    held: Vec<u8>,
    /// The wrapper waits for the script.
    pub(crate) ready: bool,
    /// The command is about to run, in this process group of the host.
    pub(crate) start: Option<i32>,
    /// The command has ended with this code.
    pub(crate) exit: Option<i32>,
    /// The wrapper has ended the command, since nobody seemed to be there.
    pub(crate) lost: bool,
}

impl Markers {
    pub(crate) fn new(nonce: &str) -> Self {
        let prefix = format!("xec-{nonce} ").into_bytes();
        Self { prefix, held: Vec::new(), ready: false, start: None, exit: None, lost: false }
    }

    /// The bytes without markers. What may yet become one is kept back.
    pub(crate) fn strip(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(bytes);
        let mut clean = Vec::with_capacity(text.len());
        let mut rest = &text[..];
        while let Some(at) = memmem::find(rest, &self.prefix) {
            let line = &rest[at + self.prefix.len()..];
            let end = memchr::memchr(b'\n', &line[..line.len().min(LONGEST)]);
            clean.extend_from_slice(&rest[..at]);
            match end {
                Some(end) if self.note(&line[..end]) => rest = &line[end + 1..],
                None if line.len() < LONGEST => {
                    self.held = rest[at..].to_vec();
                    return clean;
                }
                _ => {
                    clean.extend_from_slice(&self.prefix);
                    rest = line;
                }
            }
        }
        let tail =
            (1..self.prefix.len().min(rest.len() + 1)).rev().find(|length| rest.ends_with(&self.prefix[..*length]));
        let keep = rest.len() - tail.unwrap_or(0);
        clean.extend_from_slice(&rest[..keep]);
        self.held = rest[keep..].to_vec();
        clean
    }

    /// What was kept back, once nothing follows it.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Whether nothing runs there any more.
    pub(crate) fn over(&self) -> bool {
        self.exit.is_some() || self.lost
    }

    /// Whether it is one of ours.
    fn note(&mut self, line: &[u8]) -> bool {
        let Ok(line) = std::str::from_utf8(line) else { return false };
        match line.split_once(' ') {
            None if line == "ready" => self.ready = true,
            Some(("start", group)) => self.start = group.parse().ok(),
            Some(("exit", code)) => self.exit = code.parse().ok(),
            Some(("lost", _)) => self.lost = true,
            _ => return false,
        }
        true
    }
}

/// Keeps a stream shut until the wrapper says `ready` in it too: what comes before is the login shell's.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    token: Vec<u8>,
    /// What may be the beginning of it.
    held: Vec<u8>,
}

impl Gate {
    pub(crate) fn new(nonce: &str) -> Self {
        Self { token: format!("xec-{nonce} ready\n").into_bytes(), held: Vec::new() }
    }

    /// What comes after the word, once it has come.
    pub(crate) fn open(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.held.extend_from_slice(bytes);
        if let Some(at) = memmem::find(&self.held, &self.token) {
            return Some(self.held.split_off(at + self.token.len()));
        }
        let old = self.held.len().saturating_sub(self.token.len() - 1);
        self.held.drain(..old);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &[u8] =
        b"motd xec-xec-abc ready\nxec-abc start 42\nout\nxec-ab xec-abc nonsense\nlast xec-abc exit 143\nxec-ab";

    #[test]
    fn markers_go_and_all_else_stays() {
        let mut markers = Markers::new("abc");
        let mut clean = markers.strip(STREAM);
        clean.extend(markers.finish());
        assert_eq!(clean, b"motd xec-out\nxec-ab xec-abc nonsense\nlast xec-ab");
        assert_eq!((markers.ready, markers.start, markers.exit), (true, Some(42), Some(143)));
    }

    #[test]
    fn what_was_ended_by_the_wrapper_has_no_exit() {
        let mut markers = Markers::new("abc");
        assert_eq!(markers.strip(b"out\nxec-abc lost 143\n"), b"out\n");
        assert_eq!((markers.exit, markers.lost, markers.over()), (None, true, true));
    }

    #[test]
    fn a_gate_opens_wherever_the_stream_is_cut() {
        const NOISE: &[u8] = b"welcome\nxec-abc read xec-abc ready\nout xec-abc ready\n";
        for cut in 0..NOISE.len() {
            let (mut gate, mut clean, mut open) = (Gate::new("abc"), Vec::new(), false);
            for piece in [&NOISE[..cut], &NOISE[cut..]] {
                if open {
                    clean.extend_from_slice(piece);
                } else if let Some(rest) = gate.open(piece) {
                    clean = rest;
                    open = true;
                }
            }
            assert_eq!(clean, b"out xec-abc ready\n", "{cut}");
        }
    }

    #[test]
    fn a_line_that_never_ends_is_no_marker() {
        let mut markers = Markers::new("abc");
        let line = [b"xec-abc ".as_slice(), &[b'y'; 500]].concat();
        assert_eq!(markers.strip(&line), line);
    }

    proptest! {
        #[test]
        fn wherever_the_stream_is_cut(cuts in proptest::collection::vec(0..STREAM.len(), 0..8)) {
            let mut cuts = cuts;
            cuts.push(STREAM.len());
            cuts.sort_unstable();
            let (mut markers, mut clean, mut from) = (Markers::new("abc"), Vec::new(), 0);
            for to in cuts {
                clean.extend(markers.strip(&STREAM[from..to]));
                from = to;
            }
            clean.extend(markers.finish());
            prop_assert_eq!(clean, b"motd xec-out\nxec-ab xec-abc nonsense\nlast xec-ab".to_vec());
            prop_assert_eq!((markers.ready, markers.start, markers.exit), (true, Some(42), Some(143)));
        }
    }
}
