//! Floor 1: from bytes to a typed file in which every word has been understood, or a list of all problems.
//! Knows nothing of running.

pub mod load;
pub mod model;
pub mod reference;
pub mod schema;

mod check;
mod cursor;
mod decode;
mod guard;
