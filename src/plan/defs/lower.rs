//! From the steps of the file to nodes and commands: what flows down is settled on the way. Knows no instances.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::base::event::TaskLabel;
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::plan::defs::{
    Command, Conditions, Defs, EVERY, HookDefs, JOINED, Node, NodeKind, Place, Policy, TaskDef, Work,
};
use crate::plan::ids::{CommandId, TaskDefId};
use crate::plan::select::{Names, TaskIndex};
use crate::xecfile::model::{
    Capture, CaptureForm, Condition, Copy, Data, End, FileScope, Group, Hooks, Late, On, OnError, Ready, Reference,
    SLOTS, Settings, Step, StepKind, Xecfile,
};

/// What flows down.
#[derive(Clone)]
struct Ambient {
    place: Arc<Place>,
    on_error: OnError,
    priority: i32,
    session: bool,
    pool: Option<u32>,
    interactive: bool,
    leave: bool,
    sample: Option<Duration>,
    /// The places of the limits of the file, by their names.
    limits: Arc<HashMap<Arc<str>, usize>>,
}

impl Ambient {
    fn with(&self, settings: &Settings) -> Self {
        Self {
            place: self.place_with(settings),
            on_error: settings.on_error.as_ref().map_or(self.on_error, |mode| mode.value),
            priority: settings.priority.as_ref().map_or(self.priority, |set| set.value),
            pool: match settings.shell {
                Some(_) => settings.pool.as_ref().map(|set| set.value),
                None => self.pool,
            },
            session: settings.session.as_ref().map_or(self.session, |own| own.value),
            interactive: settings.interactive.as_ref().map_or(self.interactive, |own| own.value),
            leave: settings.leave.as_ref().map_or(self.leave, |own| own.value),
            sample: settings.sample.as_ref().map(|own| own.value).or(self.sample),
            limits: self.limits.clone(),
        }
    }

    /// One place for all that is written in it: most say nothing new.
    fn place_with(&self, settings: &Settings) -> Arc<Place> {
        let Settings { cwd, env, shell, grace, sudo, on, .. } = settings;
        if cwd.is_none() && env.is_empty() && shell.is_none() && grace.is_none() && sudo.is_none() && on.is_none() {
            return self.place.clone();
        }
        let outer = &self.place;
        Arc::new(Place {
            file: outer.file,
            cwd: cwd.clone().or_else(|| outer.cwd.clone()),
            env: match env.is_empty() {
                true => outer.env.clone(),
                false => outer.env.iter().chain(env).cloned().collect(),
            },
            shell: shell.as_ref().map_or_else(|| outer.shell.clone(), |shell| shell.value.as_slice().into()),
            secrets: outer.secrets.clone(),
            grace: grace.clone().or_else(|| outer.grace.clone()),
            remote: on.as_ref().map_or(outer.remote, |on| !matches!(on.value, On::Here)),
            sudo: sudo.as_ref().map(|user| user.value.clone()).or_else(|| outer.sudo.clone()),
        })
    }

    fn conditions(&self, all: &[Condition]) -> Conditions {
        Conditions { all: all.into(), place: self.place.clone() }
    }

    /// The policy of what is written with these settings; `fallback` has what they do not say.
    fn policy(&self, settings: &Settings, fallback: Option<&Settings>) -> Policy {
        fn or<T: Clone>(own: &Option<T>, fallback: Option<&Option<T>>) -> Option<T> {
            own.clone().or_else(|| fallback.cloned().flatten())
        }
        let from = fallback.filter(|_| settings.uses.is_empty()).unwrap_or(settings);
        let held = from.uses.iter();
        let limits = &self.limits;
        Policy {
            on_error: self.on_error,
            optional: or(&settings.optional, fallback.map(|other| &other.optional)),
            timeout: or(&settings.timeout, fallback.map(|other| &other.timeout)),
            jobs: or(&settings.jobs, fallback.map(|other| &other.jobs)),
            uses: held.clone().filter_map(|held| Some((*limits.get(&held.name.value)?, held.count))).collect(),
            weight: held.clone().find(|held| &*held.name.value == SLOTS).map(|held| held.count),
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
                lets: file.files.iter().map(|scope| scope.lets.clone()).collect(),
                secrets: file.files.iter().map(|scope| scope.secrets.clone()).collect(),
                hidden: hidden(file),
                files,
                by_name: HashMap::new(),
            },
        };
        let called = file.limits.iter().map(|limit| limit.name.value.clone());
        let limits = Arc::new(called.zip(0_usize..).collect::<HashMap<_, _>>());
        let shell: Arc<[Template]> = ["sh", "-eu", "-c"].map(Template::plain).into();
        for task in reached {
            let id = file.tasks[*task].file;
            let scope = &file.files[usize::from(id.0)];
            let (env, shell) = (scope.env.as_slice().into(), shell.clone());
            let base = Ambient {
                place: Arc::new(Place {
                    file: id,
                    cwd: None,
                    env,
                    shell,
                    secrets: secrets(scope),
                    grace: None,
                    remote: false,
                    sudo: None,
                }),
                on_error,
                priority: 0,
                session: false,
                pool: None,
                interactive: false,
                leave: false,
                sample: None,
                limits: limits.clone(),
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
        let mut ambient = base.with(&task.settings);
        if task.matrix.as_ref().is_some_and(|matrix| matrix.on().is_some()) {
            ambient.place = Arc::new(Place { remote: true, ..(*ambient.place).clone() });
        }
        let defaults = &self.file.scope(task).defaults;
        let no_hooks = Hooks::default();
        let (set_policy, set_hooks) = match &task.matrix {
            // What the task says of its instances is not said of the set.
            Some(matrix) => (ambient.with(&matrix.settings).policy(&matrix.settings, None), &matrix.hooks),
            None => (Policy::default(), &no_hooks),
        };
        let body: Vec<Node> = task.body.iter().map(|step| self.node(step, &ambient)).collect();
        let hooks = self.hooks(&task.hooks, &ambient);
        let conditions = ambient.conditions(&task.conditions);
        let mut nodes = body.iter().chain(hooks.stages.iter().flatten());
        TaskDef {
            asks_changed: conditions.ask_changed() || nodes.any(Node::asks_changed),
            index: at,
            file: task.file,
            label: Arc::new(TaskLabel {
                task: task.name.value.clone(),
                instance: task.name.value.clone(),
                site: self.defs.site(task.name.span),
            }),
            params: task.params.as_slice().into(),
            after: task.after.iter().filter_map(|other| self.id(other)).collect(),
            body,
            temps: task.temps.iter().map(|temp| temp.value.clone()).collect(),
            service: task.service.clone().map(Arc::new),
            on: task.settings.on.clone(),
            files: Arc::new(task.files.clone()),
            hooks,
            set_hooks: self.hooks(set_hooks, &ambient),
            policy: ambient.policy(&task.settings, Some(defaults)),
            set_policy,
            conditions,
            span: task.name.span,
        }
    }

    /// Of what is reached; a task that `after` names may not be.
    fn id(&self, reference: &Reference) -> Option<TaskDefId> {
        self.ids.get(&self.names.get(&reference.task.value)?).copied()
    }

    fn hooks(&mut self, hooks: &Hooks, ambient: &Ambient) -> HookDefs {
        // What they follow is over, and its shell may be gone.
        let ambient = &Ambient { session: false, ..ambient.clone() };
        let mut stage = |steps: &[Step]| steps.iter().map(|step| self.node(step, ambient)).collect();
        let every = hooks.every.as_ref().map_or(EVERY, |every| every.value);
        HookDefs { stages: hooks.stages().map(|steps| stage(steps)), every }
    }

    /// Groups nest at most as deep as the loader lets braces nest, which is what bounds this recursion.
    fn node(&mut self, step: &Step, outer: &Ambient) -> Node {
        let ambient = outer.with(&step.settings);
        let kind = match &step.kind {
            StepKind::Group(Group::Pipe, steps) => {
                let members: Vec<Command> = steps.iter().filter_map(|step| self.member(step, &ambient)).collect();
                let texts: Vec<&str> = members.iter().map(|member| &*member.text).collect();
                let text = texts.join(" | ");
                NodeKind::Leaf(self.command(step, &ambient, Work::Pipe(members.into()), text.into()))
            }
            StepKind::Group(group, steps) => {
                NodeKind::Group(*group, steps.iter().map(|step| self.node(step, &ambient)).collect())
            }
            StepKind::Reduce(reduce) => {
                let name = reduce.capture.as_ref().map(|name| name.value.clone());
                let step = Step { data: joins(&reduce.step), ..(*reduce.step).clone() };
                NodeKind::Reduce(reduce.list.clone(), reduce.fan_in, name, Box::new(self.node(&step, &ambient)))
            }
            StepKind::Call(callee) => match self.id(callee) {
                Some(id) => NodeKind::Call(id, callee.clone()),
                None => NodeKind::Group(Group::Sequence, Vec::new()),
            },
            StepKind::Barrier => NodeKind::Barrier,
            StepKind::Wait(time) => {
                let text = match time {
                    Late::Now(time) => format!("wait {}", crate::base::duration::show(*time)),
                    Late::Text(text) => format!("wait {text}"),
                };
                NodeKind::Leaf(self.command(
                    step,
                    &ambient,
                    Work::Wait(Spanned::new(time.clone(), step.span)),
                    text.into(),
                ))
            }
            StepKind::Until(ready) => {
                let text = format!("wait {}", until_text(ready));
                NodeKind::Leaf(self.command(step, &ambient, Work::Until(Arc::new(ready.clone())), text.into()))
            }
            StepKind::Copy(copy) => {
                NodeKind::Leaf(self.command(step, &ambient, Work::Copy(Arc::new(copy.clone())), copy_text(copy)))
            }
            StepKind::Run(text) => {
                NodeKind::Leaf(self.command(step, &ambient, Work::Run(text.clone()), run_text(text)))
            }
            StepKind::Exec(words) => {
                NodeKind::Leaf(self.command(step, &ambient, Work::Exec(words.as_slice().into()), exec_text(words)))
            }
        };
        let node = Node {
            kind,
            policy: ambient.policy(&step.settings, None),
            on: place(step),
            conditions: ambient.conditions(&step.conditions),
            hooks: self.hooks(&step.hooks, &ambient),
            span: step.span,
        };
        if matches!(node.kind, NodeKind::Leaf(_)) && !step.hooks.is_empty() { hooked(node) } else { node }
    }

    /// A command of a pipe.
    fn member(&self, step: &Step, outer: &Ambient) -> Option<Command> {
        let ambient = Ambient { interactive: false, ..outer.with(&step.settings) };
        let (work, text) = match &step.kind {
            StepKind::Run(text) => Some((Work::Run(text.clone()), run_text(text))),
            StepKind::Exec(words) => Some((Work::Exec(words.as_slice().into()), exec_text(words))),
            _ => None,
        }?;
        let on = step.settings.on.clone();
        Some(Command { on, ..self.make(step, &ambient, work, text) })
    }

    fn command(&mut self, step: &Step, ambient: &Ambient, work: Work, text: Arc<str>) -> CommandId {
        let id = CommandId(self.defs.commands.len() as u32);
        let command = self.make(step, ambient, work, text);
        self.defs.commands.push(command);
        id
    }

    fn make(&self, step: &Step, ambient: &Ambient, work: Work, text: Arc<str>) -> Command {
        let names = if let Work::Run(script) = &work { ambient.place.names_in(script) } else { Vec::new() };
        Command {
            on: None,
            pool: ambient.pool.filter(|_| matches!(work, Work::Run(_))),
            session: ambient.session && !ambient.interactive && !ambient.leave && matches!(work, Work::Run(_)),
            interactive: ambient.interactive && !matches!(work, Work::Pipe(_) | Work::Copy(_)),
            leave: ambient.leave && !matches!(work, Work::Copy(_)),
            sample: ambient.sample,
            work,
            text,
            site: self.defs.site(step.span),
            span: step.span,
            place: ambient.place.clone(),
            names: names.into(),
            priority: ambient.priority,
            capture: step.data.capture.clone(),
            status: step.data.status.clone(),
            stdin: step.data.stdin.clone(),
            stdout: step.data.stdout.clone(),
            args: step.data.args.clone(),
        }
    }
}

/// The names of the secrets of a file.
fn secrets(file: &FileScope) -> Arc<[Arc<str>]> {
    file.secrets.iter().map(|secret| secret.name.value.clone()).collect()
}

/// Those of all files, each once.
fn hidden(file: &Xecfile) -> Arc<[Arc<str>]> {
    let names: BTreeSet<Arc<str>> = file.files.iter().flat_map(|scope| secrets(scope).to_vec()).collect();
    names.into_iter().collect()
}

/// The data of a step that makes one item of many: its stdout is kept for that.
fn joins(step: &Step) -> Data {
    let name = Spanned::new(Arc::from(JOINED), step.span);
    Data { capture: Some(Capture { name, form: CaptureForm::Text }), ..step.data.clone() }
}

/// A leaf with hooks is a sequence of one, whose hooks and policies they are.
fn hooked(node: Node) -> Node {
    let conditions = Conditions { all: Arc::from([]), ..node.conditions.clone() };
    let inner = Node { policy: Policy::default(), on: None, conditions, hooks: HookDefs::default(), ..node.clone() };
    Node { kind: NodeKind::Group(Group::Sequence, vec![inner]), ..node }
}

fn until_text(ready: &Ready) -> String {
    match ready {
        Ready::Tcp(text) => format!("tcp={}", text.value),
        Ready::Http(text) => format!("http={}", text.value),
        Ready::Exists(text) => format!("exists={}", text.value),
        Ready::Run(text) | Ready::Log(text) => text.value.trim().to_owned(),
    }
}

/// Where a step runs, if it says so: a copy does by its ends.
fn place(step: &Step) -> Option<Spanned<On>> {
    match &step.kind {
        StepKind::Copy(copy) => copy.place().map(|host| Spanned::new(On::Hosts(host.clone()), host.span)),
        _ => step.settings.on.clone(),
    }
}

fn copy_text(copy: &Copy) -> Arc<str> {
    let spelled = |end: &End| end.spelled().collect::<Vec<_>>().join(" ");
    format!("copy {} to {}", spelled(&copy.from), spelled(&copy.to)).into()
}

fn run_text(script: &Arc<str>) -> Arc<str> {
    script.trim().into()
}

fn exec_text(words: &[Spanned<Template>]) -> Arc<str> {
    // What has no hole shows as the program will see it.
    let shown = |word: &Template| word.as_text().map_or_else(|| word.to_string(), |text| text.to_string());
    let line: Vec<String> = words.iter().map(|word| shown(&word.value)).collect();
    line.join(" ").into()
}
