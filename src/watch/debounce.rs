//! When a storm of events is over. Pure: the time is given, and nothing is read.

use std::time::{Duration, Instant};

/// So many times the quiet that is waited for, a storm that does not end is waited for at most.
const PATIENCE: u32 = 20;

/// Waits until nothing has happened for a while.
#[derive(Clone, Debug)]
pub struct Debounce {
    quiet: Duration,
    /// When the first and the last of what has not been settled happened.
    storm: Option<(Instant, Instant)>,
}

impl Debounce {
    /// One that wants so much quiet.
    pub fn new(quiet: Duration) -> Self {
        Self { quiet, storm: None }
    }

    /// Something happened.
    pub fn note(&mut self, now: Instant) {
        let first = self.storm.map_or(now, |(first, _)| first);
        self.storm = Some((first, now));
    }

    /// When it is over, if nothing more happens.
    pub fn due(&self) -> Option<Instant> {
        self.storm.map(|(first, last)| (last + self.quiet).min(first + self.quiet * PATIENCE))
    }

    /// Whether it is over: then it is as if nothing had happened.
    pub fn settle(&mut self, now: Instant) -> bool {
        let over = self.due().is_some_and(|due| due <= now);
        if over {
            self.storm = None;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUIET: Duration = Duration::from_millis(100);

    #[test]
    fn nothing_is_never_due() {
        let mut debounce = Debounce::new(QUIET);
        assert_eq!(debounce.due(), None);
        assert!(!debounce.settle(Instant::now()));
    }

    proptest! {
        /// Whatever happens when: each event is settled, not before it was quiet or patience was at its end, and once.
        #[test]
        fn every_storm_is_settled_once(gaps in prop::collection::vec(0u64..300, 1..200)) {
            let mut debounce = Debounce::new(QUIET);
            let start = Instant::now();
            let (mut now, mut first, mut open) = (start, start, false);
            for gap in gaps {
                let next = now + Duration::from_millis(gap);
                if let Some(due) = debounce.due().filter(|due| *due <= next) {
                    prop_assert!(due == now + QUIET || due == first + QUIET * PATIENCE);
                    prop_assert!(due == now || !debounce.settle(due - Duration::from_nanos(1)));
                    prop_assert!(debounce.settle(due.max(now)));
                    prop_assert!(!debounce.settle(next));
                    open = false;
                }
                if !open {
                    first = next;
                }
                (now, open) = (next, true);
                debounce.note(now);
            }
            prop_assert!(debounce.settle(now + QUIET));
            prop_assert_eq!(debounce.due(), None);
        }
    }
}
