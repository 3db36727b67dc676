//! From a command of the plan to what a target is asked to do: every `${…}` filled, every path whole, and of all
//! values just those handed over that the script names. Knows nothing of processes.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::base::command::{CommandSpec, Program, Sink, Stdin};
use crate::base::event::TaskLabel;
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::plan::defs::{Command, Work};
use crate::plan::graph::Plan;
use crate::plan::ids::{InstanceId, LeafId, VertexId};
use crate::plan::values::Value;
use crate::run::values::{CAPTURE_CAP, Scope, Store};
use crate::xecfile::model::{FileId, Input};

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
    let own = own(store.items.label(plan, instance), attempt, around);
    let mut specs = Vec::with_capacity(members.len());
    for member in members {
        let fill = Fill { command: member, around, scope };
        specs.push(fill.spec(&plan.defs.dirs[usize::from(member.file.0)], own.clone(), plan.leaf(leaf).grace)?);
    }
    if let (Some(items), Some(spec)) = (store.items.joined(plan, plan.leaf(leaf).scope), specs.first_mut()) {
        let (Program::Words(words) | Program::Script { args: words, .. }) = &mut spec.program;
        words.extend(items.items().iter().map(|item| OsString::from(&**item)));
    }
    if let (Work::Pipe(_), [first, .., last]) = (&command.work, &mut specs[..]) {
        // What is said of the pipe as a whole is said of its ends.
        let fill = Fill { command, around, scope };
        let env = fill.env()?;
        let cwd = fill.cwd(&plan.defs.dirs[usize::from(command.file.0)], &env)?;
        if command.stdin.is_some() {
            first.stdin = fill.stdin(&cwd, &env)?;
        }
        (last.stdout, last.stderr) = fill.sinks(&cwd, &env)?;
    }
    Ok(specs)
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
        env.extend(own(store.items.label(plan, instance), 1, around));
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
        pool: None,
        grace: crate::plan::defs::DEFAULT_GRACE,
        leave: false,
    }
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
    let fill = Fill { command, around, scope };
    let mut env = dotenv(around, command.file);
    let mut all = Vec::with_capacity(command.env.len());
    for entry in command.env.iter() {
        let value = fill.flat(&entry.value, &env).ok();
        env.extend(value.as_ref().map(|value| (OsString::from(&*entry.name.value), value.into())));
        all.push(value);
    }
    all
}

fn dotenv(around: &Surroundings, file: FileId) -> Vec<(OsString, OsString)> {
    let declared = around.dotenv.get(usize::from(file.0)).into_iter().flatten();
    let missing = declared.filter(|(name, _)| !around.env.contains_key(OsStr::new(&**name)));
    missing.map(|(name, value)| (OsString::from(&**name), OsString::from(&**value))).collect()
}

/// What xec itself says to every process.
type Own = [(OsString, OsString); 6];

fn own(label: &TaskLabel, attempt: u32, around: &Surroundings) -> Own {
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
    fn spec(&self, dir: &Path, own: Own, grace: Duration) -> Result<CommandSpec, String> {
        let mut env = self.env()?;
        let program = self.program(&env)?;
        let cwd = self.cwd(dir, &env)?;
        let stdin = self.stdin(&cwd, &env)?;
        let (stdout, stderr) = self.sinks(&cwd, &env)?;
        if let Program::Script { .. } = program {
            self.export(&mut env)?;
        }
        env.extend(own);
        let env = env.into_iter().map(|(name, value)| (name, Some(value))).collect();
        Ok(CommandSpec { program, cwd, env, stdin, stdout, stderr, pool: None, grace, leave: self.command.leave })
    }

    fn cwd(&self, dir: &Path, env: &[(OsString, OsString)]) -> Result<PathBuf, String> {
        match &self.command.cwd {
            Some(cwd) => Ok(dir.join(self.flat(cwd, env)?)),
            None => Ok(dir.to_path_buf()),
        }
    }

    fn stdin(&self, cwd: &Path, env: &[(OsString, OsString)]) -> Result<Stdin, String> {
        Ok(match &self.command.stdin {
            Some(Input::Text(text)) => Stdin::Bytes(self.flat(text, env)?.into_bytes().into()),
            Some(Input::File(path)) => Stdin::File(self.path(cwd, path, env)?),
            None if self.command.interactive => Stdin::Terminal,
            None => Stdin::Null,
        })
    }

    /// Where its stdout and its stderr go.
    fn sinks(&self, cwd: &Path, env: &[(OsString, OsString)]) -> Result<(Sink, Sink), String> {
        Ok(match (&self.command.stdout, &self.command.capture, self.command.interactive) {
            (Some(path), _, false) => (Sink::File(self.path(cwd, path, env)?), Sink::Report),
            (Some(path), _, true) => (Sink::File(self.path(cwd, path, env)?), Sink::Inherit),
            (None, Some(_), _) => (Sink::Capture(CAPTURE_CAP), Sink::Report),
            (None, None, true) => (Sink::Inherit, Sink::Inherit),
            (None, None, false) if self.around.merge => (Sink::Report, Sink::WithStdout),
            (None, None, false) => (Sink::Report, Sink::Report),
        })
    }

    fn path(&self, cwd: &Path, text: &Spanned<Template>, env: &[(OsString, OsString)]) -> Result<PathBuf, String> {
        let path = self.flat(text, env)?;
        if path.is_empty() { Err("the name of a file is empty".to_owned()) } else { Ok(cwd.join(path)) }
    }

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
            Work::Wait(_) | Work::Until(_) | Work::Pipe(_) => Err("that is no command by itself".to_owned()),
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
