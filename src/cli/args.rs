//! From words and the environment to [`Options`]. Pure: reads nothing, prints nothing. `words` cuts the command line
//! apart; `values` knows what a value means, the same on the command line as in a variable of the environment.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::app::options::{GraphFormat, Options, Show, Verb};
use crate::cli::help::HELP;
use crate::cli::table::{OPTIONS, Own, Takes, variable};
use crate::cli::values;
use crate::cli::words::{self, Line};
use crate::plan::request::{AdHoc, Asked};
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

/// Reads the command line, the first word being the name of the program, and what the environment adds to it.
///
/// # Errors
/// There is nothing to run: help or the version was asked for, or what was typed makes no sense.
pub fn parse(args: impl Iterator<Item = OsString>, env: &dyn Fn(&str) -> Option<OsString>) -> Result<Options, Early> {
    let line = words::cut(args.skip(1).collect()).map_err(|text| usage(&text))?;
    let asked_for = |page| line.given.iter().any(|(name, _)| *name == page);
    if asked_for("help") {
        return Err(Early::Text(HELP.to_owned()));
    }
    if asked_for("version") {
        return Err(Early::Text(concat!("xec ", env!("CARGO_PKG_VERSION"), "\n").to_owned()));
    }
    let Line { given, asked, command } = line;
    let line = Layer { from_env: false, given };
    Layer::of_env(env).and_then(|env| resolve([&line, &env], asked, command)).map_err(|text| usage(&text))
}

fn usage(text: &str) -> Early {
    Early::Usage(format!("xec: {text}\n     `xec --help` shows all options\n"))
}

/// What one place says: the command line, or the environment, which it goes before.
struct Layer {
    from_env: bool,
    given: Vec<(&'static str, OsString)>,
}

impl Layer {
    /// An empty variable is as good as none, and a switch may be set to no.
    fn of_env(env: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, String> {
        let mut layer = Self { from_env: true, given: Vec::new() };
        for Own { name, takes, .. } in OPTIONS {
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
        let text = |name| self.get(name).unwrap_or_default().to_string_lossy().into_owned();
        // A graph is a dry run that is drawn.
        let dry = if self.has("graph") { "graph" } else { "dry-run" };
        Ok(match self.one_of(&[dry, "list", "show", "check", "explain", "cache-gc", "last"])? {
            Some("dry-run") => Some(Verb::DryRun),
            Some("list") => Some(Verb::List),
            Some("show") => Some(Verb::Show(text("show"))),
            Some("check") => Some(Verb::Check),
            Some("last") => Some(Verb::Last),
            Some("explain") => Some(Verb::Explain(text("explain"))),
            Some("cache-gc") => self.read("cache-gc", values::size)?.map(Verb::CacheGc),
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

/// The first layer that says something is the one that counts.
fn first<T>(layers: [&Layer; 2], read: impl Fn(&Layer) -> Result<Option<T>, String>) -> Result<Option<T>, String> {
    match read(layers[0])? {
        Some(value) => Ok(Some(value)),
        None => read(layers[1]),
    }
}

/// A command for hosts, and no tasks beside it.
fn adhoc(line: &Layer, tasks: &[Asked], words: Vec<String>) -> Result<Option<AdHoc>, String> {
    let Some(selector) = line.read("on", values::text)? else { return Ok(None) };
    match tasks.first() {
        Some(task) => {
            let task = visible(&task.selector);
            Err(format!(
                "`--on` runs a command, and `{task}` is a task; on some hosts of its own: `xec '{task}@{selector}'`"
            ))
        }
        None if words.is_empty() => {
            Err(format!("`--on` runs what stands behind `--`: `xec --on '{selector}' -- uptime`"))
        }
        None => Ok(Some(AdHoc { selector, words })),
    }
}

fn resolve(layers: [&Layer; 2], tasks: Vec<Asked>, words: Vec<String>) -> Result<Options, String> {
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
        why: has("why"),
        json: has("json"),
        events: first(layers, |layer| layer.read("events", values::events))?,
        profile: has("profile"),
        trace: path("trace"),
        report: path("report"),
    };
    let verb = first(layers, Layer::verb)?.unwrap_or_default();
    fits(layers[0], &verb, &tasks)?;
    let command = adhoc(layers[0], &tasks, words)?;
    Ok(Options {
        verb,
        command,
        all: has("all"),
        file: path("file"),
        dir: path("directory"),
        tasks,
        jobs: first(layers, |layer| layer.read("jobs", values::width))?,
        parallel: has("parallel"),
        on_error: first(layers, Layer::on_error)?,
        yes: has("yes"),
        force: has("force"),
        failed: has("failed"),
        affected: first(layers, |layer| layer.read("affected", values::text))?,
        tune: first(layers, |layer| layer.read("tune", values::widths))?.unwrap_or_default(),
        take: first(layers, |layer| layer.read("take", values::some))?,
        watch: has("watch"),
        show,
    })
}

/// Words that would go nowhere.
fn fits(line: &Layer, verb: &Verb, tasks: &[Asked]) -> Result<(), String> {
    if line.has("all") && *verb != Verb::List {
        return Err("`--all` goes with `--list`: `xec -la`".to_owned());
    }
    if line.has("json") && *verb == Verb::Run {
        return Err(
            "`--json` goes with a look, as in `xec --list --json`; what happens in a run: `--events=json`".to_owned()
        );
    }
    let past = *verb == Verb::Last;
    let told = [("profile", "", past), ("trace", "=FILE.json", false), ("report", "=FILE.html", past)];
    for (name, value, fits) in told {
        if line.has(name) && *verb != Verb::Run && !fits {
            return Err(format!("`--{name}` goes with a run: `xec --{name}{value} build`"));
        }
    }
    if line.has("tune") && *verb != Verb::Run {
        return Err("`--tune` goes with a run: `xec --tune=1,2,4 build`".to_owned());
    }
    let others = ["watch", "failed", "jobs", "profile", "trace", "report", "events"].into_iter();
    if let Some(other) = others.filter(|_| line.has("tune")).find(|name| line.has(name)) {
        return Err(format!("`--tune` and `--{other}` contradict each other"));
    }
    if line.has("watch") && *verb != Verb::Run {
        return Err("`--watch` goes with a run: `xec --watch build`".to_owned());
    }
    let one = match verb {
        Verb::Show(_) => "--show",
        Verb::Explain(_) => "--explain",
        Verb::CacheGc(_) => "--cache-gc",
        Verb::Last => "--last",
        _ => return Ok(()),
    };
    match tasks.first() {
        Some(task) => Err(format!("`{one}` takes one word, so `{}` has nowhere to go", visible(&task.selector))),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
