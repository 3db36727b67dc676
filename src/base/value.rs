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

impl Template {
    /// Text without holes.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self { parts: Arc::new([Part::Text(text.into())]) }
    }
}

impl std::fmt::Display for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in &*self.parts {
            match part {
                Part::Text(text) => f.write_str(text)?,
                Part::Hole { name, .. } => write!(f, "${{{name}}}")?,
            }
        }
        Ok(())
    }
}
