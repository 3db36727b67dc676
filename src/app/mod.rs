//! Floor 6: one file for each verb; each wires the floors below it, and does nothing else. Knows no clap.

use crate::app::options::{Exit, Options, Verb};
use crate::exec::broker::Broker;

mod check;
mod graph;
mod list;
mod open;
pub mod options;
mod run;

/// What a verb says, and how xec ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// For stdout.
    pub out: String,
    /// For stderr.
    pub err: String,
    /// The end.
    pub exit: Exit,
}

impl Answer {
    fn text(out: String) -> Self {
        Self { out, err: String::new(), exit: Exit::Code(0) }
    }

    /// What the user wrote cannot be.
    fn refused(err: String) -> Self {
        Self { out: String::new(), err, exit: Exit::Code(2) }
    }
}

/// Does what was asked for. Only [`Verb::Run`] takes a broker; everything else starts no process and writes
/// nothing.
pub fn answer(options: &Options, broker: Option<Broker>) -> Answer {
    let opened = match open::open(options) {
        Ok(opened) => opened,
        Err(answer) => return answer,
    };
    match options.verb {
        Verb::List => list::list(options, &opened),
        Verb::Check => check::check(options, &opened),
        Verb::DryRun | Verb::Graph(_) | Verb::Run if opened.tasks(options).is_empty() => list::list(options, &opened),
        Verb::DryRun | Verb::Graph(_) => graph::look(options, &opened),
        Verb::Run => run::run(options, opened, broker),
    }
}
