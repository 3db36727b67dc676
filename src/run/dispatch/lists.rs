//! What lanes are fed with: a list that is there, or what a step writes. What becomes of it, the scheduler knows.

use std::sync::Arc;

use crate::base::event::JobId;
use crate::plan::ids::FeedId;
use crate::plan::values::Value;
use crate::run::dispatch::Loop;
use crate::run::scheduler::Input;

impl Loop {
    /// What a step wrote, for the lanes that wait for it. What is no UTF-8 the step fails for, at its end.
    pub(super) fn stream(&mut self, job: JobId, lines: &[Vec<u8>]) {
        let Some(leaf) = self.leaves.get(&job).copied() else { return };
        let texts = lines.iter().filter_map(|line| std::str::from_utf8(line).ok()).map(Arc::from);
        let items: Vec<Arc<str>> = texts.collect();
        let plan = self.plan.clone();
        for feed in plan.fed_by(leaf) {
            self.feed(Input::Items(feed, items.clone()));
        }
    }

    /// Makes the list that lanes are fed with.
    pub(super) fn list(&mut self, feed: FeedId) {
        let plan = self.plan.clone();
        let this = plan.feed(feed);
        if plan.instance_of(this.scope) == Some(this.instance) {
            self.open(this.instance);
        }
        let list = match self.store.scope(&plan, &self.around, this.instance).text(&this.list) {
            Ok(Some(Value::List(items))) => Ok(items.to_vec()),
            Ok(_) => Err("what should be a list is a text: keep it by `capture … as=lines`, or `as=json`".to_owned()),
            Err(name) => Err(format!("`{name}` has no value here")),
        };
        self.feed(match list {
            Ok(items) => Input::Items(feed, items),
            Err(why) => Input::Unfed(feed, why),
        });
    }
}
