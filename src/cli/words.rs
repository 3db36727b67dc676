//! Cuts the command line apart: xec's own options, the tasks, and the words that are for each task. Knows what is
//! an option, and nothing of what its value means.
//!
//! A word of the form `NAME=…`, an option that is none of xec's own and all that stands behind `--` belong to the
//! task before it. So the words are read from left to right, once, and never looked at twice.

use std::ffi::{OsStr, OsString};
use std::iter::Peekable;
use std::os::unix::ffi::OsStrExt as _;
use std::vec::IntoIter;

use crate::base::name::did_you_mean;
use crate::cli::table::{self, LATER, Own, Takes};
use crate::plan::request::{Asked, Word};
use crate::report::sanitize::visible;

/// The command line, cut apart.
#[derive(Default, Debug)]
pub(super) struct Line {
    /// Options with their values, each once: the last one counts.
    pub(super) given: Vec<(&'static str, OsString)>,
    /// Tasks with what is said of their inputs.
    pub(super) asked: Vec<Asked>,
    /// What stands behind `--` with `--on`.
    pub(super) command: Vec<String>,
}

/// Cuts the words after the name of the program.
///
/// # Errors
/// The first word that makes no sense.
pub(super) fn cut(words: Vec<OsString>) -> Result<Line, String> {
    let mut cutter = Cutter { words: words.into_iter().peekable(), line: Line::default() };
    while let Some(word) = cutter.words.next() {
        match word.as_bytes() {
            b"--" => cutter.rest()?,
            [b'-', b'-', long @ ..] => cutter.long(long)?,
            [b'-', letters @ ..] if !letters.is_empty() => cutter.letters(letters)?,
            _ => cutter.word(&word)?,
        }
    }
    Ok(cutter.line)
}

struct Cutter {
    words: Peekable<IntoIter<OsString>>,
    line: Line,
}

impl Cutter {
    /// `name`, or `name=value`.
    fn long(&mut self, word: &[u8]) -> Result<(), String> {
        let (name, value) = match memchr::memchr(b'=', word) {
            Some(at) => (&word[..at], Some(&word[at + 1..])),
            None => (word, None),
        };
        if let Some(own) = table::named(name) {
            return self.own(own, value).map_err(|text| self.meant(own, value, text));
        }
        let shown = format!("--{}", String::from_utf8_lossy(name));
        let later = LATER.iter().any(|(later, _)| later.as_bytes() == name);
        if later || name.is_empty() || self.line.asked.is_empty() {
            return Err(self.nobodys(&shown, later));
        }
        let name = utf8(name, "the option", name)?.to_owned();
        let word = match value {
            Some(value) => Word::Value(name.clone(), utf8(value, "the value of", name.as_bytes())?.to_owned()),
            None => Word::Flag(name),
        };
        self.bind(word);
        Ok(())
    }

    /// Letters behind one dash; one that takes a value has the rest of the word for it, or the next word.
    fn letters(&mut self, word: &[u8]) -> Result<(), String> {
        let mut letters = word;
        while let Some(letter) = letters.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next()) {
            letters = &letters[letter.len_utf8()..];
            let own = table::lettered(letter);
            match own {
                Some(own) if own.takes == Takes::Nothing => {
                    let value = letters.strip_prefix(b"=");
                    self.own(own, value)?;
                }
                Some(own) => {
                    let glued = letters.strip_prefix(b"=").unwrap_or(letters);
                    return self.own(own, Some(glued).filter(|glued| !glued.is_empty()));
                }
                None => {
                    let later = LATER.iter().any(|(_, later)| *later == Some(letter));
                    if later || self.line.asked.is_empty() {
                        return Err(self.nobodys(&format!("-{letter}"), later));
                    }
                    if let Some(value) = letters.strip_prefix(b"=") {
                        let value = utf8(value, "the value of", &word[..word.len() - letters.len()])?.to_owned();
                        self.bind(Word::Short(letter, Some(value)));
                        return Ok(());
                    }
                    self.bind(Word::Short(letter, None));
                }
            }
        }
        utf8(letters, "the option", word).map(|_| ())
    }

    /// A task, or `NAME=value` for the one before.
    fn word(&mut self, word: &OsStr) -> Result<(), String> {
        let bytes = word.as_bytes();
        let Some(at) = memchr::memchr(b'=', bytes).filter(|at| is_input_name(&bytes[..*at])) else {
            self.line.asked.push(Asked::plain(utf8(bytes, "a task cannot be named", bytes)?));
            return Ok(());
        };
        let (name, value) = (utf8(&bytes[..at], "the name", bytes)?, &bytes[at + 1..]);
        if self.line.asked.is_empty() {
            let shown = visible(&word.to_string_lossy()).into_owned();
            let task = self.task_ahead().unwrap_or_else(|| "TASK".to_owned());
            return Err(format!(
                "`{shown}` stands before any task; what a task takes follows it: `xec {task} {shown}`"
            ));
        }
        let word = Word::Value(name.to_owned(), utf8(value, "the value of", name.as_bytes())?.to_owned());
        self.bind(word);
        Ok(())
    }

    /// All that stands behind `--`.
    fn rest(&mut self) -> Result<(), String> {
        let words: Vec<OsString> = self.words.by_ref().collect();
        let text = |word: &OsString| utf8(word.as_bytes(), "the word", word.as_bytes()).map(str::to_owned);
        if self.line.given.iter().any(|(name, _)| *name == "on") {
            self.line.command = words.iter().map(text).collect::<Result<_, _>>()?;
            return Ok(());
        }
        let Some(task) = self.line.asked.last_mut() else {
            return match words.first() {
                None => Ok(()),
                Some(word) => {
                    let shown = visible(&word.to_string_lossy()).into_owned();
                    Err(format!("`{shown}` stands behind `--`, and no task before it: `xec TASK -- {shown}`"))
                }
            };
        };
        task.rest = Some(words.iter().map(text).collect::<Result<_, _>>()?);
        Ok(())
    }

    fn bind(&mut self, word: Word) {
        if let Some(task) = self.line.asked.last_mut() {
            task.words.push(word);
        }
    }

    /// One of xec's own options, with the value that is glued to it.
    fn own(&mut self, own: &'static Own, glued: Option<&[u8]>) -> Result<(), String> {
        let glued = glued.map(|value| OsStr::from_bytes(value).to_owned());
        let value = match (own.takes, glued) {
            (Takes::Nothing, Some(_)) => return Err(format!("`--{}` takes no value", own.name)),
            (Takes::Nothing | Takes::Perhaps, None) => OsString::new(),
            (Takes::Perhaps, Some(value)) => value,
            (Takes::Value, glued) => glued
                .or_else(|| self.words.next_if(|next| !is_option(next)))
                .filter(|value| !value.is_empty())
                .ok_or_else(|| format!("`--{}` needs a value", own.name))?,
        };
        self.line.given.retain(|(name, _)| *name != own.name);
        self.line.given.push((own.name, value));
        Ok(())
    }

    /// The same complaint, where a task may have been meant that has an input of the name of an option without a value.
    fn meant(&self, own: &Own, value: Option<&[u8]>, text: String) -> String {
        let (Takes::Nothing, Some(value), Some(task)) = (own.takes, value, self.line.asked.last()) else { return text };
        let (task, value) = (visible(&task.selector), String::from_utf8_lossy(value));
        format!(
            "{text}; an input of `{task}` of that name is given without the dashes: {}={}",
            own.name,
            visible(&value)
        )
    }

    /// An option that is none of xec's, and no task before it that could take it.
    fn nobodys(&mut self, shown: &str, later: bool) -> String {
        let shown = visible(shown).into_owned();
        if later {
            return format!("`{shown}` is an option of a later version of xec than this one");
        }
        let names = table::all().map(|own| own.name);
        let wanted = shown.strip_prefix("--").and_then(|name| did_you_mean(name, names));
        // The names are suggested as they are typed.
        let near = wanted.map(|text| text.replace(" `", " `--"));
        let ahead = || Some(format!("what a task takes follows it: `xec {} {shown}`", self.task_ahead()?));
        let help = near.or_else(ahead).map(|help| format!("; {help}")).unwrap_or_default();
        format!("there is no option `{shown}`{help}")
    }

    /// The next word that looks like a task.
    fn task_ahead(&mut self) -> Option<String> {
        let named = |word: &OsString| Some(word.to_str()?.to_owned());
        let mut words = self.words.clone().take_while(|word| word != "--").filter_map(|word| named(&word));
        words
            .find(|word| word.starts_with(|first: char| first.is_ascii_alphabetic()) && !word.contains('='))
            .map(|word| visible(&word).into_owned())
    }
}

fn is_option(word: &OsStr) -> bool {
    word.as_bytes().starts_with(b"-") && word.len() > 1
}

/// Whether `NAME=` is a binding: `[A-Za-z_][A-Za-z0-9_-]*`, as the names of inputs and axes are, and in capitals
/// too, as `make` users type them.
fn is_input_name(name: &[u8]) -> bool {
    name.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Text, or the reason why it is none.
fn utf8<'a>(bytes: &'a [u8], what: &str, shown: &[u8]) -> Result<&'a str, String> {
    std::str::from_utf8(bytes).map_err(|_| format!("{what} `{}`: not UTF-8", visible(&String::from_utf8_lossy(shown))))
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
