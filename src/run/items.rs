//! What lanes work on, and what of it others take. The values of an item are there as long as its lane works on it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::base::event::TaskLabel;
use crate::plan::defs::JOINED;
use crate::plan::graph::Plan;
use crate::plan::ids::{FeedId, InstanceId, ScopeId};
use crate::plan::values::Value;

/// The most that is kept of the items of a run for others, in bytes.
pub const TAKEN_CAP: usize = 256 * 1024 * 1024;

/// By name.
type Named = Vec<(Arc<str>, Value)>;

/// The items of a run.
#[derive(Debug, Default)]
pub struct Items {
    now: HashMap<ScopeId, (u64, Named)>,
    labels: HashMap<InstanceId, Arc<TaskLabel>>,
    taken: HashMap<(FeedId, Arc<str>), BTreeMap<u64, Value>>,
    held: usize,
}

impl Items {
    /// A lane begins to work on an item.
    pub fn give(&mut self, lane: ScopeId, number: u64, values: Named, label: Option<(InstanceId, Arc<TaskLabel>)>) {
        self.now.insert(lane, (number, values));
        self.labels.extend(label);
    }

    /// An instance is called so from now on.
    pub fn rename(&mut self, label: Option<(InstanceId, Arc<TaskLabel>)>) {
        self.labels.extend(label);
    }

    /// How an instance is shown.
    pub fn label<'i>(&'i self, plan: &'i Plan, id: InstanceId) -> &'i Arc<TaskLabel> {
        self.labels.get(&id).unwrap_or(&plan.instance(id).label)
    }

    /// A value of the item that a lane works on.
    pub fn get(&self, lane: ScopeId, name: &str) -> Option<&Value> {
        let (_, values) = self.now.get(&lane)?;
        values.iter().find(|(given, _)| **given == *name).map(|(_, value)| value)
    }

    /// Which values of an instance are taken item by item.
    pub fn wanted(plan: &Plan, id: InstanceId) -> &[Arc<str>] {
        plan.feed_of_lane(plan.instance(id).scope).map_or(&[], |feed| &plan.feed(feed).taken)
    }

    /// The lane of an instance succeeded: what others take of its item is kept.
    ///
    /// # Errors
    /// That is more than [`TAKEN_CAP`].
    pub fn keep(&mut self, plan: &Plan, id: InstanceId, found: Named) -> Result<(), String> {
        let Some(feed) = plan.feed_of_lane(plan.instance(id).scope) else { return Ok(()) };
        let Some((number, _)) = self.now.get(&plan.instance(id).scope) else { return Ok(()) };
        for (name, value) in found {
            self.held += value.items().iter().map(|item| item.len()).sum::<usize>();
            if self.held > TAKEN_CAP {
                return Err(format!("more than {} MiB are taken from items as `{name}`", TAKEN_CAP >> 20));
            }
            self.taken.entry((feed, name)).or_default().insert(*number, value);
        }
        Ok(())
    }

    /// All values of a name, in the order of the items.
    pub fn taken(&self, feed: FeedId, name: &Arc<str>) -> Value {
        let all = self.taken.get(&(feed, name.clone()));
        Value::List(all.into_iter().flat_map(BTreeMap::values).flat_map(|value| value.items()).collect())
    }

    /// The items that are joined in the lane that a scope lies in.
    pub fn joined(&self, plan: &Plan, scope: ScopeId) -> Option<&Value> {
        let (lane, _) = plan.lane_around(scope)?;
        self.get(lane, JOINED)
    }
}
