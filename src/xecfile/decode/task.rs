//! A task: its name, what it takes, its place in the graph, its policies, its steps, what follows it.

use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem, clipped};
use crate::base::name::{is_task_name, task_name_rule};
use crate::base::source::{Span, Spanned};
use crate::base::value::Template;
use crate::xecfile::cursor::{Cursor, Reader, Value};
use crate::xecfile::decode::settings::Bag;
use crate::xecfile::decode::step::{hook, is_hook, step};
use crate::xecfile::decode::{Once, condition, edge, files, inputs, matrix, not_yet, ready, row_of, template, values};
use crate::xecfile::model::{Axis, AxisSource, Cache, Files, HOST_AXIS, Hooks, Matrix, On, Service, Step, Task, Watch};
use crate::xecfile::schema::{Places, Row};

/// Inputs of one task, at most.
const MOST_INPUTS: usize = 256;

/// Reads a task; `None` if it has no name to be known by.
pub(super) fn task<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, span: Span) -> Option<Task> {
    let value = cursor.arg(reader, row);
    let name = value.and_then(|value| name(reader, &value));
    let mut parts = Parts::new(span);
    for cursor in cursor.take_children(reader) {
        child(reader, cursor, &mut parts);
    }
    cursor.finish(reader);
    let Parts { mut task, own, .. } = parts;
    let mut own = own.merged();
    over_hosts(reader, &mut own);
    if let (Some(service), Some(_)) = (&own.service, &own.matrix) {
        not_yet(reader, service.span, "a service with a matrix");
    }
    let kept = own.cache.is_some() || !task.files.outputs.is_empty();
    if let (Some(service), true) = (&own.service, kept) {
        let problem = Problem::error(Code::UnknownSetting, "a service has no `outputs` and no `cache`");
        reader.report(problem.at(service.span, "").help("it is there while it runs; put them on a task that it needs"));
    }
    // A vector has room for four from its first; a step is large, and most tasks have one.
    task.body.shrink_to_fit();
    task.needs.shrink_to_fit();
    Some(Task {
        name: name?,
        desc: own.desc,
        private: own.private.unwrap_or(false),
        confirm: own.confirm,
        watch: own.watch,
        service: own.service,
        matrix: own.matrix,
        hooks: own.hooks,
        files: Files { cache: own.cache, ..task.files },
        settings: own.bag.settings,
        ..task
    })
}

/// `on web` on a task is the axis `host`, and the first one.
fn over_hosts(reader: &mut Reader<'_>, own: &mut Own) {
    let settings = &mut own.bag.settings;
    let axis = own.matrix.as_ref().and_then(Matrix::on).map(|(axis, _)| axis.span);
    if let (Some(on), Some(axis)) = (&settings.on, axis) {
        let problem = Problem::error(Code::Duplicate, "where the task runs is said twice");
        let problem = problem.at(on.span, "the second one").at(axis, "the first one");
        return reader.report(problem.help("remove one of them"));
    }
    let Some(Spanned { value: On::Hosts(selector), span }) = &settings.on else { return };
    let (source, span) = (AxisSource::On(selector.clone()), *span);
    let axis = Axis { name: Spanned::new(HOST_AXIS.into(), span), source, span };
    let matrix = own.matrix.get_or_insert_with(|| Matrix::of(span));
    if let Some(other) = matrix.axes.iter().find(|axis| &*axis.name.value == HOST_AXIS) {
        let problem = Problem::error(Code::Duplicate, "`on` makes an axis `host`, and there is one already");
        reader
            .report(problem.at(other.name.span, "this one").at(span, "and that of `on`").help("give it another name"));
    } else {
        matrix.axes.insert(0, axis);
    }
    settings.on = None;
}

/// A task while it is read.
pub(super) struct Parts {
    /// What adds up.
    pub(super) task: Task,
    /// What is said once.
    pub(super) own: Own,
    /// Templates that are being read.
    pub(super) depth: usize,
    /// It is no template that only stands there.
    pub(super) in_task: bool,
}

impl Parts {
    pub(super) fn new(span: Span) -> Self {
        Self { task: Task::new(Spanned::new(Arc::from(""), span), span), own: Own::new(), depth: 0, in_task: true }
    }
}

/// What can be said only once.
pub(super) struct Own {
    bag: Bag,
    once: Once,
    desc: Option<Arc<str>>,
    private: Option<bool>,
    confirm: Option<Spanned<Template>>,
    watch: Option<Watch>,
    service: Option<Service>,
    matrix: Option<Matrix>,
    cache: Option<Cache>,
    hooks: Hooks,
    /// What the templates say that it uses; their `below` is empty.
    below: Option<Box<Own>>,
}

impl Own {
    pub(super) fn new() -> Self {
        let (bag, once, hooks) = (Bag::new(), Once::default(), Hooks::default());
        Self {
            bag,
            once,
            desc: None,
            private: None,
            confirm: None,
            watch: None,
            service: None,
            matrix: None,
            cache: None,
            hooks,
            below: None,
        }
    }

    /// Adds what a template says, which counts for more than what those before it say.
    pub(super) fn use_below(&mut self, mut template: Own) {
        if let Some(before) = self.below.take() {
            template = template.over(*before);
        }
        self.below = Some(Box::new(template));
    }

    /// Its own words, and where there are none those of its templates.
    pub(super) fn merged(mut self) -> Self {
        match self.below.take() {
            Some(below) => self.over(*below),
            None => self,
        }
    }

    fn over(mut self, below: Own) -> Self {
        let or = |own: Vec<Step>, below: Vec<Step>| if own.is_empty() { below } else { own };
        self.bag.settings = std::mem::take(&mut self.bag.settings).or(below.bag.settings);
        self.desc = self.desc.or(below.desc);
        self.private = self.private.or(below.private);
        self.confirm = self.confirm.or(below.confirm);
        self.watch = self.watch.or(below.watch);
        self.service = self.service.or(below.service);
        self.matrix = self.matrix.or(below.matrix);
        self.cache = self.cache.or(below.cache);
        self.hooks = Hooks {
            success: or(self.hooks.success, below.hooks.success),
            failure: or(self.hooks.failure, below.hooks.failure),
            finally: or(self.hooks.finally, below.hooks.finally),
            every: if self.hooks.progress.is_empty() { below.hooks.every } else { self.hooks.every },
            progress: or(self.hooks.progress, below.hooks.progress),
        };
        self
    }
}

/// The name of a task, or another name for it.
fn name(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Spanned<Arc<str>>> {
    let text = values::text(reader, value)?;
    if !is_task_name(text) {
        let problem = Problem::error(Code::BadName, format!("`{}` cannot be the name of a task", clipped(text)));
        reader.report(problem.at(value.span, "").help(task_name_rule(text)));
        return None;
    }
    Some(Spanned::new(text.into(), value.span))
}

/// One node of a task.
pub(super) fn child<'a>(reader: &mut Reader<'a>, cursor: Cursor<'a>, parts: &mut Parts) {
    let Some(row) = row_of(reader, &cursor, Places::TASK) else { return };
    if row.name == "use" {
        return template::used(reader, cursor, row, parts);
    }
    let Parts { task, own, .. } = parts;
    match row.name {
        "desc" | "private" | "confirm" | "watch" | "service" | "matrix" | "cache" => once(reader, cursor, row, own),
        "alias" | "temp" => names(reader, cursor, row, task),
        "inputs" | "outputs" => files::patterns(reader, cursor, row, &mut task.files),
        "param" | "flag" | "rest" => {
            let at = cursor.head;
            let input = inputs::input(reader, cursor, row);
            if task.params.len() < MOST_INPUTS {
                task.params.extend(input);
            } else {
                let problem = Problem::error(Code::TooDeep, format!("a task has more than {MOST_INPUTS} inputs"));
                reader.report(problem.at(at, "one too many"));
            }
        }
        "needs" => edge::edges(reader, cursor, row, &mut task.needs),
        "after" => edge::edges(reader, cursor, row, &mut task.after),
        "when" | "unless" => task.conditions.extend(condition::condition(reader, cursor, row)),
        _ if is_hook(row) => hook(reader, cursor, row, &mut own.once, &mut own.hooks),
        _ if row.is_setting() => own.bag.add(reader, cursor, row),
        _ => task.body.extend(step(reader, cursor, row)),
    }
}

fn once<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, own: &mut Own) {
    if !own.once.check(reader, row.name, &cursor) {
        return;
    }
    if row.name == "matrix" {
        let span = cursor.head;
        own.matrix = matrix::matrix(reader, cursor, row, span);
        return;
    }
    if row.name == "service" {
        own.service = ready::service(reader, cursor, row);
        return;
    }
    if row.name == "watch" {
        own.watch = Some(files::watch(reader, cursor, row));
        return;
    }
    if row.name == "cache" {
        own.cache = Some(files::cache(reader, cursor, row));
        return;
    }
    if let Some(value) = cursor.arg(reader, row) {
        match row.name {
            "desc" => own.desc = values::text(reader, &value).map(Arc::from),
            "private" => own.private = values::boolean(reader, row, &value).map(|set| set.value),
            _ => own.confirm = values::template(reader, &value),
        }
    }
    cursor.finish(reader);
}

fn names<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, task: &mut Task) {
    for value in cursor.args(reader, row).unwrap_or_default() {
        match row.name {
            "alias" => task.aliases.extend(name(reader, &value)),
            _ => task.temps.extend(values::name(reader, &value, "a value")),
        }
    }
    cursor.finish(reader);
}
