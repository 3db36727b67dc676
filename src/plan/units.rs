//! What is shared in a run: for each task and each distinct set of its inputs one unit, with those of its
//! combinations that anyone asks for. Found from what was requested, along `needs` and into calls, before
//! anything is laid out, so that a unit is laid out whole.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::event::{SkipReason, TaskLabel};
use crate::plan::compile::MAX_VERTICES;
use crate::plan::conditions::{Decision, decide};
use crate::plan::defs::{Defs, HookDefs, Node, NodeKind, TaskDef};
use crate::plan::ids::TaskDefId;
use crate::plan::inputs::{brackets, from_bindings};
use crate::plan::matrix::{self, Filter, Row};
use crate::plan::values::{Bound, FileValues, Inputs, Values};
use crate::plan::world::World;
use crate::xecfile::model::{Matrix, Reference, Task, Xecfile};

/// A unit, by its place among all.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct UnitId(pub u32);

/// A task with its inputs, once for the run.
pub struct Unit {
    /// The task.
    pub task: TaskDefId,
    /// What it was given.
    pub inputs: Inputs,
    /// Its combinations; `None` where it has no matrix.
    pub rows: Option<Vec<Row>>,
    /// Which of them are asked for.
    pub wanted: Vec<bool>,
}

/// What a reference comes to: a unit, and which of its combinations (all of them, if `None`).
pub struct Meant {
    /// The unit.
    pub unit: UnitId,
    /// Places of combinations; `None` is the whole unit.
    pub rows: Option<Vec<usize>>,
}

/// What every evaluation needs.
pub struct Context<'c> {
    /// The file.
    pub file: &'c Xecfile,
    /// Its tasks, lowered.
    pub defs: Arc<Defs>,
    /// The world.
    pub world: World<'c>,
    /// What each file says.
    pub values: Vec<FileValues>,
    /// Instances that need not run, and why.
    pub spared: &'c HashMap<Arc<str>, SkipReason>,
}

impl<'c> Context<'c> {
    /// A task, lowered.
    pub fn def(&self, id: TaskDefId) -> &TaskDef {
        &self.defs.tasks[id.index()]
    }

    /// The same, as it is written.
    pub fn task(&self, id: TaskDefId) -> &'c Task {
        &self.file.tasks[self.def(id).index]
    }

    /// What is in scope of an instance of a task.
    pub fn scope<'v>(&'v self, id: TaskDefId, inputs: &'v [(Arc<str>, Bound)]) -> Values<'v> {
        Values { file: &self.values[usize::from(self.def(id).file.0)], inputs, world: self.world }
    }

    /// How an instance of a task is shown.
    pub fn label(&self, task: TaskDefId, inputs: &Inputs) -> Arc<TaskLabel> {
        let def = self.def(task);
        let shown = brackets(self.task(task), inputs, self.scope(task, &[]));
        if shown.is_empty() {
            return def.label.clone();
        }
        Arc::new(TaskLabel { instance: format!("{}{shown}", def.label.task).into(), ..(*def.label).clone() })
    }

    /// Why an instance that nobody calls need not run; `None` where it has to, as far as that goes.
    pub fn spared(&self, task: TaskDefId, inputs: &Inputs) -> Option<&SkipReason> {
        // Names are made of text: not for nothing, where there may be a hundred thousand of them.
        if self.spared.is_empty() { None } else { self.spared.get(&self.label(task, inputs).instance) }
    }

    /// What a task that another one names is given, and which of its combinations are meant.
    ///
    /// # Errors
    /// What is given does not fit.
    pub fn bind(
        &self,
        reference: &Reference,
        callee: TaskDefId,
        caller: (TaskDefId, &[(Arc<str>, Bound)]),
    ) -> Result<Asked, Box<Problem>> {
        let task = self.task(callee);
        let outer = self.scope(caller.0, caller.1);
        let (inputs, axes) =
            from_bindings(task, &reference.bindings, outer, self.scope(callee, &[]), reference.task.span)?;
        let rows = self.rows(callee, &inputs)?;
        if let (Some(matrix), Some(binding)) = (&task.matrix, axes.first())
            && matrix.late().is_some()
            && matrix.axes.iter().any(|axis| axis.name.value == binding.name.value)
        {
            let message = format!("the instances of `{}` are known only when it runs", task.name.value);
            let problem =
                Problem::error(Code::LateValue, message).at(binding.name.span, "no edge can name one of them");
            return Err(Box::new(problem.help("leave the axis out, and wait for all of them")));
        }
        let names: Vec<Arc<str>> = match &task.matrix {
            Some(matrix) => matrix.axes.iter().map(|axis| axis.name.value.clone()).collect(),
            None => Vec::new(),
        };
        let all: Vec<Arc<str>> =
            task.params.iter().map(|param| param.name.value.clone()).chain(names.iter().cloned()).collect();
        if let Some(stray) = axes.iter().find(|binding| !names.contains(&binding.name.value)) {
            let name = &stray.name.value;
            let problem = Problem::error(Code::UnknownInput, format!("`{}` has no input `{name}`", task.name.value));
            return Err(Box::new(problem.at(stray.name.span, "").help(crate::plan::values::nearest(name, &all))));
        }
        let filter = matrix::filter(&task.name.value, &names, rows.as_deref().unwrap_or(&[]), &axes, outer)?;
        Ok((inputs, rows, filter))
    }

    /// The combinations of a task that was given this.
    pub fn rows(&self, id: TaskDefId, inputs: &Inputs) -> Result<Option<Vec<Row>>, Box<Problem>> {
        let task = self.task(id);
        match &task.matrix {
            Some(matrix) if matrix.late().is_none() => self.combinations(id, inputs, matrix).map(Some),
            _ => Ok(None),
        }
    }

    /// The combinations of those axes that are known.
    ///
    /// # Errors
    /// There are none.
    pub fn combinations(&self, id: TaskDefId, inputs: &Inputs, matrix: &Matrix) -> Result<Vec<Row>, Box<Problem>> {
        let task = self.task(id);
        let scope = self.scope(id, inputs);
        let dir: PathBuf = match &self.def(id).conditions.place.cwd {
            Some(cwd) => {
                self.defs.dirs[usize::from(task.file.0)].join(scope.must(cwd, "the directory of a glob")?.flat())
            }
            None => self.defs.dirs[usize::from(task.file.0)].clone(),
        };
        matrix::rows(matrix, &task.name.value, &dir, scope)
    }

    /// What a lane of a late set is given, or the inputs as they are where there is none: the axes come with the item.
    pub fn lane_inputs(&self, id: TaskDefId, inputs: &Inputs) -> Inputs {
        match self.task(id).matrix.as_ref().filter(|matrix| matrix.late().is_some()) {
            None => inputs.clone(),
            Some(matrix) => {
                let axes = matrix.axes.iter().map(|axis| (axis.name.value.clone(), Bound::Item));
                inputs.iter().cloned().chain(axes).collect()
            }
        }
    }
}

/// What a task is given, all its combinations, and which of them are meant.
type Asked = (Inputs, Option<Vec<Row>>, Filter);

/// All units of a run.
#[derive(Default)]
pub struct Units {
    /// In the order they were found.
    pub units: Vec<Unit>,
    places: HashMap<(TaskDefId, Inputs), UnitId>,
    open: VecDeque<(UnitId, Option<usize>)>,
    seen: usize,
}

impl Units {
    /// Someone asks for a task with these inputs, and for the combinations that fit: all of them, or the first ones.
    pub fn want(
        &mut self,
        task: TaskDefId,
        inputs: Inputs,
        rows: Option<Vec<Row>>,
        (filter, most): (&Filter, Option<u32>),
    ) -> Meant {
        let next = UnitId(self.units.len() as u32);
        let unit = *self.places.entry((task, inputs.clone())).or_insert(next);
        if unit == next {
            let wanted = vec![false; rows.as_ref().map_or(0, Vec::len)];
            if rows.is_none() {
                self.open.push_back((unit, None));
            }
            self.units.push(Unit { task, inputs, rows, wanted });
        }
        let this = &mut self.units[unit.0 as usize];
        let Some(rows) = &this.rows else { return Meant { unit, rows: None } };
        let most = most.map_or(usize::MAX, |most| most as usize);
        let fitting = (0..rows.len()).filter(|at| matrix::matches(&rows[*at], filter));
        let fitting: Vec<usize> = fitting.take(most).collect();
        for at in &fitting {
            if !std::mem::replace(&mut this.wanted[*at], true) {
                self.open.push_back((unit, Some(*at)));
            }
        }
        Meant { unit, rows: if filter.is_empty() && fitting.len() == rows.len() { None } else { Some(fitting) } }
    }

    /// Follows everything that was asked for to all that it needs.
    ///
    /// # Errors
    /// What is given somewhere does not fit, or there is too much.
    pub fn follow(&mut self, cx: &Context<'_>) -> Result<(), Box<Problem>> {
        let mut sets: HashSet<UnitId> = HashSet::new();
        while let Some((unit, row)) = self.open.pop_front() {
            let this = &self.units[unit.0 as usize];
            let inputs = given(&this.inputs, row.and_then(|at| this.rows.as_ref().map(|rows| &rows[at])));
            let set = sets.insert(unit).then(|| (this.task, this.inputs.clone(), Part::Set));
            let own = cx.spared(this.task, &inputs).is_none().then_some((this.task, inputs, Part::Instance));
            let open = set.into_iter().chain(own).collect();
            self.follow_all(cx, open)?;
        }
        Ok(())
    }

    /// What these need, and what all needs that they call, however deep.
    fn follow_all(&mut self, cx: &Context<'_>, mut open: Vec<Found>) -> Result<(), Box<Problem>> {
        while let Some((task, inputs, part)) = open.pop() {
            self.seen += 1;
            if self.seen > MAX_VERTICES {
                let def = cx.def(task);
                let problem =
                    Problem::error(Code::PlanTooLarge, format!("the plan has more than {MAX_VERTICES} instances"));
                return Err(Box::new(
                    problem
                        .at(def.span, "this one, again and again")
                        .help("every `call` is a fresh instance; `needs` runs once"),
                ));
            }
            let late = cx.task(task).matrix.as_ref().is_some_and(|set| set.late().is_some());
            let lane = cx.lane_inputs(task, &inputs);
            // A late set that has not to run is not there at all.
            if (late || part == Part::Instance) && !runs(cx, task, &lane)? {
                continue;
            }
            let def = &cx.defs.tasks[task.index()];
            let (inputs, hooks) = match part {
                Part::Set => (inputs, &def.set_hooks),
                Part::Instance => (lane, &def.hooks),
            };
            let mut nodes: Vec<&Node> = hooks_of(hooks).collect();
            if part == Part::Instance {
                for need in &cx.task(task).needs {
                    self.need(cx, need, (task, &inputs))?;
                }
                nodes.extend(&def.body);
            }
            calls(cx, (task, &inputs), nodes, &mut open)?;
        }
        Ok(())
    }

    /// What a `needs` comes to.
    ///
    /// # Errors
    /// What it binds does not fit.
    pub fn need(
        &mut self,
        cx: &Context<'_>,
        need: &Reference,
        caller: (TaskDefId, &[(Arc<str>, Bound)]),
    ) -> Result<Option<Meant>, Box<Problem>> {
        let Some(callee) = cx.defs.find(&need.task.value) else { return Ok(None) };
        let (inputs, rows, filter) = cx.bind(need, callee, caller)?;
        if let Some((name, Bound::Late(text))) = inputs.iter().find(|(_, bound)| matches!(bound, Bound::Late(_))) {
            let problem =
                Problem::error(Code::LateValue, format!("`needs` cannot give `{name}` a value that comes later"));
            return Err(Box::new(
                problem
                    .at(text.span, "this is known only when a step has run")
                    .help("use `call`, which begins when its place is reached"),
            ));
        }
        Ok(Some(self.want(callee, inputs, rows, (&filter, None))))
    }
}

/// The inputs of an instance: those of its task, then the values of its axes.
pub fn given(inputs: &Inputs, row: Option<&Row>) -> Inputs {
    match row {
        None => inputs.clone(),
        Some(row) => {
            let axes = matrix::inputs(row).map(|(name, value)| (name, Bound::Static(value)));
            inputs.iter().cloned().chain(axes).collect()
        }
    }
}

/// What of a task is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// An instance.
    Instance,
    /// What follows its whole set.
    Set,
}

/// What is to be followed: a task, with what it was given.
type Found = (TaskDefId, Inputs, Part);

/// What some steps call.
fn calls(
    cx: &Context<'_>,
    (task, inputs): (TaskDefId, &Inputs),
    mut nodes: Vec<&Node>,
    open: &mut Vec<Found>,
) -> Result<(), Box<Problem>> {
    while let Some(node) = nodes.pop() {
        nodes.extend(hooks_of(&node.hooks));
        match &node.kind {
            NodeKind::Group(_, steps) => nodes.extend(steps),
            NodeKind::Call(callee, reference) => {
                let (inputs, rows, filter) = cx.bind(reference, *callee, (task, inputs))?;
                if hooks_of(&cx.def(*callee).set_hooks).next().is_some() {
                    open.push((*callee, inputs.clone(), Part::Set));
                }
                let Some(rows) = rows else {
                    open.push((*callee, inputs, Part::Instance));
                    continue;
                };
                let fitting = rows.iter().filter(|row| matrix::matches(row, &filter));
                open.extend(fitting.map(|row| (*callee, given(&inputs, Some(row)), Part::Instance)));
            }
            NodeKind::Leaf(_) | NodeKind::Reduce(..) | NodeKind::Barrier => {}
        }
    }
    Ok(())
}

/// Whether an instance may have to run, as far as that is known.
fn runs(cx: &Context<'_>, task: TaskDefId, inputs: &Inputs) -> Result<bool, Box<Problem>> {
    Ok(decide(&cx.def(task).conditions, cx.scope(task, inputs))? != Decision::No)
}

fn hooks_of(hooks: &HookDefs) -> impl Iterator<Item = &Node> {
    hooks.stages.iter().flatten()
}
