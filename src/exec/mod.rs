//! Floor 3: how a command is run, and ended, at some place. Knows nothing of the graph, of tasks, or of
//! who watches.
//!
//! A [`Target`] is such a place. What it promises is in the types: a [`Running`] ends by itself or by
//! [`Signal`], it says [`Finished`] exactly once, and all its output has been handed over by then.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic, and start processes")
)]

use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::Pin;

use crate::base::command::{Captures, CommandSpec, NotStarted, Outcome, Usage};
use crate::base::event::JobId;

mod attend;
pub mod broker;
pub mod closed;
pub mod containers;
pub mod copy;
pub mod fake;
mod fd;
mod find;
pub mod git;
pub mod inherited;
pub mod jobserver;
pub mod keys;
pub mod local;
pub mod locks;
pub mod mask;
pub mod meter;
pub mod output;
pub mod pipeline;
mod pump;
pub mod remote;
pub mod shells;
pub mod signals;
pub mod ssh;
mod streams;
pub mod terminal;
mod tree;
mod words;

/// A future that lives on the one thread of a run.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A place where commands run.
pub trait Target {
    /// Starts one command. The future ends when it is known whether the program runs.
    fn start<'a>(&'a self, spec: CommandSpec, cx: JobCx) -> LocalFuture<'a, Result<Running, NotStarted>>;
}

/// What a job brings along.
pub struct JobCx {
    /// The attempt this is for.
    pub job: JobId,
    /// Where its output goes.
    pub output: output::OutputTx,
    /// The descriptors of what is [`crate::base::command::Stdin::Passed`] or [`crate::base::command::Sink::Passed`].
    pub passed: Passed,
    /// Who wants each line of what it captures as soon as it is whole, without its end.
    pub lines: Option<tokio::sync::mpsc::UnboundedSender<Vec<Vec<u8>>>>,
}

impl JobCx {
    /// Without any descriptor of its own, for an attempt whose output goes there.
    pub fn new(job: JobId, output: output::OutputTx) -> Self {
        Self { job, output, passed: Passed::default(), lines: None }
    }
}

/// Descriptors for a command. Whoever starts it hands them over and keeps none, so that the other end sees its end.
#[derive(Debug, Default)]
pub struct Passed {
    /// What it reads.
    pub stdin: Option<OwnedFd>,
    /// Where its stdout goes.
    pub stdout: Option<OwnedFd>,
    /// Where its stderr goes.
    pub stderr: Option<OwnedFd>,
}

/// A command that was started.
pub struct Running {
    /// The process, where there is one here.
    pub pid: Option<u32>,
    /// Sends signals to all of it; never blocks, and does nothing once it has ended.
    pub control: Box<dyn Fn(Signal)>,
    /// Ends when the command has ended and its output has been handed over. Dropping it ends nothing. No output
    /// is handed over before this is polled (or dropped), so that the start can be told first.
    pub done: LocalFuture<'static, Finished>,
    /// The signals that stopped it (SIGTTIN: it wants the terminal), but for [`Signal::Stop`].
    pub stops: tokio::sync::mpsc::UnboundedReceiver<i32>,
}

/// What can be done to a running command: always to the whole of it, children and all.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Signal {
    /// Ask it to end, with this signal.
    End(i32),
    /// End it.
    Kill,
    /// Ctrl-Z.
    Stop,
    /// `fg`.
    Continue,
}

/// How a command ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finished {
    /// How.
    pub outcome: Outcome,
    /// What it used.
    pub usage: Option<Usage>,
    /// What it left for others.
    pub captures: Captures,
    /// Set where a capture grew over its cap, which ended the command.
    pub capture_overflow: Option<usize>,
    /// Processes that held its output open after its end, `name (pid)`.
    pub leaked: Vec<String>,
}
