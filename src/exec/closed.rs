//! Whether anybody still reads what xec writes to stdout, known without writing to it.

use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::exec::fd;

/// Stdout, where it is a pipe or a socket: of anything else nobody can be gone.
pub struct Reader {
    ready: Option<AsyncFd<OwnedFd>>,
}

impl Reader {
    /// Of stdout. Must be called within a runtime.
    pub fn of_stdout() -> Self {
        let own = std::io::stdout().as_fd().try_clone_to_owned().map(File::from).ok();
        let kind = own.as_ref().and_then(|own| own.metadata().ok()).map(|found| found.file_type());
        let own = own.filter(|_| kind.is_some_and(|kind| kind.is_fifo() || kind.is_socket()));
        Self { ready: own.and_then(|own| fd::watch(OwnedFd::from(own), Interest::WRITABLE).ok()) }
    }

    /// Ends when nobody reads any more. May be dropped at any time.
    pub async fn gone(&self) {
        let Some(ready) = &self.ready else { return std::future::pending().await };
        while let Ok(mut guard) = ready.writable().await {
            if guard.ready().is_write_closed() {
                return;
            }
            // There is room to write, which is no news.
            guard.clear_ready();
        }
        std::future::pending().await
    }
}
