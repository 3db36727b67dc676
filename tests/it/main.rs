//! What xec promises, held against the real binary: one file for each kind of promise.
#![allow(missing_docs, unreachable_pub, reason = "nobody reads the documentation of a test binary")]
#![allow(unsafe_code, reason = "terminals, limits and users are set between fork and exec")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may start processes, and panic")]

mod affected;
mod bad_input;
mod basics;
mod cache;
mod command_line;
mod docs;
mod environment;
mod everyday;
mod examples;
mod failures;
mod groups;
mod harness;
mod hosts;
mod journal;
mod late;
mod leave;
mod limits;
mod mutations;
mod output;
mod pool;
mod problems;
mod processes;
mod profile;
mod recipes;
mod scale;
mod scarcity;
mod secrets;
mod session;
mod signals;
mod terminal;
mod tune;
mod watch;
