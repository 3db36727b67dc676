//! What hangs on the run itself: the tasks that were asked for, and the shared units. Knows no steps.

use rustc_hash::FxHashMap;

use crate::base::source::Span;
use crate::plan::compile::turns::Turn;
use crate::plan::compile::{Builder, Demand, Standing};
use crate::plan::defs::Defs;
use crate::plan::graph::{EdgeKind, Vertex};
use crate::plan::ids::ScopeId;
use crate::plan::layout::Laid;
use crate::plan::matrix::Row;
use crate::plan::request::Asked;
use crate::plan::units::{Meant, UnitId};

impl Builder<'_, '_> {
    /// A pair of vertices for each task asked for: reached, and done.
    pub(super) fn requests(&mut self, run: ScopeId, wanted: &[(&Asked, Vec<Meant>)]) -> Laid<Vec<Turn>> {
        let mut turns = Vec::new();
        for (asked, meant) in wanted {
            let reached = self.layout.vertex(Vertex::Gate(run), run, 0, Span::default())?;
            let done = self.layout.vertex(Vertex::Await, run, 0, Span::default())?;
            self.layout.edge(reached, done, EdgeKind::Ok);
            let service = |one: &Meant| self.cx.def(self.units.units[one.unit.0 as usize].task).service.is_some();
            let stays = !meant.is_empty() && meant.iter().all(service);
            turns.push(Turn { reached, over: if stays { reached } else { done } });
            for one in meant {
                let meant = Meant { unit: one.unit, rows: None };
                self.demands.push(Demand { gate: reached, then: done, from: None, meant, takes: Vec::new() });
            }
            self.layout.requested.push((asked.selector.as_str().into(), done));
        }
        Ok(turns)
    }

    pub(super) fn unit(&mut self, defs: &Defs, run: ScopeId, id: UnitId) -> Laid<()> {
        let unit = &self.units.units[id.0 as usize];
        let (task, inputs) = (unit.task, unit.inputs.clone());
        let Some(rows) = &unit.rows else {
            if let Some(frame) = self.open_late(defs, run, task, &inputs, None, true)? {
                let scope = frame.scope;
                self.lay_out(defs, frame)?;
                self.standing.insert(id, Standing { scope, members: FxHashMap::default() });
                return Ok(());
            }
            let frame = self.open_instance(defs, run, task, inputs, None, true)?;
            let (scope, instance) = (frame.scope, frame.instance);
            self.lay_out(defs, frame)?;
            let members = instance.map(|instance| (None, instance)).into_iter().collect();
            self.standing.insert(id, Standing { scope, members });
            return Ok(());
        };
        let places: Vec<usize> = (0..rows.len()).filter(|at| unit.wanted[*at]).collect();
        let rows: Vec<Row> = places.iter().map(|at| rows[*at].clone()).collect();
        let frame = self.open_set(defs, run, task, inputs, rows, true)?;
        let scope = frame.scope;
        let members = self.lay_out(defs, frame)?;
        let members = places.into_iter().map(Some).zip(members).collect();
        self.standing.insert(id, Standing { scope, members });
        Ok(())
    }
}
