//! What is up to date is not run, and what is not is: by what files hold, never by what they claim.

mod changed;
mod example;
mod fresh;
mod gc;
mod keys;
mod outputs;
mod restore;
mod state;
mod together;

use crate::harness::Ran;
use crate::harness::project::Project;

/// What the last line says, without the time.
#[track_caller]
pub fn last(ran: &Ran) -> String {
    let err = ran.err();
    let line = err.lines().last().unwrap_or_default();
    let Some((before, after)) = line.split_once(" in ") else { return line.to_owned() };
    let rest = after.find(',').map_or("", |at| &after[at..]);
    format!("{before}{rest}")
}

/// Runs, and says whether the one task ran.
#[track_caller]
pub fn runs(project: &Project, task: &str) -> bool {
    let ran = project.xec(&[task]).ok();
    match crate::harness::project::started(&ran).as_slice() {
        [] => false,
        [one] if one == task => true,
        other => panic!("ran {other:?}, {}", ran.story()),
    }
}

/// The reasons that `--why` gives for a task.
#[track_caller]
pub fn why(project: &Project, task: &str) -> String {
    let ran = project.xec(&["--why", task]).ok();
    let err = ran.err();
    let head = format!("◦ {task}: ");
    let line = err.lines().find_map(|line| line.strip_prefix(&head));
    line.unwrap_or_else(|| panic!("no reason is told, {}", ran.story())).to_owned()
}
