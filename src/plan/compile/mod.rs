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

mod barrier;
mod batches;
mod call;
mod check;
mod edges;
mod frames;
mod instance;
mod lanes;
mod leaf;
mod meet;
mod outputs;
mod places;
mod roots;
mod rules;
mod services;
mod turns;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::base::diagnostic::Problem;
use crate::base::source::Span;
use crate::plan::cycle;
use crate::plan::defs::Defs;
use crate::plan::graph::{Limit, Plan, ScopeKind, TakeFrom};
use crate::plan::hosts::Found;
use crate::plan::ids::{InstanceId, ScopeId, TaskDefId, VertexId};
use crate::plan::inputs::from_words;
use crate::plan::layout::{Laid, Layout, Rules};
use crate::plan::matrix::{self, Row};
use crate::plan::request::{Asked, Request};
use crate::plan::select::{Names, TaskIndex};
use crate::plan::units::{Context, Meant, UnitId, Units};
use crate::plan::values::{FileValues, Inputs};
use crate::plan::words;
use crate::plan::world::World;
use crate::xecfile::model::{Host, OnError, Xecfile};

pub use check::{Checked, check};

/// The most vertices that a plan may have.
pub const MAX_VERTICES: usize = 1_000_000;

/// Makes the plan of a request.
///
/// # Errors
/// All problems that can be known before anything runs: unknown tasks, cycles, inputs that do not fit, a plan that
/// is too large.
pub fn compile(file: &Xecfile, request: &Request, world: World<'_>) -> Result<Plan, Vec<Problem>> {
    let names = Names::new(file);
    let typed = words::attach(&names, &request.tasks).map_err(|problem| vec![*problem])?;
    let (asked, mut problems) = words::select(&names, &typed);
    let roots: Vec<TaskIndex> = asked.iter().flat_map(|(_, tasks, _)| tasks.iter().copied()).collect();
    let (reached, mentions) = names.reach(&roots);
    problems.extend(cycle::check(file, &mentions));
    let mut values = Vec::new();
    let hosts: Arc<[Host]> = file.hosts.as_slice().into();
    for scope in &file.files {
        match FileValues::of(scope, &hosts, world) {
            Ok(found) => values.push(found),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let defs = Arc::new(Defs::lower(file, &names, &reached, request.on_error));
    let cx = Context { file, defs, world, values, spared: &request.spared };
    let places: FxHashMap<TaskIndex, TaskDefId> =
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
                Ok(units.want(id, inputs, rows, (&filter, request.take)))
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
    let problems = outputs::check(&cx, &builder.layout.instances);
    if !problems.is_empty() {
        return Err(problems);
    }
    let layout = builder.layout;
    Ok(Plan { spared: request.spared.clone(), ..layout.freeze(cx.defs, cx.values) })
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
    let written = cx.task(id).matrix.as_ref();
    let known: Vec<String> = rows
        .unwrap_or(&[])
        .iter()
        .zip(written.into_iter().cycle())
        .take(6)
        .map(|(row, matrix)| format!("{name}{}", matrix::shown(matrix, row)))
        .collect();
    let axes = || rows.into_iter().flatten().flat_map(|row| row.iter()).map(|(axis, _)| &**axis);
    let strange = filter.iter().map(|(axis, _)| &**axis).find(|axis| !axes().any(|known| known == *axis));
    let near = strange.and_then(|axis| crate::base::name::did_you_mean(axis, axes()));
    Err(Box::new(match known.is_empty() {
        true => problem.help(format!("`{name}` has no matrix")),
        false => problem.help(format!(
            "{}there are {}",
            near.map(|near| format!("{near}\n")).unwrap_or_default(),
            known.join(", ")
        )),
    }))
}

/// What stands for a unit.
struct Standing {
    scope: ScopeId,
    /// By the place of its combination; one alone where there is no matrix.
    members: FxHashMap<Option<usize>, InstanceId>,
}

struct Builder<'b, 'c> {
    cx: &'b Context<'c>,
    units: &'b mut Units,
    cpus: u32,
    layout: Layout,
    hosts: Found,
    standing: FxHashMap<UnitId, Standing>,
    /// The sets of matrices, with what they were given: their hooks see it.
    sets: FxHashMap<ScopeId, (TaskDefId, Inputs)>,
    /// Where the instances of sets that are being laid out wait for each other.
    stops: FxHashMap<ScopeId, Vec<barrier::Stop>>,
    /// Whether a value that is taken from an instance is there whenever that has succeeded.
    sure: FxHashMap<(InstanceId, Arc<str>), bool>,
    /// Edges to draw when all shared units stand.
    demands: Vec<Demand>,
}

struct Demand {
    gate: VertexId,
    then: VertexId,
    from: Option<InstanceId>,
    meant: Meant,
    takes: Vec<TakeFrom>,
}

impl<'b, 'c> Builder<'b, 'c> {
    fn new(cx: &'b Context<'c>, units: &'b mut Units, request: &Request) -> Self {
        let slots = request.slots.map_or(Limit::held(None), |width| Limit::of_slots(width, request.cpus));
        let of_hosts = cx.file.hosts.iter().map(|host| Limit::held(places::host_jobs(host, request.cpus)));
        let limits = std::iter::once(slots).chain(cx.file.limits.iter().map(rules::limit)).chain(of_hosts).collect();
        let (hosts, host_limits) = (cx.file.hosts.as_slice().into(), 1 + cx.file.limits.len() as u32);
        let layout = Layout { limits, hosts, host_limits, ..Layout::default() };
        Self {
            cx,
            units,
            cpus: request.cpus,
            layout,
            hosts: Found::new(&cx.file.hosts),
            standing: FxHashMap::default(),
            sets: FxHashMap::default(),
            stops: FxHashMap::default(),
            sure: FxHashMap::default(),
            demands: Vec::new(),
        }
    }

    fn build(&mut self, wanted: &[(&Asked, Vec<Meant>)], on_error: OnError, parallel: bool) -> Laid<()> {
        let run = self.layout.open(None, ScopeKind::Run, Rules::plain(on_error), Span::default())?;
        let turns = self.requests(run, wanted)?;
        let defs = self.cx.defs.clone();
        for id in (0..self.units.units.len() as u32).map(UnitId) {
            self.unit(&defs, run, id)?;
        }
        let after = self.after();
        let order = if parallel { (0..turns.len()).collect() } else { self.order(&turns, &after) };
        self.draw_turns(run, order.into_iter().map(|at| turns[at]), on_error, parallel);
        self.draw_demands();
        self.draw_after(after);
        // The run has ended when all that was asked for has, and every shared unit, wanted or not.
        let waits = self.layout.requested.iter().map(|(_, wait)| *wait);
        let shared = self.layout.scopes.iter().filter(|scope| scope.shared).map(|scope| scope.exit);
        let ends: Vec<VertexId> = waits.chain(shared).collect();
        self.layout.close(run, &ends)?;
        Ok(())
    }
}
