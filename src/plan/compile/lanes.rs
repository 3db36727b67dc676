//! Sets whose instances come late, and `reduce`: as many lanes as may work at once, and the feed that wakes them. What
//! is in a lane is left to its frame.

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::plan::compile::Builder;
use crate::plan::compile::frames::{Frame, LaneKind, Order, Todo};
use crate::plan::compile::instance::memory;
use crate::plan::defs::{Defs, Node};
use crate::plan::graph::{EdgeKind, Feed, FeedWay, Guard, Instance, Limit, Link, LinkKind, Memory, ScopeKind, Vertex};
use crate::plan::ids::{FeedId, InstanceId, LimitId, ScopeId, TaskDefId, VertexId};
use crate::plan::layout::{Laid, Rules};
use crate::plan::values::Inputs;

/// So many lanes where nothing says how many may work at once, and never more than the second one.
const LANES: (u32, u32) = (256, 1024);

impl Builder<'_, '_> {
    /// Opens the set of a task whose instances come late; `None` if it is another one, or has not to run.
    pub(super) fn open_late<'d>(
        &mut self,
        defs: &'d Defs,
        parent: ScopeId,
        task: TaskDefId,
        inputs: &Inputs,
        caller: Option<InstanceId>,
        shared: bool,
    ) -> Laid<Option<Frame<'d>>> {
        let def = &defs.tasks[task.index()];
        let written = self.cx.task(task);
        let Some(matrix) = &written.matrix else { return Ok(None) };
        let Some((axis, from)) = matrix.late() else { return Ok(None) };
        let lane_inputs = self.cx.lane_inputs(task, inputs);
        if let Guard::Never(_) = self.guard(&def.conditions, self.cx.scope(task, &lane_inputs))? {
            return Ok(None);
        }
        if memory(&written.files, def.asks_changed) != Memory::None {
            let message = format!("what `{}` reads and makes cannot be remembered", written.name.value);
            let problem =
                Problem::error(Code::NotYet, message).at(axis.span, "its instances are known only when it runs");
            let help = "take `inputs`, `outputs`, `cache` and `changed` off; what makes the list may have them";
            return Err(Box::new(problem.at(written.name.span, "").help(help)));
        }
        if let Some((on, _)) = matrix.on() {
            let message = "instances that come late cannot be on each of several hosts yet";
            let problem = Problem::error(Code::NotYet, message).at(axis.span, "they come from here").at(on.span, "");
            return Err(Box::new(problem.help("put each on one of them: on … pick=least-loaded, in the task")));
        }
        let rows = self.cx.combinations(task, inputs, matrix)?;
        let rules = Rules { shared, ..self.settle(&def.set_policy, self.cx.scope(task, inputs))? };
        let jobs = if def.set_policy.jobs.is_none() { self.fleet_jobs(task, inputs) } else { rules.jobs };
        let rules = Rules { jobs, ..rules };
        let waits = !written.needs.is_empty() || !def.after.is_empty();
        let gate = if waits { Some(self.gate(parent, &rules, def.span)?) } else { None };
        let lanes = self.lanes(&rules);
        let scope = self.layout.open(Some(parent), ScopeKind::Group, rules, def.span)?;
        self.sets.insert(scope, (task, inputs.clone()));
        let set = self.stand_in(scope, caller);
        if self.is_held(set) {
            self.ask_first(set);
        }
        if let Some(gate) = gate {
            self.draw_needs(gate, scope, set, (task, &lane_inputs))?;
        }
        let way = FeedWay::Axis { axis: axis.name.value.clone(), chunk: from.chunk, within: from.within, rows };
        let (feed, vertex) = self.open_feed(scope, set, from.list.clone(), way)?;
        let todo = Todo::Lanes(feed, LaneKind::Task(task, lane_inputs), lanes);
        let mut frame = Frame::new(scope, None, todo, Order::SideBySide, vertex);
        frame.loose.push(vertex);
        Ok(Some(Frame { hooks: Some(&def.set_hooks), ..frame }))
    }

    /// Opens a `reduce`: its lanes make one item of several.
    pub(super) fn open_reduce<'d>(
        &mut self,
        frame: &Frame<'d>,
        list: &Spanned<Template>,
        way: FeedWay,
        rules: Rules,
        step: &'d Node,
    ) -> Laid<Frame<'d>> {
        let owner = self.owner(frame);
        let lanes = self.lanes(&rules);
        let (scope, _) = self.open_in(frame, ScopeKind::Group, rules, step.span)?;
        let (feed, vertex) = self.open_feed(scope, owner, list.clone(), way)?;
        let todo = Todo::Lanes(feed, LaneKind::Step(step), lanes);
        let mut inner = Frame::new(scope, Some(owner), todo, Order::SideBySide, vertex);
        inner.loose.push(vertex);
        Ok(inner)
    }

    /// The lane that stands for all of a late set where it is shown.
    pub(super) fn first_lane(&self, scope: ScopeId) -> Option<InstanceId> {
        let feed = self.layout.scopes[scope.index()].feed?;
        let lane = self.layout.feeds[feed.index()].lanes.first()?;
        self.layout.scopes[lane.index()].instance()
    }

    /// Who is shown for an instance that stands for a late set.
    pub(super) fn shown(&self, id: InstanceId) -> InstanceId {
        let instance = &self.layout.instances[id.index()];
        self.first_lane(instance.scope).filter(|_| instance.hidden).unwrap_or(id)
    }

    fn lanes(&self, rules: &Rules) -> u32 {
        let most_of = |limit: &Limit| limit.adapts.map_or(limit.count, |range| Some(range.max));
        let slots = self.layout.limits.get(LimitId::SLOTS.index()).and_then(most_of);
        // A lane that waits for a slot while another one goes on to the next item would turn their order round.
        let most = slots.unwrap_or(LANES.0);
        rules.jobs.as_ref().and_then(most_of).unwrap_or(most).min(most).clamp(1, LANES.1)
    }

    /// The feed of a scope that was just opened.
    fn open_feed(
        &mut self,
        scope: ScopeId,
        instance: InstanceId,
        list: Spanned<Template>,
        way: FeedWay,
    ) -> Laid<(FeedId, VertexId)> {
        let feed = FeedId(self.layout.feeds.len() as u32);
        let (enter, site) = (self.layout.scopes[scope.index()].enter, self.layout.scopes[scope.index()].site);
        let vertex = self.layout.vertex(Vertex::Feed(feed), scope, 0, site)?;
        self.layout.edge(enter, vertex, EdgeKind::Ok);
        self.layout.scopes[scope.index()].feed = Some(feed);
        self.layout.scopes[scope.index()].side_by_side = true;
        let (streams, lanes, taken) = (Vec::new(), Vec::new(), Vec::new());
        self.layout.feeds.push(Feed { scope, vertex, instance, list, streams, way, lanes, taken });
        Ok((feed, vertex))
    }

    /// One more lane. It hangs on nothing: its feed wakes it.
    pub(super) fn lane<'d>(
        &mut self,
        defs: &'d Defs,
        frame: &mut Frame<'d>,
        feed: FeedId,
        kind: &LaneKind<'d>,
    ) -> Laid<Frame<'d>> {
        let first = self.layout.feeds[feed.index()].lanes.is_empty();
        let inner = match kind {
            LaneKind::Task(task, inputs) => {
                let set = self.layout.feeds[feed.index()].instance;
                let inner = self.open_lane(defs, frame.scope, *task, inputs, set)?;
                if let Some(instance) = inner.instance {
                    self.layout.instances[instance.index()].hidden = !first;
                    if let (Some(caller), true) = (self.layout.instances[set.index()].caller, first) {
                        self.layout.links.push(Link { from: Some(caller), to: instance, kind: LinkKind::Calls });
                    }
                }
                inner
            }
            LaneKind::Step(node) => {
                let rules = Rules::plain(node.policy.on_error);
                let scope = self.layout.open(Some(frame.scope), ScopeKind::Group, rules, node.span)?;
                let enter = self.layout.scopes[scope.index()].enter;
                let steps = std::slice::from_ref(*node).iter();
                Frame::new(scope, frame.instance, Todo::Steps(steps), Order::InTurn, enter)
            }
        };
        self.layout.scopes[inner.scope.index()].is_lane = true;
        self.layout.feeds[feed.index()].lanes.push(inner.scope);
        let enter = self.layout.scopes[inner.scope.index()].enter;
        self.layout.edge(frame.tail, enter, EdgeKind::Fed);
        Ok(Frame { woken: true, ..inner })
    }

    /// An instance that works on one item after the other. What its set needs, it needs not anew.
    fn open_lane<'d>(
        &mut self,
        defs: &'d Defs,
        parent: ScopeId,
        task: TaskDefId,
        inputs: &Inputs,
        set: InstanceId,
    ) -> Laid<Frame<'d>> {
        let def = &defs.tasks[task.index()];
        let values = self.cx.scope(task, inputs);
        let guard = self.guard(&def.conditions, values)?;
        let rules = Rules { guard, ..self.settle(&def.policy, values)? };
        let rules = Rules { place: self.place_of_task(task, inputs)?, ..rules };
        let id = InstanceId(self.layout.instances.len() as u32);
        let scope = self.layout.open(Some(parent), ScopeKind::Instance(id), rules, def.span)?;
        let enter = self.layout.scopes[scope.index()].enter;
        let label = self.cx.label(task, inputs);
        let lane = Instance { set: Some(set), ..Instance::new(scope, task, label, inputs.clone()) };
        self.layout.instances.push(lane);
        let frame = Frame::new(scope, Some(id), Todo::Steps(def.body.iter()), Order::InTurn, enter);
        Ok(Frame { hooks: Some(&def.hooks), ..frame })
    }
}
