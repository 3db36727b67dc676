//! Floor 5: from events of the file system to settled sets of changes. Knows nothing of tasks, plans and runs.
//!
//! - [`wanted`] says which files count, and what they look like now;
//! - [`source`] is told by the system (its `bell`) that something happened near them, and compares;
//! - [`debounce`] says when it is quiet.
//!
//! What the system tells is taken as a hint and no more: what has changed is what looks different. So it matters to
//! nobody how an editor saves, in which order events come, or whether some of them are lost.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod bell;
pub mod debounce;
pub mod source;
pub mod wanted;
