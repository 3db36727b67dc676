//! Why something is ended, as it is written.

use serde::Serialize;

use crate::base::event::{Level, Reason};
use crate::report::words;

/// Why something is ended.
#[derive(Serialize)]
pub(super) struct Why {
    pub(super) reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signal: Option<String>,
}

impl From<Reason> for Why {
    fn from(reason: Reason) -> Self {
        let (reason, signal) = match reason {
            Reason::Failed => ("failed", None),
            Reason::Timeout => ("timeout", None),
            Reason::Unneeded => ("unneeded", None),
            Reason::Decided => ("decided", None),
            Reason::NotReady => ("not-ready", None),
            Reason::Service => ("service", None),
            Reason::Signal(number) => ("signal", Some(words::signal(number))),
            Reason::OutputClosed => ("output-closed", None),
            Reason::Lost => ("lost", None),
            Reason::Changed => ("changed", None),
        };
        Self { reason, signal }
    }
}

/// How hard it is ended.
pub(super) fn hardness(level: Level) -> &'static str {
    match level {
        Level::Soft => "soft",
        Level::Kill => "kill",
    }
}
