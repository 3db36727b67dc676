//! What was asked for, resolved: what `cli` makes of the words, and every verb takes.

use std::io;
use std::path::PathBuf;

use crate::plan::request::{AdHoc, Asked};
use crate::report::Mode;
use crate::report::setup::{Events, Wishes, create, create_file};
use crate::xecfile::model::{OnError, Width};

/// One call of xec.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// What to do.
    pub verb: Verb,
    /// `-f`: the file, else the nearest `Xecfile.kdl` upward.
    pub file: Option<PathBuf>,
    /// `-C`: where to go first.
    pub dir: Option<PathBuf>,
    /// The tasks asked for, in order, with what was said of their inputs.
    pub tasks: Vec<Asked>,
    /// `--on SELECTOR -- command`: instead of tasks.
    pub command: Option<AdHoc>,
    /// `-a`: private tasks are listed too.
    pub all: bool,
    /// `-j`; `None` is the number of CPUs.
    pub jobs: Option<Width>,
    /// `-p`: the tasks asked for side by side instead of in order.
    pub parallel: bool,
    /// `-k`, `--on-error`: the default policy of this run.
    pub on_error: Option<OnError>,
    /// `-y`: every question is answered with yes.
    pub yes: bool,
    /// `--force`: what is asked for runs, up to date or not.
    pub force: bool,
    /// `--affected`: what does not depend on a change since this revision does not run; where that is empty, since this
    /// branch left its upstream.
    pub affected: Option<String>,
    /// `--failed`: what went well in the last run does not run.
    pub failed: bool,
    /// `--tune`: at each of these widths, to see which one is best.
    pub tune: Vec<u32>,
    /// `--take`: only so many instances of each matrix that is asked for.
    pub take: Option<u32>,
    /// `-w`: again, whenever files change.
    pub watch: bool,
    /// How a run is shown.
    pub show: Show,
}

/// The verbs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Verb {
    /// Run the tasks.
    #[default]
    Run,
    /// `-n`: say what would run.
    DryRun,
    /// `-l`: the tasks of the file.
    List,
    /// `--show`: one task as it was understood.
    Show(String),
    /// `--check`: all problems of the file.
    Check,
    /// `--graph`: the plan as a picture.
    Graph(GraphFormat),
    /// `--cache-gc`: so many bytes stay of what is kept, at most.
    CacheGc(u64),
    /// `--last`: the last run once more.
    Last,
    /// `--explain`: the page of a diagnostic.
    Explain(String),
}

/// The formats of `--graph`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GraphFormat {
    /// Graphviz.
    Dot,
    /// Mermaid.
    Mermaid,
    /// JSON, versioned.
    Json,
}

/// How a run is shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Show {
    /// `-o`.
    pub mode: OutputMode,
    /// `-q`: nothing of xec's own but failures.
    pub quiet: bool,
    /// `-v`: more of xec's own.
    pub verbose: bool,
    /// `--why`: why each task runs or not.
    pub why: bool,
    /// `--color`.
    pub color: Color,
    /// `--json`: what is looked at, for machines.
    pub json: bool,
    /// `--events`: everything that happens, as JSON lines.
    pub events: Option<EventsTo>,
    /// `--profile`: where the time went, at the end.
    pub profile: bool,
    /// `--trace`: the file for a trace of the run.
    pub trace: Option<PathBuf>,
    /// `--report`: the file for a page about the run.
    pub report: Option<PathBuf>,
}

impl Show {
    /// The same in the words of the report; opens the place where events go. `several`: whether more than one step
    /// can run at once.
    ///
    /// # Errors
    /// That place cannot be written.
    pub fn wishes(&self, several: bool) -> io::Result<Wishes> {
        Ok(Wishes {
            mode: match self.mode {
                OutputMode::Auto => None,
                OutputMode::Live => Some(Mode::Live),
                OutputMode::Prefixed => Some(Mode::Prefixed),
                OutputMode::Grouped => Some(Mode::Grouped),
                OutputMode::Failed => Some(Mode::Failed),
                OutputMode::Quiet => Some(Mode::Quiet),
            },
            color: self.color.asked(),
            several,
            quiet: self.quiet,
            verbose: self.verbose,
            why: self.why,
            events: match &self.events {
                None => None,
                Some(EventsTo::Stdout) => Some(Events::Stdout),
                Some(EventsTo::Path(path)) => Some(Events::file(path)?),
                Some(EventsTo::Fd(number)) => Some(Events::descriptor(*number)?),
            },
            profile: self.profile,
            trace: self.trace.as_deref().map(create).transpose()?,
            page: self.report.as_deref().map(create_file).transpose()?,
        })
    }
}

impl Color {
    /// Yes, no, or whatever the terminal and the environment say.
    pub fn asked(self) -> Option<bool> {
        match self {
            Color::Auto => None,
            Color::Always => Some(true),
            Color::Never => Some(false),
        }
    }
}

/// `-o`: how the output of tasks is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OutputMode {
    /// `Prefixed` on a terminal where more than one task can run at once, else `Live`.
    #[default]
    Auto,
    /// Whole lines as they come.
    Live,
    /// Whole lines as they come, with the name of the instance before each.
    Prefixed,
    /// All of a step's output in one piece when it has ended.
    Grouped,
    /// As `Grouped`, and only of steps that failed.
    Failed,
    /// Nothing of the tasks' output but in the summary of what failed.
    Quiet,
}

/// `--color`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` says no or `FORCE_COLOR` says yes.
    #[default]
    Auto,
    /// Yes.
    Always,
    /// No.
    Never,
}

/// Where `--events=json` goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EventsTo {
    /// Standard output, which then carries nothing else.
    Stdout,
    /// A file, written anew.
    Path(PathBuf),
    /// A descriptor that xec was started with.
    Fd(i32),
}

/// How xec ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// Of this signal, so that a shell loop around xec stops.
    Signal(i32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_reaches_the_report() -> io::Result<()> {
        let wishes = Show::default().wishes(true)?;
        assert!(wishes.mode.is_none() && wishes.color.is_none() && wishes.several && wishes.events.is_none());
        let show = Show { mode: OutputMode::Failed, color: Color::Never, quiet: true, ..Show::default() };
        let wishes = show.wishes(false)?;
        assert_eq!((wishes.mode, wishes.color, wishes.quiet), (Some(Mode::Failed), Some(false), true));
        let show = Show { events: Some(EventsTo::Stdout), ..Show::default() };
        assert!(matches!(show.wishes(false)?.events, Some(Events::Stdout)));
        let nowhere = EventsTo::Path("/nowhere/at/all".into());
        assert!(Show { events: Some(nowhere), ..Show::default() }.wishes(false).is_err());
        Ok(())
    }
}
