//! `--check`: all problems of the file, those of tasks that nobody asked for included.

use crate::app::Answer;
use crate::app::open::{Opened, refuse, show};
use crate::app::options::Options;
use crate::app::world;
use crate::plan::compile::{self, Checked};
use crate::report::{plan, problems_json};

pub(super) fn check(options: &Options, opened: &Opened) -> Answer {
    let sources = &opened.file.sources;
    let (made, warnings) = match compile::check(&opened.file, &opened.request(options), world::world()) {
        Ok(Checked { plans, warnings }) => (Ok(plans), warnings),
        Err(found) => (Err(()), found),
    };
    // The warnings of the file first, as they would be said without the rest.
    let mut found = opened.found.clone();
    found.extend(warnings);
    let Ok(made) = made else { return refuse(options, &found, sources) };
    if options.show.json {
        return Answer::text(problems_json::lines(&found, sources));
    }
    let tasks = opened.file.tasks.len();
    let word = if tasks == 1 { "task" } else { "tasks" };
    let said = || format!("ok: {tasks} {word}\n{}", made.iter().map(plan::sets).collect::<String>());
    let out = if options.show.quiet { String::new() } else { said() };
    Answer { err: show(options, &found, sources), ..Answer::text(out) }
}
