//! The jobs of the broker: which processes they are, how a signal reaches all of them, and when one that was
//! asked to end has ended. Knows no sockets.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use libc::{SIGCONT, SIGKILL, SIGSTOP, SIGTERM};

use rustc_hash::FxHashMap;

use crate::base::command::Usage;
use crate::exec::Signal;
use crate::exec::broker::leave::Left;
use crate::exec::broker::proto::{ALL, Spawn};
use crate::exec::broker::sweep::ORPHAN_GRACE;
use crate::exec::broker::sys::kill;
use crate::exec::tree::{Process, Table};

/// How long the rest of a killed job is waited for once its leader has ended.
const AFTER_KILL: Duration = Duration::from_millis(500);

/// One process that was asked for, and all that came of it.
struct Job {
    /// Its leader, and the number of its group.
    pid: i32,
    grace: Duration,
    /// What it leaves behind may stay: it is its group alone that is ended.
    leave: bool,
    /// It serves jobs: what is meant for all of them is not for it.
    apart: bool,
    /// It was asked to end: then it has ended only with all of its group.
    ending: bool,
    killed: Option<Instant>,
    /// It is stopped, whoever did it.
    stopped: bool,
    /// We stopped it, so that this is no news. Apart from the above, since the news that it went on the last time may
    /// come after that.
    parked: bool,
    /// What left the group and was seen below the leader when a signal was sent.
    strays: Vec<Process>,
    /// How its leader ended.
    exit: Option<(i32, Usage)>,
    /// Our copies of its streams, until its leader has ended: so xec is woken once for the exit and the ends of
    /// the streams, and not twice.
    streams: Vec<OwnedFd>,
}

impl Job {
    /// The processes outside of the group that belong to it.
    fn gather(&mut self, table: &Table) {
        if self.leave {
            return;
        }
        let roots: Vec<i32> = std::iter::once(self.pid).chain(self.strays.iter().map(|stray| stray.pid)).collect();
        self.strays.retain(|stray| table.holds(stray));
        for root in roots {
            for process in table.below(root) {
                if process.group != self.pid && !process.zombie && !self.strays.contains(process) {
                    self.strays.push(process.clone());
                }
            }
        }
    }

    fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::End(number) => {
                self.ending = true;
                self.send(number);
                if self.stopped || self.parked {
                    self.send(SIGCONT);
                }
            }
            Signal::Kill => {
                self.ending = true;
                self.killed.get_or_insert_with(Instant::now);
                self.send(SIGKILL);
            }
            // Not SIGTSTP: it could be caught, and it does nothing to a stray whose group is an orphan.
            Signal::Stop => {
                self.parked = true;
                self.send(SIGSTOP);
            }
            Signal::Continue => {
                (self.parked, self.stopped) = (false, false);
                self.send(SIGCONT);
            }
        }
    }

    fn send(&self, signal: i32) {
        // While the leader is not reaped its number is taken; after that, only the group keeps it so.
        kill(-self.pid, signal);
        for stray in &self.strays {
            kill(stray.pid, signal);
        }
    }

    /// Whether nothing is left of a job whose leader has ended.
    fn gone(&self) -> bool {
        !kill(-self.pid, 0) && !self.strays.iter().any(Process::lives)
    }
}

/// How a job ended.
pub(super) struct Ended {
    pub(super) job: u64,
    pub(super) status: i32,
    pub(super) usage: Usage,
}

/// All jobs that have not been reported as ended.
pub(super) struct Jobs {
    jobs: FxHashMap<u64, Job>,
    leaders: FxHashMap<i32, u64>,
    /// How many wait for the rest of their group.
    held: usize,
    /// Groups that outlived their leader, where nothing else tells of them.
    groups: HashSet<i32>,
    /// Everything stands still: what starts now, too.
    stopped: bool,
    /// What jobs that have ended may leave for good.
    pub(super) left: Left,
    /// Streams of leaders that have ended, to be closed just before that is told.
    pub(super) streams: Vec<OwnedFd>,
}

impl Jobs {
    pub(super) fn new(left: Left) -> Self {
        let (jobs, leaders, groups) = (FxHashMap::default(), FxHashMap::default(), HashSet::new());
        Self { jobs, leaders, held: 0, groups, stopped: false, left, streams: Vec::new() }
    }

    /// Whether no job is left but those of these groups, not even one that waits for the rest of its group.
    pub(super) fn are_all_in(&self, groups: &HashSet<i32>) -> bool {
        self.jobs.values().all(|job| groups.contains(&job.pid))
    }

    pub(super) fn add(&mut self, pid: i32, spawn: &Spawn<'_>, streams: Vec<OwnedFd>) {
        let Spawn { job, grace, leave, apart, .. } = *spawn;
        let (strays, exit, ending, killed) = (Vec::new(), None, false, None);
        let (stopped, parked) = (false, false);
        let mut entry = Job { pid, grace, leave, apart, ending, killed, stopped, parked, strays, exit, streams };
        if self.stopped && !apart {
            entry.signal(Signal::Stop);
        }
        self.left.began(pid, leave);
        self.jobs.insert(job, entry);
        self.leaders.insert(pid, job);
    }

    /// Sends a signal to all of a job, or of every one; `table` is read once for as many as come together.
    pub(super) fn signal(&mut self, job: u64, signal: Signal, table: &mut Option<Table>) {
        if job == ALL {
            self.stopped = match signal {
                Signal::Stop => true,
                Signal::Continue => false,
                Signal::End(_) | Signal::Kill => self.stopped,
            };
            for job in self.jobs.values_mut().filter(|job| !job.apart) {
                job.gather(table.get_or_insert_with(Table::read));
                job.signal(signal);
            }
        } else if let Some(job) = self.jobs.get_mut(&job) {
            job.gather(table.get_or_insert_with(Table::read));
            job.signal(signal);
        }
    }

    /// The leader of a job stopped; its job, if that is news.
    pub(super) fn stopped(&mut self, pid: i32) -> Option<u64> {
        let id = *self.leaders.get(&pid)?;
        let job = self.jobs.get_mut(&id)?;
        let before = std::mem::replace(&mut job.stopped, true);
        (!before && !job.parked).then_some(id)
    }

    /// The leader of a job goes on.
    pub(super) fn continued(&mut self, pid: i32) {
        if let Some(job) = self.leaders.get(&pid).and_then(|id| self.jobs.get_mut(id)) {
            job.stopped = false;
        }
    }

    /// A child has ended; the job that has ended with it.
    pub(super) fn ended(&mut self, pid: i32, status: i32, usage: Usage) -> Option<Ended> {
        let id = self.leaders.remove(&pid)?;
        let job = self.jobs.get_mut(&id)?;
        self.streams.append(&mut job.streams);
        if job.leave && !job.ending {
            self.left.ended(pid);
        } else if cfg!(not(target_os = "linux")) && kill(-pid, 0) {
            self.groups.insert(pid);
        }
        if job.ending && !job.gone() {
            // A shell starts what it puts in the background with SIGINT and SIGQUIT ignored.
            if job.killed.is_none() {
                job.send(SIGTERM);
            }
            job.exit = Some((status, usage));
            self.held += 1;
            return None;
        }
        self.jobs.remove(&id);
        Some(Ended { job: id, status, usage })
    }

    /// The jobs that have ended with the last of their group, since this was last asked.
    pub(super) fn released(&mut self) -> Vec<Ended> {
        if self.held == 0 {
            return Vec::new();
        }
        let mut ended = Vec::new();
        self.jobs.retain(|id, job| {
            let Some((status, usage)) = job.exit else { return true };
            let over = job.killed.is_some_and(|at| at.elapsed() >= AFTER_KILL);
            let held = !over && !job.gone();
            if !held {
                ended.push(Ended { job: *id, status, usage });
            }
            held
        });
        self.held -= ended.len();
        ended
    }

    /// Whether some have lost their leader and wait for the rest of their group.
    pub(super) fn any_held(&self) -> bool {
        self.held > 0
    }

    /// The groups, with how long each may take to end.
    pub(super) fn graces(&self) -> HashMap<i32, Duration> {
        let alone = self.groups.iter().map(|group| (*group, ORPHAN_GRACE));
        alone.chain(self.jobs.values().map(|job| (job.pid, job.grace))).collect()
    }

    /// Whether groups are left that are known by their number alone; never so on Linux, where orphans come to us.
    pub(super) fn any_group_left(&mut self) -> bool {
        self.groups.retain(|group| kill(-group, 0));
        !self.groups.is_empty()
    }
}
