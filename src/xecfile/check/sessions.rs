//! Where scripts can share a shell: one after the other, and in one that is given scripts as `sh` is. Knows no run.

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::{SH_LIKE, is_sh_like};
use crate::base::source::{Span, Spanned};
use crate::base::value::Template;
use crate::xecfile::check::Texts;
use crate::xecfile::model::{FileScope, Group, Settings, Step, StepKind, Task};

/// What has flowed down.
#[derive(Clone, Copy, Default)]
struct Around<'t> {
    /// Where the session was asked for.
    session: Option<Span>,
    shell: Option<&'t Spanned<Vec<Template>>>,
    /// The group whose steps are at work side by side.
    beside: Option<Span>,
}

impl<'t> Around<'t> {
    fn with(self, settings: &'t Settings) -> Self {
        let session = match &settings.session {
            Some(set) => set.value.then_some(set.span),
            None => self.session,
        };
        Self { session, shell: settings.shell.as_ref().or(self.shell), ..self }
    }
}

/// Checks all tasks.
pub(super) fn check(texts: &mut Texts<'_>, files: &[FileScope], tasks: &[Task]) {
    for task in tasks {
        let around = Around::default().with(&files[usize::from(task.file.0)].defaults);
        steps(texts, &task.body, around.with(&task.settings));
    }
}

/// No deeper than blocks are nested.
fn steps(texts: &mut Texts<'_>, list: &[Step], around: Around<'_>) {
    for step in list {
        let around = around.with(&step.settings);
        match &step.kind {
            StepKind::Run(_) => script(texts, step, around),
            StepKind::Group(Group::Sequence, inner) => steps(texts, inner, around),
            kind => {
                let beside = around.beside.or(Some(step.span));
                steps(texts, kind.steps(), Around { beside, ..around });
            }
        }
    }
}

fn script(texts: &mut Texts<'_>, step: &Step, around: Around<'_>) {
    let Some(session) = around.session else { return };
    let tell =
        |message: &str, place: Span| Problem::error(Code::SessionPlace, message).at(place, "").at(session, "this");
    if let Some(beside) = around.beside {
        let problem = tell("steps side by side cannot share the shell of a session", step.span);
        texts.report(problem.at(beside, "they are in here").help("write session=#false on the group"));
    }
    let program = around.shell.and_then(|shell| Some((shell.value.first()?.as_text()?, shell.span)));
    if let Some((_, place)) = program.filter(|(program, _)| !is_sh_like(program)) {
        let problem = tell("only a shell like `sh` can be shared by the steps of a session", place);
        texts.report(problem.help(format!("it can be {}", SH_LIKE.join(", "))));
    }
}
