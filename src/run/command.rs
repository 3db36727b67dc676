//! From a command of the plan to what a target is asked to do: every `${…}` filled, every path whole, and of all
//! values just those handed over that the script names. Knows nothing of processes.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::base::command::{CommandSpec, Program, Share, Sink, Stdin};
use crate::base::event::TaskLabel;
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::cache::state;
use crate::plan::defs::{Command, DEFAULT_GRACE, Place, Work};
use crate::plan::graph::Plan;
use crate::plan::ids::LeafId;
use crate::plan::values::Value;
use crate::run::place::{self, Here};
use crate::run::probe::Script;
use crate::run::values::{CAPTURE_CAP, Store};
use crate::xecfile::model::{FileId, Input};

/// What a run is surrounded by: read once, before it begins.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The environment that xec was started with.
    pub env: HashMap<OsString, OsString>,
    /// What each file's `dotenv` adds, where that environment says nothing.
    pub dotenv: Vec<Vec<(Arc<str>, Arc<str>)>>,
    /// The directory of the first file: `XEC_ROOT`.
    pub root: PathBuf,
    /// Names this run.
    pub run: Arc<str>,
    /// Whether stderr shares the pipe of stdout, since both lead to the same place and their order matters.
    pub merge: bool,
}

impl Surroundings {
    /// What the `dotenv` of a file adds to that environment.
    pub fn dotenv(&self, file: FileId) -> impl Iterator<Item = &(Arc<str>, Arc<str>)> {
        let declared = self.dotenv.get(usize::from(file.0)).into_iter().flatten();
        declared.filter(|(name, _)| !self.env.contains_key(OsStr::new(&**name)))
    }

    /// A variable that xec was started with, as text.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.env.get(OsStr::new(name)).map(|value| value.to_string_lossy().into_owned())
    }

    /// Where the state of the project is.
    pub fn state(&self) -> PathBuf {
        state::place(&self.root, self.env.get(OsStr::new("XEC_STATE")).map(OsString::as_os_str))
    }
}

/// What a target is asked for an attempt of a leaf; `hook` has the values of the hook that it stands in.
///
/// # Errors
/// A value that is named and not there, or too large: in words.
pub fn specs(
    plan: &Plan,
    leaf: LeafId,
    attempt: u32,
    around: &Surroundings,
    store: &Store,
    hook: &[(Arc<str>, Value)],
) -> Result<Vec<CommandSpec>, String> {
    let command = plan.command(leaf);
    let members = match &command.work {
        Work::Pipe(members) => &members[..],
        _ => std::slice::from_ref(command),
    };
    let instance = plan.leaf(leaf).instance;
    let scope = store.scope(plan, around, instance).seen_from(plan.leaf(leaf).vertex).with(hook);
    let mut specs = Vec::with_capacity(members.len());
    let mut places = plan.parts_of(leaf).iter();
    for member in members {
        let scope = places.next().map_or(scope, |place| scope.on(store.host_at(*place)));
        let here = Here::new(plan, &member.place, around, scope)?;
        let own = own(store.items.label(plan, instance), attempt, around);
        specs.push(Fill { command: member, here, around }.spec(own, plan.leaf(leaf).grace)?);
    }
    if let [spec] = &mut specs[..] {
        spec.share = match (command.session, command.pool) {
            (true, _) => Share::Session(u64::from(instance.0)),
            (false, Some(most)) => Share::Pool(most),
            (false, None) => Share::None,
        };
    }
    if let (Some(items), Some(spec)) = (store.items.joined(plan, plan.leaf(leaf).scope), specs.first_mut()) {
        let (Program::Words(words) | Program::Script { args: words, .. }) = &mut spec.program;
        words.extend(items.items().iter().map(|item| OsString::from(&**item)));
    }
    if let (Work::Pipe(_), [first, .., last]) = (&command.work, &mut specs[..]) {
        // What is said of the pipe as a whole is said of its ends.
        let fill = Fill { command, here: Here::new(plan, &command.place, around, scope)?, around };
        if command.stdin.is_some() {
            first.stdin = fill.stdin()?;
        }
        (last.stdout, last.stderr) = fill.sinks()?;
    }
    Ok(specs)
}

/// What a line of conditions asks, in its place, for an instance of this name: a script that belongs to no step.
///
/// # Errors
/// As for [`specs`].
pub fn question(
    label: &TaskLabel,
    place: &Place,
    here: Here<'_>,
    script: &Script<'_>,
    around: &Surroundings,
) -> Result<CommandSpec, String> {
    let mut here = here;
    let (shell, text, args, names) = match script {
        Script::OfFile(text) => (here.shell()?, Arc::clone(text), Vec::new(), place.names_in(text)),
        Script::There(text, words) => {
            let words: Result<Vec<OsString>, String> = words.iter().map(|word| Ok(here.flat(word)?.into())).collect();
            (["sh", "-c"].map(OsString::from).into(), Arc::from(*text), words?, Vec::new())
        }
    };
    let mut env = here.environment(&names)?;
    env.extend(set(own(label, 1, around)));
    Ok(asking(Program::Script { shell, text, args }, here.dir, env))
}

/// A process that belongs to no step, and is asked for what it writes.
pub(super) fn asking(program: Program, cwd: PathBuf, env: Vec<(OsString, Option<OsString>)>) -> CommandSpec {
    CommandSpec { env, stdout: Sink::Capture(CAPTURE_CAP), ..CommandSpec::new(program, cwd, DEFAULT_GRACE) }
}

/// What each variable of a command's `env` comes to, as far as that can be said; outermost first.
pub fn variables(
    plan: &Plan,
    leaf: LeafId,
    command: &Command,
    around: &Surroundings,
    store: &Store,
) -> Vec<Option<String>> {
    let scope = store.scope(plan, around, plan.leaf(leaf).instance).seen_from(plan.leaf(leaf).vertex);
    place::variables(&command.place, around, scope)
}

/// What xec itself says to every process.
type Own = [(OsString, OsString); 7];

fn own(label: &TaskLabel, attempt: u32, around: &Surroundings) -> Own {
    let [xec, root, run] = common(around);
    let mut above = around.env.get(OsStr::new(ANCESTORS)).cloned().unwrap_or_default();
    above.push(ancestor(&around.root, &label.instance));
    [
        xec,
        ("XEC_TASK".into(), OsString::from(&*label.task)),
        ("XEC_INSTANCE".into(), OsString::from(&*label.instance)),
        root,
        run,
        ("XEC_ATTEMPT".into(), attempt.to_string().into()),
        (ANCESTORS.into(), above),
    ]
}

/// What runs around a process, and around the xec that started it, and so on: one [`ancestor`] after the other.
pub const ANCESTORS: &str = "XEC_ANCESTORS";

/// An instance of a project, as no other text can be mistaken for it.
pub fn ancestor(root: &Path, instance: &str) -> OsString {
    let mut entry = OsString::from("\u{1e}");
    entry.push(root);
    entry.push("\u{1f}");
    entry.push(instance);
    entry
}

/// Sets these variables.
pub fn set(env: impl IntoIterator<Item = (OsString, OsString)>) -> impl Iterator<Item = (OsString, Option<OsString>)> {
    env.into_iter().map(|(name, value)| (name, Some(value)))
}

/// The part of it that is the same for all.
pub fn common(around: &Surroundings) -> [(OsString, OsString); 3] {
    [
        ("XEC".into(), "1".into()),
        ("XEC_ROOT".into(), around.root.clone().into()),
        ("XEC_RUN_ID".into(), OsString::from(&*around.run)),
    ]
}

/// A command that is being filled.
struct Fill<'f> {
    command: &'f Command,
    here: Here<'f>,
    around: &'f Surroundings,
}

impl Fill<'_> {
    fn spec(mut self, own: Own, grace: Duration) -> Result<CommandSpec, String> {
        let (program, stdin) = (self.program()?, self.stdin()?);
        let (stdout, stderr) = self.sinks()?;
        let names = match program {
            Program::Script { .. } => &*self.command.names,
            Program::Words(_) => &[],
        };
        let mut env = self.here.environment(names)?;
        env.extend(set(own));
        let cwd = self.here.dir;
        Ok(CommandSpec {
            env,
            stdin,
            stdout,
            stderr,
            leave: self.command.leave,
            ..CommandSpec::new(program, cwd, grace)
        })
    }

    fn stdin(&self) -> Result<Stdin, String> {
        Ok(match &self.command.stdin {
            Some(Input::Text(text)) => Stdin::Bytes(self.here.flat(text)?.into_bytes().into()),
            Some(Input::File(path)) => Stdin::File(self.path(path)?),
            None if self.command.interactive => Stdin::Terminal,
            None => Stdin::Null,
        })
    }

    /// Where its stdout and its stderr go.
    fn sinks(&self) -> Result<(Sink, Sink), String> {
        Ok(match (&self.command.stdout, &self.command.capture, self.command.interactive) {
            (Some(path), _, false) => (Sink::File(self.path(path)?), Sink::Report),
            (Some(path), _, true) => (Sink::File(self.path(path)?), Sink::Inherit),
            (None, Some(_), _) => (Sink::Capture(CAPTURE_CAP), Sink::Report),
            (None, None, true) => (Sink::Inherit, Sink::Inherit),
            (None, None, false) if self.around.merge => (Sink::Report, Sink::WithStdout),
            (None, None, false) => (Sink::Report, Sink::Report),
        })
    }

    fn path(&self, text: &Spanned<Template>) -> Result<PathBuf, String> {
        let path = self.here.flat(text)?;
        if path.is_empty() { Err("the name of a file is empty".to_owned()) } else { Ok(self.here.files.join(path)) }
    }

    fn program(&self) -> Result<Program, String> {
        match &self.command.work {
            Work::Run(text) => {
                let args = match &self.command.args {
                    Some(text) => self.words(text)?,
                    None => Vec::new(),
                };
                Ok(Program::Script { shell: self.here.shell()?, text: text.clone(), args })
            }
            Work::Exec(written) => {
                let mut words = Vec::with_capacity(written.len());
                for word in written.iter() {
                    words.extend(self.words(word)?);
                }
                match words.is_empty() {
                    true => Err("there is no program to execute".to_owned()),
                    false => Ok(Program::Words(words)),
                }
            }
            Work::Wait(_) | Work::Until(_) | Work::Copy(_) | Work::Pipe(_) => {
                Err("that is no command by itself".to_owned())
            }
        }
    }

    /// A word: a list alone in it becomes several, everything else stays one.
    fn words(&self, text: &Spanned<Template>) -> Result<Vec<OsString>, String> {
        Ok(match self.here.value(text)? {
            Value::List(items) => items.iter().map(|item| OsString::from(&**item)).collect(),
            Value::Text(text) => vec![OsString::from(&*text)],
        })
    }
}
