//! Scopes that are being laid out: a stack of frames, and a loop that takes their children one by one. What a child
//! is made of is not known here.

use crate::base::source::Span;
use crate::plan::compile::Builder;
use crate::plan::compile::batches::Batching;
use crate::plan::defs::{Defs, HOOK_TIMEOUT, HookDefs, Node, NodeKind};
use crate::plan::graph::{Completion, EdgeKind, FeedWay, ScopeKind};
use crate::plan::ids::{FeedId, InstanceId, ScopeId, TaskDefId, VertexId};
use crate::plan::layout::{Laid, Rules};
use crate::plan::matrix::Row;
use crate::plan::values::Inputs;
use crate::xecfile::model::{Group, OnError, Reference};

/// How the children of an open scope hang together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    InTurn,
    SideBySide,
}

/// What is laid out inside of an open scope.
pub(super) enum Todo<'d> {
    Steps(std::slice::Iter<'d, Node>),
    Rows(TaskDefId, Inputs, std::vec::IntoIter<Row>),
    /// Lanes of a feed: what they are made of, and how many are still to be laid out.
    Lanes(FeedId, LaneKind<'d>, u32),
}

/// What a lane is made of.
#[derive(Clone)]
pub(super) enum LaneKind<'d> {
    /// An instance of a task.
    Task(TaskDefId, Inputs),
    /// A step.
    Step(&'d Node),
}

/// A scope whose children are being laid out.
pub(super) struct Frame<'d> {
    pub(super) scope: ScopeId,
    pub(super) instance: Option<InstanceId>,
    pub(super) todo: Todo<'d>,
    pub(super) order: Order,
    /// What the next child waits for.
    pub(super) tail: VertexId,
    /// Children side by side that have ended, for the exit to wait for.
    pub(super) loose: Vec<VertexId>,
    /// What follows, when the body is laid out.
    pub(super) hooks: Option<&'d HookDefs>,
    /// It hangs on nothing, since the frame below wakes it: a hook, or a lane.
    pub(super) woken: bool,
    /// Who named it, and what is taken from it.
    pub(super) called: Option<(InstanceId, &'d Reference)>,
    /// Its children are ways to one thing, each with a turn of its own.
    pub(super) ways: bool,
    /// Where it is a set whose instances begin in batches.
    pub(super) batching: Option<Batching>,
    /// The instances directly in it, where it is a set.
    pub(super) members: Vec<InstanceId>,
}

impl Builder<'_, '_> {
    /// Lays out all that is in an open frame; says which instances are directly in it.
    pub(super) fn lay_out<'d>(&mut self, defs: &'d Defs, first: Frame<'d>) -> Laid<Vec<InstanceId>> {
        let mut frames = vec![first];
        let mut last = Vec::new();
        while let Some(mut frame) = frames.pop() {
            match self.next(defs, &mut frame)? {
                Some(inner) => {
                    frames.push(frame);
                    frames.extend(inner);
                }
                None => {
                    if let Some(hook) = self.next_hook(&mut frame)? {
                        frames.push(frame);
                        frames.push(hook);
                        continue;
                    }
                    last = self.close(frame, frames.last_mut())?;
                }
            }
        }
        Ok(last)
    }

    /// The next child of a frame: laid out at once, or as frames of its own; `None` when there is none left.
    pub(super) fn next<'d>(&mut self, defs: &'d Defs, frame: &mut Frame<'d>) -> Laid<Option<Vec<Frame<'d>>>> {
        match &mut frame.todo {
            Todo::Rows(task, inputs, rows) => {
                let (row, task, inputs) = (rows.next(), *task, inputs.clone());
                let Some(row) = row else { return self.last_in_batch(frame).map(|()| None) };
                self.next_in_batch(frame)?;
                let inner = self.open_instance(defs, frame.scope, task, inputs, Some(&row), false)?;
                self.arrive(frame, self.layout.head(inner.scope));
                if let (Some((caller, _)), Some(instance)) = (frame.called, inner.instance) {
                    self.called_by(caller, instance);
                }
                frame.members.extend(inner.instance);
                Ok(Some(vec![inner]))
            }
            Todo::Lanes(_, _, 0) => Ok(None),
            Todo::Lanes(feed, kind, left) => {
                *left -= 1;
                let (feed, kind) = (*feed, kind.clone());
                self.lane(defs, frame, feed, &kind).map(|lane| Some(vec![lane]))
            }
            Todo::Steps(steps) => {
                let node = steps.next();
                node.map(|node| self.step(defs, frame, node)).transpose()
            }
        }
    }

    /// A step: laid out at once, or as frames of its own.
    fn step<'d>(&mut self, defs: &'d Defs, frame: &mut Frame<'d>, node: &'d Node) -> Laid<Vec<Frame<'d>>> {
        let owner = frame.instance;
        if frame.ways && (node.needs_scope() || !matches!(node.kind, NodeKind::Leaf(_))) {
            return self.branch(frame, node).map(|branch| vec![branch]);
        }
        let (rules, wrapped) = self.rules(&node.policy, &node.conditions, owner, frame.scope, node.needs_scope())?;
        let rules = Rules { place: self.place_of_step(node.on.as_ref(), owner, frame.scope)?, ..rules };
        Ok(match &node.kind {
            NodeKind::Barrier => {
                self.barrier(frame, node.span)?;
                Vec::new()
            }
            NodeKind::Leaf(command) => {
                self.leaf(frame, *command, node, wrapped.then_some(rules))?;
                Vec::new()
            }
            NodeKind::Call(callee, reference) => {
                let mut around = None;
                if wrapped {
                    let (scope, enter) = self.open_in(frame, ScopeKind::Group, rules, node.span)?;
                    around = Some(Frame::new(scope, owner, Todo::Steps([].iter()), Order::InTurn, enter));
                }
                let place = around.as_mut().unwrap_or(frame);
                let inner = self.open_call(defs, place, *callee, reference)?;
                around.into_iter().chain([inner]).collect()
            }
            NodeKind::Reduce(list, fan_in, name, step) => {
                let way = FeedWay::Join { fan_in: *fan_in, name: name.clone() };
                let inner = self.open_reduce(frame, list, way, rules, step)?;
                vec![Frame { hooks: Some(&node.hooks), ..inner }]
            }
            NodeKind::Group(group, steps) => {
                let completion = match group {
                    Group::Sequence | Group::Parallel | Group::Pipe => Completion::All,
                    Group::Any => Completion::FirstOk,
                    Group::Race => Completion::First,
                };
                let rules = Rules { completion, ..rules };
                let (scope, enter) = self.open_in(frame, ScopeKind::Group, rules, node.span)?;
                self.layout.scopes[scope.index()].side_by_side = *group == Group::Parallel;
                let order = if *group == Group::Sequence { Order::InTurn } else { Order::SideBySide };
                let inner = Frame::new(scope, owner, Todo::Steps(steps.iter()), order, enter);
                vec![Frame { hooks: Some(&node.hooks), ways: *group == Group::Any, ..inner }]
            }
        })
    }

    /// One of several ways, of which each holds its turn from before what it needs is wanted until it has failed for
    /// good.
    fn branch<'d>(&mut self, frame: &Frame<'d>, node: &'d Node) -> Laid<Frame<'d>> {
        let rules = Rules::plain(node.policy.on_error);
        let (scope, enter) = self.open_in(frame, ScopeKind::Branch, rules, node.span)?;
        let only = Todo::Steps(std::slice::from_ref(node).iter());
        Ok(Frame::new(scope, frame.instance, only, Order::InTurn, enter))
    }

    /// Opens a scope that is a child of this frame.
    pub(super) fn open_in(
        &mut self,
        frame: &Frame<'_>,
        kind: ScopeKind,
        rules: Rules,
        span: Span,
    ) -> Laid<(ScopeId, VertexId)> {
        let scope = self.layout.open(Some(frame.scope), kind, rules, span)?;
        let enter = self.layout.scopes[scope.index()].enter;
        self.arrive(frame, enter);
        Ok((scope, enter))
    }

    /// A child of this frame begins here.
    pub(super) fn arrive(&mut self, frame: &Frame<'_>, head: VertexId) {
        self.layout.edge(frame.tail, head, EdgeKind::Ok);
        self.layout.scopes[frame.scope.index()].children += 1;
    }

    /// The hook that follows a frame, if there is another one.
    pub(super) fn next_hook<'d>(&mut self, frame: &mut Frame<'d>) -> Laid<Option<Frame<'d>>> {
        let Some(hooks) = frame.hooks else { return Ok(None) };
        let laid = &self.layout.scopes[frame.scope.index()];
        let is_laid = |stage: usize| laid.hooks.get(stage).map_or(laid.progress.is_some(), Option::is_some);
        let stage = (0..hooks.stages.len()).find(|stage| !is_laid(*stage) && !hooks.stages[*stage].is_empty());
        let Some(stage) = stage else { return Ok(None) };
        let site = self.layout.scopes[frame.scope.index()].site;
        let rules = Rules { timeout: Some(HOOK_TIMEOUT), is_hook: true, ..Rules::plain(OnError::FailFast) };
        let scope = self.layout.open(Some(frame.scope), ScopeKind::Group, rules, site)?;
        let around = &mut self.layout.scopes[frame.scope.index()];
        match around.hooks.get_mut(stage) {
            Some(place) => *place = Some(scope),
            None => around.progress = Some((scope, hooks.every)),
        }
        let enter = self.layout.scopes[scope.index()].enter;
        // The hook of a set belongs to no instance.
        let owner =
            frame.instance.unwrap_or_else(|| self.stand_in(frame.scope, frame.called.map(|(caller, _)| caller)));
        let hook = Frame::new(scope, Some(owner), Todo::Steps(hooks.stages[stage].iter()), Order::InTurn, enter);
        Ok(Some(Frame { woken: true, ..hook }))
    }

    /// A frame is laid out: its exit stands, and the frame below goes on from there.
    pub(super) fn close(&mut self, frame: Frame<'_>, outer: Option<&mut Frame<'_>>) -> Laid<Vec<InstanceId>> {
        let mut ends = frame.loose;
        if ends.is_empty() {
            ends.push(frame.tail);
        }
        let exit = self.layout.close(frame.scope, &ends)?;
        if let Some((caller, reference)) = frame.called {
            let feed = self.layout.scopes[frame.scope.index()].feed;
            let from = match frame.instance {
                _ if feed.is_some() => Vec::new(),
                Some(instance) if frame.members.is_empty() => vec![instance],
                _ => frame.members.clone(),
            };
            let list = frame.instance.is_none();
            if let Some(feed) = feed {
                let names = reference.takes.iter().map(|take| take.name.value.clone());
                self.layout.feeds[feed.index()].taken.extend(names);
            }
            let this = &self.layout.instances[caller.index()];
            let values = self.cx.scope(this.def, &this.inputs);
            let takes = self.takes(reference, &from, (list, feed), values)?;
            self.layout.instances[caller.index()].takes.extend(takes);
        }
        if let (Some(outer), false) = (outer, frame.woken) {
            match outer.order {
                Order::InTurn => outer.tail = exit,
                Order::SideBySide => outer.loose.push(exit),
            }
        }
        Ok(frame.members)
    }
}

impl<'d> Frame<'d> {
    pub(super) fn new(
        scope: ScopeId,
        instance: Option<InstanceId>,
        todo: Todo<'d>,
        order: Order,
        tail: VertexId,
    ) -> Self {
        Self {
            scope,
            instance,
            todo,
            order,
            tail,
            loose: Vec::new(),
            hooks: None,
            woken: false,
            called: None,
            ways: false,
            batching: None,
            members: Vec::new(),
        }
    }
}
