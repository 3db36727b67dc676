//! What there is to do for a running command until it has ended: move its output, wait for its exit, and not
//! wait for ever for whoever else holds its pipes. Knows nothing of how it was started.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::command::{Captures, Outcome, Usage};
use crate::exec::pump::{Destination, Pump};
use crate::exec::remote::markers::Markers;
use crate::exec::tree::pipe_holders;
use crate::exec::{Finished, LocalFuture};

/// How long a pipe may wait to be read first: most commands end before that, and then nothing has to watch it.
const UNHURRIED: Duration = Duration::from_millis(3);

/// How long a pipe may stay open after the command has ended.
const LEAK_BOUND: Duration = Duration::from_millis(100);

/// Says how a command ended, from what is known of its process or channel (nothing, where that was lost) and what
/// was heard in the stream.
pub(crate) type Judge<E> = Box<dyn FnOnce(Option<E>, Option<&Markers>) -> (Outcome, Option<Usage>) + Send>;

/// A running command, whose process or channel ends with an `E`.
pub(crate) struct Attendant<E> {
    /// Its first process here, or 0.
    pub(crate) pid: i32,
    pub(crate) exit: oneshot::Receiver<E>,
    pub(crate) stdout: Option<Pump>,
    pub(crate) stderr: Option<Pump>,
    /// What else goes on while it runs, such as feeding it.
    pub(crate) side: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// What is done as soon as it has ended.
    pub(crate) after: Option<Box<dyn FnOnce() + Send>>,
    /// Who holds its pipes after its end is meant to.
    pub(crate) leave: bool,
    /// How it ended.
    pub(crate) judge: Judge<E>,
}

impl<E: Send + 'static> Attendant<E> {
    /// Attends to it, whoever may drop the answer. Nothing of its output is handed over before the answer is
    /// asked for (or dropped), so that whoever started it can first say so.
    pub(crate) fn begin(self) -> LocalFuture<'static, Finished> {
        let (asked, gate) = oneshot::channel::<()>();
        let (answer, finished) = oneshot::channel();
        // In a box from the first: a future of this size would be moved half a dozen times before it is polled once.
        tokio::spawn(Box::pin(async move {
            let _ = answer.send(self.attend(gate).await); // Nobody needs to hear it.
        }));
        Box::pin(async move {
            drop(asked);
            finished.await.unwrap_or_else(|_| Finished {
                outcome: Outcome::Unknown("xec stopped attending to it".to_owned()),
                usage: None,
                captures: Captures::default(),
                capture_overflow: None,
                leaked: Vec::new(),
            })
        })
    }

    async fn attend(mut self, gate: oneshot::Receiver<()>) -> Finished {
        let exit = self.until_exit(gate).await;
        let leaked = self.after_exit().await;
        let (outcome, usage) = (self.judge)(exit, self.stderr.as_ref().and_then(Pump::markers));
        let mut finished = Finished { outcome, usage, captures: Captures::default(), capture_overflow: None, leaked };
        if let Some(Destination::Capture(capture)) = self.stdout.map(Pump::into_destination) {
            match capture.finish() {
                Ok(bytes) => finished.captures.stdout = Some(bytes.into()),
                Err(cap) => finished.capture_overflow = Some(cap),
            }
        }
        finished
    }

    async fn until_exit(&mut self, mut gate: oneshot::Receiver<()>) -> Option<E> {
        let mut side = self.side.take();
        loop {
            tokio::select! {
                _ = &mut gate => break, // Its sender is only ever dropped.
                () = async { if let Some(side) = &mut side { side.await } }, if side.is_some() => side = None,
            }
        }
        let patient = side.is_none() && !self.listens();
        let soon = if patient { tokio::time::timeout(UNHURRIED, &mut self.exit).await.ok() } else { None };
        let mut pumps = std::pin::pin!(run_both(&mut self.stdout, &mut self.stderr));
        let mut pumping = true;
        let exit = loop {
            if let Some(exit) = soon {
                break exit.ok();
            }
            tokio::select! {
                biased;
                () = &mut pumps, if pumping => pumping = false,
                exit = &mut self.exit => break exit.ok(),
                () = async { if let Some(side) = &mut side { side.await } }, if side.is_some() => side = None,
            }
        };
        if let Some(after) = self.after.take() {
            after();
        }
        if pumping {
            tokio::select! {
                biased;
                () = pumps => {}
                () = tokio::time::sleep(LEAK_BOUND) => {}
            }
        }
        exit
    }

    /// Whether its end is heard in what it writes.
    fn listens(&self) -> bool {
        [&self.stdout, &self.stderr].into_iter().flatten().any(|pump| pump.markers().is_some())
    }

    /// What the command has written is moved however slow the reader is; only the wait for more is bounded.
    async fn after_exit(&mut self) -> Vec<String> {
        let mut open = Vec::new();
        for pump in [&mut self.stdout, &mut self.stderr].into_iter().flatten() {
            if !pump.ended() {
                pump.drain().await;
            }
            open.extend(pump.open_inode());
            pump.finish();
        }
        if open.is_empty() || self.leave { Vec::new() } else { pipe_holders(&open, self.pid) }
    }
}

async fn run_both(stdout: &mut Option<Pump>, stderr: &mut Option<Pump>) {
    let run = |pump| async move {
        let pump: &mut Option<Pump> = pump;
        if let Some(pump) = pump {
            pump.run().await;
        }
    };
    tokio::join!(run(stdout), run(stderr));
}
