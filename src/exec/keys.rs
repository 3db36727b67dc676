//! Keys, one by one, from the terminal that xec was started in. Nothing else may read or own it meanwhile.

use std::io::{self, IsTerminal as _, Stdin, stdin};
use std::os::fd::{AsFd as _, OwnedFd};

use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::exec::fd;

/// A terminal that gives each key as it is pressed and does not show it; Ctrl-C and Ctrl-Z are signals as ever.
/// Dropping it puts the terminal back as it was found.
pub struct Keys {
    stdin: Stdin,
    found: Termios,
    ready: AsyncFd<OwnedFd>,
}

impl Keys {
    /// Whether there are any: stdin is a terminal and we are in its foreground.
    pub fn can_listen() -> bool {
        let stdin = stdin();
        stdin.is_terminal() && tcgetpgrp(&stdin) == Ok(getpgrp())
    }

    /// The keys, if there are any. Must be called within a runtime.
    pub fn listen() -> Option<Self> {
        let stdin = stdin();
        if !Self::can_listen() {
            return None;
        }
        let ready = fd::watch(stdin.as_fd().try_clone_to_owned().ok()?, Interest::READABLE).ok()?;
        let found = tcgetattr(&stdin).ok()?;
        let mut modes = found.clone();
        modes.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        // A read takes what there is, and never waits.
        modes.control_chars[SpecialCharacterIndices::VMIN as usize] = 0;
        modes.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        tcsetattr(&stdin, SetArg::TCSANOW, &modes).ok()?;
        Some(Self { stdin, found, ready })
    }

    /// The next keys; `None` is a terminal that will give no more. May be dropped at any time.
    pub async fn next(&self) -> Option<Vec<u8>> {
        loop {
            let mut guard = self.ready.readable().await.ok()?;
            match fd::read(self.ready.get_ref().as_fd(), 64) {
                Ok(keys) if keys.is_empty() => return None,
                Ok(keys) => {
                    guard.clear_ready();
                    return Some(keys);
                }
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back. Who is in the background by now would be stopped for asking.
        if tcgetpgrp(&self.stdin) == Ok(getpgrp()) {
            let _ = tcsetattr(&self.stdin, SetArg::TCSANOW, &self.found);
        }
    }
}
