//! What can only be said of the whole: names that stand for nothing, names that stand twice, values that are
//! not in scope, bindings that no task takes. Cycles are the plan's to find. Knows no KDL and no IO.

mod barriers;
mod edges;
mod foreign;
mod hosts;
mod limits;
mod names;
mod scope;
mod script;
mod secrets;
mod sessions;
mod twice;
mod values;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem, Problems};
use crate::base::source::{SourceId, SourceMap, Span};
use crate::xecfile::cursor::overlaps;
use crate::xecfile::model::{FileScope, Hooks, Host, Limit, Reference, Step, StepKind, Task};

pub(crate) use hosts::fail_fast;

/// Where checking reads from and reports to.
pub(crate) struct Texts<'a> {
    /// Every file.
    pub(crate) sources: &'a SourceMap,
    /// What has been told already, by file.
    pub(crate) broken: &'a [Vec<Range<usize>>],
    /// What was found.
    pub(crate) problems: Problems,
    /// The secrets of all files.
    secrets: HashSet<Arc<str>>,
    told: HashSet<(Code, Span)>,
    /// How many more words of scripts may be compared with names of values: what is slow and only a warning.
    comparisons: usize,
}

impl<'a> Texts<'a> {
    pub(crate) fn new(sources: &'a SourceMap, broken: &'a [Vec<Range<usize>>], problems: Problems) -> Self {
        let (secrets, told) = (HashSet::new(), HashSet::new());
        Self { sources, broken, problems, secrets, told, comparisons: 1_000_000 }
    }

    /// Tells a problem, unless it only comes from a word that was told already. What a template of nodes brings
    /// into many tasks is told once.
    fn report(&mut self, problem: Problem) {
        let Some(place) = problem.labels.first().map(|label| label.span) else { return self.problems.push(problem) };
        let broken = self.broken.get(usize::from(place.source.0)).is_some_and(|ranges| overlaps(ranges, place));
        if !broken && self.told.insert((problem.code, place)) {
            self.problems.push(problem);
        }
    }

    fn slice(&self, span: Span) -> &'a str {
        self.sources.get(span.source).text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The place of a piece of text within another place.
    fn within(&self, span: Span, piece: &str) -> Span {
        match self.slice(span).find(piece) {
            Some(at) => Span { start: span.start + at as u32, end: span.start + (at + piece.len()) as u32, ..span },
            None => span,
        }
    }

    /// Where a text names a value; all of it where that cannot be said.
    fn hole(&self, text: Span, name: &str) -> Span {
        let place = self.within(text, &format!("${{{name}"));
        if place == text { text } else { Span { start: place.start + "${".len() as u32, ..place } }
    }

    /// The files in which a word of a later version may bring values of its own.
    fn unsure(&self) -> HashSet<SourceId> {
        let later = self.problems.as_slice().iter().filter(|problem| problem.code == Code::NotYet);
        later.filter_map(|problem| Some(problem.labels.first()?.span.source)).collect()
    }
}

/// How the names of one file are read.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// What its tasks' names begin with.
    pub(crate) prefix: Option<Arc<str>>,
    /// The files that it includes, by the names it gives them.
    pub(crate) includes: HashMap<Arc<str>, usize>,
}

/// Checks everything, gives each reference the whole name of its task, and drops the second of two tasks with
/// one name.
pub(crate) fn check(
    texts: &mut Texts<'_>,
    files: &[FileScope],
    links: &[Links],
    limits: &mut Vec<Limit>,
    hosts: &mut Vec<Host>,
    tasks: &mut Vec<Task>,
) {
    names::unique(texts, tasks);
    let index = names::index(tasks);
    names::resolve(texts, links, &index, tasks);
    limits::unique(texts, limits);
    barriers::check(texts, files, tasks);
    sessions::check(texts, files, tasks);
    limits::check(texts, files, tasks, &index, limits);
    hosts::unique(texts, hosts);
    hosts::check(texts, hosts, tasks);
    texts.secrets = files.iter().flat_map(|file| &file.secrets).map(|secret| secret.name.value.clone()).collect();
    let unsure = texts.unsure();
    values::check(texts, files, tasks, &unsure);
    edges::check(texts, tasks, &index, &unsure);
}

/// Whether the limits of a file are there, large enough, and taken in order.
#[cfg(test)]
pub(crate) fn limits_hold(file: &crate::xecfile::model::Xecfile) -> bool {
    let mut texts = Texts::new(&file.sources, &[], Problems::default());
    limits::check(&mut texts, &file.files, &file.tasks, &names::index(&file.tasks), &file.limits);
    texts.problems.as_slice().is_empty()
}

/// The steps of a list and all that is within them, hooks of groups too; no deeper than blocks are nested.
fn each_step<'t>(steps: &'t [Step], visit: &mut impl FnMut(&'t Step)) {
    for step in steps {
        visit(step);
        each_step(step.kind.steps(), visit);
        each_hook(&step.hooks, visit);
    }
}

fn each_hook<'t>(hooks: &'t Hooks, visit: &mut impl FnMut(&'t Step)) {
    for steps in hooks.stages() {
        each_step(steps, visit);
    }
}

/// All steps of a task, those of its hooks and of its matrix's too.
pub(crate) fn each_step_of<'t>(task: &'t Task, visit: &mut impl FnMut(&'t Step)) {
    each_step(&task.body, visit);
    each_hook(&task.hooks, visit);
    if let Some(matrix) = &task.matrix {
        each_hook(&matrix.hooks, visit);
    }
}

fn each_reference_mut(task: &mut Task, visit: &mut impl FnMut(&mut Reference)) {
    fn steps(list: &mut [Step], visit: &mut impl FnMut(&mut Reference)) {
        for step in list {
            if let StepKind::Call(reference) = &mut step.kind {
                visit(reference);
            }
            steps(step.kind.steps_mut(), visit);
            hooks(&mut step.hooks, visit);
        }
    }
    fn hooks(hooks: &mut Hooks, visit: &mut impl FnMut(&mut Reference)) {
        for list in hooks.stages_mut() {
            steps(list, visit);
        }
    }
    task.needs.iter_mut().chain(&mut task.after).for_each(&mut *visit);
    steps(&mut task.body, visit);
    hooks(&mut task.hooks, visit);
    if let Some(matrix) = &mut task.matrix {
        hooks(&mut matrix.hooks, visit);
    }
}
