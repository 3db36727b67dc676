//! `changed`: whether files hold something else than when the instance last succeeded. What they hold is found on
//! another thread; what was seen counts once the instance has succeeded again.

use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::cache::digest::Digest;
use crate::cache::ledger::Id;
use crate::plan::ids::{InstanceId, ScopeId};
use crate::run::dispatch::Loop;
use crate::run::facts;
use crate::run::keep::Told;
use crate::run::place::Here;
use crate::run::probe::Probe;
use crate::run::questions::Purpose;

/// A line that is being asked about.
pub(super) struct Asked {
    pub(super) purpose: Purpose,
    pub(super) probe: Probe,
    pub(super) condition: usize,
    pub(super) line: usize,
}

/// The same, on its way.
pub(super) struct Pending {
    asked: Asked,
    instance: InstanceId,
    what: Id,
}

impl Loop {
    /// Asks what the files hold now. Without a state everything has changed.
    pub(super) fn ask_changed(&mut self, scope: ScopeId, globs: &[Spanned<Template>], mut asked: Asked) {
        let purpose = asked.purpose;
        let known = self.keeper.state().zip(self.plan.instance_for(scope));
        let Some((state, instance)) = known else {
            asked.probe.set(asked.condition, asked.line, true);
            return self.look_on(scope, purpose, asked.probe);
        };
        let (dir, texts) = match self.globs(scope, purpose, instance, globs) {
            Ok(found) => found,
            Err(why) => return self.passed(scope, purpose, Err(why.into())),
        };
        let label = self.store.items.label(&self.plan, instance);
        let name = [&*label.instance, &dir.to_string_lossy(), &texts.join("\n")].join("\0changed\0");
        let what = Id::new(&facts::source(&self.plan), &name);
        self.changes.insert(scope, Pending { asked, instance, what });
        let lost = Told::Seen(scope, Err("xec lost track of what has changed".to_owned()));
        self.inquire(state, lost, move |state| Told::Seen(scope, state.look(&dir, &texts)));
    }

    fn globs(
        &self,
        scope: ScopeId,
        purpose: Purpose,
        instance: InstanceId,
        globs: &[Spanned<Template>],
    ) -> Result<(std::path::PathBuf, Vec<String>), String> {
        let conditions = self.conditions(scope, purpose).ok_or("nobody asks")?;
        let seen = self.store.scope(&self.plan, &self.around, instance).seen_from(self.eye(scope, purpose));
        let here = Here::new(&self.plan, &conditions.place, &self.around, seen)?;
        let texts = globs.iter().map(|glob| here.flat(glob)).collect::<Result<_, _>>()?;
        // Of files here, wherever the step runs.
        Ok((here.files, texts))
    }

    /// The answer has come.
    pub(super) fn seen(&mut self, scope: ScopeId, seen: Result<Digest, String>) {
        let Some(Pending { mut asked, instance, what }) = self.changes.remove(&scope) else { return };
        match seen {
            Ok(seen) => {
                let before = self.keeper.state().and_then(|state| state.last_seen(what));
                self.keeper.saw(instance, what, seen);
                let changed = before != Some(seen) || self.keeper.is_forced(instance);
                asked.probe.set(asked.condition, asked.line, changed);
                self.look_on(scope, asked.purpose, asked.probe);
            }
            Err(why) => self.passed(scope, asked.purpose, Err(why.into())),
        }
    }
}
