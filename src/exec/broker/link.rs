//! What is asked of the broker, and what comes back: handles to the one task that speaks to it, which is [`super::wire`].

use std::future::Future;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};

use crate::base::command::{Outcome, Usage};
use crate::exec::Signal;
use crate::exec::broker::proto::{ALL, SpawnParts};

/// Xec's end of the broker. Every copy speaks to the same one.
#[derive(Clone, Debug)]
pub struct Link {
    pub(super) commands: UnboundedSender<Command>,
    pub(super) lost: watch::Receiver<bool>,
}

impl Link {
    /// Ends when the broker has been killed: nothing can be started any more, and xec itself is ending what
    /// there was, each job then being [`crate::base::command::Outcome::Unknown`].
    pub fn lost(&self) -> impl Future<Output = ()> + 'static {
        let mut lost = self.lost.clone();
        async move {
            if lost.wait_for(|lost| *lost).await.is_err() {
                std::future::pending::<()>().await; // The broker was dropped, not lost.
            }
        }
    }

    /// Ends all that finished jobs left behind, and jobs that still run: SIGTERM, the grace, SIGKILL. The answer
    /// names what was there, `name (pid)`. Until then nothing can be started; afterwards it can. `spare`: the first
    /// processes of jobs that go on, with all of their groups and what is below them.
    pub fn sweep(&self, spare: &[u32]) -> impl Future<Output = Vec<String>> + 'static {
        self.ask_sweep(false, spare)
    }

    /// As [`Link::sweep`] without any grace; hastens one that is under way.
    pub fn sweep_now(&self, spare: &[u32]) -> impl Future<Output = Vec<String>> + 'static {
        self.ask_sweep(true, spare)
    }

    /// Sends a signal to every job there is, heard of or not. Between a stop and the next continue, what starts is
    /// stopped at once.
    pub fn signal_all(&self, signal: Signal) {
        let _ = self.commands.send(Command::Signal(ALL, signal)); // Without a broker there is no job either.
    }

    /// Ends when all that was asked for so far is on its way to the broker, which acts even while xec is stopped.
    pub fn flush(&self) -> impl Future<Output = ()> + 'static {
        let (reply, answer) = oneshot::channel();
        let asked = self.commands.send(Command::Flush(reply));
        async move {
            if asked.is_ok() {
                let _ = answer.await; // Without a broker nothing is on its way.
            }
        }
    }

    fn ask_sweep(&self, now: bool, spare: &[u32]) -> impl Future<Output = Vec<String>> + 'static {
        let (reply, answer) = oneshot::channel();
        let spare = spare.iter().map(|pid| *pid as i32).collect();
        let asked = self.commands.send(Command::Sweep { now, spare, reply });
        async move {
            match asked {
                Ok(()) => answer.await.unwrap_or_default(),
                Err(_) => Vec::new(),
            }
        }
    }

    /// Starts a process with these descriptors, in the order of its [`crate::exec::broker::proto::Stdio::Passed`].
    pub(crate) async fn spawn(&self, parts: &SpawnParts<'_>, fds: Vec<OwnedFd>) -> Result<Process, SpawnError> {
        let (started, answer) = oneshot::channel();
        let spawn = Spawn { frame: parts.encode(), fds, grace: parts.grace, leave: parts.leave, started };
        self.commands.send(Command::Spawn(spawn)).map_err(|_| SpawnError::Lost)?;
        answer.await.unwrap_or(Err(SpawnError::Lost))
    }
}

/// A process that runs, or did.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) control: Control,
    /// How it ended; an error is [`Exit::Lost`].
    pub(crate) exit: oneshot::Receiver<Exit>,
    /// The signals that stopped it, but for those that we sent.
    pub(crate) stops: UnboundedReceiver<i32>,
}

/// Sends signals to one job.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    pub(super) job: u64,
    pub(super) commands: UnboundedSender<Command>,
}

impl Control {
    /// To all of the job; nothing once it has ended.
    pub(crate) fn send(&self, signal: Signal) {
        let _ = self.commands.send(Command::Signal(self.job, signal)); // Without a link there is no job either.
    }
}

/// Why nothing was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SpawnError {
    /// What the kernel said.
    Errno(i32),
    /// There is no broker any more.
    Lost,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// With this status, as wait4 gives it.
    Status(i32, Usage),
    /// The broker ended before it.
    Lost,
}

impl Exit {
    /// What that is for whoever started it.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Exit::Lost => Outcome::Unknown("the process broker was lost".to_owned()),
            Exit::Status(status, _) if libc::WIFSIGNALED(status) => Outcome::Signalled(libc::WTERMSIG(status)),
            Exit::Status(status, _) => Outcome::Exited(libc::WEXITSTATUS(status)),
        }
    }
}

#[derive(Debug)]
pub(super) enum Command {
    Spawn(Spawn),
    Signal(u64, Signal),
    Sweep { now: bool, spare: Vec<i32>, reply: oneshot::Sender<Vec<String>> },
    Flush(oneshot::Sender<()>),
}

#[derive(Debug)]
pub(super) struct Spawn {
    pub(super) frame: Vec<u8>,
    pub(super) fds: Vec<OwnedFd>,
    pub(super) grace: Duration,
    pub(super) leave: bool,
    pub(super) started: oneshot::Sender<Result<Process, SpawnError>>,
}
