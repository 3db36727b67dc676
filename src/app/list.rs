//! `-l`: the tasks of the file.

use crate::app::Answer;
use crate::app::open::{Opened, stdout_style};
use crate::app::options::Options;
use crate::report::list;
use crate::xecfile::model::Task;

pub(super) fn list(options: &Options, opened: &Opened) -> Answer {
    let tasks: Vec<&Task> = opened.file.tasks.iter().filter(|task| options.all || !task.private).collect();
    let hosts = &opened.file.hosts;
    let out =
        if options.show.json { list::json(&tasks, hosts) } else { list::text(&tasks, hosts, stdout_style(options)) };
    opened.answer(options, out)
}
