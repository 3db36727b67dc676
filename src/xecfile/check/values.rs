//! Whether each `${…}` names a value that is there, where it stands.

mod unknown;

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::{SourceId, Span, Spanned};
use crate::base::value::{Part, Template};
use crate::xecfile::check::scope::{Origin, Scope, TO_HOOKS, TO_PROGRESS};
use crate::xecfile::check::{Texts, each_step_of, foreign, script, secrets, twice};
use crate::xecfile::model::{
    AxisSource, Condition, EnvEntry, FileScope, Files, Group, Hooks, Input, Late, LetValue, Matrix, On, PredicateKind,
    Ready, Reference, RetryText, SecretSource, Settings, Step, StepKind, Task,
};

/// Checks all files and tasks.
pub(super) fn check(texts: &mut Texts<'_>, files: &[FileScope], tasks: &[Task], unsure: &HashSet<SourceId>) {
    let mut scopes: Vec<Scope> = Vec::with_capacity(files.len());
    for file in files {
        scopes.push(file_scope(texts, file, unsure));
    }
    for task in tasks {
        if texts.problems.is_full() {
            return;
        }
        let at = usize::from(task.file.0);
        let Some(scope) = scopes.get_mut(at) else { continue };
        let sure = !unsure.contains(&task.name.span.source);
        let mut walk = Walk { texts: &mut *texts, scope, sure, set: Vec::new(), added: Vec::new() };
        twice::check(walk.texts, task);
        walk.set(&files[at].defaults);
        walk.set.extend(files[at].env.iter().map(|entry| entry.name.value.clone()));
        walk.task(task);
        let added = walk.added;
        for name in added {
            scope.remove(&name);
        }
        scope.forget();
    }
}

/// What every task of a file can name, after its own nodes have been looked at.
fn file_scope(texts: &mut Texts<'_>, file: &FileScope, unsure: &HashSet<SourceId>) -> Scope {
    let mut scope = Scope::default();
    for value in &file.lets {
        let sure = !unsure.contains(&value.span.source);
        let mut walk = Walk { texts: &mut *texts, scope: &mut scope, sure, set: Vec::new(), added: Vec::new() };
        match &value.value {
            LetValue::Text(text) => walk.template(text),
            LetValue::Run(text) => script::check(walk.texts, &text.value, text.span, walk.scope, &[]),
        }
        scope.add(&value.name, Origin::Let);
    }
    for secret in &file.secrets {
        if let SecretSource::Run(text) = &secret.source {
            script::check(texts, &text.value, text.span, &scope, &[]);
        }
        scope.add(&secret.name, Origin::Secret);
    }
    let place = file.env.first().map(|entry| entry.name.span.source).or(place_of(&file.defaults));
    let sure = place.is_none_or(|source| !unsure.contains(&source));
    let mut walk = Walk { texts, scope: &mut scope, sure, set: Vec::new(), added: Vec::new() };
    walk.env(&file.env);
    walk.settings(&file.defaults);
    scope
}

fn place_of(settings: &Settings) -> Option<SourceId> {
    let env = settings.env.first().map(|entry| entry.name.span.source);
    env.or(settings.cwd.as_ref().map(|cwd| cwd.span.source)).or(settings.timeout.as_ref().map(|set| set.span.source))
}

/// The values of a task, wherever they come from.
fn all_values<'t>(task: &'t Task, visit: &mut impl FnMut(&'t Spanned<Arc<str>>)) {
    task.params.iter().for_each(|param| visit(&param.name));
    task.matrix.iter().flat_map(|matrix| &matrix.axes).for_each(|axis| visit(&axis.name));
    task.temps.iter().for_each(&mut *visit);
    task.needs.iter().flat_map(|need| &need.takes).for_each(|take| visit(&take.here));
    each_step_of(task, &mut |step| made_by(step).for_each(&mut *visit));
}

/// The values that are there once a step has ended.
pub(super) fn made_by(step: &Step) -> impl Iterator<Item = &Spanned<Arc<str>>> {
    let takes = match &step.kind {
        StepKind::Call(reference) => &reference.takes[..],
        _ => &[],
    };
    let capture = match &step.kind {
        StepKind::Reduce(reduce) => reduce.capture.as_ref(),
        _ => step.data.capture.as_ref().map(|capture| &capture.name),
    };
    capture.into_iter().chain(&step.data.status).chain(takes.iter().map(|take| &take.here))
}

/// What can be said of a host.
const OF_HOST: [&str; 3] = ["host", "host.address", "host.tags"];

/// Whether something runs on a host of its own.
fn is_host(on: &Spanned<On>) -> bool {
    !matches!(on.value, On::Here)
}

struct Walk<'w, 't> {
    texts: &'w mut Texts<'t>,
    scope: &'w mut Scope,
    /// Whether all values are known.
    sure: bool,
    /// The variables of the `env`s around.
    set: Vec<Arc<str>>,
    /// What the task has put into the scope.
    added: Vec<Arc<str>>,
}

impl Walk<'_, '_> {
    fn add(&mut self, name: &Spanned<Arc<str>>, origin: Origin) {
        self.scope.add(name, origin);
        self.added.push(name.value.clone());
    }

    /// What can be said of the host that something runs on.
    fn of_host(&mut self, span: Span, names: &[&str]) {
        names.iter().for_each(|name| self.add(&Spanned::new(Arc::from(*name), span), Origin::Axis));
    }

    fn set(&mut self, settings: &Settings) -> usize {
        let before = self.set.len();
        self.set.extend(settings.env.iter().map(|entry| entry.name.value.clone()));
        before
    }

    fn task(&mut self, task: &Task) {
        all_values(task, &mut |name| self.scope.exists(name));
        for param in &task.params {
            if let Some(default) = &param.default {
                self.template(default);
            }
            self.add(&param.name, Origin::Input);
        }
        if let Some(confirm) = &task.confirm {
            self.confirm(confirm);
        }
        if let Some(matrix) = &task.matrix {
            self.axes(matrix);
            matrix.axes.iter().for_each(|axis| self.add(&axis.name, Origin::Axis));
            if let Some((axis, _)) = matrix.on() {
                self.of_host(axis.span, &OF_HOST[1..]);
            }
        }
        for reference in task.needs.iter().chain(&task.after) {
            self.reference(reference, true);
        }
        for take in task.needs.iter().flat_map(|need| &need.takes) {
            self.add(&take.here, Origin::Taken);
        }
        if let Some((_, from)) = task.matrix.as_ref().and_then(Matrix::late) {
            self.template(&from.list);
        }
        if let Some(matrix) = &task.matrix {
            self.settings(&matrix.settings);
            if let Some(batches) = &matrix.batches {
                batches.sizes.iter().for_each(|size| self.late(size));
                batches.pause.iter().for_each(|pause| self.late(pause));
                batches.require.iter().for_each(|require| self.late(require));
            }
        }
        if let Some(on) = task.settings.on.as_ref().filter(|on| is_host(on)) {
            self.of_host(on.span, &OF_HOST);
        }
        self.conditions(&task.conditions);
        self.files(&task.files);
        task.temps.iter().for_each(|temp| self.add(temp, Origin::Temp));
        self.set(&task.settings);
        self.settings(&task.settings);
        if let Some(service) = &task.service {
            self.ready(&service.ready);
        }
        self.steps(&task.body);
        self.conditions(task.files.cache.as_ref().map_or(&[], |cache| &cache.conditions));
        self.hooks(&task.hooks);
        if let Some(matrix) = &task.matrix {
            self.hooks(&matrix.hooks);
        }
    }

    /// Looked at before the first step.
    fn files(&mut self, files: &Files) {
        files.inputs.iter().chain(&files.outputs).for_each(|pattern| self.template(pattern));
        if let Some(cache) = &files.cache {
            cache.key.iter().for_each(|key| self.template(key));
            cache.ttl.iter().for_each(|ttl| self.late(ttl));
        }
    }

    fn ready(&mut self, ready: &Ready) {
        if let Some(text) = ready.template() {
            self.template(text);
        }
        if let Some(text) = ready.script() {
            script::check(self.texts, &text.value, text.span, self.scope, &self.set);
        }
    }

    /// Asked before anything is known but the inputs.
    fn confirm(&mut self, text: &Spanned<Template>) {
        for name in text.value.names() {
            if self.sure && self.scope.get(name) == Some(Origin::Let) {
                let message = format!("`{name}` is no input, and `confirm` is asked before anything else is known");
                let place = self.texts.within(text.span, name);
                self.texts.report(Problem::error(Code::UnknownValue, message).at(place, "").help("name inputs only"));
            }
        }
        self.template(text);
    }

    fn axes(&mut self, matrix: &Matrix) {
        for axis in &matrix.axes {
            match &axis.source {
                AxisSource::Values(words) => words.iter().for_each(|word| self.template(word)),
                AxisSource::Glob(text) | AxisSource::Range(text) => self.template(text),
                AxisSource::Hosts(text) | AxisSource::On(text) => self.template(text),
                // It may be taken from others, which are known only below.
                AxisSource::From(_) => {}
            }
        }
        for binding in matrix.exclude.iter().chain(&matrix.include).flatten() {
            self.template(&binding.value);
        }
    }

    fn conditions(&mut self, conditions: &[Condition]) {
        for line in conditions.iter().flat_map(|condition| &condition.lines) {
            match &line.kind {
                PredicateKind::Os(words)
                | PredicateKind::Arch(words)
                | PredicateKind::Exists(words)
                | PredicateKind::Command(words)
                | PredicateKind::Changed(words) => words.iter().for_each(|word| self.template(word)),
                PredicateKind::Env(first, words) | PredicateKind::Equal(first, words) => {
                    std::iter::once(first).chain(words).for_each(|word| self.template(word));
                }
                PredicateKind::Run(text) => script::check(self.texts, &text.value, text.span, self.scope, &self.set),
            }
        }
    }

    /// One after the other: what one makes is there for the next.
    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
        }
    }

    fn step(&mut self, step: &Step) {
        let before = self.set(&step.settings);
        let there = step.settings.on.as_ref().filter(|on| is_host(on));
        if let Some(on) = there {
            OF_HOST.iter().for_each(|name| self.scope.add(&Spanned::new(Arc::from(*name), on.span), Origin::Xec));
        }
        self.conditions(&step.conditions);
        self.settings(&step.settings);
        let stdin = step.data.stdin.as_ref().map(Input::text);
        for text in stdin.into_iter().chain(&step.data.stdout).chain(&step.data.args) {
            self.template(text);
        }
        match &step.kind {
            StepKind::Run(text) => script::check(self.texts, text, step.span, self.scope, &self.set),
            StepKind::Exec(words) => words.iter().for_each(|word| self.template(word)),
            StepKind::Call(reference) => self.reference(reference, false),
            StepKind::Wait(Late::Text(text)) => self.template(&Spanned::new(text.clone(), step.span)),
            StepKind::Wait(Late::Now(_)) | StepKind::Barrier => {}
            StepKind::Until(ready) => self.ready(ready),
            StepKind::Copy(copy) => copy.texts().for_each(|text| self.template(text)),
            StepKind::Reduce(reduce) => {
                self.template(&reduce.list);
                self.step(&reduce.step);
            }
            StepKind::Group(Group::Sequence | Group::Pipe, steps) => self.steps(steps),
            StepKind::Group(Group::Parallel | Group::Any | Group::Race, steps) => self.parallel(steps),
        }
        made_by(step).for_each(|name| self.add(name, Origin::Captured));
        self.hooks(&step.hooks);
        if there.is_some() {
            OF_HOST.iter().for_each(|name| self.scope.remove(name));
        }
        self.set.truncate(before);
    }

    /// Side by side: what one makes is there for none of the others, but for what follows.
    fn parallel(&mut self, steps: &[Step]) {
        let mut made = Vec::new();
        for step in steps {
            let before = self.added.len();
            self.step(step);
            for name in self.added.drain(before..) {
                self.scope.remove(&name);
                made.push(name);
            }
        }
        for name in made {
            self.add(&Spanned::new(name, Span::default()), Origin::Captured);
        }
    }

    fn hooks(&mut self, hooks: &Hooks) {
        if hooks.is_empty() {
            return;
        }
        let Hooks { success, failure, finally, progress, .. } = hooks;
        for (names, stages) in [(&TO_HOOKS[..], &[success, failure, finally][..]), (&TO_PROGRESS, &[progress])] {
            self.scope.hook(names, true);
            stages.iter().for_each(|steps| self.steps(steps));
            self.scope.hook(names, false);
        }
    }

    fn env(&mut self, entries: &[EnvEntry]) {
        secrets::declared(self.texts, entries);
        entries.iter().for_each(|entry| self.template(&entry.value));
    }

    fn settings(&mut self, settings: &Settings) {
        if let Some(Spanned { value: On::Hosts(selector) | On::One(selector, _), .. }) = &settings.on {
            self.template(selector);
        }
        self.env(&settings.env);
        if let Some(cwd) = &settings.cwd {
            self.template(cwd);
        }
        if let Some(Spanned { value: words, span }) = &settings.shell {
            words.iter().for_each(|word| self.template(&Spanned::new(word.clone(), *span)));
        }
        settings.timeout.iter().for_each(|set| self.late(set));
        settings.grace.iter().for_each(|set| self.late(set));
        settings.optional.iter().for_each(|set| self.late(set));
        settings.jobs.iter().for_each(|set| self.late(set));
        settings.require.iter().for_each(|set| self.late(set));
        if let Some(Spanned { value: RetryText { times, delay, max, .. }, .. }) = &settings.retry {
            self.late(times);
            delay.iter().chain(max).for_each(|set| self.late(set));
        }
    }

    fn late<T>(&mut self, setting: &Spanned<Late<T>>) {
        if let Spanned { value: Late::Text(text), span } = setting {
            self.template(&Spanned::new(text.clone(), *span));
        }
    }

    /// `early`: it is bound before anything runs.
    fn reference(&mut self, reference: &Reference, early: bool) {
        for binding in &reference.bindings {
            for name in binding.value.value.names().filter(|_| early && self.sure) {
                let late = self.scope.get(name).is_none() && self.scope.elsewhere(name).is_some();
                if late {
                    let message =
                        format!("`{name}` is not known before the task runs, and what it needs runs before that");
                    let place = self.texts.within(binding.value.span, name);
                    let problem = Problem::error(Code::UnknownValue, message).at(place, "");
                    let help =
                        format!("only `call` can be given it: call {} {}=…", reference.task.value, binding.name.value);
                    self.texts.report(problem.help(help));
                }
            }
            self.template(&binding.value);
        }
    }

    fn template(&mut self, text: &Spanned<Template>) {
        for part in text.value.parts.iter() {
            let name = match part {
                Part::Hole { name, .. } => name,
                Part::Text(literal) => {
                    foreign::in_template(self.texts, literal, text.span, self.scope, &self.set);
                    continue;
                }
            };
            let variable = name.strip_prefix("env.").filter(|variable| !variable.contains('.'));
            let secret = variable.is_some_and(|variable| self.texts.secrets.contains(variable));
            if secret || self.scope.get(name) == Some(Origin::Secret) {
                secrets::shown(self.texts, name, text.span);
                continue;
            }
            if variable.is_none() && self.sure && self.scope.get(name).is_none() && !self.texts.problems.is_full() {
                self.unknown(name, text.span);
            }
        }
    }
}
