//! The runs that this one was started by: what they are at, nobody may begin again inside of it. It would never end.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::base::diagnostic::{Code, Problem};
use crate::plan::Plan;
use crate::plan::graph::Guard;
use crate::run::command::{ANCESTORS, Surroundings, ancestor};

/// Tells of the first instance of a plan that runs already, around this xec.
pub(super) fn check(plan: &Plan, around: &Surroundings) -> Option<Problem> {
    let above = around.env.get(OsStr::new(ANCESTORS))?;
    let above: HashSet<&[u8]> = above.as_bytes().split(|byte| *byte == 0x1e).collect();
    let instance = plan.instances.iter().find(|instance| {
        let entry = ancestor(&around.root, &instance.label.instance);
        // Whoever has conditions may well have those that end the circle.
        let sure = match &plan.scope(instance.scope).guard {
            Guard::Always => true,
            Guard::Never(_) => false,
            Guard::Ask(conditions) => conditions.all.is_empty(),
        };
        sure && !instance.hidden && above.contains(&entry.as_bytes()[1..])
    })?;
    let (name, task) = (&instance.label.instance, &instance.label.task);
    let span = plan.defs.tasks[instance.def.index()].span;
    let problem = Problem::error(Code::Cycle, format!("`{name}` is running already: this xec is a part of it"));
    let help = format!("`call {task}` in the Xecfile runs it anew, as a part of the same run");
    Some(problem.at(span, "").help(help))
}
