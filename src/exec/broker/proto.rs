//! What xec and its broker say to each other: frames of bytes with their length before them. Pure; knows no
//! sockets and no processes.
//!
//! Strings travel with their NUL, so that the broker hands them to the kernel where they lie.

use std::ffi::CStr;
use std::time::Duration;

use crate::base::command::Usage;
use crate::exec::Signal;

/// Where one of the three descriptors of a process comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stdio {
    /// `/dev/null`.
    Null,
    /// What the broker itself has, which is what xec was started with.
    Inherit,
    /// A descriptor sent along.
    Passed,
    /// The same as stdout; only for stderr.
    SameAsStdout,
}

impl Stdio {
    fn from_byte(byte: u8) -> Option<Self> {
        [Stdio::Null, Stdio::Inherit, Stdio::Passed, Stdio::SameAsStdout].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// One process to start, as the broker reads it.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Spawn<'a> {
    pub job: u64,
    pub grace: Duration,
    /// What it leaves behind may outlive the run.
    pub leave: bool,
    pub stdio: [Stdio; 3],
    pub apart: bool,
    pub program: &'a CStr,
    /// Empty for where the broker itself is.
    pub cwd: &'a CStr,
    pub argv: Vec<&'a CStr>,
    /// `K=V` sets, `K` alone removes; later ones win.
    pub env: Vec<&'a CStr>,
}

/// In the place of a job: every job there is. No job has this number.
pub(super) const ALL: u64 = 0;

/// What xec asks for.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Request<'a> {
    Spawn(Spawn<'a>),
    /// To one job, or to [`ALL`] of them.
    Signal {
        job: u64,
        signal: Signal,
    },
    /// End everything that is left, `now` or with grace, but for the processes of these groups and what is below them.
    Sweep {
        now: bool,
        spare: Vec<i32>,
    },
}

/// What the broker reports.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Report {
    Spawned {
        job: u64,
        pid: i32,
    },
    Failed {
        job: u64,
        errno: i32,
    },
    Stopped {
        job: u64,
        signal: i32,
    },
    /// With the status as wait4 gives it.
    Exited {
        job: u64,
        status: i32,
        usage: Usage,
    },
    /// Everything has ended; these were there when the sweep began.
    Swept {
        names: Vec<String>,
    },
}

/// A frame in the making.
pub(crate) struct Frame(Vec<u8>);

impl Frame {
    fn new(kind: u8, room: usize) -> Self {
        let mut bytes = Vec::with_capacity(room + HEADER);
        bytes.extend_from_slice(&[0, 0, 0, 0, kind]);
        Self(bytes)
    }

    fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    fn i32(&mut self, value: i32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// The caller has seen to it that there is no NUL in `parts`.
    fn string(&mut self, parts: &[&[u8]]) -> &mut Self {
        parts.iter().for_each(|part| self.0.extend_from_slice(part));
        self.u8(0)
    }

    fn finish(mut self) -> Vec<u8> {
        let length = (self.0.len() - 4) as u32;
        self.0[..4].copy_from_slice(&length.to_le_bytes());
        self.0
    }
}

const HEADER: usize = 5;
const SPAWN: u8 = 1;
const SIGNAL: u8 = 2;
const SWEEP: u8 = 3;
const SPAWNED: u8 = 11;
const FAILED: u8 = 12;
const STOPPED: u8 = 13;
const EXITED: u8 = 14;
const SWEPT: u8 = 15;

/// One process to start, as xec writes it. No string in it holds a NUL.
pub(crate) struct SpawnParts<'a> {
    /// Until when the rest is killed, should xec be gone.
    pub(crate) grace: Duration,
    /// What it leaves behind may outlive the run.
    pub(crate) leave: bool,
    /// stdin, stdout, stderr.
    pub(crate) stdio: [Stdio; 3],
    /// It serves jobs and is none: signals to all jobs are not for it.
    pub(crate) apart: bool,
    /// A path.
    pub(crate) program: &'a [u8],
    /// Empty for where xec was started.
    pub(crate) cwd: &'a [u8],
    /// With the name of the program first.
    pub(crate) argv: &'a [&'a [u8]],
    /// Changes; `None` removes.
    pub(crate) env: &'a [(&'a [u8], Option<&'a [u8]>)],
}

impl SpawnParts<'_> {
    /// The frame, with `job` still to be set by [`set_job`].
    pub(crate) fn encode(&self) -> Vec<u8> {
        let words: usize = self.argv.iter().map(|word| word.len() + 1).sum();
        let changes: usize = self.env.iter().map(|(key, value)| key.len() + value.map_or(0, <[u8]>::len) + 2).sum();
        let mut frame = Frame::new(SPAWN, 64 + self.program.len() + self.cwd.len() + words + changes);
        frame.u64(0).u64(u64::try_from(self.grace.as_millis()).unwrap_or(u64::MAX));
        frame.u8(u8::from(self.leave));
        for stdio in self.stdio {
            frame.u8(stdio as u8);
        }
        frame.u8(u8::from(self.apart));
        frame.i32(self.argv.len() as i32).i32(self.env.len() as i32);
        frame.string(&[self.program]).string(&[self.cwd]);
        for word in self.argv {
            frame.string(&[word]);
        }
        for (key, value) in self.env {
            match value {
                Some(value) => frame.string(&[key, b"=", value]),
                None => frame.string(&[key]),
            };
        }
        frame.finish()
    }
}

/// Says whose process a frame of [`SpawnParts::encode`] starts.
pub(super) fn set_job(frame: &mut [u8], job: u64) {
    frame[HEADER..HEADER + 8].copy_from_slice(&job.to_le_bytes());
}

impl Request<'_> {
    /// The frame; only for what is not a spawn.
    pub(super) fn signal(job: u64, signal: Signal) -> Vec<u8> {
        let (kind, number) = match signal {
            Signal::End(number) => (0, number),
            Signal::Kill => (1, 0),
            Signal::Stop => (2, 0),
            Signal::Continue => (3, 0),
        };
        let mut frame = Frame::new(SIGNAL, 16);
        frame.u64(job).u8(kind).i32(number);
        frame.finish()
    }

    pub(super) fn sweep(now: bool, spare: &[i32]) -> Vec<u8> {
        let mut frame = Frame::new(SWEEP, 5 + 4 * spare.len());
        frame.u8(u8::from(now)).i32(spare.len() as i32);
        for group in spare {
            frame.i32(*group);
        }
        frame.finish()
    }
}

impl<'a> Request<'a> {
    /// Reads a frame without its length; `None` if it is none of ours.
    pub(super) fn decode(frame: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(frame);
        match reader.u8()? {
            SPAWN => reader.spawn().map(Request::Spawn),
            SIGNAL => {
                let (job, kind, number) = (reader.u64()?, reader.u8()?, reader.i32()?);
                let signal = match kind {
                    0 => Signal::End(number),
                    1 => Signal::Kill,
                    2 => Signal::Stop,
                    3 => Signal::Continue,
                    _ => return None,
                };
                Some(Request::Signal { job, signal })
            }
            SWEEP => {
                let (now, count) = (reader.u8()? != 0, reader.i32()?);
                let spare = (0..count).map(|_| reader.i32()).collect::<Option<_>>()?;
                Some(Request::Sweep { now, spare })
            }
            _ => None,
        }
    }
}

impl Report {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Report::Spawned { job, pid } => numbers(SPAWNED, *job, *pid),
            Report::Failed { job, errno } => numbers(FAILED, *job, *errno),
            Report::Stopped { job, signal } => numbers(STOPPED, *job, *signal),
            Report::Exited { job, status, usage } => {
                let mut frame = Frame::new(EXITED, 40);
                frame.u64(*job).i32(*status).u64(usage.user.as_micros() as u64).u64(usage.system.as_micros() as u64);
                frame.u64(usage.peak_memory);
                frame.finish()
            }
            Report::Swept { names } => {
                let mut frame = Frame::new(SWEPT, names.len() * 24);
                frame.i32(names.len() as i32);
                for name in names {
                    frame.string(&[name.as_bytes()]);
                }
                frame.finish()
            }
        }
    }

    pub(super) fn decode(frame: &[u8]) -> Option<Self> {
        let mut reader = Reader(frame);
        Some(match reader.u8()? {
            SPAWNED => Report::Spawned { job: reader.u64()?, pid: reader.i32()? },
            FAILED => Report::Failed { job: reader.u64()?, errno: reader.i32()? },
            STOPPED => Report::Stopped { job: reader.u64()?, signal: reader.i32()? },
            EXITED => {
                let (job, status) = (reader.u64()?, reader.i32()?);
                let (user, system) = (Duration::from_micros(reader.u64()?), Duration::from_micros(reader.u64()?));
                Report::Exited { job, status, usage: Usage { user, system, peak_memory: reader.u64()? } }
            }
            SWEPT => {
                let count = reader.i32()?;
                let names = (0..count).map(|_| reader.string().map(|name| name.to_string_lossy().into_owned()));
                Report::Swept { names: names.collect::<Option<_>>()? }
            }
            _ => return None,
        })
    }
}

fn numbers(kind: u8, job: u64, number: i32) -> Vec<u8> {
    let mut frame = Frame::new(kind, 12);
    frame.u64(job).i32(number);
    frame.finish()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn string(&mut self) -> Option<&'a CStr> {
        let text = CStr::from_bytes_until_nul(self.0).ok()?;
        self.0 = &self.0[text.count_bytes() + 1..];
        Some(text)
    }

    fn strings(&mut self, count: i32) -> Option<Vec<&'a CStr>> {
        (0..count).map(|_| self.string()).collect()
    }

    fn spawn(&mut self) -> Option<Spawn<'a>> {
        let (job, grace) = (self.u64()?, Duration::from_millis(self.u64()?));
        let leave = self.u8()? != 0;
        let [stdin, stdout, stderr] = self.array()?.map(Stdio::from_byte);
        let apart = self.u8()? != 0;
        let (argc, changes) = (self.i32()?, self.i32()?);
        let (program, cwd) = (self.string()?, self.string()?);
        let (argv, env) = (self.strings(argc)?, self.strings(changes)?);
        let stdio = [stdin?, stdout?, stderr?];
        Some(Spawn { job, grace, leave, stdio, apart, program, cwd, argv, env })
    }
}

#[cfg(test)]
#[path = "proto_tests.rs"]
mod tests;
