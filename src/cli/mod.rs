//! Floor 7: what was typed. Knows nothing of graphs, and decides nothing: it turns words and the environment into
//! [`crate::app::options::Options`], or into the text that says why it could not.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod args;
mod help;
mod values;
