//! What a process and all below it use: CPU time and memory, as the kernel counts them. Knows no jobs.
//!
//! A process is below another if it was started from there and its parents still live, or if it is in the group of its
//! own: so what a step has left in the background counts too, but not what has made a session of its own and lost its
//! parent. CPU time of what has ended is known where its parent waited for it and is there itself.

#[cfg(target_os = "macos")]
mod mac;
#[cfg(not(target_os = "macos"))]
mod proc;

#[cfg(target_os = "macos")]
pub use mac::Meter;
#[cfg(not(target_os = "macos"))]
pub use proc::Meter;
