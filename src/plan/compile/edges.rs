//! Edges between units, drawn when all of them stand: demands, and the order that `after` asks for.

use std::collections::HashMap;

use crate::plan::compile::Builder;
use crate::plan::graph::{EdgeKind, Link, LinkKind, TakeFrom};
use crate::plan::ids::{InstanceId, TaskDefId};
use crate::plan::units::UnitId;

impl Builder<'_, '_> {
    pub(super) fn draw_demands(&mut self) {
        for demand in std::mem::take(&mut self.demands) {
            let Some(standing) = self.standing.get(&demand.meant.unit) else { continue };
            let (head, exit) = (self.layout.head(standing.scope), self.layout.scopes[standing.scope.index()].exit);
            self.layout.edge(demand.gate, head, EdgeKind::Demand);
            let members: Vec<InstanceId> = match &demand.meant.rows {
                None => {
                    self.layout.edge(exit, demand.then, EdgeKind::Ok);
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
            self.layout.links.extend(members.iter().map(|to| Link { from: demand.from, to: *to, kind }));
            let list = !standing.members.contains_key(&None);
            if let Some(from) = demand.from {
                let takes =
                    demand.takes.into_iter().map(|(name, here)| TakeFrom { here, name, from: members.clone(), list });
                self.layout.instances[from.index()].takes.extend(takes);
            }
        }
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
            let links = standing.members.values().map(|to| Link { from: Some(id), to: *to, kind: LinkKind::After });
            self.layout.links.extend(links);
        }
    }
}
