//! Who looks after a shell that is told what to do: hears its answers, and knows when it has ended.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use crate::base::command::{Outcome, Usage};
use crate::exec::broker::link::Exit;
use crate::exec::fd::{self, SMALL_READ};
use crate::exec::{Finished, LocalFuture, Signal};

/// How long a shell may take to end that has nothing more to do.
const LAST: Duration = Duration::from_secs(5);

/// What is known of a shell, by those who look after it.
pub(super) struct State {
    pub(super) control: Box<dyn Fn(Signal)>,
    /// Who waits for the end of a script, and hears of what stops it.
    pub(super) current: RefCell<Option<(oneshot::Sender<Exit>, UnboundedSender<i32>)>>,
    /// How it ended, once it has.
    pub(super) over: RefCell<Option<Outcome>>,
}

/// How a script ended, as its shell says it or died of it.
fn exit(outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Exited(code) => Exit::Status(code << 8, Usage::default()),
        Outcome::Signalled(signal) => Exit::Status(*signal, Usage::default()),
        Outcome::NotStarted(_) | Outcome::Unknown(_) => Exit::Lost,
    }
}

/// Looks after a shell until it has ended.
pub(super) struct Keeper {
    pub(super) state: Rc<State>,
    pub(super) answers: Answers,
    pub(super) kills: UnboundedReceiver<()>,
    pub(super) stops: UnboundedReceiver<i32>,
    /// Dropped at the end.
    pub(super) _ended: oneshot::Sender<()>,
}

impl Keeper {
    pub(super) async fn keep(mut self, mut done: LocalFuture<'static, Finished>) {
        let mut closed = false;
        let outcome = loop {
            tokio::select! {
                biased;
                code = self.answers.next() => self.ended(&Outcome::Exited(code)),
                finished = &mut done => break finished.outcome,
                Some(signal) = self.stops.recv() => {
                    if let Some((_, tell)) = &*self.state.current.borrow() {
                        let _ = tell.send(signal); // Nobody needs to listen.
                    }
                }
                kill = self.kills.recv(), if !closed => match kill {
                    Some(()) => (self.state.control)(Signal::Kill),
                    // Its session is closed, and so is what it reads.
                    None => closed = true,
                },
                () = tokio::time::sleep(LAST), if closed => (self.state.control)(Signal::Kill),
            }
        };
        self.ended(&outcome);
        *self.state.over.borrow_mut() = Some(outcome);
    }

    /// A script has ended.
    fn ended(&self, outcome: &Outcome) {
        if let Some((ended, _)) = self.state.current.borrow_mut().take() {
            let _ = ended.send(exit(outcome)); // It may have been given up.
        }
    }
}

/// What a shell says of its scripts.
pub(super) struct Answers {
    pub(super) fd: Option<AsyncFd<OwnedFd>>,
    /// What such a line begins with.
    pub(super) word: Vec<u8>,
    pub(super) line: Vec<u8>,
}

impl Answers {
    /// The next exit code. What is dropped half-way can be taken up again.
    async fn next(&mut self) -> i32 {
        loop {
            while let Some(end) = memchr::memchr(b'\n', &self.line) {
                let line: Vec<u8> = self.line.drain(..=end).collect();
                let code = line.strip_prefix(&*self.word).and_then(|code| std::str::from_utf8(code).ok());
                if let Some(code) = code.and_then(|code| code.trim_end().parse().ok()) {
                    return code;
                }
            }
            let Some(fd) = &self.fd else { return std::future::pending().await };
            match fd::next(fd, SMALL_READ).await {
                Some(bytes) => self.line.extend(bytes),
                None => self.fd = None,
            }
        }
    }
}
