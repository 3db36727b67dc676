//! `--check`: all problems of the file, those of tasks that nobody asked for included.

use crate::app::Answer;
use crate::app::open::{Opened, refuse, show};
use crate::app::options::Options;
use crate::app::world;
use crate::base::diagnostic::Severity;
use crate::plan::compile;
use crate::report::problems_json;

pub(super) fn check(options: &Options, opened: &Opened) -> Answer {
    let sources = &opened.file.sources;
    // The warnings of the file first, as they would be said without the rest.
    let mut found = opened.found.clone();
    found.extend(opened.file.fail_fast());
    found.extend(compile::check(&opened.file, &opened.request(options), world::world()));
    if found.iter().any(|problem| problem.severity == Severity::Error) {
        return refuse(options, &found, sources);
    }
    if options.show.json {
        return Answer::text(problems_json::lines(&found, sources));
    }
    let tasks = opened.file.tasks.len();
    let word = if tasks == 1 { "task" } else { "tasks" };
    let out = if options.show.quiet { String::new() } else { format!("ok: {tasks} {word}\n") };
    Answer { err: show(options, &found, sources), ..Answer::text(out) }
}
