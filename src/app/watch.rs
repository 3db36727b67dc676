//! Runs tasks again whenever files change: one session, in which runs follow each other. The process layer, the
//! signals and what is watched belong to the session; a plan, a report and all that a run starts to the run.

mod during;
mod rules;
mod said;
mod shared;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

use crate::app::confirm::{Question, confirm};
use crate::app::open::{Opened, open_tracked, refuse};
use crate::app::options::{EventsTo, Exit, Options};
use crate::app::run::{How, cannot, close, linked, listen, once, questions, setup, show, surroundings};
use crate::app::{Answer, again};
use crate::base::event::{Event, Level, Reason};
use crate::base::fault;
use crate::exec::broker::{Broker, Link};
use crate::exec::closed::Reader;
use crate::exec::keys::Keys;
use crate::exec::output::OutputTx;
use crate::exec::{LocalFuture, Signal, signals};
use crate::plan::Plan;
use crate::report::journal::Start;
use crate::report::{self, Setup};
use crate::run::command::Surroundings;
use crate::run::dispatch::Order;
use crate::run::standing::Standing;
use crate::watch::debounce::Debounce;
use crate::watch::source::Source;
use crate::watch::wanted::{Wanted, Wish};

use during::{During, settle};
use rules::{Rules, rules};
use said::{Read, differ, names, read};
use shared::Shared;

/// Whether one of the tasks asked for wants to be watched.
pub(super) fn is_wanted(opened: &Opened, plan: &Plan) -> bool {
    !rules::watches(opened, plan).is_empty()
}

/// Runs, waits, and runs again, until somebody ends it.
pub(super) fn watch(options: &Options, planned: (Opened, Plan), broker: Option<Broker>) -> Answer {
    let broker = broker.ok_or_else(|| "there is no process layer to run anything".to_owned());
    let options = options.clone();
    let ended = broker.and_then(|broker| {
        linked(&broker, |link| async move {
            let (told_tx, told) = unbounded_channel();
            listen(&told_tx, &link)?;
            let files = planned.0.looked_for.clone();
            let standing = Standing::new(attend());
            let (events, asked, source) = (None, Vec::new(), None);
            let opened = None;
            let mut session = Session { options, link, told, files, opened, events, asked, source, standing };
            let answer = session.run(planned).await;
            session.finish().await;
            answer
        })
    });
    ended.unwrap_or_else(|why| Answer { out: String::new(), err: format!("xec: {why}\n"), exit: Exit::Code(1) })
}

/// What outlives a run.
struct Session {
    options: Options,
    link: Link,
    /// Signals, and the loss of the process layer.
    told: UnboundedReceiver<Order>,
    /// The files that the last plan was made of.
    files: Vec<PathBuf>,
    /// What they say, as long as none of them has changed.
    opened: Option<Opened>,
    /// Where events go, once that is open.
    events: Option<Shared>,
    /// What has been confirmed.
    asked: Vec<Question>,
    source: Option<Source>,
    /// The services that are up.
    standing: Standing,
}

/// All that one run needs.
struct Prepared {
    plan: Arc<Plan>,
    around: Rc<Surroundings>,
    rules: Rules,
    /// Where the run is written down.
    journal: Option<Start>,
    /// What its files said.
    read: Read,
}

/// What follows a run, or a wait.
enum Next {
    /// What was asked for runs again, since these have changed; none where somebody asked for it.
    Again(Vec<PathBuf>),
    /// What failed runs again.
    Failed,
    /// The session is over.
    Over(Answer),
}

impl Session {
    async fn run(&mut self, (opened, plan): (Opened, Plan)) -> Result<Answer, String> {
        // What cannot be run to begin with is refused as ever.
        let options = self.options.clone();
        let mut prepared = match self.prepare(&options, &opened, plan) {
            Ok(prepared) => prepared,
            Err(answer) => return Ok(answer),
        };
        self.opened = Some(opened);
        let mut changed = None;
        loop {
            let mut next = self.cycle(prepared, changed.take()).await?;
            prepared = loop {
                let (paths, failed) = match next {
                    Next::Again(paths) => (paths, self.options.failed),
                    Next::Failed => (Vec::new(), true),
                    Next::Over(answer) => return Ok(answer),
                };
                // Who asks for all to run again may know of more than was seen to change.
                if paths.is_empty() || paths.iter().any(|path| self.files.contains(path)) {
                    self.opened = None;
                }
                match self.reload(&Options { failed, ..self.options.clone() }) {
                    Ok(prepared) => {
                        changed = Some(paths);
                        break prepared;
                    }
                    Err(answer) => next = self.broken(&paths, answer.err).await?,
                }
            };
        }
    }

    /// Plans anew, by files that are read anew if one has changed.
    fn reload(&mut self, options: &Options) -> Result<Prepared, Answer> {
        let opened = self.opened.take().map_or_else(|| self.reopen(options), Ok)?;
        if opened.tasks(options).is_empty() && !options.failed {
            return Err(Answer::refused("no task is asked for, and there is no `default` any more".to_owned()));
        }
        let plan = opened.plan(options)?;
        let prepared = self.prepare(options, &opened, plan);
        // What failed may be a command that stands in no file.
        self.opened = Some(opened).filter(|_| options.failed == self.options.failed);
        prepared
    }

    /// Reads the files; what they include is watched even if they make no sense.
    fn reopen(&mut self, options: &Options) -> Result<Opened, Answer> {
        let (opened, files) = self.open(options);
        if !files.is_empty() {
            self.files = files;
        }
        opened
    }

    fn prepare(&mut self, options: &Options, opened: &Opened, plan: Plan) -> Result<Prepared, Answer> {
        let refused = |found: Vec<_>| refuse(options, &found, &opened.file.sources);
        let around = surroundings(opened, &plan);
        let asked = questions(opened, &plan).map_err(refused)?;
        let rules = rules(options, (opened, &plan), &around, &self.files).map_err(refused)?;
        if asked != self.asked {
            confirm(options, &asked, &opened.file.sources)?;
            self.asked = asked;
        }
        let journal = again::start(options, opened, &around);
        let read = read(opened);
        Ok(Prepared { plan: Arc::new(plan), around: Rc::new(around), rules, journal, read })
    }

    /// One run and the wait after it.
    async fn cycle(&mut self, prepared: Prepared, changed: Option<Vec<PathBuf>>) -> Result<Next, String> {
        let Prepared { plan, around, rules, journal, read: before } = prepared;
        let root = around.root.clone();
        fault::point("before-watch");
        if self.watch(rules.wish.clone())? {
            // What was saved after it was read, and before it was watched, has changed all the same.
            let differ = differ(&before, &self.read());
            if !differ.is_empty() {
                self.opened = None;
                return Ok(Next::Again(differ));
            }
        }
        self.standing.retain(|name| plan.instances.iter().any(|instance| *instance.label.instance == *name));
        let setup = Setup { journal, ..self.setup(|options| setup(options, &plan))? };
        let (orders_tx, mut orders) = unbounded_channel();
        let (report, output) = show(setup, &plan, orders_tx.clone())?;
        if let Some(paths) = changed {
            tell(&output, names(&paths, &root));
        }
        if let Some(why) = self.source.as_mut().and_then(Source::trouble) {
            let why = format!("files are looked at every second, since the system cannot tell of changes: {why}");
            tell(&output, Event::Trouble { why });
        }
        let mut during = During { debounce: Debounce::new(rules.quiet), on_busy: rules.on_busy, changed: Vec::new() };
        let source = self.source.as_mut().ok_or("nothing is watched")?;
        let tasks = LocalSet::new();
        let mut over = false;
        let ending = {
            let how = How::of(&self.options).with(&self.standing);
            let once = once(plan, around, &self.link, how, output.clone(), &mut orders);
            let mut run = std::pin::pin!(tasks.run_until(once));
            loop {
                tokio::select! {
                    (ending, _) = &mut run => break ending,
                    Some(order) = self.told.recv() => {
                        over |= matches!(order, Order::Cancel(..));
                        // A run that has ended needs no orders.
                        let _ = orders_tx.send(order);
                    }
                    restart = during.wait(source) => if restart {
                        let _ = orders_tx.send(Order::Cancel(Reason::Changed, Level::Soft));
                    }
                }
            }
        };
        drop(tasks);
        let passed_over = during.finish(source, &self.files);
        if passed_over > 0 && self.options.show.verbose {
            let why = format!("{passed_over} files changed while it ran, which begins no run");
            tell(&output, Event::Trouble { why });
        }
        if during.changed.is_empty() && !over {
            tell(&output, self.waiting());
        }
        drop(output);
        let (exit, complaint) = close(report, ending.code, ending.signal);
        if over || !complaint.is_empty() || ending.signal.is_some() {
            return Ok(Next::Over(Answer { out: String::new(), err: complaint, exit }));
        }
        Ok(self.wait(during.changed, rules.quiet).await)
    }

    /// The session is over, and with it all services.
    async fn finish(&mut self) {
        let told = &mut self.told;
        let hurry = async { while !matches!(told.recv().await, Some(Order::Cancel(..)) | None) {} };
        self.standing.end(hurry).await;
    }

    /// Shows what is wrong with the files, and waits until they change.
    async fn broken(&mut self, paths: &[PathBuf], text: String) -> Result<Next, String> {
        if let Some(source) = &self.source {
            let files = self.files.iter().cloned().collect();
            self.watch(Wish { files, ..source.wanted().wish.clone() })?;
        }
        let setup =
            self.setup(|options| Setup::standard(options.show.wishes(false)?, &|name| std::env::var_os(name)))?;
        let (tx, rx) = unbounded_channel();
        let shown = report::spawn(setup, rx, Box::new(|_| ())).map_err(cannot("start the report"))?;
        let output = OutputTx::new(tx);
        let root = self.files.first().and_then(|file| file.parent()).unwrap_or(Path::new("")).to_owned();
        tell(&output, names(paths, &root));
        tell(&output, Event::Broken { text: text.trim_end().to_owned() });
        tell(&output, self.waiting());
        drop(output);
        let (exit, complaint) = close(shown, 0, None);
        if !complaint.is_empty() {
            return Ok(Next::Over(Answer { out: String::new(), err: complaint, exit }));
        }
        Ok(self.wait(Vec::new(), rules::QUIET).await)
    }

    /// How what comes is shown. What events are written to is opened once.
    fn setup(&mut self, make: impl Fn(&Options) -> io::Result<Setup>) -> Result<Setup, String> {
        let failed = cannot("write where the output should go");
        if let Some(shared) = &self.events {
            let mut options = self.options.clone();
            options.show.events = None;
            return Ok(Setup { events: Some(Box::new(shared.clone())), ..make(&options).map_err(failed)? });
        }
        let mut setup = make(&self.options).map_err(failed)?;
        if let Some(EventsTo::Path(_) | EventsTo::Fd(_)) = self.options.show.events {
            self.events = setup.events.take().map(Shared::new);
            setup.events = self.events.clone().map(|shared| Box::new(shared) as Box<dyn Write + Send>);
        }
        Ok(setup)
    }

    /// Watches this, as it was where that is nothing new; whether it is.
    fn watch(&mut self, wish: Wish) -> Result<bool, String> {
        let new = self.source.as_ref().is_none_or(|source| source.wanted().wish != wish);
        if new {
            // The old one goes first: there is a limit of watches for each user.
            self.source = None;
            self.source = Some(Source::new(Arc::new(Wanted::new(wish)?)));
        }
        Ok(new)
    }

    /// What the files say now.
    fn read(&self) -> Read {
        self.open(&self.options).0.map(|opened| read(&opened)).unwrap_or_default()
    }

    /// Opens the same file as before, and not one further up while that is away; with all that it is made of.
    fn open(&self, options: &Options) -> (Result<Opened, Answer>, Vec<PathBuf>) {
        let file = options.file.clone().or_else(|| self.files.first().cloned());
        open_tracked(&Options { file, ..options.clone() })
    }

    /// Ctrl-Z between two runs: services stand still too.
    async fn stop(&self) {
        self.link.signal_all(Signal::Stop);
        self.link.flush().await;
        signals::stop();
        self.link.signal_all(Signal::Continue);
    }

    fn waiting(&self) -> Event {
        let files = self.source.as_ref().map_or(0, Source::count);
        Event::Waiting { files, keys: Keys::can_listen() }
    }

    /// Waits until files change or somebody says something. What has changed already is waited out.
    async fn wait(&mut self, mut changed: Vec<PathBuf>, quiet: Duration) -> Next {
        let mut debounce = Debounce::new(quiet);
        if !changed.is_empty() {
            debounce.note(Instant::now());
        }
        let (mut keys, reader) = (Keys::listen(), Reader::of_stdout());
        let over = |exit| Next::Over(Answer { out: String::new(), err: String::new(), exit });
        loop {
            let Some(source) = &mut self.source else { return over(Exit::Code(1)) };
            tokio::select! {
                order = self.told.recv() => match order {
                    Some(Order::Suspend) => {
                        drop(keys.take());
                        self.stop().await;
                        keys = Keys::listen();
                    }
                    Some(Order::Cancel(Reason::Signal(signal), _)) => return over(Exit::Signal(signal)),
                    Some(Order::Cancel(..)) | None => return over(Exit::Code(1)),
                },
                settled = settle(&mut debounce, source) => if settled {
                    changed.extend(source.told());
                    changed.sort_unstable();
                    changed.dedup();
                    if !changed.is_empty() {
                        return Next::Again(changed);
                    }
                },
                () = reader.gone() => {
                    let err = "xec: cannot write output: nobody reads it any more\n".to_owned();
                    return Next::Over(Answer { out: String::new(), err, exit: Exit::Code(1) });
                }
                pressed = pressed(keys.as_ref()) => match pressed {
                    None => keys = None,
                    Some(keys) if keys.contains(&b'q') => return over(Exit::Code(0)),
                    Some(keys) if keys.contains(&b'f') => {
                        source.changes();
                        return Next::Failed;
                    }
                    Some(keys) if keys.iter().any(|key| matches!(key, b'\r' | b'\n')) => {
                        // What has changed by now is known; what changes from now on is told.
                        source.changes();
                        return Next::Again(Vec::new());
                    }
                    Some(_) => {}
                },
            }
        }
    }
}

/// Runs what it is sent for as long as the session is there.
fn attend() -> UnboundedSender<LocalFuture<'static, ()>> {
    let (tx, mut rx) = unbounded_channel();
    tokio::task::spawn_local(async move {
        while let Some(work) = rx.recv().await {
            tokio::task::spawn_local(work);
        }
    });
    tx
}

async fn pressed(keys: Option<&Keys>) -> Option<Vec<u8>> {
    match keys {
        Some(keys) => keys.next().await,
        None => std::future::pending().await,
    }
}

fn tell(output: &OutputTx, event: Event) {
    output.tell(Duration::ZERO, event);
}
