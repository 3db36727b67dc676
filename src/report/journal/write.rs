//! Writes a run down while it goes on. What cannot be written ends that, and never the run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::base::event::{Event, Output};
use crate::base::fault;
use crate::cache::state::make_dir;
use crate::report::journal::logs::Logs;
use crate::report::journal::{KEPT, LENGTH, MAGIC, RECORD, Start, runs};

/// The journal of one run after the other (`--watch`).
pub(crate) struct Writer {
    start: Start,
    open: Option<Open>,
    trouble: Option<String>,
}

/// A run that is being written down.
struct Open {
    record: File,
    /// What is not written yet.
    frames: Vec<u8>,
    logs: Logs,
}

impl Writer {
    /// Nothing is written before the run begins.
    pub(crate) fn new(start: Start) -> Self {
        Self { start, open: None, trouble: None }
    }

    /// Something happened.
    pub(crate) fn event(&mut self, at: Duration, event: &Event) {
        match event {
            Event::RunStarted { .. } => self.begin(),
            Event::StepStarted { job, step, .. } => {
                if let Some(open) = &mut self.open {
                    open.logs.began(*job, step);
                }
            }
            Event::StepFinished { job, .. } => self.attempt(|open| open.logs.ended(*job)),
            _ => {}
        }
        if is_told(event)
            && let Some(open) = &mut self.open
        {
            frame(&(at, event), &mut open.frames);
        }
        if let Event::RunFinished { .. } = event {
            self.flush();
            self.open = None;
        }
    }

    /// A task wrote something.
    pub(crate) fn output(&mut self, output: &Output) {
        self.attempt(|open| open.logs.add(output.job, &output.bytes));
    }

    /// What has come so far is there for others.
    pub(crate) fn flush(&mut self) {
        self.attempt(|open| {
            if !open.frames.is_empty() {
                fault::point("before-journal");
                open.record.write_all(&open.frames)?;
                open.frames.clear();
                fault::point("after-journal");
            }
            Ok(())
        });
    }

    /// What went wrong, once.
    pub(crate) fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// A project that cannot be written to has no journal, which is no trouble to those who only run something.
    fn begin(&mut self) {
        match Open::new(&self.start) {
            Ok(open) => self.open = Some(open),
            Err(why) if matches!(why.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                self.give_up(&why);
            }
            Err(_) => {}
        }
    }

    fn attempt(&mut self, write: impl FnOnce(&mut Open) -> io::Result<()>) {
        if let Some(Err(why)) = self.open.as_mut().map(write) {
            self.give_up(&why);
        }
    }

    fn give_up(&mut self, why: &io::Error) {
        self.open = None;
        let dir = runs(&self.start.state);
        self.trouble = Some(format!("this run is not remembered: cannot write to `{}`: {why}", dir.display()));
    }
}

impl Open {
    fn new(start: &Start) -> io::Result<Self> {
        make_dir(&start.state)?;
        let runs = runs(&start.state);
        let dir = runs.join(&start.head.run);
        let name = dir.with_extension(RECORD);
        let mut record = match File::create(&name) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&runs)?;
                File::create(&name)?
            }
            made => made?,
        };
        remove_old(&runs);
        let mut head = MAGIC.to_vec();
        frame(&start.head, &mut head);
        fault::point("journal-made");
        record.write_all(&head)?;
        Ok(Self { record, frames: Vec::new(), logs: Logs::new(dir) })
    }
}

/// Whether a summary or a profile is made of it.
fn is_told(event: &Event) -> bool {
    matches!(
        event,
        Event::RunStarted { .. }
            | Event::StepStarted { .. }
            | Event::StepSampled { .. }
            | Event::StepFinished { .. }
            | Event::Fed { .. }
            | Event::Unfed { .. }
            | Event::TaskFinished { .. }
            | Event::Retrying { .. }
            | Event::Trouble { .. }
            | Event::Swept { .. }
            | Event::RunFinished { .. }
    )
}

/// Its length, and it.
fn frame(value: &impl Serialize, to: &mut Vec<u8>) {
    let start = to.len();
    to.extend_from_slice(&[0; LENGTH]);
    // All of these types can be written; half of one would end the reading here, as after a crash.
    let _ = postcard::to_extend(value, Behind(to));
    let length = u32::try_from(to.len() - start - LENGTH).unwrap_or(u32::MAX);
    to[start..start + LENGTH].copy_from_slice(&length.to_le_bytes());
}

/// Bytes that come behind others.
struct Behind<'a>(&'a mut Vec<u8>);

impl Extend<u8> for Behind<'_> {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        self.0.extend(bytes);
    }
}

/// All but the last ones. What cannot be removed now can be the next time.
fn remove_old(runs: &Path) {
    let Ok(dir) = fs::read_dir(runs) else { return };
    let mut all: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in dir.flatten().map(|entry| entry.path()) {
        all.entry(path.with_extension("")).or_default().push(path);
    }
    for (_, old) in all.into_iter().rev().skip(KEPT).filter(|(run, _)| !goes_on(run)) {
        for path in old {
            let _ = if path.extension().is_some() { fs::remove_file(path) } else { fs::remove_dir_all(path) };
        }
    }
}

/// Whether the xec that writes a run down may still be there: its name ends with the number of that process.
fn goes_on(run: &Path) -> bool {
    let name = run.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let pid = name.rsplit_once('-').and_then(|(_, pid)| i32::from_str_radix(pid, 16).ok());
    pid.is_some_and(|pid| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok())
}
