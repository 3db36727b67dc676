//! `--check`: all problems of the file, those of tasks that nobody asked for included.

use crate::app::Answer;
use crate::app::open::{Opened, refuse};
use crate::app::options::Options;
use crate::app::world;
use crate::plan::compile;
use crate::report::{plan, problems_json};

pub(super) fn check(options: &Options, opened: &Opened) -> Answer {
    let sources = &opened.file.sources;
    let made = match compile::check(&opened.file, &opened.request(options), world::world()) {
        Ok(made) => made,
        Err(mut found) => {
            // The warnings of the file first, as they would be said without these.
            found.splice(..0, opened.found.iter().cloned());
            return refuse(options, &found, sources);
        }
    };
    if options.show.json {
        return Answer::text(problems_json::lines(&opened.found, sources));
    }
    if options.show.quiet {
        return opened.answer(options, String::new());
    }
    let tasks = opened.file.tasks.len();
    let word = if tasks == 1 { "task" } else { "tasks" };
    opened.answer(options, format!("ok: {tasks} {word}\n{}", made.iter().map(plan::sets).collect::<String>()))
}
