//! Floor 6: one file for each verb; each wires the floors below it, and does nothing else. Knows nothing of how it was
//! asked for.

use crate::app::open::Opened;
use crate::app::options::{Exit, Options, Verb};
use crate::exec::broker::Broker;

mod above;
mod adhoc;
mod affected;
mod again;
mod check;
mod confirm;
mod explain;
mod fleet;
mod gc;
mod graph;
mod learn;
mod list;
mod open;
pub mod options;
mod run;
mod show;
mod signals;
mod slots;
mod tune;
mod watch;
mod world;

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

/// Does what was asked for. Only [`Verb::Run`] takes a broker; everything else starts no process and, but for
/// [`Verb::CacheGc`], writes nothing.
pub fn answer(options: &Options, broker: Option<Broker>) -> Answer {
    let open = || open::open(options);
    let answered = match &options.verb {
        Verb::Explain(code) => Ok(explain::explain(code, options)),
        Verb::List => open().map(|opened| list::list(options, &opened)),
        Verb::Show(name) => open().map(|opened| show::show(name, options, &opened)),
        Verb::Last => open().map(|opened| again::last(options, &opened)),
        Verb::CacheGc(limit) => open().map(|opened| gc::collect(*limit, &opened)),
        Verb::Check => open().map(|opened| check::check(options, &opened)),
        Verb::DryRun | Verb::Graph(_) | Verb::Run => open().map(|opened| plan(options, opened, broker)),
    };
    answered.unwrap_or_else(|refusal| refusal)
}

/// What needs a plan; where there is nothing to plan, the list says what there could be.
fn plan(options: &Options, opened: Opened, broker: Option<Broker>) -> Answer {
    match options.verb {
        _ if !options.failed && opened.tasks(options).is_empty() => list::list(options, &opened),
        Verb::Run if !options.tune.is_empty() => tune::tune(options, opened, broker),
        Verb::Run => run::run(options, opened, broker),
        _ => graph::look(options, &opened),
    }
}
