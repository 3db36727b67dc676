//! What is said at the end: what failed, with its last lines; what was not run because of it; how many, how long.
//! Gathers while the run goes on, in bounded memory. Knows nothing of modes or of the screen.
//!
//! A run in which one step ran and went well says nothing. Where one step failed and all it wrote stands directly
//! above, under nobody else's, its lines are not repeated.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::command::Outcome;
use crate::base::duration::show;
use crate::base::event::{Counts, Culprit, Failure, JobId, Reason, SkipReason, TaskLabel, Verdict};
use crate::report::fold::Fold;
use crate::report::hosts::Table;
use crate::report::sanitize::{Cleaner, visible};
use crate::report::style::{Ink, RESET, Style};
use crate::report::tail::Tail;
use crate::report::words;

/// So many failures are told in full.
const CULPRITS: usize = 20;
/// So many reasons for which tasks were not run.
const GROUPS: usize = 10;
/// So many names in one line.
const NAMES: usize = 5;
/// What the last lines of all failed steps together may hold in memory.
const TAILS: usize = 1 << 20;

/// A failed step, until the end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) duration: Duration,
    pub(crate) out: Tail,
    pub(crate) err: Tail,
}

/// Tasks that share what is said of them.
#[derive(Debug)]
struct Group {
    why: String,
    /// Nobody has said that it should be skipped: it is told after a success, too.
    notable: bool,
    count: u64,
    names: Vec<Arc<str>>,
    /// So many of them the names stand for.
    named: u64,
}

/// The end of a run, as [`crate::base::event::Event::RunFinished`] tells it.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) culprits: Vec<Culprit>,
    pub(crate) counts: Counts,
    pub(crate) signal: Option<i32>,
    pub(crate) code: i32,
    pub(crate) duration: Duration,
}

/// How it will look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) style: Style,
    pub(crate) terminal: bool,
    pub(crate) quiet: bool,
    /// The step whose whole output, or end if it wrote nothing, is the last thing on the screen.
    pub(crate) above: Option<JobId>,
}

/// What is gathered for it.
#[derive(Default, Debug)]
pub(crate) struct Summary {
    /// What hosts have said.
    pub(crate) fold: Fold,
    /// What became of them.
    hosts: Table,
    steps: u64,
    ended: HashMap<JobId, Ended>,
    held: usize,
    /// What each skipped instance was skipped for in the end: the first that failed, not the one before it.
    roots: HashMap<Arc<str>, Arc<str>>,
    groups: Vec<Group>,
    by_why: HashMap<String, usize>,
    ungrouped: u64,
    /// Tasks whose late list was empty.
    empty: Vec<Arc<str>>,
}

impl Summary {
    /// It is known how many instances a task has.
    pub(crate) fn fed(&mut self, task: &TaskLabel, items: u64) {
        if items == 0 && self.empty.len() < NAMES {
            self.empty.push(task.instance.clone());
        }
    }

    /// So many instances of a task were not begun.
    pub(crate) fn unfed(&mut self, task: &TaskLabel, items: u64, reason: Reason) {
        let verdict = Verdict::Skipped(SkipReason::Cancelled(reason));
        let name = format!("{} of {}", words::counted(items, "item"), task.instance).into();
        self.group(words::ending(&verdict, None), false, name, items);
    }

    pub(crate) fn step_started(&mut self) {
        self.steps += 1;
    }

    /// Keeps what a failed step left. What exceeds the bound is forgotten, the first failures being the ones told.
    pub(crate) fn step_failed(&mut self, job: JobId, owner: &TaskLabel, verdict: &Verdict, mut ended: Ended) {
        match verdict {
            Verdict::Failed(Failure::Command(Outcome::Unknown(_))) => self.hosts.lost(owner),
            Verdict::Unreachable(_) => self.fold.gone(&owner.instance),
            _ => {}
        }
        let size = ended.out.len() + ended.err.len();
        if self.held + size > TAILS {
            (ended.out, ended.err) = (Tail::default(), Tail::default());
        } else {
            self.held += size;
        }
        if self.ended.len() < TAILS / 64 {
            self.ended.insert(job, ended);
        }
    }

    pub(crate) fn task_finished(&mut self, task: &TaskLabel, verdict: &Verdict) {
        self.hosts.finished(task, verdict);
        let why = match verdict {
            Verdict::Skipped(SkipReason::Dependency(needed)) => {
                let root = self.roots.get(needed).unwrap_or(needed).clone();
                let why = format!("skipped because `{}` failed", visible(&root));
                self.roots.insert(task.instance.clone(), root);
                why
            }
            // They are counted, which is all that people want to know of them.
            Verdict::Skipped(SkipReason::UpToDate | SkipReason::Restored) => return,
            Verdict::Skipped(_) | Verdict::Cancelled(_) => words::ending(verdict, None),
            Verdict::Ok | Verdict::Failed(_) | Verdict::Unreachable(_) | Verdict::TimedOut(_) => return,
        };
        let notable = matches!(verdict, Verdict::Skipped(SkipReason::Value { .. }));
        self.group(why, notable, task.instance.clone(), 1);
    }

    fn group(&mut self, why: String, notable: bool, name: Arc<str>, count: u64) {
        let at = match self.by_why.get(&why) {
            Some(at) => *at,
            None if self.groups.len() == GROUPS => {
                self.ungrouped += count;
                return;
            }
            None => {
                self.by_why.insert(why.clone(), self.groups.len());
                self.groups.push(Group { why, notable, count: 0, names: Vec::new(), named: 0 });
                self.groups.len() - 1
            }
        };
        let group = &mut self.groups[at];
        group.count += count;
        if group.names.len() < NAMES {
            group.names.push(name);
            group.named += count;
        }
    }

    /// All of it, without the last newline; `None` where there is nothing to say.
    pub(crate) fn text(&self, end: &End, look: Look) -> Option<Vec<u8>> {
        let mut lines = if look.quiet { Vec::new() } else { self.fold.text(look.style) };
        let bad = end.code != 0 || end.signal.is_some() || !end.culprits.is_empty();
        if !bad {
            let said = !self.groups.is_empty() || !self.empty.is_empty();
            let worth = !look.quiet && (self.steps != 1 || end.counts.fresh > 0 || said);
            return worth.then(|| {
                self.not_run(look.style, true, &mut lines);
                lines.extend_from_slice(self.hosts.text(look.style).as_bytes());
                let line = |name: &Arc<str>| format!("– {}: nothing to do, its list is empty\n", visible(name));
                let empty: String = self.empty.iter().map(|name| look.style.paint(Ink::Dim, &line(name))).collect();
                lines.extend_from_slice((empty + &well(end, look.style)).as_bytes());
                lines
            });
        }
        let told = match end.culprits.as_slice() {
            [one] => one.job.is_some() && one.job == look.above,
            _ => false,
        };
        if !told {
            end.culprits.iter().take(CULPRITS).for_each(|culprit| self.culprit(culprit, look, &mut lines));
            if let Some(more) = end.culprits.len().checked_sub(CULPRITS).filter(|more| *more > 0) {
                lines.extend_from_slice(format!("… and {}\n", words::counted(more as u64, "more failure")).as_bytes());
            }
        }
        if told && self.steps == 1 && self.groups.is_empty() && end.signal.is_none() {
            return None;
        }
        if !look.quiet {
            self.not_run(look.style, false, &mut lines);
            lines.extend_from_slice(self.hosts.text(look.style).as_bytes());
        }
        lines.extend_from_slice(badly(end, look.style).as_bytes());
        Some(lines)
    }

    fn culprit(&self, culprit: &Culprit, look: Look, lines: &mut Vec<u8>) {
        let ended = culprit.job.and_then(|job| self.ended.get(&job));
        let (what, site) = match &culprit.step {
            Some(step) => (words::step(step), &step.site),
            None => (visible(&culprit.owner.instance).into_owned(), &culprit.owner.site),
        };
        let ending = words::ending(&culprit.verdict, ended.map(|ended| ended.duration));
        let head = look.style.paint(Ink::Bad, &format!("✗ {what}"));
        let place = look.style.paint(Ink::Dim, &format!("({})", visible(&site.to_string())));
        lines.extend_from_slice(format!("{head} {place}\n  {ending}\n").as_bytes());
        if let Some(ended) = ended {
            let tail = if ended.err.is_empty() { &ended.out } else { &ended.err };
            last_lines(tail, look, lines);
        }
    }

    /// What was skipped and cancelled, and why; `notable`: only what nobody has said that it should be skipped.
    fn not_run(&self, style: Style, notable: bool, lines: &mut Vec<u8>) {
        for group in self.groups.iter().filter(|group| group.notable || !notable) {
            let mut names: Vec<_> = group.names.iter().map(|name| visible(name)).collect();
            let more = group.count - group.named;
            if more > 0 {
                names.push(format!("{more} more").into());
            }
            let line = format!("– {}: {} ({})", group.why, names.join(", "), words::counted(group.count, "task"));
            lines.extend_from_slice(style.paint(Ink::Dim, &line).as_bytes());
            lines.push(b'\n');
        }
        if self.ungrouped > 0 && !notable {
            let line = format!("– for other reasons: {}\n", words::counted(self.ungrouped, "task"));
            lines.extend_from_slice(line.as_bytes());
        }
    }
}

fn last_lines(tail: &Tail, look: Look, lines: &mut Vec<u8>) {
    let bar = look.style.paint(Ink::Dim, "  │ ");
    let (last, more) = tail.lines();
    if more {
        lines.extend_from_slice(format!("{bar}…\n").as_bytes());
    }
    for line in last {
        lines.extend_from_slice(bar.as_bytes());
        if look.terminal {
            // Each line by itself: what the lines before it left open is not on the screen.
            let mut cleaner = Cleaner::default();
            cleaner.feed(line.trim_ascii_end(), lines);
            cleaner.finish(lines);
            if line.contains(&0x1b) {
                lines.extend_from_slice(RESET.as_bytes());
            }
        } else {
            lines.extend_from_slice(line);
        }
        lines.push(b'\n');
    }
}

/// `1 failed, 2 ok`, without what there was none of. Those that could not be reached are counted apart.
fn counts(counts: Counts, culprits: &[Culprit]) -> String {
    let unreached = culprits.iter().filter(|culprit| matches!(culprit.verdict, Verdict::Unreachable(_))).count();
    let lost = |culprit: &&Culprit| matches!(culprit.verdict, Verdict::Failed(Failure::Command(Outcome::Unknown(_))));
    let lost = culprits.iter().filter(lost).count();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let (failed, lost, unreached) = (number(culprits.len() - unreached - lost), number(lost), number(unreached));
    let parts = [
        (failed, "failed"),
        // It may have done all that it should.
        (lost, "of unknown end"),
        (unreached, "unreachable"),
        (counts.failed.saturating_sub(counts.unknown).saturating_sub(failed), "failed and not counted"),
        (counts.unknown.saturating_sub(lost), "of unknown end and not counted"),
        (counts.unreachable.saturating_sub(unreached), "unreachable and not counted"),
        (counts.ok, "ok"),
        (counts.fresh, "up to date"),
        (counts.skipped, "skipped"),
        (counts.cancelled, "cancelled"),
    ];
    let said = parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    said.collect::<Vec<_>>().join(", ")
}

fn well(end: &End, style: Style) -> String {
    let mut parts = vec![words::counted(u64::from(end.counts.ok), "task")];
    let rest = counts(Counts { ok: 0, ..end.counts }, &[]);
    // Where nothing had to run, that is all there is to say.
    if end.counts.ok == 0 && end.counts.fresh > 0 {
        parts.clear();
    }
    parts.extend(Some(rest).filter(|rest| !rest.is_empty()));
    let (first, others) = parts.split_first().expect("one of the two is there");
    let others: String = others.iter().map(|part| format!(", {part}")).collect();
    style.paint(Ink::Good, &format!("✓ {first} in {}{others}", show(end.duration)))
}

fn badly(end: &End, style: Style) -> String {
    let signal = end.signal.map(|number| format!("ended by {}", words::signal(number)));
    let counts = Some(counts(end.counts, &end.culprits)).filter(|counts| !counts.is_empty());
    let what: Vec<String> = signal.into_iter().chain(counts).collect();
    let what = if what.is_empty() { "nothing done".to_owned() } else { what.join(": ") };
    style.paint(Ink::Bad, &format!("✗ {what} in {}; exit code {}", show(end.duration), end.code))
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
