//! Our end of the stdin of a wrapper: while it is open, and something is heard through it now and then, the command
//! at the other end may live. Knows nothing of how it gets there.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use crate::exec::Signal;
use crate::exec::fd;
use crate::exec::remote::channel::Cut;
use crate::exec::remote::wrapper::record;

/// How long the other side has to do as it is told before the channel itself is ended.
pub(crate) const LAST_WORD: Duration = Duration::from_secs(2);
/// How many times in which it should have heard of us the other side waits.
const MISSED: u64 = 4;

/// How long is waited for what.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// Until what was told to end is killed.
    pub(crate) grace: Duration,
    /// How often the other side hears of us, if there is a link between us that could be lost.
    pub(crate) beat: Option<Duration>,
}

/// The lease of one command.
pub(crate) struct Lease {
    pipe: Option<AsyncFd<OwnedFd>>,
    unsaid: Vec<u8>,
    /// How much of that has been said.
    said: usize,
}

impl Lease {
    pub(crate) fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self { pipe: Some(fd::watch(pipe, Interest::WRITABLE)?), unsaid: Vec::new(), said: 0 })
    }

    pub(crate) fn say(&mut self, line: Vec<u8>) {
        self.unsaid.extend(line);
    }

    /// Says all that is unsaid. The other side may have gone, of which its stderr tells.
    async fn speak(&mut self) {
        while let (true, Some(pipe)) = (self.said < self.unsaid.len(), &self.pipe) {
            let wrote = match pipe.writable().await {
                Ok(mut ready) => ready.try_io(|pipe| Ok(nix::unistd::write(pipe, &self.unsaid[self.said..])?)),
                Err(error) => Ok(Err(error)),
            };
            match wrote {
                Ok(Ok(count)) => self.said += count,
                Ok(Err(_)) => self.pipe = None,
                Err(_) => {}
            }
        }
        self.unsaid.clear();
        self.said = 0;
    }

    /// Says all that is unsaid, and ends when nobody is there to hear it.
    async fn broken(&mut self) {
        self.speak().await;
        if self.pipe.is_some() {
            std::future::pending().await
        }
    }

    /// Says all that is unsaid, and never ends.
    pub(crate) async fn keep(&mut self) {
        self.speak().await;
        std::future::pending().await
    }
}

/// Passes on what is ordered, and ends the channel itself where the other side does not obey in time, or does not
/// let go of it after the end of the command. Tells `deaf` where nobody there listens any more, and yet the command
/// is not said to have ended.
pub(crate) async fn hold(
    mut lease: Lease,
    mut orders: UnboundedReceiver<Signal>,
    exit: oneshot::Receiver<()>,
    deaf: oneshot::Sender<()>,
    mut cut: Cut,
    times: Times,
) {
    let Times { grace, beat: every } = times;
    let mut exit = std::pin::pin!(exit);
    let mut beat = every.map(|every| interval_at(Instant::now() + every, every));
    if let Some(beat) = &mut beat {
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    let (mut ordered, mut deaf, mut silence) = (true, Some(deaf), None);
    let patience = loop {
        tokio::select! {
            biased;
            order = orders.recv(), if ordered => match order {
                Some(Signal::Kill) => {
                    lease.say(line_of(Signal::Kill));
                    // A channel that takes nothing any more is not waited for.
                    let _ = tokio::time::timeout(LAST_WORD, lease.speak()).await;
                    lease.pipe = None;
                    break LAST_WORD;
                }
                Some(signal) => lease.say(line_of(signal)),
                None => ordered = false, // Nobody can order any more; it may still run.
            },
            _ = &mut exit => {
                lease.pipe = None; // Whatever listens there has nothing more to hear.
                break grace + LAST_WORD;
            }
            // What is unsaid still will be heard in its place.
            () = tick(&mut beat) => if lease.unsaid.is_empty() { lease.say(beat_of(every)) },
            // Mostly it is just about to say goodbye.
            () = lease.broken(), if silence.is_none() => silence = Some(Instant::now() + LAST_WORD),
            () = async { sleep_until(silence.unwrap_or_else(Instant::now)).await }, if silence.is_some() && deaf.is_some() => {
                let _: Option<Result<(), ()>> = deaf.take().map(|deaf| deaf.send(())); // Nobody needs to listen.
            }
        }
    };
    tokio::time::sleep(patience).await;
    cut.now();
}

/// When it is time to be heard; never, where there is no need to.
async fn tick(beat: &mut Option<Interval>) {
    match beat {
        Some(beat) => drop(beat.tick().await),
        None => std::future::pending().await,
    }
}

/// How many seconds a command lives on without hearing of us; there is room for three digits. 0 is for ever.
pub(crate) fn silence(every: Option<Duration>) -> u64 {
    every.map_or(0, |every| every.as_secs().saturating_mul(MISSED).clamp(2, 999))
}

/// What keeps a command alive for a while.
fn beat_of(every: Option<Duration>) -> Vec<u8> {
    record(&format!("BEAT{}", silence(every)))
}

/// A signal as the wrapper takes it: a name that `kill` knows on every system.
fn line_of(signal: Signal) -> Vec<u8> {
    record(match signal {
        Signal::End(number) => nix::sys::signal::Signal::try_from(number)
            .map_or("TERM", |signal| signal.as_str().trim_start_matches("SIG")),
        Signal::Kill => "KILL",
        Signal::Stop => "STOP",
        Signal::Continue => "CONT",
    })
}
