//! One attempt of one leaf, from its start to its end. Knows nothing of the graph around it.
//!
//! A job says exactly one thing last: [`News::Ended`]. A guard says it where the job is dropped or panics, so
//! that the run can never wait for a job that is not there.

use std::rc::Rc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::base::command::{CommandSpec, NotStarted, Outcome};
use crate::base::event::{Event, JobId, StepLabel, Waits};
use crate::exec::copy::{self, Copy};
use crate::exec::output::OutputTx;
use crate::exec::pipeline::Member;
use crate::exec::remote::RemoteTarget;
use crate::exec::{Finished, JobCx, LocalFuture, Running, Signal, Target, pipeline};
use crate::plan::ids::ScopeId;
use crate::run::clock::RunClock;
use crate::run::probe::Said;
use crate::run::sampling::{self, Course, Sampling};
use crate::run::scheduler::JobEnd;

/// Sends signals to a job.
pub type Control = Box<dyn Fn(Signal)>;

/// The way to a process that need not be there yet.
#[derive(Default)]
pub struct Mailbox {
    control: Option<Control>,
    /// What was sent before there was a process.
    held: Vec<Signal>,
}

impl Mailbox {
    /// The process gets it, once it is there.
    pub fn send(&mut self, signal: Signal) {
        match &self.control {
            Some(control) => control(signal),
            None => self.held.push(signal),
        }
    }

    /// The process is there.
    pub fn open(&mut self, control: Control) {
        self.held.drain(..).for_each(&control);
        self.control = Some(control);
    }
}

/// What a job tells the dispatcher.
pub enum News {
    /// It runs, and can be ended by this.
    Started(JobId, Control),
    /// It is over.
    Ended(JobId, JobEnd),
    /// A service can be used.
    Ready(ScopeId),
    /// It wrote these lines, which somebody wants at once.
    Lines(JobId, Vec<Vec<u8>>),
    /// A question is being asked, and can be ended by this.
    Asked(JobId, Control),
    /// A question was answered.
    Answered(JobId, Said),
}

/// A place that something is copied from or to.
pub type CopyEnd = LocalFuture<'static, Result<RemoteTarget, NotStarted>>;

/// What a job does.
pub enum Doing {
    /// Runs these, each reading what the one before it writes.
    Commands(Vec<Member>),
    /// Copies this, from the one place to the other.
    Copy(Copy, [CopyEnd; 2]),
}

/// What is done before it.
pub struct Before {
    /// Where.
    pub target: Rc<dyn Target>,
    /// What.
    pub spec: CommandSpec,
    /// What it means if that fails.
    pub what: &'static str,
}

/// All that a job needs.
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// What it is for, as it is shown.
    pub step: std::sync::Arc<StepLabel>,
    /// Counted from 1.
    pub attempt: u32,
    /// What it waited for.
    pub waits: Waits,
    /// How many slots it holds.
    pub slots: u32,
    /// How often what it uses is measured, and by whom.
    pub sample: Option<Sampling>,
    /// What to do before that.
    pub before: Vec<Before>,
    /// What to do; `Err` is why that is not known.
    pub work: Result<Doing, String>,
    /// Whether each line of what it keeps is wanted at once.
    pub streams: bool,
}

/// Runs a job to its end.
pub async fn run(job: Job, output: OutputTx, clock: Rc<RunClock>, news: UnboundedSender<News>) {
    let Job { id, step, attempt, waits, slots, sample, before, work, streams } = job;
    let mut guard = Guard { job: id, news: Some(news) };
    let report = output.clone();
    let tell = |pid| report.tell(clock.now(), Event::StepStarted { job: id, step, attempt, waits, slots, pid });
    let (to, mut lines) = streams.then(unbounded_channel).unzip();
    let cx = JobCx { lines: to, ..JobCx::new(id, output) };
    // Boxed: what few jobs do takes no room of all others.
    let ready = if before.is_empty() { Ok(()) } else { Box::pin(prepare(before, id, &report)).await };
    let started = match (ready, work) {
        (Ok(()), Ok(Doing::Commands(members))) => pipeline::start(members, cx).await,
        (Ok(()), Ok(Doing::Copy(what, ends))) => Box::pin(start_copy(what, ends, cx)).await,
        (Err(why), _) => Err(why),
        (_, Err(why)) => Err(NotStarted::Failed(why)),
    };
    let end = match started {
        Ok(Running { pid, control, mut done, mut stops }) => {
            tell(pid);
            let mut course = sample.zip(pid).map(|(sampling, pid)| Course::begin(sampling, pid, clock.clone()));
            guard.started(control);
            let finished = loop {
                tokio::select! {
                    finished = &mut done => break finished,
                    Some(more) = next(&mut lines), if lines.is_some() => guard.wrote(more),
                    sample = sampling::next(&mut course) => report.tell(clock.now(), Event::StepSampled { job: id, sample }),
                    Some(signal) = stops.recv() => {
                        report.tell(clock.now(), Event::StepStopped { job: id, signal });
                    }
                }
            };
            while let Some(Ok(more)) = lines.as_mut().map(UnboundedReceiver::try_recv) {
                guard.wrote(more);
            }
            let Finished { outcome, usage, captures, capture_overflow, leaked } = finished;
            JobEnd { outcome, usage, captures, capture_overflow, leaked, bad_value: None }
        }
        Err(why) => {
            // What finds no room is tried again, and has not been started in anyone's eyes.
            if !matches!(why, NotStarted::Scarce(_)) {
                tell(None);
            }
            JobEnd::plain(Outcome::NotStarted(why))
        }
    };
    guard.ended(end);
}

/// The next lines, if anybody wants them.
async fn next(lines: &mut Option<UnboundedReceiver<Vec<Vec<u8>>>>) -> Option<Vec<Vec<u8>>> {
    lines.as_mut()?.recv().await
}

/// Does one after the other.
async fn prepare(before: Vec<Before>, job: JobId, output: &OutputTx) -> Result<(), NotStarted> {
    for Before { target, spec, what } in before {
        let running = target.start(spec, JobCx::new(job, output.clone())).await?;
        match running.done.await.outcome {
            Outcome::Exited(0) => {}
            Outcome::Unknown(why) => return Err(NotStarted::Unreachable(why)),
            Outcome::NotStarted(why) => return Err(why),
            Outcome::Exited(_) | Outcome::Signalled(_) => return Err(NotStarted::Failed(what.to_owned())),
        }
    }
    Ok(())
}

async fn start_copy(what: Copy, [from, to]: [CopyEnd; 2], cx: JobCx) -> Result<Running, NotStarted> {
    let (from, to) = tokio::join!(from, to);
    Ok(copy::start(what, from?, to?, cx))
}

struct Guard {
    job: JobId,
    news: Option<UnboundedSender<News>>,
}

impl Guard {
    fn started(&self, control: Control) {
        if let Some(news) = &self.news {
            // Without a dispatcher there is no run.
            let _ = news.send(News::Started(self.job, control));
        }
    }

    fn wrote(&self, lines: Vec<Vec<u8>>) {
        if let Some(news) = &self.news {
            let _ = news.send(News::Lines(self.job, lines));
        }
    }

    fn ended(&mut self, end: JobEnd) {
        if let Some(news) = self.news.take() {
            let _ = news.send(News::Ended(self.job, end));
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.ended(JobEnd::plain(Outcome::Unknown("xec lost track of it".to_owned())));
    }
}
