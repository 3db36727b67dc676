//! From a command of the plan to what a target is asked to do: every `${…}` filled, every path whole.
//! Knows nothing of processes; it is given the environment it reads.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::command::{CommandSpec, Program, Sink, Stdin};
use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::plan::defs::{Command, Work};
use crate::plan::graph::Plan;
use crate::plan::ids::LeafId;

/// What a run is surrounded by: read once, before it begins.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The environment that xec was started with.
    pub env: HashMap<OsString, OsString>,
    /// The directory of the file: `XEC_ROOT`, and what every `cwd` is against.
    pub root: PathBuf,
    /// Names this run.
    pub run: Arc<str>,
    /// Whether stderr shares the pipe of stdout, since both lead to the same place and their order matters.
    pub merge: bool,
}

/// All that is wrong with the commands of a plan and can be known before one runs.
pub fn check(plan: &Plan, around: &Surroundings) -> Vec<Problem> {
    plan.defs.commands.iter().filter_map(|command| fill(command, around).err()).map(|problem| *problem).collect()
}

/// What a target is asked for an attempt of a leaf.
///
/// # Errors
/// A value that is named and not there.
pub fn spec(plan: &Plan, leaf: LeafId, attempt: u32, around: &Surroundings) -> Result<CommandSpec, Box<Problem>> {
    let command = plan.command(leaf);
    let label = &plan.instance(plan.leaf(leaf).instance).label;
    let Filled { program, env, cwd } = fill(command, around)?;
    let attempt = attempt.to_string();
    let root = around.root.as_os_str();
    let own: [(&str, &OsStr); 6] = [
        ("XEC", OsStr::new("1")),
        ("XEC_TASK", OsStr::new(&*label.task)),
        ("XEC_INSTANCE", OsStr::new(&*label.instance)),
        ("XEC_ROOT", root),
        ("XEC_RUN_ID", OsStr::new(&*around.run)),
        ("XEC_ATTEMPT", OsStr::new(&attempt)),
    ];
    let own = own.into_iter().map(|(name, value)| (OsString::from(name), Some(value.to_owned())));
    let (stdin, stdout, stderr) = match command.interactive {
        true => (Stdin::Terminal, Sink::Inherit, Sink::Inherit),
        false if around.merge => (Stdin::Null, Sink::Report, Sink::WithStdout),
        false => (Stdin::Null, Sink::Report, Sink::Report),
    };
    Ok(CommandSpec {
        program,
        cwd,
        env: env.into_iter().map(|(name, value)| (name, Some(value))).chain(own).collect(),
        stdin,
        stdout,
        stderr,
        grace: command.grace,
    })
}

/// A command with every hole filled.
struct Filled {
    program: Program,
    env: Vec<(OsString, OsString)>,
    cwd: PathBuf,
}

fn fill(command: &Command, around: &Surroundings) -> Result<Filled, Box<Problem>> {
    let mut env: Vec<(OsString, OsString)> = Vec::with_capacity(command.env.len());
    for entry in command.env.iter() {
        let value = expand(&entry.value, &env, around)?;
        env.push((OsString::from(&*entry.name.value), value.into()));
    }
    let program = match &command.work {
        Work::Run(text) => {
            let words = command.shell.iter().map(|word| Spanned::new(word.clone(), command.span));
            let shell: Result<Vec<OsString>, Box<Problem>> =
                words.map(|word| Ok(expand(&word, &env, around)?.into())).collect();
            Program::Script { shell: shell?.into(), text: text.clone(), args: Vec::new() }
        }
        Work::Exec(words) => {
            let words: Result<Vec<OsString>, Box<Problem>> =
                words.iter().map(|word| Ok(expand(word, &env, around)?.into())).collect();
            Program::Words(words?)
        }
    };
    let cwd = match &command.cwd {
        Some(cwd) => around.root.join(expand(cwd, &env, around)?),
        None => around.root.clone(),
    };
    Ok(Filled { program, env, cwd })
}

/// Fills a text from what is in scope: `env.NAME`, as declared so far or else as xec was given it.
fn expand(
    text: &Spanned<Template>,
    env: &[(OsString, OsString)],
    around: &Surroundings,
) -> Result<String, Box<Problem>> {
    if let Some(plain) = text.value.as_text() {
        return Ok(plain.to_string());
    }
    let lookup = |name: &str| {
        let wanted = OsStr::new(name.strip_prefix("env.")?);
        let declared = env.iter().rev().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let found = declared.or_else(|| around.env.get(wanted))?;
        Some(found.to_string_lossy().into_owned())
    };
    text.value.expand(&lookup).map_err(|unknown| {
        let name = unknown.name.strip_prefix("env.").unwrap_or(&unknown.name);
        let known = around.env.keys().filter_map(|name| name.to_str());
        let default = format!("`${{{}:-…}}` gives it a value where it is not set", unknown.name);
        let help = match did_you_mean(name, known) {
            Some(near) => format!("{near} {default}"),
            None => default,
        };
        Box::new(
            Problem::error(Code::UnknownValue, format!("the environment variable `{name}` is not set"))
                .at(text.span, "it is used here")
                .help(help),
        )
    })
}
