//! How many connections may be on their way at once, and when one that was turned away tries again. Knows nothing of
//! what a connection is.
//!
//! An sshd turns away at random whoever comes while ten are not yet logged in (`MaxStartups 10:30:100`), and so does
//! one in the middle that many hosts are reached through, of which only ssh's own configuration knows. So the first
//! try is limited for each target, and only loosely for all together; who was turned away comes again later, and
//! with no more at once than any sshd takes, wherever that one is.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What any sshd takes.
const GENTLE: usize = 8;
/// What is on its way at once where nobody was turned away.
const BRISK: usize = 64;
/// The first pause; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// No pause is longer, but for its jitter.
const LONGEST: Duration = Duration::from_secs(5);

/// The gates that all hosts of a run have in common.
pub(super) struct Gates {
    all: Arc<Semaphore>,
    again: Arc<Semaphore>,
    targets: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// Held while on the way.
pub(super) struct Pass {
    _permits: [OwnedSemaphorePermit; 2],
}

impl Gates {
    pub(super) fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(BRISK)),
            again: Arc::new(Semaphore::new(GENTLE)),
            targets: Mutex::default(),
        }
    }

    /// Waits for a place; `turned_away` is how often that has happened.
    pub(super) async fn enter(&self, target: &str, turned_away: u32) -> Option<Pass> {
        let target = {
            let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(targets.entry(target.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(GENTLE))))
        };
        let all = if turned_away == 0 { &self.all } else { &self.again };
        // The narrow one first: who waits there holds nothing of what the others need. Neither is ever closed.
        let target = target.acquire_owned().await.ok()?;
        let all = Arc::clone(all).acquire_owned().await.ok()?;
        Some(Pass { _permits: [target, all] })
    }
}

/// How long to wait after having been turned away so often: twice as long each time, and never in step with others.
pub(super) fn pause(turned_away: u32) -> Duration {
    let whole = (PAUSE * 2u32.saturating_pow(turned_away.saturating_sub(1))).min(LONGEST);
    whole.mul_f64(0.5 + random())
}

/// From 0 to 1. A hasher's keys are the one source of randomness in std, and good enough to spread.
fn random() -> f64 {
    RandomState::new().hash_one(()) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        for (turned_away, least, most) in [(1, 100, 300), (2, 200, 600), (6, 2500, 7500), (400, 2500, 7500)] {
            let pause = pause(turned_away).as_millis();
            assert!((least..=most).contains(&pause), "{turned_away}: {pause}");
        }
        assert_ne!(pause(3), pause(3));
    }

    #[tokio::test]
    async fn no_more_than_any_sshd_takes() {
        let gates = Gates::new();
        let mut inside = Vec::new();
        for _ in 0..GENTLE {
            inside.push(gates.enter("one:22", 0).await.unwrap());
        }
        let mut next = std::pin::pin!(gates.enter("one:22", 0));
        assert!(futures_now(next.as_mut()).await.is_none());
        // Another target has places of its own, and who was turned away waits elsewhere.
        inside.push(gates.enter("two:22", 0).await.unwrap());
        for at in 0..GENTLE {
            inside.push(gates.enter(&format!("{at}:22"), 1).await.unwrap());
        }
        assert!(futures_now(std::pin::pin!(gates.enter("three:22", 2))).await.is_none());
        inside.remove(0);
        assert!(futures_now(next).await.is_some());
    }

    /// What a future says when asked once.
    async fn futures_now<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
            std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }
}
