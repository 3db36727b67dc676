//! What the dispatcher asks again and again: whether a service is ready, and whether what a step waits for is there.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use regex_lite::Regex;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::base::command::{Outcome, SIGTERM};
use crate::base::event::{Event, JobId};
use crate::exec::output::Tap;
use crate::exec::{Signal, Target};
use crate::plan::defs::Place;
use crate::plan::ids::{InstanceId, LeafId, ScopeId, VertexId};
use crate::run::command;
use crate::run::dispatch::Loop;
use crate::run::job::News;
use crate::run::place::Here;
use crate::run::probe::{EXISTS, Script};
use crate::run::questions::Start;
use crate::run::ready::{Probe, until};
use crate::run::scheduler::{Input, JobEnd};
use crate::xecfile::model::Ready;

/// Takes what a service writes.
type Log = UnboundedSender<Vec<u8>>;

/// Who asks, and from where it looks.
type Asker = (InstanceId, VertexId);

/// What is asked, where what it writes goes, and where scripts run.
type Asking = (Probe, Option<Log>, Rc<dyn Target>);

/// A service that is asked whether it is ready.
pub(super) struct Watch {
    /// Dropped, it ends the asking.
    _stop: oneshot::Sender<()>,
    /// Begins the asking, where that waits for the process: an old one may still be there.
    begin: Option<oneshot::Sender<()>>,
    /// Where what the service writes goes too, if that is what is looked at.
    log: Option<Log>,
}

impl Loop {
    /// Asks until a service is ready, or nobody wants to know any more.
    pub(super) fn watch(&mut self, scope: ScopeId) {
        let plan = self.plan.clone();
        let (Some(instance), Some(service)) = (plan.scope(scope).instance(), &plan.scope(scope).ready) else {
            return;
        };
        let at = plan.scope(scope).enter;
        let place = &plan.task_of(instance).conditions.place;
        let (probe, log, target) = match self.probe_for(&service.ready, place, (instance, at)) {
            Ok(found) => found,
            // It is never ready then, and this says why.
            Err(why) => {
                return self.tell(Event::Trouble { why: format!("whether it is ready cannot be asked: {why}") });
            }
        };
        let (stop, stopped) = oneshot::channel();
        let (begin, runs) = oneshot::channel();
        let begin = Some(begin).filter(|_| self.is_lasting(scope));
        let waits = begin.is_some();
        self.watches.insert(scope, Watch { _stop: stop, begin, log });
        let news = self.news_tx.clone();
        tokio::task::spawn_local(async move {
            if waits && runs.await.is_err() {
                return;
            }
            if until(probe, target, stopped).await {
                // Without a dispatcher there is no run.
                let _ = news.send(News::Ready(scope));
            }
        });
    }

    /// A service is ready.
    pub(super) fn ready(&mut self, scope: ScopeId) {
        // What it writes from here on is for the report alone.
        if self.watches.remove(&scope).is_some() {
            self.note_ready(scope);
            self.feed(Input::Ready(scope));
        }
    }

    /// A job runs: if it is that of a service that waits for it, it can be asked now.
    pub(super) fn runs(&mut self, job: JobId) {
        let service = self.leaves.get(&job).and_then(|leaf| self.plan.leaf(*leaf).service);
        let watch = service.and_then(|service| self.watches.get_mut(&service));
        if let Some(begin) = watch.and_then(|watch| watch.begin.take()) {
            let _ = begin.send(()); // Nobody needs to ask any more.
        }
    }

    /// Who looks at what a leaf writes, to see whether it is ready.
    pub(super) fn log_of(&self, leaf: LeafId) -> Option<Tap> {
        let service = self.plan.leaf(leaf).service?;
        let log = self.watches.get(&service)?.log.clone()?;
        Some(Tap::new(move |_, bytes| {
            if !log.is_closed() {
                let _ = log.send(bytes.to_vec()); // Nobody needs to look any more.
            }
        }))
    }

    /// Begins a step that waits for something: a job without a process.
    pub(super) fn begin_wait(&mut self, start: Start, ready: &Arc<Ready>) {
        let Start { id, leaf, attempt, waits } = start;
        let plan = self.plan.clone();
        let step = Arc::new(self.scheduler.step_label(leaf));
        self.tell(Event::StepStarted { job: id, step, attempt, waits, slots: 0, pid: None });
        let found =
            self.probe_for(ready, &plan.command(leaf).place, (plan.leaf(leaf).instance, plan.leaf(leaf).vertex));
        let news = self.news_tx.clone();
        let (probe, target) = match found {
            Ok((probe, _, target)) => (probe, target),
            Err(why) => {
                let mut end = JobEnd::plain(Outcome::Exited(1));
                end.bad_value = Some(why);
                let _ = news.send(News::Ended(id, end)); // To ourselves.
                return;
            }
        };
        let (stop, stopped) = oneshot::channel();
        let stop = RefCell::new(Some(stop));
        let control = move |signal| {
            if matches!(signal, Signal::End(_) | Signal::Kill) {
                stop.borrow_mut().take();
            }
        };
        let _ = news.send(News::Started(id, Box::new(control)));
        tokio::task::spawn_local(async move {
            let there = until(probe, target, stopped).await;
            let outcome = if there { Outcome::Exited(0) } else { Outcome::Signalled(SIGTERM) };
            // Without a dispatcher there is no run.
            let _ = news.send(News::Ended(id, JobEnd::plain(outcome)));
        });
    }

    /// What is asked, with all values filled in; with the other end of a log, where that is looked at.
    fn probe_for(&self, ready: &Ready, place: &Place, (instance, at): Asker) -> Result<Asking, String> {
        let (plan, around) = (&self.plan, &*self.around);
        let here = Here::new(plan, place, around, self.store.scope(plan, around, instance).seen_from(at))?;
        let target = self.target_at(here.host, place)?;
        let label = self.store.items.label(plan, instance);
        let (probe, log) = match ready {
            // Ports and servers are looked at from here, wherever they are.
            Ready::Tcp(text) => (Probe::Tcp(here.flat(text)?), None),
            Ready::Http(text) => (Probe::Http(here.flat(text)?), None),
            Ready::Exists(text) if here.host.is_some() => {
                let asked = Script::There(EXISTS, std::slice::from_ref(text));
                (Probe::Run(command::question(label, place, here, &asked, around)?), None)
            }
            Ready::Exists(text) => (Probe::Exists(here.dir.clone(), here.flat(text)?), None),
            Ready::Run(script) => {
                let asked = Script::OfFile(&script.value);
                (Probe::Run(command::question(label, place, here, &asked, around)?), None)
            }
            Ready::Log(pattern) => {
                let pattern = Regex::new(&pattern.value).map_err(|why| why.to_string())?;
                let (tell, told) = unbounded_channel();
                (Probe::Log(pattern, told), Some(tell))
            }
        };
        Ok((probe, log, target))
    }

    /// Nobody wants to know any more whether a service is ready.
    pub(super) fn unwatch(&mut self, scope: ScopeId) {
        self.watches.remove(&scope);
    }
}
