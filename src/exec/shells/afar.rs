//! A shell on a host that several scripts share. What one script reads and writes goes through a command of its own
//! there, beside the shell, by named pipes: so it has streams, captures and a lease as every command has, while the shell
//! only ever hears what to do next and says how that ended. Knows nothing of who shares it.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::command::{CommandSpec, NotStarted, Outcome, Program, Share, Sink, Stdin};
use crate::base::event::JobId;
use crate::exec::broker::link::Exit;
use crate::exec::fd::Feeder;
use crate::exec::find::no_room;
use crate::exec::output::OutputTx;
use crate::exec::remote::channel::nonce;
use crate::exec::remote::wrapper::{export, exportable, quote};
use crate::exec::shells::keeper::{self, Handle, State};
use crate::exec::shells::shell::last_of_each;
use crate::exec::{Finished, JobCx, Running, Signal, Target};

/// As the shell of a session here, with the pipes through which each script reads and writes.
const SHARED: &str = r#"exec 9<&0 </dev/null
xec_d=DIR
trap 'rm -rf "$xec_d"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
xec_m=$(command -v mkfifo) && mkdir -m 700 "$xec_d" && "$xec_m" -m 600 "$xec_d/i1" "$xec_d/o1" "$xec_d/e1" || exit 1
xec_k=1
xec_h=$PWD
xec_t=
xec_n='
'
echo "@ done 0"
while IFS= read -r xec_l <&9; do
case $xec_l in
"@ setup") xec_s=$xec_t; xec_t=; eval "$xec_s" ;;
"@ run "*) xec_s=$xec_t; xec_t=; for xec_i in 1; do eval "eval \"\$xec_s\" ${xec_l#"@ run "} 9<&-"; done; xec_r=$? xec_t=; xec_k=$((xec_k+1)); "$xec_m" -m 600 "$xec_d/i$xec_k" "$xec_d/o$xec_k" "$xec_d/e$xec_k" || :; echo "@ done $xec_r" ;;
*) xec_t=$xec_t$xec_l$xec_n ;;
esac
done
rm -rf "$xec_d""#;

/// How a shell says that something died of a signal: more than this.
const KILLED: i32 = 128;

/// What is beside it while a script runs.
const BESIDE: &str = "cd DIR || exit; exec 3<&0; FEEDcat <oNUMBER & cat <eNUMBER >&2 & exec 3<&-; wait";
/// What that does for a script that reads something.
const FEED: &str = "cat <&3 >iNUMBER & ";

/// How long what a script has written may take to come, once it has ended; who still holds its streams is not waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// One shell on a host.
pub(super) struct Afar {
    handle: Handle,
    /// What its lines begin with that are for the shell.
    word: String,
    /// Where the pipes are, which are new for each script, so that nobody holds those of a later one.
    dir: String,
    /// How many scripts there were, with this one.
    number: u64,
    inner: Rc<dyn Target>,
    shell: Arc<[OsString]>,
    /// What the last script was given.
    env: Vec<(OsString, Option<OsString>)>,
    cwd: PathBuf,
    /// The variables of which the shell knows what they were.
    saved: HashSet<OsString>,
}

impl Afar {
    /// Starts one at this place, as a script of this kind would be, and waits until it listens.
    pub(super) async fn begin(inner: Rc<dyn Target>, spec: &CommandSpec) -> Result<Self, NotStarted> {
        let Program::Script { shell, .. } = &spec.program else {
            return Err(NotStarted::Failed("what is no script has no shell".to_owned()));
        };
        let token = nonce().map_err(|why| no_room(&why))?;
        let (word, dir) = (format!("xec-{token}"), format!("/tmp/xec-{token}"));
        let text = SHARED.replace('@', &word).replace("DIR", &dir);
        let program = Program::Script { shell: shell.clone(), text: text.into(), args: Vec::new() };
        let handle = keeper::begin(&*inner, CommandSpec::new(program, "", spec.grace), &word).await?;
        // It says that it listens as if a script had ended, and is not heard before we wait.
        if !matches!(handle.state.expect().0.await, Ok(Exit::Status(0, _))) {
            return Err(NotStarted::Failed("the shell of the session did not begin".to_owned()));
        }
        let (shell, env, cwd, saved) = (shell.clone(), Vec::new(), PathBuf::new(), HashSet::new());
        Ok(Self { handle, word, dir, number: 1, inner, shell, env, cwd, saved })
    }

    /// Nothing more comes for it: it ends. What is returned does so when it has.
    pub(super) fn close(self) -> oneshot::Receiver<()> {
        // A shell that was killed has left its pipes.
        if !matches!(self.over(), Some(Outcome::Exited(code)) if code > KILLED) {
            return self.handle.ended;
        }
        let words = ["rm", "-rf", &self.dir].map(OsString::from).into();
        let spec = asked(Program::Words(words), Duration::ZERO);
        let (done, ended) = oneshot::channel();
        tokio::task::spawn_local(async move {
            if let Ok(running) = self.inner.start(spec, JobCx::new(JobId(0), OutputTx::pair().0)).await {
                running.done.await;
            }
            let _ = done.send(()); // Nobody needs to wait.
        });
        ended
    }

    /// How it ended, once it has.
    pub(super) fn over(&self) -> Option<Outcome> {
        self.handle.over()
    }

    /// Which shell it is.
    pub(super) fn words(&self) -> &Arc<[OsString]> {
        &self.shell
    }

    /// What has to be beside it for a script; to be started before the script is handed over.
    pub(super) fn beside(&self, spec: &CommandSpec) -> CommandSpec {
        let feed = if spec.stdin == Stdin::Null { "" } else { FEED };
        let text = BESIDE.replace("DIR", &self.dir).replace("FEED", feed).replace("NUMBER", &self.number.to_string());
        let shell = ["sh", "-c"].map(OsString::from).into();
        let program = Program::Script { shell, text: text.into(), args: Vec::new() };
        CommandSpec { program, cwd: PathBuf::new(), env: Vec::new(), share: Share::None, ..spec.clone() }
    }

    /// Gives it a script, whose streams are those of what was started beside it.
    ///
    /// # Errors
    /// There is no room for it, or what is declared around it cannot be said to a shell.
    pub(super) fn run(&mut self, spec: &CommandSpec, beside: Running) -> Result<Running, NotStarted> {
        let Program::Script { text, args, .. } = &spec.program else {
            return Err(NotStarted::Failed("only scripts can share a shell".to_owned()));
        };
        let (setup, enter) = (self.setup(spec, args)?, self.enter(&spec.cwd)?);
        (self.env, self.cwd) = (spec.env.clone(), spec.cwd.clone());
        let (word, dir, number) = (&self.word, &self.dir, self.number);
        self.number += 1;
        let from = if spec.stdin == Stdin::Null { "/dev/null".to_owned() } else { format!("{dir}/i{number}") };
        let run = format!("\n{word} run <{from} >{dir}/o{number} 2>{dir}/e{number}\n");
        let said =
            [&setup[..], format!("\n{word} setup\n").as_bytes(), &enter, text.as_bytes(), run.as_bytes()].concat();
        let input = self.handle.input.try_clone().map_err(|why| no_room(&why))?;
        let mut feeder = Feeder::new(input, said).map_err(|why| no_room(&why))?;
        let (exit, stops) = self.handle.state.expect();
        let state = self.handle.state.clone();
        let done = async move {
            let script = async { tokio::join!(feeder.feed(), exit).1 };
            attend(script, beside, &state).await
        };
        let state = self.handle.state.clone();
        Ok(Running { pid: None, control: Box::new(move |signal| state.signal(signal)), done: Box::pin(done), stops })
    }

    /// What has to be said before a script: what has changed of what is declared around it since the last one, and its
    /// own words. What the scripts themselves have changed stays, and what is not declared any more is as it was.
    fn setup(&mut self, spec: &CommandSpec, args: &[OsString]) -> Result<Vec<u8>, NotStarted> {
        let mut text = Vec::new();
        let (last, now) = (last_of_each(&self.env), last_of_each(&spec.env));
        for (name, value) in &now {
            if last.get(name) == Some(value) {
                continue;
            }
            let bytes = name.as_bytes();
            exportable(name)?;
            if self.saved.insert((*name).to_owned()) {
                text.extend(
                    [b"xec_was_", bytes, b"=${", bytes, b"-} xec_had_", bytes, b"=${", bytes, b"+x}\n"].concat(),
                );
            }
            export(&mut text, name, *value)?;
        }
        for name in last.keys().filter(|name| !now.contains_key(*name)).map(|name| name.as_bytes()) {
            text.extend([b"if [ -n \"$xec_had_", name, b"\" ]; then export ", name, b"=\"$xec_was_", name].concat());
            text.extend([b"\"; else unset ", name, b"; fi\n"].concat());
        }
        text.extend(b"set --");
        for word in args {
            text.push(b' ');
            quote(&mut text, word)?;
        }
        Ok(text)
    }

    /// The way to the directory of a script, where that is another one than that of the last: it goes before the script,
    /// whose stderr tells of what is wrong with it.
    fn enter(&self, cwd: &Path) -> Result<Vec<u8>, NotStarted> {
        let mut text = Vec::new();
        if cwd == self.cwd {
            return Ok(text);
        }
        if cwd.is_relative() {
            text.extend(b"CDPATH= cd -- \"$xec_h\" || exit 1\n");
        }
        if cwd != OsStr::new("") {
            text.extend(b"CDPATH= cd -- ");
            quote(&mut text, cwd.as_os_str())?;
            text.extend(b" || exit 1\n");
        }
        Ok(text)
    }
}

/// A command of ours.
fn asked(program: Program, grace: Duration) -> CommandSpec {
    CommandSpec { stderr: Sink::WithStdout, ..CommandSpec::new(program, "", grace) }
}

/// Waits for a script and for what it writes: its code is that of the one, all else of it that of the other.
async fn attend<E>(script: impl Future<Output = Result<Exit, E>>, beside: Running, state: &State) -> Finished {
    let Running { control, mut done, .. } = beside;
    let mut script = std::pin::pin!(script);
    let (exit, mut finished) = tokio::select! {
        exit = &mut script => {
            let finished = match tokio::time::timeout(LAST_WORDS, &mut done).await {
                Ok(finished) => finished,
                Err(_) => {
                    control(Signal::Kill);
                    done.await
                }
            };
            (exit, finished)
        }
        finished = &mut done => {
            if finished.outcome != Outcome::Exited(0) {
                // Nobody reads what it writes any more: it kept too much, or the way there was lost.
                state.signal(Signal::Kill);
            }
            (script.await, finished)
        }
    };
    finished.outcome = match exit {
        Ok(status @ Exit::Status(..)) => status.outcome(),
        Ok(Exit::Lost) | Err(_) => Outcome::Unknown("its shell was lost".to_owned()),
    };
    // What it used is known of the shell as a whole only.
    Finished { usage: None, ..finished }
}
