//! Secrets where somebody could see them, and what would give them to others.

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::Span;
use crate::xecfile::check::Texts;
use crate::xecfile::model::EnvEntry;

/// Tells of a secret in a text that is shown: `name` is as it is written between `${` and `}`.
pub(super) fn shown(texts: &mut Texts<'_>, name: &str, span: Span) {
    let place = texts.hole(span, name);
    let name = name.strip_prefix("env.").unwrap_or(name);
    let problem = Problem::error(Code::SecretShown, format!("`{name}` is a secret, and here it could be seen"));
    let help = format!("only a `run` can have it, by its environment: run \"… ${name} …\"");
    texts.report(problem.at(place, "").help(help));
}

/// Tells of variables that would give one to every process.
pub(super) fn declared(texts: &mut Texts<'_>, env: &[EnvEntry]) {
    for EnvEntry { name, .. } in env {
        if texts.secrets.contains(&name.value) {
            let name = (&name.value, name.span);
            let message = format!("`{}` is a secret, and `env` would give it to others", name.0);
            let help = format!("a `run` that names `${}` has it; without `secret` it is a variable like any", name.0);
            texts.report(Problem::error(Code::SecretShown, message).at(name.1, "").help(help));
        }
    }
}
