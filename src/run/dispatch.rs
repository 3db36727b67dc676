//! The dispatcher: the one owner of all run state. It waits for whatever comes next (news of a job, a word
//! from outside, a timer), gives it to the scheduler, and does what that says.
//!
//! Cancellation is a message like any other: no future of a job is dropped while its process lives, and the
//! loop ends when the scheduler says that the run is over.

mod ask;
mod asking;
mod changed;
mod lasting;
mod launch;
mod lists;
mod places;
mod probes;
mod remember;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::base::command::SIGTERM;
use crate::base::event::{Event, JobId, Level, Reason};
use crate::cache::task::Task;
use crate::exec::jobserver::Pool;
use crate::exec::locks::Locks;
use crate::exec::meter::Meter;
use crate::exec::output::OutputTx;
use crate::exec::shells::Shells;
use crate::exec::{LocalFuture, Signal, Target};
use crate::plan::graph::Plan;
use crate::plan::ids::{InstanceId, LeafId, LimitId, ScopeId};
use crate::run::clock::RunClock;
use crate::run::command::Surroundings;
use crate::run::dispatch::asking::Watch;
use crate::run::hosts::Reach;
use crate::run::job::{Mailbox, News};
use crate::run::keep::{self, Keeper, Told};
use crate::run::lets;
use crate::run::machine::Machine;
use crate::run::questions::{Left, Questions, Who};
use crate::run::scheduler::{Action, Closing, Input, Scheduler, TimerKey};
use crate::run::secrets::Secrets;
use crate::run::standing::Standing;
use crate::run::values::Store;

/// A word from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// End the run.
    Cancel(Reason, Level),
    /// Ctrl-Z: stop everything, then xec itself.
    Suspend,
}

/// What a run is made of.
pub struct Dispatch {
    /// What to do.
    pub plan: Arc<Plan>,
    /// Where, but for what runs elsewhere.
    pub target: Rc<dyn Target>,
    /// Where else.
    pub hosts: Rc<dyn Reach>,
    /// What surrounds it.
    pub around: Rc<Surroundings>,
    /// What is known from earlier runs.
    pub memory: keep::Memory,
    /// What was asked for runs, up to date or not.
    pub force: bool,
    /// The way to the report, for events and output alike.
    pub output: OutputTx,
    /// What is shared with other runs on this machine.
    pub locks: Locks,
    /// The services of the session that this run is a part of.
    pub standing: Option<Standing>,
    /// Slots that are shared with programs that the commands start.
    pub pool: Option<Pool>,
    /// Stops xec itself, once the jobs have been told to stop, until someone lets it go on.
    pub suspend: Box<dyn Fn() -> LocalFuture<'static, ()>>,
}

/// How a run ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Ending {
    /// The exit code.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// When.
    pub at: Duration,
    /// How long the commands took that succeeded.
    pub took: FxHashMap<LeafId, Duration>,
    /// The last event, which the report has not been told yet: there may be something to sweep up before.
    pub finished: Event,
}

/// Runs a plan to its end. Must be called within a [`tokio::runtime::LocalRuntime`] or a [`tokio::task::LocalSet`].
pub async fn run(dispatch: Dispatch, orders: &mut UnboundedReceiver<Order>) -> Ending {
    let (news_tx, news) = unbounded_channel();
    let (told_tx, told) = unbounded_channel();
    let Dispatch { plan, target, hosts, around, memory, force, output, locks, standing, pool, suspend } = dispatch;
    let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0u8);
    let shells = Rc::new(Shells::new(target));
    let scheduler = Scheduler::new(plan.clone()).with_seed(seed);
    let clock = Rc::new(RunClock::start());
    let mut store = Store::default();
    store.secrets = Secrets::new(&plan, &around, output.masks.clone());
    let loop_ = Loop {
        scheduler,
        clock,
        keeper: Keeper::new(&plan, memory, force),
        asks: lets::any(&plan),
        plan,
        target: shells.clone(),
        shells,
        hosts,
        meter: Rc::default(),
        around,
        output,
        suspend,
        news_tx,
        told_tx,
        mailboxes: FxHashMap::default(),
        store,
        questions: Questions::default(),
        watches: FxHashMap::default(),
        standing,
        changes: FxHashMap::default(),
        timers: BinaryHeap::new(),
        leaves: FxHashMap::default(),
        locks: Machine::new(locks, pool),
        cleaning: Vec::new(),
        inputs: VecDeque::new(),
        feeding: false,
        probes: Vec::new(),
        ending: None,
    };
    loop_.run(news, told, orders).await
}

struct Loop {
    scheduler: Scheduler,
    clock: Rc<RunClock>,
    plan: Arc<Plan>,
    target: Rc<dyn Target>,
    /// Shells that several steps share.
    shells: Rc<Shells>,
    hosts: Rc<dyn Reach>,
    meter: Rc<Meter>,
    around: Rc<Surroundings>,
    output: OutputTx,
    suspend: Box<dyn Fn() -> LocalFuture<'static, ()>>,
    news_tx: UnboundedSender<News>,
    told_tx: UnboundedSender<Told>,
    keeper: Keeper,
    mailboxes: FxHashMap<JobId, Mailbox>,
    store: Store,
    questions: Questions,
    watches: FxHashMap<ScopeId, Watch>,
    standing: Option<Standing>,
    changes: FxHashMap<ScopeId, changed::Pending>,
    timers: BinaryHeap<Reverse<(Duration, TimerKey)>>,
    leaves: FxHashMap<JobId, LeafId>,
    locks: Machine,
    /// Whether any value has to be asked for before it can be used.
    asks: bool,
    /// What is removed on hosts.
    cleaning: Vec<JoinHandle<()>>,
    /// What the scheduler is to be told next, and whether someone is about it.
    inputs: VecDeque<Input>,
    feeding: bool,
    /// What the cache is to be asked about as soon as nothing else is known.
    probes: Vec<(ScopeId, Arc<Task>)>,
    ending: Option<Ending>,
}

impl Loop {
    async fn run(
        mut self,
        mut news: UnboundedReceiver<News>,
        mut told: UnboundedReceiver<Told>,
        orders: &mut UnboundedReceiver<Order>,
    ) -> Ending {
        self.feed(Input::Begin);
        loop {
            if let Some(ending) = self.ending.take() {
                self.shells.finish().await;
                for cleaning in self.cleaning {
                    let _ = cleaning.await; // It says by itself what went wrong.
                }
                return ending;
            }
            if let Some(state) = self.keeper.state().filter(|_| !self.probes.is_empty()) {
                probes::ask(&state, std::mem::take(&mut self.probes), &self.told_tx);
            }
            let next = self.timers.peek().map(|Reverse((time, _))| self.clock.when(*time));
            let timer = async {
                match next {
                    Some(time) => tokio::time::sleep_until(time).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(order) = orders.recv() => self.obey(order).await,
                Some(word) = news.recv() => {
                    self.hear(word);
                    // Whatever else is known already costs no further look at clock and orders.
                    while let Ok(word) = news.try_recv() {
                        self.hear(word);
                    }
                }
                Some(word) = told.recv() => {
                    self.was_told(word);
                    while let Ok(word) = told.try_recv() {
                        self.was_told(word);
                    }
                }
                () = timer => self.ring(),
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Cancel(reason, level) => self.feed(Input::Cancel(ScopeId::RUN, reason, level)),
            Order::Suspend => {
                self.clock.stop();
                self.tell(Event::Suspended);
                self.signal_all(Signal::Stop);
                (self.suspend)().await;
                self.signal_all(Signal::Continue);
                self.clock.resume();
                self.tell(Event::Resumed);
            }
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Started(job, control) => {
                self.mailboxes.entry(job).or_default().open(control);
                self.runs(job);
                self.store.afar.made(job);
                self.feed(Input::Started(job));
            }
            News::Ended(job, end) => {
                self.mailboxes.remove(&job);
                self.locks.ended(job, self.plan.limits[LimitId::SLOTS.index()].count);
                let end = self.keep(job, end);
                self.feed(Input::Ended(job, end));
            }
            News::Ready(scope) => self.ready(scope),
            News::Lines(job, lines) => self.stream(job, &lines),
            News::Asked(job, control) => self.questions.started(job, control),
            News::Answered(job, said) => self.answered(job, said),
        }
    }

    fn ring(&mut self) {
        let now = self.clock.now();
        while let Some(Reverse((time, key))) = self.timers.peek().copied() {
            if time > now {
                return;
            }
            self.timers.pop();
            self.feed(Input::Timer(key));
        }
    }

    /// Gives something to the scheduler, and does what that says. What is known at once of what it says comes after
    /// that: all that one step says is done before the next one, and no chain of answers is too long for the stack.
    fn feed(&mut self, input: Input) {
        self.inputs.push_back(input);
        if std::mem::replace(&mut self.feeding, true) {
            return;
        }
        let mut actions = Vec::new();
        while let Some(input) = self.inputs.pop_front() {
            self.scheduler.step(self.clock.now(), input, &mut actions);
            actions.drain(..).for_each(|action| self.act(action));
        }
        self.feeding = false;
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start { job, leaf, attempt, waits } => self.start(job, leaf, attempt, waits),
            Action::Stop { job, reason, level } if self.let_go(job, reason, level) => {}
            Action::Stop { job, reason, level } => self.stop(job, signal_for(reason, level)),
            Action::Probe(scope) => self.probe(scope),
            Action::Claim(scope) => self.claim(scope),
            Action::Idle(host) => self.idle(host),
            Action::Unask { scope, reason, level } => self.unask(scope, signal_for(reason, level)),
            Action::Settle(scope) => self.settle(scope),
            Action::Open(instance) => self.open(instance),
            Action::Forget(anew) => self.store.forget(&self.plan, &anew),
            Action::Close(instance, closing) => self.close(instance, closing),
            Action::Feed(feed) => self.list(feed),
            Action::Give { lane, number, values, label } => self.store.items.give(lane, number, values, label),
            Action::Bound { scope, host, label } => {
                self.store.bind(scope, host);
                self.store.items.rename(label);
            }
            Action::Keep(instance, name, by, value) => self.store.set(instance, &name, by, value),
            Action::TryLock(vertex, limits) => {
                let answer = self.locks.take(&self.plan, vertex, &limits);
                self.feed(Input::Locked(vertex, answer));
            }
            Action::Unlock(vertex) => self.locks.give_back(vertex),
            Action::Watch(scope) => self.watch(scope),
            Action::Unwatch(scope) => self.unwatch(scope),
            Action::Decided(scope, child) => self.store.decide(scope, child),
            Action::Undecided(scope) => self.store.undecide(scope),
            Action::SetTimer(key, time) => self.timers.push(Reverse((time, key))),
            Action::Emit(event) => match event {
                Event::RunFinished { code, signal, .. } => {
                    let (at, took) = (self.clock.now(), self.scheduler.take_durations());
                    self.ending = Some(Ending { code, signal, at, took, finished: event });
                }
                event => self.tell(event),
            },
            Action::Done => debug_assert!(self.ending.is_some() && self.questions.is_empty()),
        }
    }

    fn open(&mut self, instance: InstanceId) {
        self.shells.close(u64::from(instance.0));
        if let Err(why) = self.store.open(&self.plan, &self.around, instance) {
            // Its steps will say that the value is not there; this says why.
            self.tell(Event::Trouble { why: format!("cannot make a temporary directory: {why}") });
        }
    }

    fn close(&mut self, instance: InstanceId, closing: Closing) {
        self.shells.close(u64::from(instance.0));
        self.keeper.close(instance, closing);
        if let Err(why) = self.store.close(&self.plan, &self.around, instance, closing == Closing::Well) {
            self.tell(Event::Trouble { why: format!("cannot remove a temporary directory: {why}") });
        }
        self.clean_up(instance);
    }

    /// Ends a job, or who is asked for what it waits for.
    fn stop(&mut self, job: JobId, signal: Signal) {
        match self.questions.end(Who::Job(job), signal) {
            Left::Alone(waiter) => self.gave_up(waiter),
            Left::Sent => {}
            Left::Nothing => {
                if let Some(mailbox) = self.mailboxes.get_mut(&job) {
                    mailbox.send(signal);
                }
            }
        }
    }

    fn signal_all(&mut self, signal: Signal) {
        self.mailboxes.values_mut().for_each(|mailbox| mailbox.send(signal));
        self.questions.signal_all(signal);
    }
}

/// The signal that ends a job: the one that xec was sent, else SIGTERM.
fn signal_for(reason: Reason, level: Level) -> Signal {
    match (level, reason) {
        (Level::Kill, _) => Signal::Kill,
        (Level::Soft, Reason::Signal(signal)) => Signal::End(signal),
        (Level::Soft, _) => Signal::End(SIGTERM),
    }
}

#[cfg(test)]
#[path = "dispatch_tests.rs"]
mod tests;
