//! What there is only so much of, as a plan knows it. Counts nothing.

use std::sync::Arc;
use std::time::Duration;

/// Something of which only so much may be held at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    /// How much there is; `None` is without end.
    pub count: Option<u32>,
    /// When it comes back.
    pub kind: LimitKind,
}

/// When what was taken of a limit comes back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LimitKind {
    /// When its holder gives it back.
    Held,
    /// So long after it was taken, whatever became of its holder.
    Rate(Duration),
    /// When its holder gives it back; and it must be had of the machine too, under this name.
    Machine(Arc<str>),
}

impl Limit {
    /// So much, and no more to say of it.
    pub fn held(count: Option<u32>) -> Self {
        Self { count, kind: LimitKind::Held }
    }
}
