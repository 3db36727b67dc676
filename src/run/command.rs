//! From a command of the plan to what a target is asked to do: every `${…}` filled, every path whole, and of all
//! values just those handed over that the script names. Knows nothing of processes.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::command::{CommandSpec, Program, Sink, Stdin};
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::plan::defs::{Command, DEFAULT_GRACE, Place, Work};
use crate::plan::graph::Plan;
use crate::plan::ids::{InstanceId, LeafId};
use crate::plan::values::Value;
use crate::run::place::Here;
use crate::run::values::{CAPTURE_CAP, Store};

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
    /// A variable that xec was started with, as text.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.env.get(OsStr::new(name)).map(|value| value.to_string_lossy().into_owned())
    }
}

/// What a target is asked for an attempt of a leaf; `hook` has the values of the hook that it stands in.
///
/// # Errors
/// A value that is named and not there, or too large: in words.
pub fn spec(
    plan: &Plan,
    leaf: LeafId,
    attempt: u32,
    around: &Surroundings,
    store: &Store,
    hook: &[(Arc<str>, Value)],
) -> Result<CommandSpec, String> {
    let command = plan.command(leaf);
    let instance = plan.leaf(leaf).instance;
    let scope = store.scope(plan, around, instance).seen_from(plan.leaf(leaf).vertex).with(hook);
    let here = Here::new(plan, &command.place, around, scope)?;
    let program = program(command, &here)?;
    let stdin = match &command.stdin {
        Some(text) => Stdin::Bytes(here.flat(text)?.into_bytes().into()),
        None if command.interactive => Stdin::Terminal,
        None => Stdin::Null,
    };
    let exports = match program {
        Program::Script { .. } => here.exports(&command.names)?,
        Program::Words(_) => Vec::new(),
    };
    let (stdout, stderr) = match (&command.capture, command.interactive) {
        (Some(_), _) => (Sink::Capture(CAPTURE_CAP), Sink::Report),
        (None, true) => (Sink::Inherit, Sink::Inherit),
        (None, false) if around.merge => (Sink::Report, Sink::WithStdout),
        (None, false) => (Sink::Report, Sink::Report),
    };
    let env = here.env.into_iter().chain(exports).chain(own(plan, instance, attempt, around));
    Ok(CommandSpec {
        program,
        cwd: here.dir,
        env: env.map(|(name, value)| (name, Some(value))).collect(),
        stdin,
        stdout,
        stderr,
        grace: plan.leaf(leaf).grace,
        leave: command.leave,
    })
}

/// What a line of conditions asks, in its place: a script that belongs to no step.
///
/// # Errors
/// As for [`spec`].
pub fn question(
    plan: &Plan,
    instance: InstanceId,
    place: &Place,
    here: Here<'_>,
    text: &Arc<str>,
    around: &Surroundings,
) -> Result<CommandSpec, String> {
    let (shell, exports) = (here.shell()?, here.exports(&place.names_in(text))?);
    let env = here.env.into_iter().chain(exports).chain(own(plan, instance, 1, around));
    Ok(CommandSpec {
        program: Program::Script { shell, text: text.clone(), args: Vec::new() },
        cwd: here.dir,
        env: env.map(|(name, value)| (name, Some(value))).collect(),
        stdin: Stdin::Null,
        stdout: Sink::Capture(CAPTURE_CAP),
        stderr: Sink::Report,
        grace: DEFAULT_GRACE,
        leave: false,
    })
}

fn program(command: &Command, here: &Here<'_>) -> Result<Program, String> {
    match &command.work {
        Work::Run(text) => {
            let args = match &command.args {
                Some(text) => words(here, text)?,
                None => Vec::new(),
            };
            Ok(Program::Script { shell: here.shell()?, text: text.clone(), args })
        }
        Work::Exec(written) => {
            let mut all = Vec::with_capacity(written.len());
            for word in written.iter() {
                all.extend(words(here, word)?);
            }
            match all.is_empty() {
                true => Err("there is no program to execute".to_owned()),
                false => Ok(Program::Words(all)),
            }
        }
        Work::Wait(_) => Err("waiting is no command".to_owned()),
    }
}

/// A word: a list alone in it becomes several, everything else stays one.
fn words(here: &Here<'_>, text: &Spanned<Template>) -> Result<Vec<OsString>, String> {
    Ok(match here.value(text)? {
        Value::List(items) => items.iter().map(|item| OsString::from(&**item)).collect(),
        Value::Text(text) => vec![OsString::from(&*text)],
    })
}

/// What xec itself says to every process.
fn own(
    plan: &Plan,
    instance: InstanceId,
    attempt: u32,
    around: &Surroundings,
) -> impl Iterator<Item = (OsString, OsString)> {
    let label = &plan.instance(instance).label;
    let own = [
        ("XEC_TASK".into(), OsString::from(&*label.task)),
        ("XEC_INSTANCE".into(), OsString::from(&*label.instance)),
        ("XEC_ATTEMPT".into(), attempt.to_string().into()),
    ];
    common(around).into_iter().chain(own)
}

/// The part of it that is the same for all.
pub fn common(around: &Surroundings) -> [(OsString, OsString); 3] {
    [
        ("XEC".into(), "1".into()),
        ("XEC_ROOT".into(), around.root.clone().into()),
        ("XEC_RUN_ID".into(), OsString::from(&*around.run)),
    ]
}
