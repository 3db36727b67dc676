//! xec's own options as the command line and the environment look them up.

pub(super) use crate::base::options::{LATER, OPTIONS, Own, PAGES, Takes};

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
