//! Runs the real binary in a directory of its own, with an environment of its own.
//!
//! A [`Case`] is built, then either [`Case::run`] to its end or [`Case::spawn`]ed and talked to. Whatever it
//! starts carries the name of its directory in the environment, the command line or the working directory:
//! that mark is how survivors are counted, and how a failed test cleans up.
//!
//! Tests await events (a line in the fifo `$TELL`, the end of a process), each with [`DEADLINE`]; none of
//! them sleeps, and none looks at how long something took.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, mkfifo};
use tempfile::TempDir;

pub mod fifo;
pub mod live;
pub mod proc;
pub mod project;
pub mod pty;
mod selftest;
pub mod text;

use crate::harness::fifo::{Fifo, Fifos};
use crate::harness::live::Live;

/// How long anything may take before a test gives up; generous, since the machine may be busy.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The binary under test.
pub const XEC: &str = env!("CARGO_BIN_EXE_xec");

/// One call of xec, being prepared.
pub struct Case {
    dir: TempDir,
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    fifos: Vec<String>,
    limits: Vec<(Resource, u64)>,
    user: Option<u32>,
    stdout: Out,
    stderr: Out,
}

/// Where an output of xec goes.
enum Out {
    /// Into memory, to be looked at in the end.
    Collect,
    /// Into a pipe that the test reads itself.
    Raw,
    /// Into this file.
    File(File),
}

impl Case {
    /// An empty directory and a clean environment.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("xec-it-").tempdir().expect("a directory for the test");
        for fifo in ["tell", "never"] {
            mkfifo(&dir.path().join(fifo), Mode::from_bits_truncate(0o666)).expect("a fifo");
        }
        Self {
            dir,
            program: XEC.into(),
            args: Vec::new(),
            env: Vec::new(),
            fifos: Vec::new(),
            limits: Vec::new(),
            user: None,
            stdout: Out::Collect,
            stderr: Out::Collect,
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes `Xecfile.kdl`.
    pub fn xecfile(self, text: impl AsRef<[u8]>) -> Self {
        self.file("Xecfile.kdl", text)
    }

    /// Writes a file, with the directories it needs.
    pub fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a name inside the directory")).expect("directories");
        std::fs::write(path, text).expect("write a file of the test");
        self
    }

    /// Adds a named pipe that the test and the tasks can meet at. The test holds it open for both from before
    /// the start to the end, so that nobody waits for the other side to open it, and no line is lost.
    pub fn fifo(mut self, name: &str) -> Self {
        mkfifo(&self.dir.path().join(name), Mode::from_bits_truncate(0o666)).expect("a fifo");
        self.fifos.push(name.to_owned());
        self
    }

    /// Adds an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().into()));
        self
    }

    /// Adds words to the command line.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Runs this program instead of xec itself (a shell that runs it, say).
    pub fn program(mut self, program: impl AsRef<OsStr>) -> Self {
        self.program = program.as_ref().to_owned();
        self
    }

    /// Sets both limits of a resource for xec and all it starts.
    pub fn limit(mut self, resource: Resource, value: u64) -> Self {
        self.limits.push((resource, value));
        self
    }

    /// Runs as this user, from a copy of the binary that it can reach; only root can ask for it.
    pub fn user(mut self, uid: u32) -> Self {
        let copy = self.dir.path().join("xec");
        // Not by ourselves: what another test forks meanwhile would hold the copy open for writing, and nobody could
        // execute it.
        let copied = Command::new("cp").arg(XEC).arg(&copy).status().expect("start cp");
        assert!(copied.success(), "copy the binary");
        let (user, group) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(uid)));
        let inside =
            std::fs::read_dir(self.dir.path()).expect("read the directory").map(|entry| entry.expect("entry").path());
        for path in inside.chain([self.dir.path().to_owned()]) {
            nix::unistd::chown(&path, user, group).expect("chown");
        }
        self.program = copy.into();
        self.user = Some(uid);
        self
    }

    /// Sends stdout to a file.
    pub fn stdout_to(mut self, file: File) -> Self {
        self.stdout = Out::File(file);
        self
    }

    /// Leaves stdout to the test: [`Live::take_stdout`].
    pub fn stdout_raw(mut self) -> Self {
        self.stdout = Out::Raw;
        self
    }

    /// Where the fifo is that tasks write to.
    pub fn tell(&self) -> PathBuf {
        self.dir.path().join("tell")
    }

    /// Runs to the end and tells all.
    pub fn run(self) -> Ran {
        self.spawn().end()
    }

    /// Starts, with `$TELL` open for what the tasks say.
    pub fn spawn(self) -> Live {
        let fifos = self.open_fifos();
        let mut command = self.command();
        command.stdin(Stdio::null());
        command.stdout(stdio(&self.stdout)).stderr(stdio(&self.stderr));
        command.process_group(0);
        let child = loop {
            match command.spawn() {
                // Some other test has forked while a copy of the binary was being written, and not yet called exec.
                Err(why) if why.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                started => break started.expect("start the binary"),
            }
        };
        let raw = matches!(self.stdout, Out::Raw);
        Live::new(self.dir, child, fifos, raw)
    }

    fn open_fifos(&self) -> Fifos {
        let named = self.fifos.iter().map(|name| (name.clone(), Fifo::open(&self.dir.path().join(name)))).collect();
        Fifos { tell: Fifo::open(&self.tell()), named }
    }

    /// The command with environment, directory, limits and user; standard streams are the caller's.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(self.dir.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()));
        command.env("HOME", self.dir.path()).env("LANG", "C.UTF-8").env("TELL", self.tell());
        command.env("IT_MARK", self.dir.path().file_name().expect("a named directory"));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let (limits, user) = (self.limits.clone(), self.user);
        // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
        unsafe {
            command.pre_exec(move || {
                if let Some(uid) = user {
                    nix::unistd::setgid(Gid::from_raw(uid))?;
                    nix::unistd::setuid(Uid::from_raw(uid))?;
                }
                for (resource, value) in &limits {
                    setrlimit(*resource, *value, *value)?;
                }
                // Whoever runs the tests may hand things on, such as the slots of a jobserver: none of them is the case's.
                libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int);
                Ok(())
            });
        }
        command
    }
}

fn stdio(out: &Out) -> Stdio {
    match out {
        Out::Collect | Out::Raw => Stdio::piped(),
        Out::File(file) => file.try_clone().expect("one more descriptor").into(),
    }
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// With this code.
    Code(i32),
    /// Of this signal.
    Signal(i32),
}

/// A call of xec that has ended.
pub struct Ran {
    /// All of its stdout.
    pub stdout: Vec<u8>,
    /// All of its stderr.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub end: End,
    dir: TempDir,
}

impl Ran {
    /// stdout as text.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// stderr as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// A file of the directory, as text; empty where there is none.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Everything there is to know, for a message.
    pub fn story(&self) -> String {
        format!("ended with {:?}\n--- stdout\n{}\n--- stderr\n{}", self.end, self.out(), self.err())
    }

    /// Demands an exit code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert!(self.end == End::Code(code), "expected exit code {code}, {}", self.story());
        self
    }

    /// Demands success.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.code(0)
    }

    /// Demands any failure: a code that is not 0, or a signal.
    #[track_caller]
    pub fn failed(self) -> Self {
        assert!(self.end != End::Code(0), "expected a failure, {}", self.story());
        self
    }

    /// Demands death by a signal.
    #[track_caller]
    pub fn signal(self, signal: nix::sys::signal::Signal) -> Self {
        assert!(self.end == End::Signal(signal as i32), "expected death by {signal}, {}", self.story());
        self
    }

    /// Demands exactly this on stdout.
    #[track_caller]
    pub fn stdout(self, expected: &str) -> Self {
        assert!(self.out() == expected, "expected stdout {expected:?}, {}", self.story());
        self
    }

    /// Demands these words on stderr.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.err().contains(words), "expected {words:?} on stderr, {}", self.story());
        self
    }

    /// Demands that no process of this run is there, now that xec has ended; its broker may be about to go.
    #[track_caller]
    pub fn nothing_left(self) -> Self {
        let left = proc::marked(self.path());
        let left: Vec<_> = left.iter().filter(|process| process.comm != "xec-broker").collect();
        assert!(left.is_empty(), "still there: {left:?}, {}", self.story());
        proc::await_gone(self.path());
        self
    }
}
