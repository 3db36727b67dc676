//! One manifest of all that decides whether a task is up to date, and its two readers: the hasher, which makes a key
//! of it, and the explainer, which names what differs from another one.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cache::digest::{Digest, Mixer};

/// Changes whenever the same manifest would mean something else.
pub const FORMAT: u32 = 1;

/// What kind of thing decides.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Kind {
    /// What the file calls the key.
    Key,
    /// The text of a step, by its number.
    Step,
    /// A value that a step names.
    Value,
    /// A variable of the environment.
    Env,
    /// What another task made.
    Needed,
    /// The patterns of `inputs` and `outputs`.
    Patterns,
    /// What a file holds, by its path.
    File,
}

/// One thing that decides.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Of which kind.
    pub kind: Kind,
    /// Its name: bytes, since a path is.
    pub name: Vec<u8>,
    /// What it holds.
    pub digest: Digest,
    /// A short word on what it holds, for people.
    pub shown: Option<String>,
}

/// What is shown of a value, at most.
const SHOWN: usize = 60;

impl Entry {
    /// Of a text, which is shown where it is short.
    pub fn text(kind: Kind, name: &str, text: &str) -> Self {
        let short = text.chars().take(SHOWN + 1).count() <= SHOWN && !text.contains('\n');
        let shown = short.then(|| text.to_owned());
        Self { kind, name: name.as_bytes().to_vec(), digest: Digest::of(text.as_bytes()), shown }
    }

    /// Of something that is only compared.
    pub fn digest(kind: Kind, name: &[u8], digest: Digest) -> Self {
        Self { kind, name: name.to_vec(), digest, shown: None }
    }

    fn place(&self) -> (Kind, &[u8]) {
        (self.kind, &self.name)
    }
}

/// All that decides, in order, each thing once.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Manifest {
    entries: Vec<Entry>,
}

impl Manifest {
    /// Of these. What goes by one name is one thing: where steps give it several values, that is all of them, in the
    /// order of the steps. Else their order makes no difference.
    pub fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|one, other| one.place().cmp(&other.place()));
        let is_same = |one: &Entry, other: &Entry| one.place() == other.place();
        if entries.windows(2).any(|pair| is_same(&pair[0], &pair[1])) {
            entries = entries.chunk_by(is_same).map(together).collect();
        }
        Self { entries }
    }

    /// The first reader: the key.
    pub fn key(&self) -> Digest {
        let mut mixer = Mixer::default();
        mixer.add(&FORMAT.to_le_bytes());
        for entry in &self.entries {
            mixer.add(&[entry.kind as u8]).add(&entry.name).add(entry.digest.as_bytes());
        }
        mixer.finish()
    }

    /// The second reader: what is not as it was in `before`, in the order of the kinds.
    pub fn differences(&self, before: &Manifest) -> Vec<Difference> {
        let (mut now, mut then) = (self.entries.iter().peekable(), before.entries.iter().peekable());
        let mut found = Vec::new();
        loop {
            let order = match (now.peek(), then.peek()) {
                (None, None) => return found,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(new), Some(old)) => new.place().cmp(&old.place()),
            };
            let new = if order == Ordering::Greater { None } else { now.next() };
            let old = if order == Ordering::Less { None } else { then.next() };
            let same = new.zip(old).is_some_and(|(new, old)| new.digest == old.digest);
            if let (Some(entry), false) = (new.or(old), same) {
                let (was, is) = (old.map(|entry| entry.shown.clone()), new.map(|entry| entry.shown.clone()));
                let name = String::from_utf8_lossy(&entry.name).into_owned();
                found.push(Difference { kind: entry.kind, name, was, is });
            }
        }
    }
}

/// What goes by one name, as one.
fn together(same_name: &[Entry]) -> Entry {
    let first = same_name[0].clone();
    if same_name.iter().all(|entry| entry.digest == first.digest) {
        return first;
    }
    let mut mixer = Mixer::default();
    for entry in same_name {
        mixer.add(entry.digest.as_bytes());
    }
    Entry { digest: mixer.finish(), shown: None, ..first }
}

/// What is not as it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Of which kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What it was, where it was there and that can be said.
    pub was: Option<Option<String>>,
    /// What it is, likewise.
    pub is: Option<Option<String>>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, was, is } = self;
        let was_and_is = |what: &str, f: &mut fmt::Formatter<'_>| match (was, is) {
            (Some(Some(was)), Some(Some(is))) => write!(f, "{what} was `{was}`, is `{is}`"),
            (Some(Some(was)), None) => write!(f, "{what} was `{was}`, is not there"),
            (None, _) => write!(f, "{what} is new"),
            (_, None) => write!(f, "{what} is not there any more"),
            (Some(_), Some(_)) => write!(f, "{what} changed"),
        };
        match kind {
            Kind::Key => was_and_is("the key", f),
            Kind::Value => was_and_is(&format!("`{name}`"), f),
            Kind::Env => was_and_is(&format!("env `{name}`"), f),
            Kind::Step if was.is_none() => write!(f, "a step is new"),
            Kind::Step if is.is_none() => write!(f, "a step is gone"),
            Kind::Step => match is.clone().flatten() {
                Some(text) => write!(f, "a step was edited: {text}"),
                None => write!(f, "a step was edited"),
            },
            Kind::Needed => write!(f, "what `{name}` made changed"),
            Kind::Patterns => write!(f, "the patterns of `{name}` were edited"),
            Kind::File if was.is_none() => write!(f, "`{name}` is new"),
            Kind::File if is.is_none() => write!(f, "`{name}` is gone"),
            Kind::File => write!(f, "`{name}` changed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(entries: &[(Kind, &str, &str)]) -> Manifest {
        Manifest::new(entries.iter().map(|(kind, name, text)| Entry::text(*kind, name, text)).collect())
    }

    #[test]
    fn the_two_readers_agree() {
        let before = manifest(&[
            (Kind::File, "src/a.rs", "1"),
            (Kind::File, "src/b.rs", "1"),
            (Kind::Env, "RUSTFLAGS", "-O"),
            (Kind::Step, "1", "cargo build"),
            (Kind::Value, "old", "x"),
        ]);
        let after = manifest(&[
            (Kind::Step, "1", "cargo test"),
            (Kind::Env, "RUSTFLAGS", "-g"),
            (Kind::File, "src/c.rs", "1"),
            (Kind::File, "src/a.rs", "2"),
            (Kind::Value, "long", &"y".repeat(100)),
        ]);
        let said: Vec<String> = after.differences(&before).iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "a step was edited: cargo test",
                "`long` is new",
                "`old` was `x`, is not there",
                "env `RUSTFLAGS` was `-O`, is `-g`",
                "`src/a.rs` changed",
                "`src/b.rs` is gone",
                "`src/c.rs` is new",
            ]
        );
        assert_ne!(before.key(), after.key());
        assert!(after.differences(&after).is_empty());
    }

    #[test]
    fn order_makes_no_difference_and_every_part_does() {
        let one = manifest(&[(Kind::File, "a", "1"), (Kind::File, "b", "2")]);
        assert_eq!(one.key(), manifest(&[(Kind::File, "b", "2"), (Kind::File, "a", "1")]).key());
        for other in [
            manifest(&[(Kind::File, "a", "1")]),
            manifest(&[(Kind::File, "a", "2"), (Kind::File, "b", "2")]),
            manifest(&[(Kind::File, "a", "1"), (Kind::File, "c", "2")]),
            manifest(&[(Kind::Value, "a", "1"), (Kind::File, "b", "2")]),
        ] {
            assert!(one.key() != other.key() && !one.differences(&other).is_empty());
        }
    }

    #[test]
    fn several_values_of_one_name_count_in_their_order() {
        let values = |texts: &[&str]| manifest(&texts.iter().map(|text| (Kind::Value, "a", *text)).collect::<Vec<_>>());
        assert_eq!(values(&["1", "1"]), values(&["1"]));
        let all = [&["1", "2"][..], &["2", "1"], &["1", "2", "2"], &["1", "1", "2"], &["1", "2", "1"]];
        for (at, one) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|other| values(one).key() != values(other).key()), "{one:?}");
        }
    }
}
