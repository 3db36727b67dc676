//! What happened, told by the side that runs to the side that shows. Neither sees the other: an event holds
//! all that is to be shown, and nothing of how.

mod ends;
mod texts;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::command::{Sample, Usage};

pub use ends::{Failure, Level, Reason, SkipReason, Verdict};

/// One attempt of one step. Never reused within a run, so that what comes late can be told apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct JobId(pub u64);

/// What travels to the report, in order. Output is bounded by the bytes that `hold` stands for; events are not.
#[derive(Debug)]
pub enum Message {
    /// Something happened, at this time since the run began (the clock stands still under Ctrl-Z).
    Event(Duration, Event),
    /// A task wrote something.
    Output(Output),
}

/// A piece of what a task wrote, cut anywhere. The budget it takes comes back when it is dropped.
#[derive(Debug)]
pub struct Output {
    /// Who wrote it. Its [`Event::StepStarted`] came before, its [`Event::StepFinished`] comes after.
    pub job: JobId,
    /// On which stream.
    pub stream: Stream,
    /// What, as it was written.
    pub bytes: Vec<u8>,
    /// The share of the budget it holds.
    pub hold: Option<tokio::sync::OwnedSemaphorePermit>,
}

/// Which stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stream {
    /// The standard output, or both where they share a pipe.
    Stdout,
    /// The standard error.
    Stderr,
}

/// A task's instance, as it is shown: `build`, `test[py=3.12]`, `deploy@web1`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TaskLabel {
    /// The task.
    pub task: Arc<str>,
    /// The instance; the same as `task` where there is only one.
    pub instance: Arc<str>,
    /// Where the task is declared.
    pub site: Site,
}

/// A step, as it is shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StepLabel {
    /// Whose step it is.
    pub owner: Arc<TaskLabel>,
    /// Its text, on one line or several, as in the file.
    pub text: Arc<str>,
    /// Where it stands.
    pub site: Site,
    /// Whether a failure of it does not count, since it or something around it is optional.
    pub optional: bool,
}

/// A place for people: `Xecfile.kdl:12`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Site {
    /// The file, as a user would write it.
    pub file: Arc<str>,
    /// The line, counted from 1.
    pub line: u32,
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// How long a step waited from the moment its task was wanted, by what for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Waits {
    /// For other steps and tasks.
    pub dependency: Duration,
    /// For one of the `-j` slots.
    pub slot: Duration,
    /// For a limit: the `jobs` of a group, or a `limit`.
    pub limit: Duration,
}

/// A failure that counts toward the exit code.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Culprit {
    /// Whose step it was.
    pub owner: Arc<TaskLabel>,
    /// The step; `None` for a task or group whose own time was up.
    pub step: Option<Arc<StepLabel>>,
    /// The attempt that failed.
    pub job: Option<JobId>,
    /// How.
    pub verdict: Verdict,
    /// The exit code it stands for.
    pub code: i32,
}

/// How many tasks ended how, and how many failures there were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Did what they should.
    pub ok: u32,
    /// Failures: steps that failed, and tasks and groups whose time was up; also those that do not count. A task in
    /// which only something else failed is none.
    pub failed: u32,
    /// How many of those ended nobody knows how: the way to their host was lost.
    #[serde(default)]
    pub unknown: u32,
    /// What failed for a host that could not be reached, also what does not count; it is not counted as failed.
    pub unreachable: u32,
    /// Were ended from outside after they had begun.
    pub cancelled: u32,
    /// Were not begun.
    pub skipped: u32,
    /// Were up to date, or brought back.
    pub fresh: u32,
}

/// What happened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The first of all.
    RunStarted {
        /// Names this run.
        run: Arc<str>,
        /// What was asked for.
        requested: Vec<Arc<str>>,
        /// How many steps may run at once; `None` is no limit.
        jobs: Option<u32>,
        /// How many tasks and steps the plan holds.
        tasks: u32,
        /// How many commands the plan holds.
        steps: u32,
    },
    /// It is known how many instances a task has that came late.
    Fed {
        /// The task.
        task: Arc<TaskLabel>,
        /// So many.
        items: u64,
    },
    /// Some instances of a task that came late were not begun.
    Unfed {
        /// The task.
        task: Arc<TaskLabel>,
        /// So many.
        items: u64,
        /// Why.
        reason: Reason,
    },
    /// A task's body begins.
    TaskStarted {
        /// Which.
        task: Arc<TaskLabel>,
    },
    /// A task that can be up to date is not.
    TaskStale {
        /// Which.
        task: Arc<TaskLabel>,
        /// Why, the most telling reasons first.
        why: Vec<String>,
    },
    /// A service goes on that an earlier run of the session has started.
    StillUp {
        /// Which.
        task: Arc<TaskLabel>,
    },
    /// What a task wrote when it ran is shown once more: its [`Output`] follows.
    ReplayStarted {
        /// Stands for all its steps.
        job: JobId,
        /// Whose.
        task: Arc<TaskLabel>,
    },
    /// All of it was shown.
    ReplayFinished {
        /// Which.
        job: JobId,
    },
    /// A command was started, or could not be (its [`Event::StepFinished`] follows at once).
    StepStarted {
        /// The attempt.
        job: JobId,
        /// What.
        step: Arc<StepLabel>,
        /// Counted from 1.
        attempt: u32,
        /// What it waited for until now.
        waits: Waits,
        /// How many of the `-j` slots it holds: none where it only waits, is part of a service, or goes along.
        slots: u32,
        /// The process, where it is a local one.
        pid: Option<u32>,
    },
    /// The process ended and something still holds its output open; xec waits no longer.
    StepLeaked {
        /// Whose output.
        job: JobId,
        /// Who holds it: `name (pid)`.
        holders: Vec<String>,
    },
    /// A process was stopped by a signal (SIGTTIN: it wants the terminal), and not by us.
    StepStopped {
        /// Which.
        job: JobId,
        /// The signal.
        signal: i32,
    },
    /// What a command uses was measured.
    StepSampled {
        /// Which.
        job: JobId,
        /// What it uses.
        sample: Sample,
    },
    /// A command ended; all its output came before.
    StepFinished {
        /// The attempt.
        job: JobId,
        /// What.
        step: Arc<StepLabel>,
        /// How.
        verdict: Verdict,
        /// From start to end.
        duration: Duration,
        /// What it used.
        usage: Option<Usage>,
    },
    /// Something failed and is tried again.
    Retrying {
        /// Which task's.
        task: Arc<TaskLabel>,
        /// The attempt to come, counted from 1.
        attempt: u32,
        /// How many there can be.
        of: u32,
        /// How long before it.
        pause: Duration,
    },
    /// A task ended.
    TaskFinished {
        /// Which.
        task: Arc<TaskLabel>,
        /// How.
        verdict: Verdict,
        /// From its first command to its end.
        duration: Duration,
    },
    /// Something is being ended.
    Cancelling {
        /// What: an instance, or the run.
        what: Arc<str>,
        /// Why.
        reason: Reason,
        /// How hard.
        level: Level,
    },
    /// There is no room for so many processes at once: from now on at most so many.
    Scarce {
        /// The new width.
        jobs: u32,
        /// What the system said.
        why: String,
    },
    /// Something went wrong that fails nothing by itself.
    Trouble {
        /// What.
        why: String,
    },
    /// Ctrl-Z: everything stands still from here to [`Event::Resumed`].
    Suspended,
    /// `fg`.
    Resumed,
    /// Processes were still there at the end and were ended.
    Swept {
        /// `name (pid)`.
        processes: Vec<String>,
    },
    /// Files have changed, or somebody asked, and so what was asked for runs again: a [`Event::RunStarted`] follows.
    Changed {
        /// The first of them; none where somebody asked.
        paths: Vec<String>,
        /// How many more there are.
        more: usize,
    },
    /// What was asked for cannot be run as the files are now.
    Broken {
        /// All that is wrong, as people read it.
        text: String,
    },
    /// The run is over, and the next one begins when files change (`--watch`).
    Waiting {
        /// How many files are watched.
        files: usize,
        /// Somebody can press keys.
        keys: bool,
    },
    /// The last of a run.
    RunFinished {
        /// What failed and counts, in the order it failed.
        culprits: Vec<Culprit>,
        /// What it came to.
        counts: Counts,
        /// The signal that ended the run.
        signal: Option<i32>,
        /// The exit code to come.
        code: i32,
        /// The whole of it.
        duration: Duration,
    },
}
