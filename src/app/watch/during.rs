//! What changes while a run goes on, and whether that ends it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::watch::debounce::Debounce;
use crate::watch::source::Source;
use crate::xecfile::model::OnBusy;

/// What the runtime's timers count in: they come when the next two of these are over, at the latest.
const TICK: Duration = Duration::from_millis(1);

/// What changes while a run goes on.
pub(super) struct During {
    pub(super) debounce: Debounce,
    pub(super) on_busy: OnBusy,
    pub(super) changed: Vec<PathBuf>,
}

impl During {
    /// Ends when something happens; says whether the run is to be ended for it.
    pub(super) async fn wait(&mut self, source: &mut Source) -> bool {
        if !settle(&mut self.debounce, source).await || self.on_busy != OnBusy::Restart {
            return false;
        }
        let first = self.changed.is_empty();
        self.changed.extend(source.told());
        first && !self.changed.is_empty()
    }

    /// The run is over: what has changed and begins another one is in `changed`. How much else there was.
    pub(super) fn finish(&mut self, source: &mut Source, files: &[PathBuf]) -> usize {
        // Nobody waits now: also for what nobody told of.
        self.changed.extend(source.changes());
        let before = self.changed.len();
        if self.on_busy == OnBusy::Ignore {
            self.changed.retain(|path| files.contains(path));
        }
        before - self.changed.len()
    }
}

/// Ends when something has happened, or, with `true`, when it is quiet again.
pub(super) async fn settle(debounce: &mut Debounce, source: &mut Source) -> bool {
    tokio::select! {
        () = source.rung() => {
            let (first, last) = source.heard();
            debounce.note(first);
            debounce.note(last);
            false
        }
        () = until(source.follow_at()) => {
            source.follow();
            false
        }
        () = until(debounce.due()) => debounce.settle(Instant::now()),
    }
}

async fn until(time: Option<Instant>) {
    let Some(time) = time else { return std::future::pending().await };
    tokio::time::sleep_until(time.checked_sub(TICK).unwrap_or(time).into()).await;
    // Somebody waits for a run that begins at once.
    #[expect(clippy::disallowed_methods, reason = "less than a tick, once for each storm of events")]
    std::thread::sleep(time.saturating_duration_since(Instant::now()).min(TICK));
}
