//! What is remembered of a success beside its key, and how old it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::cache::digest::Digest;
use crate::cache::store::{Made, blobs};

const DAY: u64 = 24 * 60 * 60 * 1000;

/// What a record holds beside its key. The manifest is behind it: it is only read to explain.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    /// When, in milliseconds since 1970.
    pub(super) at: u64,
    pub(super) made: Vec<Made>,
    /// Which of these the task has made itself, by their places: what others have put there is theirs.
    pub(super) own: Vec<u32>,
    pub(super) captures: Vec<u8>,
    pub(super) log: Option<Digest>,
}

impl Record {
    /// Of now, and of nothing else.
    pub(super) fn bare() -> Self {
        Self { at: now(), made: Vec::new(), own: Vec::new(), captures: Vec::new(), log: None }
    }

    /// From the bytes of a ledger, with what is behind it.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        postcard::take_from_bytes(bytes).ok()
    }

    /// Why it does not count any more, by its age.
    pub(super) fn expired(&self, ttl: Option<Duration>) -> Option<String> {
        let ttl = ttl?;
        // What comes from the future has no age that could be trusted.
        let old = now().checked_sub(self.at).is_none_or(|age| Duration::from_millis(age) >= ttl);
        old.then(|| format!("it is older than {}", crate::base::duration::show(ttl)))
    }

    /// The day on which it was made.
    pub(super) fn day(&self) -> u32 {
        u32::try_from(self.at / DAY).unwrap_or(u32::MAX)
    }

    /// What the task has made itself.
    pub(super) fn own(&self) -> impl Iterator<Item = &Made> {
        self.own.iter().filter_map(|at| self.made.get(*at as usize))
    }

    /// What of the store it needs.
    pub(super) fn blobs(&self) -> impl Iterator<Item = Digest> {
        blobs(&self.made).chain(self.log)
    }
}

/// In milliseconds since 1970.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// In days since 1970.
pub(super) fn today() -> u32 {
    u32::try_from(now() / DAY).unwrap_or(u32::MAX)
}
