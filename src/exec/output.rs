//! From the pipes of a command to the report: bounded, in order, and past the dispatcher.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::base::event::{Event, JobId, Message, Output, Stream};
use crate::exec::mask::{Masks, Stage};

/// The bytes that may be on their way from all jobs of a run at once.
pub const BUDGET: usize = 8 * 1024 * 1024;
/// What one message costs beside its bytes, so that many small ones are bounded too.
pub(crate) const OVERHEAD: usize = 128;
/// What is waited for where there is not enough of the budget for more.
const LEAST: usize = 4096;

/// The end of what each job wrote to stderr.
type LastErrors = Arc<Mutex<HashMap<JobId, [Vec<u8>; 2]>>>;

/// The way of output to the report, shared by all jobs of a run.
#[derive(Clone, Debug)]
pub struct OutputTx {
    /// To the report; never blocks, which is why the budget below bounds it.
    tx: UnboundedSender<Message>,
    /// The bytes that may be on their way at once; at least 8 KiB in all.
    pub budget: Arc<Semaphore>,
    /// The last that each job wrote to stderr and to stdout, kept where hooks may want to know.
    pub errors: Option<LastErrors>,
    /// Who else wants what is written.
    pub taps: Vec<Tap>,
    /// What nobody must see.
    pub masks: Masks,
}

type Take = dyn Fn(Stream, &[u8]) + Send + Sync;

/// Someone who wants what a job writes, besides the report.
#[derive(Clone)]
pub struct Tap(Arc<Take>);

impl Tap {
    /// Who takes pieces like this.
    pub fn new(take: impl Fn(Stream, &[u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// Hands it a piece.
    pub fn give(&self, stream: Stream, bytes: &[u8]) {
        (self.0)(stream, bytes);
    }
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tap")
    }
}

/// So much is kept of what a job wrote to stderr.
const LAST_ERRORS: usize = 4096;

impl OutputTx {
    /// With the budget of a run.
    pub fn new(tx: UnboundedSender<Message>) -> Self {
        Self::with_budget(tx, BUDGET)
    }

    /// With a budget of so many bytes, or 8 KiB where that is less.
    pub fn with_budget(tx: UnboundedSender<Message>, bytes: usize) -> Self {
        Self {
            tx,
            budget: Arc::new(Semaphore::new(bytes.max(2 * LEAST))),
            errors: None,
            taps: Vec::new(),
            masks: Masks::default(),
        }
    }

    /// Keeps the last that each job writes.
    #[must_use]
    pub fn keep_errors(self) -> Self {
        Self { errors: Some(Arc::default()), ..self }
    }

    /// The same, for a job whose output others want too.
    #[must_use]
    pub fn with_taps(self, taps: Vec<Tap>) -> Self {
        Self { taps, ..self }
    }

    /// Tells what happened, at this time since the run began.
    pub fn tell(&self, at: Duration, mut event: Event) {
        if self.masks.any() {
            event.change(&|text| match self.masks.cover(text) {
                Cow::Owned(covered) => Some(covered),
                Cow::Borrowed(_) => None,
            });
        }
        let _ = self.tx.send(Message::Event(at, event)); // Without a report nobody has to be told.
    }

    /// Shows bytes that are there already, as those of this job; waits for room as any job does.
    pub async fn show(&self, job: JobId, stream: Stream, bytes: &[u8]) {
        let mut stage = Stage::new(self.masks.clone());
        for piece in bytes.chunks(64 * 1024) {
            self.show_piece(job, stream, &stage.add(piece.to_vec())).await;
        }
        self.show_piece(job, stream, &stage.finish()).await;
    }

    async fn show_piece(&self, job: JobId, stream: Stream, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() {
            let room = self.room(rest.len()).await;
            let (now, later) = rest.split_at(room.bytes.min(rest.len()));
            self.send(job, stream, now.to_vec(), room);
            rest = later;
        }
    }

    /// The last lines that a job wrote to stderr; of one that wrote none, those of its stdout.
    pub fn last_errors(&self, job: JobId) -> String {
        let kept = self.errors.as_ref().and_then(|errors| errors.lock().ok()?.get(&job).cloned()).unwrap_or_default();
        let said = kept.iter().find(|bytes| !bytes.trim_ascii().is_empty());
        String::from_utf8_lossy(said.map_or(&[], Vec::as_slice)).trim_end().to_owned()
    }

    fn remember(&self, job: JobId, stream: Stream, bytes: &[u8]) {
        let Some(mut errors) = self.errors.as_ref().and_then(|errors| errors.lock().ok()) else { return };
        let kept = &mut errors.entry(job).or_default()[usize::from(stream != Stream::Stderr)];
        kept.extend_from_slice(&bytes[bytes.len().saturating_sub(LAST_ERRORS)..]);
        let over = kept.len().saturating_sub(LAST_ERRORS);
        kept.drain(..over);
    }

    /// With its other end: for tests.
    pub fn pair() -> (Self, UnboundedReceiver<Message>) {
        let (tx, rx) = unbounded_channel();
        (Self::new(tx), rx)
    }

    /// Waits for a share of the budget: for `want` bytes, or less where there is less, but some. Nobody who
    /// drops this has lost anything.
    pub(crate) async fn room(&self, want: usize) -> Room {
        let whole = want + OVERHEAD;
        if let Ok(permit) = Arc::clone(&self.budget).try_acquire_many_owned(whole as u32) {
            return Room { bytes: want, permit: Some(permit) };
        }
        // A closed budget bounds nothing any more: the run is over.
        let permit = Arc::clone(&self.budget).acquire_many_owned(LEAST as u32).await;
        let Ok(mut permit) = permit else { return Room { bytes: want, permit: None } };
        let more = whole.saturating_sub(LEAST).min(self.budget.available_permits());
        if let Ok(rest) = Arc::clone(&self.budget).try_acquire_many_owned(more as u32) {
            permit.merge(rest);
        }
        Room { bytes: want.min(permit.num_permits() - OVERHEAD), permit: Some(permit) }
    }

    /// Hands over a piece that holds no secret (see [`Stage`]), which takes no more of its room than it needs.
    pub(crate) fn send(&self, job: JobId, stream: Stream, bytes: Vec<u8>, room: Room) {
        self.remember(job, stream, &bytes);
        self.taps.iter().for_each(|tap| tap.give(stream, &bytes));
        let hold = room.permit.map(|mut permit| {
            let spare = permit.num_permits().saturating_sub(bytes.len() + OVERHEAD);
            drop(permit.split(spare));
            permit
        });
        let _ = self.tx.send(Message::Output(Output { job, stream, bytes, hold })); // Without a report nobody reads it.
    }
}

/// Room for a piece of output.
pub(crate) struct Room {
    pub(crate) bytes: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// For what is kept and not reported.
    pub(crate) fn free(bytes: usize) -> Self {
        Self { bytes, permit: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_holds_what_it_weighs_until_it_is_dropped() {
        let (output, mut messages) = OutputTx::pair();
        let room = output.room(8192).await;
        assert_eq!(room.bytes, 8192);
        output.send(JobId(1), Stream::Stdout, b"hello".to_vec(), room);
        assert_eq!(output.budget.available_permits(), BUDGET - 5 - OVERHEAD);
        drop(messages.recv().await);
        assert_eq!(output.budget.available_permits(), BUDGET);
    }

    #[tokio::test]
    async fn who_finds_little_takes_little_and_waits_for_some() {
        let (tx, _messages) = unbounded_channel();
        let output = OutputTx::with_budget(tx, 10_000);
        let first = output.room(256 * 1024).await;
        assert_eq!(first.bytes, 10_000 - OVERHEAD);
        let mut second = std::pin::pin!(output.room(100));
        assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(second.as_mut().poll(cx).is_pending())).await);
        drop(first);
        assert_eq!(second.await.bytes, 100);
    }
}
