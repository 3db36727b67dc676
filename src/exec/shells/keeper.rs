//! Who looks after a shell that is told what to do: hears its answers, and knows when it has ended.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::base::command::{CommandSpec, NotStarted, Outcome, Sink, Stdin, Usage};
use crate::base::event::JobId;
use crate::exec::broker::link::Exit;
use crate::exec::fd::{self, Pipe, SMALL_READ};
use crate::exec::find::no_room;
use crate::exec::output::OutputTx;
use crate::exec::{Finished, JobCx, LocalFuture, Passed, Running, Signal, Target};

/// How long a shell may take to end that has nothing more to do.
const LAST: Duration = Duration::from_secs(5);

/// A shell that listens to what it is told.
pub(super) struct Handle {
    /// What it is told.
    pub(super) input: OwnedFd,
    pub(super) pid: Option<u32>,
    pub(super) state: Rc<State>,
    /// Kills it. Dropped, the shell is given a while to end by itself.
    pub(super) kill: UnboundedSender<()>,
    /// Dropped at its end.
    pub(super) ended: oneshot::Receiver<()>,
}

/// What is known of a shell, by those who look after it.
pub(super) struct State {
    control: Box<dyn Fn(Signal)>,
    /// Who waits for the end of a script, and hears of what stops it.
    current: RefCell<Option<(oneshot::Sender<Exit>, UnboundedSender<i32>)>>,
    /// How it ended, once it has.
    over: RefCell<Option<Outcome>>,
}

impl State {
    pub(super) fn signal(&self, signal: Signal) {
        (self.control)(signal);
    }

    /// How the script ends that is handed over now, and what stops it.
    pub(super) fn expect(&self) -> (oneshot::Receiver<Exit>, UnboundedReceiver<i32>) {
        let (ended, exit) = oneshot::channel();
        let (tell, stops) = unbounded_channel();
        *self.current.borrow_mut() = Some((ended, tell));
        (exit, stops)
    }
}

/// Starts a shell of which nothing is shown, and looks after it. `spec`: its program, and what is around that. It says
/// `word done` and an exit code, in a line, for each script.
pub(super) async fn begin(inner: &dyn Target, spec: CommandSpec, word: &str) -> Result<Handle, NotStarted> {
    let room = |why: std::io::Error| no_room(&why);
    let (control, status) = (Pipe::to_write().map_err(room)?, Pipe::to_read().map_err(room)?);
    let answers = fd::watch(status.ours, Interest::READABLE).map_err(room)?;
    let passed = Passed { stdin: Some(control.theirs), stdout: Some(status.theirs), stderr: None };
    let cx = JobCx { passed, ..JobCx::new(JobId(0), OutputTx::pair().0) };
    let spec = CommandSpec { stdin: Stdin::Passed, stdout: Sink::Passed, stderr: Sink::WithStdout, ..spec };
    let Running { pid, control: send, done, stops } = inner.start(spec, cx).await?;
    let state = Rc::new(State { control: send, current: RefCell::default(), over: RefCell::default() });
    let (kill, kills) = unbounded_channel();
    let (tell, ended) = oneshot::channel();
    let answers = Answers { fd: Some(answers), word: format!("{word} done ").into_bytes(), line: Vec::new() };
    let keeper = Keeper { state: state.clone(), answers, kills, stops, _ended: tell };
    tokio::task::spawn_local(keeper.keep(done));
    Ok(Handle { input: control.ours, pid, state, kill, ended })
}

impl Handle {
    /// How it ended, once it has.
    pub(super) fn over(&self) -> Option<Outcome> {
        self.state.over.borrow().clone()
    }
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
struct Keeper {
    state: Rc<State>,
    answers: Answers,
    kills: UnboundedReceiver<()>,
    stops: UnboundedReceiver<i32>,
    /// Dropped at the end.
    _ended: oneshot::Sender<()>,
}

impl Keeper {
    async fn keep(mut self, mut done: LocalFuture<'static, Finished>) {
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
                    Some(()) => self.state.signal(Signal::Kill),
                    // Its session is closed, and so is what it reads.
                    None => closed = true,
                },
                () = tokio::time::sleep(LAST), if closed => self.state.signal(Signal::Kill),
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
struct Answers {
    fd: Option<AsyncFd<OwnedFd>>,
    /// What such a line begins with.
    word: Vec<u8>,
    line: Vec<u8>,
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
