//! xec: a declarative task runner. One graph of tasks over this machine and a fleet of hosts.
//!
//! # The way of the data
//!
//! ```text
//! text ─► document ─► Xecfile ─► Plan ─► Scheduler ⇄ Dispatcher ⇄ Jobs ⇄ Targets
//!         (kdl)      (typed,     (DAG +   (pure)      (the one     (one      (local, ssh, …)
//!                     spanned)   scopes)               owner)      attempt)
//!                                                        │
//!                                                      Event ─► reporters
//! ```
//!
//! One direction, no way back: nothing to the right is known to anything on its left. [`base::event`] is the
//! only bridge from running to showing; neither side sees the other.

pub mod app;
pub mod base;
pub mod cli;
pub mod exec;
pub mod plan;
pub mod report;
pub mod run;
pub mod xecfile;
