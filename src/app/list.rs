//! `-l`: the tasks of the file.

use crate::app::Answer;
use crate::app::open::{Opened, stdout_style};
use crate::app::options::Options;
use crate::report::list;

pub(super) fn list(options: &Options, opened: &Opened) -> Answer {
    let tasks: Vec<list::Entry<'_>> =
        opened.file.tasks.iter().map(|task| (&*task.name.value, task.desc.as_deref())).collect();
    let out = if options.show.json { list::json(&tasks) } else { list::text(&tasks, stdout_style(options)) };
    Answer { err: opened.warnings.clone(), ..Answer::text(out) }
}
