//! What makes a task many, and what makes it none.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::base::source::{Span, Spanned};
use crate::base::value::Template;
use crate::xecfile::model::{Binding, Hooks, Late, Settings, Share};

/// The axes of a task.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// In the order written, which is that of the names.
    pub axes: Vec<Axis>,
    /// Combinations to leave out: all that have these values.
    pub exclude: Vec<Vec<Binding>>,
    /// Complete combinations to add.
    pub include: Vec<Vec<Binding>>,
    /// No combination at all is fine.
    pub may_be_empty: bool,
    /// How many begin at a time.
    pub batches: Option<Batches>,
    /// Policies of the set: `jobs on-error require timeout retry optional`.
    pub settings: Settings,
    /// What follows the set, once.
    pub hooks: Hooks,
    /// The whole node.
    pub span: Span,
}

/// How many instances begin at a time; the next ones begin when these have ended.
#[derive(Clone, Debug)]
pub struct Batches {
    /// Counts, or shares of all; the last one repeats. Never empty.
    pub sizes: Vec<Spanned<Late<Share>>>,
    /// How long between two of them.
    pub pause: Option<Spanned<Late<Duration>>>,
    /// How many of each must succeed, so that the next one begins; else what the whole set must.
    pub require: Option<Spanned<Late<Share>>>,
    /// The whole node.
    pub span: Span,
}

impl Matrix {
    /// One without axes, yet.
    pub fn of(span: Span) -> Self {
        let (axes, exclude, include) = (Vec::new(), Vec::new(), Vec::new());
        let (settings, hooks) = (Settings::default(), Hooks::default());
        Self { axes, exclude, include, may_be_empty: false, batches: None, settings, hooks, span }
    }

    /// The axis whose values come late, if there is one: its instances are not known in the plan.
    pub fn late(&self) -> Option<(&Axis, &From)> {
        self.axes.iter().find_map(|axis| match &axis.source {
            AxisSource::From(from) => Some((axis, from)),
            _ => None,
        })
    }

    /// The axis whose values are where its instances run.
    pub fn on(&self) -> Option<(&Axis, &Spanned<Template>)> {
        self.axes.iter().find_map(|axis| match &axis.source {
            AxisSource::On(selector) => Some((axis, selector)),
            _ => None,
        })
    }
}

/// One axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Its name.
    pub name: Spanned<Arc<str>>,
    /// Its values.
    pub source: AxisSource,
    /// The whole node.
    pub span: Span,
}

impl Axis {
    /// Its values, if all of them are written out without holes.
    pub fn written(&self) -> Option<HashSet<&str>> {
        match &self.source {
            AxisSource::Values(values) => {
                values.iter().map(|value| value.value.as_text().map(|text| &**text)).collect()
            }
            AxisSource::Glob(_)
            | AxisSource::Range(_)
            | AxisSource::From(_)
            | AxisSource::Hosts(_)
            | AxisSource::On(_) => None,
        }
    }
}

/// Where the values of an axis come from.
#[derive(Clone, Debug)]
pub enum AxisSource {
    /// They are written there; a value that is a list counts as its items.
    Values(Vec<Spanned<Template>>),
    /// The files that match, relative to the `cwd` of the task, sorted.
    Glob(Spanned<Template>),
    /// `1..8`, both ends included.
    Range(Spanned<Template>),
    /// The names of the hosts that a selector means.
    Hosts(Spanned<Template>),
    /// The same, and each instance runs on its host.
    On(Spanned<Template>),
    /// The items of a list that comes to be while the run goes on.
    From(From),
}

/// An axis whose values are known only when the run has come so far.
#[derive(Clone, Debug)]
pub struct From {
    /// The list.
    pub list: Spanned<Template>,
    /// So many items make one value, which is a list then.
    pub chunk: Option<u32>,
    /// How long the first item of a chunk waits at most for the others.
    pub within: Option<Duration>,
}

/// Reads `1..8`, both ends included.
///
/// # Errors
/// What is wrong with it, to follow "`text` is".
pub fn range(text: &str) -> Result<RangeInclusive<i64>, &'static str> {
    let wanted = "not a range such as `1..8`";
    let (first, last) = text.split_once("..").ok_or(wanted)?;
    let number = |text: &str| text.trim().parse::<i64>().map_err(|_| wanted);
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err("empty: its end lies before its start");
    }
    if last.checked_sub(first).is_none_or(|length| length >= 1_000_000) {
        return Err("longer than a million values");
    }
    Ok(first..=last)
}

/// `when` or `unless`.
#[derive(Clone, Debug)]
pub struct Condition {
    /// `unless`: it holds if not all lines do.
    pub negate: bool,
    /// All of them must hold.
    pub lines: Vec<Predicate>,
    /// The whole node.
    pub span: Span,
}

/// One line of a condition.
#[derive(Clone, Debug)]
pub struct Predicate {
    /// What it asks.
    pub kind: PredicateKind,
    /// The whole line.
    pub span: Span,
}

/// What a line asks; several arguments are any of them.
#[derive(Clone, Debug)]
pub enum PredicateKind {
    /// The operating system: `linux`, `macos`.
    Os(Vec<Spanned<Template>>),
    /// The processor: `x86_64`, `aarch64`.
    Arch(Vec<Spanned<Template>>),
    /// A variable of the environment is one of these; without any, is set and not empty.
    Env(Spanned<Template>, Vec<Spanned<Template>>),
    /// The first is one of the others.
    Equal(Spanned<Template>, Vec<Spanned<Template>>),
    /// One of these paths (globs) is there. Asked just before the body.
    Exists(Vec<Spanned<Template>>),
    /// One of these programs is on the PATH. Asked just before the body.
    Command(Vec<Spanned<Template>>),
    /// Files that match one of these globs have changed since the instance last succeeded. Asked just before the body.
    Changed(Vec<Spanned<Template>>),
    /// This script succeeds. Asked just before the body.
    Run(Spanned<Arc<str>>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_they_are_written() {
        assert_eq!(range("1..8"), Ok(1..=8));
        assert_eq!(range("-2..-2"), Ok(-2..=-2));
        for text in
            ["", "1", "8..1", "1..2..3", "a..b", "1..", "0..1000000", "-9223372036854775808..9223372036854775807"]
        {
            assert!(range(text).is_err(), "{text}");
        }
    }
}
