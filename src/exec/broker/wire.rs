//! The task that owns xec's end of the socket and knows which process belongs to which request. Knows no output and no
//! programs.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};

use crate::exec::Signal;
use crate::exec::broker::inbox::Inbox;
use crate::exec::broker::leave::Left;
use crate::exec::broker::link::{Command, Control, Exit, Link, Process, Spawn, SpawnError};
use crate::exec::broker::proto::{ALL, Report, Request, set_job};
use crate::exec::broker::sweep::Sweeper;
use crate::exec::broker::sys;
use crate::exec::fd;

/// What a link is made of.
pub(super) struct Peer {
    pub(super) pid: i32,
    pub(super) socket: Arc<OwnedFd>,
    pub(super) closing: Arc<AtomicBool>,
    /// Children of xec that are not to be ended.
    pub(super) spared: Vec<i32>,
}

pub(super) fn connect(peer: Peer) -> io::Result<Link> {
    let (commands, orders) = mpsc::unbounded_channel();
    let (lose, lost) = watch::channel(false);
    let socket = fd::watch(Arc::clone(&peer.socket), Interest::READABLE)?;
    let wire = Wire {
        left: Left::new(peer.pid),
        peer,
        commands: commands.downgrade(),
        inbox: Inbox::new(),
        outbox: VecDeque::new(),
        sent: 0,
        starting: FxHashMap::default(),
        running: FxHashMap::default(),
        sweeps: Vec::new(),
        flushes: Vec::new(),
        next_job: ALL + 1,
    };
    tokio::spawn(wire.run(socket, orders, lose));
    Ok(Link { commands, lost })
}

struct Running {
    pid: i32,
    grace: Duration,
    leave: bool,
    exit: oneshot::Sender<Exit>,
    stops: UnboundedSender<i32>,
}

struct Starting {
    grace: Duration,
    leave: bool,
    started: oneshot::Sender<Result<Process, SpawnError>>,
}

/// All that xec knows of its broker; owned by one task.
struct Wire {
    peer: Peer,
    commands: mpsc::WeakUnboundedSender<Command>,
    inbox: Inbox,
    /// Frames that wait for room in the socket, with what goes along with their first byte.
    outbox: VecDeque<(Vec<u8>, Vec<OwnedFd>)>,
    /// How much of the first one is gone.
    sent: usize,
    starting: FxHashMap<u64, Starting>,
    running: FxHashMap<u64, Running>,
    /// What jobs that have ended may leave for good, should it be us who sweep.
    left: Left,
    sweeps: Vec<oneshot::Sender<Vec<String>>>,
    flushes: Vec<oneshot::Sender<()>>,
    next_job: u64,
}

/// How long until a full socket is tried again that the runtime has no room to watch.
const WATCH_AGAIN: Duration = Duration::from_millis(10);

/// A socket that takes no more for now. It is watched only then, and as a second descriptor: whoever watches for room
/// all the time is woken each time that the other side has read something.
struct Full(Option<AsyncFd<OwnedFd>>);

impl Full {
    /// Ends when there may be room.
    async fn room(&mut self, socket: BorrowedFd<'_>) {
        if self.0.is_none() {
            let second = socket.try_clone_to_owned();
            self.0 = second.and_then(|second| fd::watch(second, Interest::WRITABLE)).ok();
        }
        match &self.0 {
            Some(watched) => {
                if let Ok(mut ready) = watched.writable().await {
                    ready.clear_ready(); // Tried right after this: what changes in between is seen again.
                }
            }
            None => tokio::time::sleep(WATCH_AGAIN).await,
        }
    }
}

impl Wire {
    async fn run(
        mut self,
        socket: AsyncFd<Arc<OwnedFd>>,
        mut orders: UnboundedReceiver<Command>,
        lose: watch::Sender<bool>,
    ) {
        let mut open = true;
        let mut full = Full(None);
        loop {
            let alive = tokio::select! {
                biased;
                order = orders.recv(), if open => match order {
                    Some(order) => {
                        self.take(order);
                        while let Ok(order) = orders.try_recv() {
                            self.take(order);
                        }
                        // Most often there is room, so this is tried before anything waits for it.
                        self.send(socket.as_fd()).map_or_else(|error| error.kind() == ErrorKind::WouldBlock, |()| true)
                    }
                    None => {
                        open = false; // Nobody will ask again; what runs is still reported.
                        true
                    }
                },
                ready = socket.readable() => ready.is_ok_and(|mut ready| {
                    ready.try_io(|socket| self.receive(socket.as_fd())).unwrap_or(Ok(())).is_ok()
                }),
                () = full.room(socket.as_fd()), if !self.outbox.is_empty() => {
                    self.send(socket.as_fd()).map_or_else(|error| error.kind() == ErrorKind::WouldBlock, |()| true)
                }
            };
            if !alive {
                break;
            }
            if self.outbox.is_empty() {
                full = Full(None);
            }
        }
        drop(socket);
        self.end(orders, lose).await;
    }

    fn take(&mut self, order: Command) {
        match order {
            Command::Spawn(Spawn { mut frame, fds, grace, leave, started }) => {
                let job = self.next_job;
                self.next_job += 1;
                set_job(&mut frame, job);
                self.outbox.push_back((frame, fds));
                self.starting.insert(job, Starting { grace, leave, started });
            }
            Command::Signal(job, signal) => self.signal(job, signal),
            Command::Sweep { now, spare, reply } => {
                self.sweeps.push(reply);
                self.outbox.push_back((Request::sweep(now, &spare), Vec::new()));
            }
            Command::Flush(reply) => self.flushes.push(reply),
        }
    }

    fn signal(&mut self, job: u64, signal: Signal) {
        if job == ALL || self.running.contains_key(&job) {
            self.outbox.push_back((Request::signal(job, signal), Vec::new()));
        }
    }

    /// Sends all that there is room for; WouldBlock only if some is left.
    fn send(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        while let Some((frame, fds)) = self.outbox.front_mut() {
            match sys::send(socket, &frame[self.sent..], fds) {
                Ok(count) => {
                    fds.clear(); // They went with the first byte.
                    self.sent += count;
                    if self.sent == frame.len() {
                        self.outbox.pop_front();
                        self.sent = 0;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        for reply in self.flushes.drain(..) {
            let _ = reply.send(()); // Nobody needs to wait for it.
        }
        Ok(())
    }

    /// Takes what has come; WouldBlock when that is all.
    fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        loop {
            let space = self.inbox.space();
            let room = space.len();
            let count = match sys::receive(socket, space) {
                Ok((0, _)) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok((count, _)) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.inbox.filled(count);
            while let Some(frame) = self.inbox.next() {
                let report = Report::decode(frame).ok_or(ErrorKind::InvalidData)?;
                self.note(report);
            }
            if count < room {
                return Err(ErrorKind::WouldBlock.into()); // As good as asking once more.
            }
        }
    }

    fn note(&mut self, report: Report) {
        match report {
            Report::Spawned { job, pid } => self.started(job, pid),
            Report::Failed { job, errno } => {
                if let Some(starting) = self.starting.remove(&job) {
                    let _ = starting.started.send(Err(SpawnError::Errno(errno)));
                }
            }
            Report::Stopped { job, signal } => {
                if let Some(running) = self.running.get(&job) {
                    let _ = running.stops.send(signal); // Nobody needs to listen.
                }
            }
            Report::Exited { job, status, usage } => {
                if let Some(running) = self.running.remove(&job) {
                    if running.leave {
                        self.left.ended(running.pid);
                    }
                    let _ = running.exit.send(Exit::Status(status, usage));
                }
            }
            Report::Swept { names } => {
                for reply in self.sweeps.drain(..) {
                    let _ = reply.send(names.clone());
                }
            }
        }
    }

    fn started(&mut self, job: u64, pid: i32) {
        let Some(starting) = self.starting.remove(&job) else { return };
        let (exit, exited) = oneshot::channel();
        let (stops, stopped) = mpsc::unbounded_channel();
        let Starting { grace, leave, started } = starting;
        self.left.began(pid, leave);
        self.running.insert(job, Running { pid, grace, leave, exit, stops });
        let process = self.commands.upgrade().map(|commands| Process {
            pid,
            control: Control { job, commands },
            exit: exited,
            stops: stopped,
        });
        let handed = process.is_some_and(|process| started.send(Ok(process)).is_ok());
        if !handed {
            self.signal(job, Signal::Kill); // Nobody is there to read what it writes.
        }
    }

    /// The broker is gone: because that is wanted, or because somebody killed it.
    async fn end(mut self, mut orders: UnboundedReceiver<Command>, lose: watch::Sender<bool>) {
        for (_, starting) in self.starting.drain() {
            let _ = starting.started.send(Err(SpawnError::Lost)); // Nobody needs to wait for it.
        }
        if !self.peer.closing.load(Ordering::Relaxed) {
            // What there is to hear is heard from here on; what waits for an answer gets one below.
            orders.close();
            let _ = lose.send(true);
            let names = self.take_over().await;
            self.note(Report::Swept { names: names.clone() });
            while let Ok(order) = orders.try_recv() {
                match order {
                    Command::Sweep { reply, .. } => {
                        let _ = reply.send(names.clone()); // Nobody needs to wait for it.
                    }
                    Command::Spawn(spawn) => {
                        let _ = spawn.started.send(Err(SpawnError::Lost)); // Nor for this.
                    }
                    Command::Signal(..) | Command::Flush(_) => {}
                }
            }
        }
        for (_, running) in self.running.drain() {
            let _ = running.exit.send(Exit::Lost); // Nobody needs to wait for it.
        }
    }

    /// Ends what the broker left to us, its subreaper.
    async fn take_over(&self) -> Vec<String> {
        sys::kill(self.peer.pid, libc::SIGKILL);
        // The end of the socket comes before its orphans are ours: they are, once it can be waited for.
        sys::wait_for(self.peer.pid);
        let own = std::process::id() as i32;
        let foreign = [nix::unistd::getpgrp().as_raw(), self.peer.pid];
        let jobs: HashMap<i32, Duration> = self.running.values().map(|running| (running.pid, running.grace)).collect();
        let mut sweeper = Sweeper::new(own, foreign, false);
        sweeper.spared = HashSet::from_iter(self.peer.spared.iter().copied());
        while let Some(wait) = sweeper.step(&jobs, &self.left) {
            if sweeper.rests() {
                break;
            }
            while sys::wait_any().is_ok_and(|waited| waited.is_some()) {}
            // There is no telling when a child ends but SIGCHLD, which is not ours to take in xec.
            tokio::time::sleep(wait.min(Duration::from_millis(10))).await;
        }
        while sys::wait_any().is_ok_and(|waited| waited.is_some()) {}
        sweeper.names
    }
}
