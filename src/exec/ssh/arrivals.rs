//! When a socket appears in the control directory: told by the kernel where it can, else looked for. Knows nothing
//! of who makes it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// How often is looked where the kernel does not tell.
const LOOK: Duration = Duration::from_millis(20);

/// Somebody who waits for a name.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there nobody is told, and all go on with looking"))]
struct Wait {
    name: String,
    arrived: oneshot::Sender<()>,
}

/// Tells of the names that appear in one directory.
#[derive(Clone)]
pub(super) struct Arrivals {
    dir: PathBuf,
    /// To the task that hears of them; `None` where there is none.
    waits: Option<mpsc::UnboundedSender<Wait>>,
}

impl Arrivals {
    /// For this directory; inside a runtime.
    pub(super) fn new(dir: &Path) -> Self {
        // Without a watch (there is a limit of them for each user) it goes on with looking.
        Self { dir: dir.to_owned(), waits: watch(dir).ok() }
    }

    /// Ends when there is a file of that name, which there must not be yet.
    pub(super) fn expect(&self, name: &str) -> impl Future<Output = ()> + Send + 'static {
        let (arrived, told) = oneshot::channel();
        let waits = self.waits.as_ref().is_some_and(|waits| {
            let wait = Wait { name: name.to_owned(), arrived };
            waits.send(wait).is_ok()
        });
        let path = self.dir.join(name);
        async move {
            if waits && told.await.is_ok() {
                return;
            }
            while !path.exists() {
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn watch(dir: &Path) -> io::Result<mpsc::UnboundedSender<Wait>> {
    use std::collections::HashMap;
    use std::os::fd::AsFd;

    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
    use tokio::io::Interest;

    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    inotify.add_watch(dir, AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO)?;
    let ready = crate::exec::fd::watch(inotify.as_fd().try_clone_to_owned()?, Interest::READABLE)?;
    let (waits, mut inbox) = mpsc::unbounded_channel::<Wait>();
    tokio::spawn(async move {
        let mut waiting = HashMap::new();
        loop {
            tokio::select! {
                biased; // Who waits is known before what has come is looked at.
                wait = inbox.recv() => match wait {
                    Some(Wait { name, arrived }) => drop(waiting.insert(name, arrived)),
                    None => return,
                },
                guard = ready.readable() => {
                    let Ok(mut guard) = guard else { return };
                    // Whoever waits when this task ends goes on with looking.
                    let Ok(events) = guard.try_io(|_| Ok(inotify.read_events()?)) else { continue };
                    let Ok(events) = events else { return };
                    for name in events.into_iter().filter_map(|event| event.name) {
                        if let Some(arrived) = name.to_str().and_then(|name| waiting.remove(name)) {
                            let _: Result<(), ()> = arrived.send(()); // It may wait no longer.
                        }
                    }
                }
            }
        }
    });
    Ok(waits)
}

#[cfg(not(target_os = "linux"))]
fn watch(_: &Path) -> io::Result<mpsc::UnboundedSender<Wait>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_told_once_it_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let blind = Arrivals { dir: dir.path().to_owned(), waits: None };
        for arrivals in [Arrivals::new(dir.path()), blind] {
            let mut told = std::pin::pin!(arrivals.expect("wanted"));
            std::fs::write(dir.path().join("other"), "").unwrap();
            tokio::select! {
                biased;
                () = &mut told => panic!("it is not there"),
                () = tokio::task::yield_now() => {}
            }
            // As ssh does it: a name for nobody, then a link.
            std::fs::hard_link(dir.path().join("other"), dir.path().join("wanted")).unwrap();
            told.await;
            std::fs::remove_file(dir.path().join("wanted")).unwrap();
        }
    }
}
