//! Hosts by the system's own ssh. Knows nothing of tasks, and of ssh's configuration no more than the name of a host.
//!
//! A host has connections, each an `ssh` in the role of a multiplexing master, and commands are sessions on them:
//! so a command costs no process here, and no login there.
//!
//! | | |
//! |---|---|
//! | `host` | what a host is, and the words for ssh; pure |
//! | `keeper` | the connections of one host |
//! | `master`, `arrivals`, `gates` | how one comes to be, and how many at once |
//! | `session`, `mux` | one session on one of them |

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::base::command::NotStarted;
use crate::exec::LocalFuture;
use crate::exec::broker::Link;
use crate::exec::remote::RemoteTarget;
use crate::exec::remote::channel::{self, Channel, Channels, Cut, End, Streams};
use crate::exec::ssh::arrivals::Arrivals;
use crate::exec::ssh::gates::Gates;
use crate::exec::ssh::host::Times;
use crate::exec::ssh::keeper::Handle;
use crate::exec::ssh::session::{NoSession, Session};

mod arrivals;
mod gates;
mod host;
mod keeper;
mod master;
mod mux;
mod session;

pub use host::Host;

/// How often a silent host is asked whether it is there before it is given up.
const ALIVE_COUNT: u32 = 3;
/// How often a session is asked for that a host refuses, or whose connection ends just then.
const TRIES: u32 = 5;
/// How long a connection has to say why it ended, once its sessions have.
const WHY: Duration = Duration::from_millis(500);
/// The longest path of a control directory: a socket's has 104 bytes on macOS, and ssh makes its name longer by 17
/// while it is being made.
const LONGEST_DIR: usize = 70;

/// How hosts are reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program and the options that come first: `ssh`. Never empty.
    pub client: Vec<OsString>,
    /// How long a connection and the exchange of keys may take.
    pub connect: Duration,
    /// How long all of it may take, with the proof of who we are.
    pub login: Duration,
    /// How often a silent host is asked whether it is there; it is given up after three times. A host that hears
    /// nothing of us ends our commands after twelve times this.
    pub alive: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            client: vec!["ssh".into()],
            connect: Duration::from_secs(10),
            login: Duration::from_secs(60),
            alive: Duration::from_secs(5),
        }
    }
}

impl Settings {
    fn times(&self) -> Times {
        Times { connect: self.connect, alive: self.alive, count: ALIVE_COUNT }
    }
}

/// What all hosts of a run have in common.
struct Shared {
    link: Link,
    settings: Settings,
    /// Where the sockets of the masters are: ours alone.
    dir: TempDir,
    arrivals: Arrivals,
    gates: Gates,
    sockets: AtomicU32,
}

impl Shared {
    /// A name that no socket has had.
    fn socket_name(&self) -> String {
        self.sockets.fetch_add(1, Ordering::Relaxed).to_string()
    }
}

/// The hosts of a run. Dropping it ends their connections, without waiting for that.
pub struct Fleet {
    shared: Arc<Shared>,
    nonce: Arc<str>,
    hosts: HashMap<String, (Host, Handle)>,
}

impl Fleet {
    /// No host yet. All processes are this broker's; inside a runtime.
    ///
    /// # Errors
    /// There is no place for a control directory, or no randomness to be had.
    pub fn new(link: Link, settings: Settings) -> io::Result<Self> {
        let dir = control_dir()?;
        let arrivals = Arrivals::new(dir.path());
        let shared = Shared { link, settings, dir, arrivals, gates: Gates::new(), sockets: AtomicU32::new(0) };
        Ok(Self { shared: Arc::new(shared), nonce: channel::nonce()?.into(), hosts: HashMap::new() })
    }

    /// A place where commands run; nothing is connected before the first of them. A host that was named before
    /// keeps its connections, and what was said of it then holds.
    ///
    /// # Errors
    /// What [`Host::check`] says.
    pub fn host(&mut self, host: &Host) -> Result<RemoteTarget, String> {
        host.check()?;
        let entry = self.hosts.entry(host.name.clone());
        let (_, handle) = entry.or_insert_with(|| (host.clone(), keeper::keep(host.clone(), Arc::clone(&self.shared))));
        Ok(RemoteTarget::new(
            Rc::new(Ssh(handle.clone())),
            Arc::clone(&self.nonce),
            Some(self.shared.settings.alive * ALIVE_COUNT),
        ))
    }

    /// There is no more work for this host, as far as is known: its connections end as soon as they are idle.
    pub fn release(&self, name: &str) {
        if let Some((_, handle)) = self.hosts.get(name) {
            handle.release();
        }
    }

    /// Ends all connections, and waits for that; what still runs there is ended with them.
    pub async fn close(self) {
        let closing: Vec<_> = self.hosts.values().map(|(_, handle)| handle.close()).collect();
        for closed in closing {
            closed.await;
        }
    }
}

/// A directory of ours alone, with a path that is short enough and that ssh takes as it is.
fn control_dir() -> io::Result<TempDir> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let fits = |dir: &PathBuf| {
        let path = dir.as_os_str().as_bytes();
        dir.is_absolute() && path.len() < LONGEST_DIR && path.iter().all(plain)
    };
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let places = runtime.into_iter().chain([std::env::temp_dir()]).filter(fits).chain(["/tmp".into()]);
    let make = |place: &Path| {
        let mut builder = tempfile::Builder::new();
        builder.prefix("xec-").permissions(std::fs::Permissions::from_mode(0o700)).tempdir_in(place)
    };
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for place in places {
        match make(&place) {
            Ok(dir) => return Ok(dir),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The shell of one host.
struct Ssh(Handle);

impl Ssh {
    async fn session(&self, text: &str, streams: Streams, standing: bool) -> Result<Channel, NotStarted> {
        let mut tries = 0;
        loop {
            let seat = self.0.seat(standing).await?;
            let why = match Session::open(&seat.socket, text, &streams).await {
                Ok(session) => {
                    drop(streams); // The master has its own.
                    return Ok(attend(session, seat));
                }
                Err(NoSession::Refused(why)) => match seat.refused().await {
                    true => continue, // Behind those who wait for the others to end.
                    false => why,
                },
                Err(NoSession::Gone) => match tokio::time::timeout(WHY, words(&mut seat.gone.clone())).await {
                    Ok(why) => why,
                    Err(_) => "the connection takes no sessions".to_owned(),
                },
            };
            tries += 1;
            if tries == TRIES {
                return Err(NotStarted::Unreachable(why));
            }
            // Nothing of it ran, so it may do so later, or on another connection.
            tokio::time::sleep(gates::pause(tries)).await;
        }
    }
}

impl Channels for Ssh {
    fn open<'a>(
        &'a self,
        text: &'a str,
        streams: Streams,
        _grace: Duration,
        standing: bool,
    ) -> LocalFuture<'a, Result<Channel, NotStarted>> {
        Box::pin(self.session(text, streams, standing))
    }
}

/// Waits for the end of a session, which holds its seat until then.
fn attend(session: Session, seat: keeper::Seat) -> Channel {
    let (tell, end) = oneshot::channel();
    let (cut, cutting) = oneshot::channel();
    tokio::spawn(async move {
        let mut gone = seat.gone.clone();
        let orderly = tokio::select! {
            biased;
            orderly = session.end() => orderly,
            _ = cutting => true,
        };
        drop(seat);
        let broken = match orderly {
            true => None,
            // Its master may have ended, and will then say so.
            false => tokio::time::timeout(WHY, words(&mut gone)).await.ok(),
        };
        let _ = tell.send(broken.map_or(End::Closed, End::Broken)); // Nobody needs to know.
    });
    Channel {
        end,
        cut: Cut::new(move || {
            let _: Result<(), ()> = cut.send(()); // It may have ended.
        }),
        pid: 0,
    }
}

/// What a master said last, once it has ended.
async fn words(gone: &mut master::Gone) -> String {
    let words = gone.wait_for(Option::is_some).await.ok().and_then(|words| words.clone());
    match words.as_deref() {
        None | Some("") => "the connection ended".to_owned(),
        Some(words) => words.to_owned(),
    }
}
