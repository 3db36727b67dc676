//! After a task: what it made is looked at, kept where it is to be, and remembered.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use crate::base::fault;
use crate::base::path::inside;
use crate::cache::files::named;
use crate::cache::ledger::Word;
use crate::cache::memo::Stamp;
use crate::cache::record::Record;
use crate::cache::state::{Spool, State, manifest};
use crate::cache::store::Made;
use crate::cache::task::{Begun, Product, Settled, Task, through_no_link};

/// What was there before a task began, where it was going to make something.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// What it looked like.
    files: HashMap<PathBuf, Stamp>,
    /// What this task has made itself the last time.
    own: Vec<Made>,
}

impl Before {
    /// Whether this was written since.
    fn is_new(&self, base: &Path, made: &Made) -> bool {
        let now = base.join(made.path()).symlink_metadata().ok();
        now.is_some_and(|now| self.files.get(made.path()) != Some(&Stamp::of(&now)))
    }

    /// Whether a task made this itself, in this run or in an earlier one. What it found and left as it was may be
    /// somebody else's.
    fn is_own(&self, base: &Path, made: &Made) -> bool {
        self.is_new(base, made)
            || self.own.binary_search_by(|own| own.path().cmp(made.path())).is_ok_and(|at| self.own[at] == *made)
    }
}

impl State {
    /// What is there before a task begins that it is going to make. What cannot be found is told when it is over.
    pub(super) fn before(&self, task: &Task) -> Before {
        if task.outputs.is_empty() {
            return Before::default();
        }
        let stamp = |path: PathBuf| {
            let meta = task.base.join(&path).symlink_metadata().ok()?;
            Some((path, Stamp::of(&meta)))
        };
        let files = self.places(task).map(|(all, _)| all).unwrap_or_default();
        Before {
            files: files.into_iter().filter_map(stamp).collect(),
            own: if task.cached { self.own(task) } else { Vec::new() },
        }
    }

    /// What a task has made itself when it succeeded last, in order; nothing where that is not known.
    pub(super) fn own(&self, task: &Task) -> Vec<Made> {
        let ledger = self.ledger();
        let record = ledger.last(task.id).and_then(|(_, bytes)| Record::read(bytes));
        let mut own: Vec<Made> = record.iter().flat_map(|(record, _)| record.own().cloned()).collect();
        own.sort_unstable_by(|one, other| one.path().cmp(other.path()));
        own
    }

    /// A task has succeeded: what it made is looked at, kept where it is to be, and remembered.
    pub fn settle(&self, task: &Task, begun: Option<Begun>, captures: Vec<u8>, log: Option<Spool>) -> Settled {
        let made = match self.made(task) {
            Ok(made) => made,
            Err(why) => return Settled { made: None, trouble: begun.map(|_| why) },
        };
        let made = Arc::new(Product::new(&task.base, made));
        let trouble = begun.and_then(|begun| self.remember(task, begun, made.files.clone(), captures, log).err());
        Settled { made: Some(made), trouble }
    }

    fn remember(
        &self,
        task: &Task,
        begun: Begun,
        made: Vec<Made>,
        captures: Vec<u8>,
        log: Option<Spool>,
    ) -> Result<(), String> {
        let (after, _) = manifest(&self.memo, task)?;
        if let Some(changed) = after.differences(&begun.manifest).first() {
            return Err(format!("{changed} while it ran"));
        }
        if let Some(why) = self.made_by_others(task, &begun.before, &made) {
            return Err(why);
        }
        // The fact says what it was before: by now another xec may have made something else of it.
        if let Some((name, _)) = task.needed.iter().find(|(_, product)| !product.is_intact(&self.memo)) {
            return Err(format!("what `{name}` made changed while it ran"));
        }
        let mut record = Record { made, captures, ..Record::bare() };
        let mut word = Word::Done;
        if task.cached {
            word = Word::Kept;
            let own = (0u32..).zip(&record.made).filter(|(_, made)| begun.before.is_own(&task.base, made));
            record.own = own.map(|(at, _)| at).collect();
            record.made.par_iter().try_for_each(|made| self.store.keep(&task.base, made))?;
            record.log = log.map(|log| self.store.put(log)).transpose()?;
        }
        fault::point("before-record");
        let encode = |why: postcard::Error| format!("cannot write what is known of it: {why}");
        let mut bytes = postcard::to_stdvec(&record).map_err(encode)?;
        bytes.extend(postcard::to_stdvec(&begun.manifest).map_err(encode)?);
        let added = self.ledger().add(word, task.id, begun.manifest.key(), &bytes, false);
        fault::point("after-record");
        added.map_err(|why| named("write to", &self.dir, &why))
    }

    /// That another task of this run made one of these too. Each is noted, whatever is told of the first.
    fn made_by_others(&self, task: &Task, before: &Before, made: &[Made]) -> Option<String> {
        let new = made.iter().filter(|made| !made.is_directory() && before.is_new(&task.base, made));
        let mut others = Vec::new();
        for path in new.map(Made::path) {
            others.extend(self.makers.add(task.id, &task.name, task.base.join(path)).map(|other| (other, path)));
        }
        others.first().map(|(other, path)| format!("`{other}` made `{}` too", path.display()))
    }

    /// What a task has made, as it is now.
    fn made(&self, task: &Task) -> Result<Vec<Made>, String> {
        let (all, empty) = self.places(task)?;
        if let Some(text) = empty.first() {
            return Err(format!("`{text}` of its `outputs` matches nothing"));
        }
        let made = |path: &PathBuf| {
            Made::now(&task.base, path, &self.memo).map_err(|why| named("read", &task.base.join(path), &why))
        };
        if all.len() < 16 { all.iter().map(made).collect() } else { all.par_iter().map(made).collect() }
    }

    /// What `outputs` means, as it is now, against the directory that nothing leaves, sorted; and patterns that mean
    /// nothing.
    pub(super) fn places(&self, task: &Task) -> Result<(Vec<PathBuf>, Vec<String>), String> {
        let found =
            self.threads.install(|| task.outputs()?.find(None)).map_err(|why| format!("in its `outputs`, {why}"))?;
        let mut all = Vec::with_capacity(found.files.len());
        // A directory with nothing in it is there too.
        let (dirs, empty): (Vec<String>, Vec<String>) =
            found.empty.into_iter().partition(|text| task.cwd.join(text).is_dir());
        for path in found.files.keys().map(PathBuf::as_path).chain(dirs.iter().map(Path::new)) {
            let place = inside(&task.base, &task.cwd.join(path))
                .ok_or_else(|| format!("its output `{}` is not in `{}`", path.display(), task.base.display()))?;
            through_no_link(&task.base, &place)?;
            all.push(place);
        }
        all.sort_unstable();
        all.dedup();
        Ok((all, empty))
    }
}
