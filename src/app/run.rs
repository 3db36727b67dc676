//! Runs tasks: wires the plan, the broker, the report and the signals, and waits for the end.

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::runtime::LocalOptions;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::app::confirm::{Question, confirm};
use crate::app::fleet::Fleet;
use crate::app::learn;
use crate::app::open::{Opened, refuse};
use crate::app::options::{Exit, Options};
use crate::app::signals::Escalation;
use crate::app::slots;
use crate::app::watch;
use crate::app::world::world;
use crate::app::{Answer, above, again};
use crate::base::diagnostic::Problem;
use crate::base::event::{Event, Level, Reason};
use crate::cache::state::{NoState, State};
use crate::exec::broker::{Broker, Link};
use crate::exec::jobserver::Pool;
use crate::exec::local::LocalTarget;
use crate::exec::locks::Locks;
use crate::exec::output::OutputTx;
use crate::exec::{Signal, signals};
use crate::plan::values::Values;
use crate::plan::{LeafId, LimitId, Plan};
use crate::report::{self, Setup};
use crate::run::command::Surroundings;
use crate::run::dispatch::{self, Dispatch, Ending, Order};
use crate::run::keep::{self, Memory};
use crate::run::standing::Standing;

pub(super) fn run(options: &Options, opened: Opened, broker: Option<Broker>) -> Answer {
    let plan = match opened.plan(options) {
        Ok(plan) => plan,
        Err(answer) => return answer,
    };
    if options.watch || watch::is_wanted(&opened, &plan) {
        return watch::watch(options, (opened, plan), broker);
    }
    let around = Rc::new(surroundings(&opened, &plan));
    let plan = Arc::new(plan);
    if let Some(problem) = above::check(&plan, &around) {
        return refuse(options, &[problem], &opened.file.sources);
    }
    let setup = match setup(options, &plan) {
        Ok(setup) => Setup { journal: again::start(options, &opened, &around), ..setup },
        Err(why) => return Answer::refused(format!("xec: cannot write where the output should go: {why}\n")),
    };
    let asked = match questions(&opened, &plan) {
        Ok(asked) => asked,
        Err(found) => return refuse(options, &found, &opened.file.sources),
    };
    if let Err(answer) = confirm(options, &asked, &opened.file.sources) {
        return answer;
    }
    let ran = match broker {
        Some(broker) => go(plan, around, setup, &broker, How::of(options)),
        None => Err("there is no process layer to run anything".to_owned()),
    };
    // The process ends with its run: taking the file apart first, piece by piece, would be of use to nobody.
    std::mem::forget(opened);
    let (exit, complaint) = match ran {
        Ok(ended) => ended,
        Err(why) => (Exit::Code(1), format!("xec: {why}\n")),
    };
    Answer { out: String::new(), err: complaint, exit }
}

/// Does something with a link to the process layer: on one thread, and all tasks in one queue of it, so that what wakes
/// one of them costs no system call.
pub(super) fn linked<T: 'static, W>(broker: &Broker, work: impl FnOnce(Link) -> W) -> Result<T, String>
where
    W: Future<Output = Result<T, String>> + 'static,
{
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder
        .enable_io()
        .enable_time()
        .build_local(LocalOptions::default())
        .map_err(cannot::<std::io::Error>("start"))?;
    let link = {
        let _here = runtime.enter();
        broker.link().map_err(cannot("reach the process layer"))?
    };
    // Not in `block_on` itself: waking what it waits for costs a write and a read of a descriptor each time.
    let whole = runtime.spawn_local(work(link));
    runtime.block_on(whole).map_err(cannot("finish"))?
}

pub(super) fn cannot<E: Display>(what: &'static str) -> impl Fn(E) -> String {
    move |why| format!("cannot {what}: {why}")
}

pub(super) fn setup(options: &Options, plan: &Plan) -> std::io::Result<Setup> {
    let several = plan.leaves.len() > 1 && plan.limits[LimitId::SLOTS.index()].count != Some(1);
    // Who has the terminal to himself shares no line of it.
    let shared = !(0..plan.leaves.len() as u32).any(|leaf| plan.command(LeafId(leaf)).interactive);
    let setup = Setup::standard(options.show.wishes(several)?, &|name| std::env::var_os(name))?;
    Ok(Setup { status: setup.status && shared, ..setup })
}

/// What is to be confirmed, in the order in which it would begin. What only hooks call is not asked for.
pub(super) fn questions(opened: &Opened, plan: &Plan) -> Result<Vec<Question>, Vec<Problem>> {
    let mut asked = Vec::new();
    for id in plan.order() {
        let instance = plan.instance(id);
        let task = &opened.file.tasks[plan.defs.tasks[instance.def.index()].index];
        let in_hook = plan.around(instance.scope).any(|scope| scope.is_hook);
        let Some(text) = task.confirm.as_ref().filter(|_| !in_hook) else { continue };
        let values = Values { file: &plan.files[usize::from(task.file.0)], inputs: &instance.inputs, world: world() };
        let said = values.must(text, "`confirm`").map_err(|problem| vec![*problem])?.flat();
        asked.push(Question { task: instance.label.instance.clone(), text: said, span: text.span });
    }
    Ok(asked)
}

pub(super) fn surroundings(opened: &Opened, plan: &Plan) -> Surroundings {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Surroundings {
        env: std::env::vars_os().collect(),
        dotenv: opened.file.files.iter().map(|scope| scope.dotenv.clone()).collect(),
        root: opened.file.root.clone(),
        run: format!("{:x}-{:x}", since.as_millis(), std::process::id()).into(),
        // Who asks for what went to stderr wants nothing else.
        merge: report::setup::share_a_place() && !plan.defs.ask_for_errors(),
    }
}

fn go(
    plan: Arc<Plan>,
    around: Rc<Surroundings>,
    setup: Setup,
    broker: &Broker,
    how: How,
) -> Result<(Exit, String), String> {
    let (orders_tx, mut orders) = unbounded_channel();
    let (report, output) = show(setup, &plan, orders_tx.clone())?;
    let ending = linked(broker, |link| async move {
        listen(&orders_tx, &link)?;
        let (ending, plan) = once(plan, around, &link, how, output, &mut orders).await;
        // As with the file.
        std::mem::forget(plan);
        Ok(ending)
    })?;
    // By now nobody can tell the report anything any more.
    Ok(close(report, ending.code, ending.signal))
}

/// The report of a run, and the way to it.
pub(super) fn show(
    setup: Setup,
    plan: &Plan,
    orders: UnboundedSender<Order>,
) -> Result<(JoinHandle<std::io::Result<()>>, OutputTx), String> {
    let (tx, rx) = unbounded_channel();
    let broken = Box::new(move |_| {
        // After the run there is nobody to be told, and nothing to be ended.
        let _ = orders.send(Order::Cancel(Reason::OutputClosed, Level::Soft));
    });
    let report = report::spawn(setup, rx, broken).map_err(cannot("start the report"))?;
    let output = OutputTx::new(tx);
    Ok((report, if plan.defs.ask_for_errors() { output.keep_errors() } else { output }))
}

/// What a run goes by, besides its plan.
pub(super) struct How {
    /// What was asked for runs, whatever is up to date.
    force: bool,
    /// `-j` was given: its slots are this run's own, whoever started it.
    own_slots: bool,
    /// The services of the session that it is a part of.
    standing: Option<Standing>,
}

impl How {
    pub(super) fn of(options: &Options) -> Self {
        Self { force: options.force, own_slots: options.jobs.is_some(), standing: None }
    }

    /// The same, as a part of a session.
    pub(super) fn with(self, standing: &Standing) -> Self {
        Self { standing: Some(standing.clone()), ..self }
    }
}

/// One run, from its first event to its last. Gives back the plan: not everybody has the time to take it apart.
pub(super) async fn once(
    plan: Arc<Plan>,
    around: Rc<Surroundings>,
    link: &Link,
    how: How,
    output: OutputTx,
    orders: &mut UnboundedReceiver<Order>,
) -> (Ending, Arc<Plan>) {
    let here = around.state();
    let mut plan = learn::order(Arc::unwrap_or_clone(plan), &here);
    let pool = slots::pool(how.own_slots, &mut plan, &around);
    let plan = Arc::new(plan);
    begin(&plan, &around, &output);
    let memory = remember(&plan, &around, &output);
    let fleet = Rc::new(Fleet::new(link.clone()));
    let (places, standing) = ((link, fleet.clone()), how.standing.clone());
    let ending = drive(plan.clone(), around, places, (memory.clone(), how, pool), output.clone(), orders).await;
    fleet.close().await;
    let spare = standing.map(|standing| standing.pids()).unwrap_or_default();
    sweep(link, &spare, &output, ending.at, orders).await;
    if let Err(why) = learn::keep(&plan, &ending, &here) {
        let why = format!("how long the commands took is not remembered: {why}");
        output.tell(ending.at, Event::Trouble { why });
    }
    if let Memory::Here(state) = memory
        && let Err(why) = state.close()
    {
        output.tell(ending.at, Event::Trouble { why });
    }
    output.tell(ending.at, ending.finished.clone());
    (ending, plan)
}

fn begin(plan: &Plan, around: &Surroundings, output: &OutputTx) {
    let event = Event::RunStarted {
        run: around.run.clone(),
        requested: plan.requested.iter().map(|(label, _)| label.clone()).collect(),
        jobs: plan.limits[LimitId::SLOTS.index()].count,
        tasks: plan.instances.iter().filter(|instance| !instance.hidden).count() as u32,
        steps: (0..plan.leaves.len() as u32).filter(|leaf| !plan.is_spare(LeafId(*leaf))).count() as u32,
    };
    output.tell(Duration::ZERO, event);
}

/// What earlier runs left, if anything in the plan wants to know. Without it everything runs, which is told.
fn remember(plan: &Plan, around: &Surroundings, output: &OutputTx) -> Memory {
    if !keep::is_wanted(plan) {
        return Memory::None;
    }
    match State::open(&around.state(), &around.run) {
        Ok(state) => Memory::Here(Arc::new(state)),
        Err(NoState(why)) => {
            let why = format!("nothing is up to date, and nothing is remembered: {why}");
            output.tell(Duration::ZERO, Event::Trouble { why });
            Memory::None
        }
    }
}

async fn drive(
    plan: Arc<Plan>,
    around: Rc<Surroundings>,
    (link, fleet): (&Link, Rc<Fleet>),
    (memory, how, pool): (Memory, How, Option<Pool>),
    output: OutputTx,
    orders: &mut UnboundedReceiver<Order>,
) -> Ending {
    let stopping = link.clone();
    let dispatch = Dispatch {
        plan,
        target: Rc::new(LocalTarget::new(link.clone())),
        hosts: fleet,
        around,
        memory,
        force: how.force,
        output,
        locks: Locks::of_user(),
        standing: how.standing,
        pool,
        suspend: Box::new(move || {
            let link = stopping.clone();
            Box::pin(async move {
                // Also what has been started and was not heard of yet.
                link.signal_all(Signal::Stop);
                link.flush().await;
                signals::stop();
                // On its way once the dispatcher has let go on what it knows, and given the terminal back.
                link.signal_all(Signal::Continue);
            })
        }),
    };
    dispatch::run(dispatch, orders).await
}

/// Ends what finished steps left behind; a further signal hastens that.
async fn sweep(link: &Link, spare: &[u32], output: &OutputTx, at: Duration, orders: &mut UnboundedReceiver<Order>) {
    let mut sweep = std::pin::pin!(link.sweep(spare));
    let processes = loop {
        tokio::select! {
            processes = &mut sweep => break processes,
            Some(Order::Cancel(..)) = orders.recv() => drop(link.sweep_now(spare)),
        }
    };
    if !processes.is_empty() {
        output.tell(at, Event::Swept { processes });
    }
}

/// Signals end the run, softly or hard; Ctrl-Z stops it.
pub(super) fn listen(orders: &UnboundedSender<Order>, link: &Link) -> Result<(), String> {
    let escalation = Rc::new(RefCell::new(Escalation::default()));
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()] {
        let number = kind.as_raw_value();
        if signals::is_ignored(number) {
            continue;
        }
        let (mut stream, orders, escalation) =
            (signal(kind).map_err(cannot("listen to signals"))?, orders.clone(), escalation.clone());
        tokio::task::spawn_local(async move {
            while stream.recv().await.is_some() {
                if let Some(level) = escalation.borrow_mut().on(number, Instant::now()) {
                    let _ = orders.send(Order::Cancel(Reason::Signal(number), level));
                }
            }
        });
    }
    let stop = SignalKind::from_raw(nix::libc::SIGTSTP);
    if !signals::is_ignored(stop.as_raw_value()) {
        let (mut stream, orders) = (signal(stop).map_err(cannot("listen to signals"))?, orders.clone());
        tokio::task::spawn_local(async move {
            while stream.recv().await.is_some() {
                let _ = orders.send(Order::Suspend);
            }
        });
    }
    let (lost, orders) = (link.lost(), orders.clone());
    tokio::task::spawn_local(async move {
        lost.await;
        let _ = orders.send(Order::Cancel(Reason::Lost, Level::Kill));
    });
    Ok(())
}

pub(super) fn close(report: JoinHandle<std::io::Result<()>>, code: i32, signal: Option<i32>) -> (Exit, String) {
    report.thread().unpark();
    let complaint = match report.join() {
        Ok(Ok(())) => None,
        Ok(Err(why)) => Some(format!("xec: cannot write output: {why}\n")),
        Err(_) => Some("xec: the report failed; its output is not complete\n".to_owned()),
    };
    let exit = match (signal, &complaint) {
        (Some(signal), _) => Exit::Signal(signal),
        (None, Some(_)) if code == 0 => Exit::Code(1),
        (None, _) => Exit::Code(code),
    };
    (exit, complaint.unwrap_or_default())
}
