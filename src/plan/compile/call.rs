//! A task called in place: its inputs from those of the caller, and a fresh instance or set of it.

use crate::plan::compile::Builder;
use crate::plan::compile::frames::Frame;
use crate::plan::defs::Defs;
use crate::plan::graph::{Link, LinkKind};
use crate::plan::ids::{InstanceId, TaskDefId};
use crate::plan::layout::Laid;
use crate::plan::matrix;
use crate::xecfile::model::Reference;

impl Builder<'_, '_> {
    pub(super) fn open_call<'d>(
        &mut self,
        defs: &'d Defs,
        frame: &mut Frame<'d>,
        callee: TaskDefId,
        reference: &'d Reference,
    ) -> Laid<Frame<'d>> {
        let caller = self.owner(frame);
        let this = &self.layout.instances[caller.index()];
        let scope = (this.def, this.inputs.clone());
        let (inputs, rows, filter) = self.cx.bind(reference, callee, (scope.0, &scope.1))?;
        let late = match rows {
            None => self.open_late(defs, frame.scope, callee, &inputs, Some(caller), false)?,
            Some(_) => None,
        };
        let mut inner = match (late, rows) {
            (Some(late), _) => late,
            (None, None) => {
                let inner = self.open_instance(defs, frame.scope, callee, inputs, None, false)?;
                if let Some(instance) = inner.instance {
                    self.called_by(caller, instance);
                }
                inner
            }
            (None, Some(rows)) => {
                let rows = rows.into_iter().filter(|row| matrix::matches(row, &filter)).collect();
                self.open_set(defs, frame.scope, callee, inputs, rows, false)?
            }
        };
        self.arrive(frame, self.layout.head(inner.scope));
        inner.called = Some((caller, reference));
        Ok(inner)
    }

    /// An instance has been called by another one.
    pub(super) fn called_by(&mut self, caller: InstanceId, instance: InstanceId) {
        self.layout.instances[instance.index()].caller = Some(caller);
        let from = Some(self.shown(caller));
        self.layout.links.push(Link { from, to: instance, kind: LinkKind::Calls });
    }
}
