//! From words and the environment to [`Options`]. Pure: reads nothing, prints nothing, and is run at every start,
//! so it asks of clap only to cut the words apart; `values` knows what they mean, the same for a word on
//! the command line as for a variable of the environment.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::app::options::{GraphFormat, Options, Show, Verb};
use crate::base::name::{did_you_mean, is_task_name};
use crate::cli::help::HELP;
use crate::cli::values;
use crate::report::sanitize::visible;
use crate::xecfile::model::OnError;

/// Why there is nothing to do but to print.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Early {
    /// What was asked for: to stdout, then exit 0.
    Text(String),
    /// What is wrong with what was typed: to stderr, then exit 2.
    Usage(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
    /// A value after `=`, or none.
    Perhaps,
}

/// Every option: its name, its letter, whether it takes a value. In the environment, `XEC_` and the name.
const OPTIONS: &[(&str, Option<char>, Takes)] = &[
    ("file", Some('f'), Takes::Value),
    ("directory", Some('C'), Takes::Value),
    ("jobs", Some('j'), Takes::Value),
    ("parallel", Some('p'), Takes::Nothing),
    ("keep-going", Some('k'), Takes::Nothing),
    ("on-error", None, Takes::Value),
    ("dry-run", Some('n'), Takes::Nothing),
    ("list", Some('l'), Takes::Nothing),
    ("check", None, Takes::Nothing),
    ("graph", None, Takes::Perhaps),
    ("output", Some('o'), Takes::Value),
    ("quiet", Some('q'), Takes::Nothing),
    ("verbose", Some('v'), Takes::Nothing),
    ("yes", Some('y'), Takes::Nothing),
    ("color", None, Takes::Value),
    ("json", None, Takes::Nothing),
    ("events", None, Takes::Value),
];

/// Reads the command line, the first word being the name of the program, and what the environment adds to it.
///
/// # Errors
/// There is nothing to run: help or the version was asked for, or what was typed makes no sense.
pub fn parse(args: impl Iterator<Item = OsString>, env: &dyn Fn(&str) -> Option<OsString>) -> Result<Options, Early> {
    let matches = command().try_get_matches_from(args).map_err(|error| usage(&said(&error)))?;
    if matches.get_flag("help") {
        return Err(Early::Text(HELP.to_owned()));
    }
    if matches.get_flag("version") {
        return Err(Early::Text(concat!("xec ", env!("CARGO_PKG_VERSION"), "\n").to_owned()));
    }
    let tasks = tasks(&matches).map_err(|text| usage(&text))?;
    let line = Layer::of_line(&matches);
    Layer::of_env(env).and_then(|env| resolve([&line, &env], tasks)).map_err(|text| usage(&text))
}

fn usage(text: &str) -> Early {
    Early::Usage(format!("xec: {text}\n     `xec --help` shows all options\n"))
}

/// What clap has to know; kept bare, since this is built at every start.
fn command() -> Command {
    let options = OPTIONS.iter().map(|(name, letter, takes)| {
        let arg = Arg::new(*name).long(*name).value_parser(clap::value_parser!(OsString));
        let arg = match takes {
            Takes::Nothing => arg.action(ArgAction::SetTrue).value_parser(clap::value_parser!(bool)),
            Takes::Value => arg.action(ArgAction::Set),
            Takes::Perhaps => arg.action(ArgAction::Set).num_args(0..=1).require_equals(true).default_missing_value(""),
        };
        arg.short(*letter)
    });
    let flag = |name: &'static str, letter| Arg::new(name).long(name).short(letter).action(ArgAction::SetTrue);
    let words = |name: &'static str| {
        Arg::new(name).num_args(0..).action(ArgAction::Append).value_parser(clap::value_parser!(OsString))
    };
    Command::new("xec")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
        .args(options)
        .args([flag("help", 'h'), flag("version", 'V'), words("tasks"), words("rest").last(true)])
}

/// What clap found wrong, in one sentence.
fn said(error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    // clap shows an option with its value: `--jobs <jobs>`.
    let option = text(ContextKind::InvalidArg).split([' ', '=', '[']).next().unwrap_or_default();
    let shown = visible(option);
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let names = OPTIONS.iter().map(|(name, ..)| *name).chain(["help", "version"]);
            let wanted = option.strip_prefix("--").and_then(|name| did_you_mean(name, names));
            // The names are suggested as they are typed.
            let near = wanted.map(|text| format!("; {}", text.replace(" `", " `--"))).unwrap_or_default();
            format!("there is no option `{shown}`{near}")
        }
        ErrorKind::InvalidValue if text(ContextKind::InvalidValue).is_empty() => format!("`{shown}` needs a value"),
        ErrorKind::TooManyValues => format!("`{shown}` takes no value"),
        _ => visible(error.to_string().trim_end()).into_owned(),
    }
}

/// The tasks asked for; a word that binds an input is refused, since no task has inputs yet.
fn tasks(matches: &ArgMatches) -> Result<Vec<String>, String> {
    let mut tasks: Vec<String> = Vec::new();
    let nowhere = |tasks: &[String], word: &str| {
        let takes = tasks
            .last()
            .map_or("no task takes inputs".to_owned(), |task| format!("`{}` takes no inputs", visible(task)));
        format!("{takes}, so `{}` has nowhere to go", visible(word))
    };
    for word in words(matches, "tasks") {
        let word =
            word.to_str().ok_or_else(|| format!("a task cannot be named `{}`: not UTF-8", word.to_string_lossy()))?;
        if word.split_once('=').is_some_and(|(name, _)| is_task_name(name)) {
            return Err(nowhere(&tasks, word));
        }
        tasks.push(word.to_owned());
    }
    match words(matches, "rest").next() {
        Some(word) => Err(nowhere(&tasks, &word.to_string_lossy())),
        None => Ok(tasks),
    }
}

fn words<'a>(matches: &'a ArgMatches, name: &str) -> impl Iterator<Item = &'a OsString> {
    matches.get_many::<OsString>(name).into_iter().flatten()
}

/// What one place says: the command line, or the environment, which it goes before.
struct Layer {
    from_env: bool,
    given: Vec<(&'static str, OsString)>,
}

impl Layer {
    fn of_line(matches: &ArgMatches) -> Self {
        let value = |name, takes| match takes {
            Takes::Nothing => matches.get_flag(name).then(OsString::new),
            Takes::Value | Takes::Perhaps => matches.get_one::<OsString>(name).cloned(),
        };
        let given = OPTIONS.iter().filter_map(|(name, _, takes)| Some((*name, value(name, *takes)?))).collect();
        Self { from_env: false, given }
    }

    /// An empty variable is as good as none, and a switch may be set to no.
    fn of_env(env: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, String> {
        let mut layer = Self { from_env: true, given: Vec::new() };
        for (name, _, takes) in OPTIONS {
            let Some(value) = env(&variable(name)).filter(|value| !value.is_empty()) else { continue };
            if *takes != Takes::Nothing {
                layer.given.push((name, value));
            } else if values::switch(&value).map_err(|text| layer.blame(name, &text))? {
                layer.given.push((name, OsString::new()));
            }
        }
        Ok(layer)
    }

    fn get(&self, name: &str) -> Option<&OsStr> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_os_str())
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn read<T>(&self, name: &str, read: impl FnOnce(&OsStr) -> Result<T, String>) -> Result<Option<T>, String> {
        self.get(name).map(read).transpose().map_err(|text| self.blame(name, &text))
    }

    fn name(&self, option: &str) -> String {
        if self.from_env { variable(option) } else { format!("--{option}") }
    }

    fn blame(&self, option: &str, text: &str) -> String {
        let place = if self.from_env { " (in the environment)" } else { "" };
        format!("`{}`{place} {text}", self.name(option))
    }

    /// The one of these that is given; two of them contradict each other.
    fn one_of(&self, names: &[&'static str]) -> Result<Option<&'static str>, String> {
        let mut given = names.iter().copied().filter(|name| self.has(name));
        match (given.next(), given.next()) {
            (Some(one), Some(other)) => {
                Err(format!("`{}` and `{}` contradict each other", self.name(one), self.name(other)))
            }
            (one, _) => Ok(one),
        }
    }

    fn verb(&self) -> Result<Option<Verb>, String> {
        Ok(match self.one_of(&["dry-run", "list", "check", "graph"])? {
            Some("dry-run") => Some(Verb::DryRun),
            Some("list") => Some(Verb::List),
            Some("check") => Some(Verb::Check),
            Some(_) => self
                .read("graph", |value| {
                    let bare = if self.has("json") { GraphFormat::Json } else { GraphFormat::Dot };
                    if value.is_empty() { Ok(bare) } else { values::choice(values::GRAPH, value) }
                })?
                .map(Verb::Graph),
            None => None,
        })
    }

    fn on_error(&self) -> Result<Option<OnError>, String> {
        match self.one_of(&["keep-going", "on-error"])? {
            Some("keep-going") => Ok(Some(OnError::Continue)),
            _ => self.read("on-error", |value| values::choice(values::ON_ERROR, value)),
        }
    }
}

fn variable(option: &str) -> String {
    format!("XEC_{}", option.replace('-', "_").to_ascii_uppercase())
}

/// The first layer that says something is the one that counts.
fn first<T>(layers: [&Layer; 2], read: impl Fn(&Layer) -> Result<Option<T>, String>) -> Result<Option<T>, String> {
    match read(layers[0])? {
        Some(value) => Ok(Some(value)),
        None => read(layers[1]),
    }
}

fn resolve(layers: [&Layer; 2], tasks: Vec<String>) -> Result<Options, String> {
    let path = |name| layers.iter().find_map(|layer| layer.get(name)).map(PathBuf::from);
    let has = |name| layers.iter().any(|layer| layer.has(name));
    let loudness = first(layers, |layer| layer.one_of(&["quiet", "verbose"]))?;
    let show = Show {
        mode: first(layers, |layer| layer.read("output", |value| values::choice(values::OUTPUT, value)))?
            .unwrap_or_default(),
        quiet: loudness == Some("quiet"),
        verbose: loudness == Some("verbose"),
        color: first(layers, |layer| layer.read("color", |value| values::choice(values::COLOR, value)))?
            .unwrap_or_default(),
        json: has("json"),
        events: first(layers, |layer| layer.read("events", values::events))?,
    };
    Ok(Options {
        verb: first(layers, Layer::verb)?.unwrap_or_default(),
        file: path("file"),
        dir: path("directory"),
        tasks,
        jobs: first(layers, |layer| layer.read("jobs", values::width))?,
        parallel: has("parallel"),
        on_error: first(layers, Layer::on_error)?,
        yes: has("yes"),
        show,
    })
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
