//! What the scheduler is told, and what it says: all that passes between it and who runs it.

use std::sync::Arc;
use std::time::Duration;

use crate::base::command::{Captures, NotStarted, Outcome, Usage};
use crate::base::event::{Event, Failure, JobId, Level, Reason, TaskLabel, Verdict, Waits};
use crate::plan::ids::{FeedId, HostId, InstanceId, LeafId, LimitId, ScopeId, VertexId};
use crate::plan::values::Value;

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// The run begins. Once, first.
    Begin,
    /// A process runs.
    Started(JobId),
    /// A job is over, and all its output has been handed on.
    Ended(JobId, JobEnd),
    /// A timer that was set has come; one that no longer matters is ignored.
    Timer(TimerKey),
    /// Whether a scope has to run, or why that cannot be said. Each [`Action::Probe`] and each [`Action::Claim`] is
    /// answered once, even if nobody wants to know any more.
    Probed(ScopeId, Result<Answer, Complaint>),
    /// A service can be used.
    Ready(ScopeId),
    /// All that is remembered of a scope is.
    Settled(ScopeId),
    /// Items for a feed: all of a list, or some of a stream.
    Items(FeedId, Vec<Arc<str>>),
    /// There is no list for a feed, in words.
    Unfed(FeedId, String),
    /// What became of [`Action::TryLock`].
    Locked(VertexId, LockAnswer),
    /// Something shall end.
    Cancel(ScopeId, Reason, Level),
}

/// Whether a scope has to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It has.
    Run,
    /// It has not, by its conditions.
    Pass,
    /// It has not, since a value is not there that it takes from another: by its place among these.
    Lacks(usize),
    /// It has not, since all that it would do is done.
    Fresh {
        /// Something of it was brought back.
        restored: bool,
    },
    /// To [`Action::Claim`]: that is not known any more. It is to be probed once more, and holds nothing until then.
    Again,
}

/// Why something could not begin, though nothing of it failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Complaint {
    /// A value is not there or not what it should be, in words.
    Value(String),
    /// It had to be asked on a host that cannot be reached, in the words of the transport.
    Unreachable(String),
}

impl Complaint {
    /// What it is to a user that could not begin.
    pub fn verdict(&self) -> Verdict {
        match self {
            Complaint::Value(why) => Verdict::Failed(Failure::Value(why.clone())),
            Complaint::Unreachable(why) => Verdict::Unreachable(why.clone()),
        }
    }

    /// The exit code of a run in which nothing else went wrong.
    pub fn code(&self) -> i32 {
        match self {
            Complaint::Value(_) => 1,
            Complaint::Unreachable(why) => Outcome::NotStarted(NotStarted::Unreachable(why.clone())).code(),
        }
    }
}

impl std::fmt::Display for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Complaint::Value(why) => f.write_str(why),
            Complaint::Unreachable(why) => write!(f, "unreachable: {why}"),
        }
    }
}

impl From<String> for Complaint {
    fn from(why: String) -> Self {
        Complaint::Value(why)
    }
}

/// Whether something was had of the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LockAnswer {
    /// All of it, until [`Action::Unlock`].
    Held,
    /// Others hold too much of it: nothing was taken.
    Busy,
    /// It cannot be had, for this reason.
    Impossible(String),
}

/// How a job ended.
#[derive(Clone, PartialEq, Debug)]
pub struct JobEnd {
    /// How.
    pub outcome: Outcome,
    /// What it used.
    pub usage: Option<Usage>,
    /// What it left for others.
    pub captures: Captures,
    /// A capture grew over this cap.
    pub capture_overflow: Option<usize>,
    /// Who held its output open after its end.
    pub leaked: Vec<String>,
    /// What it kept is not what it should be.
    pub bad_value: Option<String>,
}

impl JobEnd {
    /// Just how, with nothing to tell beside.
    pub fn plain(outcome: Outcome) -> Self {
        Self {
            outcome,
            usage: None,
            captures: Captures::default(),
            capture_overflow: None,
            leaked: Vec::new(),
            bad_value: None,
        }
    }
}

/// What shall be done.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// Start an attempt of a leaf.
    Start {
        /// Its name from now on.
        job: JobId,
        /// What.
        leaf: LeafId,
        /// Counted from 1.
        attempt: u32,
        /// What it waited for.
        waits: Waits,
    },
    /// End a job: with this signal, or by SIGKILL.
    Stop {
        /// Which.
        job: JobId,
        /// Why.
        reason: Reason,
        /// How hard.
        level: Level,
    },
    /// A host has no more to do, as far as is known.
    Idle(HostId),
    /// Ask whether a scope has to run.
    Probe(ScopeId),
    /// A scope that is remembered has all that it claims, and begins now: make sure that it still has to, and that
    /// nobody else runs it meanwhile. Never waits.
    Claim(ScopeId),
    /// Nobody wants to know any more what is asked of a scope: end who is asked. The answer, whatever it is, is still
    /// waited for.
    Unask {
        /// Which.
        scope: ScopeId,
        /// Why.
        reason: Reason,
        /// How hard.
        level: Level,
    },
    /// The body of a scope has succeeded: look at what it made, and remember it.
    Settle(ScopeId),
    /// An attempt of an instance begins: make what lives as long as it.
    Open(InstanceId),
    /// A part of the run, these vertices, begins anew: what they made is void.
    Forget(std::ops::Range<u32>),
    /// An attempt of an instance is over; if it was the last one, hooks and all.
    Close(InstanceId, Closing),
    /// Make the list of a feed.
    Feed(FeedId),
    /// A lane begins to work on an item: its number, its values, and what the instance is called from now on.
    Give {
        /// The lane.
        lane: ScopeId,
        /// Counted from 1, in the order of the list.
        number: u64,
        /// By name.
        values: Vec<(Arc<str>, Value)>,
        /// For an instance.
        label: Option<(InstanceId, Arc<TaskLabel>)>,
    },
    /// A host was picked for a scope, and what its instance is called from now on.
    Bound {
        /// For which.
        scope: ScopeId,
        /// Which.
        host: HostId,
        /// Where it is an instance.
        label: Option<(InstanceId, Arc<TaskLabel>)>,
    },
    /// An instance has a value, made at this vertex.
    Keep(InstanceId, Arc<str>, VertexId, Value),
    /// Take so much of these limits of the machine, all or nothing, without waiting; answered by [`Input::Locked`].
    TryLock(VertexId, Vec<(LimitId, u32)>),
    /// Give back what this one had of the machine.
    Unlock(VertexId),
    /// Ask until a service is ready.
    Watch(ScopeId),
    /// Ask no more.
    Unwatch(ScopeId),
    /// One child, by the vertex where it ends, has decided a scope: what the others made is void.
    Decided(ScopeId, VertexId),
    /// A scope that was decided begins anew.
    Undecided(ScopeId),
    /// Come back at this time.
    SetTimer(TimerKey, Duration),
    /// Tell.
    Emit(Event),
    /// The run is over.
    Done,
}

/// How an attempt of an instance is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closing {
    /// It succeeded.
    Well,
    /// It did not.
    Badly,
    /// It did not, and there is another one.
    Again,
}

/// What a timer is for. None is ever cleared: one that no longer matters is ignored when it comes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum TimerKey {
    /// The time of an attempt of a scope is up.
    Timeout(ScopeId, u32),
    /// The grace of a job is up.
    Grace(JobId),
    /// The pause of a gate is over, in this attempt of its scope.
    Pause(VertexId, u32),
    /// The time that a service has to be ready is up.
    Ready(ScopeId, u32),
    /// There may be more of a limit again.
    Limit(LimitId),
    /// There may be room again for a leaf.
    Room(LeafId),
    /// The grace of a question is up: that of this scope, with this number.
    Question(ScopeId, u32),
    /// A leaf that only waits has waited.
    Wait(JobId),
    /// The pause before the next attempt of a scope is over.
    Retry(ScopeId, u32),
    /// The first item of a chunk has waited long enough.
    Feed(FeedId),
}
