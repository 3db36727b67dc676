//! What every verb begins with: the file, read and understood, or what is wrong with it.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use crate::app::Answer;
use crate::app::options::Options;
use crate::base::diagnostic::{Problem, Severity};
use crate::base::source::SourceMap;
use crate::plan::{Plan, Request, compile};
use crate::report::{problems, style};
use crate::xecfile::load;
use crate::xecfile::model::Xecfile;

/// A file without errors.
pub(super) struct Opened {
    pub(super) file: Xecfile,
    /// What it was warned of, ready to be shown.
    pub(super) warnings: String,
}

impl Opened {
    /// What was asked for: the tasks named, else `default` if there is one.
    pub(super) fn tasks(&self, options: &Options) -> Vec<String> {
        if !options.tasks.is_empty() {
            return options.tasks.clone();
        }
        let default = self.file.tasks.iter().any(|task| &*task.name.value == "default");
        if default { vec!["default".to_owned()] } else { Vec::new() }
    }

    /// The request that the plan floor understands.
    pub(super) fn request(&self, options: &Options) -> Request {
        let cpus =
            std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX));
        Request {
            tasks: self.tasks(options),
            parallel: options.parallel,
            on_error: options.on_error.unwrap_or_default(),
            slots: options.jobs.map_or(Some(cpus), |width| width.resolve(cpus)),
            cpus,
        }
    }

    /// The plan of what was asked for.
    pub(super) fn plan(&self, options: &Options) -> Result<Plan, Answer> {
        compile(&self.file, &self.request(options)).map_err(|found| refuse(options, &found, &self.file.sources))
    }
}

pub(super) fn open(options: &Options) -> Result<Opened, Answer> {
    let dir = options.dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let loaded = load::load(&dir, options.file.as_deref());
    match loaded.file {
        Some(file) if loaded.problems.iter().all(|problem| problem.severity == Severity::Warning) => {
            let warnings = show(options, &loaded.problems, &loaded.sources);
            Ok(Opened { file, warnings })
        }
        _ => Err(refuse(options, &loaded.problems, &loaded.sources)),
    }
}

pub(super) fn refuse(options: &Options, found: &[Problem], sources: &SourceMap) -> Answer {
    Answer::refused(show(options, found, sources))
}

pub(super) fn show(options: &Options, found: &[Problem], sources: &SourceMap) -> String {
    if found.is_empty() {
        return String::new();
    }
    let color =
        style::wanted(options.show.color.asked(), std::io::stderr().is_terminal(), &|name| std::env::var_os(name));
    let width = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(100);
    problems::render(found, sources, color, width)
}

/// How text on stdout is painted.
pub(super) fn stdout_style(options: &Options) -> style::Style {
    let terminal = std::io::stdout().is_terminal();
    style::Style { on: style::wanted(options.show.color.asked(), terminal, &|name| std::env::var_os(name)) }
}
