//! How much there is of something, and who holds how much of it.

use std::sync::Arc;
use std::time::Duration;

use crate::base::source::{Span, Spanned};

/// Something of which there is only so much: for the whole run, whichever file says so.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Its name.
    pub name: Spanned<Arc<str>>,
    /// How much there is; at least 1.
    pub count: u32,
    /// What is taken comes back so long after it was taken, and not when its holder has ended: a rate.
    pub per: Option<Duration>,
    /// It is shared by all runs of this user on this machine.
    pub machine: bool,
    /// The node without its children.
    pub span: Span,
}

impl Limit {
    /// Whether another declaration says the same.
    pub fn agrees(&self, other: &Limit) -> bool {
        (self.count, self.per, self.machine) == (other.count, other.per, other.machine)
    }
}

/// The name by which `uses` means the `-j` slots, and no limit can be called.
pub const SLOTS: &str = "jobs";

/// So much of a limit, held from the start of a scope to its end.
#[derive(Clone, Debug)]
pub struct Use {
    /// The limit; [`SLOTS`] is what each command in the scope counts for.
    pub name: Spanned<Arc<str>>,
    /// How much; at least 1.
    pub count: u32,
    /// The node without its children.
    pub span: Span,
}
