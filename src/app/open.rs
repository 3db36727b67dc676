//! What every verb begins with: the file, read and understood, or what is wrong with it.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use crate::app::options::{Options, Verb};
use crate::app::world;
use crate::app::{Answer, adhoc, affected, again};
use crate::base::diagnostic::{Problem, Severity};
use crate::base::source::SourceMap;
use crate::plan::request::{AdHoc, Asked, Request};
use crate::plan::{Plan, compile};
use crate::report::journal::Head;
use crate::report::sanitize::visible;
use crate::report::{problems, problems_json, style};
use crate::xecfile::load;
use crate::xecfile::model::{Task, Width, Xecfile};

/// A file without errors.
pub(super) struct Opened {
    pub(super) file: Xecfile,
    /// What it was warned of.
    pub(super) found: Vec<Problem>,
    /// The files that it was made of.
    pub(super) looked_for: Vec<PathBuf>,
    /// The command that stands in no file, and what its task is called.
    pub(super) command: Option<(String, AdHoc)>,
}

impl Opened {
    /// What was asked for: the tasks named, else `default` if there is one.
    pub(super) fn tasks(&self, options: &Options) -> Vec<Asked> {
        if let Some((command, _)) = &self.command {
            return vec![Asked::plain(command)];
        }
        if !options.tasks.is_empty() {
            return options.tasks.clone();
        }
        self.task("default").map(|_| Asked::plain("default")).into_iter().collect()
    }

    /// The task of a name or an alias.
    pub(super) fn task(&self, name: &str) -> Option<&Task> {
        let named = |task: &&Task| names(task).any(|known| known == name);
        self.file.tasks.iter().find(named)
    }

    /// What was asked for, and whether side by side; with `--failed` alone, what the last run was asked for.
    ///
    /// # Errors
    /// There was none.
    pub(super) fn wanted(&self, options: &Options) -> Result<(Vec<Asked>, bool), Answer> {
        if !options.failed || !options.tasks.is_empty() {
            return Ok((self.tasks(options), options.parallel));
        }
        let Head { file, asked, parallel, .. } = again::past(&self.file.root)?.head;
        if file != self.name() {
            let why = format!("xec: the last run was one of `{0}`: `xec -f {0} --failed`\n", visible(&file));
            return Err(Answer::refused(why));
        }
        Ok((asked, parallel || options.parallel))
    }

    /// The name of the file that was asked for.
    pub(super) fn name(&self) -> String {
        name(&self.file)
    }

    /// The request that the plan floor understands.
    pub(super) fn request(&self, options: &Options) -> Request {
        let cpus =
            std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX));
        Request {
            tasks: self.tasks(options),
            parallel: options.parallel,
            on_error: options.on_error.unwrap_or_default(),
            slots: options.jobs.or(Some(Width::Count(cpus))),
            cpus,
            take: options.take,
            spared: HashMap::new(),
        }
    }

    /// Text for stdout, after the warnings.
    pub(super) fn answer(&self, options: &Options, out: String) -> Answer {
        Answer { err: show(options, &self.found, &self.file.sources), ..Answer::text(out) }
    }

    /// The plan of what was asked for.
    pub(super) fn plan(&self, options: &Options) -> Result<Plan, Answer> {
        let (tasks, parallel) = self.wanted(options)?;
        let asked = Request { tasks, parallel, ..self.request(options) };
        let plan = self.compile(options, &asked)?;
        let mut spared = HashMap::new();
        if options.failed {
            let past = again::past(&self.file.root)?;
            spared.extend(again::spared(&plan, &past).ok_or_else(|| again::nothing_failed(&past))?);
        }
        if let Some(base) = &options.affected {
            let base = Some(base.as_str()).filter(|base| !base.is_empty());
            spared.extend(affected::spared(self, &plan, base)?);
        }
        if spared.is_empty() { Ok(plan) } else { self.compile(options, &Request { spared, ..asked }) }
    }

    fn compile(&self, options: &Options, request: &Request) -> Result<Plan, Answer> {
        compile(&self.file, request, world::world()).map_err(|found| refuse(options, &found, &self.file.sources))
    }
}

/// The name of the file that others are included from.
pub(super) fn name(file: &Xecfile) -> String {
    let path = file.sources.iter().next().map(|source| source.path.clone()).unwrap_or_default();
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The name of a task, and the others it has.
pub(super) fn names(task: &Task) -> impl Iterator<Item = &str> {
    std::iter::once(&task.name).chain(&task.aliases).map(|name| &*name.value)
}

pub(super) fn open(options: &Options) -> Result<Opened, Answer> {
    open_tracked(options).0
}

/// The same, with all files that were looked for, whatever came of it.
pub(super) fn open_tracked(options: &Options) -> (Result<Opened, Answer>, Vec<PathBuf>) {
    let dir = options.dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let loaded = load::load(&dir, options.file.as_deref());
    let looked_for = loaded.looked_for;
    let opened = match loaded.file {
        Some(mut file) if loaded.problems.iter().all(|problem| problem.severity == Severity::Warning) => {
            let again = || if options.failed && options.tasks.is_empty() { again::command(&file) } else { None };
            let command = options.command.clone().or_else(again);
            let command = command.map(|asked| adhoc::add(&mut file, &asked).map(|task| (task, asked))).transpose();
            let (found, looked_for) = (loaded.problems, looked_for.clone());
            match command {
                Ok(command) => Ok(Opened { file, found, looked_for, command }),
                Err(problem) => Err(refuse(options, &[problem], &file.sources)),
            }
        }
        _ => Err(refuse(options, &loaded.problems, &loaded.sources)),
    };
    (opened, looked_for)
}

/// The end of what cannot be, for one of these reasons. A look for machines has them on stdout, in the place of what it
/// was asked for.
pub(super) fn refuse(options: &Options, found: &[Problem], sources: &SourceMap) -> Answer {
    if options.show.json && options.verb != Verb::Run {
        return Answer { out: problems_json::lines(found, sources), ..Answer::refused(String::new()) };
    }
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
