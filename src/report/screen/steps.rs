//! A step from its beginning to its end: what is said of it, and when what it wrote is shown.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::base::command::Usage;
use crate::base::event::{JobId, StepLabel, Stream, Verdict, Waits};
use crate::report::Mode;
use crate::report::sanitize::{Cleaner, visible};
use crate::report::screen::{Channel, Job, Screen};
use crate::report::spool::Spool;
use crate::report::style::Ink;
use crate::report::summary::Ended;
use crate::report::words;

impl Screen {
    pub(super) fn new_job(&self, label: Arc<StepLabel>) -> Job {
        let among = self.mode != Mode::Live;
        let channel = |stream| {
            let cleaner = (among && self.console.terminal(stream)).then(Cleaner::default);
            Channel { cleaner, ..Channel::default() }
        };
        let (out, err) = (channel(Stream::Stdout), channel(Stream::Stderr));
        Job { label, out, err, spool: Spool::default(), since: None }
    }

    pub(super) fn step_started(
        &mut self,
        id: JobId,
        label: Arc<StepLabel>,
        attempt: u32,
        waits: Waits,
        pid: Option<u32>,
    ) -> io::Result<()> {
        self.summary.step_started();
        self.summary.fold.began(&label.owner);
        self.widen(&label.owner.instance);
        let job = self.new_job(label.clone());
        self.jobs.insert(id, job);
        if !self.verbose && (self.quiet || !matches!(self.mode, Mode::Live | Mode::Prefixed)) {
            return Ok(());
        }
        let head = words::step(&label);
        let mut notes = Vec::new();
        if attempt > 1 {
            notes.push(format!("attempt {attempt}"));
        }
        if self.verbose {
            notes.extend(pid.map(|pid| format!("pid {pid}")));
            notes.extend(words::waited(waits));
        }
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
        self.say(Ink::Dim, &format!("▸ {head}{notes}"))
    }

    pub(super) fn step_finished(
        &mut self,
        id: JobId,
        label: &StepLabel,
        verdict: &Verdict,
        duration: Duration,
        usage: Option<Usage>,
    ) -> io::Result<()> {
        self.release(id, Stream::Stdout)?;
        self.release(id, Stream::Stderr)?;
        let failed = verdict.is_failure();
        self.ending_line(label, verdict, duration, usage)?;
        if let Some(Job { out, err, spool, mut since, .. }) = self.jobs.remove(&id) {
            if self.mode == Mode::Grouped || (self.mode == Mode::Failed && failed) {
                self.turns.take(id, &mut since);
                let console = &mut self.console;
                spool.drain(&mut self.budget, |stream, bytes| console.write(stream, id, bytes))?;
                console.reset()?;
            } else {
                spool.discard(&mut self.budget);
            }
            if failed {
                if self.mode != Mode::Quiet || (out.tail.is_empty() && err.tail.is_empty()) {
                    self.turns.take(id, &mut since);
                }
                let ended = Ended { duration, out: out.tail.close(), err: err.tail.close() };
                self.summary.step_failed(id, &label.owner, verdict, ended);
            }
        }
        // What the last one left waits for nobody any more.
        for stream in [Stream::Stdout, Stream::Stderr] {
            if let Some(last) = self.jobs.keys().next().copied().filter(|_| self.partial(stream)) {
                self.release(last, stream)?;
            }
        }
        Ok(())
    }

    /// How a step ended, where that is said.
    fn ending_line(
        &mut self,
        label: &StepLabel,
        verdict: &Verdict,
        duration: Duration,
        usage: Option<Usage>,
    ) -> io::Result<()> {
        let failed = verdict.is_failure();
        if !failed && !self.verbose && (self.quiet || self.mode != Mode::Grouped) {
            return Ok(());
        }
        let name = visible(&label.owner.instance);
        let site = visible(&label.site.to_string()).into_owned();
        let used = usage.filter(|_| self.verbose).map(|usage| format!(", {}", words::used(&usage))).unwrap_or_default();
        let ending = words::ending(verdict, Some(duration));
        match verdict {
            _ if failed && label.optional => {
                self.say(Ink::Warn, &format!("✗ {name}: {ending} ({site}), optional{used}"))
            }
            _ if failed => self.say(Ink::Bad, &format!("✗ {name}: {ending} ({site}){used}")),
            Verdict::Ok => self.say(Ink::Good, &format!("✓ {}: {ending}{used}", words::step(label))),
            _ => self.say(Ink::Dim, &format!("– {name}: {ending}{used}")),
        }
    }
}
