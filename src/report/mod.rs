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

use crate::base::event::Message;

pub mod console;
pub mod json;
mod lines;
pub mod list;
pub mod plan;
pub mod problems;
pub mod problems_json;
pub mod sanitize;
mod screen;
pub mod setup;
pub mod show;
mod spell;
mod spool;
pub mod style;
mod summary;
mod tail;
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
    /// Where all that happens is written for machines.
    pub events: Option<Box<dyn Write + Send>>,
}

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
            while rx.blocking_recv().is_some() {}
        }
        result
    })
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
const REST: Duration = Duration::from_millis(4);

/// So many bytes at once are a stream, which is read without a rest.
const MUCH: usize = 256 * 1024;

fn weight(message: &Message) -> usize {
    match message {
        Message::Event(..) => 0,
        Message::Output(output) => output.bytes.len(),
    }
}

/// Both readers of what happens.
struct Reporter {
    screen: screen::Screen,
    machine: Option<json::Writer>,
}

impl Reporter {
    fn new(setup: Setup) -> Self {
        let screen = screen::Screen::new(setup.out, setup.err, setup.mode, [setup.quiet, setup.verbose, setup.why]);
        Self { screen, machine: setup.events.map(json::Writer::new) }
    }

    /// Writes when nothing more has come for now, or there is much to write. After little it rests for a moment
    /// that nobody sees: waking this thread for each of thousands of short steps costs more than showing them.
    /// Whoever closes the channel unparks it.
    fn run(&mut self, rx: &mut UnboundedReceiver<Message>) -> io::Result<()> {
        while let Some(message) = rx.blocking_recv() {
            let mut bytes = weight(&message);
            self.take(message)?;
            while let Ok(message) = rx.try_recv() {
                bytes += weight(&message);
                self.take(message)?;
            }
            self.flush()?;
            if bytes < MUCH {
                std::thread::park_timeout(REST);
            }
        }
        Ok(())
    }

    fn take(&mut self, message: Message) -> io::Result<()> {
        match message {
            Message::Event(at, event) => {
                if let Some(machine) = &mut self.machine {
                    machine.event(at, &event)?;
                }
                self.screen.event(event)
            }
            Message::Output(output) => {
                if let Some(machine) = &mut self.machine {
                    machine.output(&output)?;
                }
                self.screen.output(&output)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(machine) = &mut self.machine {
            machine.flush()?;
        }
        self.screen.flush()
    }
}
