//! Files that a task reads and makes, and what is kept of them.

use std::sync::Arc;
use std::time::Duration;

use crate::base::source::{Span, Spanned};
use crate::base::value::Template;
use crate::xecfile::model::{Condition, Late};

/// What decides whether a task has to run, and what it leaves.
#[derive(Clone, Debug)]
pub struct Files {
    /// The patterns of what it reads.
    pub inputs: Vec<Spanned<Template>>,
    /// Whether what git ignores is no input.
    pub gitignore: bool,
    /// The patterns of what it makes.
    pub outputs: Vec<Spanned<Template>>,
    /// What it makes is kept.
    pub cache: Option<Cache>,
}

impl Default for Files {
    fn default() -> Self {
        Self { inputs: Vec::new(), gitignore: true, outputs: Vec::new(), cache: None }
    }
}

/// How what a task makes is kept.
#[derive(Clone, Debug)]
pub struct Cache {
    /// How long it is up to date, at most.
    pub ttl: Option<Spanned<Late<Duration>>>,
    /// A text that decides too.
    pub key: Option<Spanned<Template>>,
    /// It is only kept if all of these hold.
    pub conditions: Arc<[Condition]>,
    /// Where it is written.
    pub span: Span,
}

/// Where a task is asked for, it runs again whenever files change.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The patterns of the files; none are the inputs of all that runs.
    pub patterns: Vec<Spanned<Arc<str>>>,
    /// How long nothing more may change before it runs.
    pub debounce: Option<Duration>,
    /// What a change does to a run that goes on.
    pub on_busy: Option<OnBusy>,
    /// Where it is written.
    pub span: Span,
}

/// What a change does to a run that goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnBusy {
    /// Ends it, and begins anew.
    Restart,
    /// Lets it end, and runs once more.
    Queue,
    /// Nothing.
    Ignore,
}

impl std::str::FromStr for OnBusy {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "restart" => Ok(OnBusy::Restart),
            "queue" => Ok(OnBusy::Queue),
            "ignore" => Ok(OnBusy::Ignore),
            _ => Err(()),
        }
    }
}
