//! `--profile`: where the time of a run went. Made of events alone, in memory that grows with the number of steps and
//! not with what they write; knows nothing of the scheduler.

mod course;
mod path;
mod show;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::command::Usage;
use crate::base::event::{Event, JobId, StepLabel, Verdict, Waits};

pub(crate) use course::{Course, Point};
pub(crate) use show::text;

/// One attempt of one step that is over.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// What.
    pub(crate) step: Arc<StepLabel>,
    /// Counted from 1.
    pub(crate) attempt: u32,
    /// When it began and ended, since the run did.
    pub(crate) start: Duration,
    pub(crate) end: Duration,
    /// What it waited for before.
    pub(crate) waits: Waits,
    /// How many slots it held.
    pub(crate) slots: u32,
    /// What it used; nothing where that is not known.
    pub(crate) usage: Option<Usage>,
    /// What was measured while it ran.
    pub(crate) course: Course,
    /// Whether it succeeded.
    pub(crate) ok: bool,
}

impl Span {
    /// From its start to its end.
    pub(crate) fn wall(&self) -> Duration {
        self.end.saturating_sub(self.start)
    }
}

/// A step that runs.
struct Begun {
    step: Arc<StepLabel>,
    attempt: u32,
    start: Duration,
    waits: Waits,
    slots: u32,
    course: Course,
}

/// What is gathered while the run goes on.
#[derive(Default)]
pub(crate) struct Profile {
    begun: HashMap<JobId, Begun>,
    /// In the order of their ends.
    pub(crate) spans: Vec<Span>,
    /// How many steps could run at once; `None` is no limit.
    pub(crate) slots: Option<u32>,
    /// The whole run.
    pub(crate) wall: Duration,
}

impl Profile {
    /// Something happened.
    pub(crate) fn event(&mut self, at: Duration, event: &Event) {
        match event {
            Event::RunStarted { jobs, .. } => *self = Self { slots: *jobs, ..Self::default() },
            Event::StepStarted { job, step, attempt, waits, slots, .. } => {
                let (step, course) = (step.clone(), Course::default());
                let begun = Begun { step, attempt: *attempt, start: at, waits: *waits, slots: *slots, course };
                self.begun.insert(*job, begun);
            }
            Event::StepSampled { job, sample } => {
                if let Some(begun) = self.begun.get_mut(job) {
                    begun.course.push(at.saturating_sub(begun.start), *sample);
                }
            }
            Event::StepFinished { job, verdict, usage, .. } => {
                let Some(Begun { step, attempt, start, waits, slots, course }) = self.begun.remove(job) else {
                    return;
                };
                let (usage, ok) = (*usage, *verdict == Verdict::Ok);
                self.spans.push(Span { step, attempt, start, end: at, waits, slots, usage, course, ok });
            }
            Event::RunFinished { duration, .. } => self.wall = *duration,
            _ => {}
        }
    }

    /// The part of the time of all slots in which they held something: 0 to 1. `None` where there is no limit.
    pub(crate) fn utilisation(&self) -> Option<f64> {
        let all = self.wall.as_secs_f64() * f64::from(self.slots.filter(|slots| *slots > 0)?);
        let held: f64 = self.spans.iter().map(|span| span.wall().as_secs_f64() * f64::from(span.slots)).sum();
        Some(if all > 0.0 { (held / all).min(1.0) } else { 0.0 })
    }

    /// All CPU time that was used, in user mode and in the kernel.
    pub(crate) fn cpu(&self) -> [Duration; 2] {
        let of =
            |part: fn(&Usage) -> Duration| self.spans.iter().filter_map(|span| span.usage.as_ref()).map(part).sum();
        [of(|usage| usage.user), of(|usage| usage.system)]
    }

    /// The largest process of all, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.spans.iter().filter_map(|span| span.usage).map(|usage| usage.peak_memory).max().unwrap_or(0)
    }
}
