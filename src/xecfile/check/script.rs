//! The text of `run`: xec never rewrites it, so what only xec could read is told, and a name that is nearly
//! that of a value.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::variable;
use crate::base::source::Span;
use crate::base::value::Filter;
use crate::xecfile::check::scope::Scope;
use crate::xecfile::check::{Texts, foreign};

/// So many different words of one script are compared with the names of values.
const MOST_WORDS: usize = 64;

/// Looks at one script; `set` are the variables of the `env`s around it.
pub(super) fn check(texts: &mut Texts<'_>, text: &str, step: Span, scope: &Scope, set: &[Arc<str>]) {
    unreadable(texts, text, step);
    foreign::in_script(texts, text, step, scope);
    let mut seen: HashSet<&str> = HashSet::new();
    for (at, _) in text.match_indices('$') {
        let rest = &text[at + 1..];
        let inner = rest.strip_prefix('{').unwrap_or(rest);
        let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
        let word = &inner[..end];
        let starts = word.starts_with(|c: char| c.is_ascii_lowercase());
        if !starts || at > 0 && matches!(text.as_bytes()[at - 1], b'\\' | b'$') {
            continue;
        }
        if rest.starts_with('{') && inner[end..].starts_with('-') && dashed(texts, inner, step, scope) {
            return;
        }
        if scope.has_variable(word) || word.starts_with("xec_") || seen.len() >= MOST_WORDS || !seen.insert(word) {
            continue;
        }
        let Some(left) = texts.comparisons.checked_sub(scope.len()) else { return };
        texts.comparisons = left;
        let near = scope.names().filter(|name| is_slip(word, &variable(name))).min();
        let Some(near) = near.filter(|_| set.iter().all(|name| &**name != word) && !is_set_here(text, word)) else {
            continue;
        };
        let problem = Problem::warning(Code::UnknownValue, format!("`${word}` is no value, and nearly one"));
        let place = texts.within(step, &format!("${}{word}", if rest.starts_with('{') { "{" } else { "" }));
        texts.report(problem.at(place, "").help(format!("did you mean `${}`?", variable(near))));
    }
}

/// `${node-version}`, which a shell reads as `${node}` or else `version`.
fn dashed(texts: &mut Texts<'_>, inner: &str, step: Span, scope: &Scope) -> bool {
    let Some((word, _)) = inner.split_once('}') else { return false };
    if !word.contains('-') || scope.get(word).is_none() {
        return false;
    }
    let problem = Problem::warning(Code::BadTemplate, format!("a shell does not read `${{{word}}}` as one name"));
    let place = texts.within(step, &format!("${{{word}}}"));
    texts.report(problem.at(place, "").help(format!("in `run`, write `${}`", variable(word))));
    true
}

/// Whether a word stands anywhere in the script without a `$`: then the script may set it itself.
pub(super) fn is_set_here(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !before.is_some_and(|c| part(c) || matches!(c, '$' | '{')) && !after.is_some_and(part)
    })
}

/// Whether a word is most likely another one with a slip of the finger.
fn is_slip(word: &str, name: &str) -> bool {
    let most = if name.len() < 6 { 1 } else { 2 };
    name.len() >= 3 && word.len().abs_diff(name.len()) <= most && strsim::osa_distance(word, name) <= most
}

/// What xec reads everywhere else and a shell cannot: `${env.X}`, `${x|filter}`.
fn unreadable(texts: &mut Texts<'_>, text: &str, step: Span) {
    for (at, _) in text.match_indices("${") {
        let inner = &text[at + 2..];
        let near = inner.char_indices().nth(200).map_or(inner.len(), |(end, _)| end);
        let Some((inner, _)) = inner[..near].split_once('}') else { continue };
        let variable = inner.strip_prefix("env.");
        let filtered = inner.split_once('|').is_some_and(|(name, filter)| {
            let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
            plain && !name.is_empty() && Filter::named(filter).is_some()
        });
        if variable.is_none() && !filtered {
            continue;
        }
        let hole = format!("${{{inner}}}");
        let help = match variable {
            Some(name) => format!("the text of `run` is the shell's alone: write `${name}`"),
            None => {
                "the text of `run` is the shell's alone: give the value to `env`, or to the words of `exec`".to_owned()
            }
        };
        let problem = Problem::warning(Code::BadTemplate, format!("no shell can read `{hole}`"));
        let place = texts.within(step, &hole);
        return texts.report(problem.at(place, "").help(help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_other_words() {
        assert!(is_slip("nmae", "name") && is_slip("vesion", "version") && is_slip("vrsionn", "version"));
        assert!(!is_slip("i", "in") && !is_slip("file", "tile_x") && !is_slip("other", "name"));
        assert!(is_set_here("for files in a; do echo $files; done", "files"));
        assert!(!is_set_here("echo $files ${files} $files_x", "files"));
    }
}
