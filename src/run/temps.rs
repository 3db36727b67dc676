//! Temporary directories on hosts: which there are, and whether they have been made. Their names are known at once; they
//! are made before the first thing that is done for their instance, and removed after the last. Starts nothing.

use std::collections::HashMap;
use std::io;

use crate::base::event::JobId;
use crate::exec::remote::channel::nonce;
use crate::plan::ids::InstanceId;

/// Those of all instances that are open.
#[derive(Debug, Default)]
pub struct Afar {
    open: HashMap<InstanceId, Temps>,
    /// Which jobs make them.
    making: HashMap<JobId, Vec<InstanceId>>,
}

#[derive(Debug, Default)]
struct Temps {
    paths: Vec<String>,
    begun: bool,
    made: bool,
}

impl Afar {
    /// One more of an instance: its path, which nobody can guess.
    ///
    /// # Errors
    /// There is no randomness to be had.
    pub fn add(&mut self, id: InstanceId) -> io::Result<String> {
        let path = format!("/tmp/xec-{}", nonce()?);
        let temps = self.open.entry(id).or_default();
        temps.paths.push(path.clone());
        temps.made = false;
        Ok(path)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The instances that have any.
    pub fn begun(&self) -> impl Iterator<Item = InstanceId> {
        self.open.iter().filter(|(_, temps)| temps.begun).map(|(id, _)| *id)
    }

    /// What this job has to make for an instance, unless it is there.
    pub fn wanted(&mut self, id: InstanceId, job: JobId) -> Option<Vec<String>> {
        let temps = self.open.get_mut(&id).filter(|temps| !temps.made)?;
        temps.begun = true;
        self.making.entry(job).or_default().push(id);
        Some(temps.paths.clone())
    }

    /// A job has come so far that what it had to make is there.
    pub fn made(&mut self, job: JobId) {
        for id in self.making.remove(&job).unwrap_or_default() {
            if let Some(temps) = self.open.get_mut(&id) {
                temps.made = true;
            }
        }
    }

    /// An instance is over: what there is to remove.
    pub fn take(&mut self, id: InstanceId) -> Option<Vec<String>> {
        let temps = self.open.remove(&id).filter(|temps| temps.begun)?;
        Some(temps.paths)
    }
}
