//! What is wrong with the tasks of a file, whichever of them is asked for. Lays nothing out itself.

use crate::base::diagnostic::{Code, Problem};
use crate::plan::compile::{compile, meet};
use crate::plan::cycle;
use crate::plan::graph::Plan;
use crate::plan::request::{Asked, Request};
use crate::plan::select::{Names, TaskIndex};
use crate::plan::world::World;
use crate::xecfile::model::{Axis, AxisSource, Task, Xecfile};

/// All that is wrong with the tasks of a file and no single request may show: every cycle, and the plan of all
/// tasks that can be asked for without any word.
///
/// # Errors
/// These. Axes of files that have none just now are no mistake, and warned of where nothing else is wrong.
pub fn check(file: &Xecfile, request: &Request, world: World<'_>) -> Result<Checked, Vec<Problem>> {
    let plans = plans(file, request, World { lenient: true, ..world })?;
    let no_files = file.tasks.iter().flat_map(|task| no_files(file, task, world));
    let warnings = no_files.chain(file.fail_fast()).chain(meet::warnings(file)).collect();
    Ok(Checked { plans, warnings })
}

/// A file in which nothing is wrong.
pub struct Checked {
    /// The plan of all tasks that can be asked for without any word, or one of each where they cannot run together.
    pub plans: Vec<Plan>,
    /// What may be meant otherwise.
    pub warnings: Vec<Problem>,
}

/// The axes of files that have none just now, as far as that can be said without a plan.
fn no_files(file: &Xecfile, task: &Task, world: World<'_>) -> Vec<Problem> {
    let Some(matrix) = task.matrix.as_ref().filter(|matrix| !matrix.may_be_empty) else { return Vec::new() };
    let scope = file.scope(task);
    let dir = match task.settings.cwd.as_ref().or(scope.defaults.cwd.as_ref()).map(|cwd| cwd.value.as_text()) {
        None => scope.dir.clone(),
        Some(Some(cwd)) => scope.dir.join(&**cwd),
        Some(None) => return Vec::new(),
    };
    let empty = |axis: &&Axis| match &axis.source {
        AxisSource::Glob(text) => {
            text.value.as_text().is_some_and(|pattern| (world.glob)(&dir, pattern).is_ok_and(|found| found.is_empty()))
        }
        _ => false,
    };
    let warning = |axis: &Axis| {
        let message = format!("no file is there for the axis `{}` of `{}`", axis.name.value, task.name.value);
        let help = "a run of it is refused until there is one; `empty=ok` on the matrix lets it pass";
        Problem::warning(Code::EmptyMatrix, message).at(axis.span, "").help(help)
    };
    matrix.axes.iter().filter(empty).map(warning).collect()
}

fn plans(file: &Xecfile, request: &Request, world: World<'_>) -> Result<Vec<Plan>, Vec<Problem>> {
    let names = Names::new(file);
    let every: Vec<TaskIndex> = (0..file.tasks.len()).collect();
    let cycles = cycle::check(file, &names.reach(&every).1);
    if !cycles.is_empty() {
        return Err(cycles);
    }
    let asked: Vec<Asked> = file
        .tasks
        .iter()
        .filter(|task| !task.private && !task.params.iter().any(crate::xecfile::model::Param::is_required))
        .map(|task| Asked::plain(&*task.name.value))
        .collect();
    let all = |tasks: &[Asked]| Request { tasks: tasks.to_vec(), parallel: true, ..request.clone() };
    // All at once is linear; one by one finds what the first problem of all hides.
    let first = match compile(file, &all(&asked), world) {
        Ok(plan) => return Ok(vec![plan]),
        Err(found) => found,
    };
    let (mut plans, mut problems): (Vec<Plan>, Vec<Problem>) = (Vec::new(), Vec::new());
    for one in asked.iter().take(MOST_CHECKED) {
        match compile(file, &all(std::slice::from_ref(one)), world) {
            Ok(plan) => plans.push(plan),
            Err(found) => {
                // Who is told of one plan that is too large need not wait for the next one.
                let enough = found.iter().any(|problem| problem.code == Code::PlanTooLarge);
                for problem in found {
                    if !problems.contains(&problem) {
                        problems.push(problem);
                    }
                }
                if enough {
                    break;
                }
            }
        }
    }
    // Tasks that nobody runs together may well make the same file.
    let alone = first.iter().all(|problem| problem.code == Code::OutputTwice);
    match problems.is_empty() {
        true if alone => Ok(plans),
        true => Err(first),
        false => Err(problems),
    }
}

/// So many tasks are looked at one by one where something is wrong.
const MOST_CHECKED: usize = 200;
