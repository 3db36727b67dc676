//! `--check`: all problems of the file, those of tasks that nobody asked for included.

use crate::app::Answer;
use crate::app::open::{Opened, refuse};
use crate::app::options::Options;
use crate::plan::compile;

pub(super) fn check(options: &Options, opened: &Opened) -> Answer {
    let found = compile::check(&opened.file, &opened.request(options));
    if !found.is_empty() {
        let answer = refuse(options, &found, &opened.file.sources);
        return Answer { err: opened.warnings.clone() + &answer.err, ..answer };
    }
    let tasks = opened.file.tasks.len();
    let word = if tasks == 1 { "task" } else { "tasks" };
    let out = if options.show.quiet { String::new() } else { format!("ok: {tasks} {word}\n") };
    Answer { err: opened.warnings.clone(), ..Answer::text(out) }
}
