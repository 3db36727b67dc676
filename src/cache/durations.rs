//! How long the commands of a project took: a mean in which each older run counts less (exponential smoothing), by
//! which the next run orders what is ready. A hint and no more: what cannot be read is as if it were not there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::cache::digest::Mixer;
use crate::cache::files;

/// The first line; another one means that another version wrote it.
const HEAD: &str = "xec durations 1";

/// Commands that are remembered, at most: a run with more begins anew with its own.
const MOST: usize = 200_000;

/// A command by the name of its instance and its text.
type Key = [u8; 8];

/// Durations in microseconds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Durations {
    known: BTreeMap<Key, u64>,
}

impl Durations {
    /// What the file in this directory of state says; nothing, if there is none or it is not understood.
    pub fn load(dir: &Path) -> Self {
        let text = std::fs::read_to_string(dir.join("durations")).unwrap_or_default();
        let mut lines = text.lines();
        if lines.next() != Some(HEAD) {
            return Self::default();
        }
        let entry = |line: &str| {
            let (key, micros) = line.split_once(' ')?;
            Some((u64::from_str_radix(key, 16).ok()?.to_be_bytes(), micros.parse().ok()?))
        };
        Self { known: lines.filter_map(entry).collect() }
    }

    /// Writes them in one move, into a directory that is made where there is none.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn save(&self, dir: &Path) -> io::Result<()> {
        super::state::make_dir(dir)?;
        let mut text = format!("{HEAD}\n");
        for (key, micros) in &self.known {
            let _ = writeln!(text, "{:016x} {micros}", u64::from_be_bytes(*key));
        }
        files::replace(&dir.join("durations"), text.as_bytes())
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// How long a command takes, as far as that is known.
    pub fn of(&self, instance: &str, text: &str) -> Option<Duration> {
        // Most projects have nothing here, and a key costs more than the rest of a plan's order.
        let known = (!self.known.is_empty()).then(|| self.known.get(&key(instance, text)))?;
        known.map(|micros| Duration::from_micros(*micros))
    }

    /// It took so long this time: three tenths of what is known from here on.
    pub fn add(&mut self, instance: &str, text: &str, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if self.known.len() >= MOST {
            self.known.clear();
        }
        let known = self.known.entry(key(instance, text)).or_insert(took);
        *known = (u128::from(*known) * 7 / 10 + u128::from(took) * 3 / 10).min(u128::from(u64::MAX)) as u64;
    }
}

fn key(instance: &str, text: &str) -> Key {
    let mut mixer = Mixer::default();
    mixer.add(instance.as_bytes()).add(text.as_bytes());
    let whole = mixer.finish();
    let mut key = Key::default();
    key.copy_from_slice(&whole.as_bytes()[..8]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn older_runs_count_less() {
        let mut durations = Durations::default();
        assert_eq!(durations.of("t", "make"), None);
        durations.add("t", "make", 10 * SECOND);
        let first = durations.of("t", "make").unwrap();
        assert!(first.abs_diff(10 * SECOND) < Duration::from_millis(1));
        durations.add("t", "make", 20 * SECOND);
        let second = durations.of("t", "make").unwrap();
        assert!(second.abs_diff(13 * SECOND) < Duration::from_millis(1), "{second:?}");
        assert_eq!(durations.of("u", "make"), None);
    }

    #[test]
    fn what_is_saved_is_loaded_and_what_is_torn_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut durations = Durations::default();
        for at in 0..50 {
            durations.add("t", &format!("step {at}"), SECOND * at);
        }
        let state = dir.path().join("state");
        durations.save(&state).unwrap();
        assert_eq!(Durations::load(&state), durations);
        let whole = std::fs::read(state.join("durations")).unwrap();
        for length in [0, 5, HEAD.len(), whole.len() / 2] {
            std::fs::write(state.join("durations"), &whole[..length]).unwrap();
            let known = Durations::load(&state).known;
            assert!(known.len() <= durations.known.len());
        }
        std::fs::write(state.join("durations"), [0xff; 100]).unwrap();
        assert_eq!(Durations::load(&state), Durations::default());
    }
}
