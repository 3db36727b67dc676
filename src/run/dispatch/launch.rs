//! A job from its leaf to its beginning, and what it leaves when it is over.

use std::sync::Arc;

use crate::base::event::{JobId, StepLabel, Waits};
use crate::plan::defs::Work;
use crate::plan::ids::LeafId;
use crate::run::command;
use crate::run::copies;
use crate::run::dispatch::Loop;
use crate::run::job::{self, Doing, Job};
use crate::run::questions::{Start, Waiter};
use crate::run::sampling::Sampling;
use crate::run::scheduler::JobEnd;

impl Loop {
    /// Starts a job, once every `let` that it names has its value.
    pub(super) fn start(&mut self, id: JobId, leaf: LeafId, attempt: u32, waits: Waits) {
        self.mailboxes.entry(id).or_default();
        let start = Start { id, leaf, attempt, waits };
        let instance = self.plan.leaf(leaf).instance;
        if !self.asks || !self.wait_for_let(instance, &self.plan.command(leaf).value_names(), Waiter::Job(start)) {
            self.store.make_inputs(&self.plan, &self.around, instance);
            self.begin(start);
        }
    }

    pub(super) fn begin(&mut self, start: Start) {
        let Start { id, leaf, attempt, .. } = start;
        self.leaves.insert(id, leaf);
        let plan = self.plan.clone();
        if let Work::Until(ready) = &plan.command(leaf).work {
            return self.begin_wait(start, ready);
        }
        let step = Arc::new(self.scheduler.step_label(leaf));
        let hook = self.scheduler.hook_values(leaf, &|job| self.output.last_errors(job));
        if let Some(filled) = copies::filled(&plan, leaf, &self.around, &self.store, &hook) {
            let work = filled.map(|filled| self.copy(filled, &plan.command(leaf).place));
            return self.launch(start, step, work);
        }
        let mut specs = command::specs(&self.plan, leaf, attempt, &self.around, &self.store, &hook);
        let elsewhere = self.store.host_of(&plan, plan.leaf(leaf).scope).is_some() || !plan.parts_of(leaf).is_empty();
        if let (Ok(specs), false, false) = (&mut specs, elsewhere, plan.command(leaf).session) {
            let flags = self.around.variable("MAKEFLAGS").unwrap_or_default();
            self.locks.share(id, &self.plan.command(leaf).text, &flags, specs);
        }
        let work = specs.and_then(|specs| self.members(leaf, specs)).map(Doing::Commands);
        self.launch(start, step, work);
    }

    fn launch(&mut self, start: Start, step: Arc<StepLabel>, work: Result<Doing, String>) {
        let Start { id, leaf, attempt, waits } = start;
        let (work, before) = match self.before(id, leaf) {
            Ok(before) => (work, before),
            Err(why) => (Err(why), Vec::new()),
        };
        let streams = self.plan.fed_by(leaf).next().is_some();
        let slots = self.scheduler.slots_of(leaf);
        let sample = self.sampling(leaf);
        let job = Job { id, step, attempt, waits, slots, sample, before, work, streams };
        let taps = self.keeper.taps(&self.plan, leaf).into_iter().chain(self.log_of(leaf)).collect();
        let (output, clock) = (self.output.clone().with_taps(taps), self.clock.clone());
        // In a box from the first, since it is too large to be moved about.
        tokio::task::spawn_local(Box::pin(job::run(job, output, clock, self.news_tx.clone())));
    }

    /// How what a step uses is measured, where that is asked for.
    fn sampling(&self, leaf: LeafId) -> Option<Sampling> {
        let command = self.plan.command(leaf);
        let shared = command.session || command.pool.is_some();
        command.sample.map(|every| Sampling { every, meter: self.meter.clone(), shared })
    }

    /// What a job that is over leaves for others.
    pub(super) fn keep(&mut self, job: JobId, mut end: JobEnd) -> JobEnd {
        let Some(leaf) = self.leaves.remove(&job) else { return end };
        if let Err(why) = self.store.keep(&self.plan, leaf, end.outcome.code(), &end.captures) {
            end.bad_value = Some(why);
        }
        end
    }
}
