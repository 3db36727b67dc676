//! From names to tasks: which ones a request reaches, and by which words.

use std::collections::HashMap;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::base::source::Span;
use crate::xecfile::model::{Reference, Step, StepKind, Task, Xecfile};

/// A task by its place in the file.
pub type TaskIndex = usize;

/// The word by which one task names another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Tie {
    /// `needs`.
    Needs,
    /// `after`.
    After,
    /// `call`.
    Call,
}

/// One task naming another.
#[derive(Clone, Copy, Debug)]
pub struct Mention {
    /// Who names.
    pub from: TaskIndex,
    /// Who is named.
    pub to: TaskIndex,
    /// By which word.
    pub tie: Tie,
    /// Where.
    pub span: Span,
}

/// Names of tasks to their places.
#[derive(Debug)]
pub struct Names<'f> {
    file: &'f Xecfile,
    places: HashMap<&'f str, TaskIndex>,
}

impl<'f> Names<'f> {
    /// Of one file.
    pub fn new(file: &'f Xecfile) -> Self {
        let places = file.tasks.iter().enumerate().map(|(at, task)| (&*task.name.value, at)).collect();
        Self { file, places }
    }

    /// The task of a name.
    pub fn get(&self, name: &str) -> Option<TaskIndex> {
        self.places.get(name).copied()
    }

    /// The tasks asked for on the command line.
    ///
    /// # Errors
    /// One problem for each name that no task has, with the nearest ones.
    pub fn request<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<TaskIndex>, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut found = Vec::new();
        for name in names.iter().map(AsRef::as_ref) {
            match self.get(name) {
                Some(at) if found.contains(&at) => {}
                Some(at) => found.push(at),
                None => problems.push(self.unknown(name)),
            }
        }
        if problems.is_empty() { Ok(found) } else { Err(problems) }
    }

    fn unknown(&self, name: &str) -> Problem {
        let names = self.file.tasks.iter().map(|task| &*task.name.value);
        let help = did_you_mean(name, names).unwrap_or_else(|| "`xec -l` lists the tasks of this file".to_owned());
        Problem::error(Code::UnknownTask, format!("there is no task `{name}`")).help(help)
    }

    /// All that one task names, in the order of the file. A name that no task has is left out: the file's own
    /// check has spoken of it.
    pub fn mentions(&self, from: TaskIndex) -> Vec<Mention> {
        let task: &Task = &self.file.tasks[from];
        let mut found = Vec::new();
        let mut add = |reference: &Reference, tie| {
            if let Some(to) = self.get(&reference.task.value) {
                found.push(Mention { from, to, tie, span: reference.task.span });
            }
        };
        task.needs.iter().for_each(|need| add(need, Tie::Needs));
        task.after.iter().for_each(|other| add(other, Tie::After));
        let mut open: Vec<&Step> = task.body.iter().rev().collect();
        while let Some(step) = open.pop() {
            match &step.kind {
                StepKind::Call(callee) => add(callee, Tie::Call),
                StepKind::Sequence(steps) | StepKind::Parallel(steps) => open.extend(steps.iter().rev()),
                StepKind::Run(_) | StepKind::Exec(_) => {}
            }
        }
        found
    }

    /// What the tasks reach by `needs` and `call`, themselves first, and every mention among these.
    pub fn reach(&self, from: &[TaskIndex]) -> (Vec<TaskIndex>, Vec<Mention>) {
        let mut seen = vec![false; self.file.tasks.len()];
        let mut reached = Vec::new();
        for at in from.iter().copied() {
            if !std::mem::replace(&mut seen[at], true) {
                reached.push(at);
            }
        }
        let mut mentions = Vec::new();
        let mut next = 0;
        while let Some(at) = reached.get(next).copied() {
            next += 1;
            for mention in self.mentions(at) {
                if mention.tie != Tie::After && !std::mem::replace(&mut seen[mention.to], true) {
                    reached.push(mention.to);
                }
                mentions.push(mention);
            }
        }
        mentions.retain(|mention| seen[mention.to]);
        (reached, mentions)
    }
}
