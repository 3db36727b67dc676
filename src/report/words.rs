//! How things are said to people: verdicts, reasons, sizes. Strings in, strings out; knows nothing of where they go.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::base::command::{NotStarted, Outcome, Usage};
use crate::base::duration::show;
use crate::base::event::{Failure, Reason, SkipReason, StepLabel, Verdict, Waits};
use crate::report::sanitize::{first_line, visible};

/// The name of a signal: `SIGTERM`.
pub(crate) fn signal(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_owned())
}

/// `build: cargo build`.
pub(crate) fn step(label: &StepLabel) -> String {
    format!("{}: {}", visible(&label.owner.instance), first_line(&label.text))
}

/// How something ended, and after how long: `exit 2 after 1.24s`.
pub(crate) fn ending(verdict: &Verdict, duration: Option<Duration>) -> String {
    let after = duration.map(|duration| format!(" after {}", show(duration))).unwrap_or_default();
    match verdict {
        Verdict::Ok => format!("ok{after}"),
        Verdict::Failed(failure) => failed(failure, &after),
        Verdict::Unreachable(why) => format!("unreachable: {}", visible(why)),
        Verdict::TimedOut(limit) => format!("timed out after {}", show(*limit)),
        Verdict::Cancelled(reason) => format!("cancelled{after}: {}", why(*reason)),
        Verdict::Skipped(SkipReason::Dependency(needed)) => format!("skipped because `{}` failed", visible(needed)),
        Verdict::Skipped(SkipReason::Batch) => "skipped because an earlier batch fell short".to_owned(),
        Verdict::Skipped(SkipReason::Earlier) => "skipped because an earlier step failed".to_owned(),
        Verdict::Skipped(SkipReason::Condition) => "not needed, by its conditions".to_owned(),
        Verdict::Skipped(SkipReason::Done) => "went well the last time".to_owned(),
        Verdict::Skipped(SkipReason::Unaffected) => "not affected by what changed".to_owned(),
        Verdict::Skipped(SkipReason::Value { name, from }) => {
            format!("skipped, since `{}` made no `{}`", visible(from), visible(name))
        }
        Verdict::Skipped(SkipReason::UpToDate) => "up to date".to_owned(),
        Verdict::Skipped(SkipReason::Restored) => "up to date, brought back".to_owned(),
        Verdict::Skipped(SkipReason::Cancelled(reason)) => format!("not begun: {}", why(*reason)),
    }
}

fn failed(failure: &Failure, after: &str) -> String {
    match failure {
        Failure::Command(Outcome::Exited(code)) => format!("exit {code}{after}"),
        Failure::Command(Outcome::Signalled(number)) => format!("{}{after}", signal(*number)),
        Failure::Command(Outcome::NotStarted(
            NotStarted::Scarce(said)
            | NotStarted::Missing(said)
            | NotStarted::Denied(said)
            | NotStarted::Unreachable(said)
            | NotStarted::Failed(said),
        )) => visible(said).into_owned(),
        Failure::Command(Outcome::Unknown(said)) => format!("unknown end{after}: {}", visible(said)),
        Failure::Inside(count) => format!("{} failed{after}", counted(u64::from(*count), "step")),
        Failure::Value(why) => visible(why).into_owned(),
        Failure::CaptureTooLarge(cap) => format!("captured more than {}{after}", size(*cap as u64)),
    }
}

/// Why a task has to run: the first reasons, and how many more there are.
pub(crate) fn reasons(why: &[String]) -> String {
    const TOLD: usize = 3;
    let told: Vec<_> = why.iter().take(TOLD).map(|reason| visible(reason)).collect();
    let more = if why.len() > TOLD { format!(", and {} more", why.len() - TOLD) } else { String::new() };
    format!("{}{more}", told.join(", "))
}

/// Why something is being ended.
pub(crate) fn why(reason: Reason) -> String {
    match reason {
        Reason::Failed => "something else failed".to_owned(),
        Reason::Timeout => "the time of what holds it was up".to_owned(),
        Reason::Unneeded => "nothing needs it any more".to_owned(),
        Reason::Decided => "another branch was enough".to_owned(),
        Reason::NotReady => "it was not ready in time".to_owned(),
        Reason::Service => "a service that it needs has ended".to_owned(),
        Reason::Signal(number) => signal(number),
        Reason::Changed => "files changed".to_owned(),
        Reason::OutputClosed => "the output is closed or full".to_owned(),
        Reason::Lost => "the process layer is gone".to_owned(),
    }
}

/// `1 task`, `2 tasks`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// How long ago something was: `just now`, `12 minutes ago`, `3 days ago`.
pub(crate) fn ago(time: Duration) -> String {
    let seconds = time.as_secs();
    let (count, what) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{} ago", counted(count, what))
}

/// `512 B`, `1.5 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let mut amount = bytes as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].into_iter().peekable();
    let mut unit = "B";
    while let Some(next) = units.next() {
        unit = next;
        if amount < 1024.0 || units.peek().is_none() {
            break;
        }
        amount /= 1024.0;
    }
    if amount.fract() == 0.0 || amount >= 100.0 { format!("{amount:.0} {unit}") } else { format!("{amount:.1} {unit}") }
}

/// What was waited for, nothing where that was not noticeable.
pub(crate) fn waited(waits: Waits) -> Option<String> {
    const NOTICEABLE: Duration = Duration::from_millis(1);
    let parts = [(waits.dependency, "what it needs"), (waits.slot, "a slot"), (waits.limit, "a limit")];
    let said: Vec<String> = parts
        .into_iter()
        .filter(|(time, _)| *time >= NOTICEABLE)
        .map(|(time, what)| format!("{} for {what}", show(time)))
        .collect();
    if said.is_empty() { None } else { Some(format!("waited {}", said.join(", "))) }
}

/// What a step used.
pub(crate) fn used(usage: &Usage) -> String {
    format!("user {}, system {}, peak {}", show(usage.user), show(usage.system), size(usage.peak_memory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings() {
        let after = Some(Duration::from_millis(1_234));
        let command = |outcome| Verdict::Failed(Failure::Command(outcome));
        for (verdict, said) in [
            (Verdict::Ok, "ok after 1.23s"),
            (command(Outcome::Exited(2)), "exit 2 after 1.23s"),
            (command(Outcome::Signalled(9)), "SIGKILL after 1.23s"),
            (command(Outcome::Signalled(40)), "signal 40 after 1.23s"),
            (command(Outcome::NotStarted(NotStarted::Missing("no \x1b".into()))), "no \\u{1b}"),
            (command(Outcome::Unknown("link lost".into())), "unknown end after 1.23s: link lost"),
            (Verdict::Failed(Failure::Inside(2)), "2 steps failed after 1.23s"),
            (Verdict::Failed(Failure::CaptureTooLarge(1 << 20)), "captured more than 1 MiB after 1.23s"),
            (Verdict::TimedOut(Duration::from_secs(300)), "timed out after 5m 00s"),
            (Verdict::Cancelled(Reason::Signal(2)), "cancelled after 1.23s: SIGINT"),
            (Verdict::Skipped(SkipReason::Dependency("x".into())), "skipped because `x` failed"),
            (Verdict::Skipped(SkipReason::Cancelled(Reason::Failed)), "not begun: something else failed"),
        ] {
            assert_eq!(ending(&verdict, after), said);
        }
    }

    #[test]
    fn sizes_and_waits() {
        let sizes = [0, 1023, 1024, 1536, 123 << 20, 5 << 40].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1 KiB", "1.5 KiB", "123 MiB", "5 TiB"]);
        assert_eq!(waited(Waits::default()), None);
        let waits = Waits { slot: Duration::from_secs(2), limit: Duration::from_millis(5), ..Waits::default() };
        assert_eq!(waited(waits).as_deref(), Some("waited 2.00s for a slot, 5ms for a limit"));
    }
}
