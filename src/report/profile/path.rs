//! The critical path of what really happened: from the end of the run back, each step and the one whose end let it
//! begin.
//!
//! Events do not say who that was. It is taken to be the last one that ended before it began (as for the critical
//! path of a trace in any profiler of parallel work): a step that waited for another, or for a slot of another, begins
//! at once when that has ended. Time in which nothing ran stands between two of them.

use std::time::Duration;

use super::{Profile, Span};

/// The path, from the first step to the last.
pub(crate) struct Path<'p> {
    pub(crate) spans: Vec<&'p Span>,
    /// Where each of them stands among the steps of the profile.
    pub(crate) places: Vec<usize>,
    /// What of its time nothing on it ran.
    pub(crate) idle: Duration,
}

impl Profile {
    /// Sorted by ends already, so each step on the path costs one search.
    pub(crate) fn path(&self) -> Path<'_> {
        let mut places: Vec<usize> = Vec::new();
        let mut before = self.spans.len();
        while let Some(span) = self.spans[..before].last() {
            places.push(before - 1);
            // Of those that ended before this one began; one of no length is not its own cause.
            let at = self.spans.partition_point(|other| other.end <= span.start);
            before = at.min(before - 1);
        }
        places.reverse();
        let spans: Vec<&Span> = places.iter().map(|at| &self.spans[*at]).collect();
        let busy: Duration = spans.iter().map(|span| span.wall()).sum();
        Path { spans, places, idle: self.wall.saturating_sub(busy) }
    }
}
