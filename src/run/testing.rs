//! For tests only: random files from a tape of bytes, so that a failing case shrinks to a short tape.

use std::sync::Arc;
use std::time::Duration;

use crate::base::source::{Span, Spanned};
use crate::base::value::Template;
use crate::plan::graph::Plan;
use crate::plan::{Asked, Request, World, compile};
use crate::xecfile::check::limits_hold;
use crate::xecfile::model::{
    Axis, AxisSource, Backoff, Batches, Binding, Condition, Data, FileScope, Files, From, Group, Hooks, Late, Limit,
    Matrix, OnError, Predicate, PredicateKind, Ready, Reference, RetryText, SLOTS, Service, Settings, Share, Step,
    StepKind, Task, Use, Width, Xecfile,
};

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

pub(crate) fn now<T>(value: T) -> Option<Spanned<Late<T>>> {
    Some(at(Late::Now(value)))
}

/// What random files have only so much of: held, shared with the machine, a rate, held.
const LIMITS: [&str; 4] = ["a", "b", "c", "d"];

fn limits(tape: &mut Tape<'_>) -> Vec<Limit> {
    let limit = |(place, called): (usize, &&str)| Limit {
        name: at((*called).into()),
        count: 2 + tape.pick(2) as u32,
        per: (place == 2).then_some(Duration::from_millis(20)),
        machine: place == 1,
        span: Span::default(),
    };
    LIMITS.iter().enumerate().map(limit).collect()
}

/// Takes all that it holds away from a task.
fn hold_nothing(task: &mut Task) {
    fn of_hooks(hooks: &mut Hooks) {
        hooks.stages_mut().into_iter().for_each(|steps| of_steps(steps));
    }
    fn of_steps(steps: &mut [Step]) {
        for step in steps {
            step.settings.uses.clear();
            of_hooks(&mut step.hooks);
            if let StepKind::Group(_, inner) = &mut step.kind {
                of_steps(inner);
            }
        }
    }
    task.settings.uses.clear();
    of_steps(&mut task.body);
    of_hooks(&mut task.hooks);
    if let Some(matrix) = &mut task.matrix {
        matrix.settings.uses.clear();
        of_hooks(&mut matrix.hooks);
    }
}

fn name(task: usize) -> Arc<str> {
    format!("t{task}").into()
}

fn reference(task: usize) -> Reference {
    Reference { task: at(name(task)), bindings: Vec::new(), takes: Vec::new() }
}

fn settings(tape: &mut Tape<'_>) -> Settings {
    let mut settings = Settings::default();
    if tape.one_in(4) {
        let modes = [OnError::Continue, OnError::Drain, OnError::FailFast];
        settings.on_error = Some(at(modes[tape.pick(3)]));
    }
    if tape.one_in(6) {
        settings.optional = now(true);
    }
    if tape.one_in(5) {
        settings.timeout = now(Duration::from_millis(5 + tape.pick(60) as u64));
    }
    if tape.one_in(5) {
        let count = 1 + tape.pick(3) as u32;
        let adaptive = Width::Adaptive { min: count, max: Some(count + 2) };
        settings.jobs = now(if tape.one_in(3) { adaptive } else { Width::Count(count) });
    }
    if tape.one_in(5) {
        settings.grace = now(Duration::from_millis(tape.pick(10) as u64));
    }
    if tape.one_in(6) {
        settings.retry = Some(at(RetryText {
            times: at(Late::Now(1 + tape.pick(2) as u32)),
            delay: now(Duration::from_millis(tape.pick(4) as u64)),
            backoff: Backoff::Linear,
            max: None,
            jitter: tape.one_in(2),
        }));
    }
    if tape.one_in(5) {
        let (limit, count) = (tape.pick(LIMITS.len()), 1 + tape.pick(2) as u32);
        settings.uses.push(Use { name: at(LIMITS[limit].into()), count, span: Span::default() });
    }
    if tape.one_in(10) {
        settings.uses.push(Use { name: at(SLOTS.into()), count: 1 + tape.pick(3) as u32, span: Span::default() });
    }
    if tape.one_in(6) {
        settings.priority = Some(at(tape.pick(3) as i32 - 1));
    }
    settings
}

fn step(tape: &mut Tape<'_>, task: usize, depth: usize) -> Step {
    let kind = match tape.pick(if depth == 0 { 4 } else { 8 }) {
        0 | 1 => StepKind::Run("true".into()),
        2 if task > 0 => StepKind::Call(reference(tape.pick(task))),
        2 => StepKind::Run("true".into()),
        3 => StepKind::Wait(Late::Now(Duration::from_millis(tape.pick(20) as u64))),
        4 => StepKind::Group(Group::Parallel, steps(tape, task, depth - 1)),
        5 => StepKind::Group(Group::Any, steps(tape, task, depth - 1)),
        6 => StepKind::Group(Group::Race, steps(tape, task, depth - 1)),
        _ => StepKind::Group(Group::Sequence, steps(tape, task, depth - 1)),
    };
    let mut settings = settings(tape);
    // Of steps in a row there is no share: the next needs the one before it.
    if matches!(kind, StepKind::Group(Group::Parallel, _)) && tape.one_in(3) {
        settings.require = now(Share::Part(1, 2));
    }
    let group = matches!(kind, StepKind::Group(..));
    Step {
        kind,
        conditions: conditions(tape),
        data: Data::default(),
        hooks: if group && depth > 0 { hooks(tape, task) } else { Hooks::default() },
        settings,
        span: Span::default(),
    }
}

fn steps(tape: &mut Tape<'_>, task: usize, depth: usize) -> Vec<Step> {
    (0..tape.pick(4)).map(|_| step(tape, task, depth)).collect()
}

fn hooks(tape: &mut Tape<'_>, task: usize) -> Hooks {
    let mut stage = |chance| if tape.one_in(chance) { vec![step(tape, task, 0)] } else { Vec::new() };
    let (success, failure, finally, progress) = (stage(8), stage(8), stage(8), stage(8));
    let every = (!progress.is_empty()).then(|| at(if tape.one_in(2) { Share::Count(1) } else { Share::Part(1, 2) }));
    Hooks { success, failure, finally, progress, every }
}

/// Some that are known to hold or not, and some that have to be asked.
fn conditions(tape: &mut Tape<'_>) -> Vec<Condition> {
    if !tape.one_in(8) {
        return Vec::new();
    }
    let kind = match tape.pick(3) {
        0 => PredicateKind::Os(vec![at(Template::plain("linux"))]),
        1 => PredicateKind::Os(vec![at(Template::plain("plan9"))]),
        _ => PredicateKind::Run(at("true".into())),
    };
    let lines = vec![Predicate { kind, span: Span::default() }];
    vec![Condition { negate: tape.one_in(3), lines, span: Span::default() }]
}

/// What is remembered, and what only others want to know.
fn files(tape: &mut Tape<'_>) -> Files {
    // A pattern that takes nothing: what is made by nobody is not made twice.
    let pattern = |wanted: bool| if wanted { vec![at(Template::plain("!x"))] } else { Vec::new() };
    Files { inputs: pattern(tape.one_in(4)), outputs: pattern(tape.one_in(4)), ..Files::default() }
}

fn matrix(tape: &mut Tape<'_>, task: usize) -> Option<Matrix> {
    if !tape.one_in(4) {
        return None;
    }
    let source = if tape.one_in(3) {
        AxisSource::From(From { list: at(Template::plain("list")), chunk: None, within: None })
    } else {
        let values = ["a", "b", "c"][..1 + tape.pick(3)].iter();
        AxisSource::Values(values.map(|value| at(Template::plain(*value))).collect())
    };
    // Of what comes late it is not known how many there are.
    let batches = batches(tape).filter(|_| !matches!(source, AxisSource::From(_)));
    Some(Matrix {
        axes: vec![Axis { name: at("x".into()), source, span: Span::default() }],
        exclude: Vec::new(),
        include: Vec::new(),
        may_be_empty: false,
        batches,
        settings: Settings { require: tape.one_in(3).then(|| at(Late::Now(Share::Part(1, 2)))), ..settings(tape) },
        hooks: hooks(tape, task),
        span: Span::default(),
    })
}

fn batches(tape: &mut Tape<'_>) -> Option<Batches> {
    if !tape.one_in(2) {
        return None;
    }
    Some(Batches {
        sizes: vec![at(Late::Now(Share::Count(1))), at(Late::Now(Share::Part(1, 2)))],
        pause: if tape.one_in(2) { now(Duration::from_millis(tape.pick(30) as u64)) } else { None },
        require: if tape.one_in(2) { now(Share::Count(tape.pick(2) as u32)) } else { None },
        span: Span::default(),
    })
}

/// Up to six tasks; each needs, calls and follows only earlier ones, so there is no cycle.
pub(crate) fn file(tape: &mut Tape<'_>) -> Xecfile {
    let mut file = Xecfile { files: vec![FileScope::default()], ..Xecfile::default() };
    file.sources.add("Xecfile.kdl", "");
    file.limits = limits(tape);
    for task in 0..1 + tape.pick(6) {
        let some = |tape: &mut Tape<'_>, chance| -> Vec<Reference> {
            (0..task).filter(|_| tape.one_in(chance)).map(reference).collect()
        };
        let mut needs = some(tape, 3);
        let service = tape.one_in(6).then(|| Service {
            ready: Ready::Exists(at(Template::plain(if tape.one_in(4) { "none" } else { "/" }))),
            timeout: Duration::from_millis(1 + tape.pick(40) as u64),
            span: Span::default(),
        });
        for need in &mut needs {
            // Of a matrix, sometimes only one combination.
            let earlier = &file.tasks.iter().find(|other| other.name.value == need.task.value);
            let known = |other: &&Task| other.matrix.as_ref().is_some_and(|matrix| matrix.late().is_none());
            if earlier.is_some_and(|other| known(&other)) && tape.one_in(2) {
                need.bindings.push(Binding { name: at("x".into()), value: at(Template::plain("a")) });
            }
        }
        let matrix = if service.is_none() { matrix(tape, task) } else { None };
        // Of what comes late, and of services, nothing is remembered.
        let late = matrix.as_ref().is_some_and(|matrix| matrix.late().is_some());
        let unkept = late || service.is_some();
        file.tasks.push(Task {
            needs,
            after: some(tape, 4),
            matrix,
            service,
            conditions: conditions(tape),
            hooks: hooks(tape, task),
            settings: settings(tape),
            files: if unkept { Files::default() } else { files(tape) },
            body: steps(tape, task, 2),
            ..Task::new(at(name(task)), Span::default())
        });
        let members = file.tasks[task].matrix.is_some() && !late;
        if members && tape.one_in(2) {
            let only = &mut file.tasks[task];
            only.settings.uses.clear();
            let place = tape.pick(only.body.len() + 1);
            only.body.insert(place, Step::new(StepKind::Barrier, Span::default()));
        }
        // What the check accepts must never stand still: nothing else is known of the order of what is held.
        if !limits_hold(&file) {
            hold_nothing(&mut file.tasks[task]);
        }
    }
    file
}

/// A plan for some tasks of a random file.
pub(crate) fn plan(tape: &mut Tape<'_>) -> Plan {
    let file = file(tape);
    let last = file.tasks.len() - 1;
    let mut tasks = vec![Asked::plain(&*name(last))];
    if tape.one_in(2) {
        tasks.push(Asked::plain(&*name(tape.pick(last + 1))));
    }
    let on_error = if tape.one_in(3) { OnError::Continue } else { OnError::FailFast };
    let slots = Some(Width::Count(1 + tape.pick(4) as u32));
    let request = Request { tasks, parallel: tape.one_in(2), on_error, slots, cpus: 4, ..Request::default() };
    compile(&file, &request, World::empty()).expect("every name is there, and nothing refers to what comes later")
}

/// The plan of tasks of one command each, of which each needs some earlier ones, with so many slots.
pub(crate) fn plan_of_graph(needs: &[Vec<usize>], slots: u32) -> Plan {
    let mut file = Xecfile { files: vec![FileScope::default()], ..Xecfile::default() };
    file.sources.add("Xecfile.kdl", "");
    for (task, needs) in needs.iter().enumerate() {
        let step = Step::new(StepKind::Run("true".into()), Span::default());
        let needs = needs.iter().copied().map(reference).collect();
        file.tasks.push(Task { needs, body: vec![step], ..Task::new(at(name(task)), Span::default()) });
    }
    let tasks = (0..needs.len()).map(|task| Asked::plain(&*name(task))).collect();
    let request = Request { tasks, parallel: true, slots: Some(Width::Count(slots)), cpus: 4, ..Request::default() };
    compile(&file, &request, World::empty()).expect("tasks that are there, and no cycle")
}

/// The plan of tasks of a text, side by side, with four slots.
pub(crate) fn plan_of_text(text: &str, tasks: &[&str]) -> Plan {
    plan_of_text_with(text, tasks, |_| ())
}

/// The same, where something else is asked for too.
pub(crate) fn plan_of_text_with(text: &str, tasks: &[&str], change: impl FnOnce(&mut Request)) -> Plan {
    let loaded = crate::xecfile::load::read(text);
    let file = loaded.file.unwrap_or_else(|| panic!("{:#?}", loaded.problems));
    let tasks = tasks.iter().map(|task| Asked::plain(*task)).collect();
    let mut request = Request { tasks, parallel: true, slots: Some(Width::Count(4)), cpus: 4, ..Request::default() };
    change(&mut request);
    compile(&file, &request, World::empty()).expect("tasks that are there, and no cycle")
}

/// The plan of one task with one step, and four slots.
pub(crate) fn plan_of(task: &str, change: impl FnOnce(&mut Task)) -> Plan {
    let mut file = Xecfile { files: vec![FileScope::default()], ..Xecfile::default() };
    file.sources.add("Xecfile.kdl", "");
    let step = Step::new(StepKind::Run("true".into()), Span::default());
    let mut only = Task { body: vec![step], ..Task::new(at(task.into()), Span::default()) };
    change(&mut only);
    file.tasks.push(only);
    let request =
        Request { tasks: vec![Asked::plain(task)], slots: Some(Width::Count(4)), cpus: 4, ..Request::default() };
    compile(&file, &request, World::empty()).expect("one task, which is there")
}
