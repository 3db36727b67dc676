//! What may stand in a `pipe`: commands, which say where and with what they run. All else is said of the pipe, which is
//! one step.

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::{Span, Spanned};
use crate::xecfile::cursor::Reader;
use crate::xecfile::model::{On, Settings, Step, StepKind};

/// Tells of what a pipe cannot hold, and of what can only be said of all of it.
pub(super) fn check(reader: &mut Reader<'_>, pipe: Span, members: &[Step], own: &Settings) {
    if let [only] = members {
        let problem = Problem::error(Code::BadValue, "a `pipe` of one step is that step");
        reader.report(problem.at(only.span, "").help("a pipe has two commands or more, the second reading the first"));
    }
    for (name, span) in [
        ("interactive", own.interactive.as_ref().map(|set| set.span)),
        ("jobs", own.jobs.as_ref().map(|set| set.span)),
        ("require", own.require.as_ref().map(|set| set.span)),
    ] {
        if let Some(span) = span {
            let problem = Problem::error(Code::UnknownSetting, format!("`pipe` has no `{name}`"));
            let help = match name {
                "interactive" => "its first command reads `stdin`, and its last writes to `stdout`",
                _ => "all of its commands run at once, and all must succeed",
            };
            reader.report(problem.at(span, "").help(help));
        }
    }
    for (at, member) in members.iter().enumerate() {
        if !matches!(member.kind, StepKind::Run(_) | StepKind::Exec(_)) {
            let problem = Problem::error(Code::UnknownNode, "a `pipe` holds `run` and `exec` only");
            reader.report(problem.at(member.span, "").help("what comes before or after stands beside the pipe"));
            continue;
        }
        if let Some(Spanned { value: On::One(..), span }) = &member.settings.on {
            let problem = Problem::error(Code::UnknownSetting, "a command of a `pipe` has no `pick`").at(*span, "");
            reader.report(problem.at(pipe, "this is the step").help("write `on` with `pick` on the `pipe`"));
        }
        for (name, span) in beyond(member, at == 0) {
            let problem = Problem::error(Code::UnknownSetting, format!("a command of a `pipe` has no `{name}`"));
            reader.report(problem.at(span, "").at(pipe, "this is the step").help(match name {
                "interactive" => "nobody can type into a pipe".to_owned(),
                "stdin" => "it reads what the one before it writes; `stdin` is for the first".to_owned(),
                _ => format!("write `{name}` on the `pipe`"),
            }));
        }
    }
}

/// What a command says that only the pipe can say.
fn beyond(member: &Step, first: bool) -> Vec<(&'static str, Span)> {
    let Settings {
        session,
        priority,
        on_error,
        timeout,
        grace,
        optional,
        jobs,
        require,
        retry,
        uses,
        interactive,
        leave,
        sample,
        ..
    } = &member.settings;
    let data = &member.data;
    [
        ("when", member.conditions.first().map(|condition| condition.span)),
        ("capture", data.capture.as_ref().map(|capture| capture.name.span)),
        ("status", data.status.as_ref().map(|name| name.span)),
        ("stdin", data.stdin.as_ref().filter(|_| !first).map(|input| input.text().span)),
        ("stdout", data.stdout.as_ref().map(|text| text.span)),
        ("session", session.as_ref().map(|set| set.span)),
        ("priority", priority.as_ref().map(|set| set.span)),
        ("on-error", on_error.as_ref().map(|set| set.span)),
        ("timeout", timeout.as_ref().map(|set| set.span)),
        ("grace", grace.as_ref().map(|set| set.span)),
        ("optional", optional.as_ref().map(|set| set.span)),
        ("jobs", jobs.as_ref().map(|set| set.span)),
        ("require", require.as_ref().map(|set| set.span)),
        ("retry", retry.as_ref().map(|set| set.span)),
        ("uses", uses.first().map(|used| used.span)),
        ("interactive", interactive.as_ref().map(|set| set.span)),
        ("leave", leave.as_ref().map(|set| set.span)),
        ("sample", sample.as_ref().map(|set| set.span)),
    ]
    .into_iter()
    .filter_map(|(name, span)| Some((name, span?)))
    .collect()
}
