//! Commands that are one job: one alone, or several of which each reads what the one before it writes. The bytes go
//! through pipes of the kernel, from process to process. Knows nothing of the graph, nor of where the commands run.

use std::fs::{File, OpenOptions};
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

use crate::base::command::{CommandSpec, NotStarted, Outcome, Sink, Stdin, Usage};
use crate::exec::broker::link::Exit;
use crate::exec::broker::proto::Stdio;
use crate::exec::fd::between;
use crate::exec::find::{describe, no_room};
use crate::exec::streams::Streams;
use crate::exec::{Finished, JobCx, LocalFuture, Passed, Running, Signal, Target};

/// How a shell says that a command died of a pipe that nobody reads.
const SIGPIPE_CODE: i32 = 128 + libc::SIGPIPE;

/// A command of a job.
pub struct Member {
    /// What to execute.
    pub spec: CommandSpec,
    /// Where.
    pub target: Rc<dyn Target>,
    /// Whether it is a process of this machine, which can write to what others write to.
    pub here: bool,
}

/// Starts a job: its commands in order, each at its place, tied together by pipes. The files that the first reads and
/// the last writes are opened here, since they are on this machine wherever the commands run.
///
/// # Errors
/// One of them cannot be started; those before it have been ended.
pub async fn start(mut members: Vec<Member>, mut cx: JobCx) -> Result<Running, NotStarted> {
    let passed = &mut cx.passed;
    if let Some(Stdin::File(path)) = members.first().map(|member| &member.spec.stdin) {
        passed.stdin = Some(open(path, "read", OpenOptions::new().read(true))?);
    }
    if let Some(Sink::File(path)) = members.last().map(|member| &member.spec.stdout) {
        let options = &mut OpenOptions::new();
        passed.stdout = Some(open(path, "write", options.write(true).create(true).truncate(true))?);
    }
    match members.pop() {
        Some(Member { spec, target, .. }) if members.is_empty() => target.start(spec, cx).await,
        // Boxed: most jobs are one command, and need no room for several.
        Some(last) => Box::pin(Pipeline::start(members, last, cx)).await,
        None => Err(NotStarted::Missing("there is nothing to execute".to_owned())),
    }
}

/// A file, opened without waiting for anybody: a named pipe would make xec wait for its other end.
fn open(path: &Path, what: &str, options: &mut OpenOptions) -> Result<OwnedFd, NotStarted> {
    let failed = |why: &dyn std::fmt::Display| NotStarted::Failed(format!("cannot {what} `{}`: {why}", path.display()));
    let named_pipe = || failed(&"it is a named pipe, which only a redirection in the text of a `run` waits for");
    if path.metadata().is_ok_and(|meta| meta.file_type().is_fifo()) {
        return Err(named_pipe());
    }
    let file: File = options.custom_flags(libc::O_NOCTTY).open(path).map_err(|why| match why.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => no_room(&why),
        _ => failed(&describe(&why)),
    })?;
    Ok(file.into())
}

type Control = Box<dyn Fn(Signal)>;

/// Several commands that have been started.
struct Pipeline {
    controls: Vec<Control>,
    done: Vec<LocalFuture<'static, Finished>>,
    stops: Vec<UnboundedReceiver<i32>>,
    pid: Option<u32>,
}

impl Pipeline {
    /// Starts them one after the other. What those that are here write to stderr, and to stdout if the last is one of
    /// them, goes through pipes that they share, so that lines are torn no more than in a shell.
    async fn start(firsts: Vec<Member>, last: Member, cx: JobCx) -> Result<Running, NotStarted> {
        let JobCx { job, output, passed: Passed { mut stdin, stdout, .. }, lines } = cx;
        let (shared, apart) = if last.here { (stdout, None) } else { (None, stdout) };
        let sink = if last.here { last.spec.stdout.clone() } else { Sink::Report };
        let own = CommandSpec { stdin: Stdin::Null, stdout: sink, ..last.spec.clone() };
        let passed = Passed { stdout: shared, ..Passed::default() };
        let mut streams =
            Streams::open(&own, JobCx { passed, ..JobCx::new(job, output.clone()) }).map_err(|why| no_room(&why))?;
        let ends = Ends::of(&mut streams).map_err(|why| no_room(&why))?;
        let mut started = Self { controls: Vec::new(), done: Vec::new(), stops: Vec::new(), pid: None };
        for member in firsts {
            let result = async {
                let (next, stdout) = between().map_err(|why| no_room(&why))?;
                let stderr = if member.here { ends.stderr()? } else { None };
                let passed = Passed { stdin: stdin.replace(next), stdout: Some(stdout), stderr };
                started.add(member, JobCx { passed, ..JobCx::new(job, output.clone()) }).await
            };
            if let Err(why) = result.await {
                return Err(started.give_up(why).await);
            }
        }
        let result = async {
            let passed = match last.here {
                true => Passed { stdin, stderr: ends.stderr()?, stdout: ends.stdout },
                false => Passed { stdin, stderr: None, stdout: apart },
            };
            started.add(last, JobCx { job, output, passed, lines }).await
        };
        match result.await {
            Ok(()) => Ok(started.run(streams)),
            Err(why) => Err(started.give_up(why).await),
        }
    }

    async fn add(&mut self, member: Member, cx: JobCx) -> Result<(), NotStarted> {
        let Member { spec, target, .. } = member;
        let stdin = if cx.passed.stdin.is_some() { Stdin::Passed } else { spec.stdin.clone() };
        let stdout = if cx.passed.stdout.is_some() { Sink::Passed } else { spec.stdout.clone() };
        let stderr = if cx.passed.stderr.is_some() { Sink::Passed } else { spec.stderr.clone() };
        let Running { pid, control, done, stops } =
            target.start(CommandSpec { stdin, stdout, stderr, ..spec }, cx).await?;
        self.pid = self.pid.or(pid);
        self.controls.push(control);
        self.done.push(done);
        self.stops.push(stops);
        Ok(())
    }

    /// One could not be started: the others are ended, and waited for.
    async fn give_up(self, why: NotStarted) -> NotStarted {
        self.controls.iter().for_each(|control| control(Signal::Kill));
        for done in self.done {
            done.await;
        }
        why
    }

    fn run(self, streams: Streams) -> Running {
        let Self { controls, done, stops, pid } = self;
        let controls = Rc::new(controls);
        let (kill, mut too_much) = unbounded_channel();
        let (ended, exit) = oneshot::channel();
        let kill = Box::new(move || {
            let _ = kill.send(()); // Nobody needs to hear it once all have ended.
        });
        let own = std::process::id() as i32;
        let attendant = streams.attend(own, kill, exit, Box::new(|_, _| (Outcome::Exited(0), None))).begin();
        let all = controls.clone();
        let members = async move {
            let mut members = pin!(every(done));
            let finished = loop {
                tokio::select! {
                    finished = &mut members => break finished,
                    Some(()) = too_much.recv() => all.iter().for_each(|control| control(Signal::Kill)),
                }
            };
            let _ = ended.send(Exit::Lost); // Only that they have ended: how, they say themselves.
            finished
        };
        let done = async move {
            let (whole, members) = tokio::join!(attendant, members);
            merge(whole, members)
        };
        let control = move |signal| controls.iter().for_each(|control| control(signal));
        Running { pid, control: Box::new(control), done: Box::pin(done), stops: together(stops) }
    }
}

/// The ends of the shared streams that are for the commands.
struct Ends {
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl Ends {
    fn of(streams: &mut Streams) -> io::Result<Self> {
        let mut theirs = std::mem::take(&mut streams.theirs).into_iter();
        let [_, stdout, stderr] = streams.stdio;
        let stdout = if stdout == Stdio::Passed { theirs.next() } else { None };
        let stderr = match (stderr, &stdout) {
            (Stdio::Passed, _) => theirs.next(),
            (Stdio::SameAsStdout, Some(stdout)) => Some(stdout.try_clone()?),
            _ => None,
        };
        Ok(Self { stdout, stderr })
    }

    fn stderr(&self) -> Result<Option<OwnedFd>, NotStarted> {
        self.stderr.as_ref().map(OwnedFd::try_clone).transpose().map_err(|why| no_room(&why))
    }
}

/// Waits for all of them at once.
async fn every(mut open: Vec<LocalFuture<'static, Finished>>) -> Vec<Finished> {
    let mut ends: Vec<Option<Finished>> = open.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (one, end) in open.iter_mut().zip(&mut ends).filter(|(_, end)| end.is_none()) {
            if let Poll::Ready(finished) = one.as_mut().poll(cx) {
                *end = Some(finished);
            }
        }
        if ends.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    ends.into_iter().flatten().collect()
}

/// What stopped any of them.
fn together(stops: Vec<UnboundedReceiver<i32>>) -> UnboundedReceiver<i32> {
    let (tell, told) = unbounded_channel();
    for mut one in stops {
        let tell = tell.clone();
        tokio::spawn(async move {
            while let Some(signal) = one.recv().await {
                let _ = tell.send(signal); // Nobody needs to listen.
            }
        });
    }
    told
}

/// One end of many: the failure that comes last in the line. Who dies writing to one that has succeeded without reading
/// on has done what was asked of it.
fn merge(mut whole: Finished, mut members: Vec<Finished>) -> Finished {
    whole.outcome = Outcome::Exited(0);
    let mut served = false;
    for one in members.iter().rev() {
        let unread = matches!(one.outcome, Outcome::Signalled(libc::SIGPIPE) | Outcome::Exited(SIGPIPE_CODE));
        let well = one.outcome == Outcome::Exited(0) || (served && unread);
        if !well && whole.outcome == Outcome::Exited(0) {
            whole.outcome = one.outcome.clone();
        }
        served = well;
    }
    if let Some(last) = members.last_mut().filter(|_| whole.captures.stdout.is_none()) {
        // It has kept it by itself.
        whole.captures = std::mem::take(&mut last.captures);
        whole.capture_overflow = whole.capture_overflow.or(last.capture_overflow);
    }
    whole.usage = members.iter().filter_map(|one| one.usage).reduce(|sum, one| Usage {
        user: sum.user + one.user,
        system: sum.system + one.system,
        peak_memory: sum.peak_memory.max(one.peak_memory),
    });
    whole
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::command::Captures;

    fn ended(outcome: Outcome) -> Finished {
        let second = Duration::from_secs(1);
        let usage = Some(Usage { user: second, system: second, peak_memory: 7 });
        Finished { outcome, usage, captures: Captures::default(), capture_overflow: None, leaked: Vec::new() }
    }

    #[test]
    fn the_last_failure_of_the_line_counts() {
        let (ok, bad) = (Outcome::Exited(0), Outcome::Exited);
        let pipe = Outcome::Signalled(libc::SIGPIPE);
        for (line, expected) in [
            (vec![ok.clone(), ok.clone()], ok.clone()),
            (vec![bad(3), ok.clone()], bad(3)),
            (vec![bad(3), bad(4), ok.clone()], bad(4)),
            (vec![pipe.clone(), ok.clone()], ok.clone()),
            (vec![pipe.clone(), pipe.clone(), ok.clone()], ok.clone()),
            (vec![bad(SIGPIPE_CODE), ok.clone()], ok.clone()),
            (vec![pipe.clone(), bad(3), ok.clone()], bad(3)),
            (vec![ok.clone(), pipe.clone()], pipe.clone()),
            (vec![pipe, bad(5)], bad(5)),
        ] {
            let finished = merge(ended(ok.clone()), line.iter().cloned().map(ended).collect());
            assert_eq!(finished.outcome, expected, "{line:?}");
            let usage = finished.usage.unwrap();
            assert_eq!((usage.user.as_secs() as usize, usage.peak_memory), (line.len(), 7));
        }
    }
}
