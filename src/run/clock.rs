//! The clock of a run: it begins with the run, and stands still under Ctrl-Z.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// Shared by the dispatcher and its jobs.
#[derive(Debug)]
pub struct RunClock {
    start: Cell<Instant>,
    stopped: Cell<Option<Instant>>,
}

impl RunClock {
    /// Starts now.
    pub fn start() -> Self {
        Self { start: Cell::new(Instant::now()), stopped: Cell::new(None) }
    }

    /// The time since the start, without the time it stood still.
    pub fn now(&self) -> Duration {
        self.stopped.get().unwrap_or_else(Instant::now).saturating_duration_since(self.start.get())
    }

    /// When a time of this clock will come, if it does not stand still until then.
    pub fn when(&self, time: Duration) -> Instant {
        self.start.get() + time
    }

    /// Stands still from here on.
    pub fn stop(&self) {
        self.stopped.set(self.stopped.get().or_else(|| Some(Instant::now())));
    }

    /// Goes on from where it stood.
    pub fn resume(&self) {
        if let Some(stopped) = self.stopped.take() {
            self.start.set(self.start.get() + stopped.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stands_still_while_stopped() {
        let clock = RunClock::start();
        tokio::time::advance(Duration::from_secs(2)).await;
        clock.stop();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(clock.now(), Duration::from_secs(2));
        clock.resume();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(clock.now(), Duration::from_secs(3));
    }
}
