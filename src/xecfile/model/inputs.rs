//! What goes into a task, and how one task names another.

use std::sync::Arc;

use crate::base::source::{Span, Spanned};
use crate::base::value::Template;

/// Something that a task takes.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name.
    pub name: Spanned<Arc<str>>,
    /// How it is given.
    pub role: ParamRole,
    /// What it may be.
    pub ty: ParamType,
    /// What it is where nothing is given; may name `env`, `let`s and earlier params. Without one it is required,
    /// but for flags (off) and rests (none).
    pub default: Option<Spanned<Template>>,
    /// The only values that it may have; empty is any.
    pub choices: Vec<Spanned<Arc<str>>>,
    /// It may be given several times and is a list.
    pub many: bool,
    /// `-x` on the command line.
    pub short: Option<char>,
    /// One line on what it is for.
    pub desc: Option<Arc<str>>,
}

impl Param {
    /// Whether a task cannot do without it.
    pub fn is_required(&self) -> bool {
        self.role == ParamRole::Value && self.default.is_none() && !self.many
    }
}

/// How a param is given.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ParamRole {
    /// `param`: `name=value`, `--name=value`.
    Value,
    /// `flag`: `--name`; its value is `true` or empty.
    Flag,
    /// `rest`: all words after `--`; a list.
    Rest,
}

/// What the text of a param must be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ParamType {
    /// Anything.
    #[default]
    String,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
    /// A path.
    Path,
    /// A duration.
    Duration,
    /// A size: `10MB`, `4KiB`.
    Size,
}

impl ParamType {
    /// All of them, by the names they are written with.
    pub const ALL: [(&'static str, ParamType); 7] = [
        ("string", ParamType::String),
        ("int", ParamType::Int),
        ("float", ParamType::Float),
        ("bool", ParamType::Bool),
        ("path", ParamType::Path),
        ("duration", ParamType::Duration),
        ("size", ParamType::Size),
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, ty)| *ty == self).map_or("string", |(name, _)| name)
    }

    /// A text of this type.
    pub fn example(self) -> &'static str {
        match self {
            ParamType::String => "text",
            ParamType::Int => "3",
            ParamType::Float => "1.5",
            ParamType::Bool => "true",
            ParamType::Path => "src/main.rs",
            ParamType::Duration => "90s",
            ParamType::Size => "10MB",
        }
    }

    /// Whether a text is of this type.
    ///
    /// # Errors
    /// What it should have been, to follow "`text` is".
    pub fn check(self, text: &str) -> Result<(), String> {
        let fine = match self {
            ParamType::String => true,
            ParamType::Int => text.parse::<i64>().is_ok(),
            ParamType::Float => text.parse::<f64>().is_ok_and(f64::is_finite),
            ParamType::Bool => matches!(text, "true" | "false"),
            ParamType::Path => !text.is_empty(),
            ParamType::Duration => crate::base::duration::parse(text).is_ok(),
            ParamType::Size => size(text).is_some(),
        };
        let wanted = match self {
            _ if fine => return Ok(()),
            ParamType::String => "no text",
            ParamType::Int => "not a whole number",
            ParamType::Float => "not a number",
            ParamType::Bool => "neither `true` nor `false`",
            ParamType::Path => "not a path",
            ParamType::Duration => "not a duration such as `5s` or `1m 30s`",
            ParamType::Size => "not a size such as `10MB` or `4KiB`",
        };
        Err(wanted.to_owned())
    }
}

/// Bytes: a number, and a unit of thousands (`kB`, `MB`, …) or of 1024 (`KiB`, `MiB`, …); `B` may be left out.
pub fn size(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start().to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let (letter, base) = match unit.strip_suffix('i') {
        Some(letter) if !letter.is_empty() => (letter, 1024.0_f64),
        _ => (unit, 1000.0),
    };
    let power = ["", "k", "m", "g", "t", "p"].iter().position(|known| *known == letter)?;
    let bytes = number.parse::<f64>().ok()? * base.powi(i32::try_from(power).ok()?);
    (bytes <= 9e18).then_some(bytes as u64)
}

/// A task that another one names.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Its whole name.
    pub task: Spanned<Arc<str>>,
    /// Values for its params, or for its axes, of which it then means the matching ones only.
    pub bindings: Vec<Binding>,
    /// Values that come back.
    pub takes: Vec<Take>,
}

impl Reference {
    /// All of a task.
    pub fn to(task: Spanned<Arc<str>>) -> Self {
        Self { task, bindings: Vec::new(), takes: Vec::new() }
    }
}

/// A value for a name.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The name.
    pub name: Spanned<Arc<str>>,
    /// The value.
    pub value: Spanned<Template>,
}

/// A value that comes from another task.
#[derive(Clone, Debug)]
pub struct Take {
    /// What it is called there: a capture, or an axis.
    pub name: Spanned<Arc<str>>,
    /// What it is called here.
    pub here: Spanned<Arc<str>>,
    /// What it is where it did not come to be; known before anything runs.
    pub default: Option<Spanned<Template>>,
}

/// A value of a file.
#[derive(Clone, Debug)]
pub struct Let {
    /// Its name.
    pub name: Spanned<Arc<str>>,
    /// Its value.
    pub value: LetValue,
    /// The whole node.
    pub span: Span,
}

/// Where a `let` gets its value from.
#[derive(Clone, Debug)]
pub enum LetValue {
    /// From this text.
    Text(Spanned<Template>),
    /// From the stdout of this script, once a run, when it is first used.
    Run(Spanned<Arc<str>>),
}

/// A value of a file that nobody is shown.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Its name, in its own case.
    pub name: Spanned<Arc<str>>,
    /// Where it comes from.
    pub source: SecretSource,
    /// The whole node.
    pub span: Span,
}

/// Where a secret comes from.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// From the variable of its name in the environment of xec, or in a `dotenv` of its file.
    Variable,
    /// From what this file holds, against the directory of the Xecfile, when it is first used.
    File(Spanned<Arc<str>>),
    /// From the stdout of this script, once a run, when it is first used.
    Run(Spanned<Arc<str>>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_a_type() {
        for (ty, good, bad) in [
            (ParamType::Int, ["-3", "0"], ["3.0", "x"]),
            (ParamType::Float, ["1e3", "-.5"], ["inf", ""]),
            (ParamType::Bool, ["true", "false"], ["yes", "1"]),
            (ParamType::Path, [" ", "a/b"], ["", ""]),
            (ParamType::Duration, ["5s", "1m 30s"], ["5", "abc"]),
            (ParamType::Size, ["10MB", "4KiB"], ["MB", "10 apples"]),
        ] {
            for text in good {
                assert_eq!(ty.check(text), Ok(()), "{text}");
            }
            for text in bad {
                assert!(ty.check(text).is_err(), "{text}");
            }
        }
        assert_eq!(ParamType::String.check(""), Ok(()));
        assert!(ParamType::ALL.iter().all(|(_, ty)| ty.check(ty.example()).is_ok()));
    }

    #[test]
    fn sizes_in_bytes() {
        for (text, bytes) in [("0", 0), ("7B", 7), ("10MB", 10_000_000), ("4KiB", 4096), ("1.5 GiB", 1_610_612_736)] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "B", "ib", "4iB", "1..2", "99999999PB", "-1", "4XB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
