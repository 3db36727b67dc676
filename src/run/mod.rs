//! Floor 4: a plan and targets in, events and a verdict out. Knows nothing of printing, nor of KDL.
//!
//! ```text
//! dispatch ── Input ──► scheduler (pure) ── Action ──► dispatch ──► job ──► Target
//!     ▲                    │    limits, phase                        │
//!     └────────────────────┴──────── Started, Ended ◄────────────────┘
//! ```
//!
//! All run state is in the scheduler, which the dispatcher alone owns; jobs and timers are messages to it.

pub mod clock;
pub mod command;
pub mod copies;
pub mod dispatch;
pub mod facts;
pub mod feed;
pub mod hosts;
pub mod items;
pub mod job;
pub mod keep;
pub mod lets;
pub mod limits;
mod machine;
pub mod phase;
pub mod place;
pub mod probe;
pub mod questions;
pub mod ready;
pub mod sampling;
pub mod scheduler;
pub mod secrets;
pub mod standing;
pub mod temps;
#[cfg(test)]
mod testing;
pub mod values;
