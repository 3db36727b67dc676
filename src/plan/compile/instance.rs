//! Instances and the sets of a matrix: their scopes, gates and labels. What is in them is left to their frames.

use std::sync::Arc;

use crate::base::source::Span;
use crate::plan::compile::frames::{Frame, Order, Todo};
use crate::plan::compile::{Builder, Demand};
use crate::plan::defs::Defs;
use crate::plan::graph::{EdgeKind, Guard, Instance, Memory, ScopeKind, TakeFrom, Vertex};
use crate::plan::ids::{FeedId, InstanceId, ScopeId, TaskDefId, VertexId};
use crate::plan::layout::{Laid, Rules};
use crate::plan::matrix::Row;
use crate::plan::units::given;
use crate::plan::values::{Bound, Inputs, Values};
use crate::xecfile::model::{Files, ParamType, Reference, Take};

impl Builder<'_, '_> {
    pub(super) fn open_set<'d>(
        &mut self,
        defs: &'d Defs,
        parent: ScopeId,
        task: TaskDefId,
        inputs: Inputs,
        rows: Vec<Row>,
        shared: bool,
    ) -> Laid<Frame<'d>> {
        let def = &defs.tasks[task.index()];
        let rules = self.settle(&def.set_policy, self.cx.scope(task, &inputs))?;
        let jobs = if def.set_policy.jobs.is_none() { self.fleet_jobs(task, &inputs) } else { rules.jobs };
        let rules = Rules { jobs, ..rules };
        let scope = self.layout.open(Some(parent), ScopeKind::Group, Rules { shared, ..rules }, def.span)?;
        self.layout.scopes[scope.index()].side_by_side = true;
        self.sets.insert(scope, (task, inputs.clone()));
        let enter = self.layout.scopes[scope.index()].enter;
        let batching = self.batching(scope, (task, &inputs), rows.len() as u32)?;
        let over = self.over(task, &inputs, &rows)?;
        if let Some(set) = self.layout.sets.last_mut() {
            set.over = over;
        }
        let frame = Frame::new(scope, None, Todo::Rows(task, inputs, rows.into_iter()), Order::SideBySide, enter);
        Ok(Frame { hooks: Some(&def.set_hooks), batching, ..frame })
    }

    pub(super) fn open_instance<'d>(
        &mut self,
        defs: &'d Defs,
        parent: ScopeId,
        task: TaskDefId,
        inputs: Inputs,
        row: Option<&Row>,
        shared: bool,
    ) -> Laid<Frame<'d>> {
        let def = &defs.tasks[task.index()];
        let written = self.cx.task(task);
        let inputs = given(&inputs, row);
        let id = InstanceId(self.layout.instances.len() as u32);
        let values = self.cx.scope(task, &inputs);
        // What is called is a part of its caller, and goes with it.
        let spared = if shared || row.is_some() { self.cx.spared(task, &inputs) } else { None };
        let guard = match spared {
            Some(why) => Guard::Never(why.clone()),
            None => self.guard(&def.conditions, values)?,
        };
        let label = self.cx.label(task, &inputs);
        // What a service reads decides in a session whether it goes on; it is never up to date without running.
        let own = if def.service.is_some() { &Files::default() } else { &def.files };
        let memory = memory(own, def.asks_changed);
        let rules = Rules { guard, shared, memory, ..self.settle(&def.policy, values)? };
        let rules = Rules { place: self.place_of_task(task, &inputs)?, ..rules };
        let runs = !matches!(rules.guard, Guard::Never(_));
        let waits = runs && (!written.needs.is_empty() || !def.after.is_empty());
        let gate = if waits { Some(self.gate(parent, &rules, def.span)?) } else { None };
        let scope = self.layout.open(Some(parent), ScopeKind::Instance(id), rules, def.span)?;
        if runs {
            self.refuse_task_on_host(scope, task)?;
        }
        let enter = self.layout.scopes[scope.index()].enter;
        if def.service.is_some() && shared {
            self.layout.scopes[scope.index()].ready.clone_from(&def.service);
            self.layout.scopes[scope.index()].service = Some(scope);
        }
        if let Some(gate) = gate {
            self.draw_needs(gate, scope, id, (task, &inputs))?;
        }
        self.layout.instances.push(Instance::new(scope, task, label, inputs));
        if runs && self.is_held(id) {
            self.ask_first(id);
        }
        let steps = if runs { def.body.iter() } else { [].iter() };
        let frame = Frame::new(scope, Some(id), Todo::Steps(steps), Order::InTurn, enter);
        Ok(Frame { hooks: runs.then_some(&def.hooks), ..frame })
    }

    /// Whether something that it is given late has to be held against a type or choices.
    pub(super) fn is_held(&self, id: InstanceId) -> bool {
        let Instance { def, inputs, .. } = &self.layout.instances[id.index()];
        let late = inputs.iter().filter(|(_, bound)| matches!(bound, Bound::Late(_)));
        let params = &self.cx.def(*def).params;
        let mut late = late.filter_map(|(name, _)| params.iter().find(|param| param.name.value == *name));
        late.any(|param| param.ty != ParamType::default() || !param.choices.is_empty())
    }

    /// What a reference takes from these: whether as a list, and from which feed.
    pub(super) fn takes(
        &self,
        reference: &Reference,
        from: &[InstanceId],
        (list, feed): (bool, Option<FeedId>),
        values: Values<'_>,
    ) -> Laid<Vec<TakeFrom>> {
        let take = |take: &Take| -> Laid<TakeFrom> {
            let default = take.default.as_ref().map(|text| values.must(text, "a default")).transpose()?;
            let (here, name) = (take.here.value.clone(), take.name.value.clone());
            Ok(TakeFrom { here, name, from: from.to_vec(), list, default, feed })
        };
        reference.takes.iter().map(take).collect()
    }

    /// The gate of the scope that is the next one to be opened.
    pub(super) fn gate(&mut self, parent: ScopeId, rules: &Rules, site: Span) -> Laid<VertexId> {
        let next = ScopeId(self.layout.scopes.len() as u32);
        self.layout.vertex(Vertex::Gate(next), parent, rules.priority, site)
    }

    /// What an instance needs is demanded at its gate, and waited for at its entry.
    pub(super) fn draw_needs(
        &mut self,
        gate: VertexId,
        scope: ScopeId,
        id: InstanceId,
        caller: (TaskDefId, &Inputs),
    ) -> Laid<()> {
        let enter = self.layout.scopes[scope.index()].enter;
        self.layout.scopes[scope.index()].gate = Some(gate);
        self.layout.scopes[scope.index()].vertices.start = gate.0;
        self.layout.edge(gate, enter, EdgeKind::Ok);
        let values = self.cx.scope(caller.0, caller.1);
        for need in &self.cx.task(caller.0).needs {
            let Some(meant) = self.units.need(self.cx, need, (caller.0, caller.1))? else { continue };
            let takes = self.takes(need, &[], (false, None), values)?;
            self.demands.push(Demand { gate, then: enter, from: Some(id), meant, takes });
        }
        Ok(())
    }

    /// Who stands for a set where an instance is wanted: for the values that its hooks see and make, and for a name.
    pub(super) fn stand_in(&mut self, set: ScopeId, caller: Option<InstanceId>) -> InstanceId {
        if let Some(id) = self.layout.scopes[set.index()].stand_in {
            return id;
        }
        let (task, inputs) = self.set_inputs(set);
        let id = InstanceId(self.layout.instances.len() as u32);
        let label = self.cx.def(task).label.clone();
        let this = Instance { hidden: true, caller, ..Instance::new(set, task, label, inputs) };
        self.layout.instances.push(this);
        self.layout.scopes[set.index()].stand_in = Some(id);
        id
    }

    /// To whom the steps of a frame belong.
    pub(super) fn owner(&mut self, frame: &Frame<'_>) -> InstanceId {
        frame.instance.unwrap_or_else(|| self.stand_in(frame.scope, None))
    }

    /// The task and inputs of the set that a scope lies in.
    pub(super) fn set_inputs(&self, scope: ScopeId) -> (TaskDefId, Inputs) {
        let found = self.layout.outward(scope).find_map(|scope| self.sets.get(&scope));
        found.cloned().unwrap_or_else(|| (TaskDefId(0), Arc::from([])))
    }
}

/// What is remembered of an instance of a task with such files.
pub(super) fn memory(files: &Files, asks_changed: bool) -> Memory {
    if !files.inputs.is_empty() || files.cache.is_some() {
        Memory::Whole
    } else if !files.outputs.is_empty() {
        Memory::Made
    } else if asks_changed {
        Memory::Seen
    } else {
        Memory::None
    }
}
