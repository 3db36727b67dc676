//! Every problem that xec can find in what a user wrote: a code, a sentence, places, a way out.
//! Knows nothing of how it will look; `report::problems` does.

mod codes;

pub use codes::{Code, errors_page};

use crate::base::source::Span;

/// Whether a problem stops the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// Nothing runs.
    Error,
    /// Said, and the run goes on.
    Warning,
}

/// A place with a few words on why it is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is to see there; may be empty.
    pub text: String,
}

/// One problem, whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// What kind it is.
    pub code: Code,
    /// Whether it stops the run.
    pub severity: Severity,
    /// One sentence, without a full stop, lower case first.
    pub message: String,
    /// The places, the first one being where the user should look.
    pub labels: Vec<Label>,
    /// The way out, ready to be typed where that is possible.
    pub help: Option<String>,
}

impl Problem {
    /// An error without a place yet.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, message: message.into(), labels: Vec::new(), help: None }
    }

    /// A warning without a place yet.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Adds a place.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Sets the way out.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

/// More problems than anybody reads: beyond so many, a file is not looked at any further, which bounds
/// the time and memory that a file of nothing but mistakes takes.
pub const MOST_PROBLEMS: usize = 200;

/// Collects problems up to [`MOST_PROBLEMS`].
#[derive(Debug, Default)]
pub struct Problems {
    list: Vec<Problem>,
}

impl Problems {
    /// Adds one, while there is room.
    pub fn push(&mut self, problem: Problem) {
        if !self.is_full() {
            self.list.push(problem);
        }
    }

    /// Whether any further problem would be dropped: a reason to stop looking.
    pub fn is_full(&self) -> bool {
        self.list.len() >= MOST_PROBLEMS
    }

    /// Those so far.
    pub fn as_slice(&self) -> &[Problem] {
        &self.list
    }

    /// All of them.
    pub fn into_vec(self) -> Vec<Problem> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_off() {
        let mut problems = Problems::default();
        for _ in 0..MOST_PROBLEMS + 5 {
            problems.push(Problem::error(Code::Syntax, "x"));
        }
        assert!(problems.is_full());
        assert_eq!(problems.into_vec().len(), MOST_PROBLEMS);
    }
}
