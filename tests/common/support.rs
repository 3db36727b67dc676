//! What the cases share.

use std::ffi::OsString;
use std::fs;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use xec::base::command::{CommandSpec, NotStarted, Program};
use xec::base::event::{JobId, Message, Stream};
use xec::exec::broker::{self, Broker, Link};
use xec::exec::local::LocalTarget;
use xec::exec::output::OutputTx;
use xec::exec::{Finished, JobCx, Running, Target};

/// A broker with all that belongs to it.
pub(crate) struct World {
    pub(crate) broker: Rc<Broker>,
    pub(crate) link: Link,
    pub(crate) here: LocalTarget,
}

/// Forks a broker, and gives it to `act` inside a runtime.
pub(crate) fn world<F: Future<Output = ()>>(act: impl FnOnce(World) -> F) {
    let broker = Rc::new(broker::fork().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let link = broker.link().unwrap();
        act(World { broker: Rc::clone(&broker), link: link.clone(), here: LocalTarget::new(link) }).await;
    });
}

pub(crate) fn spec(program: Program) -> CommandSpec {
    CommandSpec::new(program, std::env::current_dir().unwrap(), Duration::from_secs(5))
}

pub(crate) fn words<const N: usize>(words: [&str; N]) -> CommandSpec {
    spec(Program::Words(words.map(OsString::from).to_vec()))
}

/// As a `run` with this text.
pub(crate) fn script(text: &str) -> CommandSpec {
    script_with(text, &[])
}

pub(crate) fn script_with(text: &str, args: &[&str]) -> CommandSpec {
    let shell: Arc<[OsString]> = ["sh", "-eu", "-c"].map(OsString::from).into();
    spec(Program::Script { shell, text: text.into(), args: args.iter().map(OsString::from).collect() })
}

/// One command that was started, with its output.
pub(crate) struct Job {
    pub(crate) running: Running,
    pub(crate) messages: UnboundedReceiver<Message>,
}

pub(crate) async fn start(target: &dyn Target, spec: CommandSpec) -> Result<Job, NotStarted> {
    let (output, messages) = OutputTx::pair();
    let running = target.start(spec, JobCx::new(JobId(1), output)).await?;
    Ok(Job { running, messages })
}

/// How a command ended, and what it wrote.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) finished: Finished,
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
}

impl End {
    pub(crate) fn out(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    pub(crate) fn code(&self) -> i32 {
        self.finished.outcome.code()
    }
}

impl Job {
    pub(crate) async fn end(self) -> End {
        let finished = self.running.done.await;
        let mut end = End { finished, out: Vec::new(), err: Vec::new() };
        // All of it has been handed over by now.
        let mut messages = self.messages;
        while let Ok(message) = messages.try_recv() {
            let Message::Output(output) = message else { panic!("no output: {message:?}") };
            let to = if output.stream == Stream::Stdout { &mut end.out } else { &mut end.err };
            to.extend(output.bytes);
        }
        end
    }

    /// The next piece of its stdout; the job has to be attended to meanwhile.
    pub(crate) async fn hear(&mut self) -> String {
        tokio::select! {
            message = self.messages.recv() => match message {
                Some(Message::Output(output)) => String::from_utf8(output.bytes).unwrap(),
                other => panic!("no output: {other:?}"),
            },
            finished = &mut self.running.done => panic!("it ended: {finished:?}"),
        }
    }
}

pub(crate) async fn run(target: &dyn Target, spec: CommandSpec) -> Result<End, NotStarted> {
    Ok(start(target, spec).await?.end().await)
}

/// Side by side, each woken for itself alone.
pub(crate) async fn all<F: Future<Output = ()> + 'static>(jobs: impl Iterator<Item = F>) {
    let local = tokio::task::LocalSet::new();
    let jobs: Vec<_> = jobs.map(|job| local.spawn_local(job)).collect();
    local
        .run_until(async {
            for job in jobs {
                job.await.unwrap();
            }
        })
        .await;
}

/// A number that no other process has on its command line: `sleep` for that long is ours.
pub(crate) fn mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("8{:07}.{:03}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// How many processes sleep for that long.
pub(crate) fn sleepers(mark: &str) -> usize {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    pids.filter(|pid| {
        let line = fs::read(pid.path().join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == mark.as_bytes()) && line.starts_with(b"sleep")
    })
    .count()
}

/// The letter of the state of a process.
pub(crate) fn state(pid: u32) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap_or('-')
}

/// Whether a process stands still: stopped, or (as a shell between `vfork` and `exec`) waiting for a child that is.
pub(crate) fn stands_still(pid: u32) -> bool {
    matches!(state(pid), 'T' | 'D')
}

/// Lets xec see all that has ended so far, and then so much time go by on its clock. None goes by on the wall's.
pub(crate) async fn later(target: &dyn Target, time: Duration) {
    // The broker tells of ends in their order, so whoever ended before this one has been heard of.
    assert_eq!(run(target, words(["true"])).await.unwrap().code(), 0);
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
    // What was due then has had its turn when one more has ended.
    assert_eq!(run(target, words(["true"])).await.unwrap().code(), 0);
}

/// Waits for what nobody tells: the states of processes that are not ours, and the files they write. The one poll there
/// is.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
