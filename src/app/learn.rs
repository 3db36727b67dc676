//! What a run learns from earlier ones, and leaves to later ones: how long its commands take.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::cache::durations::Durations;
use crate::plan::Plan;
use crate::plan::ids::{LeafId, LimitId};
use crate::run::dispatch::Ending;

/// A run that takes less has no order to be learned.
const WORTH_LEARNING: Duration = Duration::from_secs(1);

/// Orders a plan by what earlier runs took.
pub(super) fn order(plan: Plan, place: &Path) -> Plan {
    let durations = Durations::load(place);
    if durations.is_empty() {
        return plan;
    }
    plan.learn(|plan, leaf| {
        let (label, text) = named(plan, leaf);
        durations.of(label, text)
    })
}

/// By what a command is known from run to run.
fn named(plan: &Plan, leaf: LeafId) -> (&str, &str) {
    (&plan.instance(plan.leaf(leaf).instance).label.instance, &plan.command(leaf).text)
}

/// Remembers what this run took, where it can matter to the next one: there was more to do than could be done at
/// once, for some time; or there is a state anyway.
pub(super) fn keep(plan: &Plan, ending: &Ending, place: &Path) -> io::Result<()> {
    let slots = plan.limits[LimitId::SLOTS.index()].count;
    let waited = slots.is_some_and(|slots| ending.took.len() > slots as usize) && ending.at >= WORTH_LEARNING;
    if ending.took.is_empty() || !(waited || place.join("state").exists()) {
        return Ok(());
    }
    let mut durations = Durations::load(place);
    for (leaf, took) in &ending.took {
        let (label, text) = named(plan, *leaf);
        durations.add(label, text, *took);
    }
    durations.save(place)
}
