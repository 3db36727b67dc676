//! The life of the broker: one loop over one socket and its children. Knows no files, no clock but for graces,
//! and ends when xec does and nothing is left.

use std::collections::{HashSet, VecDeque};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::exec::broker::inbox::Inbox;
use crate::exec::broker::jobs::{Ended, Jobs};
use crate::exec::broker::leave::Left;
use crate::exec::broker::proto::{Report, Request, Spawn, Stdio};
use crate::exec::broker::spawn::Spawner;
use crate::exec::broker::sweep::Sweeper;
use crate::exec::broker::sys::{self, Batch, Signals, wait_any, wait_ready};

/// How long until we look again whether the rest of a job has ended, should nobody tell.
const LOOK: Duration = Duration::from_millis(20);
/// How long the news that something was started may wait for the news that it has ended, so that a short command
/// wakes xec once.
const UNHURRIED: Duration = Duration::from_millis(3);
/// After how many turns with something to read a signal is asked for that could not interrupt the wait.
const PATIENCE: u32 = 8;

/// Serves xec until it is gone and nothing is left. `foreign`: the groups of xec and of the broker.
pub(super) fn serve(socket: OwnedFd, spawner: Spawner, signals: Signals, foreign: [i32; 2]) {
    let mut server = Server {
        socket: Some(socket),
        signals,
        spawner,
        inbox: Inbox::new(),
        batches: VecDeque::new(),
        outbox: Vec::new(),
        unhurried: None,
        jobs: Jobs::new(Left::new(std::process::id() as i32)),
        sweep: None,
        next_look: Duration::ZERO,
        busy: 0,
        pid: std::process::id() as i32,
        foreign,
    };
    while server.turn() {}
}

struct Server {
    /// `None` once xec is gone.
    socket: Option<OwnedFd>,
    signals: Signals,
    spawner: Spawner,
    inbox: Inbox,
    /// The descriptors that have come, a batch for each spawn that brings some; `None` where they were lost.
    batches: VecDeque<Option<Vec<OwnedFd>>>,
    outbox: Vec<u8>,
    /// Since when there is nothing in it but what may wait a little.
    unhurried: Option<Instant>,
    jobs: Jobs,
    sweep: Option<Sweeper>,
    /// How long a sweep waits before it looks again.
    next_look: Duration,
    /// How many turns in a row have had something to read.
    busy: u32,
    pid: i32,
    foreign: [i32; 2],
}

impl Server {
    /// Waits for something and does what it calls for; `false` at the end.
    fn turn(&mut self) -> bool {
        let patience = self.unhurried.and_then(|since| UNHURRIED.checked_sub(since.elapsed()));
        if patience.is_none() {
            // Before the news: whoever hears of an end finds the ends of the streams, and need not wait for them.
            self.jobs.streams.clear();
            self.flush();
            self.unhurried = None;
        }
        let look = match &self.sweep {
            Some(_) => Some(self.next_look),
            None => self.jobs.any_held().then_some(LOOK),
        };
        let limit = look.into_iter().chain(patience).min();
        let socket = self.socket.as_ref().map(AsFd::as_fd);
        let write = !self.outbox.is_empty() && patience.is_none();
        let ready = wait_ready(socket, write, limit, &self.signals);
        if ready.read {
            self.receive();
        }
        // A socket that is always ready must not keep us from seeing who has ended.
        self.busy = if ready.read { self.busy + 1 } else { 0 };
        let starved = self.busy >= PATIENCE && self.signals.child_pending();
        let mut alone = false;
        if ready.child || self.sweep.is_some() || starved {
            self.busy = 0;
            alone = !self.reap();
        }
        for ended in self.jobs.released() {
            self.report_end(&ended);
        }
        self.advance_sweep(alone)
    }

    /// Reaps all that have ended; `false` if there is no child left at all.
    fn reap(&mut self) -> bool {
        loop {
            let waited = match wait_any() {
                Ok(Some(waited)) => waited,
                Ok(None) => return true,
                Err(error) => return error.raw_os_error() != Some(libc::ECHILD),
            };
            if libc::WIFSTOPPED(waited.status) {
                if let Some(job) = self.jobs.stopped(waited.pid) {
                    self.report(&Report::Stopped { job, signal: libc::WSTOPSIG(waited.status) });
                }
            } else if libc::WIFCONTINUED(waited.status) {
                self.jobs.continued(waited.pid);
            } else if let Some(ended) = self.jobs.ended(waited.pid, waited.status, waited.usage) {
                self.report_end(&ended);
            }
        }
    }

    fn report_end(&mut self, ended: &Ended) {
        self.report(&Report::Exited { job: ended.job, status: ended.status, usage: ended.usage });
    }

    fn report(&mut self, report: &Report) {
        if self.socket.is_some() {
            self.unhurried = match report {
                Report::Spawned { .. } if self.outbox.is_empty() => Some(Instant::now()),
                Report::Spawned { .. } => self.unhurried,
                _ => None,
            };
            self.outbox.extend(report.encode());
        }
    }

    /// Sends what the socket takes.
    fn flush(&mut self) {
        while let (false, Some(socket)) = (self.outbox.is_empty(), &self.socket) {
            match sys::send(socket.as_fd(), &self.outbox, &[]) {
                Ok(count) => drop(self.outbox.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.lose_xec(),
            }
        }
    }

    /// Takes some of what has come; if there is more, the next turn waits for nothing.
    fn receive(&mut self) {
        let Some(socket) = &self.socket else { return };
        let (count, batch) = match sys::receive(socket.as_fd(), self.inbox.space()) {
            Ok((0, _)) => return self.lose_xec(),
            Ok(received) => received,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => return,
            Err(_) => return self.lose_xec(),
        };
        match batch {
            Batch::None => {}
            Batch::Fds(fds) => self.batches.push_back(Some(fds)),
            Batch::Lost => self.batches.push_back(None),
        }
        self.inbox.filled(count);
        if !self.obey() {
            self.lose_xec();
        }
    }

    /// Does what the whole frames ask for; `false` if one of them makes no sense.
    fn obey(&mut self) -> bool {
        let mut table = None;
        // Taken out for as long as requests borrow from it.
        let mut inbox = std::mem::replace(&mut self.inbox, Inbox::empty());
        let mut sound = true;
        while let (true, Some(frame)) = (sound, inbox.next()) {
            match Request::decode(frame) {
                Some(Request::Spawn(spawn)) => self.spawn(&spawn),
                Some(Request::Signal { job, signal }) => self.jobs.signal(job, signal, &mut table),
                Some(Request::Sweep { now, spare }) => self.sweep_now_or_soon(now, spare.into_iter().collect()),
                None => sound = false,
            }
        }
        self.inbox = inbox;
        sound
    }

    fn spawn(&mut self, spawn: &Spawn<'_>) {
        let job = spawn.job;
        let fds = match spawn.stdio.contains(&Stdio::Passed) {
            true => self.batches.pop_front().flatten().ok_or(libc::EMFILE),
            false => Ok(Vec::new()),
        };
        let started = match fds {
            Ok(_) if self.sweep.is_some() => Err(libc::ECANCELED),
            Ok(fds) => self.spawner.spawn(spawn, &fds).map(|pid| (pid, fds)),
            Err(error) => Err(error),
        };
        match started {
            Ok((pid, fds)) => {
                self.jobs.add(pid, spawn, fds);
                self.report(&Report::Spawned { job, pid });
            }
            Err(errno) => self.report(&Report::Failed { job, errno }),
        }
    }

    fn sweep_now_or_soon(&mut self, now: bool, kept: HashSet<i32>) {
        let sweep = self.sweep.get_or_insert_with(|| Sweeper::new(self.pid, self.foreign, now));
        sweep.now |= now;
        sweep.kept = kept;
    }

    /// xec is gone, in whatever way: nothing that it started stays.
    fn lose_xec(&mut self) {
        self.socket = None;
        self.outbox.clear();
        self.sweep_now_or_soon(false, HashSet::new());
    }

    /// One more look at what is left; `false` if that is nothing and xec is gone.
    fn advance_sweep(&mut self, alone: bool) -> bool {
        let Some(sweep) = &mut self.sweep else { return true };
        if !alone || self.jobs.any_group_left() {
            self.next_look = sweep.step(&self.jobs.graces(), &self.jobs.left).unwrap_or(LOOK);
            // Whoever may stay is a child of ours for as long as we are there.
            if !sweep.rests() || !self.jobs.are_all_in(&sweep.kept) {
                return true;
            }
        }
        let names = std::mem::take(&mut sweep.names);
        self.sweep = None;
        if self.socket.is_none() {
            return false;
        }
        self.report(&Report::Swept { names });
        true
    }
}

/// What [`serve`] needs and may fail to get, made before anything can be asked.
pub(super) fn prepare() -> io::Result<Spawner> {
    Spawner::new(std::env::current_dir().map(Into::into).unwrap_or_default())
}
