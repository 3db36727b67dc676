//! All texts of an event, so that they can be written otherwise before anybody sees them.

use std::sync::Arc;

use crate::base::command::{NotStarted, Outcome};
use crate::base::event::{Culprit, Event, Failure, Site, SkipReason, StepLabel, TaskLabel, Verdict};

/// Writes a text otherwise; `None` leaves it.
pub(super) type Change<'c> = &'c dyn Fn(&str) -> Option<String>;

impl Event {
    /// Writes each of its texts otherwise.
    pub fn change(&mut self, with: Change<'_>) {
        match self {
            Event::RunStarted { run, requested, .. } => {
                shared(run, with);
                requested.iter_mut().for_each(|text| shared(text, with));
            }
            Event::Fed { task: owner, .. }
            | Event::Unfed { task: owner, .. }
            | Event::TaskStarted { task: owner }
            | Event::StillUp { task: owner }
            | Event::ReplayStarted { task: owner, .. }
            | Event::Retrying { task: owner, .. } => task(owner, with),
            Event::TaskStale { task: owner, why } => {
                task(owner, with);
                all(why, with);
            }
            Event::StepStarted { step: label, .. } => step(label, with),
            Event::StepLeaked { holders: texts, .. } | Event::Swept { processes: texts } => all(texts, with),
            Event::Changed { paths: texts, .. } => all(texts, with),
            Event::StepFinished { step: label, verdict: how, .. } => {
                step(label, with);
                verdict(how, with);
            }
            Event::TaskFinished { task: owner, verdict: how, .. } => {
                task(owner, with);
                verdict(how, with);
            }
            Event::Cancelling { what, .. } => shared(what, with),
            Event::Scarce { why: text, .. } | Event::Trouble { why: text } | Event::Broken { text } => own(text, with),
            Event::RunFinished { culprits, .. } => culprits.iter_mut().for_each(|one| culprit(one, with)),
            Event::ReplayFinished { .. }
            | Event::StepStopped { .. }
            | Event::StepSampled { .. }
            | Event::Suspended
            | Event::Resumed
            | Event::Waiting { .. } => {}
        }
    }
}

fn own(text: &mut String, with: Change<'_>) {
    if let Some(other) = with(text) {
        *text = other;
    }
}

fn all(texts: &mut [String], with: Change<'_>) {
    texts.iter_mut().for_each(|text| own(text, with));
}

fn shared(text: &mut Arc<str>, with: Change<'_>) {
    if let Some(other) = with(text) {
        *text = other.into();
    }
}

/// What is shared stays so where nothing changes.
fn replace<T: Clone + PartialEq>(label: &mut Arc<T>, change: impl FnOnce(&mut T)) {
    let mut other = T::clone(label);
    change(&mut other);
    if other != **label {
        *label = Arc::new(other);
    }
}

fn task(label: &mut Arc<TaskLabel>, with: Change<'_>) {
    replace(label, |label| {
        let TaskLabel { task, instance, site } = label;
        shared(task, with);
        shared(instance, with);
        place(site, with);
    });
}

fn step(label: &mut Arc<StepLabel>, with: Change<'_>) {
    replace(label, |label| {
        let StepLabel { owner, text, site, optional: _ } = label;
        task(owner, with);
        shared(text, with);
        place(site, with);
    });
}

fn place(site: &mut Site, with: Change<'_>) {
    shared(&mut site.file, with);
}

fn verdict(verdict: &mut Verdict, with: Change<'_>) {
    match verdict {
        Verdict::Failed(Failure::Value(text)) | Verdict::Unreachable(text) => own(text, with),
        Verdict::Failed(Failure::Command(outcome)) => match outcome {
            Outcome::Unknown(text)
            | Outcome::NotStarted(
                NotStarted::Scarce(text)
                | NotStarted::Missing(text)
                | NotStarted::Denied(text)
                | NotStarted::Unreachable(text)
                | NotStarted::Failed(text),
            ) => own(text, with),
            Outcome::Exited(_) | Outcome::Signalled(_) => {}
        },
        Verdict::Skipped(SkipReason::Dependency(text)) => shared(text, with),
        Verdict::Skipped(SkipReason::Value { name, from }) => {
            shared(name, with);
            shared(from, with);
        }
        Verdict::Failed(Failure::Inside(_) | Failure::CaptureTooLarge(_))
        | Verdict::Ok
        | Verdict::TimedOut(_)
        | Verdict::Cancelled(_)
        | Verdict::Skipped(
            SkipReason::Earlier
            | SkipReason::Batch
            | SkipReason::Condition
            | SkipReason::Done
            | SkipReason::Unaffected
            | SkipReason::UpToDate
            | SkipReason::Restored
            | SkipReason::Cancelled(_),
        ) => {}
    }
}

fn culprit(culprit: &mut Culprit, with: Change<'_>) {
    task(&mut culprit.owner, with);
    if let Some(label) = &mut culprit.step {
        step(label, with);
    }
    verdict(&mut culprit.verdict, with);
}
