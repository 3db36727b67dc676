//! One connection to a host: an `ssh -M -N` that is a child of ours, so that it ends with us. Knows how it begins,
//! how it ends, and what its words mean; nothing of who uses it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::sync::{oneshot, watch};

use crate::base::command::NotStarted;
use crate::exec::Signal;
use crate::exec::broker::link::{Control, Exit};
use crate::exec::broker::proto::Stdio;
use crate::exec::fd::{self, Pipe, SMALL_READ};
use crate::exec::find::no_room;
use crate::exec::remote::channel::start_client;
use crate::exec::ssh::Shared;
use crate::exec::ssh::gates::pause;
use crate::exec::ssh::host::Host;

/// How often a connection that was turned away is tried in all.
const TRIES: u32 = 8;
/// How long a master may take to say goodbye.
const GRACE: Duration = Duration::from_secs(1);
/// What is kept of a master's words.
const WORDS: usize = 4096;
/// No more of its lines are told.
const LINES: usize = 2;

/// Set, with the words that it left, once a master has ended.
pub(super) type Gone = watch::Receiver<Option<Arc<str>>>;

/// A connection that is up. Dropping it ends it.
pub(super) struct Master {
    pub(super) socket: Arc<Path>,
    pub(super) gone: Gone,
    control: Control,
}

impl Drop for Master {
    fn drop(&mut self) {
        self.end();
    }
}

impl Master {
    /// Asks it to end.
    pub(super) fn end(&self) {
        self.control.send(Signal::End(nix::libc::SIGTERM));
    }

    /// Ends it without waiting for its goodbye.
    pub(super) fn kill(&self) {
        self.control.send(Signal::Kill);
    }
}

/// Why there is no connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Failure {
    pub(super) why: NotStarted,
    pub(super) kind: Kind,
}

/// What there is to do about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// It was turned away before it was anybody: it may come again.
    TurnedAway,
    /// It will be no different the next time, and some hosts lock out who insists.
    ForGood,
    /// Who knows.
    Other,
}

/// Connects, as often as it is turned away, and with no more at once than a target bears.
pub(super) async fn connect(shared: &Shared, host: &Host) -> Result<Master, Failure> {
    let target = host.target();
    let mut turned_away = 0;
    loop {
        let pass = shared.gates.enter(&target, turned_away).await;
        let failure = match start(shared, host).await {
            Ok(master) => return Ok(master),
            Err(failure) => failure,
        };
        drop(pass);
        turned_away += 1;
        if failure.kind != Kind::TurnedAway || turned_away == TRIES {
            return Err(failure);
        }
        tokio::time::sleep(pause(turned_away)).await;
    }
}

async fn start(shared: &Shared, host: &Host) -> Result<Master, Failure> {
    let other = |why| Failure { why, kind: Kind::Other };
    let name = shared.socket_name();
    let socket = shared.dir.path().join(&name);
    let arrived = shared.arrivals.expect(&name);
    let words = host.master(&shared.settings.client, &socket, &shared.settings.times());
    let stderr = Pipe::to_read().map_err(|error| other(no_room(&error)))?;
    let stdio = [Stdio::Null, Stdio::Null, Stdio::Passed];
    let process = start_client(&shared.link, &words, stdio, vec![stderr.theirs], GRACE).await.map_err(other)?;
    let (tell, mut gone) = watch::channel(None);
    let (up, login) = oneshot::channel();
    tokio::spawn(attend(process.exit, stderr.ours, login, tell));
    let master = Master { socket: socket.into(), gone: gone.clone(), control: process.control };
    tokio::select! {
        biased;
        words = gone.wait_for(Option::is_some) => {
            let words = words.ok().and_then(|words| words.clone());
            Err(failure(words.as_deref().unwrap_or_default()))
        }
        () = arrived => {
            let _: Result<(), ()> = up.send(()); // It may have ended just now.
            Ok(master)
        }
        () = tokio::time::sleep(shared.settings.login) => {
            master.kill();
            let seconds = shared.settings.login.as_secs();
            Err(other(NotStarted::Unreachable(format!("ssh did not log in within {seconds} seconds"))))
        }
    }
}

/// Listens to a master until it has ended. What it said before the login (a banner, say) is no reason to end later.
async fn attend(
    mut exit: oneshot::Receiver<Exit>,
    stderr: OwnedFd,
    mut login: oneshot::Receiver<()>,
    tell: watch::Sender<Option<Arc<str>>>,
) {
    let (mut words, mut inside) = (Vec::new(), false);
    if let Ok(stderr) = fd::watch(stderr, Interest::READABLE) {
        loop {
            tokio::select! {
                biased;
                ready = stderr.readable() => {
                    let Ok(mut ready) = ready else { break };
                    let read = ready.try_io(|stderr| fd::read(stderr.as_fd(), SMALL_READ));
                    match read {
                        Ok(Ok(bytes)) if !bytes.is_empty() => keep(&mut words, &bytes),
                        Ok(_) => break,
                        Err(_) => {}
                    }
                }
                up = &mut login, if !inside => {
                    inside = true;
                    if up.is_ok() {
                        words.clear();
                    }
                }
                _ = &mut exit => {
                    // What it said last is in the pipe; others may hold that open for ever.
                    while let Ok(bytes) = fd::read(stderr.as_fd(), SMALL_READ) && !bytes.is_empty() {
                        keep(&mut words, &bytes);
                    }
                    let _ = tell.send(Some(told(&words).into())); // Nobody needs to know.
                    return;
                }
            }
        }
    }
    let _ = exit.await; // However it was.
    let _ = tell.send(Some(told(&words).into())); // Nobody needs to know.
}

fn keep(words: &mut Vec<u8>, bytes: &[u8]) {
    words.extend_from_slice(bytes);
    let over = words.len().saturating_sub(WORDS);
    words.drain(..over);
}

/// Its last lines as one, without the frames that ssh draws around the worst of its news.
fn told(words: &[u8]) -> String {
    let text = String::from_utf8_lossy(words);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('@'));
    let lines: Vec<&str> = lines.collect();
    lines[lines.len().saturating_sub(LINES)..].join("; ")
}

/// Parts of what ssh says where somebody was there and let nobody in.
const FOR_GOOD: &[&str] = &[
    "Permission denied",
    "Host key verification failed",
    "Too many authentication failures",
    "No more authentication methods",
    "Bad configuration option",
    "Bad owner or permissions",
];
/// Parts of what it says where the connection ended before anybody was asked who he is.
const TURNED_AWAY: &[&str] = &["kex_exchange_identification", "Connection closed by", "Connection reset by"];

fn failure(words: &str) -> Failure {
    let holds = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    let kind = match () {
        () if holds(FOR_GOOD) => Kind::ForGood,
        () if holds(TURNED_AWAY) => Kind::TurnedAway,
        () => Kind::Other,
    };
    let why = match words {
        "" => "ssh ended without a word".to_owned(),
        // With nobody to ask, ssh does not say that it would have asked.
        words if words.ends_with("Host key verification failed.") && !words.contains("changed") => {
            format!("{words} Where its key is just not known yet: connect once by hand")
        }
        words => words.to_owned(),
    };
    Failure { why: NotStarted::Unreachable(why), kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_words_of_ssh_come_to() {
        for (words, kind) in [
            ("kex_exchange_identification: Connection closed by remote host", Kind::TurnedAway),
            ("kex_exchange_identification: read: Connection reset by peer", Kind::TurnedAway),
            ("Connection reset by 127.0.0.1 port 22", Kind::TurnedAway),
            ("me@web1: Permission denied (publickey).", Kind::ForGood),
            ("Host key verification failed.", Kind::ForGood),
            ("Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures", Kind::ForGood),
            ("ssh: connect to host web1 port 22: Connection refused", Kind::Other),
            ("ssh: Could not resolve hostname web1: Name or service not known", Kind::Other),
            ("", Kind::Other),
        ] {
            assert_eq!(failure(words).kind, kind, "{words}");
        }
    }

    #[test]
    fn who_is_asked_about_a_key_is_told_so() {
        let told = |words: &str| failure(words).why.to_string();
        assert!(
            told("Host key verification failed.")
                .ends_with("failed. Where its key is just not known yet: connect once by hand")
        );
        let changed =
            "Host key for web1 has changed and you have requested strict checking.; Host key verification failed.";
        assert!(told(changed).ends_with("verification failed."));
    }

    #[test]
    fn the_last_words_are_told() {
        let words = b"@@@@@@\n@ WARNING: REMOTE HOST @\r\n@@@@@@\none\r\ntwo\n\nthree\nfour\n";
        assert_eq!(told(words), "three; four");
        let mut kept = Vec::new();
        for _ in 0..1000 {
            keep(&mut kept, b"a warning\n");
        }
        assert_eq!(kept.len(), WORDS);
    }
}
