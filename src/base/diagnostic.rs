//! Every problem that xec can find in what a user wrote: a code, a sentence, places, a way out.
//! Knows nothing of how it will look; `report::problems` does.

use std::borrow::Cow;

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

/// Characters of what a user wrote that a problem quotes.
const LONGEST_QUOTE: usize = 80;

/// A text of the user as a problem quotes it: the beginning of one that is endless says enough.
pub fn clipped(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
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

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// What kind of problem it is; the text is what `--explain` takes.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// The name as users see it.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)+ }
            }

            /// One paragraph on what it means and what to do.
            pub fn explain(self) -> &'static str {
                match self { $(Code::$name => concat!($($doc, "\n"),+),)+ }
            }
        }
    };
}

codes! {
    /// There is no Xecfile here or in a parent directory, or the file named cannot be read. xec looks for
    /// `Xecfile.kdl` in the directory it was started in (or that of `-C`) and then in every one above it; `-f`
    /// names another file.
    FileUnreadable = "file-unreadable",
    /// The file is larger than 1 MiB, which no Xecfile needs; generated parts belong into a script.
    FileTooLarge = "file-too-large",
    /// The file is not UTF-8, or holds a NUL byte or another character that KDL forbids: control characters, and
    /// the marks that reverse the direction of text and so can make a file look like what it is not. In a quoted
    /// string they are written as `\u{1b}`.
    FileNotText = "file-not-text",
    /// Blocks are nested more deeply than anything readable, or a comment `/-` hides another one with a block in it.
    TooDeep = "too-deep",
    /// The text is not KDL 2: something is not closed, or stands where it cannot stand.
    Syntax = "syntax",
    /// A bare word that KDL does not allow. Without quotes, a word cannot begin like a number (`5s`, `50%`,
    /// `1.2.3`) nor hold any of `/ { } [ ] ( ) # ; \ "`; and `true`, `false` and `null` are written `#true`,
    /// `#false` and `#null`. Put the word in quotes.
    BareWord = "bare-word",
    /// The file holds no task, so there is nothing that could run.
    NoTasks = "no-tasks",
    /// No task of that name exists.
    UnknownTask = "unknown-task",
    /// No node of that name is allowed here.
    UnknownNode = "unknown-node",
    /// No setting or property of that name is allowed here.
    UnknownSetting = "unknown-setting",
    /// A word of `exec` holds `=` and is not quoted, which KDL takes for a property. The settings of `exec` stand in
    /// its block, so that its words are never mistaken for one: `exec make "jobs=4" { timeout "5m" }`.
    ExecProperty = "exec-property",
    /// A bare word of `exec` that only a shell would understand: `&&`, `|`, `>`, `$x`, `*`. There is no shell behind
    /// `exec`, and the program would get the word as it is. Use `run`, or quote the word if that is what you want.
    ShellWord = "shell-word",
    /// The value is not one of those that the setting takes.
    BadValue = "bad-value",
    /// A value is missing.
    MissingValue = "missing-value",
    /// There are more values than the node takes.
    ExtraValue = "extra-value",
    /// The same thing is said twice, and only one could count.
    Duplicate = "duplicate",
    /// A name holds a character that names cannot hold, or is reserved.
    BadName = "bad-name",
    /// A block is empty, or not there, that would have to mean something.
    EmptyBlock = "empty-block",
    /// KDL types such as `(u8)1` mean nothing here.
    TypeAnnotation = "type-annotation",
    /// `${…}` is not closed, holds no name, or an unknown filter; or a shell is asked to read what only xec can.
    BadTemplate = "bad-template",
    /// `${…}` names a value that is not in scope.
    UnknownValue = "unknown-value",
    /// The task is private: only other tasks may use it.
    PrivateTask = "private-task",
    /// A task has no input, and no axis, of that name.
    UnknownInput = "unknown-input",
    /// A task needs a value that it was not given.
    MissingInput = "missing-input",
    /// A matrix has no combination at all, and does not say `empty=ok`.
    EmptyMatrix = "empty-matrix",
    /// A value is known only while the run goes on, and is wanted before.
    LateValue = "late-value",
    /// A line of a `dotenv` file is no variable.
    BadDotenv = "bad-dotenv",
    /// Tasks wait for each other in a circle.
    Cycle = "cycle",
    /// The plan would be larger than a million vertices.
    PlanTooLarge = "plan-too-large",
    /// The word is part of the language, and of a later version of xec than this one.
    NotYet = "not-yet",
    /// The file asks for a newer xec than this one.
    XecTooOld = "xec-too-old",
    /// The command line asks for something that cannot be.
    Usage = "usage",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_words_and_explained() {
        for code in Code::ALL {
            assert!(code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code:?}");
            assert!(code.explain().trim().ends_with('.'), "{code:?}");
        }
    }

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
