//! Floor 1: from bytes to a typed file in which every word has been understood, or a list of all problems.
//! Knows nothing of running.

pub mod load;
pub mod model;
pub mod reference;
pub mod schema;

pub(crate) mod check;
mod circle;
mod cursor;
mod decode;
mod dotenv;
mod guard;
mod include;
mod inventory;
mod plain;
