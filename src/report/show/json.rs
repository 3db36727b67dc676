//! The same page as one line of JSON. The types are this module's own, so that the model may change its shape and
//! the format does not; names are only ever added within a version. Values with holes are as they were written.

use serde::Serialize;

use crate::base::source::{SourceMap, Spanned};
use crate::base::value::Template;
use crate::report::line::line;
use crate::report::list::Listed;
use crate::report::spell;
use crate::xecfile::model::{self, AxisSource, Binding, Group, Reference, Settings, StepKind};

/// The page of a task, for machines.
pub fn json(task: &model::Task, sources: &SourceMap) -> String {
    line(&Shown { v: 1, task: Page::of(task, sources) })
}

#[derive(Serialize)]
struct Shown<'a> {
    v: u32,
    task: Page<'a>,
}

#[derive(Serialize)]
struct Page<'a> {
    #[serde(flatten)]
    listed: Listed<'a>,
    file: String,
    line: u32,
    confirm: Option<String>,
    service: Option<String>,
    needs: Vec<Named<'a>>,
    after: Vec<Named<'a>>,
    matrix: Option<Matrix<'a>>,
    conditions: Vec<Condition>,
    settings: Vec<Entry<'a>>,
    env: Vec<Entry<'a>>,
    temps: Vec<&'a str>,
    steps: Vec<Step<'a>>,
    hooks: Hooks<'a>,
}

impl<'a> Page<'a> {
    fn of(task: &'a model::Task, sources: &SourceMap) -> Self {
        let (file, line) = sources.place(task.span);
        Self {
            listed: Listed::of(task),
            file: file.to_string_lossy().into_owned(),
            line,
            confirm: task.confirm.as_ref().map(text),
            service: task.service.as_ref().map(|service| spell::ready(&service.ready)),
            needs: task.needs.iter().map(Named::of).collect(),
            after: task.after.iter().map(Named::of).collect(),
            matrix: task.matrix.as_ref().map(Matrix::of),
            conditions: task.conditions.iter().map(Condition::of).collect(),
            settings: settings(&task.settings),
            env: env(&task.settings),
            temps: task.temps.iter().map(|temp| &*temp.value).collect(),
            steps: task.body.iter().map(Step::of).collect(),
            hooks: Hooks::of(&task.hooks),
        }
    }
}

/// A name with a value.
#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    value: String,
}

fn text(template: &Spanned<Template>) -> String {
    spell::template(&template.value)
}

fn settings(settings: &Settings) -> Vec<Entry<'_>> {
    spell::settings(settings).into_iter().map(|(name, value)| Entry { name, value }).collect()
}

fn env(settings: &Settings) -> Vec<Entry<'_>> {
    settings.env.iter().map(|entry| Entry { name: &entry.name.value, value: text(&entry.value) }).collect()
}

fn bindings(bindings: &[Binding]) -> Vec<Entry<'_>> {
    bindings.iter().map(|one| Entry { name: &one.name.value, value: text(&one.value) }).collect()
}

/// A task that this one names.
#[derive(Serialize)]
struct Named<'a> {
    task: &'a str,
    inputs: Vec<Entry<'a>>,
    takes: Vec<Taken<'a>>,
}

#[derive(Serialize)]
struct Taken<'a> {
    name: &'a str,
    r#as: &'a str,
}

impl<'a> Named<'a> {
    fn of(reference: &'a Reference) -> Self {
        let taken = |take: &'a model::Take| Taken { name: &take.name.value, r#as: &take.here.value };
        Self {
            task: &reference.task.value,
            inputs: bindings(&reference.bindings),
            takes: reference.takes.iter().map(taken).collect(),
        }
    }
}

#[derive(Serialize)]
struct Matrix<'a> {
    axes: Vec<Axis<'a>>,
    exclude: Vec<Vec<Entry<'a>>>,
    include: Vec<Vec<Entry<'a>>>,
    may_be_empty: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    batches: Option<String>,
    settings: Vec<Entry<'a>>,
    hooks: Hooks<'a>,
}

#[derive(Serialize)]
struct Axis<'a> {
    name: &'a str,
    #[serde(flatten)]
    source: Source,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Source {
    Values(Vec<String>),
    Glob(String),
    Range(String),
    From(String),
    Hosts(String),
    On(String),
}

impl<'a> Matrix<'a> {
    fn of(matrix: &'a model::Matrix) -> Self {
        let axis = |axis: &'a model::Axis| Axis {
            name: &axis.name.value,
            source: match &axis.source {
                AxisSource::Values(values) => Source::Values(values.iter().map(text).collect()),
                AxisSource::Glob(glob) => Source::Glob(text(glob)),
                AxisSource::Range(range) => Source::Range(text(range)),
                AxisSource::From(from) => Source::From(text(&from.list)),
                AxisSource::Hosts(selector) => Source::Hosts(text(selector)),
                AxisSource::On(selector) => Source::On(text(selector)),
            },
        };
        let rows = |rows: &'a [Vec<Binding>]| rows.iter().map(|row| bindings(row)).collect();
        Self {
            axes: matrix.axes.iter().map(axis).collect(),
            exclude: rows(&matrix.exclude),
            include: rows(&matrix.include),
            may_be_empty: matrix.may_be_empty,
            batches: matrix.batches.as_ref().map(spell::batches),
            settings: settings(&matrix.settings),
            hooks: Hooks::of(&matrix.hooks),
        }
    }
}

#[derive(Serialize)]
struct Condition {
    unless: bool,
    lines: Vec<String>,
}

impl Condition {
    fn of(condition: &model::Condition) -> Self {
        Self { unless: condition.negate, lines: condition.lines.iter().map(spell::predicate).collect() }
    }
}

#[derive(Serialize)]
struct Step<'a> {
    #[serde(flatten)]
    kind: Kind<'a>,
    conditions: Vec<Condition>,
    settings: Vec<Entry<'a>>,
    env: Vec<Entry<'a>>,
    data: Vec<Entry<'a>>,
    hooks: Hooks<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind<'a> {
    Run(&'a str),
    Exec(Vec<String>),
    Call(Named<'a>),
    Wait(String),
    Barrier(bool),
    Copy(Copied),
    Sequence(Vec<Step<'a>>),
    Parallel(Vec<Step<'a>>),
    Any(Vec<Step<'a>>),
    Race(Vec<Step<'a>>),
    Pipe(Vec<Step<'a>>),
    Reduce(Reduced<'a>),
}

#[derive(Serialize)]
struct Copied {
    from: Vec<String>,
    to: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Reduced<'a> {
    list: String,
    fan_in: u32,
    capture: Option<&'a str>,
    step: Box<Step<'a>>,
}

impl<'a> Step<'a> {
    fn of(step: &'a model::Step) -> Self {
        let inner = |steps: &'a [model::Step]| steps.iter().map(Step::of).collect();
        Self {
            kind: match &step.kind {
                StepKind::Run(script) => Kind::Run(script),
                StepKind::Exec(words) => Kind::Exec(words.iter().map(text).collect()),
                StepKind::Call(callee) => Kind::Call(Named::of(callee)),
                StepKind::Wait(time) => Kind::Wait(spell::late(time, |time| spell::duration(*time))),
                StepKind::Barrier => Kind::Barrier(true),
                StepKind::Until(ready) => Kind::Wait(spell::ready(ready)),
                StepKind::Copy(copy) => {
                    Kind::Copy(Copied { from: copy.from.spelled().collect(), to: copy.to.spelled().collect() })
                }
                StepKind::Reduce(reduce) => Kind::Reduce(Reduced {
                    list: text(&reduce.list),
                    fan_in: reduce.fan_in,
                    capture: reduce.capture.as_ref().map(|name| &*name.value),
                    step: Box::new(Step::of(&reduce.step)),
                }),
                StepKind::Group(Group::Sequence, steps) => Kind::Sequence(inner(steps)),
                StepKind::Group(Group::Parallel, steps) => Kind::Parallel(inner(steps)),
                StepKind::Group(Group::Any, steps) => Kind::Any(inner(steps)),
                StepKind::Group(Group::Race, steps) => Kind::Race(inner(steps)),
                StepKind::Group(Group::Pipe, steps) => Kind::Pipe(inner(steps)),
            },
            conditions: step.conditions.iter().map(Condition::of).collect(),
            settings: settings(&step.settings),
            env: env(&step.settings),
            data: spell::data(&step.data).into_iter().map(|(name, value)| Entry { name, value }).collect(),
            hooks: Hooks::of(&step.hooks),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Hooks<'a> {
    on_success: Vec<Step<'a>>,
    on_failure: Vec<Step<'a>>,
    finally: Vec<Step<'a>>,
    on_progress: Vec<Step<'a>>,
    every: Option<String>,
}

impl<'a> Hooks<'a> {
    fn of(hooks: &'a model::Hooks) -> Self {
        let steps = |steps: &'a [model::Step]| steps.iter().map(Step::of).collect();
        let (on_success, on_failure, finally) = (steps(&hooks.success), steps(&hooks.failure), steps(&hooks.finally));
        let every = hooks.every.as_ref().map(|every| spell::share(every.value));
        Self { on_success, on_failure, finally, on_progress: steps(&hooks.progress), every }
    }
}
