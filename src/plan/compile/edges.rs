//! Edges between units, drawn when all of them stand: demands, and the order that `after` asks for.

use std::collections::HashMap;
use std::sync::Arc;

use crate::plan::compile::{Builder, Demand};
use crate::plan::defs::Conditions;
use crate::plan::graph::{EdgeKind, Guard, Link, LinkKind, TakeFrom, Vertex};
use crate::plan::ids::{InstanceId, LeafId, ScopeId, TaskDefId};
use crate::plan::units::UnitId;
use crate::xecfile::model::CaptureForm;

/// Steps that capture a stream.
type Streams = HashMap<(InstanceId, Arc<str>), Vec<LeafId>>;

impl Builder<'_, '_> {
    pub(super) fn draw_demands(&mut self) {
        let demands = std::mem::take(&mut self.demands);
        self.draw_services(&demands);
        let streams = self.streams();
        for demand in demands {
            let streamed = demand.meant.rows.is_none() && self.draw_stream(&demand, &streams).is_some();
            let Some(standing) = self.standing.get(&demand.meant.unit) else { continue };
            let (head, exit) = (self.layout.head(standing.scope), self.layout.scopes[standing.scope.index()].exit);
            self.layout.edge(demand.gate, head, EdgeKind::Demand);
            let members: Vec<InstanceId> = match &demand.meant.rows {
                None => {
                    // Who needs a service uses it while it runs; who asks for it wants to see it end.
                    let used = self.is_service(demand.meant.unit) && demand.from.is_some();
                    if !streamed {
                        self.layout.edge(exit, demand.then, if used { EdgeKind::Ready } else { EdgeKind::Ok });
                    }
                    let mut all: Vec<(Option<usize>, InstanceId)> =
                        standing.members.iter().map(|(place, id)| (*place, *id)).collect();
                    all.sort_unstable();
                    all.into_iter().map(|(_, id)| id).collect()
                }
                Some(rows) => {
                    let members: Vec<InstanceId> =
                        rows.iter().filter_map(|row| standing.members.get(&Some(*row)).copied()).collect();
                    for member in &members {
                        let scope = self.layout.instances[member.index()].scope;
                        let exit = self.layout.scopes[scope.index()].exit;
                        self.layout.edge(exit, demand.then, EdgeKind::Ok);
                    }
                    members
                }
            };
            let kind = if demand.from.is_some() { LinkKind::Needs } else { LinkKind::Requested };
            let from = demand.from.map(|from| self.shown(from));
            let lane = self.first_lane(standing.scope);
            self.layout.links.extend(members.iter().chain(&lane).map(|to| Link { from, to: *to, kind }));
            let list = !standing.members.contains_key(&None);
            if let Some(from) = demand.from {
                let feed = self.layout.scopes[standing.scope.index()].feed;
                if let Some(feed) = feed {
                    let names = demand.takes.iter().map(|take| take.name.clone());
                    self.layout.feeds[feed.index()].taken.extend(names);
                }
                let takes = demand.takes.into_iter().map(|take| TakeFrom { from: members.clone(), list, feed, ..take });
                let takes: Vec<TakeFrom> = takes.collect();
                // What is streamed comes only when it has begun.
                if !streamed && takes.iter().any(|take| self.may_lack(take)) {
                    self.ask_first(from);
                }
                self.layout.instances[from.index()].takes.extend(takes);
            }
        }
    }

    /// Whether a value that is taken may not be there though whom it is taken from did not fail: he, or the step that
    /// makes it, may have been skipped, or may fail without harm.
    fn may_lack(&mut self, take: &TakeFrom) -> bool {
        let ([from], None, false) = (&take.from[..], &take.default, take.list) else { return false };
        if let Some(known) = self.sure.get(&(*from, take.name.clone())) {
            return !known;
        }
        let sure = self.is_sure(*from, &take.name);
        self.sure.insert((*from, take.name.clone()), sure);
        !sure
    }

    fn is_sure(&self, from: InstanceId, name: &str) -> bool {
        let layout = &self.layout;
        let instance = &layout.instances[from.index()];
        if instance.inputs.iter().any(|(axis, _)| **axis == *name) {
            return true;
        }
        let makes = |vertex: u32| match layout.vertices[vertex as usize] {
            Vertex::Leaf(leaf) => {
                let leaf = &layout.leaves[leaf.index()];
                let command = &self.cx.defs.commands[leaf.command.index()];
                let mut names = command.capture.iter().map(|capture| &capture.name).chain(&command.status);
                (leaf.instance == from && names.any(|given| *given.value == *name)).then_some(leaf.scope)
            }
            _ => None,
        };
        let always = |scope: ScopeId| {
            let own = layout.outward(scope).map(|id| &layout.scopes[id.index()]);
            own.take_while(|scope| scope.vertices.start >= layout.scopes[instance.scope.index()].vertices.start)
                .all(|scope| matches!(scope.guard, Guard::Always) && !scope.optional)
        };
        layout.scopes[instance.scope.index()].vertices.clone().filter_map(makes).any(always)
    }

    /// Whether an instance has to run is asked just before it.
    pub(super) fn ask_first(&mut self, id: InstanceId) {
        let instance = &self.layout.instances[id.index()];
        let guard = &mut self.layout.scopes[instance.scope.index()].guard;
        if matches!(guard, Guard::Always) {
            let place = self.cx.def(instance.def).conditions.place.clone();
            *guard = Guard::Ask(Conditions { all: Arc::from([]), place });
        }
    }

    /// The steps that capture a stream, by whose they are and what it is called.
    fn streams(&self) -> Streams {
        let mut streams = Streams::new();
        for (at, leaf) in self.layout.leaves.iter().enumerate() {
            let capture = self.cx.defs.commands[leaf.command.index()].capture.as_ref();
            if let Some(capture) = capture.filter(|capture| capture.form == CaptureForm::Stream) {
                streams.entry((leaf.instance, capture.name.value.clone())).or_default().push(LeafId(at as u32));
            }
        }
        streams
    }

    /// A late set that takes a stream begins with who writes it, and its feed ends with that.
    fn draw_stream(&mut self, demand: &Demand, streams: &Streams) -> Option<()> {
        let feed = self.layout.feed_of(demand.from?)?;
        let list = self.layout.feeds[feed.index()].list.value.bare_hole()?;
        let name = &demand.takes.iter().find(|take| take.here == *list)?.name;
        let standing = self.standing.get(&demand.meant.unit)?;
        let of = |member: &InstanceId| streams.get(&(*member, name.clone()));
        let writers: Vec<&Vec<LeafId>> = standing.members.values().map(of).collect::<Option<_>>()?;
        let producer = &self.layout.scopes[standing.scope.index()];
        let (enter, exit, vertex) = (producer.enter, producer.exit, self.layout.feeds[feed.index()].vertex);
        if writers.is_empty() {
            return None;
        }
        self.layout.feeds[feed.index()].streams = writers.into_iter().flatten().copied().collect();
        self.layout.edge(enter, demand.then, EdgeKind::Stream);
        self.layout.edge(exit, vertex, EdgeKind::Ok);
        Some(())
    }

    /// Which instances come after which units, of those that are in the run.
    pub(super) fn after(&self) -> Vec<(InstanceId, UnitId)> {
        let mut shared: HashMap<TaskDefId, Vec<UnitId>> = HashMap::new();
        for (id, unit) in self.units.units.iter().enumerate() {
            shared.entry(unit.task).or_default().push(UnitId(id as u32));
        }
        let mut after = Vec::new();
        for (at, instance) in self.layout.instances.iter().enumerate() {
            if self.layout.scopes[instance.scope.index()].gate.is_none() {
                continue;
            }
            let others = self.cx.def(instance.def).after.iter().filter_map(|other| shared.get(other)).flatten();
            after.extend(others.map(|unit| (InstanceId(at as u32), *unit)));
        }
        after
    }

    pub(super) fn draw_after(&mut self, after: Vec<(InstanceId, UnitId)>) {
        for (id, unit) in after {
            let Some(standing) = self.standing.get(&unit) else { continue };
            let scope = self.layout.instances[id.index()].scope;
            let enter = self.layout.scopes[scope.index()].enter;
            let exit = self.layout.scopes[standing.scope.index()].exit;
            self.layout.edge(exit, enter, EdgeKind::Order);
            let from = Some(self.shown(id));
            let lane = self.first_lane(standing.scope);
            let links = standing.members.values().chain(&lane).map(|to| Link { from, to: *to, kind: LinkKind::After });
            self.layout.links.extend(links);
        }
    }
}
