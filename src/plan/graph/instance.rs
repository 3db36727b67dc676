//! Leaves and instances, and how instances are tied for those who look at a plan. Knows no rules.

use std::sync::Arc;
use std::time::Duration;

use crate::base::event::TaskLabel;
use crate::plan::ids::{CommandId, FeedId, InstanceId, ScopeId, TaskDefId, VertexId};
use crate::plan::values::{Inputs, Value};

/// A leaf: a command in a scope.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    /// The scope it is a direct child of.
    pub scope: ScopeId,
    /// The instance it belongs to.
    pub instance: InstanceId,
    /// Its vertex.
    pub vertex: VertexId,
    /// What it does.
    pub command: CommandId,
    /// From the first signal to SIGKILL.
    pub grace: Duration,
    /// It does nothing, for so long.
    pub wait: Option<Duration>,
    /// Whether it takes one of the `-j` slots: who only waits does not, and nor does a service.
    pub slot: bool,
    /// The service that it is a part of.
    pub service: Option<ScopeId>,
}

/// A task's instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its scope.
    pub scope: ScopeId,
    /// The task.
    pub def: TaskDefId,
    /// How it is shown.
    pub label: Arc<TaskLabel>,
    /// What it was given.
    pub inputs: Inputs,
    /// Who called it, in whose scope late inputs are made.
    pub caller: Option<InstanceId>,
    /// What it has from others.
    pub takes: Vec<TakeFrom>,
    /// The one that stands for its late set: what this one has not been given, that one has.
    pub set: Option<InstanceId>,
    /// It stands for others, or beside one that is just like it: not for those who look at the plan.
    pub hidden: bool,
}

impl Instance {
    /// One that nobody called, and that takes nothing yet.
    pub fn new(scope: ScopeId, def: TaskDefId, label: Arc<TaskLabel>, inputs: Inputs) -> Self {
        Self { scope, def, label, inputs, caller: None, takes: Vec::new(), set: None, hidden: false }
    }
}

/// A value that an instance has from others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TakeFrom {
    /// What it is called here.
    pub here: Arc<str>,
    /// What it is called there.
    pub name: Arc<str>,
    /// From whom, in the order of their matrix.
    pub from: Vec<InstanceId>,
    /// Whether it is a list, however many there are.
    pub list: bool,
    /// What it is where it did not come to be.
    pub default: Option<Value>,
    /// Whose items they are, where nobody knows yet how many.
    pub feed: Option<FeedId>,
}

/// How two instances are tied, for those who look at a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// Who names the other; `None` is the request.
    pub from: Option<InstanceId>,
    /// Who is named.
    pub to: InstanceId,
    /// How.
    pub kind: LinkKind,
}

/// The ways one instance names another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkKind {
    /// It was asked for.
    Requested,
    /// `needs`.
    Needs,
    /// `after`.
    After,
    /// `call`.
    Calls,
}
