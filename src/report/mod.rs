//! Floor 5: from events to eyes and machines. Knows nothing of who runs, or how.
//!
//! A thread of its own takes [`Message`]s, shows them to people (`screen`) and writes them for machines
//! ([`json`]). It may block on a slow reader without holding up the one who runs; what is on its way to it is
//! bounded by the budget that each [`crate::base::event::Output`] holds until it was shown.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

use std::io::{self, Write};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::base::event::{Event, Message, Verdict};

mod collected;
pub mod console;
mod fold;
mod hosts;
pub mod journal;
pub mod json;
mod line;
mod lines;
pub mod list;
mod page;
pub mod plan;
pub mod problems;
pub mod problems_json;
mod profile;
pub mod sanitize;
mod screen;
pub mod setup;
pub mod show;
mod spell;
mod spool;
mod status;
pub mod style;
mod summary;
mod tail;
mod trace;
pub mod tuned;
pub(crate) mod words;

#[cfg(test)]
mod scripts;
#[cfg(test)]
mod tests;

/// How the output of tasks is shown, decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Whole lines as they come.
    Live,
    /// Whole lines as they come, with the name of the instance before each.
    Prefixed,
    /// All of a step's output in one piece when it has ended.
    Grouped,
    /// As `Grouped`, and only of steps that failed.
    Failed,
    /// Only the last lines of what failed, in the summary.
    Quiet,
}

impl Mode {
    /// What was asked for; else `Prefixed` on a terminal where several jobs can run at once, else `Live`.
    pub fn resolve(asked: Option<Mode>, terminal: bool, several: bool) -> Mode {
        asked.unwrap_or(if terminal && several { Mode::Prefixed } else { Mode::Live })
    }
}

/// Where to, and how.
pub struct Setup {
    /// The standard output.
    pub out: console::Sink,
    /// The standard error.
    pub err: console::Sink,
    /// How the output of tasks is shown.
    pub mode: Mode,
    /// Nothing of xec's own but failures.
    pub quiet: bool,
    /// More of xec's own.
    pub verbose: bool,
    /// Why each task runs or not.
    pub why: bool,
    /// A line below all others says how far a long run is.
    pub status: bool,
    /// Where the time went is said at the end.
    pub profile: bool,
    /// Where the run is written as a trace.
    pub trace: Option<Box<dyn Write + Send>>,
    /// Where the run is written as a page.
    pub page: Option<std::fs::File>,
    /// Who else wants to know what happens.
    pub tap: Option<Tap>,
    /// Where all that happens is written for machines.
    pub events: Option<Box<dyn Write + Send>>,
    /// Where the run is written down for later.
    pub journal: Option<journal::Start>,
}

/// Hears what happens, and when, on the thread of the report.
pub type Tap = Box<dyn FnMut(Duration, &Event) + Send>;

/// Called once if nothing more can be written, so that the run can be ended.
pub type Broken = Box<dyn FnOnce(io::Error) + Send>;

/// Shows what comes until the channel closes, on a thread of its own. Where something cannot be written (a closed
/// pipe, a full disk), `broken` is told, and what still comes is taken and dropped, so that nobody waits for room.
///
/// # Errors
/// The thread cannot be started. The thread itself ends with the first error of writing.
pub fn spawn(
    setup: Setup,
    rx: UnboundedReceiver<Message>,
    broken: Broken,
) -> io::Result<JoinHandle<Result<(), io::Error>>> {
    let mut reporter = Reporter::new(setup);
    std::thread::Builder::new().name("report".to_owned()).spawn(move || {
        let mut alarm = Alarm(Some(broken));
        let mut rx = rx;
        let result = reporter.run(&mut rx);
        if let Err(error) = &result {
            alarm.raise(copy(error));
            reporter.go_blind(&mut rx);
        }
        result
    })
}

/// Shows an earlier run: what each instance wrote, and the summary; for machines, the events that were kept.
///
/// # Errors
/// It cannot be written.
pub fn show_past(setup: Setup, past: &journal::Past, said: &str, json: bool) -> io::Result<()> {
    if let Some(page) = setup.page {
        write_page(page::Page::new(page), past)?;
    }
    let profile = setup.profile.then(|| profile_of(past));
    if json {
        let mut writer = json::Writer::new(setup.out.to);
        for (at, event) in &past.events {
            if let (Event::RunFinished { .. }, Some(profile)) = (event, &profile) {
                writer.profile(*at, profile)?;
            }
            writer.event(*at, event)?;
        }
        return writer.flush();
    }
    let mut screen = screen::Screen::new(setup.out, setup.err, Mode::Live, [setup.quiet, setup.verbose, setup.why]);
    screen.past(past, said)?;
    profile.map_or(Ok(()), |profile| screen.profile(&profile))?;
    screen.flush()
}

/// Where the time of an earlier run went; of one that was killed, as far as it came.
fn profile_of(past: &journal::Past) -> profile::Profile {
    let mut profile = profile::Profile::default();
    past.events.iter().for_each(|(at, event)| profile.event(*at, event));
    if !past.is_whole() {
        profile.wall = past.events.last().map_or(Duration::ZERO, |(at, _)| *at);
    }
    profile
}

/// The page of an earlier run: the lines of what failed are the last of its instance.
fn write_page(mut page: page::Page, past: &journal::Past) -> io::Result<()> {
    for (at, event) in &past.events {
        if let Event::StepFinished { job, step, verdict, .. } = event
            && *verdict != Verdict::Ok
            && let Some(log) = past.log(&step.owner.instance)
        {
            page.wrote(*job, &log);
        }
        page.event(*at, event)?;
    }
    Ok(())
}

/// An error of the system, twice.
fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

/// Tells of a panic too: a report that is gone must not look like one that is content.
struct Alarm(Option<Broken>);

impl Alarm {
    fn raise(&mut self, error: io::Error) {
        if let Some(broken) = self.0.take() {
            broken(error);
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.raise(io::Error::other("the report panicked"));
        }
    }
}

/// The longest that something waits to be shown while little comes.
const REST: Duration = Duration::from_millis(8);

/// So many bytes at once are a stream, which is read without a rest.
const MUCH: usize = 256 * 1024;

fn weight(message: &Message) -> usize {
    match message {
        Message::Event(..) => 0,
        Message::Output(output) => output.bytes.len(),
    }
}

/// All readers of what happens.
struct Reporter {
    screen: screen::Screen,
    machine: Option<json::Writer>,
    journal: Option<journal::Writer>,
    status: Option<status::Status>,
    profile: Option<profile::Profile>,
    trace: Option<trace::Writer>,
    page: Option<page::Page>,
    tap: Option<Tap>,
}

impl Reporter {
    fn new(setup: Setup) -> Self {
        let screen = screen::Screen::new(setup.out, setup.err, setup.mode, [setup.quiet, setup.verbose, setup.why]);
        let (machine, journal) = (setup.events.map(json::Writer::new), setup.journal.map(journal::Writer::new));
        let (status, profile) = (setup.status.then(Default::default), setup.profile.then(Default::default));
        let (trace, page) = (setup.trace.map(trace::Writer::new), setup.page.map(page::Page::new));
        Self { screen, machine, journal, status, profile, trace, page, tap: setup.tap }
    }

    /// Writes when nothing more has come for now, or there is much to write. After little it rests for a moment
    /// that nobody sees: waking this thread for each of thousands of short steps costs more than showing them.
    /// Whoever closes the channel unparks it, and after that there is nothing to rest for.
    fn run(&mut self, rx: &mut UnboundedReceiver<Message>) -> io::Result<()> {
        while let Some(message) = rx.blocking_recv() {
            let mut bytes = weight(&message);
            self.take(message)?;
            while let Ok(message) = rx.try_recv() {
                bytes += weight(&message);
                self.take(message)?;
            }
            self.flush()?;
            if bytes < MUCH && !rx.is_closed() {
                std::thread::park_timeout(REST);
            }
        }
        Ok(())
    }

    fn take(&mut self, message: Message) -> io::Result<()> {
        self.write_down(&message);
        match message {
            Message::Event(at, event) => self.event(at, event),
            Message::Output(output) => {
                if let Some(machine) = &mut self.machine {
                    machine.output(&output)?;
                }
                if let Some(page) = &mut self.page {
                    page.output(&output);
                }
                self.screen.output(&output)
            }
        }
    }

    fn event(&mut self, at: Duration, event: Event) -> io::Result<()> {
        if let Some(tap) = &mut self.tap {
            tap(at, &event);
        }
        if let Some(status) = &mut self.status {
            status.event(at, &event);
        }
        if let Some(trace) = &mut self.trace {
            trace.event(at, &event)?;
        }
        if let Some(page) = &mut self.page {
            page.event(at, &event)?;
        }
        let over = matches!(event, Event::RunFinished { .. });
        if let Some(profile) = &mut self.profile {
            profile.event(at, &event);
        }
        let profile = self.profile.as_ref().filter(|_| over);
        if let Some(machine) = &mut self.machine {
            // The last line of a run stays the last.
            profile.map_or(Ok(()), |profile| machine.profile(at, profile))?;
            machine.event(at, &event)?;
        }
        self.screen.event(event)?;
        profile.map_or(Ok(()), |profile| self.screen.profile(profile))
    }

    /// First, so that nothing is shown that is not remembered, whatever becomes of the screen.
    fn write_down(&mut self, message: &Message) {
        match (&mut self.journal, message) {
            (Some(journal), Message::Event(at, event)) => journal.event(*at, event),
            (Some(journal), Message::Output(output)) => journal.output(output),
            (None, _) => {}
        }
    }

    /// Nothing can be shown any more; what still comes is written down, and dropped, so that nobody waits for room.
    fn go_blind(&mut self, rx: &mut UnboundedReceiver<Message>) {
        while let Some(message) = rx.blocking_recv() {
            self.write_down(&message);
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(journal) = &mut self.journal {
            journal.flush();
            if let Some(why) = journal.trouble() {
                self.screen.event(Event::Trouble { why })?;
            }
        }
        if let Some(machine) = &mut self.machine {
            machine.flush()?;
        }
        if let Some(trace) = &mut self.trace {
            trace.flush()?;
        }
        if let Some(status) = &self.status {
            self.screen.below(status.line());
        }
        self.screen.flush()
    }
}
