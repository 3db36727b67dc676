//! Covers secrets in what is about to be shown. Knows bytes, and neither whose they are nor where they go.
//!
//! A [`Masks`] is what is known of secrets, shared by all of a run: one that is learned late covers what comes from
//! then on. A [`Stage`] is one stream on its way: it covers what comes in pieces as if it were whole, for which it holds
//! back what may be the beginning of a secret, and nothing else.
//!
//! What is covered is the union of all places where a form of a secret stands, so that of two that overlap no part
//! is left: each run of such bytes becomes [`COVER`].

mod forms;

use std::borrow::Cow;
use std::sync::{Arc, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};

pub use forms::SHORTEST;

/// What stands for a secret.
pub const COVER: &str = "***";

/// The longest secret, in bytes: so much may be held back of a stream.
pub const LONGEST: usize = 64 * 1024;

/// All that is known of secrets, for everyone who shows something. Cheap to clone: all clones know the same.
#[derive(Clone, Debug, Default)]
pub struct Masks(Arc<RwLock<Option<Arc<Finder>>>>);

/// Finds the forms of secrets.
#[derive(Debug)]
struct Finder {
    /// Sorted, without doubles.
    forms: Vec<Vec<u8>>,
    longest: usize,
    /// The bytes that a form begins with.
    first: [bool; 256],
    /// Says fast that there is none, which is what is nearly always so.
    any: AhoCorasick,
    all: AhoCorasick,
}

impl Masks {
    /// Covers this from now on, in every form that it is likely to take. What is shorter than [`SHORTEST`] is not
    /// covered: it would be found everywhere.
    pub fn add(&self, secret: &[u8]) {
        let Ok(mut known) = self.0.write() else { return };
        let mut forms = forms::of(secret);
        forms.extend(known.iter().flat_map(|finder| finder.forms.iter().cloned()));
        if let Some(finder) = Finder::new(forms) {
            *known = Some(Arc::new(finder));
        }
    }

    fn finder(&self) -> Option<Arc<Finder>> {
        self.0.read().ok()?.clone()
    }

    /// Whether there is any.
    pub fn any(&self) -> bool {
        self.0.read().is_ok_and(|known| known.is_some())
    }

    /// Whether there is a secret in this.
    pub fn find(&self, bytes: &[u8]) -> bool {
        self.finder().is_some_and(|finder| finder.any.is_match(bytes))
    }

    /// A whole text without its secrets, where it holds any.
    pub fn cover<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.find(text.as_bytes()) {
            return Cow::Borrowed(text);
        }
        let mut stage = Stage::new(self.clone());
        let mut out = stage.add(text.as_bytes().to_vec());
        out.extend(stage.finish());
        Cow::Owned(String::from_utf8_lossy(&out).into_owned())
    }
}

impl Finder {
    fn new(mut forms: Vec<Vec<u8>>) -> Option<Self> {
        forms.sort_unstable();
        forms.dedup();
        let longest = forms.iter().map(Vec::len).max()?;
        let mut first = [false; 256];
        forms.iter().filter_map(|form| form.first()).for_each(|byte| first[usize::from(*byte)] = true);
        // What is too much for it is more than any machine has to hold.
        let any = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(&forms).ok()?;
        let all = AhoCorasick::new(&forms).ok()?;
        Some(Self { forms, longest, first, any, all })
    }

    /// Where the longest end of these bytes begins that a form goes on from.
    fn tail(&self, bytes: &[u8]) -> usize {
        let from = (bytes.len() + 1).saturating_sub(self.longest);
        (from..bytes.len())
            .find(|at| self.first[usize::from(bytes[*at])] && self.is_beginning(&bytes[*at..]))
            .unwrap_or(bytes.len())
    }

    /// Whether a form begins with these bytes, and goes on.
    fn is_beginning(&self, bytes: &[u8]) -> bool {
        let at = self.forms.partition_point(|form| &form[..] <= bytes);
        self.forms.get(at).is_some_and(|form| form.starts_with(bytes))
    }

    /// Where secrets stand: apart from each other, in order; `done` bytes at the beginning are covered already.
    fn places(&self, bytes: &[u8], done: usize) -> Vec<(usize, usize)> {
        let mut places = if done > 0 { vec![(0, done)] } else { Vec::new() };
        if !self.any.is_match(bytes) {
            return places;
        }
        // They come by where they end, so only the last ones can be a part of the next.
        for found in self.all.find_overlapping_iter(bytes) {
            let (mut start, end) = (found.start(), found.end());
            while let Some((from, _)) = places.pop_if(|(_, to)| *to > start) {
                start = start.min(from);
            }
            places.push((start, end.max(done)));
        }
        places
    }
}

/// One stream on its way.
#[derive(Debug)]
pub struct Stage {
    masks: Masks,
    /// What may be the beginning of a secret.
    held: Vec<u8>,
    /// So much of it is covered already.
    done: usize,
}

impl Stage {
    /// A stream of which nothing has come.
    pub fn new(masks: Masks) -> Self {
        Self { masks, held: Vec::new(), done: 0 }
    }

    /// Takes a piece; gives what can be shown by now.
    pub fn add(&mut self, piece: Vec<u8>) -> Vec<u8> {
        let Some(finder) = self.masks.finder() else { return piece };
        let bytes = self.with(piece);
        let tail = finder.tail(&bytes);
        self.show(&finder, bytes, tail)
    }

    /// Nothing more comes: gives the rest.
    pub fn finish(&mut self) -> Vec<u8> {
        let Some(finder) = self.masks.finder() else { return Vec::new() };
        let bytes = self.with(Vec::new());
        let end = bytes.len();
        self.show(&finder, bytes, end)
    }

    fn with(&mut self, piece: Vec<u8>) -> Vec<u8> {
        if self.held.is_empty() {
            return piece;
        }
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend(piece);
        bytes
    }

    /// Gives what is before `tail`, and holds the rest.
    fn show(&mut self, finder: &Finder, mut bytes: Vec<u8>, tail: usize) -> Vec<u8> {
        let places = finder.places(&bytes, self.done);
        let covered = self.done > 0;
        self.done = 0;
        if places.is_empty() {
            self.held = bytes.split_off(tail);
            return bytes;
        }
        let (mut out, mut at) = (Vec::with_capacity(tail), 0);
        for (start, end) in places.into_iter().take_while(|(start, _)| *start < tail || tail == 0 && *start == 0) {
            out.extend_from_slice(&bytes[at..start]);
            if start > 0 || !covered {
                out.extend_from_slice(COVER.as_bytes());
            }
            at = end.min(tail);
            self.done = end.saturating_sub(tail);
        }
        out.extend_from_slice(&bytes[at..tail]);
        self.held = bytes.split_off(tail);
        out
    }
}

#[cfg(test)]
mod tests;
