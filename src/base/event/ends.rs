//! How something ended, and why.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::command::Outcome;

/// How something ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Verdict {
    /// It did what it should.
    Ok,
    /// A command failed, or something in it did.
    Failed(Failure),
    /// Its host could not be reached, for this reason: nothing of it ran.
    Unreachable(String),
    /// Its time was up.
    TimedOut(Duration),
    /// It was ended, or kept from starting, from outside.
    Cancelled(Reason),
    /// It was not begun.
    Skipped(SkipReason),
}

impl Verdict {
    /// Whether it ran, or should have, and came to no good: not what was ended or left out by others.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Unreachable(_) | Self::TimedOut(_))
    }
}

/// What failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Failure {
    /// A command, in this way.
    Command(Outcome),
    /// So many of what is in it.
    Inside(u32),
    /// It kept more than it was allowed to: the cap in bytes.
    CaptureTooLarge(usize),
    /// What it kept is not what it should be, or what it should be given cannot be made: in words.
    Value(String),
}

/// Why something was not begun.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SkipReason {
    /// What it needs did not succeed: that instance.
    Dependency(Arc<str>),
    /// An earlier step of the same task did not succeed.
    Earlier,
    /// Too few of an earlier batch of its matrix succeeded.
    Batch,
    /// Its `when` or `unless` says that it has not to run: who waits for it goes on.
    Condition,
    /// It went well in the run that is taken up again (`--failed`): who waits for it goes on.
    Done,
    /// Nothing that it depends on has changed (`--affected`): who waits for it goes on.
    Unaffected,
    /// A value is not there that it takes from another, which did not fail: who waits for it goes on.
    Value {
        /// What it is called there.
        name: Arc<str>,
        /// From that instance.
        from: Arc<str>,
    },
    /// All that it would do is done: who waits for it goes on.
    UpToDate,
    /// The same, and what it had made was brought back.
    Restored,
    /// The run was ending.
    Cancelled(Reason),
}

/// Why something is cancelled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Reason {
    /// Something beside it failed, and the policy is fail-fast (or drain, for what had not begun).
    Failed,
    /// The time of a group or task around it was up.
    Timeout,
    /// Nobody needs it any more.
    Unneeded,
    /// Another branch was enough (`any`, `race`).
    Decided,
    /// It was not ready within the time that it had for that.
    NotReady,
    /// A service that it uses has ended.
    Service,
    /// xec was sent this signal.
    Signal(i32),
    /// What xec writes to is closed or full.
    OutputClosed,
    /// The process layer is gone.
    Lost,
    /// Files have changed, and what runs begins anew (`--watch`).
    Changed,
}

/// How hard something is being ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Level {
    /// A signal, then the grace.
    Soft,
    /// SIGKILL, now.
    Kill,
}
