//! Services of a session: they outlive the run that started them, and the next one uses them as they are, unless
//! something has changed that decides about them. Knows processes and keys; what a run is to a service, [`Lasting`] is.
//!
//! A service is read by a task of the session. While a run uses it, what it writes goes to the report of that run;
//! between two runs the last of it is kept for the next one.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};

use crate::base::command::{Captures, CommandSpec, NotStarted, Outcome, SIGTERM};
use crate::base::event::{Event, JobId, Message, Output, Stream, TaskLabel};
use crate::cache::key::Manifest;
use crate::cache::memo::Memo;
use crate::cache::state::manifest;
use crate::cache::task::Task;
use crate::exec::output::OutputTx;
use crate::exec::{Finished, JobCx, LocalFuture, Running, Signal, Target};
use crate::plan::ids::ScopeId;
use crate::run::clock::RunClock;
use crate::run::job::News;

/// So many bytes of what a service writes between two runs are kept.
const KEPT: usize = 64 * 1024;
/// So many differences are told.
const TOLD: usize = 3;

/// All services of a session.
#[derive(Clone)]
pub struct Standing(Rc<Session>);

struct Session {
    /// What lives as long as the session goes here.
    spawn: UnboundedSender<LocalFuture<'static, ()>>,
    /// By number: who uses another one has a higher one.
    services: RefCell<BTreeMap<u64, Service>>,
    next: RefCell<u64>,
    memo: Arc<Memo>,
}

struct Service {
    name: Arc<str>,
    /// What decided about it when it was started.
    manifest: Manifest,
    /// The services that it uses.
    uses: Vec<u64>,
    pid: Option<u32>,
    control: Rc<dyn Fn(Signal)>,
    grace: Duration,
    /// It was ready.
    ready: bool,
    reader: Rc<RefCell<Reader>>,
    over: watch::Receiver<Option<Finished>>,
    /// The attempt by which a run uses it.
    used: Option<(JobId, oneshot::Sender<()>)>,
}

/// Where what a service writes goes.
#[derive(Default)]
struct Reader {
    to: Option<(OutputTx, JobId)>,
    /// What nobody has read yet.
    unread: VecDeque<(Stream, Vec<u8>)>,
    /// How many bytes that is.
    size: usize,
    /// No run uses it: only the last of that is kept.
    alone: bool,
}

impl Reader {
    fn keep(&mut self, stream: Stream, bytes: Vec<u8>) {
        self.size += bytes.len();
        self.unread.push_back((stream, bytes));
        while self.alone && self.size > KEPT {
            self.next();
        }
    }

    /// The first that nobody has read.
    fn next(&mut self) -> Option<(Stream, Vec<u8>)> {
        let next = self.unread.pop_front();
        self.size -= next.as_ref().map_or(0, |(_, bytes)| bytes.len());
        next
    }
}

impl Standing {
    /// None yet. `spawn`: who runs what it is sent for as long as the session is there.
    pub fn new(spawn: UnboundedSender<LocalFuture<'static, ()>>) -> Self {
        let (services, next) = (RefCell::default(), RefCell::new(1));
        Self(Rc::new(Session { spawn, services, next, memo: Arc::default() }))
    }

    /// The first processes of those that are up.
    pub fn pids(&self) -> Vec<u32> {
        self.0.services.borrow().values().filter(|service| service.is_up()).filter_map(|service| service.pid).collect()
    }

    /// The number of the one of this name, which may have ended.
    pub fn last(&self, name: &str) -> Option<u64> {
        let services = self.0.services.borrow();
        services.iter().rev().find(|(_, service)| *service.name == *name).map(|(number, _)| *number)
    }

    /// One can be used from now on.
    pub fn became_ready(&self, name: &str) {
        for service in self.0.services.borrow_mut().values_mut().filter(|service| *service.name == *name) {
            service.ready = true;
        }
    }

    /// The run that uses a service by this attempt needs it no more. If that can be left as it is, the attempt is
    /// over, and this says so.
    pub fn let_go(&self, job: JobId) -> bool {
        let mut services = self.0.services.borrow_mut();
        let mut up = services.values_mut().filter(|service| service.ready && service.is_up());
        let used = |service: &&mut Service| service.used.as_ref().is_some_and(|(used, _)| *used == job);
        let Some(service) = up.find(used) else { return false };
        let mut reader = service.reader.borrow_mut();
        (reader.to, reader.alone) = (None, true);
        drop(reader);
        // Dropped, it ends the attempt.
        service.used.take().is_some()
    }

    /// Ends those whose names do not stay.
    pub fn retain(&self, stays: impl Fn(&str) -> bool) {
        let gone: BTreeSet<u64> = {
            let services = self.0.services.borrow();
            services.iter().filter(|(_, service)| !stays(&service.name)).map(|(number, _)| *number).collect()
        };
        if !gone.is_empty() {
            let all = self.clone();
            self.spawn(Box::pin(async move { all.retire(gone).await }));
        }
    }

    /// Ends all of them, the last first; without any grace once `hurry` ends.
    pub async fn end(&self, hurry: impl Future<Output = ()>) {
        let all = self.0.services.borrow().keys().copied().collect();
        let mut ended = std::pin::pin!(self.retire(all));
        tokio::select! {
            () = &mut ended => return,
            () = hurry => self.0.services.borrow().values().for_each(|service| (service.control)(Signal::Kill)),
        }
        ended.await;
    }

    fn spawn(&self, work: LocalFuture<'static, ()>) {
        let _ = self.0.spawn.send(work); // Without a session there is no service either.
    }

    /// Ends these, and before them who uses them.
    async fn retire(&self, mut numbers: BTreeSet<u64>) {
        for (number, service) in self.0.services.borrow().iter() {
            if service.uses.iter().any(|used| numbers.contains(used)) {
                numbers.insert(*number);
            }
        }
        for number in numbers.into_iter().rev() {
            let found = self.0.services.borrow().get(&number).map(Service::handle);
            if let Some((control, grace, mut over)) = found {
                control(Signal::End(SIGTERM));
                if tokio::time::timeout(grace, ended(&mut over)).await.is_err() {
                    control(Signal::Kill);
                    ended(&mut over).await;
                }
            }
            self.0.services.borrow_mut().remove(&number);
        }
    }

    /// Reads what a service writes until it has ended.
    fn attend(
        &self,
        running: Running,
        mut told: UnboundedReceiver<Message>,
        unread: Reader,
    ) -> (Rc<RefCell<Reader>>, Over) {
        let (tell, over) = watch::channel(None);
        let reader = Rc::new(RefCell::new(Reader { to: None, ..unread }));
        let (to, mut done) = (reader.clone(), running.done);
        self.spawn(Box::pin(async move {
            let finished = loop {
                tokio::select! {
                    Some(message) = told.recv() => hand_on(&to, message).await,
                    finished = &mut done => break finished,
                }
            };
            while let Ok(message) = told.try_recv() {
                hand_on(&to, message).await;
            }
            // The report of a run ends when nobody can tell it anything any more.
            to.borrow_mut().to = None;
            tell.send_replace(Some(finished));
        }));
        (reader, over)
    }

    /// From here on a run uses it by this attempt.
    fn attach(&self, number: u64, cx: JobCx) -> Option<Running> {
        let mut services = self.0.services.borrow_mut();
        let service = services.get_mut(&number)?;
        let (hold, let_go) = oneshot::channel();
        service.used = Some((cx.job, hold));
        let (control, _, mut over) = service.handle();
        let reader = service.reader.clone();
        reader.borrow_mut().alone = false;
        let done = async move {
            let output = cx.output.with_taps(Vec::new());
            let unread = || reader.borrow_mut().next();
            while let Some((stream, bytes)) = unread() {
                output.show(cx.job, stream, &bytes).await;
            }
            // The run may have let it go meanwhile.
            let used = !reader.borrow().alone;
            reader.borrow_mut().to = Some((output, cx.job)).filter(|_| used);
            tokio::select! {
                biased;
                finished = ended(&mut over) => finished,
                _ = let_go => plain(Outcome::Signalled(SIGTERM)),
            }
        };
        let (_, stops) = unbounded_channel();
        Some(Running {
            pid: service.pid,
            control: Box::new(move |signal| control(signal)),
            done: Box::pin(done),
            stops,
        })
    }
}

/// How a service ended, once it has.
type Over = watch::Receiver<Option<Finished>>;

impl Service {
    fn is_up(&self) -> bool {
        self.over.borrow().is_none()
    }

    fn handle(&self) -> (Rc<dyn Fn(Signal)>, Duration, Over) {
        (self.control.clone(), self.grace, self.over.clone())
    }
}

async fn hand_on(reader: &RefCell<Reader>, message: Message) {
    let Message::Output(Output { stream, bytes, hold, .. }) = message else { return };
    let to = reader.borrow().to.clone();
    match to {
        Some((output, job)) => output.show(job, stream, &bytes).await,
        None => reader.borrow_mut().keep(stream, bytes),
    }
    // Until now it was on its way.
    drop(hold);
}

async fn ended(over: &mut Over) -> Finished {
    let lost = || plain(Outcome::Unknown("xec stopped attending to it".to_owned()));
    over.wait_for(Option::is_some).await.ok().and_then(|finished| finished.clone()).unwrap_or_else(lost)
}

fn plain(outcome: Outcome) -> Finished {
    Finished { outcome, usage: None, captures: Captures::default(), capture_overflow: None, leaked: Vec::new() }
}

/// What decides whether a service is the same as in an earlier run.
pub struct Reasons {
    /// What it is asked by.
    pub task: Arc<Task>,
    /// The services that it uses, by number.
    pub uses: Vec<u64>,
}

/// Where the one step of a service runs in a session: what is up already is used, if it is still the same.
pub struct Lasting {
    /// All of them.
    pub standing: Standing,
    /// Where it is started.
    pub target: Rc<dyn Target>,
    /// The service.
    pub scope: ScopeId,
    /// How it is shown.
    pub label: Arc<TaskLabel>,
    /// What decides about it; nothing for one that ends with its run.
    pub reasons: Option<Reasons>,
    /// To the dispatcher.
    pub news: UnboundedSender<News>,
    /// The time of the run.
    pub clock: Rc<RunClock>,
}

impl Target for Lasting {
    fn start<'a>(&'a self, spec: CommandSpec, cx: JobCx) -> LocalFuture<'a, Result<Running, NotStarted>> {
        Box::pin(async move {
            let Some((reasons, now)) = self.now(&cx.output).await else {
                self.clear().await;
                return self.target.start(spec, cx).await;
            };
            let last = self.standing.last(&self.label.instance);
            let number = match last.map(|number| (number, self.stale(number, &reasons.uses, &now))) {
                None => self.begin(spec, &cx, (reasons, now), Reader::default()).await?,
                Some((number, None)) => {
                    self.tell(&cx.output, Event::StillUp { task: self.label.clone() });
                    let _ = self.news.send(News::Ready(self.scope)); // Without a dispatcher there is no run.
                    number
                }
                Some((_, Some(why))) => {
                    self.tell(&cx.output, Event::TaskStale { task: self.label.clone(), why });
                    let unread = self.clear().await;
                    self.begin(spec, &cx, (reasons, now), unread).await?
                }
            };
            self.standing.attach(number, cx).ok_or_else(|| NotStarted::Failed("xec lost track of it".to_owned()))
        })
    }
}

impl Lasting {
    /// All that decides, as it is now. Without it nobody can say whether the service is the same, and it is as in a
    /// run that is no part of a session.
    async fn now(&self, output: &OutputTx) -> Option<(&Reasons, Manifest)> {
        let reasons = self.reasons.as_ref()?;
        let (task, memo) = (reasons.task.clone(), self.standing.0.memo.clone());
        let read = tokio::task::spawn_blocking(move || manifest(&memo, &task)).await;
        match read.map_err(|why| why.to_string()).and_then(|found| found) {
            Ok((now, _)) => Some((reasons, now)),
            Err(why) => {
                let why = format!("{} begins anew with each run: {why}", self.label.instance);
                self.tell(output, Event::Trouble { why });
                None
            }
        }
    }

    /// Why the one of this number is not what it should be now.
    fn stale(&self, number: u64, uses: &[u64], now: &Manifest) -> Option<Vec<String>> {
        let services = self.standing.0.services.borrow();
        let service = services.get(&number)?;
        let why = if let Some(finished) = &*service.over.borrow() {
            vec![format!("it had ended meanwhile (exit {})", finished.outcome.code())]
        } else if service.uses != uses {
            vec!["a service that it uses began anew".to_owned()]
        } else {
            now.differences(&service.manifest).iter().take(TOLD).map(ToString::to_string).collect()
        };
        (!why.is_empty()).then_some(why)
    }

    /// Ends the one that is there; what it wrote and nobody has read comes back.
    async fn clear(&self) -> Reader {
        let Some(number) = self.standing.last(&self.label.instance) else { return Reader::default() };
        let reader = self.standing.0.services.borrow().get(&number).map(|service| service.reader.clone());
        self.standing.retire([number].into()).await;
        reader.map(|reader| reader.take()).unwrap_or_default()
    }

    async fn begin(
        &self,
        spec: CommandSpec,
        cx: &JobCx,
        (reasons, manifest): (&Reasons, Manifest),
        unread: Reader,
    ) -> Result<u64, NotStarted> {
        let (tx, told) = unbounded_channel();
        // What is secret is covered where it is read: whoever shows it later need not know of it.
        let mut output = OutputTx::new(tx).with_taps(cx.output.taps.clone());
        output.masks = cx.output.masks.clone();
        let grace = spec.grace;
        let mut running = self.target.start(spec, JobCx::new(cx.job, output)).await?;
        let control = std::mem::replace(&mut running.control, Box::new(|_| ()));
        let pid = running.pid;
        let (reader, over) = self.standing.attend(running, told, unread);
        let number = self.standing.0.next.replace_with(|next| *next + 1);
        let service = Service {
            name: self.label.instance.clone(),
            manifest,
            uses: reasons.uses.clone(),
            pid,
            control: control.into(),
            grace,
            ready: false,
            reader,
            over,
            used: None,
        };
        self.standing.0.services.borrow_mut().insert(number, service);
        Ok(number)
    }

    fn tell(&self, output: &OutputTx, event: Event) {
        output.tell(self.clock.now(), event);
    }
}
