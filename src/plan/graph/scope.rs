//! A scope: who owns what, and by which rules. Knows no edges.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::base::event::SkipReason;
use crate::base::source::Span;
use crate::plan::defs::Conditions;
use crate::plan::graph::Target;
use crate::plan::ids::{FeedId, InstanceId, LimitId, ScopeId, VertexId};
use crate::xecfile::model::{OnError, Retry, Service, Share};

/// When a scope has what it wants.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Completion {
    /// When all of its children have ended.
    #[default]
    All,
    /// At the first success; with the last failure if there is none.
    FirstOk,
    /// At the first end, whichever it is.
    First,
}

/// What a scope is to a user.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ScopeKind {
    /// The run.
    Run,
    /// An instance of a task.
    Instance(InstanceId),
    /// A group, or a step with policies of its own.
    Group,
    /// One of several ways (`any`): it holds the turn, and comes to what the one thing in it comes to.
    Branch,
}

/// A scope: who owns what, and by which rules. Everything in it lies in `vertices`.
#[derive(Clone, Debug)]
pub struct Scope {
    /// What it is in; `None` for the run.
    pub parent: Option<ScopeId>,
    /// What it is to a user.
    pub kind: ScopeKind,
    /// Whether it is needed or requested (once for the run, and kept alive by demand) instead of standing in place.
    pub shared: bool,
    /// When it has what it wants.
    pub completion: Completion,
    /// Its vertices, from its gate or entry to its exit.
    pub vertices: Range<u32>,
    /// Where its place in the run is reached, if it waits for others from there on.
    pub gate: Option<VertexId>,
    /// Where its body begins.
    pub enter: VertexId,
    /// Where it ends.
    pub exit: VertexId,
    /// Whether it has to run at all.
    pub guard: Guard,
    /// What is remembered of it from run to run.
    pub memory: Memory,
    /// Its children run side by side: tried again, only those that failed are.
    pub side_by_side: bool,
    /// How many direct children it has.
    pub children: u32,
    /// How many of them must succeed.
    pub require: Share,
    /// How often it is tried again.
    pub retry: Option<Retry>,
    /// The nearest scope around it that may be tried again.
    pub retried_parent: Option<ScopeId>,
    /// What follows it: after a success, after a failure, after all.
    pub hooks: [Option<ScopeId>; 3],
    /// What goes along with it, and how much more of its children has to have ended each time.
    pub progress: Option<(ScopeId, Share)>,
    /// Who stands for it, where it is a set whose hooks need an instance.
    pub stand_in: Option<InstanceId>,
    /// What its lanes are fed with.
    pub feed: Option<FeedId>,
    /// It is a lane: its place is reached when there is an item for it, again and again.
    pub is_lane: bool,
    /// It is such a hook: its place is reached when the scope around it says so.
    pub is_hook: bool,
    /// What a failure in it does to the rest of it.
    pub on_error: OnError,
    /// Whether its failure is none to those around it.
    pub optional: bool,
    /// The longest one attempt may take, from its first process on.
    pub timeout: Option<Duration>,
    /// The nearest scope around it that has a timeout.
    pub timed_parent: Option<ScopeId>,
    /// What it holds from its entry to its exit.
    pub claim: Claim,
    /// How many slots each command in it takes.
    pub weight: u32,
    /// Where what is in it runs.
    pub target: Target,
    /// The limit that each of its direct children takes one of.
    pub child_token: Option<LimitId>,
    /// The service that it is, or is a part of.
    pub service: Option<ScopeId>,
    /// It is a service: how to tell that it is up.
    pub ready: Option<Arc<Service>>,
    /// Where it is written.
    pub site: Span,
}

/// What is remembered of a scope from run to run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Memory {
    /// Nothing.
    #[default]
    None,
    /// What its conditions saw, once it has succeeded.
    Seen,
    /// Only within the run, what it made: others decide by it.
    Made,
    /// All that decides whether it has to run: that is asked before it, and remembered after its success.
    Whole,
}

/// Whether a scope has to run at all.
#[derive(Clone, Debug, Default)]
pub enum Guard {
    /// It has.
    #[default]
    Always,
    /// It has not: that is known already, and why.
    Never(SkipReason),
    /// That is asked just before its body.
    Ask(Conditions),
}

impl Scope {
    /// The instance that it is, if it is one.
    pub fn instance(&self) -> Option<InstanceId> {
        if let ScopeKind::Instance(id) = self.kind { Some(id) } else { None }
    }
}

/// What is taken in one move, each limit once.
pub type Claim = Box<[(LimitId, u32)]>;
