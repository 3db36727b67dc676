//! Tasks and commands lowered once, however many instances there will be: the policies that flow down
//! (`cwd env shell on-error priority`, and the nearest `grace`) are settled here, so that no one looks them up
//! later. What depends on an instance's values stays a text.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::base::event::{Site, TaskLabel};
use crate::base::source::{SourceId, SourceMap, Span, Spanned};
use crate::base::value::{Part, Template};
use crate::plan::ids::{CommandId, TaskDefId};
use crate::plan::select::{Names, TaskIndex};
use crate::xecfile::model::{
    Capture, Condition, EnvEntry, FileId, Group, Hooks, Late, Let, LetValue, OnError, Reference, Retry, Settings, Share, Step,
    StepKind, Width, Xecfile,
};

/// From the first signal to SIGKILL, where nothing else is said.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(5);

/// The longest that hooks may take, where they do not say: a run must not hang on its cleaning up.
pub const HOOK_TIMEOUT: Duration = Duration::from_secs(300);

/// All that a run needs of the file.
#[derive(Clone, Debug)]
pub struct Defs {
    /// Every file that was read.
    pub sources: Arc<SourceMap>,
    /// The directory of the first.
    pub root: PathBuf,
    /// What holds in each file, with its directory.
    pub dirs: Vec<PathBuf>,
    /// The tasks that are reached.
    pub tasks: Vec<TaskDef>,
    /// Their commands.
    pub commands: Vec<Command>,
    /// The scripts of each file that give a `let` its value, in order.
    pub lets: Vec<Vec<(Arc<str>, Arc<str>)>>,
    files: Vec<Arc<str>>,
    by_name: HashMap<Arc<str>, TaskDefId>,
}

/// A task, lowered.
#[derive(Clone, Debug)]
pub struct TaskDef {
    /// Where it stands in the file.
    pub index: TaskIndex,
    /// Which file that is.
    pub file: FileId,
    /// How it is shown where it has one instance.
    pub label: Arc<TaskLabel>,
    /// What must have ended before, of what is in the run.
    pub after: Vec<TaskDefId>,
    /// Its steps: a sequence.
    pub body: Vec<Node>,
    /// Names of the directories that live as long as an attempt of an instance.
    pub temps: Arc<[Arc<str>]>,
    /// What follows an instance.
    pub hooks: HookDefs,
    /// What follows its matrix.
    pub set_hooks: HookDefs,
    /// What its scope goes by.
    pub policy: Policy,
    /// What its matrix goes by.
    pub set_policy: Policy,
    /// The nearest `cwd`, for globs.
    pub cwd: Option<Spanned<Template>>,
    /// The node in the file.
    pub span: Span,
}

/// A step, lowered.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// What its scope goes by.
    pub policy: Policy,
    /// It runs only if all of these hold.
    pub conditions: Arc<[Condition]>,
    /// What follows it.
    pub hooks: HookDefs,
    /// The node in the file.
    pub span: Span,
}

impl Node {
    /// Whether a step that is no group needs a scope of its own.
    pub fn needs_scope(&self) -> bool {
        let policy = &self.policy;
        policy.optional.is_some() || policy.timeout.is_some() || policy.retry.is_some() || !self.conditions.is_empty()
    }
}

/// What a step is.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// A command.
    Leaf(CommandId),
    /// A fresh instance of a task, in place.
    Call(TaskDefId, Reference),
    /// Steps, and how they go together.
    Group(Group, Vec<Node>),
}

/// Hooks, lowered; empty where there are none.
#[derive(Clone, Debug, Default)]
pub struct HookDefs {
    /// After a success, after a failure, after all.
    pub stages: [Vec<Node>; 3],
}

/// What a scope goes by. What may hold values of an instance is settled when that is laid out.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What a failure does to its siblings.
    pub on_error: OnError,
    /// Whether its own failure counts.
    pub optional: Option<Spanned<Late<bool>>>,
    /// The longest an attempt may take.
    pub timeout: Option<Spanned<Late<Duration>>>,
    /// How many of its children at once.
    pub jobs: Option<Spanned<Late<Width>>>,
    /// How many of its children must succeed.
    pub require: Option<Spanned<Late<Share>>>,
    /// How often it is tried again.
    pub retry: Option<Retry>,
    /// Higher first.
    pub priority: i32,
}

/// A command, with every policy that flowed down to it. Not expanded yet: values may come late.
#[derive(Clone, Debug)]
pub struct Command {
    /// What it does.
    pub work: Work,
    /// What it does, as a user reads it.
    pub text: Arc<str>,
    /// Where it stands.
    pub site: Site,
    /// The same, for problems.
    pub span: Span,
    /// The file it stands in.
    pub file: FileId,
    /// The directory, against that of the file.
    pub cwd: Option<Spanned<Template>>,
    /// Outermost first; the last one of a name counts.
    pub env: Arc<[EnvEntry]>,
    /// The interpreter; empty for `exec`.
    pub shell: Arc<[Template]>,
    /// The values that the script names, as it spells them: these alone are exported to it.
    pub names: Arc<[Arc<str>]>,
    /// From the first signal to SIGKILL.
    pub grace: Option<Spanned<Late<Duration>>>,
    /// Higher first.
    pub priority: i32,
    /// Whether it owns the terminal.
    pub interactive: bool,
    /// Keeps its stdout.
    pub capture: Option<Capture>,
    /// Keeps its exit code under this name.
    pub status: Option<Spanned<Arc<str>>>,
    /// What it reads.
    pub stdin: Option<Spanned<Template>>,
    /// What its script sees as `"$@"`.
    pub args: Option<Spanned<Template>>,
}

impl Command {
    /// The values that it names anywhere.
    pub fn value_names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = self.names.to_vec();
        let mut add = |text: &Template| names.extend(text.names().cloned());
        if let Work::Exec(words) = &self.work {
            words.iter().for_each(|word| add(&word.value));
        }
        self.env.iter().for_each(|entry| add(&entry.value.value));
        self.shell.iter().for_each(&mut add);
        [&self.cwd, &self.stdin, &self.args].into_iter().flatten().for_each(|text| add(&text.value));
        names
    }
}

/// What a command does.
#[derive(Clone, Debug)]
pub enum Work {
    /// A script.
    Run(Arc<str>),
    /// A program and its words.
    Exec(Arc<[Spanned<Template>]>),
    /// Nothing, for so long.
    Wait(Spanned<Late<Duration>>),
}

/// What flows down.
#[derive(Clone)]
struct Ambient {
    file: FileId,
    cwd: Option<Spanned<Template>>,
    env: Arc<[EnvEntry]>,
    shell: Arc<[Template]>,
    on_error: OnError,
    grace: Option<Spanned<Late<Duration>>>,
    priority: i32,
    interactive: bool,
}

impl Ambient {
    fn with(&self, settings: &Settings) -> Self {
        let env = if settings.env.is_empty() {
            self.env.clone()
        } else {
            self.env.iter().chain(&settings.env).cloned().collect()
        };
        Self {
            file: self.file,
            cwd: settings.cwd.clone().or_else(|| self.cwd.clone()),
            env,
            shell: settings.shell.as_ref().map_or_else(|| self.shell.clone(), |shell| shell.value.as_slice().into()),
            on_error: settings.on_error.as_ref().map_or(self.on_error, |mode| mode.value),
            grace: settings.grace.clone().or_else(|| self.grace.clone()),
            priority: settings.priority.as_ref().map_or(self.priority, |set| set.value),
            interactive: settings.interactive.as_ref().map_or(self.interactive, |own| own.value),
        }
    }

    /// The policy of what is written with these settings; `fallback` has what they do not say.
    fn policy(&self, settings: &Settings, fallback: Option<&Settings>) -> Policy {
        fn or<T: Clone>(own: &Option<T>, fallback: Option<&Option<T>>) -> Option<T> {
            own.clone().or_else(|| fallback.cloned().flatten())
        }
        Policy {
            on_error: self.on_error,
            optional: or(&settings.optional, fallback.map(|other| &other.optional)),
            timeout: or(&settings.timeout, fallback.map(|other| &other.timeout)),
            jobs: or(&settings.jobs, fallback.map(|other| &other.jobs)),
            require: or(&settings.require, fallback.map(|other| &other.require)),
            retry: or(&settings.retry, fallback.map(|other| &other.retry)).map(|retry| retry.value),
            priority: self.priority,
        }
    }
}

impl Defs {
    /// Lowers the tasks of `reached`; `on_error` is what holds where the file says nothing.
    pub fn lower(file: &Xecfile, names: &Names<'_>, reached: &[TaskIndex], on_error: OnError) -> Self {
        let files = file.sources.iter().map(|source| Arc::from(source.path.to_string_lossy())).collect();
        let mut lower = Lower {
            file,
            names,
            ids: reached.iter().enumerate().map(|(id, task)| (*task, TaskDefId(id as u32))).collect(),
            defs: Defs {
                sources: Arc::new(file.sources.clone()),
                root: file.root.clone(),
                dirs: file.files.iter().map(|scope| scope.dir.clone()).collect(),
                tasks: Vec::with_capacity(reached.len()),
                commands: Vec::new(),
                lets: file.files.iter().map(|scope| scripts(&scope.lets)).collect(),
                files,
                by_name: HashMap::new(),
            },
        };
        let shell: Arc<[Template]> = ["sh", "-eu", "-c"].map(Template::plain).into();
        for task in reached {
            let id = file.tasks[*task].file;
            let scope = &file.files[usize::from(id.0)];
            let base = Ambient {
                file: id,
                cwd: None,
                env: scope.env.as_slice().into(),
                shell: shell.clone(),
                on_error,
                grace: None,
                priority: 0,
                interactive: false,
            };
            let def = lower.task(*task, &base.with(&scope.defaults));
            let id = TaskDefId(lower.defs.tasks.len() as u32);
            let written = &file.tasks[*task];
            let names = written.aliases.iter().chain([&written.name]).map(|name| name.value.clone());
            lower.defs.by_name.extend(names.map(|name| (name, id)));
            lower.defs.tasks.push(def);
        }
        lower.defs
    }

    /// The task of a whole name, if it is reached.
    pub fn find(&self, name: &str) -> Option<TaskDefId> {
        self.by_name.get(name.strip_prefix(':').unwrap_or(name)).copied()
    }

    /// A place for people.
    pub fn site(&self, span: Span) -> Site {
        let SourceId(source) = span.source;
        Site {
            file: self.files.get(usize::from(source)).cloned().unwrap_or_default(),
            line: self.sources.get(span.source).line(span.start),
        }
    }
}

struct Lower<'f> {
    file: &'f Xecfile,
    names: &'f Names<'f>,
    ids: HashMap<TaskIndex, TaskDefId>,
    defs: Defs,
}

impl Lower<'_> {
    fn task(&mut self, at: TaskIndex, base: &Ambient) -> TaskDef {
        let task = &self.file.tasks[at];
        let ambient = base.with(&task.settings);
        let defaults = &self.file.scope(task).defaults;
        let no_hooks = Hooks::default();
        let (set_policy, set_hooks) = match &task.matrix {
            // What the task says of its instances is not said of the set.
            Some(matrix) => (ambient.with(&matrix.settings).policy(&matrix.settings, None), &matrix.hooks),
            None => (Policy::default(), &no_hooks),
        };
        TaskDef {
            index: at,
            file: task.file,
            label: Arc::new(TaskLabel {
                task: task.name.value.clone(),
                instance: task.name.value.clone(),
                site: self.defs.site(task.name.span),
            }),
            after: task.after.iter().filter_map(|other| self.id(other)).collect(),
            body: task.body.iter().map(|step| self.node(step, &ambient)).collect(),
            temps: task.temps.iter().map(|temp| temp.value.clone()).collect(),
            hooks: self.hooks(&task.hooks, &ambient),
            set_hooks: self.hooks(set_hooks, &ambient),
            policy: ambient.policy(&task.settings, Some(defaults)),
            set_policy,
            cwd: ambient.cwd.clone(),
            span: task.name.span,
        }
    }

    /// Of what is reached; a task that `after` names may not be.
    fn id(&self, reference: &Reference) -> Option<TaskDefId> {
        self.ids.get(&self.names.get(&reference.task.value)?).copied()
    }

    fn hooks(&mut self, hooks: &Hooks, ambient: &Ambient) -> HookDefs {
        let mut stage = |steps: &[Step]| steps.iter().map(|step| self.node(step, ambient)).collect();
        HookDefs { stages: [stage(&hooks.success), stage(&hooks.failure), stage(&hooks.finally)] }
    }

    /// Groups nest at most as deep as the loader lets braces nest, which is what bounds this recursion.
    fn node(&mut self, step: &Step, outer: &Ambient) -> Node {
        let ambient = outer.with(&step.settings);
        let kind = match &step.kind {
            StepKind::Group(group, steps) => {
                NodeKind::Group(*group, steps.iter().map(|step| self.node(step, &ambient)).collect())
            }
            StepKind::Call(callee) => match self.id(callee) {
                Some(id) => NodeKind::Call(id, callee.clone()),
                None => NodeKind::Group(Group::Sequence, Vec::new()),
            },
            StepKind::Wait(time) => {
                let text = match time {
                    Late::Now(time) => format!("wait {}", crate::base::duration::show(*time)),
                    Late::Text(text) => format!("wait {}", shown(text)),
                };
                NodeKind::Leaf(self.command(
                    step,
                    &ambient,
                    Work::Wait(Spanned::new(time.clone(), step.span)),
                    text.into(),
                ))
            }
            StepKind::Run(text) => {
                NodeKind::Leaf(self.command(step, &ambient, Work::Run(text.clone()), text.trim().into()))
            }
            StepKind::Exec(words) => {
                let line: Vec<String> = words.iter().map(|word| shown(&word.value)).collect();
                NodeKind::Leaf(self.command(step, &ambient, Work::Exec(words.as_slice().into()), line.join(" ").into()))
            }
        };
        Node {
            kind,
            policy: ambient.policy(&step.settings, None),
            conditions: step.conditions.as_slice().into(),
            hooks: self.hooks(&step.hooks, &ambient),
            span: step.span,
        }
    }

    fn command(&mut self, step: &Step, ambient: &Ambient, work: Work, text: Arc<str>) -> CommandId {
        let id = CommandId(self.defs.commands.len() as u32);
        let shell = if matches!(work, Work::Run(_)) { ambient.shell.clone() } else { Arc::from([]) };
        let names = if let Work::Run(script) = &work { names_in(script, &shell) } else { Vec::new() };
        self.defs.commands.push(Command {
            work,
            text,
            site: self.defs.site(step.span),
            span: step.span,
            file: ambient.file,
            cwd: ambient.cwd.clone(),
            env: ambient.env.clone(),
            shell,
            names: names.into(),
            grace: ambient.grace.clone(),
            priority: ambient.priority,
            interactive: ambient.interactive,
            capture: step.data.capture.clone(),
            status: step.data.status.clone(),
            stdin: step.data.stdin.clone(),
            args: step.data.args.clone(),
        });
        id
    }
}

fn scripts(lets: &[Let]) -> Vec<(Arc<str>, Arc<str>)> {
    let script = |item: &Let| match &item.value {
        LetValue::Run(script) => Some((item.name.value.clone(), script.value.clone())),
        LetValue::Text(_) => None,
    };
    lets.iter().filter_map(script).collect()
}

/// A word as a user reads it, holes and all.
fn shown(word: &Template) -> String {
    let piece = |part: &Part| match part {
        Part::Text(text) => text.to_string(),
        Part::Hole { name, .. } => format!("${{{name}}}"),
    };
    word.parts.iter().map(piece).collect()
}

/// The words of a script for `sh` that may be values.
pub fn names_in_sh(script: &str) -> Vec<Arc<str>> {
    names_in(script, &[Template::plain("sh")])
}

/// The words of a script that may be values: for a shell of the Bourne family after `$` or `${` and anywhere in
/// `$((…))`, any word for another interpreter, which may read its environment in ways of its own.
fn names_in(script: &str, shell: &[Template]) -> Vec<Arc<str>> {
    let program =
        shell.first().and_then(Template::as_text).map_or("", |program| program.rsplit('/').next().unwrap_or(""));
    let bourne = matches!(program, "sh" | "bash" | "dash" | "ash" | "ksh" | "mksh" | "zsh" | "busybox");
    let is_word = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    let bytes = script.as_bytes();
    let mut seen = HashSet::new();
    let mut names: Vec<Arc<str>> = Vec::new();
    // Parentheses that are open from `$((` on.
    let mut open = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        let behind = |back: usize, byte: u8| at >= back && bytes[at - back] == byte;
        let length = bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
        if length == 0 {
            open = match bytes[at] {
                b'(' if open > 0 => open + 1,
                b'(' if behind(1, b'(') && behind(2, b'$') => 2,
                b')' => open.saturating_sub(1),
                _ => open,
            };
            at += 1;
            continue;
        }
        // `${#name}` and `${!name}` name it too.
        let braced = behind(1, b'{') && behind(2, b'$')
            || (behind(1, b'#') || behind(1, b'!')) && behind(2, b'{') && behind(3, b'$');
        let named = !bourne || behind(1, b'$') || braced || open > 0;
        let word = &script[at..at + length];
        if named && bytes[at].is_ascii_lowercase() && seen.insert(word) {
            names.push(word.into());
        }
        at += length;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_names_without_a_dollar() {
        let names = |script: &str| names_in_sh(script).iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(names("echo $((i*10)) no"), ["i"]);
        assert_eq!(names("echo $(( (a + $b) * 0x1f % c )) $(no) $((d)) no (no)"), ["a", "b", "c", "d"]);
        assert!(names("((no)) ( (no) ) $(no) $(").is_empty());
    }

    #[test]
    fn a_script_names_what_it_expands() {
        let sh = [Template::plain("/bin/sh")];
        let names = |script: &str| names_in(script, &sh).iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(r#"echo "$a" ${b:-x} ${#c} $HOME $1 d '$e'"#), ["a", "b", "c", "e"]);
        assert_eq!(names("py$py tox"), ["py"]);
        let python = names_in("os.environ['version']", &[Template::plain("python3")]);
        assert!(python.iter().any(|name| &**name == "version"));
    }
}
