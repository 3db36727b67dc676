//! Floor 0: words that every floor speaks. Knows nothing of files, processes, clocks or the terminal.

pub mod command;
pub mod diagnostic;
pub mod duration;
pub mod event;
pub mod name;
pub mod source;
pub mod value;
