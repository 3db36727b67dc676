//! What is wrong with the tasks of a file, whichever of them is asked for. Lays nothing out itself.

use crate::base::diagnostic::{Code, Problem};
use crate::plan::compile::compile;
use crate::plan::cycle;
use crate::plan::graph::Plan;
use crate::plan::request::{Asked, Request};
use crate::plan::select::{Names, TaskIndex};
use crate::plan::world::World;
use crate::xecfile::model::Xecfile;

/// All that is wrong with the tasks of a file and no single request may show: every cycle, and the plan of all
/// tasks that can be asked for without any word.
///
/// # Errors
/// These; else there is that plan, or one of each task where they cannot run together.
pub fn check(file: &Xecfile, request: &Request, world: World<'_>) -> Result<Vec<Plan>, Vec<Problem>> {
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
                for problem in found {
                    if !problems.contains(&problem) {
                        problems.push(problem);
                    }
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
