//! From what was asked for to a [`Setup`] on the streams that xec was started with. The only place here that
//! opens anything.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use crate::report::console::{Descriptor, Sink};
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
        Ok(Self::To(Box::new(Descriptor::from(OwnedFd::from(File::create(path)?)))))
    }

    /// To a descriptor that xec was started with. It is opened once more and stays open, whoever else uses it; a
    /// file is appended to, since the new descriptor knows nothing of the place of the old one.
    ///
    /// # Errors
    /// There is no such descriptor, or it cannot be written.
    pub fn descriptor(number: i32) -> io::Result<Self> {
        let file = File::options().append(true).open(format!("/dev/fd/{number}"))?;
        Ok(Self::To(Box::new(Descriptor::from(OwnedFd::from(file)))))
    }
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
    /// What happens, for machines.
    pub events: Option<Events>,
}

impl Setup {
    /// On standard output and standard error.
    ///
    /// # Errors
    /// One of them is not there.
    pub fn standard(wishes: Wishes, env: &dyn Fn(&str) -> Option<OsString>) -> io::Result<Self> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let sink = |to: Box<dyn Write + Send>, terminal| Sink {
            to,
            terminal,
            color: style::wanted(wishes.color, terminal, env),
        };
        let err = sink(Box::new(Descriptor::of(&stderr)?), stderr.is_terminal());
        let terminal = stdout.is_terminal();
        let out: Box<dyn Write + Send> = Box::new(Descriptor::of(&stdout)?);
        let mode = Mode::resolve(wishes.mode, terminal, wishes.several);
        let (out, mode, events) = match wishes.events {
            Some(Events::Stdout) => (sink(Box::new(io::sink()), false), Mode::Quiet, Some(out)),
            Some(Events::To(events)) => (sink(out, terminal), mode, Some(events)),
            None => (sink(out, terminal), mode, None),
        };
        Ok(Self { out, err, mode, quiet: wishes.quiet, verbose: wishes.verbose, events })
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

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
        file.write_all(b"before ").unwrap();
        write(Events::descriptor(file.as_raw_fd()).unwrap(), "after");
        file.write_all(b"").unwrap();
        let mut text = String::new();
        io::Seek::rewind(&mut file).unwrap();
        io::Read::read_to_string(&mut file, &mut text).unwrap();
        assert_eq!(text, "before after");
        assert!(Events::descriptor(1_000_000).is_err());
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
