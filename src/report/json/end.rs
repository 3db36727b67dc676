//! How something ended, as the lines say it.

use serde::Serialize;

use crate::base::command::{NotStarted, Outcome};
use crate::base::event::{Failure, SkipReason, Verdict};
use crate::report::json::format::seconds;
use crate::report::json::why::Why;
use crate::report::words;

/// How something ended: `kind`, and what belongs to that kind.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum End {
    Ok,
    Exited {
        code: i32,
    },
    Signalled {
        signal: String,
    },
    NotStarted {
        why: &'static str,
        message: String,
    },
    Unreachable {
        message: String,
    },
    Unknown {
        message: String,
    },
    FailedInside {
        count: u32,
    },
    CaptureTooLarge {
        limit: usize,
    },
    BadValue {
        message: String,
    },
    TimedOut {
        limit: f64,
    },
    Cancelled(Why),
    Skipped {
        why: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        needed: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<String>,
        #[serde(flatten)]
        cancelled: Option<Why>,
    },
}

impl From<&Verdict> for End {
    fn from(verdict: &Verdict) -> Self {
        let skipped = |why, needed, cancelled| End::Skipped { why, needed, value: None, cancelled };
        match verdict {
            Verdict::Ok => End::Ok,
            Verdict::Failed(Failure::Command(outcome)) => End::from(outcome),
            Verdict::Failed(Failure::Inside(count)) => End::FailedInside { count: *count },
            Verdict::Failed(Failure::CaptureTooLarge(limit)) => End::CaptureTooLarge { limit: *limit },
            Verdict::Failed(Failure::Value(message)) => End::BadValue { message: message.clone() },
            Verdict::Unreachable(message) => End::Unreachable { message: message.clone() },
            Verdict::TimedOut(limit) => End::TimedOut { limit: seconds(*limit) },
            Verdict::Cancelled(reason) => End::Cancelled(Why::from(*reason)),
            Verdict::Skipped(SkipReason::Dependency(needed)) => skipped("dependency", Some(needed.to_string()), None),
            Verdict::Skipped(SkipReason::Earlier) => skipped("earlier", None, None),
            Verdict::Skipped(SkipReason::Batch) => skipped("batch", None, None),
            Verdict::Skipped(SkipReason::Condition) => skipped("condition", None, None),
            Verdict::Skipped(SkipReason::Done) => skipped("done", None, None),
            Verdict::Skipped(SkipReason::Unaffected) => skipped("unaffected", None, None),
            Verdict::Skipped(SkipReason::Value { name, from }) => {
                let (needed, value) = (Some(from.to_string()), Some(name.to_string()));
                End::Skipped { why: "value", needed, value, cancelled: None }
            }
            Verdict::Skipped(SkipReason::UpToDate) => skipped("up-to-date", None, None),
            Verdict::Skipped(SkipReason::Restored) => skipped("restored", None, None),
            Verdict::Skipped(SkipReason::Cancelled(reason)) => skipped("cancelled", None, Some(Why::from(*reason))),
        }
    }
}

impl From<&Outcome> for End {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Exited(code) => End::Exited { code: *code },
            Outcome::Signalled(number) => End::Signalled { signal: words::signal(*number) },
            Outcome::Unknown(message) => End::Unknown { message: message.clone() },
            Outcome::NotStarted(not) => {
                let (why, message) = match not {
                    NotStarted::Scarce(message) => ("scarce", message),
                    NotStarted::Missing(message) => ("missing", message),
                    NotStarted::Denied(message) => ("denied", message),
                    NotStarted::Unreachable(message) => ("unreachable", message),
                    NotStarted::Failed(message) => ("failed", message),
                };
                End::NotStarted { why, message: message.clone() }
            }
        }
    }
}

/// The exit code of a step that ran to its end, or did not begin; none where xec ended it.
pub(super) fn code(verdict: &Verdict) -> Option<i32> {
    match verdict {
        Verdict::Ok => Some(0),
        Verdict::Failed(Failure::Command(outcome)) => Some(outcome.code()),
        Verdict::TimedOut(_) => Some(124),
        Verdict::Unreachable(_) => Some(255),
        Verdict::Failed(Failure::Inside(_) | Failure::CaptureTooLarge(_) | Failure::Value(_)) => Some(1),
        Verdict::Cancelled(_) | Verdict::Skipped(_) => None,
    }
}
