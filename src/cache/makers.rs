//! Who made which file in this run. Two tasks that make the same one undo each other's work, and neither can be up to
//! date for long, however each of them calls it: patterns may meet in a name that nobody wrote down, and where the file
//! system knows no case, or has a directory in two places, two names are one file.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::ledger::Id;

/// Where a file may be: a directory by its device and number, and the name without its case. Two files can share one.
type Spot = ((u64, u64), String);

/// All that was made so far.
#[derive(Debug, Default)]
pub(super) struct Makers(Mutex<HashMap<Spot, Vec<Maker>>>);

#[derive(Debug)]
struct Maker {
    id: Id,
    name: Arc<str>,
    place: PathBuf,
}

impl Makers {
    /// A task made what is at this place. The name of another one that made it too, if there is one.
    pub(super) fn add(&self, id: Id, name: &Arc<str>, place: PathBuf) -> Option<Arc<str>> {
        let spot = spot(&place)?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = all.entry(spot).or_default();
        let other = here.iter().find(|other| other.id != id && is_same(&other.place, &place));
        let other = other.map(|other| other.name.clone());
        here.push(Maker { id, name: name.clone(), place });
        other
    }
}

fn spot(place: &Path) -> Option<Spot> {
    let dir = place.parent()?.metadata().ok()?;
    Some(((dir.dev(), dir.ino()), place.file_name().map(folded)?))
}

fn folded(name: &OsStr) -> String {
    name.to_string_lossy().to_lowercase()
}

/// Whether two places in one directory are one file. A file with a second name has both of them on purpose.
fn is_same(one: &Path, other: &Path) -> bool {
    if one.file_name() == other.file_name() {
        return true;
    }
    let seen = |path: &Path| path.symlink_metadata().ok().filter(|meta| meta.nlink() == 1);
    seen(one).zip(seen(other)).is_some_and(|(one, other)| (one.dev(), one.ino()) == (other.dev(), other.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_one_maker_whatever_it_is_called() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        for name in ["x", "X", "sub/x", "one", "ONE"] {
            std::fs::write(at(name), name).unwrap();
        }
        std::fs::hard_link(at("x"), at("second-name")).unwrap();
        let (makers, a, b) = (Makers::default(), Id::new("f", "a"), Id::new("f", "b"));
        let add = |id: Id, name: &str, place: PathBuf| makers.add(id, &name.into(), place).map(|name| name.to_string());
        assert_eq!(add(a, "a", at("x")), None);
        assert_eq!(add(a, "a", at("x")), None, "once more");
        assert_eq!(add(b, "b", at("sub/x")), None);
        assert_eq!(add(b, "b", at("second-name")), None);
        assert_eq!(add(b, "b", at("gone/x")), None);
        assert_eq!(add(b, "b", at("sub/../x")).as_deref(), Some("a"));
        // Here the two are different files, and elsewhere one.
        assert_eq!(add(a, "a", at("one")), None);
        assert_eq!(add(b, "b", at("ONE")).is_none(), std::fs::read(at("one")).unwrap() == b"one");
    }

    #[test]
    fn names_that_only_case_tells_apart_share_a_spot() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| spot(&dir.path().join(name));
        assert_eq!(at("ReadMe"), at("README"));
        assert_eq!(at("Ärger"), at("äRGER"));
        assert!(at("a") != at("b") && at("a").is_some());
    }
}
