//! What a run is asked to do, as it was typed: no name in here has been looked up yet.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::event::SkipReason;
use crate::xecfile::model::{OnError, Width};

/// What a run is asked to do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Request {
    /// The tasks, in the order asked for.
    pub tasks: Vec<Asked>,
    /// Side by side instead of in that order.
    pub parallel: bool,
    /// What a failure does where the file does not say.
    pub on_error: OnError,
    /// The `-j` slots; `None` is no limit.
    pub slots: Option<Width>,
    /// The CPUs that widths count by.
    pub cpus: u32,
    /// Only so many instances of each matrix that is asked for, the first ones.
    pub take: Option<u32>,
    /// Instances that need not run, and why; what is called stays part of its caller.
    pub spared: HashMap<Arc<str>, SkipReason>,
}

/// A command for hosts, which stands in no file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AdHoc {
    /// Which hosts.
    pub selector: String,
    /// The command; never empty.
    pub words: Vec<String>,
}

impl AdHoc {
    /// The words that say the same, without quotes.
    pub fn typed(&self) -> Vec<String> {
        let lead = ["--on", &self.selector, "--"].map(str::to_owned);
        lead.into_iter().chain(self.words.iter().cloned()).collect()
    }
}

/// One task asked for, with what was said of its inputs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Asked {
    /// A name, an alias, a pattern such as `*:test`, or instances such as `test[os=linux]`.
    pub selector: String,
    /// What follows it, in order.
    pub words: Vec<Word>,
    /// What stands behind `--`; for the last task alone, and `None` if there is no `--`.
    pub rest: Option<Vec<String>>,
}

impl Asked {
    /// A task with nothing said of its inputs.
    pub fn plain(selector: impl Into<String>) -> Self {
        Self { selector: selector.into(), ..Self::default() }
    }

    /// The words that say the same, without quotes.
    pub fn typed(&self) -> Vec<String> {
        let words = self.words.iter().map(|word| match word {
            Word::Value(name, value) => format!("{name}={value}"),
            Word::Flag(name) => format!("--{name}"),
            Word::Short(letter, None) => format!("-{letter}"),
            Word::Short(letter, Some(value)) => format!("-{letter}={value}"),
        });
        let rest = self.rest.iter().flat_map(|rest| std::iter::once("--".to_owned()).chain(rest.iter().cloned()));
        std::iter::once(self.selector.clone()).chain(words).chain(rest).collect()
    }
}

/// A word on the command line that is for a task.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Word {
    /// `name=value` or `--name=value`.
    Value(String, String),
    /// `--name`.
    Flag(String),
    /// `-x`, one letter of what may have been several, or `-x=value`; `-x value` is one once it is known what `x` is.
    Short(char, Option<String>),
}
