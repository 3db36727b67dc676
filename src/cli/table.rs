//! Every option of xec: the one table that the command line, the environment and the help are held to.

/// Whether an option takes a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Takes {
    Nothing,
    Value,
    /// A value after `=`, or none.
    Perhaps,
}

/// An option of xec's own, which no task can shadow.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Own {
    /// `--name`; in the environment `XEC_NAME`.
    pub(super) name: &'static str,
    /// `-x`.
    pub(super) letter: Option<char>,
    pub(super) takes: Takes,
}

const fn own(name: &'static str, letter: Option<char>, takes: Takes) -> Own {
    Own { name, letter, takes }
}

pub(super) const OPTIONS: &[Own] = &[
    own("file", Some('f'), Takes::Value),
    own("directory", Some('C'), Takes::Value),
    own("jobs", Some('j'), Takes::Value),
    own("parallel", Some('p'), Takes::Nothing),
    own("keep-going", Some('k'), Takes::Nothing),
    own("on-error", None, Takes::Value),
    own("dry-run", Some('n'), Takes::Nothing),
    own("list", Some('l'), Takes::Nothing),
    own("all", Some('a'), Takes::Nothing),
    own("show", None, Takes::Value),
    own("check", None, Takes::Nothing),
    own("graph", None, Takes::Perhaps),
    own("explain", None, Takes::Value),
    own("output", Some('o'), Takes::Value),
    own("quiet", Some('q'), Takes::Nothing),
    own("verbose", Some('v'), Takes::Nothing),
    own("yes", Some('y'), Takes::Nothing),
    own("color", None, Takes::Value),
    own("json", None, Takes::Nothing),
    own("events", None, Takes::Value),
];

/// What is answered at once, and has no place in the environment.
pub(super) const PAGES: &[Own] = &[own("help", Some('h'), Takes::Nothing), own("version", Some('V'), Takes::Nothing)];

/// Options of later versions. They are refused by this one instead of going to a task, so that no command line
/// changes its meaning one day.
pub(super) const LATER: &[(&str, Option<char>)] = &[
    ("watch", Some('w')),
    ("fmt", None),
    ("force", None),
    ("failed", None),
    ("last", None),
    ("affected", None),
    ("why", None),
    ("profile", None),
    ("report", None),
    ("trace", None),
    ("tune", None),
    ("take", None),
    ("on", None),
    ("init", None),
    ("import", None),
    ("schema", None),
    ("completions", None),
    ("doctor", None),
];

/// The option of a name.
pub(super) fn named(name: &[u8]) -> Option<&'static Own> {
    all().find(|own| own.name.as_bytes() == name)
}

/// The option of a letter.
pub(super) fn lettered(letter: char) -> Option<&'static Own> {
    all().find(|own| own.letter == Some(letter))
}

/// Options and pages.
pub(super) fn all() -> impl Iterator<Item = &'static Own> {
    OPTIONS.iter().chain(PAGES)
}

/// What sets an option in the environment.
pub(super) fn variable(option: &str) -> String {
    format!("XEC_{}", option.replace('-', "_").to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_or_letter_stands_for_two() {
        let mut names: Vec<&str> = all().map(|own| own.name).chain(LATER.iter().map(|(name, _)| *name)).collect();
        let later = LATER.iter().filter_map(|(_, letter)| *letter);
        let mut letters: Vec<char> = all().filter_map(|own| own.letter).chain(later).collect();
        let counts = (names.len(), letters.len());
        names.sort_unstable();
        names.dedup();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!((names.len(), letters.len()), counts);
    }
}
