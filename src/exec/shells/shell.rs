//! One shell that is told what to do, script after script. Knows nothing of who shares it.
//!
//! It reads that from a pipe that no script has, and answers on another one. The streams of a script are opened by the
//! shell by the names that the kernel gives to ours, so they are like those of any command.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::hash::BuildHasher as _;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::base::command::{CommandSpec, NotStarted, Outcome, Program, Usage};
use crate::exec::broker::link::Exit;
use crate::exec::broker::proto::Stdio;
use crate::exec::fd::Feeder;
use crate::exec::find::no_room;
use crate::exec::remote::markers::Markers;
use crate::exec::remote::wrapper::{export, quote};
use crate::exec::shells::keeper::{self, Handle};
use crate::exec::streams::Streams;
use crate::exec::{JobCx, Running, Target};

/// Gathers lines, and does what they say when one of them begins with the word of the session: `setup` is done as it is,
/// `run` with the streams that stand behind it, and answered. What a script says of loops is for its own.
const SHARED: &str = r#"exec 9<&0 </dev/null
xec_t=
xec_n='
'
while IFS= read -r xec_l <&9; do
case $xec_l in
"@ setup") xec_s=$xec_t; xec_t=; eval "$xec_s" ;;
"@ run "*) xec_s=$xec_t; xec_t=; for xec_i in 1; do eval "eval \"\$xec_s\" ${xec_l#"@ run "} 9<&-"; done; xec_r=$? xec_t=; echo "@ done $xec_r" ;;
*) xec_t=$xec_t$xec_l$xec_n ;;
esac
done"#;

/// The same, with each script in a fork of the shell, so that nothing it does to its shell is there for the next one.
/// What `-e` means is left to the fork: the shell itself goes on.
const FORKED: &str = r#"exec 9<&0 </dev/null
xec_t= xec_p= xec_e=
xec_n='
'
case $- in *e*) xec_e='set -e;' ;; esac
set +e
while IFS= read -r xec_l <&9; do
case $xec_l in
"@ setup") xec_p=$xec_t; xec_t= ;;
"@ run "*) xec_s=$xec_t; xec_t=; eval "( exec 9<&-; eval \"\$xec_p\"; $xec_e eval \"\$xec_s\" ) ${xec_l#"@ run "}"; echo "@ done $?" ;;
*) xec_t=$xec_t$xec_l$xec_n ;;
esac
done"#;

/// How scripts share a shell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// What one sets, the next one has.
    Shared,
    /// Each in a fork of its own.
    Forked,
}

/// One shell.
pub(super) struct Shell {
    mode: Mode,
    handle: Handle,
    /// What its lines begin with that are for the shell.
    word: String,
    shell: Arc<[OsString]>,
    /// What the last script was given.
    env: Vec<(OsString, Option<OsString>)>,
    cwd: PathBuf,
}

impl Shell {
    /// Starts one at this place, as a script of this kind would be.
    pub(super) async fn begin(inner: &dyn Target, spec: &CommandSpec, mode: Mode) -> Result<Self, NotStarted> {
        let Program::Script { shell, .. } = &spec.program else {
            return Err(NotStarted::Failed("what is no script has no shell".to_owned()));
        };
        let word = format!("xec-{:016x}", std::hash::RandomState::new().hash_one(0_u8));
        let (text, env) = match mode {
            Mode::Shared => (SHARED, spec.env.clone()),
            // What is declared belongs to each script; what is hidden is hidden from all.
            Mode::Forked => (FORKED, spec.env.iter().filter(|(_, value)| value.is_none()).cloned().collect()),
        };
        let program = Program::Script { shell: shell.clone(), text: text.replace('@', &word).into(), args: Vec::new() };
        let start = CommandSpec { env: env.clone(), ..CommandSpec::new(program, &spec.cwd, spec.grace) };
        let handle = keeper::begin(inner, start, &word).await?;
        Ok(Self { mode, handle, word, shell: shell.clone(), env, cwd: spec.cwd.clone() })
    }

    /// Nothing more comes: it ends. What is returned does so when it has.
    pub(super) fn close(self) -> oneshot::Receiver<()> {
        self.handle.ended
    }

    /// How it ended, once it has.
    pub(super) fn over(&self) -> Option<Outcome> {
        self.handle.over()
    }

    /// Which shell it is.
    pub(super) fn words(&self) -> &Arc<[OsString]> {
        &self.shell
    }

    /// Gives it a script.
    ///
    /// # Errors
    /// There is no room for its streams, or what is declared around it cannot be said to a shell.
    pub(super) fn run(&mut self, spec: &CommandSpec, cx: JobCx) -> Result<Running, NotStarted> {
        let Program::Script { text, args, .. } = &spec.program else {
            return Err(NotStarted::Failed("only scripts can share a shell".to_owned()));
        };
        let setup = self.setup(spec, args)?;
        self.script(&setup, text, spec, cx).map_err(|why| no_room(&why))
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
                export(&mut text, name, value.as_deref())?;
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
        if self.mode == Mode::Shared {
            (self.env, self.cwd) = (spec.env.clone(), spec.cwd.clone());
        }
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
        let mut feeder = Feeder::new(self.handle.input.try_clone()?, [setup, head.as_bytes()].concat())?;
        let (exit, stops) = self.handle.state.expect();
        let kill = self.handle.kill.clone();
        let kill = Box::new(move || {
            let _ = kill.send(()); // It may have ended.
        });
        let mut attendant = streams.attend(self.handle.pid.unwrap_or(0) as i32, kill, exit, Box::new(judge));
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
        let state = self.handle.state.clone();
        let control = Box::new(move |signal| state.signal(signal));
        Ok(Running { pid: self.handle.pid, control, done: attendant.begin(), stops })
    }
}

pub(super) type Last<'e> = BTreeMap<&'e OsStr, Option<&'e OsStr>>;

/// The last word on each variable.
pub(super) fn last_of_each(env: &[(OsString, Option<OsString>)]) -> Last<'_> {
    env.iter().map(|(name, value)| (name.as_os_str(), value.as_deref())).collect()
}

fn judge(exit: Option<Exit>, _: Option<&Markers>) -> (Outcome, Option<Usage>) {
    // What it used is known of the shell as a whole only.
    (exit.map_or_else(|| Outcome::Unknown("its shell was lost".to_owned()), Exit::outcome), None)
}
