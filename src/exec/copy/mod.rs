//! Files from one place to another: from here to a host, back, or from host to host, through pipes of the kernel here
//! and without a byte in xec. Knows nothing of how a place is reached.
//!
//! What arrives is compared with what was sent before any of it can be seen, and then moved: a file, or a directory
//! that was not there, appears whole or not at all; into a directory that is there each file goes so. `text` has what
//! runs at the two ends.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::Interest;
use tokio::sync::mpsc::unbounded_channel;

use crate::base::command::{Captures, NotStarted, Outcome};
use crate::base::event::Stream;
use crate::exec::fd::{self, Pipe, SMALL_READ, between};
use crate::exec::find::no_room;
use crate::exec::remote::RemoteTarget;
use crate::exec::remote::channel::{Channel, End, nonce};
use crate::exec::{Finished, JobCx, Running, Signal};

mod text;

/// How long what is here of an end may take to go, should xec be gone.
const GRACE: Duration = Duration::from_secs(2);
/// What is kept of what an end says.
const WORDS: usize = 4096;

/// What is to be copied. Paths are those of the place that they are at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copy {
    /// Files and directories. A directory is copied with its name; `dir/.` is what is in it. Links stay links.
    pub from: Vec<PathBuf>,
    /// Where `from` begins, if it is relative; empty for the login directory.
    pub from_dir: PathBuf,
    /// Whether `*`, `?` and `[…]` in `from` stand for the names that fit. A name that stands for nothing is an error.
    pub glob: bool,
    /// What it is to be called there; or, with [`Copy::into`], the directory to put it into.
    pub to: PathBuf,
    /// Where `to` begins, if it is relative; empty for the login directory.
    pub to_dir: PathBuf,
    /// Whether `to` is a directory to put things into. It is made where it is missing.
    pub into: bool,
    /// The mode of all files at the destination, if it is not to be that of the source.
    pub mode: Option<u32>,
}

/// Why there is no copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// Nothing has begun.
    NotStarted(NotStarted),
    /// One end says that it cannot be done; the destination is as it was, but for whole files of a directory.
    Failed(String),
    /// An end was lost before it said how it went.
    Lost(String),
}

impl Trouble {
    fn outcome(self) -> Outcome {
        match self {
            Trouble::NotStarted(why) => Outcome::NotStarted(why),
            Trouble::Failed(_) => Outcome::Exited(1),
            Trouble::Lost(why) => Outcome::Unknown(why),
        }
    }
}

/// Copies, and says how many files there were (links among them, directories not). A copy that is dropped ends at
/// both ends, and nothing is moved any more.
///
/// # Errors
/// See [`Trouble`].
pub async fn copy(copy: &Copy, from: &RemoteTarget, to: &RemoteTarget) -> Result<u64, Trouble> {
    let room = |error: io::Error| Trouble::NotStarted(no_room(&error));
    let token = format!("xec-{}", nonce().map_err(room)?);
    let (tar_in, tar_out) = between().map_err(room)?;
    let nothing = || Pipe::to_write().map(|pipe| pipe.theirs); // Its other end is closed right here.
    let (said, errors_there, errors_here) =
        (Pipe::to_read().map_err(room)?, Pipe::to_read().map_err(room)?, Pipe::to_read().map_err(room)?);
    let receive = text::receive(copy, &token, to.user());
    let receiver = open(to, &receive, [tar_in, said.theirs, errors_there.theirs]).await?;
    let send = text::send(copy, &token, from.user());
    let sender = open(from, &send, [nothing().map_err(room)?, tar_out, errors_here.theirs]).await?;
    // The guards end what is dropped here.
    let (Channel { end: received, cut: _receiving, .. }, Channel { end: sent, cut: _sending, .. }) = (receiver, sender);
    let (received, sent, said, there, here) = tokio::join!(
        received,
        sent,
        last(said.ours, &token),
        last(errors_there.ours, &token),
        last(errors_here.ours, &token)
    );
    if let Some(count) = said.text.lines().find_map(|line| line.strip_prefix(&*token)?.trim().parse().ok()) {
        return Ok(count);
    }
    for (end, said) in [(&received, &there), (&sent, &here)] {
        // The program that leads there has ended, and nobody there has said a word.
        if let (Ok(End::Ended), false) = (end, said.ready) {
            let why = lines(&said.text).pop().unwrap_or_else(|| "the link ended before it was up".to_owned());
            return Err(Trouble::NotStarted(NotStarted::Unreachable(why)));
        }
    }
    match (received, sent) {
        (Ok(End::Broken(why)), _) | (_, Ok(End::Broken(why))) => Err(Trouble::Lost(why)),
        _ => Err(Trouble::Failed(reason(&there.text, &here.text))),
    }
}

async fn open(at: &RemoteTarget, text: &str, streams: [OwnedFd; 3]) -> Result<Channel, Trouble> {
    at.channels().open(text, streams, GRACE, false).await.map_err(Trouble::NotStarted)
}

/// What an end has said.
#[derive(Default)]
struct Said {
    /// The last of it.
    text: String,
    /// Whether its shell runs what it was given.
    ready: bool,
}

/// What is said last until the end.
async fn last(pipe: OwnedFd, token: &str) -> Said {
    let (mut kept, mut ready_at) = (Vec::new(), None);
    let token = format!("{token} ready\n").into_bytes();
    let Ok(pipe) = fd::watch(pipe, Interest::READABLE) else { return Said::default() };
    while let Some(bytes) = fd::next(&pipe, SMALL_READ).await {
        kept.extend(bytes);
        if ready_at.is_none() {
            ready_at = memchr::memmem::find(&kept, &token);
            if let Some(at) = ready_at {
                // What a login shell says before is no copy's.
                kept.drain(..at + token.len());
            }
        }
        let over = kept.len().saturating_sub(WORDS);
        kept.drain(..over);
    }
    Said { text: String::from_utf8_lossy(&kept).into_owned(), ready: ready_at.is_some() }
}

/// The lines of it that say something.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// What to tell the user: what our own text says, else the end that receives, which mostly is the one that cannot go
/// on, else the other.
fn reason(there: &str, here: &str) -> String {
    let (there, here) = (lines(there), lines(here));
    let own = |lines: &[String]| lines.iter().find_map(|line| Some(line.strip_prefix("xec: ")?.to_owned()));
    // The last line of tar only says that there are others.
    let last =
        |lines: &[String]| Some(lines[lines.len().saturating_sub(2)..].join("; ")).filter(|said| !said.is_empty());
    own(&here)
        .or_else(|| own(&there))
        .or_else(|| last(&there))
        .or_else(|| last(&here))
        .unwrap_or_else(|| "the copy ended without a word".to_owned())
}

/// [`copy`] as a command, whose stderr is why it failed, and which ends with 0 or 1.
pub fn start(what: Copy, from: RemoteTarget, to: RemoteTarget, cx: JobCx) -> Running {
    let (orders, mut inbox) = unbounded_channel();
    let done = async move {
        let mut copying = Box::pin(copy(&what, &from, &to));
        let outcome = loop {
            tokio::select! {
                result = &mut copying => match result {
                    Ok(_) => break Outcome::Exited(0),
                    Err(trouble) => {
                        if let Trouble::Failed(why) = &trouble {
                            cx.output.show(cx.job, Stream::Stderr, format!("{why}\n").as_bytes()).await;
                        }
                        break trouble.outcome();
                    }
                },
                // Nothing is torn by an end at any time, so there is nothing to wait for.
                Some(signal) = inbox.recv() => match signal {
                    Signal::End(number) => break Outcome::Signalled(number),
                    Signal::Kill => break Outcome::Signalled(libc::SIGKILL),
                    Signal::Stop | Signal::Continue => {} // It goes on; only who asks for it stands still.
                },
            }
        };
        Finished { outcome, usage: None, captures: Captures::default(), capture_overflow: None, leaked: Vec::new() }
    };
    let (_, stops) = unbounded_channel();
    let control = move |signal| {
        let _ = orders.send(signal); // It may have ended.
    };
    Running { pid: None, control: Box::new(control), done: Box::pin(done), stops }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_that_of_the_end_that_could_not_go_on() {
        for (there, here, told) in [
            ("tar: unexpected end\n", "xec: a: not found\n", "a: not found"),
            ("xec: /x: is a directory\n", "tar: broken pipe\n", "/x: is a directory"),
            (
                "hello\ntar: x: No space left\ntar: failed\n\n",
                "tar: broken pipe\n",
                "tar: x: No space left; tar: failed",
            ),
            ("", "cat: gone\n", "cat: gone"),
            ("", "", "the copy ended without a word"),
        ] {
            assert_eq!(reason(there, here), told);
        }
    }
}
