//! A process that is running: to be signalled, listened to, and awaited.

use std::collections::HashMap;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout};
use std::thread::JoinHandle;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::harness::fifo::{Fifo, Fifos, readable};
use crate::harness::{DEADLINE, End, Ran, proc};

/// A running call of xec. Dropped before its end, it takes all its processes with it.
pub struct Live {
    /// What the tasks say.
    pub tell: Fifo,
    fifos: HashMap<String, Fifo>,
    dir: Option<TempDir>,
    child: Child,
    raw_stdout: Option<ChildStdout>,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Live {
    /// Takes over a child that was just started.
    pub fn new(dir: TempDir, mut child: Child, fifos: Fifos, raw: bool) -> Self {
        let stdout = child.stdout.take();
        let (raw_stdout, stdout) = if raw { (stdout, None) } else { (None, stdout) };
        let stdout = stdout.map(collect);
        let stderr = child.stderr.take().map(collect);
        Self { tell: fifos.tell, fifos: fifos.named, dir: Some(dir), child, raw_stdout, stdout, stderr }
    }

    /// The process id of what was started.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// The directory of the case.
    pub fn path(&self) -> &Path {
        self.dir.as_ref().expect("there until the end").path()
    }

    /// A fifo that the case asked for.
    pub fn fifo(&mut self, name: &str) -> &mut Fifo {
        self.fifos.get_mut(name).expect("a fifo of the case")
    }

    /// The pipe that [`crate::harness::Case::stdout_raw`] left to the test.
    pub fn take_stdout(&mut self) -> ChildStdout {
        self.raw_stdout.take().expect("`stdout_raw`, and not taken before")
    }

    /// The broker of this xec.
    #[track_caller]
    pub fn broker(&self) -> proc::Process {
        proc::child_named(self.pid(), "xec-broker")
    }

    /// Sends a signal to xec alone.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("xec is there");
    }

    /// Sends a signal to the process group of xec, as a terminal does.
    #[track_caller]
    pub fn signal_group(&self, signal: Signal) {
        kill(Pid::from_raw(-self.pid()), signal).expect("the group of xec is there");
    }

    /// Awaits the end.
    #[track_caller]
    pub fn end(mut self) -> Ran {
        let deadline = Instant::now() + DEADLINE;
        let ended = proc::await_end(self.pid(), deadline);
        if !ended {
            let tree = proc::marked(self.path());
            proc::kill_marked(self.path());
            panic!("no end before the deadline; there were {tree:?}\n{}", self.finish().story());
        }
        self.finish()
    }

    fn finish(&mut self) -> Ran {
        let status = self.child.wait().expect("our own child");
        let end = status.code().map(End::Code).or(status.signal().map(End::Signal)).expect("code or signal");
        let join =
            |stream: Option<JoinHandle<Vec<u8>>>| stream.map_or_else(Vec::new, |it| it.join().expect("a reader"));
        let (stdout, stderr) = (join(self.stdout.take()), join(self.stderr.take()));
        Ran { stdout, stderr, end, dir: self.dir.take().expect("ends once") }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(dir) = &self.dir {
            self.child.kill().ok();
            proc::kill_marked(dir.path());
            self.child.wait().ok();
        }
    }
}

/// Reads a stream to its end on a thread of its own; a stream that somebody keeps open is given up in time.
fn collect(mut stream: impl Read + AsFd + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let deadline = Instant::now() + DEADLINE * 2;
        let (mut all, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
        while readable(stream.as_fd(), deadline) {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => all.extend_from_slice(&buffer[..count]),
            }
        }
        all
    })
}
