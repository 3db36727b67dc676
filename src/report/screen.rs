//! What people see while a run goes on: the output of tasks by [`Mode`], and a few lines of xec's own on stderr.
//! Knows nothing of threads, of where the streams lead, or of JSON.

mod again;
mod below;
mod past;
mod steps;
mod watch;

use std::io;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use unicode_width::UnicodeWidthStr;

use crate::base::event::{Event, JobId, Level, Output, Reason, StepLabel, Stream};
use crate::report::Mode;
use crate::report::console::{Console, Sink};
use crate::report::lines::Lines;
use crate::report::sanitize::{Cleaner, visible};
use crate::report::spool::{Budget, Spool};
use crate::report::style::{Ink, Style};
use crate::report::summary::{End, Look, Summary};
use crate::report::tail::Tail;
use crate::report::words;

/// A prefix wider than this moves no other.
const WIDEST: usize = 24;

/// One stream of one job.
#[derive(Default)]
struct Channel {
    /// Where its lines stand among those of others, on a terminal.
    cleaner: Option<Cleaner>,
    lines: Lines,
    tail: Tail,
}

/// A running step.
struct Job {
    label: Arc<StepLabel>,
    out: Channel,
    err: Channel,
    spool: Spool,
    /// The turn in which its first bytes were shown.
    since: Option<u64>,
}

impl Job {
    fn channel(&mut self, stream: Stream) -> &mut Channel {
        match stream {
            Stream::Stdout => &mut self.out,
            Stream::Stderr => &mut self.err,
        }
    }
}

/// All of it.
pub(crate) struct Screen {
    console: Console,
    mode: Mode,
    quiet: bool,
    verbose: bool,
    /// Why each task runs or not.
    why: bool,
    jobs: FxHashMap<JobId, Job>,
    budget: Budget,
    summary: Summary,
    /// The widest prefix so far.
    width: usize,
    turns: Turns,
    /// What was said last of the end of the run.
    ending: Option<(Reason, Level)>,
}

/// Whose output is shown, counted anew whenever that changes: so it is known at the end whether a step's output
/// stands on the screen in one piece, and last.
#[derive(Default)]
struct Turns {
    count: u64,
    of: Option<JobId>,
    since: Option<u64>,
}

impl Turns {
    fn take(&mut self, job: JobId, since: &mut Option<u64>) {
        if self.of != Some(job) {
            self.count += 1;
            self.of = Some(job);
        }
        self.since = Some(*since.get_or_insert(self.count));
    }

    /// The job whose output is the last on the screen, all of it in one piece.
    fn above(&self) -> Option<JobId> {
        self.of.filter(|_| self.since == Some(self.count))
    }
}

impl Screen {
    pub(crate) fn new(out: Sink, err: Sink, mode: Mode, [quiet, verbose, why]: [bool; 3]) -> Self {
        Self {
            console: Console::new(out, err),
            mode,
            quiet,
            verbose,
            why,
            jobs: FxHashMap::default(),
            budget: Budget::default(),
            summary: Summary::default(),
            width: 0,
            turns: Turns::default(),
            ending: None,
        }
    }

    /// Shows what happened.
    pub(crate) fn event(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::StepStarted { job, step, attempt, waits, pid, .. } => {
                self.step_started(job, step, attempt, waits, pid)
            }
            Event::StepFinished { job, step, verdict, duration, usage } => {
                self.step_finished(job, &step, &verdict, duration, usage)
            }
            Event::TaskFinished { task, verdict, .. } => self.task_finished(&task, &verdict),
            Event::TaskStale { task, why } => self.task_stale(&task, &why),
            Event::StillUp { task } => self.say(Ink::Dim, &format!("◦ {}: still up", visible(&task.instance))),
            Event::ReplayStarted { job, task } => self.replay_started(job, task),
            Event::ReplayFinished { job } => self.replay_finished(job),
            Event::StepLeaked { job, holders } => {
                let holders = holders.join(", ");
                self.warn(&format!("{}{holders} still holds its output open; not waited for", self.name(job)))
            }
            Event::StepStopped { job, signal } => {
                let signal = words::signal(signal);
                let hint = if matches!(signal.as_str(), "SIGTTIN" | "SIGTTOU") {
                    ": it wants the terminal, which only an `interactive` step has"
                } else {
                    ""
                };
                self.warn(&format!("{}stopped by {signal}{hint}", self.name(job)))
            }
            Event::Cancelling { what, reason, level } => self.cancelling(&what, reason, level),
            Event::Scarce { jobs, why } => {
                self.warn(&format!("no room for more processes ({why}): from now on at most {jobs} at once"))
            }
            Event::Retrying { task, attempt, of, pause } => {
                let (name, pause) = (visible(&task.instance).into_owned(), crate::base::duration::show(pause));
                self.warn(&format!("{name}: failed; attempt {attempt} of {of} in {pause}"))
            }
            Event::Trouble { why } => self.warn(&why),
            Event::Swept { processes } => {
                self.warn(&format!("still there at the end, and ended: {}", processes.join(", ")))
            }
            Event::Changed { paths, more } => self.changed(&paths, more),
            Event::Broken { text } => self.console.say(text),
            Event::Waiting { files, keys } => self.waiting(files, keys),
            Event::RunFinished { culprits, counts, signal, code, duration } => {
                self.run_finished(&End { culprits, counts, signal, code, duration })
            }
            Event::Fed { task, items } => {
                self.summary.fed(&task, items);
                Ok(())
            }
            Event::Unfed { task, items, reason } => {
                self.summary.unfed(&task, items, reason);
                Ok(())
            }
            // What is measured is for those who look at all of it.
            Event::StepSampled { .. } => Ok(()),
            Event::RunStarted { .. } | Event::TaskStarted { .. } | Event::Suspended | Event::Resumed => Ok(()),
        }
    }

    /// Shows a piece of output, or keeps it for later.
    pub(crate) fn output(&mut self, output: &Output) -> io::Result<()> {
        let partial = self.partial(output.stream);
        let Some(job) = self.jobs.get_mut(&output.job) else {
            // Against the contract; shown all the same, since no byte is lost.
            return self.console.write(output.stream, output.job, &output.bytes);
        };
        self.summary.fold.said(&job.label.owner.instance, &output.bytes);
        let channel = job.channel(output.stream);
        channel.tail.push(&output.bytes);
        if self.mode == Mode::Quiet {
            return Ok(());
        }
        let cleaned = channel.cleaner.as_mut().map(|cleaner| {
            let mut cleaned = Vec::with_capacity(output.bytes.len());
            cleaner.feed(&output.bytes, &mut cleaned);
            cleaned
        });
        let ready = channel.lines.push(cleaned.as_deref().unwrap_or(&output.bytes), partial);
        let (held, now) = (ready.held, ready.now);
        self.emit(output.job, output.stream, &held)?;
        self.emit(output.job, output.stream, now)
    }

    /// Everything goes out.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.console.flush()
    }

    /// Whether a line that has not ended is shown at once: a prompt of the only job, on a terminal.
    fn partial(&self, stream: Stream) -> bool {
        self.mode == Mode::Live && self.jobs.len() == 1 && self.console.terminal(stream)
    }

    /// Shows lines of a job, or puts them aside until it has ended.
    fn emit(&mut self, id: JobId, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let Some(job) = self.jobs.get_mut(&id).filter(|_| !bytes.is_empty()) else { return Ok(()) };
        match self.mode {
            Mode::Live => {
                self.turns.take(id, &mut job.since);
                self.console.write(stream, id, bytes)
            }
            Mode::Prefixed => {
                self.turns.take(id, &mut job.since);
                let prefix = prefix(&job.label.owner.instance, self.width, self.console.style(stream));
                self.console.write_prefixed(stream, id, &prefix, bytes)
            }
            Mode::Grouped | Mode::Failed => job.spool.push(&mut self.budget, stream, bytes),
            Mode::Quiet => Ok(()),
        }
    }

    /// Shows what is held back of a job's last line.
    fn release(&mut self, id: JobId, stream: Stream) -> io::Result<()> {
        let Some(job) = self.jobs.get_mut(&id) else { return Ok(()) };
        let channel = job.channel(stream);
        let mut held = channel.lines.finish();
        channel.cleaner.iter_mut().for_each(|cleaner| cleaner.finish(&mut held));
        self.emit(id, stream, &held)
    }

    fn widen(&mut self, instance: &str) {
        let width = visible(instance).width();
        if width <= WIDEST {
            self.width = self.width.max(width);
        }
    }

    /// Said once for each reason and level, however many things are ended; which ones, with `-v`. That a failure
    /// ends the rest is what people expect, and the summary says it.
    fn cancelling(&mut self, what: &str, reason: Reason, level: Level) -> io::Result<()> {
        let outside = matches!(reason, Reason::Signal(_) | Reason::OutputClosed | Reason::Lost | Reason::Changed);
        let how = match level {
            Level::Soft => "ending",
            Level::Kill => "killing",
        };
        if self.verbose {
            self.say(Ink::Warn, &format!("■ {how} {}: {}", visible(what), words::why(reason)))
        } else if outside && !self.quiet && self.ending != Some((reason, level)) {
            self.ending = Some((reason, level));
            let again = match (reason, level) {
                (Reason::Signal(nix::libc::SIGINT), Level::Soft) => "; Ctrl-C again kills",
                _ => "",
            };
            self.say(Ink::Warn, &format!("■ {how} what runs: {}{again}", words::why(reason)))
        } else {
            Ok(())
        }
    }

    fn run_finished(&mut self, end: &End) -> io::Result<()> {
        let look = Look {
            style: self.console.style(Stream::Stderr),
            terminal: self.console.terminal(Stream::Stderr),
            quiet: self.quiet,
            above: self.turns.above(),
        };
        match self.summary.text(end, look) {
            Some(text) => self.console.say(text),
            None => self.console.reset(),
        }
    }

    /// `build: `, or nothing for a job that is not known.
    fn name(&self, job: JobId) -> String {
        self.jobs.get(&job).map(|job| format!("{}: ", job.label.owner.instance)).unwrap_or_default()
    }

    fn warn(&mut self, text: &str) -> io::Result<()> {
        if self.quiet { Ok(()) } else { self.say(Ink::Warn, &format!("! {}", visible(text))) }
    }

    fn say(&mut self, ink: Ink, line: &str) -> io::Result<()> {
        let line = self.console.style(Stream::Stderr).paint(ink, line);
        self.console.say(line)
    }
}

/// `build │ `, as wide as the widest so far; the same instance has the same colour in every run.
fn prefix(instance: &str, width: usize, style: Style) -> String {
    let name = visible(instance);
    let gap = " ".repeat(width.saturating_sub(name.width()));
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{} ", style.paint(Ink::Apart(hash >> 32), &format!("{name}{gap} │")))
}
