//! One pipe of a command, emptied: into the report or into a capture. Knows nothing of processes.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::base::event::{JobId, Stream};
use crate::exec::fd::{self, SMALL_READ};
use crate::exec::mask::Stage;
use crate::exec::output::{OutputTx, Room};
use crate::exec::remote::markers::{Gate, Markers};

/// What a pipe is made to hold, and read at once, when its writer is fast.
const BIG_READ: usize = 256 * 1024;

/// How often a pipe is tried before the runtime watches it: once for what a short command wrote, once for the end.
const TRIES: u8 = 2;
/// How long until a pipe is tried again that the runtime has no room to watch.
const WATCH_AGAIN: Duration = Duration::from_millis(10);

/// Where what is read goes.
pub(crate) enum Destination {
    /// To the report.
    Report { output: OutputTx, job: JobId, stream: Stream, stage: Stage },
    /// Into memory, up to a cap.
    Capture(Capture),
    /// Into a file of this machine; who writes what it does not take is told by the function.
    File(OwnedFd, Option<Box<dyn FnOnce() + Send + Sync>>),
    /// Kept until it is known whether it is a command's at all; see [`Pump::release`].
    Held(Vec<u8>),
}

impl Destination {
    /// To the report, without secrets.
    pub(crate) fn report(output: OutputTx, job: JobId, stream: Stream) -> Self {
        let stage = Stage::new(output.masks.clone());
        Destination::Report { output, job, stream, stage }
    }
}

/// What is kept of a stream.
pub(crate) struct Capture {
    kept: Vec<u8>,
    cap: usize,
    /// Called once, when there is more than the cap.
    overflow: Option<Box<dyn FnOnce() + Send + Sync>>,
    /// Who wants each line as soon as it is whole.
    lines: Option<Lines>,
}

/// Lines on their way to who wants them at once.
pub(crate) struct Lines {
    partial: Vec<u8>,
    to: UnboundedSender<Vec<Vec<u8>>>,
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) {
        let Some(last) = memchr::memrchr(b'\n', bytes) else { return self.partial.extend_from_slice(bytes) };
        let (whole, rest) = (&bytes[..last], &bytes[last + 1..]);
        let mut lines: Vec<Vec<u8>> = whole.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let first = std::mem::replace(&mut self.partial, rest.to_vec());
        if let (Some(line), false) = (lines.first_mut(), first.is_empty()) {
            line.splice(..0, first);
        }
        let _ = self.to.send(lines); // Without a listener nobody misses them.
    }

    fn finish(self) {
        if !self.partial.is_empty() {
            let _ = self.to.send(vec![self.partial]);
        }
    }
}

impl Capture {
    pub(crate) fn new(cap: usize, overflow: Box<dyn FnOnce() + Send + Sync>) -> Self {
        Self { kept: Vec::new(), cap, overflow: Some(overflow), lines: None }
    }

    /// The same, with each line told as soon as it is whole.
    pub(crate) fn told(self, to: Option<UnboundedSender<Vec<Vec<u8>>>>) -> Self {
        Self { lines: to.map(|to| Lines { partial: Vec::new(), to }), ..self }
    }

    fn add(&mut self, bytes: &[u8]) {
        if let Some(lines) = &mut self.lines {
            lines.add(bytes);
        }
        if self.overflow.is_some() && bytes.len() <= self.cap - self.kept.len() {
            self.kept.extend_from_slice(bytes);
        } else if let Some(overflow) = self.overflow.take() {
            self.kept = Vec::new();
            overflow();
        }
    }

    /// What was kept, or the cap that it grew over.
    pub(crate) fn finish(self) -> Result<Vec<u8>, usize> {
        if let Some(lines) = self.lines {
            lines.finish();
        }
        if self.overflow.is_some() { Ok(self.kept) } else { Err(self.cap) }
    }
}

/// One pipe that is read until its end.
pub(crate) struct Pump {
    pipe: Arc<OwnedFd>,
    /// The pipe again, once it had to be waited for: most short commands have ended before that.
    watched: Option<AsyncFd<Arc<OwnedFd>>>,
    /// How often the pipe may still be tried before it is watched.
    tries: u8,
    destination: Destination,
    /// What a remote shell says in between.
    markers: Option<Markers>,
    /// Until this opens, what comes is nobody's.
    gate: Option<Gate>,
    exited: Option<oneshot::Sender<()>>,
    /// How much is read at once.
    chunk: usize,
    ended: bool,
}

impl Pump {
    pub(crate) fn new(pipe: OwnedFd, destination: Destination) -> Self {
        Self {
            pipe: Arc::new(pipe),
            watched: None,
            tries: TRIES,
            destination,
            markers: None,
            gate: None,
            exited: None,
            chunk: SMALL_READ,
            ended: false,
        }
    }

    /// Takes what is said to us out of the stream, and tells when that is the end of the command.
    pub(crate) fn with_markers(mut self, markers: Markers, exited: oneshot::Sender<()>) -> Self {
        self.markers = Some(markers);
        self.exited = Some(exited);
        self
    }

    /// Drops what comes before the wrapper has spoken.
    pub(crate) fn behind_gate(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    pub(crate) fn markers(&self) -> Option<&Markers> {
        self.markers.as_ref()
    }

    /// Whether everything has been read.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// What was read so far of a stream that is held.
    pub(crate) fn held(&self) -> &[u8] {
        if let Destination::Held(held) = &self.destination { held } else { &[] }
    }

    /// Drops what was held so far.
    pub(crate) fn forget(&mut self) {
        if let Destination::Held(held) = &mut self.destination {
            held.clear();
        }
    }

    /// Sends what was held, and from now on everything, there.
    pub(crate) fn release(&mut self, output: OutputTx, job: JobId, stream: Stream) {
        let report = Destination::report(output, job, stream);
        if let Destination::Held(held) = std::mem::replace(&mut self.destination, report) {
            let room = Room::free(held.len());
            self.hand_over(held, room);
        }
    }

    /// Hands over what was held back, since nothing more is read.
    pub(crate) fn finish(&mut self) {
        if let Destination::Report { output, job, stream, stage } = &mut self.destination {
            let rest = stage.finish();
            if !rest.is_empty() {
                let room = Room::free(rest.len());
                output.send(*job, *stream, rest, room);
            }
        }
    }

    pub(crate) fn into_destination(self) -> Destination {
        self.destination
    }

    /// The number of the pipe, where it has not ended.
    pub(crate) fn open_inode(&self) -> Option<u64> {
        (!self.ended).then(|| fd::inode(self.pipe.as_fd())).flatten()
    }

    /// Moves everything until the end. What is dropped half-way can be taken up again.
    pub(crate) async fn run(&mut self) {
        while !self.ended {
            self.step().await;
        }
    }

    /// Moves until somebody has been heard on this stream.
    pub(crate) async fn run_until(&mut self, heard: impl Fn(&Markers) -> bool) {
        while !self.ended && !self.markers.as_ref().is_some_and(&heard) {
            self.step().await;
        }
    }

    /// Moves what is in the pipe now, however long the report takes for that; but no more than a pipe can hold,
    /// since whoever still writes may never stop.
    pub(crate) async fn drain(&mut self) {
        let mut left = fd::pipe_size(self.pipe.as_fd());
        while !self.ended && left > 0 {
            let room = self.room().await;
            match fd::read(self.pipe.as_fd(), room.bytes) {
                Ok(bytes) => {
                    left = left.saturating_sub(bytes.len());
                    self.deliver(bytes, room);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.ended = true,
            }
        }
    }

    async fn room(&self) -> Room {
        match &self.destination {
            Destination::Report { output, .. } => output.room(self.chunk).await,
            Destination::Capture(_) | Destination::Held(_) | Destination::File(..) => Room::free(self.chunk),
        }
    }

    async fn step(&mut self) {
        if self.tries == 0 && self.watched.is_none() {
            self.watch().await;
        }
        let mut ready = None;
        if let Some(watched) = &self.watched {
            let Ok(guard) = watched.readable().await else {
                self.ended = true;
                return;
            };
            ready = Some(guard);
        }
        // Only now: a silent command holds nothing.
        let room = self.room().await;
        let read = fd::read(self.pipe.as_fd(), room.bytes);
        let empty = match &read {
            // Less than was asked for: there is no more now. The end, if it was seen, stays seen.
            Ok(bytes) => !bytes.is_empty() && bytes.len() < room.bytes,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        if let (true, Some(ready)) = (empty, &mut ready) {
            ready.clear_ready();
        }
        self.tries = self.tries.saturating_sub(1);
        match read {
            Ok(bytes) => self.deliver(bytes, room),
            Err(_) if empty => self.tries = 0,
            Err(_) => self.ended = true,
        }
    }

    /// Has the runtime watch the pipe. Where there is no room for that now, there will be.
    async fn watch(&mut self) {
        match fd::watch(Arc::clone(&self.pipe), Interest::READABLE) {
            Ok(watched) => self.watched = Some(watched),
            Err(_) => {
                tokio::time::sleep(WATCH_AGAIN).await;
                self.tries = 1;
            }
        }
    }

    fn deliver(&mut self, mut bytes: Vec<u8>, room: Room) {
        self.adapt(bytes.len());
        self.ended = bytes.is_empty();
        if let Some(markers) = &mut self.markers {
            bytes = if self.ended { markers.finish() } else { markers.strip(&bytes) };
            if markers.over()
                && let Some(exited) = self.exited.take()
            {
                let _ = exited.send(()); // Nobody needs to listen.
            }
        }
        if let Some(gate) = &mut self.gate {
            let Some(rest) = gate.open(&bytes) else { return };
            bytes = rest;
            self.gate = None;
        }
        self.hand_over(bytes, room);
    }

    fn hand_over(&mut self, bytes: Vec<u8>, room: Room) {
        if bytes.is_empty() {
            return;
        }
        match &mut self.destination {
            Destination::Report { output, job, stream, stage } => {
                let bytes = stage.add(bytes);
                if !bytes.is_empty() {
                    output.send(*job, *stream, bytes, room);
                }
            }
            Destination::Capture(capture) => capture.add(&bytes),
            Destination::File(file, failed) => {
                if let (Err(_), Some(failed)) = (fd::write_all(file, &bytes), failed.take()) {
                    failed();
                }
            }
            Destination::Held(held) => held.extend(bytes),
        }
    }

    /// Reads more at once where there is more, and less again where there is not.
    fn adapt(&mut self, count: usize) {
        if count == self.chunk && self.chunk < BIG_READ {
            self.chunk = (self.chunk * 4).min(BIG_READ);
            if self.chunk > 64 * 1024 {
                fd::grow_pipe(self.pipe.as_fd(), BIG_READ);
            }
        } else if count < self.chunk / 8 {
            self.chunk = SMALL_READ;
        }
    }
}
