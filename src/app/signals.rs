//! How hard the run is ended, signal by signal. Pure; knows no clock and no processes.

use std::time::{Duration, Instant};

use nix::libc::{SIGINT, SIGQUIT};

use crate::base::event::Level;

/// So long after the first signal another one may still be the same wish: `timeout` sends its SIGTERM to xec and then
/// to its group, and a supervisor may send SIGHUP along.
const ONE_WISH: Duration = Duration::from_millis(200);

/// What the signals so far have come to.
#[derive(Default, Debug)]
pub(super) struct Escalation {
    began: Option<Instant>,
    /// The keys that have been pressed: Ctrl-C, Ctrl-\.
    pressed: Vec<i32>,
}

impl Escalation {
    /// What this signal asks for: the first ends the run softly, a key pressed again or any signal that comes later
    /// ends it hard; `None` is nothing that was not asked for already.
    pub(super) fn on(&mut self, signal: i32, now: Instant) -> Option<Level> {
        let again = self.pressed.contains(&signal);
        if !again && matches!(signal, SIGINT | SIGQUIT) {
            self.pressed.push(signal);
        }
        match self.began {
            None => {
                self.began = Some(now);
                Some(Level::Soft)
            }
            Some(began) => (again || now.saturating_duration_since(began) > ONE_WISH).then_some(Level::Kill),
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::libc::{SIGHUP, SIGTERM};

    use super::*;

    /// What each of these signals, after so many milliseconds, asks for.
    fn asked(signals: &[(i32, u64)]) -> Vec<Option<Level>> {
        let (mut escalation, start) = (Escalation::default(), Instant::now());
        signals.iter().map(|(signal, after)| escalation.on(*signal, start + Duration::from_millis(*after))).collect()
    }

    const SOFT: Option<Level> = Some(Level::Soft);
    const KILL: Option<Level> = Some(Level::Kill);

    #[test]
    fn one_wish_told_twice_is_one() {
        assert_eq!(asked(&[(SIGTERM, 0), (SIGTERM, 3)]), [SOFT, None]);
        assert_eq!(asked(&[(SIGTERM, 0), (SIGHUP, 1), (SIGTERM, 200)]), [SOFT, None, None]);
        assert_eq!(asked(&[(SIGTERM, 0), (SIGINT, 1)]), [SOFT, None]);
    }

    #[test]
    fn a_key_pressed_again_means_it() {
        assert_eq!(asked(&[(SIGINT, 0), (SIGINT, 1)]), [SOFT, KILL]);
        assert_eq!(asked(&[(SIGQUIT, 0), (SIGQUIT, 1)]), [SOFT, KILL]);
        assert_eq!(asked(&[(SIGTERM, 0), (SIGINT, 1), (SIGINT, 2)]), [SOFT, None, KILL]);
    }

    #[test]
    fn what_comes_later_means_it_too() {
        assert_eq!(asked(&[(SIGTERM, 5), (SIGTERM, 206)]), [SOFT, KILL]);
        assert_eq!(asked(&[(SIGINT, 0), (SIGTERM, 201), (SIGHUP, 202)]), [SOFT, KILL, KILL]);
    }
}
