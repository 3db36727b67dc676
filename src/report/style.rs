//! Colours: five, and whether there are any. Knows nothing of what is coloured.

use std::ffi::OsString;

/// Ends every colour.
pub(crate) const RESET: &str = "\x1b[0m";

/// What a colour says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ink {
    /// All is well.
    Good,
    /// It failed.
    Bad,
    /// Worth a look.
    Warn,
    /// Less important than what stands around it.
    Dim,
    /// More important.
    Bold,
    /// One of several things that are told apart; any number.
    Apart(u64),
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Ink::Good => "\x1b[32m",
            Ink::Bad => "\x1b[31m",
            Ink::Warn => "\x1b[33m",
            Ink::Dim => "\x1b[2m",
            Ink::Bold => "\x1b[1m",
            Ink::Apart(which) => {
                const APART: [&str; 6] = ["\x1b[36m", "\x1b[35m", "\x1b[34m", "\x1b[33m", "\x1b[32m", "\x1b[96m"];
                APART[(which % APART.len() as u64) as usize]
            }
        }
    }
}

/// Colours, or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Style {
    /// Whether there are any.
    pub on: bool,
}

impl Style {
    /// The text, in this colour where there are colours.
    pub fn paint(self, ink: Ink, text: &str) -> String {
        if self.on { format!("{}{text}{RESET}", ink.code()) } else { text.to_owned() }
    }
}

/// Whether there are colours: what was asked for counts first, then `NO_COLOR`, then `FORCE_COLOR`, then whether
/// there is a terminal that is not `TERM=dumb`. An empty variable says nothing, and `FORCE_COLOR=0` says no.
pub fn wanted(asked: Option<bool>, terminal: bool, env: &dyn Fn(&str) -> Option<OsString>) -> bool {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    if let Some(asked) = asked {
        return asked;
    }
    if set("NO_COLOR").is_some() {
        return false;
    }
    match set("FORCE_COLOR") {
        Some(value) => value != "0" && value != "false",
        None => terminal && set("TERM").is_none_or(|term| term != "dumb"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_colours() {
        let case = |asked, terminal, env: &[(&str, &str)]| {
            wanted(asked, terminal, &|name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
        };
        assert!(case(None, true, &[]) && !case(None, false, &[]));
        assert!(!case(None, true, &[("TERM", "dumb")]) && case(None, true, &[("TERM", "xterm")]));
        assert!(!case(None, true, &[("NO_COLOR", "1")]) && case(None, true, &[("NO_COLOR", "")]));
        assert!(case(None, false, &[("FORCE_COLOR", "1")]) && !case(None, true, &[("FORCE_COLOR", "0")]));
        assert!(!case(None, true, &[("NO_COLOR", "1"), ("FORCE_COLOR", "1")]));
        assert!(case(Some(true), false, &[("NO_COLOR", "1")]) && !case(Some(false), true, &[("FORCE_COLOR", "1")]));
        assert!(case(None, false, &[("FORCE_COLOR", "1"), ("TERM", "dumb")]));
    }

    #[test]
    fn paint() {
        assert_eq!(Style { on: false }.paint(Ink::Bad, "x"), "x");
        assert_eq!(Style { on: true }.paint(Ink::Bad, "x"), "\x1b[31mx\x1b[0m");
    }
}
