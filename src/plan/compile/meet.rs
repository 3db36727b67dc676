//! Whether two tasks may make the same files, as far as their globs tell: what `--check` warns of, and no run is refused
//! for. Looks at names only, never at files.

use std::path::Path;

use crate::base::diagnostic::{Code, Problem};
use crate::base::path::clean;
use crate::base::source::Span;
use crate::xecfile::model::{Task, Xecfile};

/// So many globs are held against each other.
const MOST: usize = 64;

/// A glob of a task, in components.
struct Globs<'f> {
    task: &'f Task,
    text: &'f str,
    parts: Vec<String>,
    span: Span,
}

/// Warnings of globs that may match the same name. Those that are the same are told by the plan.
pub(super) fn warnings(file: &Xecfile) -> Vec<Problem> {
    let all: Vec<Globs<'_>> = file.tasks.iter().flat_map(|task| globs(file, task)).take(MOST).collect();
    let mut found = Vec::new();
    for (at, one) in all.iter().enumerate() {
        for other in &all[at + 1..] {
            if one.task.name.value == other.task.name.value
                || one.parts == other.parts
                || !paths(&one.parts, &other.parts)
            {
                continue;
            }
            let (first, second) = (&one.task.name.value, &other.task.name.value);
            let message = format!(
                "`{first}` and `{second}` may make the same files: there are names that both `{}` and `{}` match",
                one.text, other.text
            );
            let problem = Problem::warning(Code::OutputTwice, message).at(other.span, "").at(one.span, "and this");
            found.push(problem.help("name the files more closely, or give each a place of its own"));
        }
    }
    found
}

/// The globs of a task that are known as they are written. One with a choice or a class in it is not looked into.
fn globs<'f>(file: &'f Xecfile, task: &'f Task) -> impl Iterator<Item = Globs<'f>> {
    let scope = file.scope(task);
    let cwd = match task.settings.cwd.as_ref().or(scope.defaults.cwd.as_ref()).map(|cwd| cwd.value.as_text()) {
        None => Some(scope.dir.clone()),
        Some(cwd) => cwd.map(|cwd| scope.dir.join(&**cwd)),
    };
    // What runs for several values has patterns of its own for each.
    let plain = task.matrix.is_none() && task.settings.on.is_none();
    let outputs = task.files.outputs.iter().filter(move |_| plain);
    outputs.filter_map(move |pattern| {
        let text = pattern.value.as_text()?;
        let known = text.contains(['*', '?']) && !text.contains(['[', '{', '\\', '!']);
        let parts = known.then(|| cwd.as_deref().map(|cwd| parts(cwd, text))).flatten()?;
        Some(Globs { task, text, parts, span: pattern.span })
    })
}

fn parts(cwd: &Path, text: &str) -> Vec<String> {
    let path = clean(&cwd.join(text.trim_end_matches('/')));
    path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
}

/// Whether some path is matched by both; `**` stands for any components.
fn paths(one: &[String], other: &[String]) -> bool {
    meet(
        one,
        other,
        |part| part == "**",
        |one, other| {
            let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
            meet(&one, &other, |char| *char == '*', |one, other| one == other || *one == '?' || *other == '?')
        },
    )
}

/// Whether some sequence is matched by both, where some items stand for any number of others: which pairs of places
/// can be reached, row by row.
fn meet<T>(one: &[T], other: &[T], any: impl Fn(&T) -> bool, fits: impl Fn(&T, &T) -> bool) -> bool {
    let mut row = vec![false; other.len() + 1];
    for i in 0..=one.len() {
        let before = std::mem::replace(&mut row, vec![false; other.len() + 1]);
        for j in 0..=other.len() {
            let (mine, theirs) = (i.checked_sub(1).map(|i| &one[i]), j.checked_sub(1).map(|j| &other[j]));
            row[j] = match (mine, theirs) {
                (None, None) => true,
                (Some(mine), None) => any(mine) && before[j],
                (None, Some(theirs)) => any(theirs) && row[j - 1],
                (Some(mine), Some(theirs)) => {
                    ((any(mine) || any(theirs)) && (before[j] || row[j - 1]))
                        || (!any(mine) && !any(theirs) && fits(mine, theirs) && before[j - 1])
                }
            };
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_meet_where_a_name_fits_both() {
        let both = |one: &str, other: &str| {
            let (one, other) = (parts(Path::new("/p"), one), parts(Path::new("/p"), other));
            let found = paths(&one, &other);
            assert_eq!(found, paths(&other, &one), "{one:?} and {other:?}");
            found
        };
        for (one, other) in [
            ("out/*.c", "out/a*"),
            ("out/**/*.o", "out/lib/*.o"),
            ("out/**", "out/deep/x?"),
            ("*/x", "out/*"),
            ("out/a?c", "out/ab*"),
            ("out/**/x", "out/x*"),
            ("../p/out/*", "out/./*.c"),
        ] {
            assert!(both(one, other), "{one} and {other}");
        }
        for (one, other) in [
            ("out/*.c", "out/*.h"),
            ("out/*", "out/deep/*"),
            ("out/a*", "out/b*"),
            ("out/**/*.o", "other/**"),
            ("out/a?", "out/a"),
            ("out/*/x", "out/x"),
        ] {
            assert!(!both(one, other), "{one} and {other}");
        }
    }
}
