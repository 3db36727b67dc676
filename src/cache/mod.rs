//! Floor 3: what is up to date, and what can be brought back. Knows nothing of the scheduler, the graph or KDL: it
//! is asked about one task at a time, in patterns, facts and paths.
//!
//! - [`inputs`] finds the files that patterns mean, [`memo`] knows what they hold without reading them again;
//! - [`key`] is the one manifest of what decides, which is hashed, or explained;
//! - [`durations`] is how long commands took, which decides nothing but an order;
//! - [`ledger`] holds what became of tasks, [`store`] what they made, [`lock`] keeps two xecs apart;
//! - [`gc`] keeps all of it small;
//! - [`state`] puts these together: [`state::State::probe`] and [`state::State::claim`] before a task, [`state::State::settle`]
//!   after it; [`task`] has the words of all three.
//!
//! Nothing is believed that is not looked at: what a task made is up to date if it holds what it held, and a record
//! counts only if it is whole. A task that was begun and did not end well counts as never run.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod digest;
pub mod durations;
mod files;
mod frame;
pub mod gc;
pub mod inputs;
pub mod key;
pub mod ledger;
pub mod lock;
mod makers;
pub mod memo;
mod record;
mod settle;
pub mod state;
pub mod store;
pub mod task;
