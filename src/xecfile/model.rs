//! The file as it was meant: tasks, steps, settings. Every part keeps its place.
//!
//! Nothing in here is resolved: a task that is needed may not exist, which [`crate::xecfile::check`] says.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::base::source::{SourceMap, Span, Spanned};
use crate::base::value::Template;

/// One Xecfile with all that it includes.
#[derive(Clone, Debug, Default)]
pub struct Xecfile {
    /// Every file that was read.
    pub sources: SourceMap,
    /// The directory of the first one, absolute: `XEC_ROOT`, and the `cwd` of what says nothing else.
    pub root: PathBuf,
    /// What `defaults { … }` says.
    pub defaults: Settings,
    /// The file's own `env`.
    pub env: Vec<EnvEntry>,
    /// The tasks, in the order of the file, names unique.
    pub tasks: Vec<Task>,
}

impl Xecfile {
    /// The task of that name, with its place in `tasks`.
    pub fn find(&self, name: &str) -> Option<(usize, &Task)> {
        self.tasks.iter().enumerate().find(|(_, task)| &*task.name.value == name)
    }
}

/// A task: a template of instances.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name.
    pub name: Spanned<Arc<str>>,
    /// One line on what it is for.
    pub desc: Option<Arc<str>>,
    /// What must have succeeded before.
    pub needs: Vec<Reference>,
    /// What must have ended before, if it is in the run at all.
    pub after: Vec<Reference>,
    /// Its policies.
    pub settings: Settings,
    /// Its steps: a sequence.
    pub body: Vec<Step>,
    /// The whole node.
    pub span: Span,
}

/// A task that another one names.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The name.
    pub task: Spanned<Arc<str>>,
}

/// One step of a body.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// Its policies.
    pub settings: Settings,
    /// The node without its children.
    pub span: Span,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum StepKind {
    /// A script for the shell, never rewritten.
    Run(Arc<str>),
    /// A program and its words; never empty.
    Exec(Vec<Spanned<Template>>),
    /// A fresh instance of a task, in place.
    Call(Reference),
    /// One after the other.
    Sequence(Vec<Step>),
    /// Side by side.
    Parallel(Vec<Step>),
}

/// The policies as written at one place: none of them inherited yet.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Flows down: the directory, against the directory of the file.
    pub cwd: Option<Spanned<Template>>,
    /// Flows down, merged by name.
    pub env: Vec<EnvEntry>,
    /// Flows down: the interpreter of `run`, to which the text is added as the last word.
    pub shell: Option<Spanned<Vec<Template>>>,
    /// Flows down: what a failure does to its siblings.
    pub on_error: Option<Spanned<OnError>>,
    /// Acts here: the longest an attempt may take.
    pub timeout: Option<Spanned<Duration>>,
    /// Acts here: from the first signal to SIGKILL.
    pub grace: Option<Spanned<Duration>>,
    /// Acts here: a failure does not count.
    pub optional: Option<Spanned<bool>>,
    /// Acts here: how many children at once.
    pub jobs: Option<Spanned<Width>>,
    /// Acts here: the terminal belongs to this step while it runs.
    pub interactive: Option<Spanned<bool>>,
}

/// One variable of an `env`.
#[derive(Clone, Debug)]
pub struct EnvEntry {
    /// Its name.
    pub name: Spanned<Arc<str>>,
    /// Its value.
    pub value: Spanned<Template>,
}

/// What a failure does to what runs beside it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum OnError {
    /// It is ended.
    #[default]
    FailFast,
    /// It may end by itself, and nothing new begins.
    Drain,
    /// Nothing; all that can still be reached runs.
    Continue,
}

/// How many at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Width {
    /// So many; 0 is no limit.
    Count(u32),
    /// A share of the CPUs, in percent, at least one.
    Percent(u32),
    /// All CPUs but so many, at least one.
    CpusLess(u32),
}

impl Width {
    /// The number on a machine with so many CPUs; `None` is no limit.
    pub fn resolve(self, cpus: u32) -> Option<u32> {
        match self {
            Width::Count(0) => None,
            Width::Count(count) => Some(count),
            Width::Percent(share) => {
                Some((u64::from(cpus) * u64::from(share)).div_ceil(100).clamp(1, u64::from(u32::MAX)) as u32)
            }
            Width::CpusLess(less) => Some(cpus.saturating_sub(less).max(1)),
        }
    }
}

impl std::str::FromStr for OnError {
    type Err = ();

    /// Reads a mode as users write it.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "fail-fast" => Ok(OnError::FailFast),
            "drain" => Ok(OnError::Drain),
            "continue" => Ok(OnError::Continue),
            _ => Err(()),
        }
    }
}

impl std::str::FromStr for Width {
    type Err = ();

    /// Reads `4`, `50%` (1 to 100 and more) or `cpus-1`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<u32>().map_err(|_| ()),
            false => Err(()),
        };
        if let Some(share) = text.strip_suffix('%') {
            return number(share).and_then(|share| if share == 0 { Err(()) } else { Ok(Width::Percent(share)) });
        }
        match text.strip_prefix("cpus") {
            Some("") => Ok(Width::CpusLess(0)),
            Some(less) => number(less.strip_prefix('-').ok_or(())?).map(Width::CpusLess),
            None => number(text).map(Width::Count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_as_they_are_written() {
        for (text, expected) in [
            ("4", Ok(Width::Count(4))),
            ("0", Ok(Width::Count(0))),
            ("50%", Ok(Width::Percent(50))),
            ("cpus-1", Ok(Width::CpusLess(1))),
            ("cpus", Ok(Width::CpusLess(0))),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        for text in ["", "%", "0%", "-1", "+1", "cpus+1", "cpus-", "4.0", "99999999999"] {
            assert_eq!(text.parse::<Width>(), Err(()), "{text}");
        }
    }

    #[test]
    fn widths_on_a_machine() {
        let resolved = ["3", "0", "50%", "1%", "cpus-1", "cpus-99"]
            .map(|text| text.parse::<Width>().map(|width| width.resolve(5)));
        assert_eq!(resolved, [Ok(Some(3)), Ok(None), Ok(Some(3)), Ok(Some(1)), Ok(Some(4)), Ok(Some(1))]);
    }
}
