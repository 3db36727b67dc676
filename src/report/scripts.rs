//! What tests of the report share: streams to look into, and a run that is told message by message.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::base::command::Outcome;
use crate::base::event::{
    Counts, Culprit, Event, Failure, JobId, Message, Output, Site, StepLabel, Stream, TaskLabel, Verdict, Waits,
};
use crate::report::console::Sink;
use crate::report::{Mode, Reporter, Setup};

/// A stream to look into; clones are the same stream.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    pub(crate) fn sink(&self, terminal: bool, color: bool) -> Sink {
        Sink { to: Box::new(self.clone()), terminal, color }
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A report on two pipes or on one terminal, fed by hand.
pub(crate) struct Stage {
    pub(crate) out: Shared,
    pub(crate) err: Shared,
    reporter: Reporter,
}

impl Stage {
    pub(crate) fn new(mode: Mode, terminal: bool, change: impl FnOnce(&mut Setup)) -> Self {
        let out = Shared::default();
        let err = if terminal { out.clone() } else { Shared::default() };
        let (one, two) = (out.sink(terminal, false), err.sink(terminal, false));
        let mut setup = Setup::plain(one, two, mode);
        change(&mut setup);
        Self { out, err, reporter: Reporter::new(setup) }
    }

    pub(crate) fn pipes(mode: Mode) -> Self {
        Self::new(mode, false, |_| {})
    }

    pub(crate) fn terminal(mode: Mode) -> Self {
        Self::new(mode, true, |_| {})
    }

    /// Tells one message, and lets everything out.
    pub(crate) fn tell(&mut self, message: Message) -> &mut Self {
        self.reporter.take(message).unwrap();
        self.reporter.flush().unwrap();
        self
    }

    pub(crate) fn event(&mut self, event: Event) -> &mut Self {
        self.tell(Message::Event(Duration::from_micros(1_234), event))
    }

    /// Job `id` of a task of that name starts; its step is called `do <name>`.
    pub(crate) fn start(&mut self, id: u64, name: &str) -> &mut Self {
        self.event(started(id, name))
    }

    pub(crate) fn out(&mut self, id: u64, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.tell(output(id, Stream::Stdout, bytes))
    }

    pub(crate) fn err(&mut self, id: u64, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.tell(output(id, Stream::Stderr, bytes))
    }

    /// Job `id` of that task ends with this exit code.
    pub(crate) fn end(&mut self, id: u64, name: &str, code: i32) -> &mut Self {
        self.event(finished(id, name, exit(code)))
    }

    /// The run ends; each culprit is a job with the name of its task and its exit code.
    pub(crate) fn done(&mut self, culprits: &[(u64, &str, i32)], counts: Counts) -> &mut Self {
        self.event(run_finished(culprits, counts))
    }

    /// Both streams so far.
    pub(crate) fn both(&self) -> (String, String) {
        (self.out.text(), self.err.text())
    }
}

pub(crate) fn task(name: &str) -> Arc<TaskLabel> {
    let site = Site { file: "Xecfile.kdl".into(), line: 3 };
    Arc::new(TaskLabel { task: name.into(), instance: name.into(), site })
}

pub(crate) fn label(name: &str) -> Arc<StepLabel> {
    let site = Site { file: "Xecfile.kdl".into(), line: 4 };
    Arc::new(StepLabel { owner: task(name), text: format!("do {name}").into(), site, optional: false })
}

pub(crate) fn started(id: u64, name: &str) -> Event {
    let (waits, pid) = (Waits::default(), Some(7));
    Event::StepStarted { job: JobId(id), step: label(name), attempt: 1, waits, slots: 1, pid }
}

pub(crate) fn output(id: u64, stream: Stream, bytes: impl AsRef<[u8]>) -> Message {
    Message::Output(Output { job: JobId(id), stream, bytes: bytes.as_ref().to_vec(), hold: None })
}

pub(crate) fn exit(code: i32) -> Verdict {
    if code == 0 { Verdict::Ok } else { Verdict::Failed(Failure::Command(Outcome::Exited(code))) }
}

pub(crate) fn finished(id: u64, name: &str, verdict: Verdict) -> Event {
    Event::StepFinished { job: JobId(id), step: label(name), verdict, duration: Duration::from_millis(5), usage: None }
}

pub(crate) fn culprit(id: u64, name: &str, code: i32) -> Culprit {
    Culprit { owner: task(name), step: Some(label(name)), job: Some(JobId(id)), verdict: exit(code), code }
}

pub(crate) fn run_finished(culprits: &[(u64, &str, i32)], counts: Counts) -> Event {
    let code = match culprits {
        [] => 0,
        [(_, _, code)] => *code,
        _ => 1,
    };
    let culprits = culprits.iter().map(|(id, name, code)| culprit(*id, name, *code)).collect();
    Event::RunFinished { culprits, counts, signal: None, code, duration: Duration::from_millis(1_500) }
}

pub(crate) fn counts(ok: u32, failed: u32, cancelled: u32, skipped: u32) -> Counts {
    Counts { ok, failed, cancelled, skipped, ..Counts::default() }
}
