//! Text with `${…}` in it, and what it becomes. Never the text of a `run`, which nobody rewrites.

use std::sync::Arc;

/// Text with holes, parsed once.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Template {
    /// Its pieces in order; plain text is one piece.
    pub parts: Arc<[Part]>,
}

/// A piece of a template.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Part {
    /// Text as it is.
    Text(Arc<str>),
    /// `${name}`, `${name:-default}`, `${env.HOME}`, `${name|filter}`.
    Hole {
        /// The name, dots and all.
        name: Arc<str>,
        /// What stands for it where it is not set or empty.
        default: Option<Arc<str>>,
    },
}
