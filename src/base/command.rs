//! What a target is asked to do, and what it says of how that went. The same for a process here, a
//! process on a host, and a scripted one in a test.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The signal that asks a process to end, which has this number everywhere.
pub const SIGTERM: i32 = 15;

/// One attempt of one command, with everything resolved: nothing in here is expanded any further.
#[derive(Clone, Debug)]
pub struct CommandSpec {
    /// What to execute.
    pub program: Program,
    /// Where; absolute for a local target.
    pub cwd: PathBuf,
    /// Changes to the environment xec was started with, later ones win; `None` removes.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// What it reads.
    pub stdin: Stdin,
    /// Where its stdout goes.
    pub stdout: Sink,
    /// Where its stderr goes.
    pub stderr: Sink,
    /// The pool of slots that it may take from, which it gets as descriptor 3 if it is a local process.
    pub pool: Option<Arc<OwnedFd>>,
    /// How long after the first signal the rest is killed, should xec itself be gone by then.
    pub grace: Duration,
    /// Whether its script has a shell of its own.
    pub share: Share,
    /// What it has left behind at its end is meant to outlive the run, and to hold what it holds.
    pub leave: bool,
}

impl CommandSpec {
    /// A program in a directory, of which nothing else is said: with the environment of xec, nothing to read, both
    /// streams to the report, and alone. So long after the first signal the rest is killed.
    pub fn new(program: Program, cwd: impl Into<PathBuf>, grace: Duration) -> Self {
        Self {
            program,
            cwd: cwd.into(),
            env: Vec::new(),
            stdin: Stdin::Null,
            stdout: Sink::Report,
            stderr: Sink::Report,
            pool: None,
            grace,
            share: Share::None,
            leave: false,
        }
    }
}

/// What to execute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Program {
    /// These words, without a shell. Never empty.
    Words(Vec<OsString>),
    /// `shell` followed by `text` as one more word and then `args`. A target may run plain words
    /// without the shell where that cannot be told apart.
    Script {
        /// The interpreter with its options, such as `sh -eu -c`.
        shell: Arc<[OsString]>,
        /// The script, never rewritten.
        text: Arc<str>,
        /// What the script sees as `"$@"`.
        args: Vec<OsString>,
    },
}

/// With whom a script shares its shell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Share {
    /// With nobody.
    #[default]
    None,
    /// With those of this number: what one sets, the next one has.
    Session(u64),
    /// It may run in a fork of a shell that is there already; at most so many are kept.
    Pool(u32),
}

/// What a process reads.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Stdin {
    /// Nothing: `/dev/null`.
    #[default]
    Null,
    /// These bytes, then the end.
    Bytes(Arc<[u8]>),
    /// The terminal, whose foreground it gets alone.
    Terminal,
    /// This file, from its beginning; an absolute path, on this machine wherever the command runs.
    File(PathBuf),
    /// A descriptor that comes along with the job: what the command before it in a pipe writes.
    Passed,
}

/// Where a stream of a process goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Sink {
    /// To the report, as [`crate::base::event::Message::Output`].
    #[default]
    Report,
    /// To the report, through the same pipe as stdout, so that the order of the two is kept. Only for stderr.
    WithStdout,
    /// Kept, up to so many bytes, and handed up as a capture; more is a failure.
    Capture(usize),
    /// To the terminal or file that xec itself has: an interactive task.
    Inherit,
    /// Into this file, made or emptied at the start as a shell's `>` does; an absolute path, on this machine.
    File(PathBuf),
    /// To a descriptor that comes along with the job.
    Passed,
}

/// How a command ended, as far as its target knows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// It ended by itself with this code.
    Exited(i32),
    /// A signal of this number ended it.
    Signalled(i32),
    /// Nothing was executed.
    NotStarted(NotStarted),
    /// It was started, and how it ended cannot be known (a lost link): never retried by itself.
    Unknown(String),
}

impl Outcome {
    /// The exit code as a shell would say it: 128+n for signals, 127 not found, 126 not executable, 255 unreachable.
    pub fn code(&self) -> i32 {
        match self {
            Outcome::Exited(code) => *code,
            Outcome::Signalled(signal) => 128 + signal,
            Outcome::NotStarted(NotStarted::Missing(_)) => 127,
            Outcome::NotStarted(NotStarted::Denied(_)) => 126,
            Outcome::NotStarted(NotStarted::Scarce(_) | NotStarted::Failed(_)) => 1,
            Outcome::NotStarted(NotStarted::Unreachable(_)) | Outcome::Unknown(_) => 255,
        }
    }
}

/// Why nothing was executed. Each holds what to tell the user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum NotStarted {
    /// No room for one more process or descriptor: try again with less at once.
    Scarce(String),
    /// The program is not there.
    Missing(String),
    /// The program is there and may not be executed.
    Denied(String),
    /// The host does not answer.
    Unreachable(String),
    /// Anything else that went wrong before the program ran (a missing directory, say).
    Failed(String),
}

impl std::fmt::Display for NotStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (NotStarted::Scarce(why)
        | NotStarted::Missing(why)
        | NotStarted::Denied(why)
        | NotStarted::Unreachable(why)
        | NotStarted::Failed(why)) = self;
        f.write_str(why)
    }
}

/// What a process tree used, as far as the kernel counted it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time in user mode.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
    /// The largest resident set of one of its processes, in bytes.
    pub peak_memory: u64,
}

/// What a command with all below it uses, measured while it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    /// CPU time since it began, in user mode and in the kernel; of what has ended, as far as somebody below it waited
    /// for that.
    pub cpu: Duration,
    /// The resident sets of all its processes, in bytes: what they share is counted for each.
    pub memory: u64,
    /// How many processes these are.
    pub processes: u32,
}

/// What a command left behind for others to use.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Captures {
    /// Its stdout, where that was asked for.
    pub stdout: Option<Arc<[u8]>>,
}
