//! From an instance in its plan to what the cache is asked about it: its patterns filled, and a fact for each step,
//! value and variable that decides. Knows nothing of files and records.

mod said;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::path::{clean, inside};
use crate::base::source::Spanned;
use crate::base::value::{Part, Template};
use crate::cache::digest::{Digest, Mixer};
use crate::cache::inputs::escape;
use crate::cache::key::{Entry, Kind};
use crate::cache::ledger::Id;
use crate::cache::task::Task;
use crate::plan::defs::{Command, Conditions, TaskDef};
use crate::plan::graph::{Guard, Plan, Target, Vertex};
use crate::plan::ids::{InstanceId, LeafId, ScopeId, VertexId};
use crate::plan::values::{Bound, Known, Value};
use crate::run::command::{self, Surroundings};
use crate::run::facts::said::{add_command, add_condition, parts, template};
use crate::run::values::Store;
use crate::xecfile::model::Late;

/// Words in the name of a variable that its value is nobody's business.
const DELICATE: [&str; 6] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "KEY"];

/// What facts are made of.
#[derive(Clone, Copy)]
pub struct Facts<'f> {
    /// The plan.
    pub plan: &'f Plan,
    /// The values, as they are now.
    pub store: &'f Store,
    /// What surrounds the run.
    pub around: &'f Surroundings,
    /// The instance that is asked about.
    pub id: InstanceId,
}

/// The leaves in a scope, hooks and all.
pub fn leaves(plan: &Plan, scope: ScopeId) -> impl Iterator<Item = LeafId> + '_ {
    plan.scope(scope).vertices.clone().filter_map(|vertex| match plan.vertices[vertex as usize] {
        Vertex::Leaf(leaf) => Some(leaf),
        _ => None,
    })
}

/// The instances in a scope, its own first.
pub fn instances(plan: &Plan, scope: ScopeId) -> impl Iterator<Item = InstanceId> + '_ {
    plan.scope(scope).vertices.clone().filter_map(|vertex| match plan.vertices[vertex as usize] {
        Vertex::Enter(inner) => plan.scope(inner).instance(),
        _ => None,
    })
}

/// What is asked of the scopes in a scope. What is asked of itself comes before all that is known of it.
fn asked(plan: &Plan, around: ScopeId) -> impl Iterator<Item = (ScopeId, &Conditions)> {
    plan.scope(around).vertices.clone().filter_map(move |vertex| match plan.vertices[vertex as usize] {
        Vertex::Enter(scope) if scope != around => match &plan.scope(scope).guard {
            Guard::Ask(conditions) => Some((scope, conditions)),
            _ => None,
        },
        _ => None,
    })
}

impl<'f> Facts<'f> {
    fn def(&self) -> &'f TaskDef {
        self.plan.task_of(self.id)
    }

    /// The names that have to have values before anything can be said: of `let`s, above all.
    pub fn names(&self) -> Vec<(InstanceId, Vec<Arc<str>>)> {
        let files = &self.def().files;
        let mut own: Vec<Arc<str>> = Vec::new();
        let texts = files.inputs.iter().chain(&files.outputs);
        let key = files.cache.iter().filter_map(|cache| cache.key.as_ref());
        texts
            .chain(key)
            .chain(&self.def().conditions.place.cwd)
            .for_each(|text| own.extend(text.value.names().cloned()));
        let mut all = vec![(self.id, own)];
        let scope = self.plan.instance(self.id).scope;
        for leaf in leaves(self.plan, scope) {
            let command = self.plan.command(leaf);
            // What is hidden decides nothing, so it is not asked for.
            let mut names = command.value_names();
            names.retain(|name| !command.place.secrets.contains(name));
            all.push((self.plan.leaf(leaf).instance, names));
        }
        for (asked, conditions) in asked(self.plan, scope) {
            let mut names = conditions.value_names();
            names.retain(|name| !conditions.place.secrets.contains(name));
            all.extend(self.plan.instance_for(asked).map(|id| (id, names)));
        }
        for id in instances(self.plan, scope) {
            let instance = self.plan.instance(id);
            if let Some(caller) = instance.caller {
                for (_, bound) in instance.inputs.iter() {
                    if let Bound::Late(text) = bound {
                        all.push((caller, text.value.names().cloned().collect()));
                    }
                }
            }
        }
        all
    }

    /// All of it, but for what others made.
    ///
    /// # Errors
    /// A pattern or a setting names a value that is not there: in words.
    pub fn task(&self, force: bool) -> Result<Task, String> {
        let def = self.def();
        let files = &def.files;
        let dir = &self.plan.defs.dirs[usize::from(def.file.0)];
        let scope = self.plan.instance(self.id).scope;
        let cwd = match &def.conditions.place.cwd {
            // On a host that is a directory there, and its files are none of ours.
            Some(cwd) if self.plan.scope(scope).target == Target::Here => dir.join(self.flat(cwd)?),
            _ => dir.clone(),
        };
        let root = &self.plan.defs.root;
        let base = if inside(root, &cwd).is_some() { root.clone() } else { dir.clone() };
        let mut facts = Vec::new();
        if let Some(key) = files.cache.as_ref().and_then(|cache| cache.key.as_ref()) {
            facts.push(Entry::text(Kind::Key, "", &self.flat(key)?));
        }
        self.steps(&mut facts);
        let source = source(self.plan);
        Ok(Task {
            id: Id::new(&source, &self.plan.instance(self.id).label.instance),
            name: self.plan.instance(self.id).label.instance.clone(),
            base,
            state: self.around.state(),
            cwd: clean(&cwd),
            inputs: self.patterns(&files.inputs)?,
            gitignore: files.gitignore,
            outputs: self.patterns(&files.outputs)?,
            facts,
            needed: Vec::new(),
            cached: files.cache.is_some(),
            ttl: self.ttl()?,
            force,
        })
    }

    fn ttl(&self) -> Result<Option<Duration>, String> {
        let ttl = self.def().files.cache.as_ref().and_then(|cache| cache.ttl.as_ref());
        let Some(Spanned { value, span }) = ttl else { return Ok(None) };
        match value {
            Late::Now(ttl) => Ok(Some(*ttl)),
            Late::Text(text) => {
                let text = self.flat(&Spanned::new(text.clone(), *span))?;
                crate::base::duration::parse(&text).map(Some).map_err(|_| format!("`{text}` is no duration for `ttl`"))
            }
        }
    }

    fn value(&self, text: &Spanned<Template>) -> Result<Option<Value>, String> {
        let scope = self.store.scope(self.plan, self.around, self.id);
        scope.text(text).map_err(|name| format!("`{name}` has no value here"))
    }

    fn flat(&self, text: &Spanned<Template>) -> Result<String, String> {
        Ok(self.value(text)?.map(|value| value.flat()).unwrap_or_default())
    }

    /// Patterns, filled. What a value holds means itself, unless the file says it in a `let`: names of files are
    /// not patterns.
    fn patterns(&self, texts: &[Spanned<Template>]) -> Result<Vec<String>, String> {
        let mut all = Vec::new();
        for text in texts {
            if let Some(name) = text.value.bare_hole()
                && let Some(Value::List(items)) = self.value(text)?
            {
                let own = self.is_pattern(name);
                all.extend(items.iter().map(|item| if own { item.to_string() } else { escape(item) }));
                continue;
            }
            let mut whole = String::new();
            for part in text.value.parts.iter() {
                let piece = || self.flat(&Spanned::new(Template { parts: [part.clone()].into() }, text.span));
                match part {
                    Part::Text(text) => whole.push_str(text),
                    Part::Hole { name, .. } if self.is_pattern(name) => whole.push_str(&piece()?),
                    Part::Hole { .. } => whole.push_str(&escape(&piece()?)),
                }
            }
            all.push(whole);
        }
        Ok(all)
    }

    /// Whether a value is written in the file, as `let name value`.
    fn is_pattern(&self, name: &str) -> bool {
        let given = self.plan.instance(self.id).inputs.iter().any(|(given, _)| **given == *name);
        let file = self.plan.files.get(usize::from(self.def().file.0));
        !given && matches!(file.and_then(|file| file.get(name)), Some(Known::Value(_)))
    }

    /// A fact for each step in it and for all that these name.
    fn steps(&self, facts: &mut Vec<Entry>) {
        let own = self.plan.instance(self.id);
        for (at, leaf) in leaves(self.plan, own.scope).enumerate() {
            let command = self.plan.command(leaf);
            let first = command.text.lines().next().unwrap_or_default();
            let mut step = Entry::text(Kind::Step, &format!("{at:06}"), first);
            step.digest = self.step(leaf, command);
            facts.push(step);
            facts.extend(self.place(leaf));
            let vertex = self.plan.leaf(leaf).vertex;
            self.values((self.plan.leaf(leaf).instance, vertex), &command.value_names(), facts);
            self.variables(leaf, command, facts);
        }
        for (scope, conditions) in asked(self.plan, own.scope) {
            if let Some(id) = self.plan.instance_for(scope) {
                self.values((id, self.plan.scope(scope).enter), &conditions.value_names(), facts);
            }
        }
    }

    /// Where a step runs that runs on a host: what was done to one machine is not done to the one in its place. Which one
    /// of several is picked decides nothing.
    fn place(&self, leaf: LeafId) -> Option<Entry> {
        let Target::Host(host) = self.plan.scope(self.plan.leaf(leaf).scope).target else { return None };
        let host = self.plan.host(host);
        let address = host.address.as_ref().unwrap_or(&host.name.value);
        let port = host.port.map(|port| format!(":{port}")).unwrap_or_default();
        let user = host.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let text = format!("{user}{address}{port}");
        Some(Entry::text(Kind::Value, &format!("host {}", host.name.value), &text))
    }

    fn step(&self, leaf: LeafId, command: &Command) -> Digest {
        let mut said = Mixer::default();
        for part in parts(command) {
            add_command(part, &mut said);
        }
        let own = self.plan.instance(self.id).scope;
        for scope in self.plan.outward(self.plan.leaf(leaf).scope).take_while(|scope| *scope != own) {
            if let Guard::Ask(conditions) = &self.plan.scope(scope).guard {
                conditions.all.iter().for_each(|condition| add_condition(condition, &mut said));
            }
        }
        said.finish()
    }

    /// The values that a step or its conditions name, as far as they are there: what an earlier step will make is
    /// decided by that.
    fn values(&self, (id, at): (InstanceId, VertexId), names: &[Arc<str>], facts: &mut Vec<Entry>) {
        let temps = &self.plan.task_of(id).temps;
        let scope = self.store.scope(self.plan, self.around, id).seen_from(at);
        for name in names {
            if let Some(variable) = name.strip_prefix("env.") {
                let text = self.around.variable(variable).unwrap_or_default();
                facts.push(shown(Entry::text(Kind::Env, variable, &text)));
                continue;
            }
            let is_temp = temps.iter().any(|temp| **temp == **name || *temp.replace('-', "_") == **name);
            if let Some(value) = scope.spelled(name).filter(|_| !is_temp) {
                facts.push(self.value_fact(name, &value.flat()));
            }
        }
        if id != self.id {
            self.given(id, facts);
        }
    }

    /// What a called instance is given, as far as it is known: the caller's steps say it, whether its own name it or
    /// not.
    fn given(&self, id: InstanceId, facts: &mut Vec<Entry>) {
        let instance = self.plan.instance(id);
        let Some(caller) = instance.caller else { return };
        let enter = self.plan.scope(instance.scope).enter;
        let scope = self.store.scope(self.plan, self.around, caller).seen_from(enter);
        for (name, bound) in instance.inputs.iter() {
            let value = match bound {
                Bound::Static(value) => value.flat(),
                Bound::Late(text) => {
                    let value = scope.text(text).ok().flatten().map(|value| value.flat());
                    value.unwrap_or_else(|| template(&text.value))
                }
                Bound::Item => continue,
            };
            facts.push(self.value_fact(name, &value));
        }
    }

    /// A value, untold where it holds a secret.
    fn value_fact(&self, name: &str, text: &str) -> Entry {
        let fact = Entry::text(Kind::Value, name, text);
        let hidden = self.store.secrets.masks.find(text.as_bytes());
        Entry { shown: fact.shown.filter(|_| !hidden), ..fact }
    }

    fn variables(&self, leaf: LeafId, command: &Command, facts: &mut Vec<Entry>) {
        for part in parts(command) {
            let declared = command::variables(self.plan, leaf, part, self.around, self.store);
            for (entry, value) in part.place.env.iter().zip(declared) {
                let text = value.unwrap_or_else(|| template(&entry.value.value));
                facts.push(shown(Entry::text(Kind::Env, &entry.name.value, &text)));
            }
        }
        let declared = self.around.dotenv(command.place.file);
        for (name, value) in declared.filter(|(name, _)| !self.plan.defs.hidden.contains(name)) {
            // What is in such a file is often a secret.
            facts.push(Entry::digest(Kind::Env, name.as_bytes(), Digest::of(value.as_bytes())));
        }
    }
}

/// The same, with its value untold where it may be a secret.
fn shown(mut entry: Entry) -> Entry {
    let name = String::from_utf8_lossy(&entry.name).to_ascii_uppercase();
    if DELICATE.iter().any(|word| name.contains(word)) {
        entry.shown = None;
    }
    entry
}

/// The file that was asked for, by its name: a state can serve several.
pub fn source(plan: &Plan) -> Arc<str> {
    let source = plan.defs.sources.iter().next().map(|source| source.path.clone()).unwrap_or_default();
    source.file_name().unwrap_or_default().to_string_lossy().into()
}

/// What each instance needs, for those that want to know.
pub fn needs(plan: &Plan) -> HashMap<InstanceId, Vec<InstanceId>> {
    let mut needs: HashMap<InstanceId, Vec<InstanceId>> = HashMap::new();
    for link in plan.links.iter().filter(|link| link.kind == crate::plan::graph::LinkKind::Needs) {
        if let Some(from) = link.from {
            needs.entry(from).or_default().push(link.to);
        }
    }
    needs
}
