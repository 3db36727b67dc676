//! From a command of the plan to what a target is asked to do: every `${…}` filled, every path whole, and of all
//! values just those handed over that the script names. Knows nothing of processes.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::command::{CommandSpec, Program, Sink, Stdin};
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::plan::defs::{Command, Work};
use crate::plan::graph::Plan;
use crate::plan::ids::{InstanceId, LeafId, VertexId};
use crate::plan::values::Value;
use crate::run::values::{CAPTURE_CAP, Scope, Store};
use crate::xecfile::model::FileId;

/// The largest value that goes by environment: more of it breaks `execve`.
const LARGEST_VARIABLE: usize = 100 * 1024;

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
    let fill = Fill { command, around, scope };
    let mut env = fill.env()?;
    let program = fill.program(&env)?;
    let cwd = match &command.cwd {
        Some(cwd) => plan.defs.dirs[usize::from(command.file.0)].join(fill.flat(cwd, &env)?),
        None => plan.defs.dirs[usize::from(command.file.0)].clone(),
    };
    let stdin = match &command.stdin {
        Some(text) => Stdin::Bytes(fill.flat(text, &env)?.into_bytes().into()),
        None if command.interactive => Stdin::Terminal,
        None => Stdin::Null,
    };
    if let Program::Script { .. } = program {
        fill.export(&mut env)?;
    }
    env.extend(own(plan, instance, attempt, around));
    let (stdout, stderr) = match (&command.capture, command.interactive) {
        (Some(_), _) => (Sink::Capture(CAPTURE_CAP), Sink::Report),
        (None, true) => (Sink::Inherit, Sink::Inherit),
        (None, false) if around.merge => (Sink::Report, Sink::WithStdout),
        (None, false) => (Sink::Report, Sink::Report),
    };
    Ok(CommandSpec {
        program,
        cwd,
        env: env.into_iter().map(|(name, value)| (name, Some(value))).collect(),
        stdin,
        stdout,
        stderr,
        grace: plan.leaf(leaf).grace,
    })
}

/// What a script of the file is asked for that belongs to no step: a `let`, or a line of `when`, with the instance and
/// the vertex that ask.
pub fn script(
    plan: &Plan,
    file: FileId,
    asker: Option<(InstanceId, VertexId)>,
    text: &Arc<str>,
    around: &Surroundings,
    store: &Store,
) -> CommandSpec {
    let mut env: Vec<(OsString, OsString)> = dotenv(around, file);
    for (name, value) in plan.files.get(usize::from(file.0)).into_iter().flat_map(|values| values.env()) {
        env.push((OsString::from(&**name), value.into()));
    }
    if let Some((instance, at)) = asker {
        let scope = store.scope(plan, around, instance).seen_from(at);
        for name in crate::plan::defs::names_in_sh(text) {
            if let Some(value) = scope.spelled(&name) {
                env.push((OsString::from(&*name), value.flat().into()));
            }
        }
        env.extend(own(plan, instance, 1, around));
    }
    CommandSpec {
        program: Program::Script {
            shell: ["sh", "-eu", "-c"].map(OsString::from).into(),
            text: text.clone(),
            args: Vec::new(),
        },
        cwd: plan.defs.dirs[usize::from(file.0)].clone(),
        env: env.into_iter().map(|(name, value)| (name, Some(value))).collect(),
        stdin: Stdin::Null,
        stdout: Sink::Capture(CAPTURE_CAP),
        stderr: Sink::Report,
        grace: crate::plan::defs::DEFAULT_GRACE,
    }
}

fn dotenv(around: &Surroundings, file: FileId) -> Vec<(OsString, OsString)> {
    let declared = around.dotenv.get(usize::from(file.0)).into_iter().flatten();
    let missing = declared.filter(|(name, _)| !around.env.contains_key(OsStr::new(&**name)));
    missing.map(|(name, value)| (OsString::from(&**name), OsString::from(&**value))).collect()
}

/// What xec itself says to every process.
fn own(plan: &Plan, instance: InstanceId, attempt: u32, around: &Surroundings) -> [(OsString, OsString); 6] {
    let label = &plan.instance(instance).label;
    [
        ("XEC".into(), "1".into()),
        ("XEC_TASK".into(), OsString::from(&*label.task)),
        ("XEC_INSTANCE".into(), OsString::from(&*label.instance)),
        ("XEC_ROOT".into(), around.root.clone().into()),
        ("XEC_RUN_ID".into(), OsString::from(&*around.run)),
        ("XEC_ATTEMPT".into(), attempt.to_string().into()),
    ]
}

/// A command that is being filled.
struct Fill<'f> {
    command: &'f Command,
    around: &'f Surroundings,
    scope: Scope<'f>,
}

impl Fill<'_> {
    /// The declared environment, outermost first; an entry may name those before it.
    fn env(&self) -> Result<Vec<(OsString, OsString)>, String> {
        let mut env = dotenv(self.around, self.command.file);
        for entry in self.command.env.iter() {
            let value = self.flat(&entry.value, &env)?;
            env.push((OsString::from(&*entry.name.value), value.into()));
        }
        Ok(env)
    }

    fn program(&self, env: &[(OsString, OsString)]) -> Result<Program, String> {
        match &self.command.work {
            Work::Run(text) => {
                let place = |word: &Template| Spanned::new(word.clone(), self.command.span);
                let shell: Result<Vec<OsString>, String> =
                    self.command.shell.iter().map(|word| Ok(self.flat(&place(word), env)?.into())).collect();
                let args = match &self.command.args {
                    Some(text) => self.words(text, env)?,
                    None => Vec::new(),
                };
                Ok(Program::Script { shell: shell?.into(), text: text.clone(), args })
            }
            Work::Exec(written) => {
                let mut words = Vec::with_capacity(written.len());
                for word in written.iter() {
                    words.extend(self.words(word, env)?);
                }
                match words.is_empty() {
                    true => Err("there is no program to execute".to_owned()),
                    false => Ok(Program::Words(words)),
                }
            }
            Work::Wait(_) => Err("waiting is no command".to_owned()),
        }
    }

    /// A word: a list alone in it becomes several, everything else stays one.
    fn words(&self, text: &Spanned<Template>, env: &[(OsString, OsString)]) -> Result<Vec<OsString>, String> {
        Ok(match self.value(text, env)? {
            Value::List(items) => items.iter().map(|item| OsString::from(&**item)).collect(),
            Value::Text(text) => vec![OsString::from(&*text)],
        })
    }

    fn flat(&self, text: &Spanned<Template>, env: &[(OsString, OsString)]) -> Result<String, String> {
        Ok(self.value(text, env)?.flat())
    }

    fn value(&self, text: &Spanned<Template>, env: &[(OsString, OsString)]) -> Result<Value, String> {
        let declared = |name: &str| {
            let found = env.iter().rev().find(|(given, _)| given == OsStr::new(name));
            found.map(|(_, value)| value.to_string_lossy().into_owned())
        };
        match self.scope.text_with(text, &declared) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Ok(Value::text("")),
            Err(name) => Err(match name.strip_prefix("env.") {
                Some(variable) => format!("the environment variable `{variable}` is not set"),
                None => format!("`{name}` has no value here"),
            }),
        }
    }

    /// The values that the script names, and no others; what has no value stays unset, so that `-u` speaks up, but
    /// for a hook, where it is empty unless the environment says otherwise.
    fn export(&self, env: &mut Vec<(OsString, OsString)>) -> Result<(), String> {
        for name in self.command.names.iter() {
            let Some(value) = self.scope.spelled(name) else {
                let declared = env.iter().any(|(given, _)| given == OsStr::new(&**name));
                if self.scope.in_hook() && !declared && self.around.variable(name).is_none() {
                    env.push((OsString::from(&**name), OsString::new()));
                }
                continue;
            };
            let value = value.flat();
            if value.len() > LARGEST_VARIABLE {
                return Err(format!("`{name}` is larger than 100 KiB: hand it over by stdin \"${{{name}}}\""));
            }
            if value.contains('\0') {
                return Err(format!("`{name}` holds a NUL byte, which no environment can"));
            }
            env.push((OsString::from(&**name), value.into()));
        }
        Ok(())
    }
}
