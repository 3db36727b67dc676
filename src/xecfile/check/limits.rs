//! Limits: whether those that are used exist, are large enough, and are taken in an order in which nobody can wait
//! for ever. Knows no run.
//!
//! The order is that of the file: who holds a limit may take only later ones. What a task takes when it is called
//! is all that it, its steps and hooks, and the tasks that it calls, needs or comes after take; of that, the
//! earliest limit decides. It is found once for each task, by walking from each limit, the first one first,
//! backwards along those ties: linear, however tasks are tied.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::one_of;
use crate::base::source::Span;
use crate::xecfile::check::Texts;
use crate::xecfile::model::{FileScope, Hooks, Limit, SLOTS, Settings, Step, StepKind, Task, Use};

/// Drops what is declared twice: the same in two files is one, anything else is told.
pub(super) fn unique(texts: &mut Texts<'_>, limits: &mut Vec<Limit>) {
    let mut seen: HashMap<Arc<str>, Limit> = HashMap::new();
    limits.retain(|limit| {
        let Some(first) = seen.get(&limit.name.value) else {
            seen.insert(limit.name.value.clone(), limit.clone());
            return true;
        };
        if first.span.source == limit.span.source || !first.agrees(limit) {
            let problem = Problem::error(Code::Duplicate, format!("there are two limits `{}`", limit.name.value));
            let problem = problem.at(limit.span, "the second one").at(first.span, "the first one");
            texts.report(problem.help("a limit is the run's: files that share it say the same, others another name"));
        }
        false
    });
}

/// Checks every `uses`.
pub(super) fn check(
    texts: &mut Texts<'_>,
    files: &[FileScope],
    tasks: &[Task],
    index: &HashMap<Arc<str>, usize>,
    limits: &[Limit],
) {
    let places = limits.iter().enumerate().map(|(at, limit)| (&*limit.name.value, at)).collect();
    let mut look = Look { texts, limits, places, index, task: 0, out: Found::default() };
    for file in files {
        look.settings(&file.defaults, None);
    }
    // What `defaults` hold is not held by the file.
    look.out = Found::default();
    for (at, task) in tasks.iter().enumerate() {
        look.task = at;
        look.task(task, &files[usize::from(task.file.0)].defaults);
    }
    let Found { takes, ties, inside } = look.out;
    if inside.is_empty() {
        return;
    }
    let first = earliest(tasks.len(), limits.len(), &takes, &ties);
    for Inside { held, callee, span } in inside {
        if let Some((taken, at)) = first[callee]
            && taken <= held.limit
        {
            let name = &tasks[callee].name.value;
            let problem = out_of_order(limits, held, taken, at);
            texts.report(problem.at(span, format!("by way of `{name}`")));
        }
    }
}

/// A limit that is held, and where that is said.
#[derive(Clone, Copy)]
struct Held {
    limit: usize,
    span: Span,
}

/// A task that is waited for while a limit is held.
struct Inside {
    held: Held,
    callee: usize,
    span: Span,
}

/// What the tasks take, and whom they wait for.
#[derive(Default)]
struct Found {
    /// Limit, task, where.
    takes: Vec<(usize, usize, Span)>,
    /// From, to.
    ties: Vec<(usize, usize)>,
    inside: Vec<Inside>,
}

struct Look<'l, 't, 'x> {
    texts: &'l mut Texts<'x>,
    limits: &'t [Limit],
    places: HashMap<&'t str, usize>,
    index: &'l HashMap<Arc<str>, usize>,
    task: usize,
    out: Found,
}

impl Look<'_, '_, '_> {
    fn task(&mut self, task: &Task, defaults: &Settings) {
        let set = match &task.matrix {
            Some(matrix) => {
                let set = self.settings(&matrix.settings, None);
                self.hooks(&matrix.hooks, set);
                set
            }
            None => None,
        };
        // The set is there before what its instances need.
        for other in task.needs.iter().chain(&task.after) {
            self.tie(&other.task.value, other.task.span, set);
        }
        let own = if task.settings.uses.is_empty() { defaults } else { &task.settings };
        let held = self.settings(own, set);
        self.steps(&task.body, held);
        self.hooks(&task.hooks, held);
    }

    /// No deeper than blocks are nested.
    fn steps(&mut self, steps: &[Step], held: Option<Held>) {
        for step in steps {
            let held = self.settings(&step.settings, held);
            if let StepKind::Call(callee) = &step.kind {
                self.tie(&callee.task.value, callee.task.span, held);
            }
            self.steps(step.kind.steps(), held);
            self.hooks(&step.hooks, held);
        }
    }

    fn hooks(&mut self, hooks: &Hooks, held: Option<Held>) {
        for steps in hooks.stages() {
            self.steps(steps, held);
        }
    }

    fn tie(&mut self, task: &str, span: Span, held: Option<Held>) {
        let Some(callee) = self.index.get(task).copied() else { return };
        self.out.ties.push((self.task, callee));
        self.out.inside.extend(held.map(|held| Inside { held, callee, span }));
    }

    /// What is taken at one place; says which limit is the latest that is held from here on.
    fn settings(&mut self, settings: &Settings, held: Option<Held>) -> Option<Held> {
        let mut latest = held;
        for used in settings.uses.iter().filter(|used| &*used.name.value != SLOTS) {
            let Some(limit) = self.resolve(used) else { continue };
            if let Some(held) = held.filter(|held| limit <= held.limit) {
                let problem = out_of_order(self.limits, held, limit, used.span);
                self.texts.report(problem);
            }
            self.out.takes.push((limit, self.task, used.span));
            if latest.is_none_or(|latest| latest.limit < limit) {
                latest = Some(Held { limit, span: used.span });
            }
        }
        latest
    }

    fn resolve(&mut self, used: &Use) -> Option<usize> {
        let name = &*used.name.value;
        let Some(at) = self.places.get(name).copied() else {
            let problem = Problem::error(Code::UnknownLimit, format!("there is no limit `{name}`"));
            let help = one_of(name, self.places.keys().copied());
            let help = help.unwrap_or_else(|| format!("declare it at the top of the file: limit {name} 1"));
            self.texts.report(problem.at(used.name.span, "").help(help));
            return None;
        };
        let limit = &self.limits[at];
        if used.count > limit.count {
            let message = format!("`uses {name} {}` is more than there is: {}", used.count, limit.count);
            let problem = Problem::error(Code::LimitExceeded, message);
            let problem = problem.at(used.span, "it could never begin").at(limit.span, "the limit");
            self.texts.report(problem.help("use less of it, or declare more"));
        }
        Some(at)
    }
}

fn out_of_order(limits: &[Limit], held: Held, taken: usize, at: Span) -> Problem {
    let (taken, holds) = (&limits[taken], &limits[held.limit]);
    let (name, before) = (&taken.name.value, &holds.name.value);
    if name == before {
        let problem = Problem::error(Code::LimitOrder, format!("`{name}` is taken while it is held already"));
        let problem = problem.at(at, "taken once more").at(held.span, "held from here on");
        return problem.help("use it at one of the two places");
    }
    let message = format!("`{name}` is taken while `{before}` is held, which is declared after it");
    let problem = Problem::error(Code::LimitOrder, message).at(at, format!("`{name}` is taken"));
    let problem = problem.at(held.span, format!("`{before}` is held")).at(taken.span, "declared before the other");
    problem.help(format!("declare `{name}` after `{before}`, or use both at one place"))
}

/// For each task the first limit that is taken when it is called, and where.
fn earliest(
    tasks: usize,
    limits: usize,
    takes: &[(usize, usize, Span)],
    ties: &[(usize, usize)],
) -> Vec<Option<(usize, Span)>> {
    let mut callers: Vec<Vec<usize>> = vec![Vec::new(); tasks];
    for (from, to) in ties {
        callers[*to].push(*from);
    }
    let mut takers: Vec<Vec<(usize, Span)>> = vec![Vec::new(); limits];
    for (limit, task, span) in takes {
        takers[*limit].push((*task, *span));
    }
    let mut first = vec![None; tasks];
    for (limit, takers) in takers.into_iter().enumerate() {
        let mut open = takers;
        while let Some((task, span)) = open.pop() {
            if first[task].is_none() {
                first[task] = Some((limit, span));
                open.extend(callers[task].iter().map(|caller| (*caller, span)));
            }
        }
    }
    first
}
