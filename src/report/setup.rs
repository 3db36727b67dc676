//! From what was asked for to a [`Setup`] on the streams that xec was started with. The only place here that
//! opens anything.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use crate::exec::inherited;
use crate::report::console::{Descriptor, Sink};
use crate::report::sanitize::visible;
use crate::report::{Mode, Setup, style};

/// Where `--events` goes.
pub enum Events {
    /// To standard output, which then carries nothing else: the output of tasks is in the events.
    Stdout,
    /// To a place of its own.
    To(Box<dyn Write + Send>),
}

impl Events {
    /// To a file, which is written anew.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn file(path: &Path) -> io::Result<Self> {
        Ok(Self::To(create(path)?))
    }

    /// To a descriptor that xec was started with, which goes on where that stands, whoever else uses it.
    ///
    /// # Errors
    /// There is no such descriptor, or it cannot be written.
    pub fn descriptor(number: i32) -> io::Result<Self> {
        let name = format!("descriptor {number}");
        let copy = inherited::writable_copy(number).map_err(|why| named(&name, &why))?;
        Ok(Self::named(name, copy))
    }

    fn named(name: String, to: OwnedFd) -> Self {
        Self::To(Box::new(Named { name, to: Descriptor::from(to) }))
    }
}

/// A file that is written anew, whose errors say which one it is.
///
/// # Errors
/// It cannot be written.
pub fn create(path: &Path) -> io::Result<Box<dyn Write + Send>> {
    let name = format!("`{}`", visible(&path.to_string_lossy()));
    let file = create_file(path)?;
    Ok(Box::new(Named { name, to: Descriptor::from(OwnedFd::from(file)) }))
}

/// The same, as a file that can be written anew.
///
/// # Errors
/// It cannot be written.
pub fn create_file(path: &Path) -> io::Result<File> {
    File::create(path).map_err(|why| named(&format!("`{}`", visible(&path.to_string_lossy())), &why))
}

/// An error that says where it came to be.
fn named(name: &str, why: &io::Error) -> io::Error {
    io::Error::new(why.kind(), format!("{name}: {why}"))
}

/// A place whose errors say which one it is.
struct Named {
    name: String,
    to: Descriptor,
}

impl Write for Named {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes).map_err(|why| named(&self.name, &why))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush().map_err(|why| named(&self.name, &why))
    }
}

/// What stands for a standard output that xec was started without: std opens `/dev/null` in its place, where what is
/// written would be lost in silence.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::other("it is closed"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The standard output, unbuffered.
///
/// # Errors
/// There is no room for one more descriptor.
pub fn stdout() -> io::Result<Box<dyn Write + Send>> {
    let stdout = io::stdout();
    Ok(if inherited::is_closed(stdout.as_raw_fd()) { Box::new(Closed) } else { Box::new(Descriptor::of(&stdout)?) })
}

/// What was asked for.
pub struct Wishes {
    /// `None` leaves it to [`Mode::resolve`].
    pub mode: Option<Mode>,
    /// `None` leaves it to [`style::wanted`].
    pub color: Option<bool>,
    /// Whether several jobs can run at once.
    pub several: bool,
    /// Nothing of xec's own but failures.
    pub quiet: bool,
    /// More of xec's own.
    pub verbose: bool,
    /// Why each task runs or not.
    pub why: bool,
    /// What happens, for machines.
    pub events: Option<Events>,
    /// Where the time went is said at the end.
    pub profile: bool,
    /// Where the run is written as a trace.
    pub trace: Option<Box<dyn Write + Send>>,
    /// Where the run is written as a page.
    pub page: Option<File>,
}

impl Setup {
    /// To people alone, and nothing but what the mode says.
    pub(super) fn plain(out: Sink, err: Sink, mode: Mode) -> Self {
        let (quiet, verbose, why, status, profile) = (false, false, false, false, false);
        let (trace, page, tap, events, journal) = (None, None, None, None, None);
        Self { out, err, mode, quiet, verbose, why, status, profile, trace, page, tap, events, journal }
    }

    /// On standard output and standard error.
    ///
    /// # Errors
    /// One of them is not there.
    pub fn standard(wishes: Wishes, env: &dyn Fn(&str) -> Option<OsString>) -> io::Result<Self> {
        let stderr = io::stderr();
        let sink = |to: Box<dyn Write + Send>, terminal| Sink {
            to,
            terminal,
            color: style::wanted(wishes.color, terminal, env),
        };
        let err = sink(Box::new(Descriptor::of(&stderr)?), stderr.is_terminal());
        let (out, terminal) = (stdout()?, io::stdout().is_terminal());
        let mode = Mode::resolve(wishes.mode, terminal, wishes.several);
        let (out, mode, events) = match wishes.events {
            Some(Events::Stdout) => (sink(Box::new(io::sink()), false), Mode::Quiet, Some(out)),
            Some(Events::To(events)) => (sink(out, terminal), mode, Some(events)),
            None => (sink(out, terminal), mode, None),
        };
        let Wishes { quiet, verbose, why, profile, trace, page, .. } = wishes;
        let dumb = env("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        let status = err.terminal && mode != Mode::Live && !quiet && !dumb;
        Ok(Self { quiet, verbose, why, status, profile, trace, page, events, ..Self::plain(out, err, mode) })
    }
}

/// Whether standard output and standard error lead to the same place, so that the order between the two counts.
pub fn share_a_place() -> bool {
    let place = |stat: nix::sys::stat::FileStat| (stat.st_dev, stat.st_ino, stat.st_rdev);
    match (nix::sys::stat::fstat(io::stdout()), nix::sys::stat::fstat(io::stderr())) {
        (Ok(out), Ok(err)) => place(out) == place(err),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};

    use super::*;

    fn write(events: Events, text: &str) {
        match events {
            Events::To(mut sink) => sink.write_all(text.as_bytes()).unwrap(),
            Events::Stdout => unreachable!("a place was named"),
        }
    }

    #[test]
    fn a_file_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events");
        std::fs::write(&path, "what was there before").unwrap();
        write(Events::file(&path).unwrap(), "new");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert!(Events::file(dir.path()).is_err());
    }

    #[test]
    fn a_descriptor_stays_open_and_keeps_what_it_has() {
        let mut file = tempfile::tempfile().unwrap();
        inherit(&file);
        file.write_all(b"before ").unwrap();
        write(Events::descriptor(file.as_raw_fd()).unwrap(), "after");
        let mut text = String::new();
        io::Seek::rewind(&mut file).unwrap();
        io::Read::read_to_string(&mut file, &mut text).unwrap();
        assert_eq!(text, "before after");
    }

    /// As what xec was started with.
    fn inherit(fd: &impl std::os::fd::AsFd) {
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    }

    #[test]
    fn a_socket_is_a_place_too() {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        inherit(&ours);
        write(Events::descriptor(ours.as_raw_fd()).unwrap(), "event");
        drop(ours);
        let mut text = String::new();
        io::Read::read_to_string(&mut theirs, &mut text).unwrap();
        assert_eq!(text, "event");
    }

    #[test]
    fn what_cannot_be_written_is_refused_by_name() {
        let refused = |number| Events::descriptor(number).err().unwrap().to_string();
        let null = File::open("/dev/null").unwrap();
        let number = null.as_raw_fd();
        assert!(refused(number).starts_with(&format!("descriptor {number}: ")), "our own are nobody's");
        inherit(&null);
        assert_eq!(refused(number), format!("descriptor {number}: it is open for reading only"));
        assert!(refused(1_000_000).contains("os error 9"));
        assert!(refused(-1).contains("os error 9"));
        let nowhere = Events::file(Path::new("/nowhere/x")).err().unwrap();
        assert!(nowhere.to_string().starts_with("`/nowhere/x`: "), "{nowhere}");
        let Events::To(mut full) = Events::file(Path::new("/dev/full")).unwrap() else { panic!("a place was named") };
        assert!(full.write_all(b"x").unwrap_err().to_string().starts_with("`/dev/full`: "));
    }
}
