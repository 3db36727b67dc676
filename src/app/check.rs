//! `--check`: all problems of the file, those of tasks that nobody asked for included.

use crate::app::Answer;
use crate::app::open::{Opened, refuse, show};
use crate::app::options::Options;
use crate::app::world;
use crate::plan::compile;
use crate::report::problems_json;

pub(super) fn check(options: &Options, opened: &Opened) -> Answer {
    let sources = &opened.file.sources;
    let mut warned = opened.found.clone();
    warned.extend(opened.file.fail_fast());
    let mut found = compile::check(&opened.file, &opened.request(options), world::world());
    if !found.is_empty() {
        // The warnings of the file first, as they would be said without these.
        found.splice(..0, warned);
        return refuse(options, &found, sources);
    }
    if options.show.json {
        return Answer::text(problems_json::lines(&warned, sources));
    }
    let tasks = opened.file.tasks.len();
    let word = if tasks == 1 { "task" } else { "tasks" };
    let out = if options.show.quiet { String::new() } else { format!("ok: {tasks} {word}\n") };
    Answer { err: show(options, &warned, sources), ..Answer::text(out) }
}
