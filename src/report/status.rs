//! One line below all others while a long run goes on: how far it is, how fast, and how long it may still take.
//! Made of events alone; knows nothing of the terminal it is shown on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::duration::show;
use crate::base::event::{Event, JobId};
use crate::report::sanitize::visible;
use crate::report::words::counted;

/// What has fewer parts than this needs no line.
const MANY: u64 = 10;
/// What is over sooner than this neither.
const SOON: Duration = Duration::from_secs(1);
/// So many of those that run are named.
const NAMED: usize = 3;

/// How far the run is.
#[derive(Debug, Default)]
pub(crate) struct Status {
    /// Tasks and their instances: how many there are, and how many have ended.
    tasks: [u64; 2],
    /// The same of commands.
    steps: [u64; 2],
    failed: u64,
    running: BTreeMap<JobId, Arc<str>>,
    now: Duration,
    over: bool,
}

impl Status {
    /// Something happened.
    pub(crate) fn event(&mut self, at: Duration, event: &Event) {
        self.now = at;
        match event {
            Event::RunStarted { tasks, steps, .. } => {
                let (tasks, steps) = ([u64::from(*tasks), 0], [u64::from(*steps), 0]);
                *self = Self { tasks, steps, ..Self::default() };
            }
            // One of them stood for all.
            Event::Fed { items, .. } => self.tasks[0] += items.saturating_sub(1),
            Event::Unfed { items, .. } => self.tasks[1] += items,
            Event::StepStarted { job, step, .. } => {
                self.running.insert(*job, step.owner.instance.clone());
            }
            Event::StepFinished { job, verdict, .. } => {
                self.running.remove(job);
                self.steps[1] += 1;
                self.failed += u64::from(verdict.is_failure());
            }
            // It comes again, and is counted then.
            Event::Retrying { .. } => self.steps[1] = self.steps[1].saturating_sub(1),
            Event::TaskFinished { .. } => self.tasks[1] += 1,
            Event::RunFinished { .. } | Event::Suspended => self.over = true,
            Event::Resumed => self.over = false,
            _ => {}
        }
    }

    /// The line, if there is something to say now.
    pub(crate) fn line(&self) -> Option<String> {
        let many = [(self.tasks, "task"), (self.steps, "step")].into_iter().find(|([total, _], _)| *total >= MANY);
        let ([total, ended], what) = many.filter(|_| !self.over && self.now >= SOON)?;
        let ended = ended.min(total);
        let mut parts = vec![format!("{ended} of {}", counted(total, what))];
        if self.failed > 0 {
            parts.push(format!("{} failed", self.failed));
        }
        if ended > 0 {
            let rate = ended as f64 / self.now.as_secs_f64();
            parts.push(format!("{rate:.1}/s"));
            if let Ok(left) = Duration::try_from_secs_f64((total - ended) as f64 / rate) {
                parts.push(format!("{} left", show(Duration::from_secs(left.as_secs()))));
            }
        }
        let mut names: Vec<_> = self.running.values().take(NAMED).map(|name| visible(name)).collect();
        let more = self.running.len() - names.len();
        if more > 0 {
            names.push(format!("{more} more").into());
        }
        if !names.is_empty() {
            parts.push(names.join(", "));
        }
        Some(parts.join(" · "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::scripts::{exit, finished, label, started, task};

    const AT: Duration = Duration::from_secs(2);

    fn begun(tasks: u32, steps: u32) -> Status {
        let mut status = Status::default();
        let run = Event::RunStarted { run: "r".into(), requested: Vec::new(), jobs: None, tasks, steps };
        status.event(Duration::ZERO, &run);
        status
    }

    fn ended(name: &str, code: i32) -> Event {
        Event::TaskFinished { task: task(name), verdict: exit(code), duration: Duration::ZERO }
    }

    #[test]
    fn a_long_run_says_how_far_it_is() {
        let mut status = begun(100, 100);
        for (job, name) in ["a", "b", "c", "d", "e\x1b"].into_iter().enumerate() {
            status.event(AT, &started(job as u64, name));
        }
        assert_eq!(status.line().unwrap(), "0 of 100 tasks · a, b, c, 2 more");
        status.event(AT, &finished(1, "b", exit(3)));
        status.event(AT, &ended("b", 3));
        (0..19).for_each(|_| status.event(AT, &ended("x", 0)));
        assert_eq!(status.line().unwrap(), "20 of 100 tasks · 1 failed · 10.0/s · 8.00s left · a, c, d, 1 more");
        status.event(AT, &Event::Suspended);
        assert_eq!(status.line(), None);
        status.event(AT, &Event::Resumed);
        assert!(status.line().is_some());
    }

    #[test]
    fn what_is_short_or_small_says_nothing() {
        let mut status = begun(100, 100);
        status.event(Duration::from_millis(999), &ended("a", 0));
        assert_eq!(status.line(), None);
        let mut status = begun(9, 9);
        status.event(AT, &ended("a", 0));
        assert_eq!(status.line(), None);
    }

    #[test]
    fn steps_are_counted_where_tasks_are_few_and_items_when_they_are_known() {
        let mut status = begun(1, 40);
        (0..10).for_each(|job| status.event(AT, &finished(job, "t", exit(0))));
        assert_eq!(status.line().unwrap(), "10 of 40 steps · 5.0/s · 6.00s left");
        let mut status = begun(2, 2);
        status.event(AT, &Event::Fed { task: task("t"), items: 19 });
        status.event(AT, &Event::Unfed { task: task("t"), items: 10, reason: crate::base::event::Reason::Failed });
        assert_eq!(status.line().unwrap(), "10 of 20 tasks · 5.0/s · 2.00s left");
        let retry = Event::Retrying { task: label("t").owner.clone(), attempt: 2, of: 3, pause: AT };
        let mut status = begun(1, 40);
        status.event(AT, &finished(1, "t", exit(1)));
        status.event(AT, &retry);
        assert_eq!(status.line().unwrap(), "0 of 40 steps · 1 failed");
    }
}
