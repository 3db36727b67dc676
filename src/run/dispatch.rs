//! The dispatcher: the one owner of all run state. It waits for whatever comes next (news of a job, a word
//! from outside, a timer), gives it to the scheduler, and does what that says.
//!
//! Cancellation is a message like any other: no future of a job is dropped while its process lives, and the
//! loop ends when the scheduler says that the run is over.

mod ask;
mod asking;
mod changed;
mod lasting;
mod lists;
mod places;
mod probes;
mod remember;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::base::command::SIGTERM;
use crate::base::event::{Event, JobId, Level, Reason, StepLabel, Waits};
use crate::cache::task::Task;
use crate::exec::jobserver::Pool;
use crate::exec::locks::Locks;
use crate::exec::meter::Meter;
use crate::exec::output::OutputTx;
use crate::exec::shells::Shells;
use crate::exec::{LocalFuture, Signal, Target};
use crate::plan::defs::Work;
use crate::plan::graph::Plan;
use crate::plan::ids::{InstanceId, LeafId, LimitId, ScopeId};
use crate::run::clock::RunClock;
use crate::run::command::{self, Surroundings};
use crate::run::copies;
use crate::run::dispatch::asking::Watch;
use crate::run::hosts::Reach;
use crate::run::job::{self, Control, Doing, Job, News};
use crate::run::keep::{self, Keeper, Told};
use crate::run::lets;
use crate::run::machine::Machine;
use crate::run::questions::{Left, Questions, Start, Waiter, Who};
use crate::run::sampling::Sampling;
use crate::run::scheduler::{Action, Closing, Input, JobEnd, Scheduler, TimerKey};
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
    pub took: HashMap<LeafId, Duration>,
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
        controls: HashMap::new(),
        store,
        questions: Questions::default(),
        watches: HashMap::new(),
        standing,
        changes: HashMap::new(),
        timers: BinaryHeap::new(),
        leaves: HashMap::new(),
        locks: Machine::new(locks, pool),
        cleaning: Vec::new(),
        inputs: VecDeque::new(),
        feeding: false,
        probes: Vec::new(),
        ending: None,
    };
    loop_.run(news, told, orders).await
}

/// What is known of a job beside the scheduler's own state.
#[derive(Default)]
struct Handle {
    control: Option<Control>,
    /// What it was told before there was a way to tell it.
    held: Vec<Signal>,
}

impl Handle {
    fn send(&mut self, signal: Signal) {
        match &self.control {
            Some(control) => control(signal),
            None => self.held.push(signal),
        }
    }
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
    controls: HashMap<JobId, Handle>,
    store: Store,
    questions: Questions,
    watches: HashMap<ScopeId, Watch>,
    standing: Option<Standing>,
    changes: HashMap<ScopeId, changed::Pending>,
    timers: BinaryHeap<Reverse<(Duration, TimerKey)>>,
    leaves: HashMap<JobId, LeafId>,
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
                let handle = self.controls.entry(job).or_default();
                for signal in handle.held.drain(..) {
                    control(signal);
                }
                handle.control = Some(control);
                self.runs(job);
                self.store.afar.is_made(job);
                self.feed(Input::Started(job));
            }
            News::Ended(job, end) => {
                self.controls.remove(&job);
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

    /// Starts a job, once every `let` that it names has its value.
    fn start(&mut self, id: JobId, leaf: LeafId, attempt: u32, waits: Waits) {
        self.controls.entry(id).or_default();
        let start = Start { id, leaf, attempt, waits };
        let instance = self.plan.leaf(leaf).instance;
        if !self.asks || !self.wait_for_let(instance, &self.plan.command(leaf).value_names(), Waiter::Job(start)) {
            self.store.make_inputs(&self.plan, &self.around, instance);
            self.begin(start);
        }
    }

    fn begin(&mut self, start: Start) {
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
        tokio::task::spawn_local(job::run(job, output, clock, self.news_tx.clone()));
    }

    /// How what a step uses is measured, where that is asked for.
    fn sampling(&self, leaf: LeafId) -> Option<Sampling> {
        let command = self.plan.command(leaf);
        let shared = command.session || command.pool.is_some();
        command.sample.map(|every| Sampling { every, meter: self.meter.clone(), shared })
    }

    /// What a job that is over leaves for others.
    fn keep(&mut self, job: JobId, mut end: JobEnd) -> JobEnd {
        let Some(leaf) = self.leaves.remove(&job) else { return end };
        if let Err(why) = self.store.keep(&self.plan, leaf, end.outcome.code(), &end.captures) {
            end.bad_value = Some(why);
        }
        end
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
                if let Some(handle) = self.controls.get_mut(&job) {
                    handle.send(signal);
                }
            }
        }
    }

    fn signal_all(&mut self, signal: Signal) {
        self.controls.values_mut().for_each(|handle| handle.send(signal));
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
