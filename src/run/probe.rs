//! Questions that are asked while a run goes on: whether a scope has to run, and what a `let` comes to. Their
//! scripts are processes like any other, and are ended like any other; nobody is shown what they write, unless
//! they fail.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use crate::base::command::{CommandSpec, Outcome};
use crate::base::event::{JobId, Message};
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::exec::output::OutputTx;
use crate::exec::{JobCx, Target};
use crate::plan::graph::Plan;
use crate::plan::ids::{InstanceId, ScopeId};
use crate::plan::values::Value;
use crate::run::command::{self, Surroundings};
use crate::run::job::News;
use crate::run::values::{Scope, Store};
use crate::xecfile::model::{Condition, FileId, PredicateKind};

/// A script that answers.
pub struct Question {
    /// What to run.
    pub spec: CommandSpec,
    /// Its exit code is the answer, whichever it is; else anything but 0 is an error.
    pub by_code: bool,
}

/// What a script said: its code, and its stdout.
pub type Said = Result<(i32, Vec<u8>), String>;

/// Runs a script to its end, and says what came of it whatever happens; hands out the way to end it as soon as there is
/// one.
pub async fn ask(question: Question, target: Rc<dyn Target>, job: JobId, news: UnboundedSender<News>) {
    let mut guard = Guard { job, said: Err("xec lost track of it".to_owned()), news };
    guard.said = answer(question, target, job, &guard.news).await;
}

/// Says the last word of a question, so that no run waits for one that is not there.
struct Guard {
    job: JobId,
    said: Said,
    news: UnboundedSender<News>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let said = std::mem::replace(&mut self.said, Err(String::new()));
        // Without a dispatcher there is no run.
        let _ = self.news.send(News::Answered(self.job, said));
    }
}

async fn answer(question: Question, target: Rc<dyn Target>, job: JobId, news: &UnboundedSender<News>) -> Said {
    let (output, mut messages) = OutputTx::pair();
    let started = target.start(question.spec, JobCx::new(job, output)).await;
    let running = started.map_err(|why| why.to_string())?;
    // Without a dispatcher there is nobody who could want to end it.
    let _ = news.send(News::Asked(job, running.control));
    let finished = running.done.await;
    let mut complaint = Vec::new();
    while let Ok(message) = messages.try_recv() {
        if let Message::Output(output) = message {
            complaint.extend_from_slice(&output.bytes);
        }
    }
    let code = match finished.outcome {
        Outcome::Exited(code) if code == 0 || question.by_code => code,
        outcome => {
            let text = String::from_utf8_lossy(&complaint);
            let last = text.trim_end().lines().last().unwrap_or_default();
            return Err(format!("it ended with {}: {last}", outcome.code()));
        }
    };
    Ok((code, finished.captures.stdout.map(|bytes| bytes.to_vec()).unwrap_or_default()))
}

/// What conditions come to, as far as that can be said without a script; else the scripts to ask, by line.
pub struct Probe {
    conditions: Arc<[Condition]>,
    /// For each condition and line: what it came to.
    lines: Vec<Vec<Option<bool>>>,
}

impl Probe {
    /// Looks at all lines but those that ask a script.
    ///
    /// # Errors
    /// A line names a value that is not there.
    pub fn look(conditions: &Arc<[Condition]>, world: &World<'_>) -> Result<Self, String> {
        let mut lines = Vec::new();
        for condition in conditions.iter() {
            let answers: Result<Vec<Option<bool>>, String> =
                condition.lines.iter().map(|line| world.holds(&line.kind)).collect();
            lines.push(answers?);
        }
        Ok(Self { conditions: conditions.clone(), lines })
    }

    /// The next script that has to be asked, if the answer is still open.
    pub fn next(&self) -> Option<(usize, usize, Arc<str>)> {
        if self.answer().is_some() {
            return None;
        }
        self.conditions.iter().enumerate().find_map(|(at, condition)| {
            // An answer that is there already is not asked for again.
            if self.settled(at).is_some() {
                return None;
            }
            condition.lines.iter().enumerate().find_map(|(line, predicate)| {
                match (&predicate.kind, self.lines[at][line]) {
                    (PredicateKind::Run(script), None) => Some((at, line, script.value.clone())),
                    _ => None,
                }
            })
        })
    }

    /// A script has answered.
    pub fn set(&mut self, condition: usize, line: usize, holds: bool) {
        self.lines[condition][line] = Some(holds);
    }

    fn settled(&self, at: usize) -> Option<bool> {
        let lines = &self.lines[at];
        let negate = self.conditions[at].negate;
        if lines.contains(&Some(false)) {
            return Some(negate);
        }
        lines.iter().all(Option::is_some).then_some(!negate)
    }

    /// What all of it comes to, if that can be said.
    pub fn answer(&self) -> Option<bool> {
        let settled: Vec<Option<bool>> = (0..self.lines.len()).map(|at| self.settled(at)).collect();
        if settled.contains(&Some(false)) {
            return Some(false);
        }
        settled.iter().all(Option::is_some).then_some(true)
    }
}

/// What a line can ask of the world without a script.
pub struct World<'w> {
    /// The values of the instance.
    pub scope: Scope<'w>,
    /// The environment.
    pub around: &'w Surroundings,
    /// The directory that paths are against.
    pub dir: &'w Path,
}

impl World<'_> {
    fn flat(&self, text: &Spanned<Template>) -> Result<String, String> {
        match self.scope.text(text) {
            Ok(value) => Ok(value.map(|value| value.flat()).unwrap_or_default()),
            Err(name) => Err(format!("`{name}` has no value here")),
        }
    }

    fn any(&self, texts: &[Spanned<Template>], fits: impl Fn(&str) -> bool) -> Result<Option<bool>, String> {
        for text in texts {
            if fits(&self.flat(text)?) {
                return Ok(Some(true));
            }
        }
        Ok(Some(false))
    }

    fn holds(&self, kind: &PredicateKind) -> Result<Option<bool>, String> {
        match kind {
            PredicateKind::Os(names) => self.any(names, |name| name == std::env::consts::OS),
            PredicateKind::Arch(names) => self.any(names, |name| name == std::env::consts::ARCH),
            PredicateKind::Env(name, wanted) => {
                let have = self.around.variable(&self.flat(name)?).unwrap_or_default();
                if wanted.is_empty() { Ok(Some(!have.is_empty())) } else { self.any(wanted, |text| text == have) }
            }
            PredicateKind::Equal(one, others) => {
                let one = self.flat(one)?;
                self.any(others, |other| other == one)
            }
            PredicateKind::Exists(paths) => self.any(paths, |path| exists(self.dir, path)),
            PredicateKind::Command(programs) => self.any(programs, |program| self.on_path(program)),
            PredicateKind::Run(_) => Ok(None),
        }
    }

    fn on_path(&self, program: &str) -> bool {
        let executable = |path: &Path| {
            use std::os::unix::fs::PermissionsExt as _;
            path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        };
        if program.contains('/') {
            return executable(&self.dir.join(program));
        }
        let path = self.around.env.get(std::ffi::OsStr::new("PATH")).cloned().unwrap_or_default();
        std::env::split_paths(&path).any(|dir| executable(&dir.join(program)))
    }
}

/// Whether there is such a path, or one that matches.
pub fn exists(dir: &Path, pattern: &str) -> bool {
    if !pattern.contains(['*', '?', '[']) {
        return dir.join(pattern).symlink_metadata().is_ok();
    }
    let whole = dir.join(pattern);
    glob::glob(&whole.to_string_lossy()).is_ok_and(|mut found| found.next().is_some())
}

/// The script of a line of a scope's conditions.
pub fn question(plan: &Plan, scope: ScopeId, script: &Arc<str>, around: &Surroundings, store: &Store) -> Question {
    let (enter, instance) = (plan.scope(scope).enter, plan.instance_for(scope));
    let file = instance.map_or(FileId(0), |id| plan.defs.tasks[plan.instance(id).def.index()].file);
    Question { spec: command::script(plan, file, instance.map(|id| (id, enter)), script, around, store), by_code: true }
}

/// The script of a `let`.
pub fn let_question(plan: &Plan, file: FileId, script: &Arc<str>, around: &Surroundings, store: &Store) -> Question {
    Question { spec: command::script(plan, file, None, script, around, store), by_code: false }
}

/// The value of a `let` from what its script said.
///
/// # Errors
/// It is not UTF-8.
pub fn let_value(said: (i32, Vec<u8>)) -> Result<Value, String> {
    let text = String::from_utf8(said.1).map_err(|why| format!("it is not UTF-8: {why}"))?;
    Ok(Value::text(text.trim_end_matches(['\n', '\r'])))
}

/// The `let`s that a leaf's command names and that are still to be asked for.
pub fn missing_lets(
    plan: &Plan,
    instance: InstanceId,
    names: &[Arc<str>],
    known: impl Fn(FileId, &str) -> bool,
) -> Vec<(FileId, Arc<str>, Arc<str>)> {
    let file = plan.defs.tasks[plan.instance(instance).def.index()].file;
    let scripts = plan.defs.lets.get(usize::from(file.0)).into_iter().flatten();
    let named = |name: &str| names.iter().any(|word| **word == *name || word.replace('_', "-") == name);
    scripts
        .filter(|(name, _)| named(name) && !known(file, name))
        .map(|(name, script)| (file, name.clone(), script.clone()))
        .collect()
}
