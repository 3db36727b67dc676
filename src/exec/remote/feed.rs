//! What a command on a host reads while it runs, and where what it writes goes that another command reads. Its own
//! channel cannot bring it: the stdin of that is the lease. So a second channel feeds a named pipe there, which the
//! command has open from before it begins; back-pressure is that of the pipes. Knows nothing of who is at the other end.

use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::base::command::NotStarted;
use crate::exec::Signal;
use crate::exec::fd::{self, Pipe, SMALL_READ};
use crate::exec::find::no_room;
use crate::exec::remote::RemoteTarget;
use crate::exec::remote::channel::{Channel, Cut, End, nonce};
use crate::exec::remote::markers::Gate;
use crate::exec::remote::wrapper::sudo;

/// A file up to here travels with the script; a larger one, or what is no file, through a channel of its own.
const SMALL_STDIN: u64 = 256 << 10;

/// What is in a small file; nothing for any other.
pub(crate) fn contents(path: &Path, file: &OwnedFd) -> Result<Option<Arc<[u8]>>, NotStarted> {
    let failed = |why: io::Error| NotStarted::Failed(format!("cannot read `{}`: {why}", path.display()));
    let file = std::fs::File::from(file.try_clone().map_err(|why| no_room(&why))?);
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() || about.len() > SMALL_STDIN {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(SMALL_STDIN).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes.into()))
}

/// A named pipe on a host, and what goes into it.
pub(crate) struct Feed {
    token: String,
    stdin: OwnedFd,
}

impl Feed {
    /// What the script does between its `start` and the command: it waits until it is fed, and the name of the pipe goes.
    pub(crate) const AFTER: &str = "read -r xec_x; exec 8>&-; rm -rf \"$xec_f\"; ";

    /// From here.
    pub(crate) fn new(stdin: Option<OwnedFd>) -> Result<Self, NotStarted> {
        let nothing = || NotStarted::Failed("there is nothing for the command to read".to_owned());
        Ok(Self { token: nonce().map_err(|why| no_room(&why))?, stdin: stdin.ok_or_else(nothing)? })
    }

    /// In a directory of its own, whose name nobody can guess.
    fn dir(&self) -> String {
        format!("/tmp/xec-{}", self.token)
    }

    /// What the script does first: the pipe is there, and is its stdin. Opened for both ways first, it makes nobody wait.
    pub(crate) fn before(&self) -> String {
        format!(
            "xec_f={}; mkdir -m 700 \"$xec_f\" && mkfifo -m 600 \"$xec_f/in\" || exit; \
             exec 8<>\"$xec_f/in\" 0<\"$xec_f/in\"; ",
            self.dir()
        )
    }

    /// What feeds it. It never waits for a command that is not there any more.
    fn text(&self, user: Option<&str>) -> String {
        let (token, dir) = (&self.token, self.dir());
        format!(
            "exec {}sh -c 'f={dir}/in; [ -p $f ] || exit 1; exec 9<>$f 8>$f 9<&-; \
             echo {token}; echo >&8 || exit 1; exec cat >&8 8>&-'",
            sudo(user)
        )
    }

    /// Begins to feed a command that waits for it; ends with what is returned, or when there is nothing more. Where it
    /// comes to nothing the command is killed, which would wait for ever.
    pub(crate) async fn begin(
        self,
        host: &RemoteTarget,
        grace: Duration,
        orders: UnboundedSender<Signal>,
    ) -> Result<Fed, NotStarted> {
        let room = |why: io::Error| no_room(&why);
        let (said, errors) = (Pipe::to_read().map_err(room)?, Pipe::to_read().map_err(room)?);
        let text = self.text(host.user());
        let streams = [self.stdin, said.theirs, errors.theirs];
        let Channel { cut, end, .. } = host.channels().open(&text, streams, grace, true).await?;
        tokio::spawn(async move {
            if !says(said.ours, self.token.as_bytes()).await {
                let _ = orders.send(Signal::Kill); // It may have ended.
            }
        });
        Ok(Fed { cut, end })
    }
}

/// What feeds a command, until this is dropped.
pub(crate) struct Fed {
    cut: Cut,
    end: oneshot::Receiver<End>,
}

impl Fed {
    /// The command has ended: nothing feeds it any more.
    pub(crate) async fn end(mut self) {
        self.cut.now();
        let _ = tokio::time::timeout(GOODBYE, self.end).await; // It is of no use to anybody.
    }
}

/// Reads to the end; whether a word was in there, after whatever a login shell may say.
async fn says(pipe: OwnedFd, word: &[u8]) -> bool {
    let (mut kept, mut heard) = (Vec::new(), false);
    let Ok(pipe) = fd::watch(pipe, Interest::READABLE) else { return false };
    while let Some(bytes) = fd::next(&pipe, SMALL_READ).await {
        kept.extend(bytes);
        heard |= memchr::memmem::find(&kept, word).is_some();
        let old = kept.len().saturating_sub(word.len());
        kept.drain(..old);
    }
    heard
}

/// Moves what a command on a host writes to whoever reads it, as fast as that reads, and from where the wrapper has
/// spoken on. Where nobody reads any more, whoever writes is ended by SIGPIPE, as by a pipe; it cannot be closed, since
/// ssh would close all of the channel with it.
pub(crate) async fn relay(from: OwnedFd, gate: Gate, to: OwnedFd, orders: UnboundedSender<Signal>) {
    let Ok(from) = fd::watch(from, Interest::READABLE) else { return };
    let Ok(mut to) = fd::Writer::new(to) else { return };
    let mut gate = Some(gate);
    while let Some(mut bytes) = fd::next(&from, CHUNK).await {
        if let Some(closed) = &mut gate {
            let Some(rest) = closed.open(&bytes) else { continue };
            bytes = rest;
            gate = None;
        }
        if to.write_all(&bytes).await.is_err() {
            drop(to);
            return discard(&from, &orders).await;
        }
    }
}

/// Ends who writes, and reads until it has; who does not mind SIGPIPE is asked to end.
async fn discard(from: &AsyncFd<OwnedFd>, orders: &UnboundedSender<Signal>) {
    let rest = async { while fd::next(from, CHUNK).await.is_some() {} };
    let mut rest = std::pin::pin!(rest);
    let _ = orders.send(Signal::End(libc::SIGPIPE)); // It may have ended.
    if tokio::time::timeout(GOODBYE, &mut rest).await.is_err() {
        let _ = orders.send(Signal::End(libc::SIGTERM)); // As above.
        rest.await;
    }
}

/// How long a channel may take to end that nobody needs, and a command that nobody reads.
const GOODBYE: Duration = Duration::from_secs(2);
/// How much is moved at once.
const CHUNK: usize = 64 * 1024;
