//! `-n` and `--graph`: the plan of what was asked for, to be looked at.

use crate::app::Answer;
use crate::app::open::{Opened, stdout_style};
use crate::app::options::{GraphFormat, Options, Verb};
use crate::report::plan;

pub(super) fn look(options: &Options, opened: &Opened) -> Answer {
    let made = match opened.plan(options) {
        Ok(made) => made,
        Err(answer) => return answer,
    };
    let out = match (options.verb, options.show.json) {
        (Verb::Graph(GraphFormat::Dot), false) => plan::dot(&made),
        (Verb::Graph(GraphFormat::Mermaid), false) => plan::mermaid(&made),
        (Verb::Graph(_), _) => plan::graph_json(&made),
        (_, true) => plan::json(&made),
        (_, false) => plan::text(&made, stdout_style(options)),
    };
    Answer { err: opened.warnings.clone(), ..Answer::text(out) }
}
