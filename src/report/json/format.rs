//! The shape of the lines: types that only serve to be written, each made from its like inside.

use std::time::Duration;

use serde::Serialize;

use crate::base::command::{Sample, Usage};
use crate::base::event::{self, Culprit, Event, StepLabel, TaskLabel};
use crate::report::json::end::{End, code};
use crate::report::json::profile::ProfileLine;
use crate::report::json::why::{Why, hardness};
use crate::report::words;

/// To the microsecond.
pub(super) fn seconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e6
}

#[derive(Serialize)]
pub(super) struct Line<'a> {
    pub(super) v: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<f64>,
    #[serde(flatten)]
    pub(super) what: What<'a>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum What<'a> {
    RunStarted {
        run: &'a str,
        requested: Vec<&'a str>,
        jobs: Option<u32>,
        tasks: u32,
        steps: u32,
    },
    Fed {
        #[serde(flatten)]
        task: Task<'a>,
        items: u64,
    },
    Unfed {
        #[serde(flatten)]
        task: Task<'a>,
        items: u64,
        #[serde(flatten)]
        why: Why,
    },
    TaskStarted {
        #[serde(flatten)]
        task: Task<'a>,
    },
    TaskStale {
        #[serde(flatten)]
        task: Task<'a>,
        why: &'a [String],
    },
    StillUp {
        #[serde(flatten)]
        task: Task<'a>,
    },
    ReplayStarted {
        job: u64,
        #[serde(flatten)]
        task: Task<'a>,
    },
    ReplayFinished {
        job: u64,
    },
    StepStarted {
        job: u64,
        #[serde(flatten)]
        step: Step<'a>,
        attempt: u32,
        waits: Waits,
        slots: u32,
        pid: Option<u32>,
    },
    Output {
        job: u64,
        stream: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        base64: Option<String>,
    },
    StepLeaked {
        job: u64,
        holders: &'a [String],
    },
    StepStopped {
        job: u64,
        signal: String,
    },
    StepSampled {
        job: u64,
        cpu: f64,
        memory: u64,
        processes: u32,
    },
    StepFinished {
        job: u64,
        #[serde(flatten)]
        step: Step<'a>,
        verdict: End,
        code: Option<i32>,
        duration: f64,
        usage: Option<Used>,
    },
    TaskFinished {
        #[serde(flatten)]
        task: Task<'a>,
        verdict: End,
        duration: f64,
    },
    Cancelling {
        what: &'a str,
        #[serde(flatten)]
        why: Why,
        level: &'static str,
    },
    Scarce {
        jobs: u32,
        why: &'a str,
    },
    Retrying {
        task: Task<'a>,
        attempt: u32,
        of: u32,
        pause: f64,
    },
    Trouble {
        why: &'a str,
    },
    Suspended,
    Resumed,
    Swept {
        processes: &'a [String],
    },
    Changed {
        paths: &'a [String],
        more: usize,
    },
    Broken {
        text: &'a str,
    },
    Waiting {
        files: usize,
    },
    Profile(ProfileLine<'a>),
    RunFinished {
        culprits: Vec<Failed<'a>>,
        counts: Counts,
        signal: Option<String>,
        code: i32,
        duration: f64,
    },
}

#[derive(Serialize)]
pub(super) struct Task<'a> {
    task: &'a str,
    instance: &'a str,
    file: &'a str,
    line: u32,
}

impl<'a> From<&'a TaskLabel> for Task<'a> {
    fn from(label: &'a TaskLabel) -> Self {
        Self { task: &label.task, instance: &label.instance, file: &label.site.file, line: label.site.line }
    }
}

#[derive(Serialize)]
pub(super) struct Step<'a> {
    #[serde(flatten)]
    task: Task<'a>,
    step: &'a str,
    optional: bool,
}

impl<'a> From<&'a StepLabel> for Step<'a> {
    fn from(label: &'a StepLabel) -> Self {
        let task = Task { file: &label.site.file, line: label.site.line, ..Task::from(&*label.owner) };
        Self { task, step: &label.text, optional: label.optional }
    }
}

#[derive(Serialize)]
pub(super) struct Waits {
    dependency: f64,
    slot: f64,
    limit: f64,
}

impl From<&event::Waits> for Waits {
    fn from(waits: &event::Waits) -> Self {
        Self { dependency: seconds(waits.dependency), slot: seconds(waits.slot), limit: seconds(waits.limit) }
    }
}

#[derive(Serialize)]
pub(super) struct Used {
    user: f64,
    system: f64,
    peak_memory: u64,
}

impl From<&Usage> for Used {
    fn from(usage: &Usage) -> Self {
        Self { user: seconds(usage.user), system: seconds(usage.system), peak_memory: usage.peak_memory }
    }
}

#[derive(Serialize)]
pub(super) struct Counts {
    ok: u32,
    failed: u32,
    #[serde(skip_serializing_if = "is_none")]
    unknown: u32,
    #[serde(skip_serializing_if = "is_none")]
    unreachable: u32,
    cancelled: u32,
    skipped: u32,
    fresh: u32,
}

impl From<&event::Counts> for Counts {
    fn from(counts: &event::Counts) -> Self {
        let event::Counts { ok, failed, unknown, unreachable, cancelled, skipped, fresh } = *counts;
        Self { ok, failed, unknown, unreachable, cancelled, skipped, fresh }
    }
}

fn is_none(count: &u32) -> bool {
    *count == 0
}

#[derive(Serialize)]
pub(super) struct Failed<'a> {
    task: &'a str,
    instance: &'a str,
    step: Option<&'a str>,
    file: &'a str,
    line: u32,
    job: Option<u64>,
    verdict: End,
    code: i32,
}

impl<'a> From<&'a Culprit> for Failed<'a> {
    fn from(culprit: &'a Culprit) -> Self {
        let site = culprit.step.as_ref().map_or(&culprit.owner.site, |step| &step.site);
        Self {
            task: &culprit.owner.task,
            instance: &culprit.owner.instance,
            step: culprit.step.as_ref().map(|step| &*step.text),
            file: &site.file,
            line: site.line,
            job: culprit.job.map(|job| job.0),
            verdict: End::from(&culprit.verdict),
            code: culprit.code,
        }
    }
}

impl<'a> What<'a> {
    pub(super) fn of(event: &'a Event) -> Self {
        match event {
            Event::Changed { paths, more } => What::Changed { paths, more: *more },
            Event::Broken { text } => What::Broken { text },
            Event::Waiting { files, .. } => What::Waiting { files: *files },
            Event::RunStarted { run, requested, jobs, tasks, steps } => What::RunStarted {
                run,
                requested: requested.iter().map(|task| &**task).collect(),
                jobs: *jobs,
                tasks: *tasks,
                steps: *steps,
            },
            Event::Fed { task, items } => What::Fed { task: Task::from(&**task), items: *items },
            Event::Unfed { task, items, reason } => {
                What::Unfed { task: Task::from(&**task), items: *items, why: Why::from(*reason) }
            }
            Event::TaskStarted { task } => What::TaskStarted { task: Task::from(&**task) },
            Event::TaskStale { task, why } => What::TaskStale { task: Task::from(&**task), why },
            Event::StillUp { task } => What::StillUp { task: Task::from(&**task) },
            Event::ReplayStarted { job, task } => What::ReplayStarted { job: job.0, task: Task::from(&**task) },
            Event::ReplayFinished { job } => What::ReplayFinished { job: job.0 },
            Event::StepStarted { job, step, attempt, waits, slots, pid } => What::StepStarted {
                job: job.0,
                step: Step::from(&**step),
                attempt: *attempt,
                waits: Waits::from(waits),
                slots: *slots,
                pid: *pid,
            },
            Event::StepLeaked { job, holders } => What::StepLeaked { job: job.0, holders },
            Event::StepStopped { job, signal } => What::StepStopped { job: job.0, signal: words::signal(*signal) },
            Event::StepSampled { job, sample: Sample { cpu, memory, processes } } => {
                What::StepSampled { job: job.0, cpu: seconds(*cpu), memory: *memory, processes: *processes }
            }
            Event::StepFinished { job, step, verdict, duration, usage } => What::StepFinished {
                job: job.0,
                step: Step::from(&**step),
                verdict: End::from(verdict),
                code: code(verdict),
                duration: seconds(*duration),
                usage: usage.as_ref().map(Used::from),
            },
            Event::TaskFinished { task, verdict, duration } => What::TaskFinished {
                task: Task::from(&**task),
                verdict: End::from(verdict),
                duration: seconds(*duration),
            },
            Event::Cancelling { what, reason, level } => {
                What::Cancelling { what, why: Why::from(*reason), level: hardness(*level) }
            }
            Event::Scarce { jobs, why } => What::Scarce { jobs: *jobs, why },
            Event::Retrying { task, attempt, of, pause } => {
                What::Retrying { task: Task::from(&**task), attempt: *attempt, of: *of, pause: seconds(*pause) }
            }
            Event::Trouble { why } => What::Trouble { why },
            Event::Suspended => What::Suspended,
            Event::Resumed => What::Resumed,
            Event::Swept { processes } => What::Swept { processes },
            Event::RunFinished { culprits, counts, signal, code, duration } => What::RunFinished {
                culprits: culprits.iter().map(Failed::from).collect(),
                counts: Counts::from(counts),
                signal: signal.map(words::signal),
                code: *code,
                duration: seconds(*duration),
            },
        }
    }
}
