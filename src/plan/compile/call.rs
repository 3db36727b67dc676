//! A task called in place: its inputs from those of the caller, and a fresh instance or set of it.

use crate::plan::compile::Builder;
use crate::plan::compile::frames::Frame;
use crate::plan::defs::Defs;
use crate::plan::graph::{Link, LinkKind};
use crate::plan::ids::{InstanceId, TaskDefId};
use crate::plan::layout::Laid;
use crate::plan::matrix;
use crate::plan::values::Inputs;
use crate::xecfile::model::Reference;

impl Builder<'_, '_> {
    pub(super) fn open_call<'d>(
        &mut self,
        defs: &'d Defs,
        frame: &mut Frame<'d>,
        callee: TaskDefId,
        reference: &'d Reference,
    ) -> Laid<Frame<'d>> {
        let Some(caller) = frame.instance.or_else(|| self.instance_around(frame.scope)) else {
            // The hook of a set: it sees what the set was given.
            let inputs = self.set_inputs(frame.scope);
            return self.open_callee(defs, frame, callee, reference, None, inputs);
        };
        let this = &self.layout.instances[caller.index()];
        let scope = (this.def, this.inputs.clone());
        self.open_callee(defs, frame, callee, reference, Some(caller), scope)
    }

    pub(super) fn open_callee<'d>(
        &mut self,
        defs: &'d Defs,
        frame: &mut Frame<'d>,
        callee: TaskDefId,
        reference: &'d Reference,
        caller: Option<InstanceId>,
        scope: (TaskDefId, Inputs),
    ) -> Laid<Frame<'d>> {
        let (inputs, rows, filter) = self.cx.bind(reference, callee, (scope.0, &scope.1))?;
        let late = match rows {
            None => self.open_late(defs, frame.scope, callee, &inputs, caller, false)?,
            Some(_) => None,
        };
        let mut inner = match (late, rows) {
            (Some(late), _) => late,
            (None, None) => {
                let inner = self.open_instance(defs, frame.scope, callee, inputs, None, false)?;
                if let Some(instance) = inner.instance {
                    self.layout.instances[instance.index()].caller = caller;
                    self.layout.links.push(Link { from: caller, to: instance, kind: LinkKind::Calls });
                }
                inner
            }
            (None, Some(rows)) => {
                let rows = rows.into_iter().filter(|row| matrix::matches(row, &filter)).collect();
                self.open_set(defs, frame.scope, callee, inputs, rows, false)?
            }
        };
        self.arrive(frame, self.layout.head(inner.scope));
        inner.called = caller.map(|caller| (caller, reference));
        Ok(inner)
    }
}
