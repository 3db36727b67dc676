//! Commands at the other end of a pipe, which is what a host is: a local program (`ssh` with its options, or
//! just a shell) is given one more word, and from there on everything goes through its three streams, as
//! `wrapper` has it. Knows nothing of names, keys and addresses.
//!
//! Three outcomes: not started (the link never said `ready`, or the script never began), exited with a code
//! (the other side said so), unknown (it was sent, and nothing more was heard).

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::base::command::{CommandSpec, NotStarted, Outcome, Sink, Stdin, Usage};
use crate::base::event::Stream;
use crate::exec::attend::Attendant;
use crate::exec::broker::Link;
use crate::exec::broker::link::{Control, Exit, Process, SpawnError};
use crate::exec::broker::proto::{SpawnParts, Stdio};
use crate::exec::fd::{self, Pipe};
use crate::exec::find::{find, no_room, refusal};
use crate::exec::markers::Markers;
use crate::exec::pump::{Capture, Destination, Pump};
use crate::exec::wrapper::{self, NO_DIRECTORY, NO_SCRIPT};
use crate::exec::{JobCx, LocalFuture, Running, Signal, Target};

/// How long the other side has to do as it is told before the link itself is ended.
const LAST_WORD: Duration = Duration::from_secs(2);

/// The other end of a program that takes a command for a login shell as its last word.
pub struct PipeTarget {
    link: Link,
    transport: Vec<OsString>,
    nonce: String,
}

impl PipeTarget {
    /// Commands go through `transport`, such as `ssh -T web1 --` or `sh -c`; never empty.
    pub fn new(link: Link, transport: Vec<OsString>) -> io::Result<Self> {
        let mut random = [0; 16];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
        let nonce = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { link, transport, nonce })
    }

    async fn launch(&self, spec: CommandSpec, cx: JobCx) -> Result<Running, NotStarted> {
        if spec.stdin == Stdin::Terminal {
            return Err(NotStarted::Failed("a command on a host cannot have the terminal".to_owned()));
        }
        let line = wrapper::first_line(&wrapper::script(&spec)?, spec.grace);
        let mut connection = self.connect(&spec, &cx).await?;
        match connection.open(line, &spec).await {
            Ok(()) => Ok(connection.run(cx)),
            Err(why) => {
                connection.process.control.send(Signal::Kill); // Nobody listens to it any more.
                Err(why)
            }
        }
    }

    async fn connect(&self, spec: &CommandSpec, cx: &JobCx) -> Result<Connection, NotStarted> {
        let room = |error: io::Error| no_room(&error);
        let here = std::env::current_dir().unwrap_or_default();
        let Some(first) = self.transport.first() else {
            return Err(NotStarted::Missing("there is no program to execute".to_owned()));
        };
        let program = find(first, std::env::var_os("PATH").as_deref(), &here)?;
        let command = wrapper::command(&self.nonce);
        let mut argv: Vec<&[u8]> = self.transport.iter().map(|word| word.as_bytes()).collect();
        argv.push(command.as_bytes());
        let (stdin, stdout, stderr) =
            (Pipe::to_write().map_err(room)?, Pipe::to_read().map_err(room)?, Pipe::to_read().map_err(room)?);
        let (orders, inbox) = unbounded_channel();
        let lease = Lease::new(stdin.ours).map_err(room)?;
        let to = match spec.stdout {
            Sink::Capture(cap) => {
                let orders = orders.clone();
                let kill = move || {
                    let _ = orders.send(Signal::Kill); // It may have ended.
                };
                Destination::Capture(Capture::new(cap, Box::new(kill)))
            }
            _ => Destination::Report { output: cx.output.clone(), job: cx.job, stream: Stream::Stdout },
        };
        let stdout_pump = Pump::new(stdout.ours, to);
        let held = Pump::new(stderr.ours, Destination::Held(Vec::new()));
        let parts = SpawnParts {
            grace: spec.grace,
            leave: false,
            stdio: [Stdio::Passed; 3],
            program: program.as_bytes(),
            cwd: b"",
            argv: &argv,
            env: &[],
        };
        let process = match self.link.spawn(&parts, vec![stdin.theirs, stdout.theirs, stderr.theirs]).await {
            Ok(process) => process,
            Err(SpawnError::Errno(errno)) => return Err(refusal(errno, first, program.as_ref(), &here)),
            Err(SpawnError::Lost) => return Err(NotStarted::Failed("the process broker is gone".to_owned())),
        };
        let (tell, exited) = oneshot::channel();
        let stderr = held.with_markers(Markers::new(&self.nonce), tell);
        let stdout = stdout_pump;
        Ok(Connection { process, lease, orders, inbox, exited, stdout, stderr, ended: None, grace: spec.grace })
    }
}

impl Target for PipeTarget {
    fn start<'a>(&'a self, spec: CommandSpec, cx: JobCx) -> LocalFuture<'a, Result<Running, NotStarted>> {
        Box::pin(self.launch(spec, cx))
    }
}

/// A link on its way to a command.
struct Connection {
    process: Process,
    lease: Lease,
    orders: UnboundedSender<Signal>,
    inbox: UnboundedReceiver<Signal>,
    /// Told when the other side says that the command has ended.
    exited: oneshot::Receiver<()>,
    grace: Duration,
    stdout: Pump,
    stderr: Pump,
    /// Set where the program of the link has ended already.
    ended: Option<Exit>,
}

impl Connection {
    fn heard(&self) -> Heard {
        self.stderr.markers().map_or_else(Heard::default, |markers| Heard {
            ready: markers.ready,
            start: markers.start,
            exit: markers.exit,
        })
    }

    /// Gets the command to run. Once the script was sent, only the other side can say that it does not.
    async fn open(&mut self, line: Vec<u8>, spec: &CommandSpec) -> Result<(), NotStarted> {
        self.listen(|heard| heard.ready).await;
        if !self.heard().ready {
            return Err(NotStarted::Unreachable(self.last_words("the link ended before it was up")));
        }
        self.lease.say(line);
        self.listen(|heard| heard.start.is_some() || heard.exit.is_some()).await;
        match self.heard() {
            Heard { start: None, exit: Some(code), .. } => Err(self.no_start(code, spec)),
            _ => Ok(()),
        }
    }

    /// Listens until something was said or nothing more will be.
    async fn listen(&mut self, said: impl Fn(&Markers) -> bool) {
        if self.ended.is_none() {
            tokio::select! {
                biased;
                () = self.stderr.run_until(&said) => return,
                exit = &mut self.process.exit => self.ended = Some(exit.unwrap_or(Exit::Lost)),
                // Speaks, and then only waits for more to say.
                () = self.lease.keep() => {}
            }
        }
        // What it said last may still be in the pipe, which others may hold open for ever.
        self.stderr.drain().await;
    }

    /// The last line that was heard, which is where a transport says what is wrong.
    fn last_words(&self, otherwise: &str) -> String {
        let text = String::from_utf8_lossy(self.stderr.held());
        let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
        line.unwrap_or(otherwise).to_owned()
    }

    fn no_start(&self, code: i32, spec: &CommandSpec) -> NotStarted {
        NotStarted::Failed(match code {
            NO_DIRECTORY => format!("the directory `{}`: {}", spec.cwd.display(), self.last_words("cannot be entered")),
            NO_SCRIPT => "the script did not arrive whole, or the host has no `base64`".to_owned(),
            _ => self.last_words(&format!("the shell of the host ended with {code}")),
        })
    }

    fn run(mut self, cx: JobCx) -> Running {
        self.stderr.release(cx.output, cx.job, Stream::Stderr);
        let Process { pid, control: link, exit, stops } = self.process;
        let exit = match self.ended {
            None => exit,
            Some(ended) => {
                let (tell, exit) = oneshot::channel();
                let _ = tell.send(ended); // The other end is right here.
                exit
            }
        };
        let orders = self.orders;
        let attendant = Attendant {
            pid,
            exit,
            stdout: Some(self.stdout),
            stderr: Some(self.stderr),
            side: Some(Box::pin(hold(self.lease, self.inbox, self.exited, link, self.grace))),
            after: None,
            leave: false,
            judge,
        };
        let control = move |signal| {
            let _ = orders.send(signal); // It may have ended.
        };
        Running { pid: None, control: Box::new(control), done: attendant.begin(), stops }
    }
}

/// What the other side has said so far.
#[derive(Clone, Copy, Default)]
struct Heard {
    ready: bool,
    start: Option<i32>,
    exit: Option<i32>,
}

fn judge(exit: Exit, heard: Option<&Markers>) -> (Outcome, Option<Usage>) {
    let outcome = match heard.and_then(|markers| markers.exit) {
        Some(code) => Outcome::Exited(code),
        None if exit == Exit::Lost => Outcome::Unknown("the process broker was lost".to_owned()),
        None => Outcome::Unknown("the link ended before the command did".to_owned()),
    };
    (outcome, None) // What the link used is not what the command used.
}

/// Our end of the other side's stdin: while it is open, the command may live.
struct Lease {
    pipe: Option<AsyncFd<OwnedFd>>,
    unsaid: Vec<u8>,
    /// How much of that has been said.
    said: usize,
}

impl Lease {
    fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self { pipe: Some(fd::watch(pipe, Interest::WRITABLE)?), unsaid: Vec::new(), said: 0 })
    }

    fn say(&mut self, line: Vec<u8>) {
        self.unsaid.extend(line);
    }

    /// Says all that is unsaid. The other side may have gone, of which its stderr tells.
    async fn speak(&mut self) {
        while let (true, Some(pipe)) = (self.said < self.unsaid.len(), &self.pipe) {
            let wrote = match pipe.writable().await {
                Ok(mut ready) => ready.try_io(|pipe| Ok(nix::unistd::write(pipe, &self.unsaid[self.said..])?)),
                Err(error) => Ok(Err(error)),
            };
            match wrote {
                Ok(Ok(count)) => self.said += count,
                Ok(Err(_)) => self.pipe = None,
                Err(_) => {}
            }
        }
        self.unsaid.clear();
        self.said = 0;
    }

    /// Says all that is unsaid, and never ends.
    async fn keep(&mut self) {
        self.speak().await;
        std::future::pending().await
    }
}

/// Passes on what is ordered, and ends the link itself where the other side does not obey in time, or does not
/// let go of it after the end of the command.
async fn hold(
    mut lease: Lease,
    mut orders: UnboundedReceiver<Signal>,
    exit: oneshot::Receiver<()>,
    link: Control,
    grace: Duration,
) {
    let mut exit = std::pin::pin!(exit);
    let mut ordered = true;
    let patience = loop {
        tokio::select! {
            biased;
            order = orders.recv(), if ordered => match order {
                Some(Signal::Kill) => {
                    lease.say(line_of(Signal::Kill));
                    // A link that takes nothing any more is not waited for.
                    let _ = tokio::time::timeout(LAST_WORD, lease.speak()).await;
                    lease.pipe = None;
                    break LAST_WORD;
                }
                Some(signal) => lease.say(line_of(signal)),
                None => ordered = false, // Nobody can order any more; it may still run.
            },
            _ = &mut exit => break grace + LAST_WORD,
            () = lease.keep() => {}
        }
    };
    tokio::time::sleep(patience).await;
    link.send(Signal::Kill);
}

/// A signal as the wrapper takes it: a name that `kill` knows on every system.
fn line_of(signal: Signal) -> Vec<u8> {
    let name = match signal {
        Signal::End(number) => nix::sys::signal::Signal::try_from(number)
            .map_or("TERM", |signal| signal.as_str().trim_start_matches("SIG")),
        Signal::Kill => "KILL",
        Signal::Stop => "STOP",
        Signal::Continue => "CONT",
    };
    format!("{name}\n").into_bytes()
}
