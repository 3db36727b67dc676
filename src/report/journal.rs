//! What a run leaves for those who ask later: `--last`, `--failed`, and people who look for the log of a task.
//!
//! `runs/RUN.run` holds the events that a summary is made of, one frame after the other as they happen, so that a
//! run that was killed is known as far as it came; the directory `runs/RUN` beside it, if there is one, holds a log for
//! each instance that wrote something.
//! Knows nothing of who runs, and nothing of the cache.

mod logs;
mod read;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::event::Event;
use crate::plan::request::{AdHoc, Asked};

pub use read::{Past, last};
pub(crate) use write::Writer;

/// What a record begins with; the last byte counts the changes of what follows.
const MAGIC: &[u8; 8] = b"xec-run\x03";
/// The bytes that say how long a frame is.
const LENGTH: usize = size_of::<u32>();
/// So many runs are kept.
const KEPT: usize = 10;
/// How the name of a record ends.
const RECORD: &str = "run";

/// Which run it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// Names it; later ones sort behind earlier ones.
    pub run: String,
    /// The name of the file that its tasks are in.
    pub file: String,
    /// When it began, in milliseconds since 1970.
    pub at: u64,
    /// What was asked for, so that the same can be asked for again.
    pub asked: Vec<Asked>,
    /// The command for hosts that was asked for instead of what stands in the file.
    pub command: Option<AdHoc>,
    /// Side by side.
    pub parallel: bool,
    /// What went well in the run that it takes up again, and counts as long as nothing else is said of it.
    pub well: Vec<Arc<str>>,
}

/// Where a run is to be written down, and which one.
#[derive(Clone, Debug)]
pub struct Start {
    /// The directory of the project's state.
    pub state: PathBuf,
    /// The run.
    pub head: Head,
}

/// One frame behind the head: when since the run began, and what.
type Frame = (Duration, Event);

/// The directory of the runs of a state.
fn runs(state: &std::path::Path) -> PathBuf {
    state.join("runs")
}
