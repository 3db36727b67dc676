//! From lowered tasks to instances, scopes and edges.
//!
//! What a task's instance becomes, with `needs x` and two steps:
//!
//! ```text
//!            Demand ╌╌╌► (gate or entry of x)        x: shared, dormant until someone demands it
//!   gate ────┤                    x.exit ──Ok──┐
//!            └────Ok──────────────────────► enter ─Ok─► step 1 ─Ok─► step 2 ─Settled─► exit
//! ```
//!
//! A group is the same without a gate; in `parallel`, and in the set of a matrix, every child hangs between entry
//! and exit. Hooks lie inside of their scope and hang on nothing: the scope wakes them when its body is over. The
//! run is a scope too: each requested task is a pair of vertices, one to demand it and one to wait for it, in a
//! row or (with `-p`) side by side. Instances are laid out by a loop over open frames: calls nest as deep as the
//! file says, and nothing here recurses.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::diagnostic::Problem;
use crate::base::event::TaskLabel;
use crate::base::source::{Span, Spanned};
use crate::plan::conditions::{Decision, decide};
use crate::plan::cycle;
use crate::plan::defs::{DEFAULT_GRACE, Defs, HOOK_TIMEOUT, HookDefs, Node, NodeKind, Policy, Work};
use crate::plan::graph::{Completion, EdgeKind, Guard, Instance, Leaf, Link, LinkKind, Plan, ScopeKind, TakeFrom, Vertex};
use crate::plan::ids::{CommandId, InstanceId, LeafId, ScopeId, TaskDefId, VertexId};
use crate::plan::inputs::{brackets, from_words};
use crate::plan::layout::{Laid, Layout, Rules};
use crate::plan::matrix::{self, Row};
use crate::plan::request::{Asked, Request};
use crate::plan::select::{Names, TaskIndex};
use crate::plan::units::{Context, Meant, UnitId, Units, given};
use crate::plan::values::{FileValues, Inputs, Values};
use crate::plan::world::World;
use crate::xecfile::model::{Condition, Group, Late, OnError, Reference, Share, Width, Xecfile};

/// The most vertices that a plan may have.
pub const MAX_VERTICES: usize = 1_000_000;

/// Makes the plan of a request.
///
/// # Errors
/// All problems that can be known before anything runs: unknown tasks, cycles, inputs that do not fit, a plan that
/// is too large.
pub fn compile(file: &Xecfile, request: &Request, world: World<'_>) -> Result<Plan, Vec<Problem>> {
    let names = Names::new(file);
    let (mut asked, mut problems) = (Vec::new(), Vec::new());
    for one in &request.tasks {
        match names.select(&one.selector) {
            Ok((tasks, filter)) => asked.push((one, tasks, filter)),
            Err(problem) => problems.push(*problem),
        }
    }
    let roots: Vec<TaskIndex> = asked.iter().flat_map(|(_, tasks, _)| tasks.iter().copied()).collect();
    let (reached, mentions) = names.reach(&roots);
    problems.extend(cycle::check(file, &mentions));
    let mut values = Vec::new();
    for scope in &file.files {
        match FileValues::of(scope, world) {
            Ok(found) => values.push(found),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let defs = Arc::new(Defs::lower(file, &names, &reached, request.on_error));
    let cx = Context { file, defs, world, values };
    let places: HashMap<TaskIndex, TaskDefId> =
        reached.iter().enumerate().map(|(id, task)| (*task, TaskDefId(id as u32))).collect();
    let mut units = Units::default();
    let mut wanted: Vec<(&Asked, Vec<Meant>)> = Vec::new();
    for (one, tasks, filter) in asked {
        let mut meant = Vec::new();
        for task in tasks {
            let id = places[&task];
            let found = from_words(&file.tasks[task], one, cx.scope(id, &[])).and_then(|inputs| {
                let rows = cx.rows(id, &inputs)?;
                matching(&cx, id, rows.as_deref(), &filter, &one.selector)?;
                Ok(units.want(id, inputs, rows, &filter))
            });
            match found {
                Ok(found) => meant.push(found),
                Err(problem) => problems.push(*problem),
            }
        }
        wanted.push((one, meant));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let on_error =
        file.files.first().and_then(|scope| scope.defaults.on_error).map_or(request.on_error, |mode| mode.value);
    units.follow(&cx).map_err(|problem| vec![*problem])?;
    let mut builder = Builder::new(&cx, &mut units, request);
    builder.build(&wanted, on_error, request.parallel).map_err(|problem| vec![*problem])?;
    let layout = builder.layout;
    Ok(layout.freeze(cx.defs, cx.values))
}

/// Whether a selector on the command line means any combination at all.
fn matching(
    cx: &Context<'_>,
    id: TaskDefId,
    rows: Option<&[Row]>,
    filter: &matrix::Filter,
    selector: &str,
) -> Result<(), Box<Problem>> {
    use crate::base::diagnostic::Code;
    if filter.is_empty() || rows.is_some_and(|rows| rows.iter().any(|row| matrix::matches(row, filter))) {
        return Ok(());
    }
    let name = &cx.task(id).name.value;
    let problem = Problem::error(Code::UnknownInput, format!("`{selector}` means no instance of `{name}`"));
    let known: Vec<String> =
        rows.unwrap_or(&[]).iter().take(6).map(|row| format!("{name}[{}]", matrix::shown(row))).collect();
    Err(Box::new(match known.is_empty() {
        true => problem.help(format!("`{name}` has no matrix")),
        false => problem.help(format!("there are {}", known.join(", "))),
    }))
}

/// All that is wrong with the tasks of a file and no single request may show: every cycle, and the plan of all
/// tasks that can be asked for without any word.
pub fn check(file: &Xecfile, request: &Request, world: World<'_>) -> Vec<Problem> {
    let names = Names::new(file);
    let every: Vec<TaskIndex> = (0..file.tasks.len()).collect();
    let cycles = cycle::check(file, &names.reach(&every).1);
    if !cycles.is_empty() {
        return cycles;
    }
    let asked: Vec<Asked> = file
        .tasks
        .iter()
        .filter(|task| !task.private && !task.params.iter().any(crate::xecfile::model::Param::is_required))
        .map(|task| Asked::plain(&*task.name.value))
        .collect();
    let all = |tasks: &[Asked]| Request { tasks: tasks.to_vec(), parallel: true, ..request.clone() };
    // All at once is linear; one by one finds what the first problem of all hides.
    let first = compile(file, &all(&asked), world).err().unwrap_or_default();
    if first.is_empty() {
        return first;
    }
    let mut problems: Vec<Problem> = Vec::new();
    for one in asked.iter().take(MOST_CHECKED) {
        for problem in compile(file, &all(std::slice::from_ref(one)), world).err().unwrap_or_default() {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    if problems.is_empty() { first } else { problems }
}

/// So many tasks are looked at one by one where something is wrong.
const MOST_CHECKED: usize = 200;

/// How the children of an open scope hang together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    InTurn,
    SideBySide,
}

/// What is laid out inside of an open scope.
enum Todo<'d> {
    Steps(std::slice::Iter<'d, Node>),
    Rows(TaskDefId, Inputs, std::vec::IntoIter<Row>),
}

/// A scope whose children are being laid out.
struct Frame<'d> {
    scope: ScopeId,
    instance: Option<InstanceId>,
    todo: Todo<'d>,
    order: Order,
    /// What the next child waits for.
    tail: VertexId,
    /// Children side by side that have ended, for the exit to wait for.
    loose: Vec<VertexId>,
    /// What follows, when the body is laid out.
    hooks: Option<&'d HookDefs>,
    /// It is the hook of the frame below, of this stage.
    stage: Option<usize>,
    /// Who named it, and what is taken from it.
    called: Option<(InstanceId, &'d Reference)>,
    /// Its children are ways to one thing, each with a turn of its own.
    ways: bool,
    /// The instances directly in it, where it is a set.
    members: Vec<InstanceId>,
}

/// What stands for a unit.
struct Standing {
    scope: ScopeId,
    /// By the place of its combination; one alone where there is no matrix.
    members: HashMap<Option<usize>, InstanceId>,
}

struct Builder<'b, 'c> {
    cx: &'b Context<'c>,
    units: &'b mut Units,
    cpus: u32,
    layout: Layout,
    standing: HashMap<UnitId, Standing>,
    /// The sets of matrices, with what they were given: their hooks see it.
    sets: HashMap<ScopeId, (TaskDefId, Inputs)>,
    /// Edges to draw when all shared units stand.
    demands: Vec<Demand>,
}

struct Demand {
    gate: VertexId,
    then: VertexId,
    from: Option<InstanceId>,
    meant: Meant,
    takes: Vec<(Arc<str>, Arc<str>)>,
}

impl<'b, 'c> Builder<'b, 'c> {
    fn new(cx: &'b Context<'c>, units: &'b mut Units, request: &Request) -> Self {
        let layout = Layout { limits: vec![request.slots], ..Layout::default() };
        Self {
            cx,
            units,
            cpus: request.cpus,
            layout,
            standing: HashMap::new(),
            sets: HashMap::new(),
            demands: Vec::new(),
        }
    }

    fn build(&mut self, wanted: &[(&Asked, Vec<Meant>)], on_error: OnError, parallel: bool) -> Laid<()> {
        let run = self.layout.open(None, ScopeKind::Run, Rules::plain(on_error), Span::default())?;
        self.requests(run, wanted, on_error, parallel)?;
        let defs = self.cx.defs.clone();
        for id in (0..self.units.units.len() as u32).map(UnitId) {
            self.unit(&defs, run, id)?;
        }
        self.draw_demands();
        self.draw_after();
        // The run has ended when all that was asked for has, and every shared unit, wanted or not.
        let waits = self.layout.requested.iter().map(|(_, wait)| *wait);
        let shared = self.layout.scopes.iter().filter(|scope| scope.shared).map(|scope| scope.exit);
        let ends: Vec<VertexId> = waits.chain(shared).collect();
        self.layout.close(run, &ends)?;
        Ok(())
    }

    /// A pair of vertices for each task asked for: reached, and done.
    fn requests(
        &mut self,
        run: ScopeId,
        wanted: &[(&Asked, Vec<Meant>)],
        on_error: OnError,
        parallel: bool,
    ) -> Laid<()> {
        let enter = self.layout.scopes[run.index()].enter;
        let mut tail = enter;
        for (asked, meant) in wanted {
            let reached = self.layout.vertex(Vertex::Gate(run), run, 0, Span::default())?;
            let done = self.layout.vertex(Vertex::Await, run, 0, Span::default())?;
            let in_turn = if on_error == OnError::Continue { EdgeKind::Settled } else { EdgeKind::Ok };
            self.layout.edge(tail, reached, if tail == enter { EdgeKind::Ok } else { in_turn });
            self.layout.edge(reached, done, EdgeKind::Ok);
            for one in meant {
                let meant = Meant { unit: one.unit, rows: None };
                self.demands.push(Demand { gate: reached, then: done, from: None, meant, takes: Vec::new() });
            }
            if !parallel {
                tail = done;
            }
            self.layout.requested.push((asked.selector.as_str().into(), done));
        }
        Ok(())
    }

    fn unit(&mut self, defs: &Defs, run: ScopeId, id: UnitId) -> Laid<()> {
        let unit = &self.units.units[id.0 as usize];
        let (task, inputs) = (unit.task, unit.inputs.clone());
        let Some(rows) = &unit.rows else {
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

    /// Lays out all that is in an open frame; says which instances are directly in it.
    fn lay_out<'d>(&mut self, defs: &'d Defs, first: Frame<'d>) -> Laid<Vec<InstanceId>> {
        let mut frames = vec![first];
        let mut last = Vec::new();
        while let Some(mut frame) = frames.pop() {
            match self.next(defs, &mut frame)? {
                Some(inner) => {
                    frames.push(frame);
                    frames.extend(inner);
                }
                None => {
                    if let Some(hook) = self.next_hook(&mut frame)? {
                        frames.push(frame);
                        frames.push(hook);
                        continue;
                    }
                    last = self.close(frame, frames.last_mut())?;
                }
            }
        }
        Ok(last)
    }

    /// The next child of a frame: laid out at once, or as frames of its own; `None` when there is none left.
    fn next<'d>(&mut self, defs: &'d Defs, frame: &mut Frame<'d>) -> Laid<Option<Vec<Frame<'d>>>> {
        let node = match &mut frame.todo {
            Todo::Rows(task, inputs, rows) => {
                let Some(row) = rows.next() else { return Ok(None) };
                let (task, inputs) = (*task, inputs.clone());
                let inner = self.open_instance(defs, frame.scope, task, inputs, Some(&row), false)?;
                self.arrive(frame, self.layout.head(inner.scope));
                frame.members.extend(inner.instance);
                return Ok(Some(vec![inner]));
            }
            Todo::Steps(steps) => match steps.next() {
                Some(node) => node,
                None => return Ok(None),
            },
        };
        let owner = frame.instance;
        if frame.ways && (node.needs_scope() || !matches!(node.kind, NodeKind::Leaf(_))) {
            return self.branch(frame, node).map(|branch| Some(vec![branch]));
        }
        let (rules, wrapped) = self.rules(&node.policy, &node.conditions, owner, node.needs_scope())?;
        Ok(Some(match &node.kind {
            NodeKind::Leaf(command) => {
                self.leaf(frame, *command, node, wrapped.then_some(rules))?;
                Vec::new()
            }
            NodeKind::Call(callee, reference) => {
                let mut around = None;
                if wrapped {
                    let scope = self.layout.open(Some(frame.scope), ScopeKind::Group, rules, node.span)?;
                    let enter = self.layout.scopes[scope.index()].enter;
                    self.arrive(frame, enter);
                    around = Some(Frame::new(scope, owner, Todo::Steps([].iter()), Order::InTurn, enter));
                }
                let place = around.as_mut().unwrap_or(frame);
                let inner = self.open_call(defs, place, *callee, reference)?;
                around.into_iter().chain([inner]).collect()
            }
            NodeKind::Group(group, steps) => {
                let completion = match group {
                    Group::Sequence | Group::Parallel => Completion::All,
                    Group::Any => Completion::FirstOk,
                    Group::Race => Completion::First,
                };
                let rules = Rules { completion, ..rules };
                let scope = self.layout.open(Some(frame.scope), ScopeKind::Group, rules, node.span)?;
                let enter = self.layout.scopes[scope.index()].enter;
                self.arrive(frame, enter);
                self.layout.scopes[scope.index()].side_by_side = *group == Group::Parallel;
                let order = if *group == Group::Sequence { Order::InTurn } else { Order::SideBySide };
                let inner = Frame::new(scope, owner, Todo::Steps(steps.iter()), order, enter);
                vec![Frame { hooks: Some(&node.hooks), ways: *group == Group::Any, ..inner }]
            }
        }))
    }

    /// One of several ways, of which each holds its turn from before what it needs is wanted until it has failed for
    /// good.
    fn branch<'d>(&mut self, frame: &Frame<'d>, node: &'d Node) -> Laid<Frame<'d>> {
        let rules = Rules::plain(node.policy.on_error);
        let scope = self.layout.open(Some(frame.scope), ScopeKind::Branch, rules, node.span)?;
        let enter = self.layout.scopes[scope.index()].enter;
        self.arrive(frame, enter);
        let only = Todo::Steps(std::slice::from_ref(node).iter());
        Ok(Frame::new(scope, frame.instance, only, Order::InTurn, enter))
    }

    /// A child of this frame begins here.
    fn arrive(&mut self, frame: &Frame<'_>, head: VertexId) {
        self.layout.edge(frame.tail, head, EdgeKind::Ok);
        self.layout.scopes[frame.scope.index()].children += 1;
    }

    /// The hook that follows a frame, if there is another one.
    fn next_hook<'d>(&mut self, frame: &mut Frame<'d>) -> Laid<Option<Frame<'d>>> {
        let Some(hooks) = frame.hooks else { return Ok(None) };
        let laid = &self.layout.scopes[frame.scope.index()].hooks;
        let stage = (0..3).find(|stage| laid[*stage].is_none() && !hooks.stages[*stage].is_empty());
        let Some(stage) = stage else { return Ok(None) };
        let site = self.layout.scopes[frame.scope.index()].site;
        let rules = Rules { timeout: Some(HOOK_TIMEOUT), is_hook: true, ..Rules::plain(OnError::FailFast) };
        let scope = self.layout.open(Some(frame.scope), ScopeKind::Group, rules, site)?;
        self.layout.scopes[frame.scope.index()].hooks[stage] = Some(scope);
        let enter = self.layout.scopes[scope.index()].enter;
        let hook = Frame::new(scope, frame.instance, Todo::Steps(hooks.stages[stage].iter()), Order::InTurn, enter);
        Ok(Some(Frame { stage: Some(stage), ..hook }))
    }

    /// A frame is laid out: its exit stands, and the frame below goes on from there.
    fn close(&mut self, frame: Frame<'_>, outer: Option<&mut Frame<'_>>) -> Laid<Vec<InstanceId>> {
        let mut ends = frame.loose;
        if ends.is_empty() {
            ends.push(frame.tail);
        }
        let exit = self.layout.close(frame.scope, &ends)?;
        if let Some((caller, reference)) = frame.called {
            let from = match frame.instance {
                Some(instance) if frame.members.is_empty() => vec![instance],
                _ => frame.members.clone(),
            };
            let list = frame.instance.is_none();
            for take in &reference.takes {
                let take =
                    TakeFrom { here: take.here.value.clone(), name: take.name.value.clone(), from: from.clone(), list };
                self.layout.instances[caller.index()].takes.push(take);
            }
        }
        if let (Some(outer), None) = (outer, frame.stage) {
            match outer.order {
                Order::InTurn => outer.tail = exit,
                Order::SideBySide => outer.loose.push(exit),
            }
        }
        Ok(frame.members)
    }

    fn open_call<'d>(
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

    fn open_callee<'d>(
        &mut self,
        defs: &'d Defs,
        frame: &mut Frame<'d>,
        callee: TaskDefId,
        reference: &'d Reference,
        caller: Option<InstanceId>,
        scope: (TaskDefId, Inputs),
    ) -> Laid<Frame<'d>> {
        let (inputs, rows, filter) = self.cx.bind(reference, callee, (scope.0, &scope.1))?;
        let mut inner = match rows {
            None => {
                let inner = self.open_instance(defs, frame.scope, callee, inputs, None, false)?;
                if let Some(instance) = inner.instance {
                    self.layout.instances[instance.index()].caller = caller;
                    self.layout.links.push(Link { from: caller, to: instance, kind: LinkKind::Calls });
                }
                inner
            }
            Some(rows) => {
                let rows = rows.into_iter().filter(|row| matrix::matches(row, &filter)).collect();
                self.open_set(defs, frame.scope, callee, inputs, rows, false)?
            }
        };
        self.arrive(frame, self.layout.head(inner.scope));
        inner.called = caller.map(|caller| (caller, reference));
        Ok(inner)
    }

    /// The instance that a scope lies in.
    fn instance_around(&self, scope: ScopeId) -> Option<InstanceId> {
        let mut at = Some(scope);
        while let Some(id) = at {
            match self.layout.scopes[id.index()].kind {
                ScopeKind::Instance(instance) => return Some(instance),
                _ => at = self.layout.scopes[id.index()].parent,
            }
        }
        None
    }

    /// The task and inputs of the set that a scope lies in.
    fn set_inputs(&self, scope: ScopeId) -> (TaskDefId, Inputs) {
        let mut at = Some(scope);
        while let Some(id) = at {
            if let Some(found) = self.sets.get(&id) {
                return found.clone();
            }
            at = self.layout.scopes[id.index()].parent;
        }
        (TaskDefId(0), Arc::from([]))
    }

    fn open_set<'d>(
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
        let scope = self.layout.open(Some(parent), ScopeKind::Group, Rules { shared, ..rules }, def.span)?;
        self.layout.scopes[scope.index()].side_by_side = true;
        self.sets.insert(scope, (task, inputs.clone()));
        let enter = self.layout.scopes[scope.index()].enter;
        let frame = Frame::new(scope, None, Todo::Rows(task, inputs, rows.into_iter()), Order::SideBySide, enter);
        Ok(Frame { hooks: Some(&def.set_hooks), ..frame })
    }

    fn open_instance<'d>(
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
        let guard = self.guard(&written.conditions, values)?;
        let rules = Rules { guard, shared, ..self.settle(&def.policy, values)? };
        let runs = !matches!(rules.guard, Guard::Never);
        let label = self.label(task, &inputs);
        let waits = runs && (!written.needs.is_empty() || !def.after.is_empty());
        // The scope is the next one to be opened.
        let next = ScopeId(self.layout.scopes.len() as u32);
        let gate = match waits {
            true => Some(self.layout.vertex(Vertex::Gate(next), parent, rules.priority, def.span)?),
            false => None,
        };
        let scope = self.layout.open(Some(parent), ScopeKind::Instance(id), rules, def.span)?;
        let enter = self.layout.scopes[scope.index()].enter;
        if let Some(gate) = gate {
            self.layout.scopes[scope.index()].gate = Some(gate);
            self.layout.scopes[scope.index()].vertices.start = gate.0;
            self.layout.edge(gate, enter, EdgeKind::Ok);
            for need in &written.needs {
                let Some(meant) = self.units.need(self.cx, need, (task, &inputs))? else { continue };
                let takes = need.takes.iter().map(|take| (take.name.value.clone(), take.here.value.clone())).collect();
                self.demands.push(Demand { gate, then: enter, from: Some(id), meant, takes });
            }
        }
        self.layout.instances.push(Instance { scope, def: task, label, inputs, caller: None, takes: Vec::new() });
        let steps = if runs { def.body.iter() } else { [].iter() };
        let frame = Frame::new(scope, Some(id), Todo::Steps(steps), Order::InTurn, enter);
        Ok(Frame { hooks: runs.then_some(&def.hooks), ..frame })
    }

    fn label(&self, task: TaskDefId, inputs: &Inputs) -> Arc<TaskLabel> {
        let def = self.cx.def(task);
        let shown = brackets(self.cx.task(task), inputs, self.cx.scope(task, &[]));
        if shown.is_empty() {
            return def.label.clone();
        }
        Arc::new(TaskLabel { instance: format!("{}{shown}", def.label.task).into(), ..(*def.label).clone() })
    }

    fn leaf(&mut self, frame: &mut Frame<'_>, command: CommandId, node: &Node, own: Option<Rules>) -> Laid<()> {
        let instance = match frame.instance.or_else(|| self.instance_around(frame.scope)) {
            Some(instance) => instance,
            None => self.stand_in(frame.scope),
        };
        let around = match own {
            Some(rules) => {
                let scope = self.layout.open(Some(frame.scope), ScopeKind::Group, rules, node.span)?;
                self.layout.scopes[scope.index()].children = 1;
                Some(scope)
            }
            None => None,
        };
        let scope = around.unwrap_or(frame.scope);
        let this = &self.cx.defs.commands[command.index()];
        let inputs = self.layout.instances[instance.index()].inputs.clone();
        let values = self.cx.scope(self.layout.instances[instance.index()].def, &inputs);
        let time = |text: &str| crate::base::duration::parse(text).ok();
        let grace = match &this.grace {
            Some(late) => values.setting(late, "`grace`", time)?,
            None => DEFAULT_GRACE,
        };
        let wait = match &this.work {
            Work::Wait(late) => Some(values.setting(late, "`wait`", time)?),
            _ => None,
        };
        let id = LeafId(self.layout.leaves.len() as u32);
        let vertex = self.layout.vertex(Vertex::Leaf(id), scope, this.priority, node.span)?;
        self.layout.leaves.push(Leaf { scope, instance, vertex, command, grace, wait });
        let (head, tail) = match around {
            None => (vertex, vertex),
            Some(own) => {
                let enter = self.layout.scopes[own.index()].enter;
                self.layout.edge(enter, vertex, EdgeKind::Ok);
                (enter, self.layout.close(own, &[vertex])?)
            }
        };
        self.arrive(frame, head);
        match frame.order {
            Order::InTurn => frame.tail = tail,
            Order::SideBySide => frame.loose.push(tail),
        }
        Ok(())
    }

    /// The hooks of a set belong to no instance: one stands in for the set, so that what they run has a name.
    fn stand_in(&mut self, scope: ScopeId) -> InstanceId {
        let (task, inputs) = self.set_inputs(scope);
        let id = InstanceId(self.layout.instances.len() as u32);
        let label = self.cx.def(task).label.clone();
        self.layout.instances.push(Instance { scope, def: task, label, inputs, caller: None, takes: Vec::new() });
        id
    }

    fn guard(&self, conditions: &[Condition], values: Values<'_>) -> Laid<Guard> {
        Ok(match decide(conditions, values)? {
            Decision::Yes => Guard::Always,
            Decision::No => Guard::Never,
            Decision::Ask => Guard::Ask(conditions.into()),
        })
    }

    /// The rules of a step, and whether it needs a scope for them.
    fn rules(
        &self,
        policy: &Policy,
        conditions: &[Condition],
        owner: Option<InstanceId>,
        needs_scope: bool,
    ) -> Laid<(Rules, bool)> {
        if !needs_scope && policy.jobs.is_none() && policy.require.is_none() {
            return Ok((Rules { priority: policy.priority, ..Rules::plain(policy.on_error) }, false));
        }
        let none: Inputs = Arc::from([]);
        let (task, inputs) = match owner {
            Some(owner) => {
                let instance = &self.layout.instances[owner.index()];
                (instance.def, instance.inputs.clone())
            }
            None => (TaskDefId(0), none),
        };
        let values = self.cx.scope(task, &inputs);
        let rules = self.settle(policy, values)?;
        Ok((Rules { guard: self.guard(conditions, values)?, ..rules }, needs_scope))
    }

    fn settle(&self, policy: &Policy, values: Values<'_>) -> Laid<Rules> {
        fn set<T: Copy>(
            values: Values<'_>,
            late: &Option<Spanned<Late<T>>>,
            what: &str,
            read: impl Fn(&str) -> Option<T>,
        ) -> Laid<Option<T>> {
            late.as_ref().map(|late| values.setting(late, what, read)).transpose()
        }
        let width: Option<Width> = set(values, &policy.jobs, "`jobs`", |text| text.parse().ok())?;
        let flag = |text: &str| match text {
            "true" => Some(true),
            "" | "false" => Some(false),
            _ => None,
        };
        let time = |text: &str| crate::base::duration::parse(text).ok();
        let timeout: Option<Duration> = set(values, &policy.timeout, "`timeout`", time)?;
        let require: Option<Share> = set(values, &policy.require, "`require`", |text| text.parse().ok())?;
        Ok(Rules {
            optional: set(values, &policy.optional, "`optional`", flag)?.unwrap_or(false),
            timeout,
            jobs: width.and_then(|width| width.resolve(self.cpus)),
            require: require.unwrap_or(Share::ALL),
            retry: policy.retry.filter(|retry| retry.times > 0),
            priority: policy.priority,
            ..Rules::plain(policy.on_error)
        })
    }

    fn draw_demands(&mut self) {
        for demand in std::mem::take(&mut self.demands) {
            let Some(standing) = self.standing.get(&demand.meant.unit) else { continue };
            let (head, exit) = (self.layout.head(standing.scope), self.layout.scopes[standing.scope.index()].exit);
            self.layout.edge(demand.gate, head, EdgeKind::Demand);
            let members: Vec<InstanceId> = match &demand.meant.rows {
                None => {
                    self.layout.edge(exit, demand.then, EdgeKind::Ok);
                    let mut all: Vec<(Option<usize>, InstanceId)> =
                        standing.members.iter().map(|(place, id)| (*place, *id)).collect();
                    all.sort_unstable();
                    all.into_iter().map(|(_, id)| id).collect()
                }
                Some(rows) => {
                    let members: Vec<InstanceId> =
                        rows.iter().filter_map(|row| standing.members.get(&Some(*row)).copied()).collect();
                    for member in &members {
                        let scope = self.layout.instances[member.index()].scope;
                        let exit = self.layout.scopes[scope.index()].exit;
                        self.layout.edge(exit, demand.then, EdgeKind::Ok);
                    }
                    members
                }
            };
            let kind = if demand.from.is_some() { LinkKind::Needs } else { LinkKind::Requested };
            self.layout.links.extend(members.iter().map(|to| Link { from: demand.from, to: *to, kind }));
            let list = !standing.members.contains_key(&None);
            if let Some(from) = demand.from {
                let takes =
                    demand.takes.into_iter().map(|(name, here)| TakeFrom { here, name, from: members.clone(), list });
                self.layout.instances[from.index()].takes.extend(takes);
            }
        }
    }

    fn draw_after(&mut self) {
        let mut shared: HashMap<TaskDefId, Vec<UnitId>> = HashMap::new();
        for (id, unit) in self.units.units.iter().enumerate() {
            shared.entry(unit.task).or_default().push(UnitId(id as u32));
        }
        for at in 0..self.layout.instances.len() {
            let scope = self.layout.instances[at].scope;
            if self.layout.scopes[scope.index()].gate.is_none() {
                continue;
            }
            let enter = self.layout.scopes[scope.index()].enter;
            for other in &self.cx.def(self.layout.instances[at].def).after {
                for unit in shared.get(other).into_iter().flatten() {
                    let Some(standing) = self.standing.get(unit) else { continue };
                    let exit = self.layout.scopes[standing.scope.index()].exit;
                    self.layout.edge(exit, enter, EdgeKind::Order);
                    let from = Some(InstanceId(at as u32));
                    let links = standing.members.values().map(|to| Link { from, to: *to, kind: LinkKind::After });
                    self.layout.links.extend(links);
                }
            }
        }
    }
}

impl<'d> Frame<'d> {
    fn new(scope: ScopeId, instance: Option<InstanceId>, todo: Todo<'d>, order: Order, tail: VertexId) -> Self {
        Self {
            scope,
            instance,
            todo,
            order,
            tail,
            loose: Vec::new(),
            hooks: None,
            stage: None,
            called: None,
            ways: false,
            members: Vec::new(),
        }
    }
}
