//! Commands at the other end of a channel, which is what a host is: a shell there is given one text, the same for
//! every command, and from there on everything goes through its three streams, as `wrapper` has it. Knows nothing
//! of names, keys and addresses.
//!
//! Three outcomes: not started (the channel never said `ready`, or the script never began), exited with a code
//! (the other side said so), unknown (it was sent, and nothing more was heard).
//!
//! | | |
//! |---|---|
//! | `channel` | ways to a shell |
//! | `wrapper`, `markers` | what runs there, and what it says of that; pure |
//! | `lease` | what keeps it alive, and ends it |
//! | `feed` | what it reads while it runs, and where what it writes goes that another command reads |

use std::ffi::OsString;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::base::command::{CommandSpec, NotStarted, Outcome, Sink, Stdin};
use crate::base::event::Stream;
use crate::exec::attend::Attendant;
use crate::exec::broker::Link;
use crate::exec::fd::Pipe;
use crate::exec::find::no_room;
use crate::exec::pump::{Capture, Destination, Pump};
use crate::exec::remote::channel::{Channel, Channels, Cut, End, Program};
use crate::exec::remote::feed::{Fed, Feed, contents, relay};
use crate::exec::remote::lease::{Lease, Times, hold};
use crate::exec::remote::markers::Markers;
use crate::exec::remote::wrapper::{NO_DIRECTORY, NO_SCRIPT};
use crate::exec::{Finished, JobCx, LocalFuture, Running, Signal, Target};

pub(crate) mod channel;
pub(crate) mod feed;
mod lease;
pub(crate) mod markers;
pub(crate) mod wrapper;

/// How long a login shell may take before it lets the wrapper speak.
const LOGIN: Duration = Duration::from_secs(60);
/// How long what is left of a command is looked after once its channel is lost.
const LAST_RITES: Duration = Duration::from_secs(10);

/// How often a command hears that we are still here, where nobody says otherwise.
const BEAT: Duration = Duration::from_secs(15);

/// A place behind a channel. Copies are the same place.
#[derive(Clone)]
pub struct RemoteTarget {
    channels: Rc<dyn Channels>,
    nonce: Arc<str>,
    /// Whose commands they are, where they are not the login's own.
    user: Option<Arc<str>>,
    /// How often a command hears that we are still here, where the way there can be lost without an end.
    beat: Option<Duration>,
}

impl RemoteTarget {
    /// Commands go through `words`, a program that takes a text for a shell as its last word, such as
    /// `docker exec -i web1 sh -c`; never empty.
    ///
    /// # Errors
    /// There is no randomness to be had.
    pub fn through(link: Link, words: Vec<OsString>) -> io::Result<Self> {
        Ok(Self::new(Rc::new(Program { link, words, is_place: false }), channel::nonce()?.into(), Some(BEAT)))
    }

    /// A shell of this machine, for whoever is somebody else there, or rehearses.
    ///
    /// # Errors
    /// As for [`RemoteTarget::through`].
    pub fn here(link: Link) -> io::Result<Self> {
        let words = ["sh", "-c"].map(OsString::from).into();
        Ok(Self::new(Rc::new(Program { link, words, is_place: true }), channel::nonce()?.into(), None))
    }

    pub(crate) fn new(channels: Rc<dyn Channels>, nonce: Arc<str>, beat: Option<Duration>) -> Self {
        Self { channels, nonce, user: None, beat }
    }

    /// The same place, where commands run as another user by `sudo -n`, which must not ask for a password.
    ///
    /// # Errors
    /// What it says is wrong with the name.
    pub fn as_user(&self, user: &str) -> Result<Self, String> {
        let fits = |character: char| character.is_alphanumeric() || "._-#+@".contains(character);
        if user.is_empty() || user.starts_with('-') || !user.chars().all(fits) {
            return Err(format!("`{}` cannot be the name of a user", user.escape_debug()));
        }
        Ok(Self { user: Some(user.into()), ..self.clone() })
    }

    pub(crate) fn channels(&self) -> &Rc<dyn Channels> {
        &self.channels
    }

    pub(crate) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    async fn launch(&self, spec: CommandSpec, cx: JobCx) -> Result<Running, NotStarted> {
        let cannot = |what: &str| Err(NotStarted::Failed(format!("a command on a host cannot {what}")));
        let (mut cx, mut feed) = (cx, None);
        let spec = match (&spec.stdin, cx.passed.stdin.take()) {
            (Stdin::Terminal, _) => return cannot("have the terminal"),
            (Stdin::Passed, stdin) => {
                feed = Some(Feed::new(stdin)?);
                spec
            }
            (Stdin::File(path), Some(file)) => match contents(path, &file)? {
                Some(bytes) => CommandSpec { stdin: Stdin::Bytes(bytes), ..spec },
                None => {
                    feed = Some(Feed::new(Some(file))?);
                    spec
                }
            },
            _ => spec,
        };
        match (&spec.stdout, &spec.stderr) {
            _ if spec.leave => return cannot("leave anything behind"),
            (_, Sink::Passed | Sink::File(_)) => return cannot("have another stderr"),
            _ => {}
        }
        let script = wrapper::script(&spec, feed.as_ref())?;
        // What waits to be fed may wait for long: its time begins with the first that it hears of us.
        let silence = if feed.is_some() { 0 } else { lease::silence(self.beat) };
        let answer = wrapper::answer(&script, spec.grace, silence);
        let mut connection = self.connect(&spec, &mut cx, feed.is_some()).await?;
        connection.open(answer, &spec).await?;
        if let Some(feed) = feed {
            connection.fed = Some(feed.begin(self, spec.grace, connection.orders.clone()).await?);
        }
        Ok(connection.run(cx, self.clone()))
    }

    async fn connect(&self, spec: &CommandSpec, cx: &mut JobCx, fed: bool) -> Result<Connection, NotStarted> {
        let room = |error: io::Error| no_room(&error);
        let (stdin, stdout, stderr) =
            (Pipe::to_write().map_err(room)?, Pipe::to_read().map_err(room)?, Pipe::to_read().map_err(room)?);
        let (orders, inbox) = unbounded_channel();
        let lease = Lease::new(stdin.ours).map_err(room)?;
        let kill = {
            let orders = orders.clone();
            Box::new(move || {
                let _ = orders.send(Signal::Kill); // It may have ended.
            })
        };
        let gate = markers::Gate::new(&self.nonce);
        let to = match (&spec.stdout, cx.passed.stdout.take()) {
            (Sink::Passed, Some(to)) => Err(to),
            (Sink::Capture(cap), _) => Ok(Destination::Capture(Capture::new(*cap, kill).told(cx.lines.clone()))),
            (_, Some(file)) => Ok(Destination::File(file, Some(kill))),
            _ => Ok(Destination::report(cx.output.clone(), cx.job, Stream::Stdout)),
        };
        let held = Pump::new(stderr.ours, Destination::Held(Vec::new()));
        let text = wrapper::command(&self.nonce, self.user());
        let streams = [stdin.theirs, stdout.theirs, stderr.theirs];
        let Channel { end, cut, pid } = self.channels.open(&text, streams, spec.grace, fed).await?;
        let (stdout, relay) = match to {
            Ok(to) => (Some(Pump::new(stdout.ours, to).behind_gate(gate)), None),
            Err(to) => (None, Some(tokio::spawn(relay(stdout.ours, gate, to, orders.clone())))),
        };
        let (tell, exited) = oneshot::channel();
        let stderr = held.with_markers(Markers::new(&self.nonce), tell);
        Ok(Connection {
            pid,
            end,
            cut,
            lease,
            orders,
            inbox,
            exited,
            stdout,
            relay,
            fed: None,
            stderr,
            ended: None,
            times: Times { grace: spec.grace, beat: self.beat },
        })
    }

    /// Ends the group of a command whose channel was lost, through another one.
    async fn bury(&self, group: i32, grace: Duration) {
        let text = wrapper::burial(group, grace, self.user());
        let streams = || -> io::Result<_> { Ok([Pipe::to_write()?, Pipe::to_read()?, Pipe::to_read()?]) };
        let Ok([stdin, stdout, stderr]) = streams() else { return };
        let work = async {
            let theirs = [stdin.theirs, stdout.theirs, stderr.theirs];
            if let Ok(channel) = self.channels.open(&text, theirs, grace, false).await {
                let _ = channel.end.await; // Whatever it says, this was the last there is to do.
            }
        };
        let _ = tokio::time::timeout(grace + LAST_RITES, work).await;
    }
}

impl Target for RemoteTarget {
    /// A start that is dropped ends what it began.
    fn start<'a>(&'a self, spec: CommandSpec, cx: JobCx) -> LocalFuture<'a, Result<Running, NotStarted>> {
        Box::pin(self.launch(spec, cx))
    }
}

/// A channel on its way to a command.
struct Connection {
    pid: i32,
    end: oneshot::Receiver<End>,
    cut: Cut,
    lease: Lease,
    orders: UnboundedSender<Signal>,
    inbox: UnboundedReceiver<Signal>,
    /// Told when the other side says that the command has ended.
    exited: oneshot::Receiver<()>,
    times: Times,
    stdout: Option<Pump>,
    /// What moves its stdout to who reads that, in place of the above.
    relay: Option<JoinHandle<()>>,
    /// What feeds it, where something does.
    fed: Option<Fed>,
    stderr: Pump,
    /// Set where the channel has ended already.
    ended: Option<End>,
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
    async fn open(&mut self, answer: Vec<u8>, spec: &CommandSpec) -> Result<(), NotStarted> {
        let answered = tokio::time::timeout(LOGIN, self.listen(|heard| heard.ready)).await.is_ok();
        if !self.heard().ready {
            if answered && self.ended.is_none() {
                // Its streams have ended, and so will the rest of it.
                self.ended = tokio::time::timeout(LAST_RITES, &mut self.end).await.ok().and_then(Result::ok);
            }
            return Err(self.no_shell(answered));
        }
        // What a login shell says before is no command's.
        self.stderr.forget();
        self.lease.say(answer);
        self.listen(|heard| heard.start.is_some() || heard.over()).await;
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
                end = &mut self.end => self.ended = Some(end.unwrap_or(End::Closed)),
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

    fn no_shell(&self, answered: bool) -> NotStarted {
        match &self.ended {
            Some(End::Broken(why)) => NotStarted::Unreachable(why.clone()),
            // Whoever closed it was there: a shell that lets nobody in, or sudo that wants a password.
            Some(End::Closed) => NotStarted::Failed(self.last_words("the login shell of the host runs no commands")),
            Some(End::Ended) => NotStarted::Unreachable(self.last_words("the link ended before it was up")),
            None if answered => NotStarted::Unreachable(self.last_words("the link was closed before it was up")),
            None => NotStarted::Unreachable(format!("no login shell answered in {} seconds", LOGIN.as_secs())),
        }
    }

    fn no_start(&self, code: i32, spec: &CommandSpec) -> NotStarted {
        NotStarted::Failed(match code {
            NO_DIRECTORY => format!("the directory `{}`: {}", spec.cwd.display(), self.last_words("cannot be entered")),
            NO_SCRIPT => "the script did not arrive whole".to_owned(),
            _ => self.last_words(&format!("the shell of the host ended with {code}")),
        })
    }

    fn run(mut self, cx: JobCx, host: RemoteTarget) -> Running {
        let group = self.heard().start;
        self.stderr.release(cx.output, cx.job, Stream::Stderr);
        let exit = match self.ended {
            None => self.end,
            Some(ended) => {
                let (tell, exit) = oneshot::channel();
                let _ = tell.send(ended); // The other end is right here.
                exit
            }
        };
        let (orders, times) = (self.orders, self.times);
        let (deaf, abandoned) = oneshot::channel();
        let (mourn, lost) = oneshot::channel();
        let attendant = Attendant {
            pid: self.pid,
            exit,
            stdout: self.stdout,
            stderr: Some(self.stderr),
            side: Some(Box::pin(hold(self.lease, self.inbox, self.exited, deaf, self.cut, times))),
            after: None,
            leave: false,
            judge: Box::new(move |end, heard| {
                let (outcome, left) = judge(end, heard);
                let _ = mourn.send(left); // Nobody needs to listen.
                (outcome, None) // What the way there used is not what the command used.
            }),
        };
        let control = move |signal| {
            let _ = orders.send(signal); // It may have ended.
        };
        let (mut attended, fed, relay) = (attendant.begin(), self.fed, self.relay);
        let done = async move {
            let orphaned = orphaned(abandoned, group);
            let finished: Finished = tokio::select! {
                biased;
                finished = &mut attended => finished,
                group = orphaned => {
                    host.bury(group, times.grace).await;
                    let finished = attended.await;
                    // Who waited for it may have lived on, and heard of an end that was our doing.
                    Finished { outcome: Outcome::Unknown(LOST.to_owned()), ..finished }
                }
            };
            if let Ok(Some(group)) = lost.await {
                host.bury(group, times.grace).await;
            }
            if let Some(fed) = fed {
                fed.end().await;
            }
            if let Some(relay) = relay {
                let _ = relay.await; // Its reader has all of it, or has gone.
            }
            finished
        };
        let (_, stops) = unbounded_channel(); // What is stopped there, nobody tells.
        Running { pid: None, control: Box::new(control), done: Box::pin(done), stops }
    }
}

/// Ends with the group of a command whose wrapper has gone without it, and never otherwise.
async fn orphaned(abandoned: oneshot::Receiver<()>, group: Option<i32>) -> i32 {
    match (abandoned.await, group) {
        (Ok(()), Some(group)) => group,
        _ => std::future::pending().await,
    }
}

/// What the other side has said so far.
#[derive(Clone, Copy, Default)]
struct Heard {
    ready: bool,
    start: Option<i32>,
    exit: Option<i32>,
}

/// How a command ended, and its group where that may live on at a place that can still be reached.
fn judge(end: Option<End>, heard: Option<&Markers>) -> (Outcome, Option<i32>) {
    let exit = heard.and_then(|markers| markers.exit);
    match (exit, end) {
        (Some(code), _) => (Outcome::Exited(code), None),
        (None, Some(End::Broken(why))) => (Outcome::Unknown(why), None),
        // Even where the wrapper has begun to end it: it may not have lived to see to that.
        (None, Some(End::Closed)) => (Outcome::Unknown(LOST.to_owned()), heard.and_then(|markers| markers.start)),
        (None, Some(End::Ended) | None) => (Outcome::Unknown(LOST.to_owned()), None),
    }
}

/// Where nobody says why.
const LOST: &str = "the link ended before the command did";
