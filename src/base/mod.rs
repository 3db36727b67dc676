//! Floor 0: words that every floor speaks. Knows nothing of files, processes, clocks or the terminal.

pub mod command;
pub mod diagnostic;
pub mod duration;
pub mod event;
pub(crate) mod fault;
pub mod hostname;
pub mod name;
pub mod options;
pub mod path;
pub mod selector;
pub mod source;
pub mod value;

/// How many cases a property test tries: `XEC_CASES`, else few enough for every day.
#[cfg(test)]
pub(crate) fn test_cases() -> u32 {
    std::env::var("XEC_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64)
}
