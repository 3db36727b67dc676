//! The one table of the language: what may stand where, what it takes, what it means. It drives decoding,
//! suggestions and the reference page; a new word of the language is one row here plus its meaning.
//! Knows nothing of KDL.

mod abroad;
mod table;

use std::fmt::Write as _;

pub use abroad::{instead_of, word_for};

/// A set of places in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Places(u64);

impl Places {
    /// The top of the file.
    pub const TOP: Places = Places(1);
    /// `defaults { … }`.
    pub const DEFAULTS: Places = Places(1 << 1);
    /// A task.
    pub const TASK: Places = Places(1 << 2);
    /// A step that does one thing: `run`, `exec`, `call`, …
    pub const STEP: Places = Places(1 << 3);
    /// A step that holds steps: `sequence`, `parallel`, …
    pub const GROUP: Places = Places(1 << 4);
    /// An edge between tasks: `needs`, `after`.
    pub const EDGE: Places = Places(1 << 5);
    /// `matrix { … }`.
    pub const MATRIX: Places = Places(1 << 6);
    /// `host { … }`.
    pub const HOST: Places = Places(1 << 7);
    /// `service { … }`.
    pub const SERVICE: Places = Places(1 << 8);
    /// `when { … }` and `unless { … }`.
    pub const WHEN: Places = Places(1 << 9);
    /// `param`.
    pub const PARAM: Places = Places(1 << 10);
    /// `flag`.
    pub const FLAG: Places = Places(1 << 11);
    /// `rest`.
    pub const REST: Places = Places(1 << 12);
    /// An axis of a matrix.
    pub const AXIS: Places = Places(1 << 13);
    /// `retry`.
    pub const RETRY: Places = Places(1 << 14);
    /// `capture`.
    pub const CAPTURE: Places = Places(1 << 15);
    /// `take`.
    pub const TAKE: Places = Places(1 << 16);
    /// `let`.
    pub const LET: Places = Places(1 << 17);
    /// `dotenv`.
    pub const DOTENV: Places = Places(1 << 18);
    /// `include` at the top of a file.
    pub const INCLUDE: Places = Places(1 << 19);
    /// `inputs`.
    pub const INPUTS: Places = Places(1 << 20);
    /// `cache { … }`.
    pub const CACHE: Places = Places(1 << 21);
    /// `watch`.
    pub const WATCH: Places = Places(1 << 22);
    /// `limit`.
    pub const LIMIT: Places = Places(1 << 23);
    /// `jobs`.
    pub const JOBS: Places = Places(1 << 24);
    /// `batches`.
    pub const BATCHES: Places = Places(1 << 25);

    /// `stdin`.
    pub const STDIN: Places = Places(1 << 26);
    /// `ready` of a service.
    pub const READY: Places = Places(1 << 27);
    /// `wait`.
    pub const WAIT: Places = Places(1 << 29);
    /// `secret`.
    pub const SECRET: Places = Places(1 << 30);
    /// `shell`.
    pub const SHELL: Places = Places(1 << 36);
    /// `hosts`.
    pub const HOSTS: Places = Places(1 << 32);
    /// `via`.
    pub const VIA: Places = Places(1 << 33);
    /// `on`.
    pub const ON: Places = Places(1 << 34);
    /// `pool`.
    pub const POOL: Places = Places(1 << 35);
    /// `copy`.
    pub const COPY: Places = Places(1 << 37);
    /// `sudo`.
    pub const SUDO: Places = Places(1 << 38);
    /// `reduce`.
    pub const REDUCE: Places = Places(1 << 28);

    /// `on-progress`.
    pub const PROGRESS: Places = Places(1 << 31);

    const NAMES: [(Places, &'static str); 39] = [
        (Places::PROGRESS, "on `on-progress`"),
        (Places::COPY, "on `copy`"),
        (Places::REDUCE, "on `reduce`"),
        (Places::HOSTS, "on `hosts`"),
        (Places::VIA, "on `via`"),
        (Places::ON, "on `on`"),
        (Places::POOL, "on `pool`"),
        (Places::SUDO, "on `sudo`"),
        (Places::TOP, "at the top of the file"),
        (Places::DEFAULTS, "in `defaults`"),
        (Places::TASK, "in a task"),
        (Places::STEP, "in a step"),
        (Places::GROUP, "in a group of steps"),
        (Places::EDGE, "in `needs` and `after`"),
        (Places::MATRIX, "in `matrix`"),
        (Places::HOST, "in `host`"),
        (Places::SERVICE, "in `service`"),
        (Places::WHEN, "in `when` and `unless`"),
        (Places::PARAM, "on `param`"),
        (Places::FLAG, "on `flag`"),
        (Places::REST, "on `rest`"),
        (Places::AXIS, "on an axis"),
        (Places::RETRY, "on `retry`"),
        (Places::CAPTURE, "on `capture`"),
        (Places::TAKE, "on `take`"),
        (Places::LET, "on `let`"),
        (Places::SECRET, "on `secret`"),
        (Places::SHELL, "on `shell`"),
        (Places::DOTENV, "on `dotenv`"),
        (Places::INCLUDE, "on `include`"),
        (Places::INPUTS, "on `inputs`"),
        (Places::CACHE, "in `cache`"),
        (Places::WATCH, "on `watch`"),
        (Places::LIMIT, "on `limit`"),
        (Places::JOBS, "on `jobs`"),
        (Places::BATCHES, "on `batches`"),
        (Places::STDIN, "on `stdin`"),
        (Places::READY, "on `ready`"),
        (Places::WAIT, "on `wait`"),
    ];

    /// Both sets.
    pub const fn or(self, other: Places) -> Places {
        Places(self.0 | other.0)
    }

    /// Whether all of `other` is in here.
    pub const fn has(self, other: Places) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the two have a place in common.
    pub const fn overlaps(self, other: Places) -> bool {
        self.0 & other.0 != 0
    }

    /// For people: ``in a task, in a step``.
    pub fn describe(self) -> String {
        let names: Vec<&str> =
            Self::NAMES.iter().filter(|(place, _)| self.has(*place)).map(|(_, name)| *name).collect();
        names.join(", ")
    }
}

/// What the arguments of a node are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// There are none.
    Nothing,
    /// Text as it is.
    Text,
    /// Text with `${…}`.
    Template,
    /// The names of tasks.
    Task,
    /// A quoted duration: `"5s"`.
    Duration,
    /// `#true` or `#false`.
    Bool,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// How many at once: `4`, `"50%"`, `"cpus-1"`, `adaptive`.
    Width,
    /// A variable and its value.
    Variable,
    /// A number.
    Number,
    /// A share of a set: `"90%"`, `"1/3"`, or a count.
    Share,
    /// A name, a glob or a selector.
    Name,
}

impl Kind {
    /// For people.
    pub fn describe(self) -> String {
        match self {
            Kind::Nothing => "nothing".to_owned(),
            Kind::Text => "text".to_owned(),
            Kind::Template => "text, may hold `${…}`".to_owned(),
            Kind::Task => "the name of a task".to_owned(),
            Kind::Duration => "a quoted duration such as `\"5s\"`".to_owned(),
            Kind::Bool => "`#true` or `#false`".to_owned(),
            Kind::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
            Kind::Width => "`4`, `\"50%\"`, `\"cpus-1\"` or `adaptive`".to_owned(),
            Kind::Variable => "a name and a value, or a block of them".to_owned(),
            Kind::Number => "a number".to_owned(),
            Kind::Share => "a count or a share such as `\"90%\"` or `\"1/3\"`".to_owned(),
            Kind::Name => "a name or a pattern".to_owned(),
        }
    }
}

/// How many arguments a node takes, and of what kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Args {
    /// At least so many.
    pub min: usize,
    /// At most so many; `None` is no limit.
    pub max: Option<usize>,
    /// Of this kind.
    pub kind: Kind,
}

/// What a word is in the language.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It builds the file: `task`, `needs`, `run`.
    Node,
    /// A policy for all that is below, until something there says otherwise.
    Inherited,
    /// A policy for what it is written on.
    Acts,
    /// A part of the one node that it is written on: `default` of a `param`.
    Detail,
}

/// When the value must be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// Before anything runs.
    InPlan,
    /// When its step starts.
    Late,
}

/// Whether this version of xec gives it a meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Yes.
    Now,
    /// A later one will.
    Later,
}

/// One word of the language.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// As it is written.
    pub name: &'static str,
    /// Where it may stand.
    pub places: Places,
    /// What it takes.
    pub args: Args,
    /// What holds where it is not written.
    pub default: Option<&'static str>,
    /// What it is.
    pub role: Role,
    /// When its value must be known.
    pub known: Known,
    /// Whether it has a meaning yet.
    pub state: State,
    /// What it means, in one line.
    pub doc: &'static str,
    /// How it is written.
    pub example: &'static str,
}

impl Row {
    /// Whether it is a policy, and so can be written as a property too.
    pub fn is_setting(&self) -> bool {
        matches!(self.role, Role::Inherited | Role::Acts)
    }
}

/// All words, in the order of the documentation. A name can have more than one row, at different places.
pub fn rows() -> &'static [Row] {
    table::ROWS
}

/// The word of that name at that place.
pub fn find(name: &str, place: Places) -> Option<&'static Row> {
    rows().iter().find(|row| row.name == name && row.places.has(place))
}

/// Everywhere that a word of that name may stand, for people; `None` if there is no such word.
pub fn elsewhere(name: &str) -> Option<String> {
    let mut places = rows().iter().filter(|row| row.name == name).map(|row| row.places);
    let first = places.next()?;
    Some(places.fold(first, Places::or).describe())
}

/// The words that may stand at a place and have a meaning: children, or only what can be a property.
pub fn names_at(place: Places, properties: bool) -> impl Iterator<Item = &'static str> {
    let fits = move |row: &&Row| row.places.has(place) && (!properties || is_property(row));
    rows().iter().filter(fits).map(|row| row.name)
}

/// Whether a word can be written as a property of the node it belongs to.
pub fn is_property(row: &Row) -> bool {
    row.args.max != Some(0)
        && row.args.min <= 1
        && (row.role != Role::Node || matches!(row.name, "desc" | "alias" | "private" | "confirm"))
}

/// One line of a table in the reference: name, arguments, default, meaning.
pub fn describe_args(row: &Row) -> String {
    let mut out = match (row.args.min, row.args.max) {
        (_, Some(0)) => return String::new(),
        (0, Some(1)) => "optional: ".to_owned(),
        (1, Some(1)) => String::new(),
        (0, None) => "any number of: ".to_owned(),
        (min, None) => format!("{min} or more: "),
        (min, Some(max)) if min == max => format!("{min}: "),
        (min, Some(max)) => format!("{min} to {max}: "),
    };
    let _ = write!(out, "{}", row.args.kind.describe());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_has_two_meanings_for_a_word() {
        for (index, row) in rows().iter().enumerate() {
            for other in &rows()[..index] {
                let shared = row.places.0 & other.places.0;
                assert!(row.name != other.name || shared == 0, "`{}` twice in {}", row.name, Places(shared).describe());
            }
        }
    }

    #[test]
    fn every_word_is_explained() {
        for row in rows() {
            assert!(!row.doc.is_empty() && !row.doc.ends_with('.') && row.example.contains(row.name), "{}", row.name);
            assert!(row.args.max.is_none_or(|max| row.args.min <= max), "{}", row.name);
            assert_eq!(row.args.max == Some(0), row.args.kind == Kind::Nothing, "{}", row.name);
        }
    }

    #[test]
    fn words_are_found_where_they_belong() {
        assert!(find("task", Places::TOP).is_some() && find("task", Places::TASK).is_none());
        assert!(find("timeout", Places::STEP).is_some_and(Row::is_setting));
        assert_eq!(elsewhere("task").as_deref(), Some("at the top of the file"));
        assert_eq!(elsewhere("tsak"), None);
        assert!(names_at(Places::TASK, true).all(|name| name != "run" && name != "needs"));
    }
}
