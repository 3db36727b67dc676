//! The three streams of a command that is about to start: what is made for it, and what is ours of that. Knows nothing
//! of processes.

use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot::Receiver;

use crate::base::command::{CommandSpec, Sink, Stdin};
use crate::base::event::Stream;
use crate::exec::JobCx;
use crate::exec::attend::{Attendant, Judge};
use crate::exec::broker::link::Exit;
use crate::exec::broker::proto::Stdio;
use crate::exec::fd::{Feeder, Pipe};
use crate::exec::pump::{Capture, Destination, Pump};

/// Ends what keeps too much.
pub(crate) type Kill = Box<dyn Fn() + Send + Sync>;

/// The three streams of a command that is about to start.
pub(crate) struct Streams {
    pub(crate) stdio: [Stdio; 3],
    /// The ends for the process, in order.
    pub(crate) theirs: Vec<OwnedFd>,
    stdin: Option<Feeder<Arc<[u8]>>>,
    stdout: Option<Pump>,
    stderr: Option<Pump>,
    /// Set once there is something to end when a capture grows too large.
    kill: Arc<OnceLock<Kill>>,
    /// Who holds them after its end is meant to.
    leave: bool,
}

impl Streams {
    pub(crate) fn open(spec: &CommandSpec, cx: JobCx) -> std::io::Result<Self> {
        let mut streams = Self {
            stdio: [Stdio::Null, Stdio::Inherit, Stdio::Inherit],
            theirs: Vec::with_capacity(3),
            stdin: None,
            stdout: None,
            stderr: None,
            kill: Arc::default(),
            leave: spec.leave,
        };
        match &spec.stdin {
            Stdin::Null => {}
            Stdin::Terminal => streams.stdio[0] = Stdio::Inherit,
            Stdin::Bytes(bytes) => {
                let pipe = Pipe::to_write()?;
                streams.theirs.push(pipe.theirs);
                streams.stdio[0] = Stdio::Passed;
                streams.stdin = Some(Feeder::new(pipe.ours, Arc::clone(bytes))?);
            }
            Stdin::File(_) | Stdin::Passed => streams.passed(0, cx.passed.stdin)?,
        }
        let report = |stream| Destination::report(cx.output.clone(), cx.job, stream);
        let to = match spec.stdout {
            Sink::Inherit => None,
            Sink::File(_) | Sink::Passed => {
                streams.passed(1, cx.passed.stdout)?;
                None
            }
            Sink::Report | Sink::WithStdout => Some(report(Stream::Stdout)),
            Sink::Capture(cap) => Some(Destination::Capture(streams.capture(cap).told(cx.lines.clone()))),
        };
        streams.stdout = to.map(|to| streams.pipe(1, to)).transpose()?;
        match spec.stderr {
            Sink::Inherit => {}
            Sink::WithStdout => streams.stdio[2] = Stdio::SameAsStdout,
            Sink::File(_) | Sink::Passed => streams.passed(2, cx.passed.stderr)?,
            Sink::Report | Sink::Capture(_) => streams.stderr = Some(streams.pipe(2, report(Stream::Stderr))?),
        }
        Ok(streams)
    }

    /// A descriptor that came along.
    fn passed(&mut self, target: usize, fd: Option<OwnedFd>) -> std::io::Result<()> {
        self.theirs.push(fd.ok_or(std::io::ErrorKind::NotFound)?);
        self.stdio[target] = Stdio::Passed;
        Ok(())
    }

    fn capture(&self, cap: usize) -> Capture {
        let kill = Arc::clone(&self.kill);
        Capture::new(
            cap,
            Box::new(move || {
                if let Some(kill) = kill.get() {
                    kill();
                }
            }),
        )
    }

    fn pipe(&mut self, target: usize, to: Destination) -> std::io::Result<Pump> {
        let pipe = Pipe::to_read()?;
        self.theirs.push(pipe.theirs);
        self.stdio[target] = Stdio::Passed;
        Ok(Pump::new(pipe.ours, to))
    }

    /// What attends to it, now that it runs: how it is ended if it keeps too much, how its end comes, what that means.
    pub(crate) fn attend(self, pid: i32, kill: Kill, exit: Receiver<Exit>, judge: Judge<Exit>) -> Attendant<Exit> {
        let _ = self.kill.set(kill); // Nobody has set it before.
        let feed = |mut feeder: Feeder<Arc<[u8]>>| -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(async move { feeder.feed().await })
        };
        Attendant {
            pid,
            exit,
            stdout: self.stdout,
            stderr: self.stderr,
            side: self.stdin.map(feed),
            after: None,
            leave: self.leave,
            judge,
        }
    }
}
