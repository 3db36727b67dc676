//! The connections of one host, kept by one task: who wants a session is given a seat on one of them, or waits.
//! Knows nothing of what sessions are for.
//!
//! Seats are given in the order of the asking. A further connection is made only where all seats of the others are
//! taken; one that nobody sits on for a while is ended, and so are all once the host is released. Who keeps a seat while
//! others are waited for makes room for as many more connections as that takes: so nobody waits for himself.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, WeakUnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::base::command::NotStarted;
use crate::exec::ssh::Shared;
use crate::exec::ssh::host::Host;
use crate::exec::ssh::master::{Failure, Gone, Kind, Master, connect};

/// How many sessions a connection is asked for. An sshd takes ten (`MaxSessions`), and may hear of the next ones
/// before it has put away those that have just ended: at worst as many again.
const SEATS: u32 = 5;
/// How long a connection may take to end.
const GOODBYE: Duration = Duration::from_secs(2);

/// Who waits for a seat, and whether to keep it while others are waited for.
struct Want {
    reply: oneshot::Sender<Result<Seat, NotStarted>>,
    standing: bool,
}

/// What a keeper is told.
enum Order {
    /// Somebody wants a seat.
    Want(Want),
    /// A seat is free, which may have been a standing one.
    Left(u64, bool),
    /// The host refused a session on this connection, and so it has fewer seats for now; asks whether others sit there.
    Full(u64, oneshot::Sender<bool>),
    /// A connection has ended by itself.
    Gone(u64),
    /// Nobody will want a seat any more, as far as is known.
    Release,
    /// End all, and say when that is done.
    Close(oneshot::Sender<()>),
}

/// Leave to open one session on a connection, until it is dropped.
pub(super) struct Seat {
    pub(super) socket: Arc<Path>,
    /// Set once the connection has ended.
    pub(super) gone: Gone,
    line: u64,
    standing: bool,
    keeper: UnboundedSender<Order>,
}

impl Seat {
    /// The host took no further session here; whether there are others, so that one of them will end.
    pub(super) async fn refused(self) -> bool {
        let (reply, others) = oneshot::channel();
        let _ = self.keeper.send(Order::Full(self.line, reply)); // Without a keeper there is no connection either.
        others.await.unwrap_or(false)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.keeper.send(Order::Left(self.line, self.standing)); // As above.
    }
}

/// A way to the keeper of a host. With the last of them, and of the seats, the keeper ends.
#[derive(Clone)]
pub(super) struct Handle(UnboundedSender<Order>);

impl Handle {
    /// A seat, as soon as there is one; a standing one is kept while others are waited for. A future that is dropped
    /// takes none.
    pub(super) async fn seat(&self, standing: bool) -> Result<Seat, NotStarted> {
        let (reply, answer) = oneshot::channel();
        let ending = || NotStarted::Failed("the connections of this run have been closed".to_owned());
        self.0.send(Order::Want(Want { reply, standing })).map_err(|_| ending())?;
        answer.await.map_err(|_| ending())?
    }

    /// Ends each connection as soon as nobody sits on it.
    pub(super) fn release(&self) {
        let _ = self.0.send(Order::Release); // Without a keeper there are none.
    }

    /// Ends all connections, and those on their way.
    pub(super) fn close(&self) -> impl Future<Output = ()> + 'static {
        let (done, closed) = oneshot::channel();
        let _ = self.0.send(Order::Close(done)); // Without a keeper there are none.
        async move {
            let _ = closed.await; // Or it ended in another way.
        }
    }
}

/// One connection.
struct Line {
    id: u64,
    master: Master,
    sitting: u32,
    seats: u32,
    /// Since when nobody sits on it.
    idle: Option<Instant>,
}

struct Keeper {
    host: Host,
    shared: Arc<Shared>,
    tell: WeakUnboundedSender<Order>,
    lines: Vec<Line>,
    connecting: JoinSet<Result<Master, Failure>>,
    waiting: VecDeque<Want>,
    /// Why there will never be a connection.
    refusal: Option<NotStarted>,
    /// How many connections there may be, but for standing seats.
    pool: usize,
    /// How many of those are taken.
    standing: u32,
    released: bool,
    next: u64,
}

/// Begins to keep the connections of a host; inside a runtime.
pub(super) fn keep(host: Host, shared: Arc<Shared>) -> Handle {
    let (tell, orders) = unbounded_channel();
    let keeper = Keeper {
        pool: usize::from(host.pool.get()),
        standing: 0,
        host,
        shared,
        tell: tell.downgrade(),
        lines: Vec::new(),
        connecting: JoinSet::new(),
        waiting: VecDeque::new(),
        refusal: None,
        released: false,
        next: 0,
    };
    tokio::spawn(keeper.run(orders));
    Handle(tell)
}

impl Keeper {
    async fn run(mut self, mut orders: UnboundedReceiver<Order>) {
        loop {
            let idle = self.lines.iter().filter_map(|line| line.idle).min();
            let end = idle.map(|since| since + self.patience());
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(Order::Close(done)) => {
                        self.close(done).await;
                        return;
                    }
                    Some(order) => self.take(order),
                    None => return, // What there is ends with us.
                },
                Some(connected) = self.connecting.join_next() => self.connected(connected),
                () = async { tokio::time::sleep_until(end.unwrap_or_else(Instant::now)).await }, if end.is_some() => {
                    let (now, patience) = (Instant::now(), self.patience());
                    self.lines.retain(|line| line.idle.is_none_or(|since| since + patience > now));
                }
            }
            self.serve();
        }
    }

    fn patience(&self) -> Duration {
        if self.released { Duration::ZERO } else { self.host.idle }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Want(want) => {
                self.released = false;
                self.waiting.push_back(want);
            }
            Order::Left(id, standing) => {
                self.standing -= u32::from(standing);
                if let Some(line) = self.lines.iter_mut().find(|line| line.id == id) {
                    line.sitting -= 1;
                    if line.sitting == 0 {
                        line.idle = Some(Instant::now());
                        line.seats = SEATS; // Whatever was in the way may be gone too.
                    }
                }
            }
            Order::Full(id, reply) => {
                let line = self.lines.iter_mut().find(|line| line.id == id);
                let others = line.is_some_and(|line| {
                    line.seats = line.seats.min(line.sitting - 1).max(1);
                    line.sitting > 1
                });
                let _ = reply.send(others); // It may have gone.
            }
            Order::Gone(id) => self.lines.retain(|line| line.id != id),
            Order::Release => self.released = true,
            Order::Close(_) => {} // Taken before.
        }
    }

    fn connected(&mut self, connected: Result<Result<Master, Failure>, JoinError>) {
        match connected {
            Ok(Ok(master)) => self.add(master),
            Ok(Err(failure)) => self.failed(failure),
            Err(error) => {
                let why = NotStarted::Failed(format!("connecting ended early: {error}"));
                self.failed(Failure { why, kind: Kind::Other });
            }
        }
    }

    fn add(&mut self, master: Master) {
        let (id, mut gone, tell) = (self.next, master.gone.clone(), self.tell.clone());
        self.next += 1;
        tokio::spawn(async move {
            let _ = gone.wait_for(Option::is_some).await; // Its attendant cannot end before it has said so.
            if let Some(tell) = tell.upgrade() {
                let _ = tell.send(Order::Gone(id)); // A keeper that has ended knows no lines.
            }
        });
        self.lines.push(Line { id, master, sitting: 0, seats: SEATS, idle: Some(Instant::now()) });
    }

    /// Nobody who waits has been on this way, so all are told; but not where another way is open or opening.
    fn failed(&mut self, failure: Failure) {
        if failure.kind == Kind::ForGood {
            self.refusal = Some(failure.why.clone());
        }
        if self.lines.is_empty() && self.connecting.is_empty() {
            for Want { reply, .. } in self.waiting.drain(..) {
                let _ = reply.send(Err(failure.why.clone())); // It may have gone.
            }
        } else {
            // As many as the host takes are enough.
            self.pool = (self.lines.len() + self.connecting.len()).max(1);
        }
    }

    /// Gives away the seats there are, and sees to it that there will be more.
    fn serve(&mut self) {
        self.waiting.retain(|want| !want.reply.is_closed());
        while !self.waiting.is_empty()
            && let Some(line) = self.lines.iter_mut().find(|line| line.sitting < line.seats)
            && let Some(keeper) = self.tell.upgrade()
            && let Some(Want { reply, standing }) = self.waiting.pop_front()
        {
            let Line { id, master, .. } = line;
            line.sitting += 1;
            line.idle = None;
            self.standing += u32::from(standing);
            let (socket, gone) = (Arc::clone(&master.socket), master.gone.clone());
            let seat = Seat { socket, gone, line: *id, standing, keeper };
            let _ = reply.send(Ok(seat)); // A seat that is not taken says that it is free.
        }
        if let (Some(why), true) = (&self.refusal, self.lines.is_empty()) {
            for Want { reply, .. } in self.waiting.drain(..) {
                let _ = reply.send(Err(why.clone())); // It may have gone.
            }
        }
        let wanted = self.waiting.len().div_ceil(SEATS as usize);
        let standing = self.standing + self.waiting.iter().filter(|want| want.standing).count() as u32;
        let most = self.pool + standing.div_ceil(SEATS) as usize;
        while self.connecting.len() < wanted && self.lines.len() + self.connecting.len() < most {
            let (shared, host) = (Arc::clone(&self.shared), self.host.clone());
            self.connecting.spawn(async move { connect(&shared, &host).await });
        }
    }

    async fn close(mut self, done: oneshot::Sender<()>) {
        self.connecting.shutdown().await;
        let masters: Vec<Master> = self.lines.drain(..).map(|line| line.master).collect();
        masters.iter().for_each(Master::end);
        if tokio::time::timeout(GOODBYE, all_gone(&masters)).await.is_err() {
            masters.iter().for_each(Master::kill);
            let _ = tokio::time::timeout(GOODBYE, all_gone(&masters)).await; // The broker is the last to end it.
        }
        let _ = done.send(()); // Nobody needs to wait for it.
    }
}

async fn all_gone(masters: &[Master]) {
    for master in masters {
        let _ = master.gone.clone().wait_for(Option::is_some).await; // Its attendant may have ended too.
    }
}
