//! Scripts that share a shell: a place in front of another place, at which one shell is started for each session, and is
//! given one script after the other. Directory, variables and functions go on from script to script; each has streams
//! of its own, is ended like any command (and the shell with it), and is told apart by its own exit code.
//!
//! The shell reads what it is to do from a pipe that no script has, and answers on another one. The streams of a script
//! are opened by the shell by the names that the kernel gives to ours, so they are like those of any command.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::hash::BuildHasher as _;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::base::command::{CommandSpec, NotStarted, Outcome, Program, Sink, Stdin, Usage};
use crate::exec::broker::link::Exit;
use crate::exec::broker::proto::Stdio;
use crate::exec::fd::{self, Feeder, Pipe, SMALL_READ};
use crate::exec::find::no_room;
use crate::exec::output::OutputTx;
use crate::exec::remote::wrapper::quote;
use crate::exec::streams::Streams;
use crate::exec::{JobCx, LocalFuture, Passed, Running, Signal, Target};

/// How long a shell may take to end that has nothing more to do.
const LAST: Duration = Duration::from_secs(5);

/// Gathers lines, and does what they say when one of them begins with the word of the session: `setup` is done as it is,
/// `run` with the streams that stand behind it, and answered. What a script says of loops is for its own.
const BOOT: &str = r#"exec 9<&0 </dev/null
xec_t=
xec_n='
'
while IFS= read -r xec_l <&9; do
case $xec_l in
"@ setup") xec_s=$xec_t; xec_t=; eval "$xec_s" ;;
"@ run "*) xec_s=$xec_t; xec_t=; for xec_i in 1; do eval "eval \"\$xec_s\" ${xec_l#"@ run "} 9<&-"; done; echo "@ done $?" ;;
*) xec_t=$xec_t$xec_l$xec_n ;;
esac
done"#;

/// A place whose scripts may share shells.
pub struct Sessions {
    inner: Rc<dyn Target>,
    open: RefCell<HashMap<u64, Session>>,
    /// The ends of those that are closed.
    closing: RefCell<Vec<oneshot::Receiver<()>>>,
}

/// One shell.
struct Session {
    /// What it is told.
    input: OwnedFd,
    /// What its lines begin with that are for the shell.
    word: String,
    pid: Option<u32>,
    shell: Arc<[OsString]>,
    /// What the last script was given.
    env: Vec<(OsString, Option<OsString>)>,
    cwd: PathBuf,
    state: Rc<State>,
    kill: UnboundedSender<()>,
    ended: oneshot::Receiver<()>,
}

/// What is known of a shell, by those who look after it.
struct State {
    control: Box<dyn Fn(Signal)>,
    /// Who waits for the end of a script, and hears of what stops it.
    current: RefCell<Option<(oneshot::Sender<Exit>, UnboundedSender<i32>)>>,
    over: RefCell<Option<Outcome>>,
}

impl Sessions {
    /// In front of this place.
    pub fn new(inner: Rc<dyn Target>) -> Self {
        Self { inner, open: RefCell::default(), closing: RefCell::default() }
    }

    /// Nothing more comes for a session: its shell ends.
    pub fn close(&self, id: u64) {
        if let Some(session) = self.open.borrow_mut().remove(&id) {
            self.closing.borrow_mut().push(session.ended);
        }
    }

    /// Closes all, and waits until they have ended.
    pub async fn finish(&self) {
        let open: Vec<u64> = self.open.borrow().keys().copied().collect();
        open.into_iter().for_each(|id| self.close(id));
        let closing = std::mem::take(&mut *self.closing.borrow_mut());
        for ended in closing {
            let _ = ended.await; // One that is not looked after any more has ended.
        }
    }

    async fn run(&self, id: u64, spec: CommandSpec, cx: JobCx) -> Result<Running, NotStarted> {
        let Program::Script { shell, text, args } = &spec.program else { return self.inner.start(spec, cx).await };
        if cfg!(not(target_os = "linux")) {
            // Only there a process can open what another one has open.
            return Err(NotStarted::Failed("`session` is there on Linux only: session=#false".to_owned()));
        }
        if !spec.cwd.is_dir() {
            return Err(NotStarted::Failed(format!("there is no directory `{}`", spec.cwd.display())));
        }
        if !self.open.borrow().contains_key(&id) {
            let session = self.begin(&spec, shell.clone()).await?;
            self.open.borrow_mut().insert(id, session);
        }
        let mut open = self.open.borrow_mut();
        let Some(session) = open.get_mut(&id) else { return Err(NotStarted::Failed("its session is over".to_owned())) };
        session.is_able(shell)?;
        let setup = session.setup(&spec, args)?;
        session.script(&setup, text, &spec, cx).map_err(|why| no_room(&why))
    }

    /// Starts a shell.
    async fn begin(&self, spec: &CommandSpec, shell: Arc<[OsString]>) -> Result<Session, NotStarted> {
        let word = format!("xec-{:016x}", std::hash::RandomState::new().hash_one(0_u8));
        let room = |why| no_room(&why);
        let (control, status) = (Pipe::to_write().map_err(room)?, Pipe::to_read().map_err(room)?);
        let answers = fd::watch(status.ours, Interest::READABLE).map_err(room)?;
        let program = Program::Script { shell: shell.clone(), text: BOOT.replace('@', &word).into(), args: Vec::new() };
        let (stdin, stdout, stderr) = (Stdin::Passed, Sink::Passed, Sink::WithStdout);
        let start = CommandSpec { program, stdin, stdout, stderr, session: None, pool: None, ..spec.clone() };
        // It shows nothing itself.
        let (output, _) = OutputTx::pair();
        let passed = Passed { stdin: Some(control.theirs), stdout: Some(status.theirs), stderr: None };
        let cx = JobCx { passed, ..JobCx::new(crate::base::event::JobId(0), output) };
        let Running { pid, control: send, done, stops } = self.inner.start(start, cx).await?;
        let state = Rc::new(State { control: send, current: RefCell::default(), over: RefCell::default() });
        let (kill, kills) = unbounded_channel();
        let (tell, ended) = oneshot::channel();
        let answers = Answers { fd: Some(answers), word: format!("{word} done ").into_bytes(), line: Vec::new() };
        let keeper = Keeper { state: state.clone(), answers, kills, stops, _ended: tell };
        tokio::task::spawn_local(keeper.keep(done));
        let (env, cwd) = (spec.env.clone(), spec.cwd.clone());
        Ok(Session { input: control.ours, word, pid, shell, env, cwd, state, kill, ended })
    }
}

impl Target for Sessions {
    fn start<'a>(&'a self, spec: CommandSpec, cx: JobCx) -> LocalFuture<'a, Result<Running, NotStarted>> {
        match spec.session {
            Some(id) => Box::pin(self.run(id, spec, cx)),
            None => self.inner.start(spec, cx),
        }
    }
}

impl Session {
    fn is_able(&self, shell: &Arc<[OsString]>) -> Result<(), NotStarted> {
        let failed = |why: String| Err(NotStarted::Failed(why));
        if let Some(outcome) = &*self.state.over.borrow() {
            let how = outcome.code();
            return failed(format!(
                "the shell of its session ended with an earlier step (code {how}), and what that had set is gone; a \
                 command that may end the shell can stand in `( … )`"
            ));
        }
        match *shell == self.shell {
            true => Ok(()),
            false => failed("all steps of a session have one `shell`, and this one has another".to_owned()),
        }
    }

    /// What has to be said before a script: what has changed of what is declared around it since the last one, and its
    /// own words. What the scripts themselves have changed stays.
    fn setup(&mut self, spec: &CommandSpec, args: &[OsString]) -> Result<Vec<u8>, NotStarted> {
        let mut text = Vec::new();
        {
            let (last, now) = (last_of_each(&self.env), last_of_each(&spec.env));
            let changed = now.iter().filter(|(name, value)| last.get(*name) != Some(*value));
            let mut changes: Vec<(&OsStr, Option<OsString>)> =
                changed.map(|(name, value)| (*name, value.map(OsStr::to_owned))).collect();
            // What is not declared any more is as it was around xec.
            let gone = last.keys().filter(|name| !now.contains_key(*name));
            changes.extend(gone.map(|name| (*name, std::env::var_os(name))));
            for (name, value) in changes {
                match value {
                    Some(value) => {
                        text.extend([b"export ", name.as_encoded_bytes(), b"="].concat());
                        quote(&mut text, &value)?;
                    }
                    None => text.extend([b"unset ", name.as_encoded_bytes()].concat()),
                }
                text.push(b'\n');
            }
        }
        if spec.cwd != self.cwd {
            text.extend(b"CDPATH= cd -- ");
            quote(&mut text, spec.cwd.as_os_str())?;
            text.push(b'\n');
        }
        text.extend(b"set --");
        for word in args {
            text.push(b' ');
            quote(&mut text, word)?;
        }
        (self.env, self.cwd) = (spec.env.clone(), spec.cwd.clone());
        Ok(text)
    }

    /// Hands a script over.
    fn script(&self, setup: &[u8], text: &str, spec: &CommandSpec, cx: JobCx) -> std::io::Result<Running> {
        let mut streams = Streams::open(spec, cx)?;
        let theirs = std::mem::take(&mut streams.theirs);
        let mut to = String::new();
        let mut fds = theirs.iter();
        for (sign, stdio) in ["<", ">", "2>"].into_iter().zip(streams.stdio) {
            let _ = match (stdio, fds.as_slice().first()) {
                (Stdio::SameAsStdout, _) => write!(to, " {sign}&1"),
                (Stdio::Passed, Some(fd)) => {
                    fds.next();
                    write!(to, " {sign}/proc/{}/fd/{}", std::process::id(), fd.as_raw_fd())
                }
                _ => write!(to, " {sign}/dev/null"),
            };
        }
        let word = &self.word;
        let head = format!("\n{word} setup\n{text}\n{word} run{to}\n");
        let mut feeder = Feeder::new(self.input.try_clone()?, [setup, head.as_bytes()].concat())?;
        let (ended, exit) = oneshot::channel();
        let (tell, stops) = unbounded_channel();
        *self.state.current.borrow_mut() = Some((ended, tell));
        let kill = self.kill.clone();
        let kill = Box::new(move || {
            let _ = kill.send(()); // It may have ended.
        });
        let mut attendant = streams.attend(self.pid.unwrap_or(0) as i32, kill, exit, Box::new(judge));
        let stdin = attendant.side.take();
        attendant.side = Some(Box::pin(async move {
            let stdin = async {
                if let Some(stdin) = stdin {
                    stdin.await;
                }
            };
            tokio::join!(feeder.feed(), stdin);
        }));
        // Until then they are open, so that nothing ends before the shell has them too.
        attendant.after = Some(Box::new(move || drop(theirs)));
        let state = self.state.clone();
        let control = Box::new(move |signal| (state.control)(signal));
        Ok(Running { pid: self.pid, control, done: attendant.begin(), stops })
    }
}

type Last<'e> = BTreeMap<&'e OsStr, Option<&'e OsStr>>;

fn last_of_each(env: &[(OsString, Option<OsString>)]) -> Last<'_> {
    env.iter().map(|(name, value)| (name.as_os_str(), value.as_deref())).collect()
}

fn judge(exit: Option<Exit>, _: Option<&crate::exec::remote::markers::Markers>) -> (Outcome, Option<Usage>) {
    // What it used is known of the shell as a whole only.
    (exit.map_or_else(|| Outcome::Unknown("its shell was lost".to_owned()), outcome), None)
}

fn outcome(exit: Exit) -> Outcome {
    match exit {
        Exit::Lost => Outcome::Unknown("the process broker was lost".to_owned()),
        Exit::Status(status, _) if libc::WIFSIGNALED(status) => Outcome::Signalled(libc::WTERMSIG(status)),
        Exit::Status(status, _) => Outcome::Exited(libc::WEXITSTATUS(status)),
    }
}

/// The same the other way round.
fn exit(outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Exited(code) => Exit::Status(code << 8, Usage::default()),
        Outcome::Signalled(signal) => Exit::Status(*signal, Usage::default()),
        Outcome::NotStarted(_) | Outcome::Unknown(_) => Exit::Lost,
    }
}

/// Looks after a shell until it has ended.
struct Keeper {
    state: Rc<State>,
    answers: Answers,
    kills: UnboundedReceiver<()>,
    stops: UnboundedReceiver<i32>,
    /// Dropped at the end.
    _ended: oneshot::Sender<()>,
}

impl Keeper {
    async fn keep(mut self, mut done: LocalFuture<'static, crate::exec::Finished>) {
        let mut closed = false;
        let outcome = loop {
            tokio::select! {
                biased;
                code = self.answers.next() => self.ended(&Outcome::Exited(code)),
                finished = &mut done => break finished.outcome,
                Some(signal) = self.stops.recv() => {
                    if let Some((_, tell)) = &*self.state.current.borrow() {
                        let _ = tell.send(signal); // Nobody needs to listen.
                    }
                }
                kill = self.kills.recv(), if !closed => match kill {
                    Some(()) => (self.state.control)(Signal::Kill),
                    // Its session is closed, and so is what it reads.
                    None => closed = true,
                },
                () = tokio::time::sleep(LAST), if closed => (self.state.control)(Signal::Kill),
            }
        };
        self.ended(&outcome);
        *self.state.over.borrow_mut() = Some(outcome);
    }

    /// A script has ended.
    fn ended(&self, outcome: &Outcome) {
        if let Some((ended, _)) = self.state.current.borrow_mut().take() {
            let _ = ended.send(exit(outcome)); // It may have been given up.
        }
    }
}

/// What a shell says of its scripts.
struct Answers {
    fd: Option<AsyncFd<OwnedFd>>,
    /// What such a line begins with.
    word: Vec<u8>,
    line: Vec<u8>,
}

impl Answers {
    /// The next exit code. What is dropped half-way can be taken up again.
    async fn next(&mut self) -> i32 {
        loop {
            while let Some(end) = memchr::memchr(b'\n', &self.line) {
                let line: Vec<u8> = self.line.drain(..=end).collect();
                let code = line.strip_prefix(&*self.word).and_then(|code| std::str::from_utf8(code).ok());
                if let Some(code) = code.and_then(|code| code.trim_end().parse().ok()) {
                    return code;
                }
            }
            let Some(fd) = &self.fd else { return std::future::pending().await };
            let Ok(mut ready) = fd.readable().await else { return std::future::pending().await };
            match fd::read(fd.as_fd(), SMALL_READ) {
                Ok(bytes) if bytes.is_empty() => {
                    drop(ready);
                    self.fd = None;
                }
                Ok(bytes) => self.line.extend(bytes),
                Err(_) => ready.clear_ready(),
            }
        }
    }
}
