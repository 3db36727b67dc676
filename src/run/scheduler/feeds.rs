//! Lanes and what they are fed with. A lane is a scope that its feed wakes for an item; when it has ended, it begins
//! anew with the next one. Which item that is, [`crate::run::feed`] says.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::base::event::{Event, Reason, SkipReason, TaskLabel};
use crate::plan::defs::JOINED;
use crate::plan::graph::{EdgeKind, FeedWay, Plan};
use crate::plan::ids::{FeedId, InstanceId, LeafId, ScopeId, VertexId};
use crate::plan::inputs::with_item;
use crate::plan::values::Value;
use crate::run::feed::{Feed, Item, Next};
use crate::run::phase::{Phase, Trigger};
use crate::run::scheduler::state::Failed;
use crate::run::scheduler::{Action, End, JobEnd, Scheduler, TimerKey};

/// The most that may wait for lanes, in bytes.
pub const WAITING_CAP: usize = 256 * 1024 * 1024;

/// A feed and its lanes.
#[derive(Clone, Debug)]
pub(super) struct FeedState {
    feed: Feed,
    /// Lanes without work, the first one last.
    idle: Vec<ScopeId>,
    working: FxHashMap<ScopeId, Item>,
    /// What the lanes of a `reduce` wrote.
    made: FxHashMap<ScopeId, Arc<str>>,
    /// Its scope was entered.
    begun: bool,
    /// The list is still to come.
    asked: bool,
    /// What feeds it has ended.
    closed: bool,
    /// Its end was told.
    told: bool,
    /// What was never handed out, once that is decided.
    unfed: Option<u64>,
}

impl FeedState {
    pub(super) fn new(plan: &Plan, id: FeedId) -> Self {
        let this = plan.feed(id);
        let feed = match &this.way {
            FeedWay::Axis { chunk, within, rows, .. } => Feed::axis(*chunk, *within, rows.len()),
            FeedWay::Join { fan_in, .. } => Feed::join(*fan_in),
        };
        Self {
            feed,
            idle: this.lanes.iter().rev().copied().collect(),
            working: FxHashMap::default(),
            made: FxHashMap::default(),
            begun: false,
            asked: this.streams.is_empty(),
            closed: false,
            told: false,
            unfed: None,
        }
    }

    /// The same, with what failed to be handed out again.
    pub(super) fn again(&self, plan: &Plan, id: FeedId) -> Self {
        if self.asked {
            return Self::new(plan, id);
        }
        let mut feed = self.feed.clone();
        feed.again();
        Self { feed, asked: false, closed: self.closed, told: self.told, ..Self::new(plan, id) }
    }

    /// How many children its scope has, if that is known.
    pub(super) fn total(&self) -> Option<u32> {
        let total = self.unfed.map(|unfed| unfed + self.feed.handed()).or_else(|| self.feed.total());
        total.map(|total| u32::try_from(total).unwrap_or(u32::MAX))
    }

    pub(super) fn handed(&self) -> u32 {
        u32::try_from(self.feed.handed()).unwrap_or(u32::MAX)
    }
}

impl Scheduler {
    /// Whether a lane has an item: without one it is not in play.
    pub(super) fn is_fed(&self, lane: ScopeId) -> bool {
        self.plan.feed_of_lane(lane).is_some_and(|feed| self.feeds[feed.index()].working.contains_key(&lane))
    }

    /// The scope that is fed was entered.
    pub(super) fn feed_begins(&mut self, feed: FeedId, out: &mut Vec<Action>) {
        self.feeds[feed.index()].begun = true;
        if self.feeds[feed.index()].asked {
            out.push(Action::Feed(feed));
        }
        self.pull(feed, out);
    }

    /// Items have come: all of a list, or some of a stream.
    pub(super) fn items(&mut self, feed: FeedId, items: Vec<Arc<str>>, out: &mut Vec<Action>) {
        let state = &mut self.feeds[feed.index()];
        state.feed.arrive(items, self.now);
        state.asked = false;
        if state.feed.held() > WAITING_CAP {
            return self.unfed(feed, format!("more than {} MiB of items wait", WAITING_CAP >> 20), out);
        }
        self.pull(feed, out);
    }

    /// There is no list to read.
    pub(super) fn unfed(&mut self, feed: FeedId, why: String, out: &mut Vec<Action>) {
        let this = self.plan.feed(feed);
        let (scope, vertex) = (this.scope, this.vertex);
        if self.end[vertex.index()].is_none() {
            self.complaints.insert(self.plan.scope(scope).exit, why.into());
            self.skip(vertex, End::Failed(1), out);
        }
    }

    /// Whoever feeds it has ended: there is no more to come than what has.
    pub(super) fn feed_closes(&mut self, feed: FeedId, out: &mut Vec<Action>) {
        self.feeds[feed.index()].closed = true;
        self.pull(feed, out);
    }

    /// Hands out what there is to lanes that are free; ends when there is nothing more.
    pub(super) fn pull(&mut self, feed: FeedId, out: &mut Vec<Action>) {
        let (scope, vertex) = (self.plan.feed(feed).scope, self.plan.feed(feed).vertex);
        let running = matches!(self.scope_phase(scope), Phase::Running | Phase::Ready);
        if self.end[vertex.index()].is_some() || !self.feeds[feed.index()].begun || !running {
            return;
        }
        let state = &mut self.feeds[feed.index()];
        if state.closed && !state.asked && !state.told {
            state.told = true;
            state.feed.close();
            let items = state.feed.total().unwrap_or_default();
            if let Some(task) = self.set_label(feed) {
                out.push(Action::Emit(Event::Fed { task, items }));
            }
            self.reconsider(scope, out);
            self.tell_progress(scope, out);
        }
        let width = self.lanes_at_once(scope);
        let free = |state: &FeedState| width.is_none_or(|width| state.working.len() < width as usize);
        while let Some(lane) = self.feeds[feed.index()].idle.last().copied() {
            if !free(&self.feeds[feed.index()]) {
                self.narrowed.insert(feed);
                break;
            }
            match self.feeds[feed.index()].feed.next(self.now) {
                Next::Item(item) => {
                    self.feeds[feed.index()].idle.pop();
                    self.give(feed, lane, item, out);
                }
                Next::Later(Some(time)) => {
                    out.push(Action::SetTimer(TimerKey::Feed(feed), time));
                    break;
                }
                Next::Later(None) | Next::Nothing => break,
            }
        }
        let state = &self.feeds[feed.index()];
        if state.told && state.working.is_empty() && state.feed.is_dry() && self.end[vertex.index()].is_none() {
            self.dry(feed, out);
        }
    }

    /// How many lanes may have an item: as many as its own `jobs` and the slots allow now. One with an item that waits
    /// for room while another one takes the next would turn their order round.
    fn lanes_at_once(&self, scope: ScopeId) -> Option<u32> {
        let own = self.plan.scope(scope).child_token.and_then(|token| self.limits.capacity(token));
        own.into_iter().chain(self.slots()).min()
    }

    /// The label of the task whose set is fed; none for a `reduce`.
    fn set_label(&self, feed: FeedId) -> Option<Arc<TaskLabel>> {
        let this = self.plan.feed(feed);
        let of_set = matches!(this.way, FeedWay::Axis { .. });
        of_set.then(|| self.plan.instance(this.instance).label.clone())
    }

    fn dry(&mut self, feed: FeedId, out: &mut Vec<Action>) {
        let plan = self.plan.clone();
        let this = plan.feed(feed);
        if let FeedWay::Join { name, .. } = &this.way
            && self.scopes[this.scope.index()].failed == 0
        {
            let Some(value) = self.feeds[feed.index()].feed.result() else {
                return self.unfed(feed, "there is nothing to reduce: the list is empty".to_owned(), out);
            };
            if let Some(name) = name {
                out.push(Action::Keep(this.instance, name.clone(), this.vertex, Value::Text(value)));
            }
        }
        self.finish(this.vertex, End::Ok);
    }

    /// A lane begins to work on an item.
    fn give(&mut self, feed: FeedId, lane: ScopeId, item: Item, out: &mut Vec<Action>) {
        let plan = self.plan.clone();
        let values = match &plan.feed(feed).way {
            FeedWay::Axis { axis, rows, .. } => {
                let others = rows[item.row].iter().map(|(name, value)| (name.clone(), Value::Text(value.clone())));
                others.chain([(axis.clone(), item.value.clone())]).collect()
            }
            FeedWay::Join { .. } => vec![(Arc::from(JOINED), item.value.clone())],
        };
        let mut label = None;
        if let Some(id) = plan.scope(lane).instance() {
            let usual = &plan.instance(id).label;
            let name = with_item(&usual.instance, &values, item.number).into();
            let new = Arc::new(TaskLabel { instance: name, ..(**usual).clone() });
            self.labels.insert(id, new.clone());
            label = Some((id, new));
        }
        out.push(Action::Give { lane, number: item.number, values, label });
        self.feeds[feed.index()].working.insert(lane, item);
        let enter = plan.scope(lane).enter;
        self.shift(enter, Trigger::Demand);
        self.look(enter);
    }

    /// Why the item of a lane need not run; `None` where it has to.
    pub(super) fn spared_item(&self, lane: ScopeId) -> Option<&SkipReason> {
        if self.plan.spared.is_empty() || !self.plan.scope(lane).is_lane {
            return None;
        }
        let id = self.plan.scope(lane).instance()?;
        self.plan.spared.get(&self.label(id).instance)
    }

    /// What a lane of a `reduce` wrote is its item.
    pub(super) fn lane_made(&mut self, leaf: LeafId, end: &JobEnd) {
        let joins = self.plan.command(leaf).capture.as_ref().is_some_and(|capture| &*capture.name.value == JOINED);
        let Some(text) = end.captures.stdout.as_deref().filter(|_| joins) else { return };
        // That it is UTF-8 was seen to by who kept it.
        let text = String::from_utf8_lossy(text).trim_end_matches(['\n', '\r']).into();
        if let Some((lane, feed)) = self.plan.lane_around(self.plan.leaf(leaf).scope) {
            self.feeds[feed.index()].made.insert(lane, text);
        }
    }

    /// A lane has ended: it is free for the next item, if there is one.
    pub(super) fn lane_ended(&mut self, lane: ScopeId, ok: bool, out: &mut Vec<Action>) {
        let Some(feed) = self.plan.feed_of_lane(lane) else { return };
        let Some(item) = self.feeds[feed.index()].working.remove(&lane) else { return };
        let state = &mut self.feeds[feed.index()];
        let made = state.made.remove(&lane);
        let plan = self.plan.clone();
        let set = plan.feed(feed).scope;
        if ok {
            state.feed.succeeded(&item, made);
        } else if plan.scope(set).retry.is_some() {
            state.feed.failed(item);
        }
        let running = matches!(self.scope_phase(set), Phase::Running | Phase::Ready);
        if self.end[plan.feed(feed).vertex.index()].is_some() || !running {
            return;
        }
        self.remember_failures(feed, lane);
        let range = plan.scope(lane).enter.0..=plan.scope(lane).exit.0;
        let anew: Vec<VertexId> = range.map(VertexId).collect();
        self.reset(&anew);
        self.feeds[feed.index()].idle.push(lane);
        self.pull(feed, out);
    }

    /// Before a lane begins anew: what failed in it is told at the end all the same.
    fn remember_failures(&mut self, feed: FeedId, lane: ScopeId) {
        let exit = self.plan.scope(lane).exit;
        let blame = self.blame_from(vec![(exit, false)]);
        let range = self.plan.scope(lane).vertices.clone();
        let failures = std::mem::take(&mut self.failures);
        for failed in failures {
            let inside = match &failed {
                Failed::Here(vertex) => range.contains(&vertex.0),
                Failed::Gone(inner, _) => range.contains(&self.plan.feed(*inner).vertex.0),
            };
            match failed {
                other if !inside => self.failures.push(other),
                Failed::Here(vertex) if blame.counts(vertex) => {
                    let culprit = self.culprit(vertex);
                    self.failures.extend(culprit.map(|culprit| Failed::Gone(feed, Box::new(culprit))));
                }
                Failed::Gone(inner, culprit) if blame.feeds.contains(&inner) => {
                    self.failures.push(Failed::Gone(feed, culprit));
                }
                _ => {}
            }
        }
    }

    /// A feed has ended; if that was before its time, what it held is dropped.
    pub(super) fn feed_ended(&mut self, feed: FeedId, out: &mut Vec<Action>) {
        let this = self.plan.feed(feed);
        let (scope, vertex) = (this.scope, this.vertex);
        let Some(end) = self.end[vertex.index()].filter(|end| *end != End::Ok) else { return };
        let state = &mut self.feeds[feed.index()];
        let total = if state.asked { None } else { state.feed.total() };
        let left = total.map(|total| total.saturating_sub(state.feed.handed()));
        // Of an open stream nobody knows what would have come: something, since it was not closed.
        let unfed = left.unwrap_or(1);
        state.unfed = Some(unfed);
        self.scopes[scope.index()].dropped += u32::try_from(unfed).unwrap_or(u32::MAX);
        self.counts.skipped += u32::try_from(left.unwrap_or_default()).unwrap_or(u32::MAX);
        if let (Some(task), Some(items @ 1..)) = (self.set_label(feed), left) {
            let reason = match end {
                End::Cancelled(reason) | End::Dropped(reason) => reason,
                _ => Reason::Failed,
            };
            out.push(Action::Emit(Event::Unfed { task, items, reason }));
        }
    }

    /// A scope that never began will write no stream: who would have begun with it is skipped for its sake.
    pub(super) fn tell_streams(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        let plan = self.plan.clone();
        let (enter, exit) = (plan.scope(scope).enter, plan.scope(scope).exit);
        for edge in plan.successors.of(enter).iter().filter(|edge| edge.kind == EdgeKind::Stream) {
            match self.satisfies(exit) {
                true => self.met(edge.other),
                false => self.failed_edge(exit, edge.other, out),
            }
        }
    }

    /// How an instance is shown: a lane by its item.
    pub(super) fn label(&self, id: InstanceId) -> Arc<TaskLabel> {
        self.labels.get(&id).unwrap_or(&self.plan.instance(id).label).clone()
    }

    /// How a leaf is shown.
    pub fn step_label(&self, leaf: LeafId) -> crate::base::event::StepLabel {
        let owner = self.label(self.plan.leaf(leaf).instance);
        crate::base::event::StepLabel { owner, ..self.plan.step_label(leaf) }
    }
}
