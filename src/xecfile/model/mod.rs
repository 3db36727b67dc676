//! The file as it was meant: tasks, steps, settings. Every part keeps its place.
//!
//! Nothing in here is resolved: a task that is needed may not exist, which `check` says.
//! What included files and templates bring is in place already: names are whole (`api:build`), and a task holds
//! the nodes of the templates that it uses.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::base::source::{SourceMap, Span, Spanned};
use crate::base::value::Template;

mod copies;
mod hosts;
mod inputs;
mod kept;
mod limits;
mod matrix;
mod ready;
mod select;
mod settings;

pub use copies::{Copy, End, HERE, is_pattern, split as split_place};
pub use hosts::{FLEET_JOBS, HOST_AXIS, HOST_JOBS, Host, On, Origin, Pick, Via};
pub use inputs::{Binding, Let, LetValue, Param, ParamRole, ParamType, Reference, Secret, SecretSource, Take, size};
pub use kept::{Cache, Files, OnBusy, Watch};
pub use limits::{Limit, SLOTS, Use};
pub use matrix::{Axis, AxisSource, Batches, Condition, From, Matrix, Predicate, PredicateKind, range};
pub use ready::{READY_TIMEOUT, Ready, Service, http_address, tcp_address};
pub use select::{NoHost, select};
pub use settings::{Backoff, EnvEntry, Late, OnError, Retry, RetryText, Settings, Share, Width};

/// One Xecfile with all that it includes.
#[derive(Clone, Debug, Default)]
pub struct Xecfile {
    /// Every file that was read.
    pub sources: SourceMap,
    /// The directory of the first one, absolute: `XEC_ROOT`.
    pub root: PathBuf,
    /// What holds in each file alone; the first one is the file that was asked for.
    pub files: Vec<FileScope>,
    /// What there is only so much of, in the order of the files and in them, names unique.
    pub limits: Vec<Limit>,
    /// Where steps can run, in the order of the files and in them, names unique.
    pub hosts: Vec<Host>,
    /// The tasks of all files, in the order they were read, names and aliases unique.
    pub tasks: Vec<Task>,
}

/// A file by its place in [`Xecfile::files`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct FileId(pub u16);

/// What holds in one file, and in none that it includes.
#[derive(Clone, Debug, Default)]
pub struct FileScope {
    /// Its directory, absolute: the `cwd` of what says nothing else, and what each `cwd` is against.
    pub dir: PathBuf,
    /// What `include … as=` put before the names of its tasks, without the colon; none for the first file.
    pub prefix: Option<Arc<str>>,
    /// What `defaults { … }` says.
    pub defaults: Settings,
    /// What its `dotenv` files hold: weaker than the environment that xec was started with.
    pub dotenv: Vec<(Arc<str>, Arc<str>)>,
    /// Its own `env`: stronger than that.
    pub env: Vec<EnvEntry>,
    /// Its `let`s, in order; a later one may name an earlier one.
    pub lets: Vec<Let>,
    /// Its secrets, in order; a `let` and a secret may name what stands before them.
    pub secrets: Vec<Secret>,
}

impl Xecfile {
    /// Warnings of tasks over hosts where a failure on one ends the others, and nobody has said that it shall.
    pub fn fail_fast(&self) -> Vec<crate::base::diagnostic::Problem> {
        crate::xecfile::check::fail_fast(&self.files, &self.tasks)
    }

    /// What holds in the file of a task.
    pub fn scope(&self, task: &Task) -> &FileScope {
        &self.files[usize::from(task.file.0)]
    }
}

/// A task: a template of instances.
#[derive(Clone, Debug)]
pub struct Task {
    /// The file it stands in.
    pub file: FileId,
    /// Its whole name.
    pub name: Spanned<Arc<str>>,
    /// Other names for it, whole.
    pub aliases: Vec<Spanned<Arc<str>>>,
    /// One line on what it is for.
    pub desc: Option<Arc<str>>,
    /// It cannot be requested, and is not listed.
    pub private: bool,
    /// It stays up while others need it.
    pub service: Option<Service>,
    /// What the user is asked before anything runs.
    pub confirm: Option<Spanned<Template>>,
    /// It runs again whenever files change.
    pub watch: Option<Watch>,
    /// What it takes.
    pub params: Vec<Param>,
    /// What must have succeeded before.
    pub needs: Vec<Reference>,
    /// What must have ended before, if it is in the run at all.
    pub after: Vec<Reference>,
    /// The axes that make it many.
    pub matrix: Option<Matrix>,
    /// It runs only if all of these hold.
    pub conditions: Vec<Condition>,
    /// Directories that live as long as an attempt of an instance, by the names of the values that hold their paths.
    pub temps: Vec<Spanned<Arc<str>>>,
    /// What decides whether it has to run, and what it leaves.
    pub files: Files,
    /// Its policies.
    pub settings: Settings,
    /// Its steps: a sequence.
    pub body: Vec<Step>,
    /// What follows an instance.
    pub hooks: Hooks,
    /// The whole node.
    pub span: Span,
}

impl Task {
    /// A task of which nothing else is known.
    pub fn new(name: Spanned<Arc<str>>, span: Span) -> Self {
        Self {
            file: FileId::default(),
            name,
            aliases: Vec::new(),
            desc: None,
            private: false,
            service: None,
            confirm: None,
            watch: None,
            params: Vec::new(),
            needs: Vec::new(),
            after: Vec::new(),
            matrix: None,
            conditions: Vec::new(),
            temps: Vec::new(),
            files: Files::default(),
            settings: Settings::default(),
            body: Vec::new(),
            hooks: Hooks::default(),
            span,
        }
    }
}

/// What follows a body that has begun, or goes along with it, each a sequence; empty where nothing is written.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    /// After a success.
    pub success: Vec<Step>,
    /// After a failure, not after a cancellation.
    pub failure: Vec<Step>,
    /// After all of that, always.
    pub finally: Vec<Step>,
    /// While it goes on, whenever so much more of what is in it has ended.
    pub progress: Vec<Step>,
    /// How much that is; a tenth where nothing is said.
    pub every: Option<Spanned<Share>>,
}

impl Hooks {
    /// All of them, in the order in which they are looked at.
    pub fn stages(&self) -> [&Vec<Step>; 4] {
        [&self.success, &self.failure, &self.finally, &self.progress]
    }

    /// The same, to be changed.
    pub fn stages_mut(&mut self) -> [&mut Vec<Step>; 4] {
        [&mut self.success, &mut self.failure, &mut self.finally, &mut self.progress]
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.stages().iter().all(|steps| steps.is_empty())
    }
}

/// One step of a body.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// It runs only if all of these hold.
    pub conditions: Vec<Condition>,
    /// What becomes of what it writes and how it ends, and what it reads.
    pub data: Data,
    /// What follows it; for groups only.
    pub hooks: Hooks,
    /// Its policies.
    pub settings: Settings,
    /// The node without its children.
    pub span: Span,
}

impl Step {
    /// A step of which nothing else is known.
    pub fn new(kind: StepKind, span: Span) -> Self {
        let (conditions, data, hooks) = (Vec::new(), Data::default(), Hooks::default());
        Self { kind, conditions, data, hooks, settings: Settings::default(), span }
    }
}

/// The values that a `run` or `exec` makes and takes.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Keeps its stdout under this name.
    pub capture: Option<Capture>,
    /// Keeps its exit code under this name.
    pub status: Option<Spanned<Arc<str>>>,
    /// What it reads.
    pub stdin: Option<Input>,
    /// The file that its stdout goes to.
    pub stdout: Option<Spanned<Template>>,
    /// What a script sees as `"$@"`; a value that is a list becomes as many words.
    pub args: Option<Spanned<Template>>,
}

/// What a step reads.
#[derive(Clone, Debug)]
pub enum Input {
    /// This text.
    Text(Spanned<Template>),
    /// The file of this name.
    File(Spanned<Template>),
}

impl Input {
    /// The text, or the name.
    pub fn text(&self) -> &Spanned<Template> {
        let (Input::Text(text) | Input::File(text)) = self;
        text
    }
}

/// What a step keeps of its stdout.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Under which name.
    pub name: Spanned<Arc<str>>,
    /// In which form.
    pub form: CaptureForm,
}

/// The form of a capture.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum CaptureForm {
    /// All of it, without the line breaks at its end.
    #[default]
    Text,
    /// A list of its lines.
    Lines,
    /// JSON: a list of its items where it is an array, else as text.
    Json,
    /// As [`CaptureForm::Lines`], and a late axis has each line as soon as it is written.
    Stream,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum StepKind {
    /// A script for the shell, never rewritten.
    Run(Arc<str>),
    /// A program and its words; never empty.
    Exec(Vec<Spanned<Template>>),
    /// A fresh instance of a task, in place.
    Call(Reference),
    /// Waits for so long.
    Wait(Late<Duration>),
    /// Waits until all instances of the batch are here.
    Barrier,
    /// Waits until something is there.
    Until(Ready),
    /// Files from one place to another.
    Copy(Copy),
    /// Steps, and how they go together.
    Group(Group, Vec<Step>),
    /// Makes one item of many.
    Reduce(Reduce),
}

impl StepKind {
    /// The steps in it.
    pub fn steps(&self) -> &[Step] {
        match self {
            StepKind::Group(_, steps) => steps,
            StepKind::Reduce(reduce) => std::slice::from_ref(&*reduce.step),
            _ => &[],
        }
    }

    /// The same, to change them.
    pub fn steps_mut(&mut self) -> &mut [Step] {
        match self {
            StepKind::Group(_, steps) => steps,
            StepKind::Reduce(reduce) => std::slice::from_mut(&mut *reduce.step),
            _ => &mut [],
        }
    }
}

/// Neighbours of a list become one, again and again, until one item is left.
#[derive(Clone, Debug)]
pub struct Reduce {
    /// The list.
    pub list: Spanned<Template>,
    /// At most so many at once; at least two.
    pub fan_in: u32,
    /// What the last one is called.
    pub capture: Option<Spanned<Arc<str>>>,
    /// A `run` or `exec`: it is given the items as words, and its stdout is one new item.
    pub step: Box<Step>,
}

/// How the steps of a group go together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Group {
    /// One after the other.
    Sequence,
    /// Side by side.
    Parallel,
    /// Side by side, until one succeeds.
    Any,
    /// Side by side, until one has ended.
    Race,
    /// At once, each reading what the one before it writes: one step, of several commands.
    Pipe,
}

impl Group {
    /// Every group, by its word in the file.
    pub const ALL: [(&'static str, Group); 5] = [
        ("sequence", Group::Sequence),
        ("parallel", Group::Parallel),
        ("any", Group::Any),
        ("race", Group::Race),
        ("pipe", Group::Pipe),
    ];

    /// The group of a word.
    pub fn named(word: &str) -> Option<Group> {
        Self::ALL.iter().find(|(name, _)| *name == word).map(|(_, group)| *group)
    }

    /// The word of a group.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, group)| *group == self).map_or("group", |(name, _)| name)
    }

    /// Whether its steps are ways to one thing: only what the one that wins makes is there afterwards.
    pub fn is_choice(self) -> bool {
        matches!(self, Group::Any | Group::Race)
    }
}
