//! `--events=json`: all that happens, one JSON object on each line, for programs. The format is in `docs/events.md`;
//! a test holds the two together. The types are this module's own, so that what runs inside may change its shape
//! and the format does not. Knows nothing of who reads it.
//!
//! Every line has `v` (the version of the format: 1) and `event`. Names and values are only ever added within a
//! version; a reader passes over what it does not know. Times and durations are in seconds.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::base::event::{Event, JobId, Output, Stream};
use crate::report::collected::Collected;
use crate::report::json::format::{Line, What, seconds};
use crate::report::profile::Profile;

mod end;
mod format;
mod profile;
mod why;

/// The version of the format.
const VERSION: u32 = 1;

/// Writes events as they come.
pub(crate) struct Writer {
    out: Collected,
    /// Characters of which only a part has come: at most three bytes each.
    partial: HashMap<(JobId, Stream), Vec<u8>>,
}

impl Writer {
    pub(crate) fn new(to: Box<dyn Write + Send>) -> Self {
        Self { out: Collected::new(to), partial: HashMap::new() }
    }

    /// Writes an event; before the end of a step, what is left of its output.
    pub(crate) fn event(&mut self, at: Duration, event: &Event) -> io::Result<()> {
        if let Event::StepFinished { job, .. } = event {
            for stream in [Stream::Stdout, Stream::Stderr] {
                if let Some(rest) = self.partial.remove(&(*job, stream)) {
                    self.bytes(*job, stream, &rest)?;
                }
            }
        }
        self.line(Some(at), What::of(event))
    }

    /// Writes where the time of a run went.
    pub(crate) fn profile(&mut self, at: Duration, profile: &Profile) -> io::Result<()> {
        self.line(Some(at), What::profile(profile))
    }

    /// Writes a piece of output; a character that is cut off goes with the next piece.
    pub(crate) fn output(&mut self, output: &Output) -> io::Result<()> {
        let key = (output.job, output.stream);
        let joined = self.partial.remove(&key).map(|mut held| {
            held.extend_from_slice(&output.bytes);
            held
        });
        let bytes = joined.as_deref().unwrap_or(&output.bytes);
        let whole = match std::str::from_utf8(bytes) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => bytes.len(),
        };
        if whole < bytes.len() {
            self.partial.insert(key, bytes[whole..].to_vec());
        }
        self.bytes(output.job, output.stream, &bytes[..whole])
    }

    fn bytes(&mut self, job: JobId, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let stream = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        let (text, base64) = match std::str::from_utf8(bytes) {
            Ok(text) => (Some(text), None),
            Err(_) => (None, Some(STANDARD.encode(bytes))),
        };
        self.line(None, What::Output { job: job.0, stream, text, base64 })
    }

    fn line(&mut self, at: Option<Duration>, what: What<'_>) -> io::Result<()> {
        let line = Line { v: VERSION, at: at.map(seconds), what };
        serde_json::to_writer(&mut self.out.bytes, &line)?;
        self.out.bytes.push(b'\n');
        self.out.end_line()
    }

    /// Everything goes out.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
