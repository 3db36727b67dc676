//! Which hosts are meant: names, tags, patterns and ranges, joined by `,` (or), `&` (and) and `!` (not). Pure; knows
//! of a host no more than its name and its tags.
//!
//! `!` binds tightest, then `&`, then `,`: so `web & !canary, db` is "(web and not canary) or db". There are no
//! parentheses: what is written so is an *or* of *and*s already, and is read in one pass.

mod range;

use std::collections::HashSet;
use std::ops::Range;

pub use range::{BadRange, MOST_NAMES, expand, is_ranged};

/// What a word may hold beside letters and digits: the characters of host names, and those of patterns.
const IN_WORDS: &str = "._-:%+*?";

/// A selector, read once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selector {
    /// Any of these, of each of which all must hold.
    any: Vec<Vec<Term>>,
}

/// One word of a selector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Term {
    /// Whether it must not fit.
    pub negated: bool,
    /// As it was written, without the `!`.
    pub text: String,
    /// Its bytes in the whole text.
    pub place: Range<usize>,
    /// Whole names that fit.
    names: HashSet<String>,
    /// Patterns that fit.
    globs: Vec<String>,
}

/// Why a text is no selector, and which of its bytes say so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadSelector {
    /// The bytes.
    pub place: Range<usize>,
    /// What is wrong with them, to follow a colon.
    pub why: String,
}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// The first word that is none, or a place where one is missing.
    pub fn parse(text: &str) -> Result<Self, BadSelector> {
        let mut any = vec![Vec::new()];
        let (mut start, mut depth) = (0, false);
        // A comma in brackets is a part of a range.
        let ends = text.char_indices().chain([(text.len(), ',')]);
        for (at, character) in ends {
            let end = at == text.len();
            match character {
                '[' => depth = true,
                ']' => depth = false,
                ',' | '&' if end || !depth => {
                    let all = any.last_mut().expect("there is one from the first, and none is taken away");
                    all.push(Term::parse(text, start..at)?);
                    if character == ',' && !end {
                        any.push(Vec::new());
                    }
                    start = at + 1;
                }
                _ => {}
            }
        }
        Ok(Self { any })
    }

    /// Whether a host is meant.
    pub fn fits(&self, name: &str, tags: &[impl AsRef<str>]) -> bool {
        self.any.iter().any(|all| all.iter().all(|term| term.fits(name, tags) != term.negated))
    }

    /// Its words, in order.
    pub fn terms(&self) -> impl Iterator<Item = &Term> {
        self.any.iter().flatten()
    }

    /// Whether a host is meant by its whole name, and not by anything else that is said.
    pub fn names(&self, name: &str) -> bool {
        self.any.iter().any(|all| matches!(&all[..], [only] if !only.negated && only.names.contains(name)))
    }
}

impl Term {
    fn parse(text: &str, place: Range<usize>) -> Result<Self, BadSelector> {
        let whole = &text[place.clone()];
        let trimmed = whole.trim();
        let start = place.start + (whole.len() - whole.trim_start().len());
        let mut word = trimmed;
        while let Some(rest) = word.strip_prefix('!') {
            word = rest.trim_start();
        }
        let marks = trimmed[..trimmed.len() - word.len()].matches('!').count();
        let begin = start + trimmed.len() - word.len();
        let place = begin..begin + word.len();
        let bad = |place: Range<usize>, why: String| Err(BadSelector { place, why });
        if word.is_empty() {
            return bad(place, "a name or a tag is missing here".to_owned());
        }
        if word.starts_with('-') {
            return bad(place, format!("no host is called `{word}`"));
        }
        let patterns = match expand(word) {
            Ok(patterns) => patterns,
            Err(why) => return bad(place, why.to_string()),
        };
        let strange = |c: &char| !c.is_alphanumeric() && !IN_WORDS.contains(*c);
        if let Some((at, character)) = word.char_indices().find(|(_, c)| strange(c) && !"[],".contains(*c)) {
            let at = begin + at;
            let why = format!("`{}` stands in no name", character.escape_debug());
            return bad(at..at + character.len_utf8(), why);
        }
        let (globs, names) = patterns.into_iter().partition(|pattern| pattern.contains(['*', '?']));
        let names = Vec::into_iter(names).collect();
        Ok(Self { negated: marks % 2 == 1, text: word.to_owned(), place, names, globs })
    }

    /// Whether a name or a tag is what this word says, whether or not it must be.
    pub fn fits(&self, name: &str, tags: &[impl AsRef<str>]) -> bool {
        let fits = |word: &str| self.names.contains(word) || self.globs.iter().any(|glob| matches(glob, word));
        fits(name) || tags.iter().any(|tag| fits(tag.as_ref()))
    }

    /// The whole names that it says.
    pub fn whole_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether it is one whole name, and no pattern or range.
    pub fn is_plain(&self) -> bool {
        self.globs.is_empty() && !is_ranged(&self.text)
    }
}

/// Whether a text fits a pattern in which `*` stands for any text and `?` for any character. Goes back to the last
/// star alone, which is enough: the time is in the product of the lengths at worst.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fits(selector: &str, name: &str, tags: &[&str]) -> bool {
        Selector::parse(selector).unwrap_or_else(|why| panic!("{selector}: {}", why.why)).fits(name, tags)
    }

    #[test]
    fn and_binds_tighter_than_or_and_not_tightest() {
        for (selector, on_web, on_canary, on_db) in [
            ("web", true, true, false),
            ("web & !canary", true, false, false),
            ("web&!canary,db1", true, false, true),
            ("db1 , web & canary", false, true, true),
            ("!web", false, false, true),
            ("!!web", true, true, false),
            ("*", true, true, true),
            ("w?b[01-02]", true, false, false),
            ("web[01,07-09] & web", true, false, false),
        ] {
            assert_eq!(fits(selector, "web01", &["web", "eu"]), on_web, "{selector}");
            assert_eq!(fits(selector, "web03", &["web", "canary"]), on_canary, "{selector}");
            assert_eq!(fits(selector, "db1", &[]), on_db, "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector_is_told_with_its_place() {
        for (text, place) in [
            ("", 0..0),
            ("web,", 4..4),
            ("web & & db", 6..6),
            ("!", 1..1),
            ("-x", 0..2),
            ("web db", 3..4),
            ("a;b", 1..2),
        ] {
            assert_eq!(Selector::parse(text).unwrap_err().place, place, "{text}");
        }
        assert!(Selector::parse("web[3-1]").unwrap_err().why.contains("3-1"));
        assert!(Selector::parse("web[1-3").is_err());
    }

    #[test]
    fn who_is_called_by_name_alone() {
        let selector = Selector::parse("db1, web & eu").unwrap();
        assert!(selector.names("db1") && !selector.names("web") && !selector.names("eu"));
    }

    const WORDS: [&str; 6] = ["a", "b", "ab", "a*", "?", "*b"];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::base::test_cases()))]

        /// What is written is what an evaluator says that goes by the definition alone.
        #[test]
        fn a_selector_says_what_its_parts_say(
            parts in prop::collection::vec(prop::collection::vec((any::<bool>(), 0..WORDS.len()), 1..4), 1..4),
            name in "[abc]{1,3}",
            tags in prop::collection::vec("[abc]{1,2}", 0..3),
            blank in any::<bool>(),
        ) {
            let sep = if blank { " " } else { "" };
            let word = |(no, at): &(bool, usize)| format!("{sep}{}{sep}{}", if *no { "!" } else { "" }, WORDS[*at]);
            let text = parts.iter().map(|all| all.iter().map(word).collect::<Vec<_>>().join("&"));
            let text = text.collect::<Vec<_>>().join(",");
            let one = |(no, at): &(bool, usize)| {
                let is = |text: &str| glob::Pattern::new(WORDS[*at]).unwrap().matches(text);
                (is(&name) || tags.iter().any(|tag| is(tag))) != *no
            };
            let expected = parts.iter().any(|all| all.iter().all(one));
            prop_assert_eq!(Selector::parse(&text).unwrap().fits(&name, &tags), expected, "{}", text);
        }

        #[test]
        fn any_text_has_an_answer(text in "[a-c!&,\\[\\]0-9 *?-]{0,20}") {
            let _ = Selector::parse(&text).map(|selector| selector.fits("a", &["b"]));
        }
    }
}
