//! The terminal that xec was started in, and its return. Knows nothing of jobs but the number of a group.

use std::io::{IsTerminal, Stdin, stdin};
use std::sync::Mutex;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

/// The terminal as it was found; dropping it puts that back. `main` may hold one for as long as xec lives.
pub struct Terminal {
    stdin: Stdin,
    group: Pid,
    /// The modes as they were found, and who has the foreground.
    state: Mutex<(Termios, State)>,
}

/// Who has the foreground.
enum State {
    /// We do; with the modes of a job that had it before and may have it again.
    Ours(Option<Box<Termios>>),
    /// A job does.
    Given,
    /// We do, for good.
    Over,
}

impl Terminal {
    /// The terminal on stdin, if there is one and it is ours to give.
    pub fn find() -> Option<Self> {
        let stdin = stdin();
        let group = getpgrp();
        if !stdin.is_terminal() || tcgetpgrp(&stdin) != Ok(group) {
            return None;
        }
        let found = tcgetattr(&stdin).ok()?;
        Some(Self { stdin, group, state: Mutex::new((found, State::Ours(None))) })
    }

    /// Gives the foreground to a group, with the modes that it had when it lost it; `false` if that cannot be.
    pub(crate) fn give(&self, group: i32) -> bool {
        let Ok(mut state) = self.state.lock() else { return false };
        let modes = match &state.1 {
            State::Over => return false,
            State::Ours(modes) => modes.as_deref(),
            State::Given => None,
        };
        let given = undisturbed(|| {
            if let Some(modes) = modes {
                let _ = tcsetattr(&self.stdin, SetArg::TCSANOW, modes); // It may set them again itself.
            }
            tcsetpgrp(&self.stdin, Pid::from_raw(group)).is_ok()
        });
        if given {
            state.1 = State::Given;
        }
        given
    }

    /// Takes it back from a job that has stopped, and keeps the job's modes.
    pub(crate) fn borrow_back(&self) {
        let modes = tcgetattr(&self.stdin).ok().map(Box::new);
        self.take(State::Ours(modes));
    }

    /// Puts everything back as it was found, for good.
    pub fn restore(&self) {
        self.take(State::Over);
    }

    fn take(&self, next: State) {
        let Ok(mut state) = self.state.lock() else { return };
        if let State::Given = state.1 {
            undisturbed(|| {
                // A terminal that is gone needs nothing back.
                let _ = tcsetpgrp(&self.stdin, self.group);
                let _ = tcsetattr(&self.stdin, SetArg::TCSANOW, &state.0);
            });
            state.1 = next;
        } else if let State::Over = next {
            state.1 = next;
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Does what would stop us while we are in the background.
fn undisturbed<T>(act: impl FnOnce() -> T) -> T {
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTTOU);
    let mut before = SigSet::empty();
    let blocked = pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&stop), Some(&mut before)).is_ok();
    let answer = act();
    if blocked {
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None); // It was valid before.
    }
    answer
}
