//! From names to tasks: which ones a request reaches, and by which words.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::base::source::Span;
use crate::plan::matrix::Filter;
use crate::xecfile::model::{Hooks, Reference, Step, StepKind, Task, Xecfile};

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
        let mut places = HashMap::new();
        for (at, task) in file.tasks.iter().enumerate() {
            let aliases = task.aliases.iter().map(|alias| &*alias.value);
            places.extend(aliases.chain([&*task.name.value]).map(|name| (name, at)));
        }
        Self { file, places }
    }

    /// The task of a name or an alias.
    pub fn get(&self, name: &str) -> Option<TaskIndex> {
        // `:x` is the root's.
        self.places.get(name.strip_prefix(':').unwrap_or(name)).copied()
    }

    /// The task of a selector that names one.
    pub fn named(&self, selector: &str) -> Option<&'f Task> {
        let name = selector.split_once('[').map_or(selector, |(name, _)| name);
        self.get(name).map(|at| &self.file.tasks[at])
    }

    /// The tasks that a selector means, with the combinations it asks of each: `build`, `test[os=linux]`, `*:test`.
    ///
    /// # Errors
    /// No task has that name, with the nearest ones; it is private; the brackets make no sense.
    pub fn select(&self, selector: &str) -> Result<(Vec<TaskIndex>, Filter), Box<Problem>> {
        let (name, brackets) = match selector.split_once('[') {
            Some((name, rest)) => (name, Some(rest)),
            None => (selector, None),
        };
        let filter = match brackets {
            Some(rest) => brackets_of(rest).ok_or_else(|| {
                let message = format!("`{selector}` is no selector");
                let help = format!("write the axes it should have: '{name}[axis=value,…]'");
                Box::new(Problem::error(Code::Usage, message).help(help))
            })?,
            None => Filter::new(),
        };
        if name.contains('*') {
            let public = |task: &&Task| !task.private && glob(name, &task.name.value);
            let found: Vec<TaskIndex> =
                self.file.tasks.iter().filter(public).filter_map(|task| self.get(&task.name.value)).collect();
            return if found.is_empty() { Err(Box::new(self.unknown(name))) } else { Ok((found, filter)) };
        }
        match self.get(name) {
            Some(at) if self.file.tasks[at].private => {
                let task = &self.file.tasks[at];
                let problem = Problem::error(Code::PrivateTask, format!("the task `{name}` is private"));
                Err(Box::new(problem.at(task.name.span, "it is declared so").help("only other tasks may use it")))
            }
            Some(at) => Ok((vec![at], filter)),
            None => Err(Box::new(self.unknown(name))),
        }
    }

    fn unknown(&self, name: &str) -> Problem {
        let public = self.file.tasks.iter().filter(|task| !task.private);
        let names = public.flat_map(|task| task.aliases.iter().map(|alias| &*alias.value).chain([&*task.name.value]));
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
        let mut open: Vec<&Step> = Vec::new();
        let of_hooks = |hooks: &'f Hooks, open: &mut Vec<&'f Step>| {
            open.extend(hooks.stages().into_iter().flatten().rev());
        };
        if let Some(matrix) = &self.file.tasks[from].matrix {
            of_hooks(&matrix.hooks, &mut open);
        }
        of_hooks(&self.file.tasks[from].hooks, &mut open);
        open.extend(self.file.tasks[from].body.iter().rev());
        while let Some(step) = open.pop() {
            of_hooks(&step.hooks, &mut open);
            match &step.kind {
                StepKind::Call(callee) => add(callee, Tie::Call),
                other => open.extend(other.steps().iter().rev()),
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

/// What stands in the brackets of a selector, the opening one gone.
fn brackets_of(rest: &str) -> Option<Filter> {
    let inner = rest.strip_suffix(']')?;
    let mut filter = Filter::new();
    let mut left = inner;
    while !left.is_empty() {
        let (name, value) = left.split_once('=')?;
        let (value, more): (Arc<str>, &str) = if value.starts_with('"') {
            let mut stream = serde_json::Deserializer::from_str(value).into_iter::<String>();
            let text = stream.next()?.ok()?;
            (text.into(), &value[stream.byte_offset()..])
        } else {
            let end = value.find(',').unwrap_or(value.len());
            (value[..end].into(), &value[end..])
        };
        filter.push((name.trim().into(), value));
        left = match more.strip_prefix(',') {
            Some(next) => next,
            None if more.is_empty() => more,
            None => return None,
        };
    }
    Some(filter)
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn glob(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_hold_axes() {
        let filter = brackets_of(r#"os=linux,py="3, 12"]"#).expect("a filter");
        let pairs: Vec<(&str, &str)> = filter.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(pairs, [("os", "linux"), ("py", "3, 12")]);
        assert!(brackets_of("os=linux").is_none() && brackets_of("os]").is_none());
    }

    #[test]
    fn stars_stand_for_anything() {
        assert!(glob("*:test", "api:test") && glob("a*c*", "abcd") && glob("*", ""));
        assert!(!glob("*:test", "test") && !glob("ab*ba", "aba"));
    }
}
