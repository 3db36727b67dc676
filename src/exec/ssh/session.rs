//! One session on a master: its three streams are handed over as descriptors, so no byte of them goes through xec.
//! Knows nothing of hosts and pools.
//!
//! Spoken here and not by `ssh -S`, which would cost a process for each command, open a connection of its own where
//! the host refuses one more session, and say 255 for whatever goes wrong.

use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::exec::remote::channel::Streams;
use crate::exec::ssh::mux::{Replies, Reply, request, speaks};

/// A session that runs.
pub(super) struct Session {
    socket: UnixStream,
}

/// Why there is no session. In either case nothing runs.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum NoSession {
    /// The host does not want one more, in the master's words.
    Refused(String),
    /// There is no master any more.
    Gone,
}

impl Session {
    /// Opens one on the master at `path`, for whose shell `text` is.
    pub(super) async fn open(path: &Path, text: &str, streams: &Streams) -> Result<Self, NoSession> {
        let socket = connect(path).await.map_err(|_| NoSession::Gone)?;
        let said = async {
            send(&socket, &request(text), None).await?;
            for stream in streams {
                send(&socket, &[0], Some(stream)).await?;
            }
            Ok::<(), io::Error>(())
        };
        let said = said.await;
        // A master that says no may have done so before it had heard all.
        let mut replies = Replies::default();
        loop {
            let reply = receive(&socket, &mut replies).await.map_err(|_| NoSession::Gone)?;
            match reply {
                Reply::Hello(version) if !speaks(version) => {
                    return Err(NoSession::Refused(format!("its ssh multiplexes by version {version}")));
                }
                Reply::Refused(why) => return Err(NoSession::Refused(why)),
                Reply::Opened if said.is_ok() => return Ok(Self { socket }),
                Reply::Hello(_) | Reply::Opened | Reply::Exit | Reply::Other => {}
            }
        }
    }

    /// Ends when the session has, and all its output is in the pipes; whether its program is known to have ended.
    /// Dropped earlier, the session is closed.
    pub(super) async fn end(self) -> bool {
        let (mut replies, mut orderly) = (Replies::default(), false);
        // The exit may be told before the last output; the end of the socket comes after it.
        while let Ok(reply) = receive(&self.socket, &mut replies).await {
            orderly |= reply == Reply::Exit;
        }
        orderly
    }
}

/// Where many come at once the socket may have no room to listen to all of them, for a moment.
async fn connect(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == ErrorKind::WouldBlock => tokio::task::yield_now().await,
            other => return other,
        }
    }
}

/// Sends all bytes, with a descriptor along with the first of them.
async fn send(socket: &UnixStream, bytes: &[u8], fd: Option<&OwnedFd>) -> io::Result<()> {
    let mut sent = 0;
    while sent < bytes.len() {
        let rest = &bytes[sent..];
        sent += socket
            .async_io(Interest::WRITABLE, || {
                let fds = fd.map(AsRawFd::as_raw_fd);
                let rights = fds.as_ref().map(|fd| ControlMessage::ScmRights(std::slice::from_ref(fd)));
                // std ignores SIGPIPE in xec: where ssh is gone, this is an error like any other.
                let flags = MsgFlags::MSG_DONTWAIT;
                Ok(sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(rest)], rights.as_slice(), flags, None)?)
            })
            .await?;
    }
    Ok(())
}

async fn receive(socket: &UnixStream, replies: &mut Replies) -> io::Result<Reply> {
    loop {
        match replies.next() {
            Some(Ok(reply)) => return Ok(reply),
            Some(Err(())) => return Err(ErrorKind::InvalidData.into()),
            None => {}
        }
        socket.readable().await?;
        let mut bytes = [0; 512];
        match socket.try_read(&mut bytes) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => replies.add(&bytes[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
