//! An earlier run once more: what its instances wrote, one after the other, and its summary.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use crate::base::event::{Event, JobId, Output, StepLabel, Stream, TaskLabel, Verdict};
use crate::report::journal::Past;
use crate::report::sanitize::visible;
use crate::report::screen::Screen;
use crate::report::style::Ink;
use crate::report::summary::Ended;
use crate::report::tail::Tail;
use crate::report::words;

/// The first name of what was written then: far from those of its jobs.
const FIRST: u64 = 1 << 48;

impl Screen {
    /// `said`: which run it was.
    pub(crate) fn past(&mut self, past: &Past, said: &str) -> io::Result<()> {
        self.say(Ink::Dim, &format!("▸ {}", visible(said)))?;
        let mut shown = HashSet::new();
        for (_, event) in &past.events {
            if let Event::TaskFinished { task, verdict, .. } = event
                && shown.insert(task.instance.clone())
                && let Some(log) = past.log(&task.instance)
            {
                self.wrote(FIRST + shown.len() as u64, task, verdict, log)?;
            }
        }
        for (_, event) in &past.events {
            match event {
                Event::StepFinished { verdict, .. } if !verdict.is_failure() => {}
                Event::StepFinished { job, step, verdict, duration, .. } => {
                    let (out, err) = (Tail::default(), Tail::default());
                    let ended = Ended { duration: *duration, out, err };
                    self.summary.step_failed(*job, &step.owner, verdict, ended);
                }
                Event::Retrying { .. } | Event::StepStarted { .. } | Event::StepSampled { .. } => {}
                event => self.event(event.clone())?,
            }
        }
        Ok(())
    }

    fn wrote(&mut self, id: u64, task: &Arc<TaskLabel>, verdict: &Verdict, bytes: Vec<u8>) -> io::Result<()> {
        self.say(Ink::Dim, &format!("── {}: {}", visible(&task.instance), words::ending(verdict, None)))?;
        let (job, stream) = (JobId(id), Stream::Stdout);
        let label = StepLabel { owner: task.clone(), text: "".into(), site: task.site.clone(), optional: false };
        let step = self.new_job(Arc::new(label));
        self.jobs.insert(job, step);
        self.output(&Output { job, stream, bytes, hold: None })?;
        self.release(job, stream)?;
        self.jobs.remove(&job);
        self.console.reset()
    }
}
