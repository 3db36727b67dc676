//! What is said of a name that stands for nothing where it is used.

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::base::source::Span;
use crate::xecfile::check::scope::{TO_HOOKS, TO_PROGRESS};
use crate::xecfile::check::values::Walk;

impl Walk<'_, '_> {
    pub(super) fn unknown(&mut self, name: &str, span: Span) {
        let place = self.texts.hole(span, name);
        if let Some(there) = self.scope.elsewhere(name) {
            let problem = Problem::error(Code::UnknownValue, format!("there is no value `{name}` here yet"));
            return self.texts.report(problem.at(place, "").at(there, "it is made here"));
        }
        let problem = Problem::error(Code::UnknownValue, format!("there is no value `{name}`"));
        let upper = name.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'0'..=b'9'));
        let help = if upper {
            format!("an environment variable is written `${{env.{name}}}`")
        } else if name == "host" || name.starts_with("host.") {
            "a host has a name where `on` chooses hosts".to_owned()
        } else if TO_HOOKS.contains(&name) {
            "xec says it to hooks only: `on-success`, `on-failure`, `finally`".to_owned()
        } else if TO_PROGRESS.contains(&name) {
            "xec says it to `on-progress` only".to_owned()
        } else if let Some(help) = did_you_mean(name, self.scope.names()) {
            help
        } else {
            let mut names: Vec<&str> = self.scope.names().collect();
            names.sort_unstable();
            match names.len() {
                0 => "there are none here: a task has values by `param`, a file by `let`".to_owned(),
                1..=8 => format!("there are {}", names.join(", ")),
                _ => "a task has values by `param`, a file by `let`".to_owned(),
            }
        };
        self.texts.report(problem.at(place, "").help(help));
    }
}
