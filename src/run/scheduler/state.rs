//! What the scheduler keeps for each vertex, scope and job. Decides nothing.

use std::time::Duration;

use crate::base::event::{Culprit, Level, Reason, Waits};
use crate::plan::ids::{FeedId, LeafId, ScopeId, VertexId};
use crate::run::scheduler::progress::Progress;

/// How a vertex ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Ok,
    /// It had not to run, by its conditions.
    Passed,
    /// It had not to run: what it takes is not there, by its place among what it takes.
    Lacked(usize),
    /// It had not to run: all was done already. Something was brought back, if true.
    Fresh(bool),
    /// A command with this code, or a scope with so many failures in it.
    Failed(i32),
    TimedOut,
    Cancelled(Reason),
    /// Not begun, for what this vertex came to.
    Skipped(VertexId),
    /// Not begun, since the run took another way.
    Dropped(Reason),
}

/// What changes about a scope.
#[derive(Clone, Debug, Default)]
pub(super) struct ScopeState {
    /// Never counts back; timers of an earlier one are ignored.
    pub(super) attempt: u32,
    /// Attempts since the scope around it began its own.
    pub(super) tries: u32,
    /// Someone around it wants it to end.
    pub(super) from_above: bool,
    /// What its body came to, once that is over.
    pub(super) body: Option<End>,
    /// What the attempt came to that is over, until the next one begins.
    pub(super) last: Option<End>,
    /// What it made is being looked at, and was.
    pub(super) settling: bool,
    pub(super) settled: bool,
    /// The next of its hooks to look at, and the one that was woken last.
    pub(super) stage: usize,
    pub(super) hook: Option<ScopeId>,
    /// One of them failed.
    pub(super) hook_failed: bool,
    /// What the hook is told that goes along with it.
    pub(super) progress: Progress,
    /// It was opened for its values.
    pub(super) opened: bool,
    /// Direct children that are live.
    pub(super) open: u32,
    /// One of its gates stays shut.
    pub(super) shut: bool,
    /// Direct children that failed and count.
    pub(super) failed: u32,
    /// Direct children that were cancelled, skipped or dropped.
    pub(super) dropped: u32,
    /// Those who may still want it, if it is shared.
    pub(super) interest: u32,
    /// Something in it has been started.
    pub(super) touched: bool,
    /// It was given up by a policy that lets run what runs.
    pub(super) gently: bool,
    /// One of its children has decided it: the chosen one.
    pub(super) decided: bool,
    /// Of a scope that one child decides: that one, or else the last that failed.
    pub(super) chosen: Option<VertexId>,
    /// Its failure policy has acted.
    pub(super) tripped: bool,
    /// It is a service that was ready once.
    pub(super) ready: bool,
    /// Its own time was up.
    pub(super) timed_out: bool,
    /// Its timeout runs.
    pub(super) armed: bool,
    /// What its entries waited for room.
    pub(super) waits: Waits,
    /// When its place was reached, and when it was entered.
    pub(super) wanted: Duration,
    pub(super) entered: Duration,
}

/// Something that failed, whether it counts or not.
#[derive(Clone, Debug)]
pub(super) enum Failed {
    /// This vertex.
    Here(VertexId),
    /// Something in a lane of this feed, which has gone on to its next item since.
    Gone(FeedId, Box<Culprit>),
}

/// A question about a scope that is not answered yet: whether it has to run, or what is to be remembered of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// None is numbered like another one.
    pub(super) number: u32,
    /// Nobody wants to know any more, and this has been done about it.
    pub(super) given_up: Option<Level>,
}

/// A job that is not over.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) leaf: LeafId,
    pub(super) started: Option<Duration>,
    pub(super) queue: Queue,
}

/// A leaf between the moment nothing held it back any more and its start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Queue {
    pub(super) since: Duration,
    pub(super) attempt: u32,
    pub(super) starved: u32,
    pub(super) waits: Waits,
}
