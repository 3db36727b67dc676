//! What is said of tasks that need not run: that they are up to date, why others are not, and what they wrote when
//! they ran, once more.

use std::io;
use std::sync::Arc;

use crate::base::event::{JobId, SkipReason, StepLabel, Stream, TaskLabel, Verdict};
use crate::report::Mode;
use crate::report::sanitize::visible;
use crate::report::screen::{Job, Screen};
use crate::report::style::Ink;
use crate::report::words;

impl Screen {
    pub(super) fn task_stale(&mut self, task: &TaskLabel, why: &[String]) -> io::Result<()> {
        if !self.why && !self.verbose {
            return Ok(());
        }
        self.say(Ink::Dim, &format!("◦ {}: runs, since {}", visible(&task.instance), words::reasons(why)))
    }

    pub(super) fn task_finished(&mut self, task: &TaskLabel, verdict: &Verdict) -> io::Result<()> {
        self.summary.task_finished(task, verdict);
        match verdict {
            Verdict::Skipped(SkipReason::UpToDate | SkipReason::Restored) if self.why || self.verbose => {
                self.say(Ink::Dim, &format!("◦ {}: {}", visible(&task.instance), words::ending(verdict, None)))
            }
            _ => Ok(()),
        }
    }

    /// What follows was written by an earlier run: that is said before it, unless it is not shown at all.
    pub(super) fn replay_started(&mut self, id: JobId, task: Arc<TaskLabel>) -> io::Result<()> {
        let head = format!("↺ {}: up to date; this is what it wrote", visible(&task.instance));
        let site = task.site.clone();
        let label = StepLabel { owner: task, text: "".into(), site, optional: false };
        self.widen(&label.owner.instance);
        let job = self.new_job(Arc::new(label));
        self.jobs.insert(id, job);
        let shown = matches!(self.mode, Mode::Live | Mode::Prefixed) && !self.quiet;
        if shown { self.say(Ink::Dim, &head) } else { Ok(()) }
    }

    pub(super) fn replay_finished(&mut self, id: JobId) -> io::Result<()> {
        self.release(id, Stream::Stdout)?;
        self.release(id, Stream::Stderr)?;
        let Some(Job { label, spool, mut since, .. }) = self.jobs.remove(&id) else { return Ok(()) };
        if self.mode != Mode::Grouped {
            spool.discard(&mut self.budget);
            return Ok(());
        }
        if !self.quiet {
            let name = visible(&label.owner.instance).into_owned();
            self.say(Ink::Dim, &format!("↺ {name}: up to date; this is what it wrote"))?;
        }
        self.turns.take(id, &mut since);
        let console = &mut self.console;
        spool.drain(&mut self.budget, |stream, bytes| console.write(stream, id, bytes))?;
        console.reset()
    }
}
