//! What a run is asked to do, as it was typed: no name in here has been looked up yet.

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
}

/// One task asked for, with what was said of its inputs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
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
}

/// A word on the command line that is for a task.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Word {
    /// `name=value` or `--name=value`.
    Value(String, String),
    /// `--name`.
    Flag(String),
    /// `-x`, one letter of what may have been several, or `-x=value`; `-x value` is one once it is known what `x` is.
    Short(char, Option<String>),
}
