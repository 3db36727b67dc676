//! Places where a test can have xec killed, as a crash would (`XEC_KILL_AT=name`), or stopped until it is told to go on
//! (`XEC_STOP_AT=name`), so that something comes in between. Not in a release.

/// Dies or stops here, if the test says so.
#[cfg(debug_assertions)]
pub(crate) fn point(name: &str) {
    if std::env::var_os("XEC_KILL_AT").is_some_and(|wanted| wanted == name) {
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL); // Does not return.
    }
    if std::env::var_os("XEC_STOP_AT").is_some_and(|wanted| wanted == name) {
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP); // Until SIGCONT.
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub(crate) fn point(_name: &str) {}
