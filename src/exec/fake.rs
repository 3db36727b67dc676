//! A target that starts nothing and does as it is told: for tests of anything that runs commands. It keeps
//! time with tokio's clock, so under a paused one a test takes no time at all.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep, sleep_until};

use crate::base::command::{Captures, CommandSpec, NotStarted, Outcome};
use crate::base::event::{JobId, Stream};
use crate::exec::output::OutputTx;
use crate::exec::{Finished, JobCx, LocalFuture, Running, Signal, Target};

/// What one command does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Act {
    /// How long it is until it is known whether it runs.
    pub start: Duration,
    /// It does not run, for this reason.
    pub refuse: Option<NotStarted>,
    /// How long it runs.
    pub run: Duration,
    /// What it writes to stdout at its end.
    pub output: Vec<u8>,
    /// How it ends by itself.
    pub outcome: Outcome,
    /// How long it still runs after [`Signal::End`], of which it then dies; `None` ignores it.
    pub on_end: Option<Duration>,
    /// What it leaves, if it ends by itself.
    pub captures: Captures,
}

impl Act {
    /// Runs for so long and succeeds; a signal ends it at once.
    pub fn ok(run: Duration) -> Self {
        Self::exit(run, 0)
    }

    /// Runs for so long and ends with this code; a signal ends it at once.
    pub fn exit(run: Duration, code: i32) -> Self {
        Self {
            start: Duration::ZERO,
            refuse: None,
            run,
            output: Vec::new(),
            outcome: Outcome::Exited(code),
            on_end: Some(Duration::ZERO),
            captures: Captures::default(),
        }
    }

    /// Cannot be started.
    pub fn refused(why: NotStarted) -> Self {
        Self { refuse: Some(why), ..Self::ok(Duration::ZERO) }
    }

    /// Takes no notice of anything but [`Signal::Kill`].
    #[must_use]
    pub fn stubborn(self) -> Self {
        Self { on_end: None, ..self }
    }
}

/// What happened to a command, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// To which.
    pub job: JobId,
    /// What.
    pub what: What,
}

/// What can happen to a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// It was asked for.
    Asked,
    /// It runs.
    Started,
    /// It cannot run.
    Refused(NotStarted),
    /// It was sent this.
    Signalled(Signal),
    /// It ended.
    Ended(Outcome),
}

type Script = Box<dyn Fn(&CommandSpec, usize) -> Act>;

/// The scripted target.
pub struct FakeTarget {
    script: Script,
    asked: RefCell<usize>,
    trace: Rc<RefCell<Vec<Entry>>>,
}

impl FakeTarget {
    /// Asks `script` what each command does; it is given the number of the call too, from 0.
    pub fn new(script: impl Fn(&CommandSpec, usize) -> Act + 'static) -> Self {
        Self { script: Box::new(script), asked: RefCell::default(), trace: Rc::default() }
    }

    /// All that happened so far, in order.
    pub fn trace(&self) -> Vec<Entry> {
        self.trace.borrow().clone()
    }

    /// The most commands that ran at the same time.
    pub fn widest(&self) -> usize {
        let mut running = 0usize;
        let widths = self
            .trace
            .borrow()
            .iter()
            .map(|entry| {
                match entry.what {
                    What::Started => running += 1,
                    What::Ended(_) => running -= 1,
                    What::Asked | What::Refused(_) | What::Signalled(_) => {}
                }
                running
            })
            .max();
        widths.unwrap_or(0)
    }
}

fn note(trace: &RefCell<Vec<Entry>>, job: JobId, what: What) {
    trace.borrow_mut().push(Entry { at: Instant::now(), job, what });
}

impl Target for FakeTarget {
    fn start<'a>(&'a self, spec: CommandSpec, cx: JobCx) -> LocalFuture<'a, Result<Running, NotStarted>> {
        let number = self.asked.replace_with(|asked| *asked + 1);
        let act = (self.script)(&spec, number);
        note(&self.trace, cx.job, What::Asked);
        Box::pin(async move {
            if !act.start.is_zero() {
                sleep(act.start).await;
            }
            if let Some(why) = act.refuse {
                note(&self.trace, cx.job, What::Refused(why.clone()));
                return Err(why);
            }
            note(&self.trace, cx.job, What::Started);
            let (signals, inbox) = unbounded_channel();
            let play = Play { act, job: cx.job, output: cx.output, trace: Rc::clone(&self.trace), inbox };
            let control = move |signal| {
                let _ = signals.send(signal); // It may have ended.
            };
            let (_, stops) = unbounded_channel();
            Ok(Running { pid: None, control: Box::new(control), done: Box::pin(play.run(Instant::now())), stops })
        })
    }
}

/// One command that runs.
struct Play {
    act: Act,
    job: JobId,
    output: OutputTx,
    trace: Rc<RefCell<Vec<Entry>>>,
    inbox: UnboundedReceiver<Signal>,
}

impl Play {
    async fn run(mut self, begun: Instant) -> Finished {
        let mut end = begun + self.act.run;
        let mut outcome = self.act.outcome.clone();
        let mut stopped: Option<Instant> = None;
        loop {
            let signal = tokio::select! {
                biased;
                Some(signal) = self.inbox.recv() => signal,
                () = sleep_until(end), if stopped.is_none() => break,
            };
            note(&self.trace, self.job, What::Signalled(signal));
            match signal {
                Signal::Kill => {
                    outcome = Outcome::Signalled(9);
                    break;
                }
                Signal::End(number) => {
                    if let Some(delay) = self.act.on_end
                        && Instant::now() + delay < end
                    {
                        end = Instant::now() + delay;
                        outcome = Outcome::Signalled(number);
                    }
                }
                Signal::Stop => stopped = stopped.or(Some(Instant::now())),
                Signal::Continue => end += stopped.take().map_or(Duration::ZERO, |since| since.elapsed()),
            }
        }
        self.finish(outcome).await
    }

    async fn finish(self, outcome: Outcome) -> Finished {
        if !self.act.output.is_empty() {
            let room = self.output.room(self.act.output.len()).await;
            self.output.send(self.job, Stream::Stdout, self.act.output.clone(), room);
        }
        note(&self.trace, self.job, What::Ended(outcome.clone()));
        let captures = if outcome == self.act.outcome { self.act.captures } else { Captures::default() };
        Finished { outcome, usage: None, captures, capture_overflow: None, leaked: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::command::Program;

    fn spec() -> CommandSpec {
        CommandSpec::new(Program::Words(vec!["x".into()]), "/", Duration::ZERO)
    }

    async fn started(target: &FakeTarget) -> Running {
        let (output, _) = OutputTx::pair();
        target.start(spec(), JobCx::new(JobId(7), output)).await.unwrap()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_takes_its_time_and_stands_still_when_stopped() {
        let target = FakeTarget::new(|_, _| Act::exit(10 * SECOND, 3));
        let begun = Instant::now();
        let running = started(&target).await;
        (running.control)(Signal::Stop);
        let resume = async {
            sleep(5 * SECOND).await;
            (running.control)(Signal::Continue);
        };
        let (finished, ()) = tokio::join!(running.done, resume);
        assert_eq!((finished.outcome, begun.elapsed()), (Outcome::Exited(3), 15 * SECOND));
        assert_eq!(target.widest(), 1);
        let last = target.trace().pop().unwrap();
        assert_eq!((last.job, last.what), (JobId(7), What::Ended(Outcome::Exited(3))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stubborn_one_needs_to_be_killed() {
        let target = FakeTarget::new(|_, number| match number {
            0 => Act::ok(60 * SECOND).stubborn(),
            1 => Act { on_end: Some(SECOND), ..Act::ok(60 * SECOND) },
            _ => Act::refused(NotStarted::Scarce("no room".to_owned())),
        });
        let begun = Instant::now();
        let stubborn = started(&target).await;
        (stubborn.control)(Signal::End(15));
        (stubborn.control)(Signal::Kill);
        assert_eq!(stubborn.done.await.outcome, Outcome::Signalled(9));
        let slow = started(&target).await;
        (slow.control)(Signal::End(2));
        assert_eq!((slow.done.await.outcome, begun.elapsed()), (Outcome::Signalled(2), SECOND));
        let (output, _) = OutputTx::pair();
        let refused = target.start(spec(), JobCx::new(JobId(8), output)).await;
        assert!(matches!(refused, Err(NotStarted::Scarce(_))));
    }
}
