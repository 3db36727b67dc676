//! `when` and `unless`: what they come to before anything runs, if that can be said.

use crate::base::diagnostic::Problem;
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::plan::defs::{Conditions, Place};
use crate::plan::values::{Known, Values};
use crate::xecfile::model::{EnvEntry, PredicateKind};

/// What can be said of conditions now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// They hold.
    Yes,
    /// They do not.
    No,
    /// That is asked just before the body.
    Ask,
}

/// Decides what can be decided: a `when` by its first line that does not hold, an `unless` likewise.
///
/// # Errors
/// A line names what is not there.
pub fn decide(conditions: &Conditions, values: Values<'_>) -> Result<Decision, Box<Problem>> {
    let mut decision = Decision::Yes;
    for condition in conditions.all.iter() {
        let (mut broken, mut open) = (false, false);
        for line in &condition.lines {
            match holds(&line.kind, &conditions.place, values)? {
                Some(true) => {}
                Some(false) => broken = true,
                None => open = true,
            }
        }
        match (broken, open, condition.negate) {
            (true, _, false) | (false, false, true) => return Ok(Decision::No),
            (true, _, true) | (false, false, false) => {}
            (false, true, _) => decision = Decision::Ask,
        }
    }
    Ok(decision)
}

/// What one line comes to; `None` where that is asked later.
fn holds(kind: &PredicateKind, place: &Place, values: Values<'_>) -> Result<Option<bool>, Box<Problem>> {
    let is = |wanted: &[Spanned<Template>], have: &str| any(wanted, values, |text| text == have);
    match kind {
        PredicateKind::Os(_) | PredicateKind::Arch(_) if place.remote => Ok(None),
        PredicateKind::Os(names) => is(names, values.world.os),
        PredicateKind::Arch(names) => is(names, values.world.arch),
        PredicateKind::Env(name, wanted) => {
            let Known::Value(name) = values.known(name)? else { return Ok(None) };
            let have = match variable(&name.flat(), &place.env, values)? {
                Known::Value(value) => value.flat(),
                Known::Unset => String::new(),
                Known::Late => return Ok(None),
            };
            if wanted.is_empty() { Ok(Some(!have.is_empty())) } else { is(wanted, &have) }
        }
        PredicateKind::Equal(one, others) => match values.known(one)? {
            Known::Value(value) => is(others, &value.flat()),
            _ => Ok(None),
        },
        PredicateKind::Exists(_) | PredicateKind::Command(_) | PredicateKind::Changed(_) | PredicateKind::Run(_) => {
            Ok(None)
        }
    }
}

/// What can be said of a variable in a place with this `env`, of which the first entries are those of the file.
fn variable(name: &str, env: &[EnvEntry], values: Values<'_>) -> Result<Known, Box<Problem>> {
    let declared = env.iter().rposition(|entry| *entry.name.value == *name);
    let Some(at) = declared.filter(|at| *at >= values.file.declared()) else {
        return Ok(values.get(&format!("env.{name}")));
    };
    let text = &env[at].value;
    // What it makes of other variables depends on those before it, which only its processes see whole.
    match text.value.names().any(|name| name.starts_with("env.")) {
        true => Ok(Known::Late),
        false => values.known(text),
    }
}

fn any(
    texts: &[Spanned<Template>],
    values: Values<'_>,
    fits: impl Fn(&str) -> bool,
) -> Result<Option<bool>, Box<Problem>> {
    let mut open = false;
    for text in texts {
        match values.known(text)? {
            Known::Value(value) if fits(&value.flat()) => return Ok(Some(true)),
            Known::Value(_) => {}
            _ => open = true,
        }
    }
    Ok(if open { None } else { Some(false) })
}
