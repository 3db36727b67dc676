//! Tasks and commands lowered once, however many instances there will be: the policies that flow down
//! (`cwd env shell on-error priority`, and the nearest `grace`) are settled here, so that no one looks them up
//! later. What depends on an instance's values stays a text.

mod lower;
mod names;
mod place;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::base::event::{Site, TaskLabel};
use crate::base::source::{SourceId, SourceMap, Span, Spanned};
use crate::base::value::Template;
use crate::plan::ids::{CommandId, TaskDefId};
use crate::plan::select::TaskIndex;
use crate::xecfile::model::{
    Capture, Copy, FileId, Files, Group, Input, Late, Let, On, OnError, Param, Ready, Reference, RetryText, Secret,
    Service, Share, Width,
};

pub use names::names_in_sh;
pub use place::{Conditions, Place};

/// What a step keeps that makes one item of many; no value can be called so.
pub const JOINED: &str = "@";

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
    /// The `let`s of each file, in order.
    pub lets: Vec<Vec<Let>>,
    /// The secrets of each file, in order.
    pub secrets: Vec<Vec<Secret>>,
    /// The names of all of them: no process has these, but those that name them.
    pub hidden: Arc<[Arc<str>]>,
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
    /// What it takes.
    pub params: Arc<[Param]>,
    /// What must have ended before, of what is in the run.
    pub after: Vec<TaskDefId>,
    /// Its steps: a sequence.
    pub body: Vec<Node>,
    /// Names of the directories that live as long as an attempt of an instance.
    pub temps: Arc<[Arc<str>]>,
    /// It stays up while others need it.
    pub service: Option<Arc<Service>>,
    /// Where its instances run, if that is said and is no axis.
    pub on: Option<Spanned<On>>,
    /// What decides whether an instance has to run, and what it leaves.
    pub files: Arc<Files>,
    /// What follows an instance.
    pub hooks: HookDefs,
    /// What follows its matrix.
    pub set_hooks: HookDefs,
    /// What its scope goes by.
    pub policy: Policy,
    /// What its matrix goes by.
    pub set_policy: Policy,
    /// It runs only if all of these hold.
    pub conditions: Conditions,
    /// One of its conditions, or of its steps, asks what has changed since it succeeded.
    pub asks_changed: bool,
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
    /// Where it runs, if that is said.
    pub on: Option<Spanned<On>>,
    /// It runs only if all of these hold.
    pub conditions: Conditions,
    /// What follows it.
    pub hooks: HookDefs,
    /// The node in the file.
    pub span: Span,
}

impl Node {
    /// Whether it, or anything in it, asks what has changed.
    fn asks_changed(&self) -> bool {
        let mut open = vec![self];
        while let Some(node) = open.pop() {
            if node.conditions.ask_changed() {
                return true;
            }
            open.extend(node.hooks.stages.iter().flatten());
            match &node.kind {
                NodeKind::Group(_, steps) => open.extend(steps),
                NodeKind::Reduce(_, _, _, step) => open.push(step),
                NodeKind::Leaf(_) | NodeKind::Barrier | NodeKind::Call(..) => {}
            }
        }
        false
    }

    /// Whether a step that is no group needs a scope of its own.
    pub fn needs_scope(&self) -> bool {
        let policy = &self.policy;
        let holds = !policy.uses.is_empty() || policy.weight.is_some();
        let acts = policy.optional.is_some() || policy.timeout.is_some() || policy.retry.is_some();
        holds || acts || self.on.is_some() || !self.conditions.all.is_empty()
    }
}

/// What a step is.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// A command.
    Leaf(CommandId),
    /// Where the instances of a batch wait for each other.
    Barrier,
    /// A fresh instance of a task, in place.
    Call(TaskDefId, Reference),
    /// Steps, and how they go together.
    Group(Group, Vec<Node>),
    /// Neighbours of a list become one by this command, at most so many at once; the last one has this name.
    Reduce(Spanned<Template>, u32, Option<Arc<str>>, Box<Node>),
}

/// Hooks, lowered; empty where there are none.
#[derive(Clone, Debug)]
pub struct HookDefs {
    /// After a success, after a failure, after all; and while it goes on.
    pub stages: [Vec<Node>; 4],
    /// How much more has to have ended for the last of these.
    pub every: Share,
}

/// That of [`HookDefs::every`] where nothing is said.
pub(super) const EVERY: Share = Share::Part(1, 10);

impl Default for HookDefs {
    fn default() -> Self {
        Self { stages: Default::default(), every: EVERY }
    }
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
    /// What it holds while it runs: places in the list of limits of the file, and how much.
    pub uses: Vec<(usize, u32)>,
    /// How many slots each command in it takes.
    pub weight: Option<u32>,
    /// How many of its children must succeed.
    pub require: Option<Spanned<Late<Share>>>,
    /// How often it is tried again.
    pub retry: Option<RetryText>,
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
    /// What has flowed down to it.
    pub place: Arc<Place>,
    /// The values that the script names, as it spells them: these alone are exported to it.
    pub names: Arc<[Arc<str>]>,
    /// Higher first.
    pub priority: i32,
    /// Where it runs, if it is one of a pipe and says so.
    pub on: Option<Spanned<On>>,
    /// Its script shares the shell of its instance.
    pub session: bool,
    /// So many shells are kept for scripts like its own.
    pub pool: Option<u32>,
    /// Whether it owns the terminal.
    pub interactive: bool,
    /// What it leaves behind may outlive the run.
    pub leave: bool,
    /// How often what it uses is measured.
    pub sample: Option<Duration>,
    /// Keeps its stdout.
    pub capture: Option<Capture>,
    /// Keeps its exit code under this name.
    pub status: Option<Spanned<Arc<str>>>,
    /// What it reads.
    pub stdin: Option<Input>,
    /// The file that its stdout goes to.
    pub stdout: Option<Spanned<Template>>,
    /// What its script sees as `"$@"`.
    pub args: Option<Spanned<Template>>,
}

impl Command {
    /// The values that it names anywhere.
    pub fn value_names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = self.names.iter().chain(self.place.names()).cloned().collect();
        let mut add = |text: &Template| names.extend(text.names().cloned());
        match &self.work {
            Work::Exec(words) => words.iter().for_each(|word| add(&word.value)),
            Work::Run(_) | Work::Until(_) => self.place.shell.iter().for_each(&mut add),
            Work::Copy(copy) => copy.texts().for_each(|text| add(&text.value)),
            Work::Wait(_) | Work::Pipe(_) => {}
        }
        let stdin = self.stdin.as_ref().map(Input::text);
        let texts = [stdin, self.stdout.as_ref(), self.args.as_ref()];
        texts.into_iter().flatten().for_each(|text| add(&text.value));
        if let Work::Until(ready) = &self.work {
            ready.template().into_iter().for_each(|text| add(&text.value));
            names.extend(ready.script().into_iter().flat_map(|script| self.place.names_in(&script.value)));
        }
        if let Work::Pipe(members) = &self.work {
            names.extend(members.iter().flat_map(Command::value_names));
        }
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
    /// Commands of which each reads what the one before it writes; at least two.
    Pipe(Arc<[Command]>),
    /// Waits until something is there.
    Until(Arc<Ready>),
    /// Files from one place to another.
    Copy(Arc<Copy>),
    /// Nothing, for so long.
    Wait(Spanned<Late<Duration>>),
}

impl Defs {
    /// The task of a whole name, if it is reached.
    pub fn find(&self, name: &str) -> Option<TaskDefId> {
        self.by_name.get(name.strip_prefix(':').unwrap_or(name)).copied()
    }

    /// Whether a hook asks for what went wrong.
    pub fn ask_for_errors(&self) -> bool {
        self.commands.iter().any(|command| command.value_names().iter().any(|name| &**name == "xec_error"))
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
