//! Signals to xec itself: which of them it was told to ignore, and how it ends or stops of one.
#![allow(unsafe_code, reason = "dispositions are reached through libc alone")]

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};

/// Whether xec was started with this signal ignored (`nohup`, `&` in a script): it then stays so.
pub fn is_ignored(signal: i32) -> bool {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action asks only; `now` is written before it is read, and only on success.
    let handler = unsafe {
        if libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr()) != 0 {
            return false;
        }
        now.assume_init().sa_sigaction
    };
    handler == libc::SIG_IGN
}

/// Lets a write beyond the limit of file sizes (`ulimit -f`) fail as any other does, instead of ending xec. What xec
/// starts is not concerned: it begins with no signal ignored.
pub fn ignore_file_size_limit() {
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: an ignored signal runs no code of ours.
    let _ = unsafe { sigaction(Signal::SIGXFSZ, &ignore) }; // Cannot fail: the signal exists, and may be ignored.
}

/// Ends xec of a signal, as if it had never caught it. Returns only where the system will not have it.
pub fn die_of(signal: i32) {
    let Ok(signal) = Signal::try_from(signal) else { return };
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default disposition runs no code of ours.
    if unsafe { sigaction(signal, &default) }.is_ok() {
        // A dump of xec's memory would tell nobody anything.
        let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
        let _ = raise(signal);
    }
}

/// Stops xec until it is continued.
pub fn stop() {
    // Cannot fail: the signal exists, and no process may not signal itself.
    let _ = raise(Signal::SIGSTOP);
}
