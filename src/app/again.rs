//! What the last run left: `--failed` takes it up again, `--last` shows it once more.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::app::Answer;
use crate::app::open::{self, Opened};
use crate::app::options::{Exit, Options};
use crate::base::event::{SkipReason, TaskLabel};
use crate::cache::state;
use crate::plan::Plan;
use crate::plan::graph::Instance;
use crate::plan::request::{AdHoc, Asked};
use crate::report::journal::{self, Head, Past, Start};
use crate::report::{self, Setup, words};
use crate::run::command::Surroundings;
use crate::xecfile::model::Xecfile;

/// Where a run is written down; not at all if it is a part of another one, whose log has it.
pub(super) fn start(options: &Options, opened: &Opened, around: &Surroundings) -> Option<Start> {
    if around.env.contains_key(OsStr::new("XEC_RUN_ID")) {
        return None;
    }
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (asked, parallel) = opened.wanted(options).ok()?;
    let well = if options.failed { past(&opened.file.root).ok()?.well().into_iter().collect() } else { Vec::new() };
    let head = Head {
        run: around.run.to_string(),
        file: opened.name(),
        at: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
        asked,
        command: opened.command.as_ref().map(|(_, command)| command.clone()),
        parallel,
        well,
    };
    Some(Start { state: around.state(), head })
}

/// The last run of a project.
///
/// # Errors
/// There is none, or it cannot be read.
pub(super) fn past(root: &Path) -> Result<Past, Answer> {
    let state = state::place(root, std::env::var_os("XEC_STATE").as_deref());
    match journal::last(&state) {
        Ok(Some(past)) => Ok(past),
        Ok(None) => Err(Answer::refused("xec: nothing has been run here yet\n".to_owned())),
        Err(why) => Err(Answer { out: String::new(), err: format!("xec: {why}\n"), exit: Exit::Code(1) }),
    }
}

/// What need not run again; `None` where that is everything. Whoever gives a value to one that runs has to run for it.
pub(super) fn spared(plan: &Plan, past: &Past) -> Option<HashMap<Arc<str>, SkipReason>> {
    let mut well = past.well();
    let known = plan.instances.iter().filter(|instance| !instance.hidden && !plan.scope(instance.scope).is_lane);
    let is_well = |label: &TaskLabel| well.contains(&label.instance);
    if known.map(|instance| &*instance.label).chain(past.ended().map(|(label, _)| &**label)).all(is_well) {
        return None;
    }
    // A service that went well is down now, and who needs it needs it up.
    let is_service = |instance: &&Instance| plan.defs.tasks[instance.def.index()].service.is_some();
    for service in plan.instances.iter().filter(is_service) {
        well.remove(&service.label.instance);
    }
    let tasks: HashMap<&Arc<str>, &Arc<str>> = past.ended().map(|(label, _)| (&label.instance, &label.task)).collect();
    // Each turn takes at least one name out, or is the last; a value seldom goes through more than a few hands.
    loop {
        let runs = plan.instances.iter().filter(|instance| !well.contains(&instance.label.instance));
        let taken = runs.flat_map(|instance| instance.takes.iter());
        let givers = taken.flat_map(|take| take.from.iter().map(|giver| (&plan.instance(*giver).label, take.feed)));
        let (mut names, mut sets) = (HashSet::new(), HashSet::new());
        for (label, feed) in givers {
            match feed {
                // Which items there are is not known yet: all of them.
                Some(_) => sets.insert(label.task.clone()),
                None => names.insert(label.instance.clone()),
            };
        }
        let before = well.len();
        well.retain(|name| !names.contains(name) && !tasks.get(name).is_some_and(|task| sets.contains(*task)));
        if well.len() == before {
            return Some(well.into_iter().map(|name| (name, SkipReason::Done)).collect());
        }
    }
}

/// That there is nothing to take up again.
pub(super) fn nothing_failed(past: &Past) -> Answer {
    let what = typed(&past.head);
    Answer { err: format!("xec: nothing failed in the last run (`{what}`)\n"), ..Answer::text(String::new()) }
}

/// The last run, as it was shown at its end, with what its tasks wrote.
pub(super) fn last(options: &Options, opened: &Opened) -> Answer {
    let past = match past(&opened.file.root) {
        Ok(past) => past,
        Err(answer) => return answer,
    };
    let shown = options.show.wishes(false).and_then(|wishes| {
        let setup = Setup::standard(wishes, &|name| std::env::var_os(name))?;
        report::show_past(setup, &past, &said(&past), options.show.json)
    });
    match shown {
        Ok(()) => Answer::text(String::new()),
        Err(why) => {
            let err = format!("xec: cannot write output: {why}\n");
            Answer { out: String::new(), err, exit: Exit::Code(1) }
        }
    }
}

/// Which run it was, and when.
fn said(past: &Past) -> String {
    let began = UNIX_EPOCH + Duration::from_millis(past.head.at);
    let ago = SystemTime::now().duration_since(began).unwrap_or_default();
    let end = if past.is_whole() { "" } else { "; it did not come to its end" };
    format!("{}, {}{end}", typed(&past.head), words::ago(ago))
}

/// A request as somebody would type it.
fn typed(head: &Head) -> String {
    let words = match &head.command {
        Some(command) => command.typed(),
        None => head.asked.iter().flat_map(Asked::typed).collect(),
    };
    std::iter::once("xec".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// The command for hosts that the last run of a project was, where it was one.
pub(super) fn command(file: &Xecfile) -> Option<AdHoc> {
    let head = past(&file.root).ok()?.head;
    head.command.filter(|_| head.file == open::name(file))
}
