//! The last lines of a stream, in bounded memory, for what failed. Knows nothing of jobs or of where they are shown.

/// At most so many bytes are shown.
const KEPT: usize = 4096;
/// At most so many lines are shown.
const LINES: usize = 10;

/// The last bytes of one stream.
#[derive(Default, Debug)]
pub(crate) struct Tail {
    bytes: Vec<u8>,
    cut: bool,
}

impl Tail {
    /// Takes the next piece. Holds up to twice what is shown, so that it need not move bytes at each one.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        if piece.len() >= KEPT {
            self.cut |= !self.bytes.is_empty() || piece.len() > KEPT;
            self.bytes.clear();
            self.bytes.extend_from_slice(&piece[piece.len() - KEPT..]);
        } else {
            self.bytes.extend_from_slice(piece);
            if self.bytes.len() > 2 * KEPT {
                self.shorten();
            }
        }
    }

    fn shorten(&mut self) {
        if self.bytes.len() > KEPT {
            self.cut = true;
            self.bytes.drain(..self.bytes.len() - KEPT);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes it holds.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Gives back the memory that is no longer needed.
    pub(crate) fn close(mut self) -> Self {
        self.shorten();
        self.bytes.shrink_to_fit();
        self
    }

    /// The last lines, and whether there were more. A line whose beginning is lost is left out, unless it is the
    /// only one.
    pub(crate) fn lines(&self) -> (Vec<&[u8]>, bool) {
        let kept = &self.bytes[self.bytes.len().saturating_sub(KEPT)..];
        let lost = self.cut || kept.len() < self.bytes.len();
        let text = kept.strip_suffix(b"\n").unwrap_or(kept);
        if text.is_empty() && kept.is_empty() {
            return (Vec::new(), false);
        }
        let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        if lost && lines.len() > 1 {
            lines.remove(0);
        } else if lost {
            // A character whose first byte is lost is none.
            let start = lines[0].iter().take_while(|byte| (0x80..0xc0).contains(*byte)).count().min(3);
            lines[0] = &lines[0][start..];
        }
        let more = lost || lines.len() > LINES;
        lines.drain(..lines.len().saturating_sub(LINES));
        (lines, more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[&[u8]]) -> Tail {
        let mut tail = Tail::default();
        pieces.iter().for_each(|piece| tail.push(piece));
        assert!(tail.len() <= 2 * KEPT);
        tail.close()
    }

    #[test]
    fn few_lines_whole() {
        assert_eq!(of(&[]).lines(), (vec![], false));
        assert_eq!(of(&[b"a\n", b"b"]).lines(), (vec![b"a".as_slice(), b"b"], false));
        assert_eq!(of(&[b"\n"]).lines(), (vec![b"".as_slice()], false));
    }

    #[test]
    fn many_lines_are_the_last_ten() {
        let text: String = (0..1000).map(|n| format!("line {n}\n")).collect();
        for size in [1, 7, 4095, 4096, 5000, text.len()] {
            let tail = of(&text.as_bytes().chunks(size).collect::<Vec<_>>());
            let (lines, more) = tail.lines();
            let expected: Vec<String> = (990..1000).map(|n| format!("line {n}")).collect();
            assert_eq!(lines, expected.iter().map(String::as_bytes).collect::<Vec<_>>(), "{size}");
            assert!(more);
        }
    }

    #[test]
    fn a_line_without_beginning() {
        let long = "ä".repeat(3000) + "x";
        let tail = of(&[long.as_bytes()]);
        let (lines, more) = tail.lines();
        assert!(more && lines.len() == 1 && lines[0].len() == KEPT - 1 && std::str::from_utf8(lines[0]).is_ok());
        let tail = of(&[long.as_bytes(), b"\nlast"]);
        assert_eq!(tail.lines(), (vec![b"last".as_slice()], true));
    }
}
