//! What is watched for a plan, and what is done when it changes.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::app::open::Opened;
use crate::app::options::{EventsTo, Options};
use crate::base::diagnostic::{Code, Problem};
use crate::base::source::Spanned;
use crate::cache::inputs::{Patterns, escape};
use crate::cache::task::Task;
use crate::plan::graph::{LinkKind, Plan};
use crate::plan::ids::InstanceId;
use crate::run::command::Surroundings;
use crate::run::facts::Facts;
use crate::run::values::Store;
use crate::watch::wanted::{Set, Wish};
use crate::xecfile::model::{OnBusy, Watch};

/// How long nothing more may change before it runs, where nothing else is said.
pub(super) const QUIET: Duration = Duration::from_millis(100);

/// What a session goes by.
pub(super) struct Rules {
    /// What is watched.
    pub(super) wish: Wish,
    /// How long nothing more may change before it runs.
    pub(super) quiet: Duration,
    /// What a change does to a run that goes on.
    pub(super) on_busy: OnBusy,
}

/// The tasks asked for that want to be watched.
pub(super) fn watches<'o>(opened: &'o Opened, plan: &Plan) -> Vec<(InstanceId, &'o Watch)> {
    let requested = plan.links.iter().filter(|link| link.kind == LinkKind::Requested).map(|link| link.to);
    let watch = |id: InstanceId| {
        let def = plan.task_of(id);
        opened.file.tasks[def.index].watch.as_ref().map(|watch| (id, watch))
    };
    requested.filter_map(watch).collect()
}

/// What holds for this plan. `files` are those that it was made of.
///
/// # Errors
/// What a `watch` says is no pattern.
pub(super) fn rules(
    options: &Options,
    (opened, plan): (&Opened, &Plan),
    around: &Surroundings,
    files: &[PathBuf],
) -> Result<Rules, Vec<Problem>> {
    let store = Store::default();
    let task = |id| Facts { plan, store: &store, around, id }.task(false).ok();
    let asked = watches(opened, plan);
    // What is only known while it runs cannot be watched before.
    let (inputs, mut made) = declared(plan.order().into_iter().filter_map(task));
    let mut sets = BTreeSet::new();
    for (id, watch) in asked.iter().filter(|(_, watch)| !watch.patterns.is_empty()) {
        let cwd = task(*id).map_or_else(|| around.root.clone(), |task| task.cwd);
        let texts = watch.patterns.iter().map(|text| text.value.to_string()).collect();
        sets.insert(Set { cwd, texts, gitignore: true });
    }
    let problems: Vec<Problem> = asked.iter().flat_map(|(_, watch)| &watch.patterns).filter_map(misfit).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let said = |on_busy: OnBusy| asked.iter().find_map(|(_, watch)| watch.on_busy).unwrap_or(on_busy);
    let (sets, on_busy) = match (sets.is_empty(), inputs.is_empty()) {
        (false, _) => (sets, said(OnBusy::Restart)),
        (true, false) => (inputs, said(OnBusy::Restart)),
        // Nobody says what is read and what is written: what changes meanwhile may be the run's own work.
        (true, true) => (everything(around), said(OnBusy::Ignore)),
    };
    // A service that was asked for never ends by itself: what waits for that would wait for ever.
    let endless = plan.links.iter().any(|link| link.kind == LinkKind::Requested && is_service(plan, link.to));
    let on_busy = if endless && on_busy == OnBusy::Queue { OnBusy::Restart } else { on_busy };
    made.extend(state(around));
    let wish = Wish { sets, made, files: files.iter().cloned().collect(), never: never(options), written: written() };
    let quiet = asked.iter().find_map(|(_, watch)| watch.debounce).unwrap_or(QUIET);
    Ok(Rules { wish, quiet, on_busy })
}

fn is_service(plan: &Plan, id: InstanceId) -> bool {
    plan.scope(plan.instance(id).scope).ready.is_some()
}

/// The inputs and the outputs of these tasks. What is no pattern is told by the run.
fn declared(tasks: impl Iterator<Item = Task>) -> (BTreeSet<Set>, BTreeSet<Set>) {
    let (mut inputs, mut made) = (BTreeSet::new(), BTreeSet::new());
    for task in tasks {
        let set = |texts: &[String], gitignore| {
            let texts: Vec<String> = texts.iter().filter(|text| is_pattern(text)).cloned().collect();
            (!texts.is_empty()).then(|| Set { cwd: task.cwd.clone(), texts, gitignore })
        };
        inputs.extend(set(&task.inputs, task.gitignore));
        made.extend(set(&task.outputs, false));
    }
    (inputs, made)
}

fn misfit(text: &Spanned<Arc<str>>) -> Option<Problem> {
    let problem = || {
        let message = format!("`{}` is no pattern", text.value);
        Problem::error(Code::BadValue, message).at(text.span, "").help(r#"like this: watch "src/**" "*.toml""#)
    };
    (!is_pattern(&text.value)).then(problem)
}

fn is_pattern(text: &str) -> bool {
    Patterns::new(std::path::Path::new("/"), &[text.to_owned()], true).is_ok()
}

fn everything(around: &Surroundings) -> BTreeSet<Set> {
    [Set { cwd: around.root.clone(), texts: vec!["**".to_owned()], gitignore: true }].into()
}

/// Where the state is, which changes with every run.
fn state(around: &Surroundings) -> Option<Set> {
    let place = around.state();
    let name = escape(place.file_name()?.to_str()?);
    Some(Set { cwd: place.parent()?.to_owned(), texts: vec![name], gitignore: false })
}

fn never(options: &Options) -> BTreeSet<PathBuf> {
    match &options.show.events {
        Some(EventsTo::Path(path)) => std::path::absolute(path).into_iter().collect(),
        _ => BTreeSet::new(),
    }
}

/// The files that xec itself writes to.
fn written() -> BTreeSet<(u64, u64)> {
    let (out, err) = (std::io::stdout(), std::io::stderr());
    let place = |fd: BorrowedFd<'_>| {
        let found = File::from(fd.try_clone_to_owned().ok()?).metadata().ok()?;
        Some((found.dev(), found.ino()))
    };
    [out.as_fd(), err.as_fd()].into_iter().filter_map(place).collect()
}
