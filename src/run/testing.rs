//! For tests only: random files from a tape of bytes, so that a failing case shrinks to a short tape.

use std::sync::Arc;
use std::time::Duration;

use crate::base::source::{Span, Spanned};
use crate::plan::compile::{Request, compile};
use crate::plan::graph::Plan;
use crate::xecfile::model::{OnError, Reference, Settings, Step, StepKind, Task, Width, Xecfile};

/// Decisions, one byte each; zero when there are none left.
pub(crate) struct Tape<'b> {
    bytes: std::slice::Iter<'b, u8>,
}

impl<'b> Tape<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes: bytes.iter() }
    }

    /// A number below `below`, small ones when the tape is short.
    pub(crate) fn pick(&mut self, below: usize) -> usize {
        usize::from(self.bytes.next().copied().unwrap_or(0)) % below.max(1)
    }

    pub(crate) fn one_in(&mut self, chance: usize) -> bool {
        self.pick(chance) == chance - 1
    }
}

pub(crate) fn at<T>(value: T) -> Spanned<T> {
    Spanned::new(value, Span::default())
}

fn name(task: usize) -> Arc<str> {
    format!("t{task}").into()
}

fn reference(task: usize) -> Reference {
    Reference { task: at(name(task)) }
}

fn settings(tape: &mut Tape<'_>) -> Settings {
    let mut settings = Settings::default();
    if tape.one_in(4) {
        let modes = [OnError::Continue, OnError::Drain, OnError::FailFast];
        settings.on_error = Some(at(modes[tape.pick(3)]));
    }
    if tape.one_in(6) {
        settings.optional = Some(at(true));
    }
    if tape.one_in(5) {
        settings.timeout = Some(at(Duration::from_millis(5 + tape.pick(60) as u64)));
    }
    if tape.one_in(5) {
        settings.jobs = Some(at(Width::Count(1 + tape.pick(3) as u32)));
    }
    if tape.one_in(5) {
        settings.grace = Some(at(Duration::from_millis(tape.pick(10) as u64)));
    }
    settings
}

fn steps(tape: &mut Tape<'_>, task: usize, depth: usize) -> Vec<Step> {
    (0..tape.pick(4))
        .map(|_| {
            let kind = match tape.pick(if depth == 0 { 3 } else { 5 }) {
                0 | 1 => StepKind::Run("true".into()),
                2 if task > 0 => StepKind::Call(reference(tape.pick(task))),
                2 => StepKind::Run("true".into()),
                3 => StepKind::Parallel(steps(tape, task, depth - 1)),
                _ => StepKind::Sequence(steps(tape, task, depth - 1)),
            };
            Step { kind, settings: settings(tape), span: Span::default() }
        })
        .collect()
}

/// Up to six tasks; each needs, calls and follows only earlier ones, so there is no cycle.
pub(crate) fn file(tape: &mut Tape<'_>) -> Xecfile {
    let mut file = Xecfile::default();
    file.sources.add("Xecfile.kdl", "");
    for task in 0..1 + tape.pick(6) {
        let some = |tape: &mut Tape<'_>, chance| (0..task).filter(|_| tape.one_in(chance)).map(reference).collect();
        file.tasks.push(Task {
            name: at(name(task)),
            desc: None,
            needs: some(tape, 3),
            after: some(tape, 4),
            settings: settings(tape),
            body: steps(tape, task, 2),
            span: Span::default(),
        });
    }
    file
}

/// A plan for some tasks of a random file.
pub(crate) fn plan(tape: &mut Tape<'_>) -> Plan {
    let file = file(tape);
    let last = file.tasks.len() - 1;
    let mut tasks = vec![name(last).to_string()];
    if tape.one_in(2) {
        tasks.push(name(tape.pick(last + 1)).to_string());
    }
    let on_error = if tape.one_in(3) { OnError::Continue } else { OnError::FailFast };
    let slots = Some(1 + tape.pick(4) as u32);
    let request = Request { tasks, parallel: tape.one_in(2), on_error, slots, cpus: 4 };
    compile(&file, &request).expect("every name is there, and nothing refers to what comes later")
}

/// The plan of one task with one step, and four slots.
pub(crate) fn plan_of(task: &str, change: impl FnOnce(&mut Task)) -> Plan {
    let mut file = Xecfile::default();
    file.sources.add("Xecfile.kdl", "");
    let step = Step { kind: StepKind::Run("true".into()), settings: Settings::default(), span: Span::default() };
    let mut only = Task {
        name: at(task.into()),
        desc: None,
        needs: Vec::new(),
        after: Vec::new(),
        settings: Settings::default(),
        body: vec![step],
        span: Span::default(),
    };
    change(&mut only);
    file.tasks.push(only);
    let tasks = vec![task.to_owned()];
    compile(&file, &Request { tasks, slots: Some(4), cpus: 4, ..Request::default() }).expect("one task, which is there")
}
