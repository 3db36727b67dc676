//! Tasks and commands lowered once, however many instances there will be: the policies that flow down
//! (`cwd env shell on-error`, and the nearest `grace`) are settled here, so that no one looks them up later.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::base::event::{Site, TaskLabel};
use crate::base::source::{SourceId, SourceMap, Span, Spanned};
use crate::base::value::{Part, Template};
use crate::plan::ids::{CommandId, TaskDefId};
use crate::plan::select::{Names, TaskIndex};
use crate::xecfile::model::{EnvEntry, OnError, Reference, Settings, Step, StepKind, Width, Xecfile};

/// From the first signal to SIGKILL, where nothing else is said.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(5);

/// All that a run needs of the file.
#[derive(Clone, Debug)]
pub struct Defs {
    /// Every file that was read.
    pub sources: Arc<SourceMap>,
    /// The directory of the first.
    pub root: PathBuf,
    /// The tasks that are reached.
    pub tasks: Vec<TaskDef>,
    /// Their commands.
    pub commands: Vec<Command>,
    files: Vec<Arc<str>>,
}

/// A task, lowered.
#[derive(Clone, Debug)]
pub struct TaskDef {
    /// How an instance of it is shown.
    pub label: Arc<TaskLabel>,
    /// What must have succeeded before.
    pub needs: Vec<Spanned<TaskDefId>>,
    /// What must have ended before, by place in the file: it need not be in the run.
    pub after: Vec<TaskDefId>,
    /// Its steps: a sequence.
    pub body: Vec<Node>,
    /// What its scope goes by.
    pub policy: Policy,
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
    /// The node in the file.
    pub span: Span,
}

/// What a step is.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// A command.
    Leaf(CommandId),
    /// A fresh instance of a task, in place.
    Call(TaskDefId),
    /// Steps one after the other.
    Sequence(Vec<Node>),
    /// Steps side by side.
    Parallel(Vec<Node>),
}

/// What a scope goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// What a failure does to its siblings.
    pub on_error: OnError,
    /// Whether its own failure counts.
    pub optional: bool,
    /// The longest an attempt may take.
    pub timeout: Option<Duration>,
    /// How many of its children at once.
    pub jobs: Option<Width>,
}

impl Policy {
    /// Whether a leaf that goes by this needs a scope of its own.
    pub fn needs_scope(&self) -> bool {
        self.optional || self.timeout.is_some()
    }
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
    /// The directory, against that of the file.
    pub cwd: Option<Spanned<Template>>,
    /// Outermost first; the last one of a name counts.
    pub env: Arc<[EnvEntry]>,
    /// The interpreter; empty for `exec`.
    pub shell: Arc<[Template]>,
    /// From the first signal to SIGKILL.
    pub grace: Duration,
    /// Whether it owns the terminal.
    pub interactive: bool,
}

/// What a command does.
#[derive(Clone, Debug)]
pub enum Work {
    /// A script.
    Run(Arc<str>),
    /// A program and its words.
    Exec(Arc<[Spanned<Template>]>),
}

/// What flows down.
#[derive(Clone)]
struct Ambient {
    cwd: Option<Spanned<Template>>,
    env: Arc<[EnvEntry]>,
    shell: Arc<[Template]>,
    on_error: OnError,
    grace: Duration,
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
            cwd: settings.cwd.clone().or_else(|| self.cwd.clone()),
            env,
            shell: settings.shell.as_ref().map_or_else(|| self.shell.clone(), |shell| shell.value.as_slice().into()),
            on_error: settings.on_error.as_ref().map_or(self.on_error, |mode| mode.value),
            grace: settings.grace.as_ref().map_or(self.grace, |grace| grace.value),
            interactive: settings.interactive.as_ref().map_or(self.interactive, |own| own.value),
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
                tasks: Vec::with_capacity(reached.len()),
                commands: Vec::new(),
                files,
            },
        };
        let base = Ambient {
            cwd: None,
            env: file.env.as_slice().into(),
            shell: ["sh", "-eu", "-c"].map(Template::plain).into(),
            on_error,
            grace: DEFAULT_GRACE,
            interactive: false,
        }
        .with(&file.defaults);
        for task in reached {
            let def = lower.task(*task, &base);
            lower.defs.tasks.push(def);
        }
        lower.defs
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
        let defaults = &self.file.defaults;
        let policy = Policy {
            on_error: ambient.on_error,
            optional: task.settings.optional.or(defaults.optional).is_some_and(|set| set.value),
            timeout: task.settings.timeout.or(defaults.timeout).map(|limit| limit.value),
            jobs: task.settings.jobs.or(defaults.jobs).map(|width| width.value),
        };
        TaskDef {
            label: Arc::new(TaskLabel {
                task: task.name.value.clone(),
                instance: task.name.value.clone(),
                site: self.defs.site(task.name.span),
            }),
            needs: task.needs.iter().filter_map(|need| Some(Spanned::new(self.id(need)?, need.task.span))).collect(),
            after: task.after.iter().filter_map(|other| self.id(other)).collect(),
            body: task.body.iter().map(|step| self.node(step, &ambient)).collect(),
            policy,
            span: task.name.span,
        }
    }

    /// Of what is reached; a task that `after` names may not be.
    fn id(&self, reference: &Reference) -> Option<TaskDefId> {
        self.ids.get(&self.names.get(&reference.task.value)?).copied()
    }

    /// Groups nest at most as deep as the loader lets braces nest, which is what bounds this recursion.
    fn node(&mut self, step: &Step, outer: &Ambient) -> Node {
        let ambient = outer.with(&step.settings);
        let policy = Policy {
            on_error: ambient.on_error,
            optional: step.settings.optional.is_some_and(|set| set.value),
            timeout: step.settings.timeout.map(|limit| limit.value),
            jobs: step.settings.jobs.map(|width| width.value),
        };
        let kind = match &step.kind {
            StepKind::Sequence(steps) => {
                NodeKind::Sequence(steps.iter().map(|step| self.node(step, &ambient)).collect())
            }
            StepKind::Parallel(steps) => {
                NodeKind::Parallel(steps.iter().map(|step| self.node(step, &ambient)).collect())
            }
            StepKind::Call(callee) => match self.id(callee) {
                Some(id) => NodeKind::Call(id),
                None => NodeKind::Sequence(Vec::new()),
            },
            StepKind::Run(text) => NodeKind::Leaf(self.command(
                step,
                &ambient,
                Work::Run(text.clone()),
                text.trim().into(),
                ambient.shell.clone(),
            )),
            StepKind::Exec(words) => {
                let shown: Vec<String> = words.iter().map(|word| shown(&word.value)).collect();
                let work = Work::Exec(words.as_slice().into());
                NodeKind::Leaf(self.command(step, &ambient, work, shown.join(" ").into(), Arc::from([])))
            }
        };
        Node { kind, policy, span: step.span }
    }

    fn command(
        &mut self,
        step: &Step,
        ambient: &Ambient,
        work: Work,
        text: Arc<str>,
        shell: Arc<[Template]>,
    ) -> CommandId {
        let id = CommandId(self.defs.commands.len() as u32);
        self.defs.commands.push(Command {
            work,
            text,
            site: self.defs.site(step.span),
            span: step.span,
            cwd: ambient.cwd.clone(),
            env: ambient.env.clone(),
            shell,
            grace: ambient.grace,
            interactive: ambient.interactive,
        });
        id
    }
}

/// A word as a user reads it, holes and all.
fn shown(word: &Template) -> String {
    let piece = |part: &Part| match part {
        Part::Text(text) => text.to_string(),
        Part::Hole { name, .. } => format!("${{{name}}}"),
    };
    word.parts.iter().map(piece).collect()
}
