//! Services reach further than other needs: a task that needs another one which needs a service keeps that service up
//! too. Here those edges are found.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::plan::compile::{Builder, Demand};
use crate::plan::graph::EdgeKind;
use crate::plan::ids::{InstanceId, ScopeId, VertexId};
use crate::plan::units::UnitId;

impl Builder<'_, '_> {
    /// Whether a unit is a service.
    pub(super) fn is_service(&self, unit: UnitId) -> bool {
        self.standing.get(&unit).is_some_and(|standing| self.layout.scopes[standing.scope.index()].ready.is_some())
    }

    /// Draws the edges from whoever reaches a service by way of others.
    pub(super) fn draw_services(&mut self, demands: &[Demand]) {
        if !self.layout.scopes.iter().any(|scope| scope.ready.is_some()) {
            return;
        }
        let reached = self.services_of(demands);
        let direct: FxHashSet<(VertexId, UnitId)> =
            demands.iter().map(|demand| (demand.gate, demand.meant.unit)).collect();
        let mut drawn: FxHashSet<(VertexId, UnitId)> = FxHashSet::default();
        for demand in demands.iter().filter(|demand| demand.from.is_some()) {
            for service in reached.get(&demand.meant.unit).into_iter().flatten() {
                let edge = (demand.gate, *service);
                let Some(standing) = self.standing.get(service).filter(|_| !direct.contains(&edge)) else { continue };
                if drawn.insert(edge) {
                    let (head, exit) =
                        (self.layout.head(standing.scope), self.layout.scopes[standing.scope.index()].exit);
                    self.layout.edge(demand.gate, head, EdgeKind::Demand);
                    self.layout.edge(exit, demand.then, EdgeKind::Ready);
                }
            }
        }
    }

    /// For each unit, the services that it reaches through what it needs, itself not among them (a depth-first walk
    /// with a stack of its own: there are no cycles, which was checked).
    fn services_of(&self, demands: &[Demand]) -> FxHashMap<UnitId, BTreeSet<UnitId>> {
        let mut unit_of: FxHashMap<InstanceId, UnitId> = FxHashMap::default();
        let mut of_scope: FxHashMap<ScopeId, UnitId> = FxHashMap::default();
        for (unit, standing) in &self.standing {
            unit_of.extend(standing.members.values().map(|id| (*id, *unit)));
            of_scope.insert(standing.scope, *unit);
        }
        // What a late set needs, the one needs that stands for it.
        let unit = |from: InstanceId| {
            unit_of.get(&from).or_else(|| of_scope.get(&self.layout.instances[from.index()].scope)).copied()
        };
        let mut needs: FxHashMap<UnitId, Vec<UnitId>> = FxHashMap::default();
        for demand in demands {
            if let Some(unit) = demand.from.and_then(unit) {
                needs.entry(unit).or_default().push(demand.meant.unit);
            }
        }
        let mut reached: FxHashMap<UnitId, BTreeSet<UnitId>> = FxHashMap::default();
        let mut open: Vec<(UnitId, bool)> = self.standing.keys().map(|unit| (*unit, false)).collect();
        while let Some((unit, seen)) = open.pop() {
            if reached.contains_key(&unit) {
                continue;
            }
            let inner = needs.get(&unit).map_or(&[][..], |units| units);
            if !seen && inner.iter().any(|unit| !reached.contains_key(unit)) {
                open.push((unit, true));
                open.extend(inner.iter().map(|unit| (*unit, false)));
                continue;
            }
            let own = inner.iter().copied().filter(|unit| self.is_service(*unit));
            let further = inner.iter().filter_map(|unit| reached.get(unit)).flatten().copied();
            let all: BTreeSet<UnitId> = own.chain(further).collect();
            reached.insert(unit, all);
        }
        reached
    }
}
