//! Whole lines of one stream of one job, out of pieces cut anywhere. Pure; knows nothing of jobs, modes or where
//! the lines go.

use memchr::memrchr;

/// The longest piece of a line that is held back; a longer line goes out in pieces.
pub(crate) const LONGEST: usize = 64 * 1024;

/// Holds back the line that has not ended yet.
#[derive(Default, Debug)]
pub(crate) struct Lines {
    held: Vec<u8>,
}

/// What may go out now: the two parts follow each other without anything between, and end with a newline, unless
/// the line was too long to be held or the caller did not want it held.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Ready<'a> {
    /// What was held back until now.
    pub(crate) held: Vec<u8>,
    /// The part of the new piece, without a copy.
    pub(crate) now: &'a [u8],
}

impl Lines {
    /// Takes the next piece; `partial` lets the line that has not ended go out too.
    pub(crate) fn push<'a>(&mut self, piece: &'a [u8], partial: bool) -> Ready<'a> {
        let whole = memrchr(b'\n', piece).map_or(0, |at| at + 1);
        let open = if whole == 0 { self.held.len() + piece.len() } else { piece.len() - whole };
        let cut = if partial || open > LONGEST { piece.len() } else { whole };
        let (now, later) = piece.split_at(cut);
        let held = if cut == 0 { Vec::new() } else { std::mem::take(&mut self.held) };
        self.held.extend_from_slice(later);
        Ready { held, now }
    }

    /// What is still held back: the last line, which has no newline.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

    use super::*;

    fn push(lines: &mut Lines, piece: &[u8], partial: bool) -> Vec<u8> {
        let ready = lines.push(piece, partial);
        [ready.held.as_slice(), ready.now].concat()
    }

    #[test]
    fn up_to_the_last_newline() {
        let mut lines = Lines::default();
        assert_eq!(push(&mut lines, b"a", false), b"");
        assert_eq!(push(&mut lines, b"b\nc\nd", false), b"ab\nc\n");
        assert_eq!(push(&mut lines, b"", false), b"");
        assert_eq!(push(&mut lines, b"e", true), b"de");
        assert_eq!(push(&mut lines, b"\xff\nf", false), b"\xff\n");
        assert_eq!(lines.finish(), b"f");
        assert_eq!(lines.finish(), b"");
    }

    #[test]
    fn an_endless_line_goes_out_in_pieces() {
        let mut lines = Lines::default();
        assert!(push(&mut lines, &[b'x'; LONGEST], false).is_empty());
        assert_eq!(push(&mut lines, b"y", false).len(), LONGEST + 1);
        assert!(push(&mut lines, b"y", false).is_empty());
        let long = [b"\n".as_slice(), &[b'z'; LONGEST + 1]].concat();
        assert_eq!(push(&mut lines, &long, false).len(), LONGEST + 3);
        assert!(lines.finish().is_empty());
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'x'), any::<u8>()], 0..8)
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_torn(pieces in proptest::collection::vec(piece(), 0..20)) {
            let (mut lines, mut out) = (Lines::default(), Vec::new());
            for piece in &pieces {
                let ready = push(&mut lines, piece, false);
                assert!(ready.is_empty() || ready.ends_with(b"\n"));
                out.extend(ready);
            }
            out.extend(lines.finish());
            assert_eq!(out, pieces.concat());
        }
    }
}
