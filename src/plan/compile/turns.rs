//! Whose turn it is: the tasks that were asked for run in the order in which they were, but for those that come
//! `after` one that was asked for later. Knows nothing of what is in them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::plan::compile::Builder;
use crate::plan::graph::EdgeKind;
use crate::plan::ids::{InstanceId, ScopeId, VertexId};
use crate::plan::units::UnitId;
use crate::xecfile::model::OnError;

/// A task that was asked for.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    /// Its turn has come.
    pub(super) reached: VertexId,
    /// It is over: it has ended, but for a service, whose end nobody could wait for.
    pub(super) over: VertexId,
}

impl Builder<'_, '_> {
    /// Lays turns one after the other, or side by side.
    pub(super) fn draw_turns(
        &mut self,
        run: ScopeId,
        turns: impl Iterator<Item = Turn>,
        on_error: OnError,
        parallel: bool,
    ) {
        let enter = self.layout.scopes[run.index()].enter;
        let in_turn = if on_error == OnError::Continue { EdgeKind::Settled } else { EdgeKind::Ok };
        let mut tail = enter;
        for turn in turns {
            self.layout.edge(tail, turn.reached, if tail == enter { EdgeKind::Ok } else { in_turn });
            if !parallel {
                tail = turn.over;
            }
        }
    }

    /// The order in which they get their turns: as asked for, but each behind those that something in it comes after
    /// (Kahn's algorithm, with a heap for the ties). Where that contradicts itself, the order of the request stands.
    pub(super) fn order(&self, turns: &[Turn], after: &[(InstanceId, UnitId)]) -> Vec<usize> {
        if turns.len() < 2 || after.is_empty() {
            return (0..turns.len()).collect();
        }
        let unit_of = self.unit_of();
        let first = self.first_turns(turns, &unit_of);
        let mut before = vec![0_usize; turns.len()];
        let mut behind: Vec<Vec<usize>> = vec![Vec::new(); turns.len()];
        for (id, other) in after {
            let scope = &self.layout.scopes[self.layout.instances[id.index()].scope.index()];
            let own = unit_of(scope.enter).and_then(|unit| first[unit.0 as usize]);
            match (own, first[other.0 as usize]) {
                (Some(own), Some(other)) if own != other => {
                    behind[other].push(own);
                    before[own] += 1;
                }
                _ => {}
            }
        }
        let mut free: BinaryHeap<_> = (0..turns.len()).filter(|at| before[*at] == 0).map(Reverse).collect();
        let (mut order, mut placed, mut rest) = (Vec::new(), vec![false; turns.len()], 0..turns.len());
        while order.len() < turns.len() {
            let Some(at) = free.pop().map(|Reverse(at)| at).or_else(|| rest.find(|at| !placed[*at])) else { break };
            if std::mem::replace(&mut placed[at], true) {
                continue;
            }
            order.push(at);
            for next in &behind[at] {
                before[*next] -= 1;
                if before[*next] == 0 {
                    free.push(Reverse(*next));
                }
            }
        }
        order
    }

    /// In whose turn each unit comes first, by what is needed from there on.
    fn first_turns(&self, turns: &[Turn], unit_of: impl Fn(VertexId) -> Option<UnitId>) -> Vec<Option<usize>> {
        let places: HashMap<VertexId, usize> = turns.iter().enumerate().map(|(at, turn)| (turn.reached, at)).collect();
        let count = self.units.units.len();
        let (mut asked, mut needs) = (vec![Vec::new(); turns.len()], vec![Vec::new(); count]);
        for demand in &self.demands {
            match (places.get(&demand.gate), unit_of(demand.gate)) {
                (Some(turn), _) => asked[*turn].push(demand.meant.unit),
                (None, Some(unit)) => needs[unit.0 as usize].push(demand.meant.unit),
                (None, None) => {}
            }
        }
        let mut first = vec![None; count];
        for (turn, mut open) in asked.into_iter().enumerate() {
            while let Some(unit) = open.pop() {
                let place = &mut first[unit.0 as usize];
                if place.is_none() {
                    *place = Some(turn);
                    open.append(&mut needs[unit.0 as usize]);
                }
            }
        }
        first
    }

    /// The unit that a vertex lies in, whoever of it needs or calls.
    fn unit_of(&self) -> impl Fn(VertexId) -> Option<UnitId> + use<> {
        let range = |(id, standing): (&UnitId, &super::Standing)| {
            (self.layout.scopes[standing.scope.index()].vertices.clone(), *id)
        };
        let mut ranges: Vec<_> = self.standing.iter().map(range).collect();
        ranges.sort_unstable_by_key(|(range, _)| range.start);
        move |vertex| {
            let at = ranges.partition_point(|(range, _)| range.start <= vertex.0).checked_sub(1)?;
            ranges[at].0.contains(&vertex.0).then_some(ranges[at].1)
        }
    }
}
