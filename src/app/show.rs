//! `--show`: one task as it was understood.

use crate::app::Answer;
use crate::app::open::{Opened, names, refuse, stdout_style};
use crate::app::options::Options;
use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::report::show;

pub(super) fn show(name: &str, options: &Options, opened: &Opened) -> Answer {
    let sources = &opened.file.sources;
    let Some(task) = opened.task(name) else {
        let near = did_you_mean(name, opened.file.tasks.iter().flat_map(names));
        let help = near.unwrap_or_else(|| "`xec -la` lists the tasks of this file".to_owned());
        let problem = Problem::error(Code::UnknownTask, format!("there is no task `{name}`")).help(help);
        return refuse(options, &[problem], sources);
    };
    let out = match options.show.json {
        true => show::json(task, sources),
        false => show::text(task, sources, stdout_style(options)),
    };
    opened.answer(options, out)
}
