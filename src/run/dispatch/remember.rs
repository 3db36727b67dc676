//! What is remembered from run to run: asked before a scope begins, and handed over when its body has succeeded. All
//! of that happens on other threads; here are the questions and the answers.

use std::io::BufReader;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::base::event::Event;
use crate::cache::lock;
use crate::cache::state::{State, is_scarcity};
use crate::cache::task::{Begun, Claimed, Fresh, Settled};
use crate::plan::graph::Memory;
use crate::plan::ids::{InstanceId, ScopeId};
use crate::run::dispatch::Loop;
use crate::run::facts::{self, Facts};
use crate::run::keep::{First, Log, Taken, Told, pieces};
use crate::run::questions::{Purpose, Waiter};
use crate::run::scheduler::{Answer, Input};

/// How long until it is tried again where a lock can only be tried.
const PAUSE: Duration = Duration::from_millis(100);

/// Says what a thread of the cache found, whatever becomes of it: a run never waits for one that is gone.
struct Reply {
    to: UnboundedSender<Told>,
    told: Option<Told>,
}

impl Reply {
    fn send(mut self, told: Told) {
        self.told = Some(told);
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // Without a dispatcher there is nobody to be told.
        let _ = self.told.take().map(|told| self.to.send(told));
    }
}

impl Loop {
    /// Asks what is remembered, on another thread; `otherwise` is the answer of one that is gone before it has one.
    pub(super) fn inquire(
        &self,
        state: Arc<State>,
        otherwise: Told,
        ask: impl FnOnce(&State) -> Told + Send + 'static,
    ) {
        let reply = Reply { to: self.told_tx.clone(), told: Some(otherwise) };
        let own = state.clone();
        state.spawn(move || reply.send(ask(&own)));
    }

    /// Asks whether a scope is up to date, once all values are there that decide it.
    pub(super) fn look_up(&mut self, scope: ScopeId) {
        if !self.scheduler.is_wanted(scope) {
            return self.feed(Input::Probed(scope, Ok(Answer::Pass)));
        }
        let (Some(_), Some(id)) = (self.keeper.state(), self.plan.scope(scope).instance()) else {
            return self.feed(Input::Probed(scope, Ok(Answer::Run)));
        };
        let (plan, around) = (self.plan.clone(), self.around.clone());
        let facts = Facts { plan: &plan, store: &self.store, around: &around, id };
        let names = if self.asks { facts.names() } else { Vec::new() };
        for (instance, names) in names {
            if self.wait_for_let(instance, &names, Waiter::Scope(scope)) {
                return;
            }
        }
        let facts = Facts { plan: &plan, store: &self.store, around: &around, id };
        let mut task = match facts.task(self.keeper.is_forced(id)) {
            Ok(task) => task,
            Err(why) => return self.feed(Input::Probed(scope, Err(why.into()))),
        };
        task.facts.extend(self.keeper.needed(&plan, id));
        task.needed = self.keeper.products(&plan, id);
        let task = Arc::new(task);
        self.keeper.hold(id, task.clone());
        self.probes.push((scope, task));
    }

    /// A scope begins, if it still has to.
    pub(super) fn claim(&mut self, scope: ScopeId) {
        let held = self.plan.scope(scope).instance().and_then(|id| self.keeper.held(id)).map(|held| held.task.clone());
        let (Some(state), Some(task)) = (self.keeper.state(), held) else {
            return self.feed(Input::Probed(scope, Ok(Answer::Run)));
        };
        let lost = Told::Claimed(scope, Err("xec lost track of what it reads".to_owned()));
        self.inquire(state, lost, move |state| Told::Claimed(scope, state.claim(&task)));
    }

    /// Whether there is something to do before a scope is asked about once more; it is done.
    pub(super) fn comes_first(&mut self, scope: ScopeId) -> bool {
        let Some(id) = self.plan.scope(scope).instance() else { return false };
        match self.keeper.held(id).and_then(|held| held.first.take()) {
            None => return false,
            Some(First::Fresh(fresh)) => self.fresh(scope, id, fresh),
            Some(First::Wait) => self.wait_for_other(scope, id),
            Some(First::Pause) => self.pause(scope),
        }
        true
    }

    /// Asks about a scope again in a little while: by then there may be room for it.
    fn pause(&mut self, scope: ScopeId) {
        let free = Told::Free(scope, self.keeper.waits(scope));
        let told = self.told_tx.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(PAUSE).await;
            let _ = told.send(free); // Without a dispatcher there is nobody who waits.
        });
    }

    /// Waits for the lock that another xec holds, on a thread of its own: that may take any time. If nobody wants it
    /// any more, the thread waits all the same, and is not heard.
    fn wait_for_other(&mut self, scope: ScopeId, id: InstanceId) {
        let path = self.keeper.state().zip(self.keeper.held(id)).map(|(state, held)| state.lock_of(&held.task));
        let Some(path) = path else { return self.look_up(scope) };
        let free = Told::Free(scope, self.keeper.waits(scope));
        let told = self.told_tx.clone();
        let begun = std::thread::Builder::new().name("cache-wait".to_owned()).spawn(move || {
            // Where one cannot wait, one can only try again.
            if lock::wait(&path).is_err() {
                #[expect(clippy::disallowed_methods, reason = "on a thread that does nothing else")]
                std::thread::sleep(PAUSE);
            }
            let _ = told.send(free); // Without a dispatcher there is nobody who waits.
        });
        if let Err(why) = begun {
            self.feed(Input::Probed(scope, Err(format!("cannot wait for another xec: {why}").into())));
        }
    }

    pub(super) fn was_told(&mut self, told: Told) {
        match told {
            Told::Probed(scope, answer) => self.probed(scope, answer),
            Told::Claimed(scope, answer) => self.claimed(scope, answer),
            Told::Free(scope, number) => {
                if self.keeper.waits_no_more(scope, Some(number)) {
                    self.look_up(scope);
                }
            }
            Told::Replayed { scope, job, restored } => {
                self.tell(Event::ReplayFinished { job });
                self.feed(Input::Probed(scope, Ok(Answer::Fresh { restored })));
            }
            Told::Seen(scope, seen) => self.seen(scope, seen),
            Told::Settled(scope, settled) => self.settled(scope, settled),
        }
    }

    fn probed(&mut self, scope: ScopeId, answer: Result<Option<Fresh>, String>) {
        let Some(id) = self.plan.scope(scope).instance() else { return };
        match answer {
            _ if !self.scheduler.is_wanted(scope) => self.feed(Input::Probed(scope, Ok(Answer::Pass))),
            Ok(Some(fresh)) => self.fresh(scope, id, fresh),
            Ok(None) => self.feed(Input::Probed(scope, Ok(Answer::Run))),
            Err(why) if is_scarcity(&why) => self.pause(scope),
            Err(why) => self.feed(Input::Probed(scope, Err(why.into()))),
        }
    }

    fn claimed(&mut self, scope: ScopeId, answer: Result<Claimed, String>) {
        let Some(id) = self.plan.scope(scope).instance() else { return };
        // It was cancelled meanwhile: what was found is let go, its lock too.
        if self.keeper.held(id).is_none() || !self.scheduler.is_wanted(scope) {
            return self.feed(Input::Probed(scope, Ok(Answer::Pass)));
        }
        match answer {
            Ok(Claimed::Fresh(fresh)) => self.not_yet(scope, id, First::Fresh(fresh)),
            Ok(Claimed::Stale(begun)) => self.stale(scope, id, begun),
            Ok(Claimed::Busy(holder)) => {
                let name = self.plan.instance(id).label.instance.clone();
                if self.around.variable("XEC_RUN_ID").is_some_and(|run| run == holder.run) {
                    let why = format!("the xec that runs this one is running `{name}`, and waits: `call` it there");
                    return self.feed(Input::Probed(scope, Err(why.into())));
                }
                let told = self.keeper.held(id).is_some_and(|held| std::mem::replace(&mut held.told, true));
                if !told && holder.pid != std::process::id().to_string() {
                    let why = format!("`{name}` is being run by another xec (pid {}): waiting for it", holder.pid);
                    self.tell(Event::Trouble { why });
                }
                self.not_yet(scope, id, First::Wait);
            }
            Err(why) if is_scarcity(&why) => self.not_yet(scope, id, First::Pause),
            Err(why) => self.feed(Input::Probed(scope, Err(why.into()))),
        }
    }

    /// A scope does not begin: it gives back all that it held, and is asked about once more when this is done.
    fn not_yet(&mut self, scope: ScopeId, id: InstanceId, first: First) {
        if let Some(held) = self.keeper.held(id) {
            held.first = Some(first);
        }
        self.feed(Input::Probed(scope, Ok(Answer::Again)));
    }

    /// It need not run: its values come back, and what it wrote is shown once more.
    fn fresh(&mut self, scope: ScopeId, id: InstanceId, fresh: Fresh) {
        let plan = self.plan.clone();
        let instances: Vec<InstanceId> = facts::instances(&plan, scope).collect();
        if !self.store.load(&plan, &instances, &fresh.captures) {
            let why = "the values of an earlier run cannot be read: it runs again".to_owned();
            self.tell(Event::Trouble { why });
            self.keeper.force(id);
            return self.look_up(scope);
        }
        self.keeper.made(id, fresh.made);
        let restored = fresh.restored;
        let Some((log, state)) = fresh.log.zip(self.keeper.state()) else {
            return self.feed(Input::Probed(scope, Ok(Answer::Fresh { restored })));
        };
        let job = self.keeper.next_replay();
        self.tell(Event::ReplayStarted { job, task: plan.instance(id).label.clone() });
        let (output, told) = (self.output.clone(), self.told_tx.clone());
        let (replaying, clock) = (self.keeper.replaying(), self.clock.clone());
        tokio::task::spawn_local(async move {
            let _part = replaying.acquire().await; // It is never closed.
            match state.log(&log) {
                Ok(file) => {
                    for (stream, piece) in pieces(BufReader::new(file)) {
                        output.show(job, stream, &piece).await;
                    }
                }
                Err(why) => {
                    let why = format!("cannot show what a task wrote: {why}");
                    output.tell(clock.now(), Event::Trouble { why });
                }
            }
            let _ = told.send(Told::Replayed { scope, job, restored }); // Without a dispatcher there is no run.
        });
    }

    fn stale(&mut self, scope: ScopeId, id: InstanceId, begun: Begun) {
        let task = self.plan.instance(id).label.clone();
        for note in &begun.notes {
            self.tell(Event::Trouble { why: format!("{}: {note}", task.instance) });
        }
        self.tell(Event::TaskStale { task, why: begun.why.clone() });
        let log = self.keeper.state().map(|state| state.new_log());
        if let Some(held) = self.keeper.held(id) {
            held.log = log.filter(|_| held.task.cached).map(Log::new);
            held.begun = Some(begun);
        }
        self.feed(Input::Probed(scope, Ok(Answer::Run)));
    }

    /// The body of a scope has succeeded.
    pub(super) fn settle(&mut self, scope: ScopeId) {
        match self.plan.scope(scope).instance() {
            Some(_) => self.look_at(scope, Purpose::Keep),
            None => self.feed(Input::Settled(scope)),
        }
    }

    /// What it made is looked at in any case, and remembered if that is wanted.
    pub(super) fn settle_if(&mut self, scope: ScopeId, kept: Result<bool, String>) {
        let (Some(state), Some(id)) = (self.keeper.state(), self.plan.scope(scope).instance()) else {
            return self.feed(Input::Settled(scope));
        };
        let plan = self.plan.clone();
        if plan.scope(scope).memory == Memory::Made {
            let facts = Facts { plan: &plan, store: &self.store, around: &self.around, id };
            match facts.task(false) {
                Ok(task) => self.keeper.hold(id, Arc::new(task)),
                Err(why) => self.tell(Event::Trouble { why }),
            }
        }
        for (what, digest) in self.keeper.take_seen(id) {
            if let Err(why) = state.remember_seen(what, digest) {
                self.tell(Event::Trouble { why });
            }
        }
        let Some(Taken { task, begun, log }) = self.keeper.take(id) else { return self.feed(Input::Settled(scope)) };
        let instances: Vec<InstanceId> = facts::instances(&plan, scope).collect();
        let captures = self.store.save(&plan, &instances);
        let kept = match self.store.secrets.masks.find(&captures) {
            true => kept.and(Err("a value that it captured holds a secret".to_owned())),
            false => kept,
        };
        let log = log.map_err(|why| format!("cannot keep what it wrote: {why}"));
        let (begun, log) = match kept.and_then(|kept| Ok((begun.filter(|_| kept), log?))) {
            Ok(kept) => kept,
            Err(why) => {
                self.tell(Event::Trouble { why: format!("{}: not kept: {why}", plan.instance(id).label.instance) });
                (None, None)
            }
        };
        let lost = Told::Settled(scope, Settled::default());
        self.inquire(state, lost, move |state| Told::Settled(scope, state.settle(&task, begun, captures, log)));
    }

    fn settled(&mut self, scope: ScopeId, settled: Settled) {
        if let Some(id) = self.plan.scope(scope).instance() {
            if let Some(made) = settled.made {
                self.keeper.made(id, made);
            }
            if let Some(why) = settled.trouble {
                let name = &self.plan.instance(id).label.instance;
                self.tell(Event::Trouble { why: format!("{name}: it will run again, since {why}") });
            }
        }
        self.feed(Input::Settled(scope));
    }

    /// Something that is told to people and machines alike.
    pub(super) fn tell(&self, event: Event) {
        self.output.tell(self.clock.now(), event);
    }
}
