//! Reads what an earlier run left. What is not whole ends it: then that run was killed there.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::base::event::{Event, SkipReason, TaskLabel, Verdict};
use crate::report::journal::{Frame, Head, LENGTH, MAGIC, RECORD, logs, runs};

/// A run that was.
#[derive(Clone, PartialEq, Debug)]
pub struct Past {
    /// Which one.
    pub head: Head,
    /// What happened, as far as a summary is made of it.
    pub events: Vec<(Duration, Event)>,
    dir: PathBuf,
}

/// The last run of the project whose state this is; `None` where there was none.
///
/// # Errors
/// It cannot be read, or a later xec wrote it: in words.
pub fn last(state: &Path) -> Result<Option<Past>, String> {
    let dir = match fs::read_dir(runs(state)) {
        Ok(dir) => dir,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(format!("cannot read `{}`: {why}", runs(state).display())),
    };
    let paths = dir.flatten().map(|entry| entry.path());
    let mut records: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == RECORD)).collect();
    records.sort_unstable();
    // One that was killed before its first words has nothing to say.
    for record in records.into_iter().rev() {
        let bytes = match fs::read(&record) {
            Ok(bytes) => bytes,
            Err(why) if why.kind() == io::ErrorKind::NotFound => continue,
            Err(why) => return Err(format!("cannot read `{}`: {why}", record.display())),
        };
        if let Some(past) = parse(&bytes, &record)? {
            return Ok(Some(past));
        }
    }
    Ok(None)
}

fn parse(bytes: &[u8], record: &Path) -> Result<Option<Past>, String> {
    let known = &MAGIC[..MAGIC.len() - 1];
    let Some((magic, mut rest)) = bytes.split_first_chunk::<{ MAGIC.len() }>() else { return Ok(None) };
    if magic != MAGIC {
        return match magic.starts_with(known) {
            true => Err(format!("`{}` was written by another version of xec", record.display())),
            false => Ok(None),
        };
    }
    let Some(head) = frame::<Head>(&mut rest) else { return Ok(None) };
    let events = std::iter::from_fn(|| frame::<Frame>(&mut rest)).collect();
    Ok(Some(Past { head, events, dir: record.with_extension("") }))
}

fn frame<T: DeserializeOwned>(rest: &mut &[u8]) -> Option<T> {
    let (length, after) = rest.split_first_chunk::<LENGTH>()?;
    let length = u32::from_le_bytes(*length) as usize;
    let value = postcard::from_bytes(after.get(..length)?).ok()?;
    *rest = &after[length..];
    Some(value)
}

impl Past {
    /// How its instances ended, in that order. An instance that ran more than once is there more than once.
    pub fn ended(&self) -> impl Iterator<Item = (&Arc<TaskLabel>, &Verdict)> {
        self.events.iter().filter_map(|(_, event)| match event {
            Event::TaskFinished { task, verdict, .. } => Some((task, verdict)),
            _ => None,
        })
    }

    /// Those that went well every time, in this run or in what it took up.
    pub fn well(&self) -> HashSet<Arc<str>> {
        let mut well: HashMap<&Arc<str>, bool> = HashMap::new();
        for (task, verdict) in self.ended() {
            *well.entry(&task.instance).or_insert(true) &= is_well(verdict);
        }
        for instance in &self.head.well {
            well.entry(instance).or_insert(true);
        }
        well.into_iter().filter(|(_, well)| *well).map(|(instance, _)| instance.clone()).collect()
    }

    /// Whether it came to its end; else it was killed, or still goes on.
    pub fn is_whole(&self) -> bool {
        matches!(self.events.last(), Some((_, Event::RunFinished { .. })))
    }

    /// What an instance wrote; `None` where that is nothing.
    pub fn log(&self, instance: &str) -> Option<Vec<u8>> {
        fs::read(logs::path(&self.dir, instance)).ok().filter(|bytes| !bytes.is_empty())
    }
}

/// Whether there is nothing left to do for whoever takes the run up again.
fn is_well(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Ok => true,
        Verdict::Skipped(why) => match why {
            SkipReason::Condition
            | SkipReason::Value { .. }
            | SkipReason::Done
            | SkipReason::Unaffected
            | SkipReason::UpToDate
            | SkipReason::Restored => true,
            SkipReason::Dependency(_) | SkipReason::Earlier | SkipReason::Batch | SkipReason::Cancelled(_) => false,
        },
        Verdict::Failed(_) | Verdict::Unreachable(_) | Verdict::TimedOut(_) | Verdict::Cancelled(_) => false,
    }
}
