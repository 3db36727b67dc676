//! What there is only so much of, as a plan knows it. Counts nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::xecfile::model::Width;

/// Something of which only so much may be held at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    /// How much there is; `None` is without end.
    pub count: Option<u32>,
    /// When it comes back.
    pub kind: LimitKind,
    /// How much there is follows what becomes of its holders, beginning with `count`.
    pub adapts: Option<Adapts>,
}

/// One more after a success, half after a failure, and always between these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Adapts {
    /// At least 1.
    pub min: u32,
    /// Not less than that.
    pub max: u32,
}

/// When what was taken of a limit comes back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LimitKind {
    /// When its holder gives it back.
    Held,
    /// So long after it was taken, whatever became of its holder.
    Rate(Duration),
    /// When its holder gives it back; and it must be had of a pool too that other programs take from.
    Pool,
    /// When its holder gives it back; and it must be had of the machine too, under this name.
    Machine(Arc<str>),
}

impl Limit {
    /// So much, and no more to say of it.
    pub fn held(count: Option<u32>) -> Self {
        Self { count, kind: LimitKind::Held, adapts: None }
    }

    /// The `-j` slots. What adapts begins with one for each CPU.
    pub fn of_slots(width: Width, cpus: u32) -> Self {
        let slots = Self::of_width(width, cpus).unwrap_or(Self::held(None));
        match slots.adapts {
            Some(range) => Self { count: Some(cpus.clamp(range.min, range.max)), ..slots },
            None => slots,
        }
    }

    /// So many of something as a width says on a machine with so many CPUs; `None` where that is without end. What
    /// adapts goes up to four for each CPU where nothing else is said.
    pub fn of_width(width: Width, cpus: u32) -> Option<Self> {
        match width {
            Width::Adaptive { min, max } => {
                let max = max.unwrap_or(cpus.saturating_mul(4)).max(min);
                Some(Self { adapts: Some(Adapts { min, max }), ..Self::held(Some(min)) })
            }
            _ => width.resolve(cpus).map(|count| Self::held(Some(count))),
        }
    }
}
