//! How to get three streams to a shell at some place. Knows nothing of what is said through them.
//!
//! The one way that is here goes through a local program, such as `docker exec -i NAME sh -c`, which is given the
//! text for the shell as its last word. [`crate::exec::ssh`] has another.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::command::NotStarted;
use crate::exec::broker::Link;
use crate::exec::broker::link::{Exit, Process, SpawnError};
use crate::exec::broker::proto::{SpawnParts, Stdio};
use crate::exec::find::{find, refusal};
use crate::exec::{LocalFuture, Signal};

/// The ends of three pipes that the other side is to have: stdin, stdout, stderr.
pub(crate) type Streams = [OwnedFd; 3];

/// A way to a shell.
pub(crate) trait Channels {
    /// Has the shell there run `text`, with these streams. `grace` is how long what is here for it may take to end,
    /// should xec be gone. A channel that is `standing` is kept while others are waited for: where there are only so
    /// many, it is none of those. A future that is dropped leaves nothing behind.
    fn open<'a>(
        &'a self,
        text: &'a str,
        streams: Streams,
        grace: Duration,
        standing: bool,
    ) -> LocalFuture<'a, Result<Channel, NotStarted>>;
}

/// Three streams that are open.
pub(crate) struct Channel {
    /// How they ended; dropped where nobody knows.
    pub(crate) end: oneshot::Receiver<End>,
    /// Ends them from here.
    pub(crate) cut: Cut,
    /// The process here that they go through, if it is theirs alone, else 0.
    pub(crate) pid: i32,
}

/// How a channel ended, which says nothing of what ran at its other end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The other side closed it, or we did.
    Closed,
    /// The way there was lost, in words of its own.
    Broken(String),
    /// The program that it goes through ended, which can mean either.
    Ended,
}

/// Ends a channel, at the latest when it is dropped.
pub(crate) struct Cut(Option<Box<dyn FnOnce() + Send>>);

impl Cut {
    pub(crate) fn new(cut: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(cut)))
    }

    /// Does nothing where it has been done, or the channel has ended.
    pub(crate) fn now(&mut self) {
        if let Some(cut) = self.0.take() {
            cut();
        }
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.now();
    }
}

/// Starts a program that is no task's: the user's own client of some place. What it is given is what `stdio` says.
pub(crate) async fn start_client(
    link: &Link,
    words: &[OsString],
    stdio: [Stdio; 3],
    fds: Vec<OwnedFd>,
    grace: Duration,
) -> Result<Process, NotStarted> {
    let here = std::env::current_dir().unwrap_or_default();
    let Some(first) = words.first() else {
        return Err(NotStarted::Missing("there is no program to execute".to_owned()));
    };
    let program = find(first, std::env::var_os("PATH").as_deref(), &here)?;
    let argv: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    // It stands apart: Ctrl-Z stops what runs there by a message, which a stopped client would not pass on.
    let parts = SpawnParts {
        grace,
        leave: false,
        stdio,
        apart: true,
        program: program.as_bytes(),
        cwd: b"",
        argv: &argv,
        env: &[],
    };
    match link.spawn(&parts, fds).await {
        Ok(process) => Ok(process),
        Err(SpawnError::Errno(errno)) => Err(refusal(errno, first, program.as_ref(), &here)),
        Err(SpawnError::Lost) => Err(NotStarted::Failed("the process broker is gone".to_owned())),
    }
}

/// Through a program that is started for each channel.
pub(crate) struct Program {
    pub(crate) link: Link,
    /// Never empty.
    pub(crate) words: Vec<OsString>,
    /// It is the place itself, and no way to one: its end is never that of a link.
    pub(crate) is_place: bool,
}

impl Program {
    async fn start(&self, text: &str, streams: Streams, grace: Duration) -> Result<Channel, NotStarted> {
        let mut words = self.words.clone();
        words.push(text.into());
        let process = start_client(&self.link, &words, [Stdio::Passed; 3], streams.into(), grace).await?;
        let (tell, end) = oneshot::channel();
        let (exit, is_place) = (process.exit, self.is_place);
        tokio::spawn(async move {
            let end = match exit.await {
                Ok(Exit::Status(..)) if is_place => End::Closed,
                Ok(Exit::Status(..)) => End::Ended,
                Ok(Exit::Lost) | Err(_) => End::Broken("the process broker was lost".to_owned()),
            };
            let _ = tell.send(end); // Nobody needs to listen.
        });
        let control = process.control;
        Ok(Channel { end, cut: Cut::new(move || control.send(Signal::Kill)), pid: process.pid })
    }
}

impl Channels for Program {
    fn open<'a>(
        &'a self,
        text: &'a str,
        streams: Streams,
        grace: Duration,
        _standing: bool,
    ) -> LocalFuture<'a, Result<Channel, NotStarted>> {
        Box::pin(self.start(text, streams, grace))
    }
}

/// A name that nobody else has: 32 hexadecimal digits from the kernel.
pub(crate) fn nonce() -> io::Result<String> {
    use std::io::Read;
    let mut random = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
