//! What goes into a task, and how one task names another.

use std::sync::Arc;

use crate::base::source::{Span, Spanned};
use crate::base::value::Template;

/// Something that a task takes.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name.
    pub name: Spanned<Arc<str>>,
    /// How it is given.
    pub role: ParamRole,
    /// What it may be.
    pub ty: ParamType,
    /// What it is where nothing is given; may name `env`, `let`s and earlier params. Without one it is required,
    /// but for flags (off) and rests (none).
    pub default: Option<Spanned<Template>>,
    /// The only values that it may have; empty is any.
    pub choices: Vec<Spanned<Arc<str>>>,
    /// It may be given several times and is a list.
    pub many: bool,
    /// `-x` on the command line.
    pub short: Option<char>,
    /// One line on what it is for.
    pub desc: Option<Arc<str>>,
}

/// How a param is given.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ParamRole {
    /// `param`: `name=value`, `--name=value`.
    Value,
    /// `flag`: `--name`; its value is `true` or empty.
    Flag,
    /// `rest`: all words after `--`; a list.
    Rest,
}

/// What the text of a param must be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ParamType {
    /// Anything.
    #[default]
    String,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
    /// A path.
    Path,
    /// A duration.
    Duration,
    /// A size: `10MB`, `4KiB`.
    Size,
}

/// A task that another one names.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Its whole name.
    pub task: Spanned<Arc<str>>,
    /// Values for its params, or for its axes, of which it then means the matching ones only.
    pub bindings: Vec<Binding>,
    /// Values that come back.
    pub takes: Vec<Take>,
}

impl Reference {
    /// All of a task.
    pub fn to(task: Spanned<Arc<str>>) -> Self {
        Self { task, bindings: Vec::new(), takes: Vec::new() }
    }
}

/// A value for a name.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The name.
    pub name: Spanned<Arc<str>>,
    /// The value.
    pub value: Spanned<Template>,
}

/// A value that comes from another task.
#[derive(Clone, Debug)]
pub struct Take {
    /// What it is called there: a capture, or an axis.
    pub name: Spanned<Arc<str>>,
    /// What it is called here.
    pub here: Spanned<Arc<str>>,
}

/// A value of a file.
#[derive(Clone, Debug)]
pub struct Let {
    /// Its name.
    pub name: Spanned<Arc<str>>,
    /// Its value.
    pub value: LetValue,
    /// The whole node.
    pub span: Span,
}

/// Where a `let` gets its value from.
#[derive(Clone, Debug)]
pub enum LetValue {
    /// From this text.
    Text(Spanned<Template>),
    /// From the stdout of this script, once a run, when it is first used.
    Run(Spanned<Arc<str>>),
}
