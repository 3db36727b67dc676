//! Where a `barrier` may stand: all instances of a batch come to it, one after the other and however often, and while
//! they wait they hold nothing that the others want. And what has `batches`: a set of which it is known how many it
//! holds. Knows no run.

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::Span;
use crate::xecfile::check::{Texts, each_hook};
use crate::xecfile::model::{FileScope, Group, SLOTS, Settings, Step, StepKind, Task};

/// Checks every barrier.
pub(super) fn check(texts: &mut Texts<'_>, files: &[FileScope], tasks: &[Task]) {
    for task in tasks {
        let own =
            if task.settings.uses.is_empty() { &files[usize::from(task.file.0)].defaults } else { &task.settings };
        let late = task.matrix.as_ref().and_then(|matrix| Some((matrix, matrix.late()?.0.span)));
        let why = match (&task.matrix, held(own)) {
            (None, _) => Some(("stands in a task without a matrix, and has nobody to wait for", task.name.span)),
            _ if late.is_some() => late.map(|(_, axis)| (LATE, axis)),
            (Some(_), Some(span)) => Some((HELD, span)),
            (Some(_), None) => None,
        };
        if let Some((batches, axis)) = late.and_then(|(matrix, axis)| Some((matrix.batches.as_ref()?, axis))) {
            let problem =
                Problem::error(Code::LateValue, "`batches` parts a set of which it is not known how large it is");
            let problem = problem.at(batches.span, "").at(axis, "its instances are known only when it runs");
            let help = "`chunk` on the axis makes the items of one instance more, and `jobs` says how many are worked on at once";
            texts.report(problem.help(help));
        }
        steps(texts, &task.body, why);
        let hooks = task.matrix.iter().map(|matrix| &matrix.hooks).chain([&task.hooks]);
        hooks.for_each(|hooks| each_hook(hooks, &mut |step| refuse(texts, step, Some((HOOK, step.span)))));
    }
}

const LATE: &str = "waits for instances that are known only when it runs, and are not all there at once";
const HELD: &str = "would wait while it holds what the others may want";
const HOOK: &str = "stands in a hook, which not all instances come to";

/// Why a barrier cannot stand somewhere, and where that is said.
type Why = Option<(&'static str, Span)>;

/// What is held, but for slots: these belong to commands alone.
fn held(settings: &Settings) -> Option<Span> {
    settings.uses.iter().find(|used| &*used.name.value != SLOTS).map(|used| used.span)
}

/// No deeper than blocks are nested.
fn steps(texts: &mut Texts<'_>, list: &[Step], why: Why) {
    for step in list {
        refuse(texts, step, why);
        if let StepKind::Group(group, inner) = &step.kind {
            let beside = "stands among steps of which not all instances take the same way at the same time";
            let why = why.or_else(|| match group {
                Group::Sequence => held(&step.settings).map(|span| (HELD, span)),
                _ => Some((beside, step.span)),
            });
            steps(texts, inner, why);
        }
        each_hook(&step.hooks, &mut |step| refuse(texts, step, Some((HOOK, step.span))));
    }
}

fn refuse(texts: &mut Texts<'_>, step: &Step, why: Why) {
    let (StepKind::Barrier, Some((why, because))) = (&step.kind, why) else { return };
    let problem = Problem::error(Code::BarrierPlace, format!("this `barrier` {why}")).at(step.span, "");
    let problem = if because == step.span { problem } else { problem.at(because, "because of this") };
    texts.report(problem.help("a barrier stands among the steps of a task with a matrix, or in a `sequence` of them"));
}
