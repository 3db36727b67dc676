//! Whether what instances make lies in the project, and each file is made by one of them: as far as their patterns
//! are known before anything runs. Looks at names only, never at files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};

use crate::base::diagnostic::{Code, Problem};
use crate::base::path::clean;
use crate::base::source::Span;
use crate::plan::graph::Instance;
use crate::plan::units::Context;
use crate::plan::values::Known;

/// A pattern of an instance.
struct Claim {
    /// What stands before its first glob.
    place: PathBuf,
    /// What comes behind that; none where all that is there is meant.
    rest: Option<String>,
    instance: Arc<str>,
    span: Span,
}

/// So many problems are told.
const MOST: usize = 20;

/// So many globs are held against each name.
const MOST_GLOBS: usize = 64;

/// All that is wrong with the outputs of these instances.
pub(super) fn check(cx: &Context<'_>, instances: &[Instance]) -> Vec<Problem> {
    let (mut claims, mut problems) = (Vec::new(), Vec::new());
    for instance in instances {
        let def = cx.def(instance.def);
        if def.files.outputs.is_empty() || problems.len() >= MOST {
            continue;
        }
        let values = cx.scope(instance.def, &instance.inputs);
        let dir = &cx.defs.dirs[usize::from(def.file.0)];
        let cwd = match &def.conditions.place.cwd {
            None => dir.clone(),
            Some(cwd) => match values.known(cwd) {
                Ok(Known::Value(cwd)) => dir.join(cwd.flat()),
                // It is looked at again when it is known.
                _ => continue,
            },
        };
        for pattern in &def.files.outputs {
            let Ok(Known::Value(texts)) = values.known(pattern) else { continue };
            let globs = pattern.value.as_text().is_some();
            for text in texts.items().iter().filter(|text| !text.starts_with('!')) {
                let (place, rest) = split(&cwd, text, globs);
                if !place.starts_with(&cx.defs.root) && !place.starts_with(dir) {
                    problems.push(outside(&place, &cx.defs.root, pattern.span));
                    break;
                }
                claims.push(Claim { place, rest, instance: instance.label.instance.clone(), span: pattern.span });
            }
        }
    }
    problems.extend(twice(claims));
    problems
}

fn outside(place: &Path, root: &Path, span: Span) -> Problem {
    let message = format!("`{}` does not lie in the project", place.display());
    Problem::error(Code::OutputOutside, message)
        .at(span, "it leads out of it")
        .help(format!("the project is `{}`, the directory of the Xecfile", root.display()))
}

/// What stands before the first component with a glob in it, and the rest. In a text with values a glob may be part of
/// a name: then all of it is taken for one.
fn split(cwd: &Path, text: &str, globs: bool) -> (PathBuf, Option<String>) {
    let is_glob = |part: &&str| globs && part.contains(['*', '?', '[', '{', '\\']);
    let parts: Vec<&str> = text.trim_end_matches('/').split('/').collect();
    let at = parts.iter().position(is_glob).unwrap_or(parts.len());
    let place = clean(&cwd.join(parts[..at].join("/")));
    let rest = parts[at..].join("/");
    let whole = rest.is_empty() || rest == "**" || rest == "**/*";
    (place, (!whole).then_some(rest))
}

/// A glob behind its place. One that is none is told when it is used.
fn glob(rest: &str) -> Option<GlobMatcher> {
    GlobBuilder::new(rest).literal_separator(true).build().ok().map(|glob| glob.compile_matcher())
}

/// Claims on the same file: equal ones, those below a directory that another one claims as a whole, and names that
/// another one's glob matches.
fn twice(mut claims: Vec<Claim>) -> Vec<Problem> {
    // A directory comes directly before all that is in it, and one that is claimed whole before parts of it.
    claims.sort_by(|one, other| {
        (&one.place, &one.rest, one.span.start).cmp(&(&other.place, &other.rest, other.span.start))
    });
    let mut problems = Vec::new();
    let mut above: Vec<&Claim> = Vec::new();
    let mut parts: HashMap<(&Path, &str), &Claim> = HashMap::new();
    let mut globs: Vec<(&Claim, GlobMatcher)> = Vec::new();
    for claim in &claims {
        above.retain(|whole| claim.place.starts_with(&whole.place));
        globs.retain(|(other, _)| claim.place.starts_with(&other.place));
        let same = claim.rest.as_deref().and_then(|rest| parts.insert((&claim.place, rest), claim));
        let named = globs
            .iter()
            .filter(|_| claim.rest.is_none())
            .filter(|(other, glob)| claim.place.strip_prefix(&other.place).is_ok_and(|below| glob.is_match(below)));
        let named = named.map(|(other, _)| *other);
        let first = above.iter().copied().chain(same).chain(named).find(|other| other.instance != claim.instance);
        if let Some(first) = first {
            let message = format!("`{}` and `{}` make the same files", first.instance, claim.instance);
            let mut problem = Problem::error(Code::OutputTwice, message).at(claim.span, "");
            if first.span != claim.span {
                problem = problem.at(first.span, "and this");
            }
            problems.push(problem.help("give each a place of its own"));
            if problems.len() >= MOST {
                break;
            }
        }
        if first.is_none() {
            match claim.rest.as_deref().map(glob) {
                None => above.push(claim),
                Some(Some(glob)) if globs.len() < MOST_GLOBS => globs.push((claim, glob)),
                Some(_) => {}
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_cut_at_the_first_glob() {
        let cut = |text: &str| {
            let (place, rest) = split(Path::new("/p/web"), text, true);
            (place.display().to_string(), rest)
        };
        assert_eq!(cut("dist/**"), ("/p/web/dist".to_owned(), None));
        assert_eq!(cut("dist/"), ("/p/web/dist".to_owned(), None));
        assert_eq!(cut("../x/./*.c"), ("/p/x".to_owned(), Some("*.c".to_owned())));
        assert_eq!(cut("/tmp/a"), ("/tmp/a".to_owned(), None));
    }

    #[test]
    fn what_is_in_a_directory_that_is_claimed_is_claimed() {
        let claim = |instance: &str, text: &str| {
            let (place, rest) = split(Path::new("/p"), text, true);
            Claim { place, rest, instance: instance.into(), span: Span::default() }
        };
        let count = |claims: &[(&str, &str)]| twice(claims.iter().map(|(who, text)| claim(who, text)).collect()).len();
        assert_eq!(count(&[("a", "out"), ("b", "out/x")]), 1);
        assert_eq!(count(&[("a", "out/deep/*.c"), ("b", "out/**")]), 1);
        assert_eq!(count(&[("a", "out/*.c"), ("b", "out/*.c"), ("a", "out/*.h")]), 1);
        assert_eq!(count(&[("a", "out/**/*.c"), ("b", "out/deep/x.c")]), 1);
        assert_eq!(count(&[("a", "out/x.c"), ("b", "out/*.c")]), 1);
        assert_eq!(count(&[("a", "out/deep/x.c"), ("b", "out/*.c"), ("a", "out/y.h"), ("c", "out/*.h")]), 1);
        assert_eq!(count(&[("a", "out"), ("a", "out/x"), ("b", "outer/x"), ("b", "other")]), 0);
        assert_eq!(count(&[("a", "out/*.c"), ("b", "out/*.h")]), 0);
    }
}
