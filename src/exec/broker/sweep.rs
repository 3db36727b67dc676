//! Ending all that is below a process: asked first, killed when its time is up. Knows no jobs but by their
//! groups; who waits for the dead is the caller.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use libc::{SIGCONT, SIGKILL, SIGTERM};

use crate::exec::broker::leave::Left;
use crate::exec::broker::sys::kill;
use crate::exec::tree::{Process, Table};

/// What a process gets that belongs to no running job.
pub(super) const ORPHAN_GRACE: Duration = Duration::from_secs(1);
/// What nobody's grace exceeds once xec is gone.
const LONGEST_GRACE: Duration = Duration::from_secs(30);
/// How long until we look again for processes that came after the last look.
const LOOK: Duration = Duration::from_millis(100);
/// The same once there is something to kill.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How many looks it takes to believe that a process has no environment.
const UNSURE: u32 = 4;

/// One sweep.
pub(super) struct Sweeper {
    root: i32,
    begun: Option<Instant>,
    /// Without any grace.
    pub(super) now: bool,
    asked: HashSet<i32>,
    /// Groups that hold others than what we started.
    foreign: [i32; 2],
    /// Children that were there before us, and what is below them.
    pub(super) spared: HashSet<i32>,
    /// Groups that go on, with all that is below them.
    pub(super) kept: HashSet<i32>,
    /// What was there at the first look: `name (pid)`.
    pub(super) names: Vec<String>,
    /// How often a process has been seen without an environment.
    unsure: HashMap<i32, u32>,
    /// How many looks in a row have found nothing but what may stay.
    rests: u32,
}

impl Sweeper {
    /// A sweep of all that is below `root`. `foreign`: the groups of xec and of the broker.
    pub(super) fn new(root: i32, foreign: [i32; 2], now: bool) -> Self {
        let (asked, spared, kept) = (HashSet::new(), HashSet::new(), HashSet::new());
        let (names, unsure) = (Vec::new(), HashMap::new());
        Self { root, begun: None, now, asked, foreign, spared, kept, names, unsure, rests: 0 }
    }

    /// Whether all that is there may stay. One look could miss a child whose parent ended meanwhile, and some are
    /// not sure at first; a few looks in a row find them with us.
    pub(super) fn rests(&self) -> bool {
        self.rests > UNSURE
    }

    /// Looks once and sends what is due. `jobs`: the groups of running jobs, with their grace. The answer is
    /// when to look again at the latest, or `None` if there was nothing.
    pub(super) fn step(&mut self, jobs: &HashMap<i32, Duration>, left: &Left) -> Option<Duration> {
        let first = self.begun.is_none();
        let begun = *self.begun.get_or_insert_with(Instant::now);
        let table = Table::read();
        let mut next = None;
        let mut due = LOOK;
        let mut sends = Vec::new();
        let mut stay = HashSet::new();
        let mut unsure = std::mem::take(&mut self.unsure);
        for child in table.children(self.root).filter(|child| !self.spared.contains(&child.pid)) {
            if self.kept.contains(&child.group) {
                stay.insert(child.pid);
                continue;
            }
            let below = table.below(child.pid);
            for process in std::iter::once(child).chain(below).filter(|process| !process.zombie) {
                let running = jobs.contains_key(&process.group);
                let mut stays = || left.has(process).unwrap_or_else(|| hesitate(&mut unsure, process.pid));
                if !running && (stay.contains(&process.parent) || stays()) {
                    stay.insert(process.pid);
                    continue;
                }
                if first || unsure.get(&process.pid) == Some(&UNSURE) {
                    self.names.push(process.label());
                }
                let grace = jobs.get(&child.pid).or_else(|| jobs.get(&process.group)).copied();
                let grace = if self.now { Duration::ZERO } else { grace.unwrap_or(ORPHAN_GRACE).min(LONGEST_GRACE) };
                let remaining = grace.saturating_sub(begun.elapsed());
                due = due.min(remaining.max(LOOK_AGAIN));
                next = Some(due);
                sends.push((process, remaining.is_zero()));
            }
        }
        self.unsure = unsure;
        sends.into_iter().for_each(|(process, is_due)| self.send(process, is_due));
        self.rests = if next.is_none() && !stay.is_empty() { self.rests + 1 } else { 0 };
        if self.rests > 0 {
            return Some(LOOK_AGAIN);
        }
        next.or_else(|| groups_alone(jobs, &self.kept, begun.elapsed(), self.now))
    }

    fn send(&mut self, process: &Process, due: bool) {
        if due {
            // The group too, for what forks faster than we look.
            if !self.foreign.contains(&process.group) {
                kill(-process.group, SIGKILL);
            }
            kill(process.pid, SIGKILL);
        } else if self.asked.insert(process.pid) {
            kill(process.pid, SIGTERM);
            kill(process.pid, SIGCONT);
        }
    }
}

/// Whether to wait a little for the environment of a process that shows none.
fn hesitate(unsure: &mut HashMap<i32, u32>, pid: i32) -> bool {
    let looks = unsure.entry(pid).or_default();
    *looks += 1;
    *looks < UNSURE
}

/// Where there is no `/proc`: the groups of what still runs are all that is known.
fn groups_alone(jobs: &HashMap<i32, Duration>, kept: &HashSet<i32>, since: Duration, now: bool) -> Option<Duration> {
    if cfg!(target_os = "linux") {
        return None;
    }
    let mut next = None;
    for (group, grace) in jobs.iter().filter(|(group, _)| !kept.contains(group)) {
        let due = now || since >= (*grace).min(LONGEST_GRACE);
        if kill(-group, if due { SIGKILL } else { SIGTERM }) {
            kill(-group, SIGCONT);
            next = Some(LOOK);
        }
    }
    next
}
