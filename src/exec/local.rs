//! Commands on this machine. Knows nothing of hosts, and starts nothing itself: the broker does.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::base::command::{CommandSpec, NotStarted, Outcome, Program, Stdin, Usage};
use crate::exec::broker::Link;
use crate::exec::broker::link::{Control, Exit, Process, SpawnError};
use crate::exec::broker::proto::{SpawnParts, Stdio};
use crate::exec::find::{find, no_room, refusal};
use crate::exec::remote::markers::Markers;
use crate::exec::streams::Streams;
use crate::exec::terminal::Terminal;
use crate::exec::words::{plain_words, whole, words};
use crate::exec::{JobCx, LocalFuture, Running, Signal, Target};

/// This machine.
pub struct LocalTarget {
    link: Link,
    /// Where xec was started, and with it the broker.
    home: PathBuf,
    path: Option<OsString>,
    /// Whether the environment holds functions that a shell would find before any program.
    functions: bool,
    /// The `sh` of scripts, by the PATH on which it was found.
    shells: RefCell<HashMap<OsString, OsString>>,
}

impl LocalTarget {
    /// Commands that this broker starts. xec's directory and environment must be those that it had when the
    /// broker was forked.
    pub fn new(link: Link) -> Self {
        Self {
            link,
            home: std::env::current_dir().unwrap_or_default(),
            path: std::env::var_os("PATH"),
            functions: std::env::vars_os().any(|(name, _)| is_function(&name)),
            shells: RefCell::default(),
        }
    }

    async fn launch(&self, spec: CommandSpec, cx: JobCx) -> Result<Running, NotStarted> {
        let path = spec.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_deref());
        let path = path.unwrap_or(self.path.as_deref());
        // Without a PATH every shell has an idea of its own of where to look.
        let shell = self.functions || path.is_none() || spec.env.iter().any(|(name, _)| is_function(name));
        let plain = if shell { None } else { plain_words(&spec.program) };
        let script = plain.is_none() && matches!(spec.program, Program::Script { .. });
        let argv = plain.unwrap_or_else(|| words(&spec.program));
        let Some(first) = argv.first() else {
            return Err(NotStarted::Missing("there is no program to execute".to_owned()));
        };
        let program = match path {
            Some(path) if script && *first == "sh" => self.shell(path, &spec.cwd)?,
            _ => find(first, path, &spec.cwd)?,
        };
        let env = environment(&spec, &self.home)?;
        let mut streams = Streams::open(&spec, cx).map_err(|error| no_room(&error))?;
        if let (Some(pool), true) = (&spec.pool, streams.stdio.contains(&Stdio::Passed)) {
            streams.theirs.push(pool.try_clone().map_err(|error| no_room(&error))?);
        }
        let parts = SpawnParts {
            grace: spec.grace,
            leave: spec.leave,
            stdio: streams.stdio,
            apart: false,
            program: whole(&program)?,
            cwd: whole(spec.cwd.as_os_str())?,
            argv: &argv.iter().map(|word| whole(word)).collect::<Result<Vec<_>, _>>()?,
            env: &env,
        };
        let process = match self.link.spawn(&parts, std::mem::take(&mut streams.theirs)).await {
            Ok(process) => process,
            Err(SpawnError::Errno(errno)) => return Err(refusal(errno, first, Path::new(&program), &spec.cwd)),
            Err(SpawnError::Lost) => return Err(NotStarted::Failed("the process broker is gone".to_owned())),
        };
        Ok(if spec.stdin == Stdin::Terminal { on_terminal(process, streams) } else { beside(process, streams) })
    }

    /// The `sh` of scripts is looked for once on each PATH, since that costs a system call for each directory, and
    /// nobody puts another one there while a run goes on. Of other programs that is not true.
    fn shell(&self, path: &OsStr, cwd: &Path) -> Result<OsString, NotStarted> {
        if let Some(found) = self.shells.borrow().get(path) {
            return Ok(found.clone());
        }
        let found = find(OsStr::new("sh"), Some(path), cwd)?;
        if path.as_bytes().split(|byte| *byte == b':').all(|dir| dir.first() == Some(&b'/')) {
            self.shells.borrow_mut().insert(path.to_owned(), found.clone());
        }
        Ok(found)
    }
}

impl Target for LocalTarget {
    fn start<'a>(&'a self, spec: CommandSpec, cx: JobCx) -> LocalFuture<'a, Result<Running, NotStarted>> {
        Box::pin(self.launch(spec, cx))
    }
}

fn is_function(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b"BASH_FUNC_")
}

type Change<'a> = (&'a [u8], Option<&'a [u8]>);

fn environment<'a>(spec: &'a CommandSpec, home: &Path) -> Result<Vec<Change<'a>>, NotStarted> {
    let mut env = Vec::with_capacity(spec.env.len() + 1);
    if spec.cwd != home {
        // As a shell's `cd` would; the command's own `env` comes after it.
        env.push((b"PWD".as_slice(), Some(whole(spec.cwd.as_os_str())?)));
    }
    for (name, value) in &spec.env {
        let bytes = whole(name)?;
        if bytes.is_empty() || bytes.contains(&b'=') {
            let name = name.to_string_lossy();
            return Err(NotStarted::Failed(format!("`{name}` cannot be the name of an environment variable")));
        }
        env.push((bytes, value.as_deref().map(whole).transpose()?));
    }
    Ok(env)
}

/// A command like most: away from the terminal.
fn beside(process: Process, streams: Streams) -> Running {
    let Process { pid, control, exit, stops } = process;
    let attendant = streams.attend(pid, kill(&control), exit, Box::new(judge));
    Running {
        pid: Some(pid as u32),
        control: Box::new(move |signal| control.send(signal)),
        done: attendant.begin(),
        stops,
    }
}

/// A command that has the terminal for itself while it runs, where there is one to give.
fn on_terminal(process: Process, streams: Streams) -> Running {
    let Some(terminal) = Terminal::find().map(Arc::new) else { return beside(process, streams) };
    let Process { pid, control, exit, stops } = process;
    // It may ask for the terminal before it has it, and is stopped for that: see `watch_stops`.
    terminal.give(pid);
    let mut attendant = streams.attend(pid, kill(&control), exit, Box::new(judge));
    let (told, listener) = unbounded_channel();
    // Its stdin is the terminal, so there is nothing to feed.
    attendant.side = Some(Box::pin(watch_stops(Arc::clone(&terminal), pid, control.clone(), stops, told)));
    attendant.after = Some(Box::new({
        let terminal = Arc::clone(&terminal);
        move || terminal.restore()
    }));
    let control = move |signal| match signal {
        Signal::Stop => {
            control.send(signal);
            terminal.borrow_back();
        }
        Signal::Continue => {
            terminal.give(pid);
            control.send(signal);
        }
        Signal::End(_) | Signal::Kill => control.send(signal),
    };
    Running { pid: Some(pid as u32), control: Box::new(control), done: attendant.begin(), stops: listener }
}

fn kill(control: &Control) -> Box<dyn Fn() + Send + Sync> {
    let control = control.clone();
    Box::new(move || control.send(Signal::Kill))
}

/// How often a command that has the terminal is helped when it was stopped for want of it.
const HELP: usize = 3;

async fn watch_stops(
    terminal: Arc<Terminal>,
    pid: i32,
    control: Control,
    mut stops: UnboundedReceiver<i32>,
    told: UnboundedSender<i32>,
) {
    let mut helped = 0;
    while let Some(signal) = stops.recv().await {
        if matches!(signal, libc::SIGTTIN | libc::SIGTTOU) && helped < HELP && terminal.give(pid) {
            helped += 1;
            control.send(Signal::Continue);
        } else {
            terminal.borrow_back();
            let _ = told.send(signal); // Nobody needs to listen.
        }
    }
}

fn judge(exit: Option<Exit>, _: Option<&Markers>) -> (Outcome, Option<Usage>) {
    let exit = exit.unwrap_or(Exit::Lost);
    let usage = if let Exit::Status(_, usage) = exit { Some(usage) } else { None };
    (exit.outcome(), usage)
}
