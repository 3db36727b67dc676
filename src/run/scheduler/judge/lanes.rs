//! The judge of lanes: each item once, enough of them well; what a lane did for one item is no matter of the next.

use proptest::prelude::*;

use super::Judge;
use crate::plan::graph::Guard;
use crate::plan::ids::{FeedId, ScopeId, VertexId};
use crate::run::scheduler::{Action, Closing};

impl Judge<'_> {
    /// Every item of a feed was handed out, and enough of them are well.
    pub(super) fn fed_well(&self, feed: FeedId) -> bool {
        let Some(total) = self.totals.get(&feed) else { return false };
        let this = self.plan.feed(feed);
        // All lanes are alike.
        let lane = self.plan.scope(this.lanes[0]);
        let good = |end: &Option<bool>| end.is_some_and(|ok| ok || lane.optional);
        let good = self.items.iter().filter(|((of, _), end)| *of == feed && good(end)).count();
        good as u32 >= self.plan.scope(this.scope).require.of(*total as u32)
    }

    /// There is no list, or too many of its items have failed already.
    pub(super) fn fed_badly(&self, feed: FeedId) -> bool {
        let Some(total) = self.totals.get(&feed).map(|total| *total as u32) else { return true };
        let this = self.plan.feed(feed);
        let excused = self.plan.scope(this.lanes[0]).optional;
        let bad = self.items.iter().filter(|((of, _), end)| *of == feed && **end == Some(false) && !excused).count();
        total.saturating_sub(bad as u32) < self.plan.scope(this.scope).require.of(total)
    }

    /// First of all what instances and lanes are done with, and begin with.
    pub(in crate::run::scheduler) fn items_over(&mut self, actions: &[Action]) -> Result<(), TestCaseError> {
        self.renewed.clear();
        for action in actions {
            match action {
                Action::Open(instance) => prop_assert!(self.open.insert(*instance), "it is opened once an attempt"),
                Action::Close(instance, closing) => {
                    prop_assert!(self.open.remove(instance), "what is closed was open");
                    let scope = self.plan.instance(*instance).scope;
                    let passed = matches!(self.plan.scope(scope).guard, Guard::Ask(_)) && scope.0.is_multiple_of(3);
                    if let Some(item) = self.lanes.get(&scope) {
                        self.items.insert(*item, Some(*closing == Closing::Well || passed));
                    }
                }
                Action::Give { lane, number, .. } => {
                    self.renewed.insert(self.plan.scope(*lane).enter);
                    self.give(*lane, *number);
                }
                Action::Forget(anew) => drop(self.renewed.insert(VertexId(anew.start))),
                _ => {}
            }
        }
        Ok(())
    }

    /// A list is read anew: what became of the items of the last one is no matter of this one.
    pub(in crate::run::scheduler) fn begins_list(&mut self, feed: FeedId) {
        self.totals.remove(&feed);
        self.items.retain(|(of, _), _| *of != feed);
    }

    /// A lane begins with an item: what it did before is done with.
    fn give(&mut self, lane: ScopeId, number: u64) {
        let feed = self.plan.scope(lane).parent.and_then(|set| self.plan.scope(set).feed).expect("lanes are fed");
        self.lanes.insert(lane, (feed, number));
        self.items.insert((feed, number), None);
        let range = &self.plan.scope(lane).vertices;
        let inside = |scope: &ScopeId| range.contains(&self.plan.scope(*scope).enter.0);
        self.result.retain(|leaf, _| !range.contains(&self.plan.leaf(*leaf).vertex.0));
        self.late.retain(|scope, _| !inside(scope));
        for scopes in [&mut self.ended, &mut self.passed, &mut self.begun] {
            scopes.retain(|scope| !inside(scope));
        }
        self.decided.retain(|scope, _| !inside(scope));
    }
}
