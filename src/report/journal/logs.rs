//! A log for each instance, made when it writes something first. Knows nothing of verdicts.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::base::event::{JobId, StepLabel};
use crate::report::words;

/// So much of an instance is kept as it comes, in bytes.
pub(super) const FIRST: u64 = 4 << 20;
/// And so much of its end, per step.
pub(super) const LAST: usize = 64 << 10;
/// So many logs are open at once: descriptors are for tasks.
const OPEN: usize = 16;

/// All logs of a run.
pub(super) struct Logs {
    dir: PathBuf,
    jobs: FxHashMap<JobId, Job>,
    written: HashMap<Arc<str>, u64>,
    open: HashMap<Arc<str>, File>,
}

/// A running step.
struct Job {
    label: Arc<StepLabel>,
    /// It has written something, and its name stands before that.
    told: bool,
    /// What came after there was no room.
    end: Vec<u8>,
    /// How much of that was let go.
    lost: u64,
}

impl Logs {
    /// In this directory, which is made for the first of them.
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, jobs: FxHashMap::default(), written: HashMap::new(), open: HashMap::new() }
    }

    pub(super) fn began(&mut self, job: JobId, label: &Arc<StepLabel>) {
        self.jobs.insert(job, Job { label: label.clone(), told: false, end: Vec::new(), lost: 0 });
    }

    /// Of a job that is not known, such as what an earlier run wrote, there is a log already.
    pub(super) fn add(&mut self, id: JobId, bytes: &[u8]) -> io::Result<()> {
        let Some(job) = self.jobs.get_mut(&id) else { return Ok(()) };
        let name = job.label.owner.instance.clone();
        if !std::mem::replace(&mut job.told, true) {
            let head = format!("▸ {}\n", words::step(&job.label));
            self.write(&name, head.as_bytes())?;
        }
        let room = FIRST.saturating_sub(self.written.get(&name).copied().unwrap_or_default());
        let (first, rest) = bytes.split_at(bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
        if let (false, Some(job)) = (rest.is_empty(), self.jobs.get_mut(&id)) {
            job.end.extend_from_slice(rest);
            if job.end.len() > 2 * LAST {
                let over = job.end.len() - LAST;
                job.end.drain(..over);
                job.lost += over as u64;
            }
        }
        if first.is_empty() { Ok(()) } else { self.write(&name, first) }
    }

    pub(super) fn ended(&mut self, id: JobId) -> io::Result<()> {
        let Some(Job { label, end, lost, .. }) = self.jobs.remove(&id) else { return Ok(()) };
        let name = label.owner.instance.clone();
        if lost > 0 {
            self.write(&name, format!("\n… {} are left out …\n", words::size(lost)).as_bytes())?;
        }
        if !end.is_empty() {
            self.write(&name, &end)?;
        }
        // Most instances have one step; the next one opens it again.
        self.open.remove(&name);
        Ok(())
    }

    fn write(&mut self, name: &Arc<str>, bytes: &[u8]) -> io::Result<()> {
        if !self.open.contains_key(name) {
            if self.open.len() == OPEN {
                self.open.clear();
            }
            let place = path(&self.dir, name);
            let open = || OpenOptions::new().create(true).append(true).open(&place);
            let file = match open() {
                Err(why) if why.kind() == io::ErrorKind::NotFound => {
                    fs::create_dir_all(&self.dir)?;
                    open()?
                }
                opened => opened?,
            };
            self.open.insert(name.clone(), file);
        }
        if let Some(mut file) = self.open.get(name) {
            file.write_all(bytes)?;
        }
        *self.written.entry(name.clone()).or_default() += bytes.len() as u64;
        Ok(())
    }
}

/// Where the log of an instance is: its name, with what has a meaning in a path spelled as `%2F`.
pub(super) fn path(dir: &Path, instance: &str) -> PathBuf {
    const LONGEST: usize = 180;
    let mut name = String::new();
    for char in instance.chars() {
        match char {
            '%' | '/' | '\0'..' ' | '\x7f' => name.push_str(&format!("%{:02X}", u32::from(char))),
            _ => name.push(char),
        }
    }
    if name.len() > LONGEST {
        let digest = crate::cache::digest::Digest::of(instance.as_bytes()).to_string();
        let cut = (0..=LONGEST).rev().find(|at| name.is_char_boundary(*at)).unwrap_or_default();
        name.truncate(cut);
        name.push('~');
        name.push_str(&digest[..16]);
    }
    dir.join(name + ".log")
}
