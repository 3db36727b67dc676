//! xec's own options: the one list that the command line and its help, the environment and the inputs of tasks are
//! held to. Knows nothing of what the options do.

/// Whether an option takes a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Takes {
    /// It is given or not.
    Nothing,
    /// A value, after `=` or as the next word.
    Value,
    /// A value after `=`, or none.
    Perhaps,
}

/// An option of xec's own, which no input of a task can shadow.
#[derive(PartialEq, Eq, Debug)]
pub struct Own {
    /// `--name`; in the environment `XEC_NAME`.
    pub name: &'static str,
    /// `-x`.
    pub letter: Option<char>,
    /// What may follow it.
    pub takes: Takes,
}

const fn own(name: &'static str, letter: Option<char>, takes: Takes) -> Own {
    Own { name, letter, takes }
}

/// What can be given on the command line, and in the environment.
pub const OPTIONS: &[Own] = &[
    own("file", Some('f'), Takes::Value),
    own("directory", Some('C'), Takes::Value),
    own("jobs", Some('j'), Takes::Value),
    own("parallel", Some('p'), Takes::Nothing),
    own("keep-going", Some('k'), Takes::Nothing),
    own("on-error", None, Takes::Value),
    own("on", None, Takes::Value),
    own("dry-run", Some('n'), Takes::Nothing),
    own("list", Some('l'), Takes::Nothing),
    own("all", Some('a'), Takes::Nothing),
    own("show", None, Takes::Value),
    own("check", None, Takes::Nothing),
    own("graph", None, Takes::Perhaps),
    own("explain", None, Takes::Value),
    own("cache-gc", None, Takes::Perhaps),
    own("force", None, Takes::Nothing),
    own("affected", None, Takes::Perhaps),
    own("failed", None, Takes::Nothing),
    own("last", None, Takes::Nothing),
    own("watch", Some('w'), Takes::Nothing),
    own("why", None, Takes::Nothing),
    own("output", Some('o'), Takes::Value),
    own("quiet", Some('q'), Takes::Nothing),
    own("verbose", Some('v'), Takes::Nothing),
    own("yes", Some('y'), Takes::Nothing),
    own("color", None, Takes::Value),
    own("json", None, Takes::Nothing),
    own("events", None, Takes::Value),
    own("profile", None, Takes::Nothing),
    own("trace", None, Takes::Value),
    own("report", None, Takes::Value),
    own("tune", None, Takes::Value),
    own("take", None, Takes::Value),
];

/// What is answered at once, and has no place in the environment.
pub const PAGES: &[Own] = &[own("help", Some('h'), Takes::Nothing), own("version", Some('V'), Takes::Nothing)];

/// Options of later versions. They are refused by this one instead of going to a task, so that no command line
/// changes its meaning one day.
pub const LATER: &[(&str, Option<char>)] =
    &[("fmt", None), ("init", None), ("import", None), ("schema", None), ("completions", None), ("doctor", None)];

/// Every name and letter that is taken, now or later.
pub fn taken() -> impl Iterator<Item = (&'static str, Option<char>)> {
    OPTIONS.iter().chain(PAGES).map(|own| (own.name, own.letter)).chain(LATER.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_or_letter_stands_for_two() {
        let mut names: Vec<&str> = taken().map(|(name, _)| name).collect();
        let mut letters: Vec<char> = taken().filter_map(|(_, letter)| letter).collect();
        let counts = (names.len(), letters.len());
        names.sort_unstable();
        names.dedup();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!((names.len(), letters.len()), counts);
    }
}
