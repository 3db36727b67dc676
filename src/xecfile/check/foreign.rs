//! What other tools would put a value for and xec does not: `{{name}}`, which just and go-task read, and a bare `$name`
//! where no shell reads it. Only the names of values that are there are told: all else is nobody's business.

use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::variable;
use crate::base::source::Span;
use crate::xecfile::check::Texts;
use crate::xecfile::check::scope::Scope;
use crate::xecfile::check::script::is_set_here;

/// Looks for `{{name}}` in the text of `run`.
pub(super) fn in_script(texts: &mut Texts<'_>, text: &str, step: Span, scope: &Scope) {
    if let Some((hole, name)) = braces(text, scope) {
        let help =
            format!("the text of `run` is the shell's, which gets the value as a variable: `${}`", variable(name));
        tell(texts, hole, step, help);
    }
}

/// Looks for `{{name}}` and `$name` in a text of xec's own; `set` are the variables of the `env`s around it.
pub(super) fn in_template(texts: &mut Texts<'_>, text: &str, place: Span, scope: &Scope, set: &[Arc<str>]) {
    if let Some((hole, name)) = braces(text, scope) {
        return tell(texts, hole, place, format!("for the value: `${{{name}}}`"));
    }
    for (at, _) in text.match_indices('$') {
        let rest = &text[at + 1..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = &rest[..end];
        let escaped = at > 0 && matches!(text.as_bytes()[at - 1], b'\\' | b'$');
        if escaped || !scope.has_variable(word) || set.iter().any(|own| **own == *word) {
            continue;
        }
        let Some(name) = scope.names().find(|name| variable(name) == word) else { continue };
        // A script as one word of a program may have variables of its own.
        if is_set_here(text, word) {
            return;
        }
        let help = format!("no shell reads this, and xec reads `${{{name}}}`");
        return tell(texts, &text[at..=at + end], place, help);
    }
}

/// The first `{{name}}` of a value that is there.
fn braces<'t>(text: &'t str, scope: &Scope) -> Option<(&'t str, &'t str)> {
    text.match_indices("{{").find_map(|(at, _)| {
        let (inner, _) = text[at + 2..].split_once("}}")?;
        let name = inner.trim();
        scope.get(name).is_some().then(|| (&text[at..at + inner.len() + 4], name))
    })
}

fn tell(texts: &mut Texts<'_>, what: &str, place: Span, help: String) {
    let problem = Problem::warning(Code::BadTemplate, format!("`{what}` stays as it is"));
    let place = texts.within(place, what);
    texts.report(problem.at(place, "").help(help));
}
