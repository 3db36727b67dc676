//! Places where a test can have xec killed, as a crash would: `XEC_KILL_AT=name`. Not in a release.

/// Dies here, if the test says so.
#[cfg(debug_assertions)]
pub(crate) fn point(name: &str) {
    if std::env::var_os("XEC_KILL_AT").is_some_and(|wanted| wanted == name) {
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL); // Does not return.
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub(crate) fn point(_name: &str) {}
