//! The two streams that people read, kept in order with each other, and who may write into which line. Knows
//! nothing of events, nor of what the bytes mean.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::os::fd::{AsFd, OwnedFd};

use memchr::memchr;

use crate::base::event::{JobId, Stream};
use crate::report::style::{RESET, Style};

/// Less than this is collected before it is written.
const BUFFER: usize = 16 * 1024;

/// One stream as it was opened.
pub struct Sink {
    /// Where to write.
    pub to: Box<dyn Write + Send>,
    /// Whether it is a terminal.
    pub terminal: bool,
    /// Whether there are colours on it.
    pub color: bool,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sink {{ terminal: {}, color: {} }}", self.terminal, self.color)
    }
}

/// Who writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Writer {
    Xec,
    Job(JobId),
}

/// A stream with what is not written yet, and the state of its last line.
struct Out {
    sink: Sink,
    buffer: Vec<u8>,
    last: Writer,
    /// Whether the last line has no newline yet.
    open: bool,
    /// Whether a job wrote an escape sequence, so that a colour may still be on.
    inked: bool,
}

impl Out {
    fn new(sink: Sink) -> Self {
        Self { sink, buffer: Vec::new(), last: Writer::Xec, open: false, inked: false }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER {
            write_both(&mut self.sink.to, &self.buffer, bytes)?;
            self.buffer.clear();
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// A line, with the prefix again wherever a carriage return goes back to before it.
    fn put_anew(&mut self, prefix: &str, line: &[u8]) -> io::Result<()> {
        let mut left = line;
        while let Some(at) = memchr(b'\r', left) {
            let (before, after) = left.split_at(at + 1);
            self.put(before)?;
            if !after.is_empty() && after != b"\n" {
                self.put(prefix.as_bytes())?;
            }
            left = after;
        }
        self.put(left)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            write_both(&mut self.sink.to, &self.buffer, &[])?;
            self.buffer.clear();
        }
        self.sink.to.flush()
    }

    /// Ends a line and a colour that another writer left open.
    fn settle(&mut self, writer: Writer) -> io::Result<()> {
        if self.last != writer {
            self.reset()?;
            if self.open {
                self.open = false;
                self.put(b"\n")?;
            }
        }
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.inked) { self.put(RESET.as_bytes()) } else { Ok(()) }
    }
}

/// Writes two slices in as few calls as the system allows.
fn write_both(to: &mut dyn Write, first: &[u8], second: &[u8]) -> io::Result<()> {
    let mut slices = [IoSlice::new(first), IoSlice::new(second)];
    let mut left = slices.as_mut_slice();
    IoSlice::advance_slices(&mut left, 0); // Drops empty ones.
    while !left.is_empty() {
        match to.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Begins the last line anew.
const CLEAR: &str = "\r\x1b[K";

/// Both streams.
pub(crate) struct Console {
    out: Out,
    err: Out,
    /// What shall stand below all lines of a terminal, and what does.
    below: Option<String>,
    drawn: Option<String>,
}

impl Console {
    pub(crate) fn new(out: Sink, err: Sink) -> Self {
        Self { out: Out::new(out), err: Out::new(err), below: None, drawn: None }
    }

    /// Whether that stream is a terminal.
    pub(crate) fn terminal(&self, stream: Stream) -> bool {
        self.at(stream).sink.terminal
    }

    /// The colours of that stream.
    pub(crate) fn style(&self, stream: Stream) -> Style {
        Style { on: self.at(stream).sink.color }
    }

    fn at(&self, stream: Stream) -> &Out {
        match stream {
            Stream::Stdout => &self.out,
            Stream::Stderr => &self.err,
        }
    }

    /// Makes a stream ready for this writer: what the other stream holds goes out first, and a line that somebody
    /// else left open is ended. Two terminals are taken for the same one.
    fn turn(&mut self, stream: Stream, writer: Writer) -> io::Result<&mut Out> {
        if self.terminal(stream) {
            self.wipe()?;
        }
        let (this, other) = match stream {
            Stream::Stdout => (&mut self.out, &mut self.err),
            Stream::Stderr => (&mut self.err, &mut self.out),
        };
        let same = this.sink.terminal && other.sink.terminal;
        if same {
            other.settle(writer)?;
        }
        if !other.buffer.is_empty() {
            other.flush()?;
        }
        this.settle(writer)?;
        this.last = writer;
        // What this writer began on one stream it goes on with on the other, as it would without xec.
        this.open |= same && std::mem::take(&mut other.open);
        Ok(this)
    }

    /// Writes a piece of a job's output as it is.
    pub(crate) fn write(&mut self, stream: Stream, job: JobId, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let out = self.turn(stream, Writer::Job(job))?;
        out.open = bytes.last() != Some(&b'\n');
        out.inked |= out.sink.terminal && memchr(0x1b, bytes).is_some();
        out.put(bytes)
    }

    /// Writes a piece of a job's output with a prefix before every line that begins in it; on a terminal also where
    /// a carriage return begins the line anew.
    pub(crate) fn write_prefixed(&mut self, stream: Stream, job: JobId, prefix: &str, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let out = self.turn(stream, Writer::Job(job))?;
        let mut left = bytes;
        while !left.is_empty() {
            let (line, after) = left.split_at(memchr(b'\n', left).map_or(left.len(), |at| at + 1));
            left = after;
            if !out.open {
                out.reset()?;
                out.put(prefix.as_bytes())?;
            }
            out.open = !line.ends_with(b"\n");
            if out.sink.terminal {
                out.inked |= memchr(0x1b, line).is_some();
                out.put_anew(prefix, line)?;
            } else {
                out.put(line)?;
            }
        }
        Ok(())
    }

    /// Writes lines of xec's own to stderr; the last one without its newline.
    pub(crate) fn say(&mut self, lines: impl AsRef<[u8]>) -> io::Result<()> {
        let err = self.turn(Stream::Stderr, Writer::Xec)?;
        err.put(lines.as_ref())?;
        err.put(b"\n")
    }

    /// The end of a job's block of lines: no colour of it goes on.
    pub(crate) fn reset(&mut self) -> io::Result<()> {
        self.out.reset()?;
        self.err.reset()
    }

    /// What stands on stderr below all lines, from the next flush on.
    pub(crate) fn below(&mut self, line: Option<String>) {
        self.below = line;
    }

    /// Takes away what stands below, before something is written in its place.
    fn wipe(&mut self) -> io::Result<()> {
        if self.drawn.take().is_some() { self.err.put(CLEAR.as_bytes()) } else { Ok(()) }
    }

    /// Everything goes out. What stands below is cut where the terminal ends, and not drawn into a line of others.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let free = !self.out.open && !self.err.open;
        match self.below.take().filter(|_| free) {
            Some(line) if self.drawn.as_ref() == Some(&line) => {}
            Some(line) => {
                self.out.flush()?;
                self.err.put(format!("{CLEAR}\x1b[?7l{line}\x1b[?7h").as_bytes())?;
                self.drawn = Some(line);
            }
            None => self.wipe()?,
        }
        self.out.flush()?;
        self.err.flush()
    }
}

/// A descriptor of xec's own, unbuffered, which also waits where somebody else has made it non-blocking.
pub(crate) struct Descriptor(File);

impl Descriptor {
    /// A copy of a descriptor, so that closing this one closes nothing of others.
    pub(crate) fn of(fd: impl AsFd) -> io::Result<Self> {
        Ok(Self(File::from(fd.as_fd().try_clone_to_owned()?)))
    }
}

impl From<OwnedFd> for Descriptor {
    fn from(fd: OwnedFd) -> Self {
        Self(File::from(fd))
    }
}

impl Write for Descriptor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        loop {
            match self.0.write_vectored(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLOUT)], PollTimeout::NONE) {
                        Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a few bytes at a time, and is interrupted now and then.
    struct Slow(Vec<u8>, u32);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1.is_multiple_of(3) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let taken = bytes.len().min(3);
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn both_slices_whole() {
        let mut slow = Slow(Vec::new(), 0);
        write_both(&mut slow, b"abcdefg", b"hijk").unwrap();
        write_both(&mut slow, b"", b"l").unwrap();
        write_both(&mut slow, b"", b"").unwrap();
        assert_eq!(slow.0, b"abcdefghijkl");
        let full = write_both(&mut [0_u8; 2].as_mut_slice(), b"abc", b"");
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::WriteZero);
    }

    #[test]
    fn a_pipe_that_somebody_made_non_blocking() {
        use std::io::Read;
        let (mut reader, writer) = io::pipe().unwrap();
        nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).unwrap();
        let mut descriptor = Descriptor::from(OwnedFd::from(writer));
        let bytes = vec![b'x'; 1 << 20];
        let writing = std::thread::spawn(move || descriptor.write_all(&bytes));
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        writing.join().unwrap().unwrap();
        assert_eq!(read.len(), 1 << 20);
    }
}
