//! From names to tasks: which ones a request reaches, and by which words.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::base::selector::Selector;
use crate::base::source::Span;
use crate::plan::matrix::Filter;
use crate::xecfile::model::{HOST_AXIS, Hooks, Reference, Step, StepKind, Task, Xecfile, select};

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
        let name = parts(selector).0;
        self.get(name).map(|at| &self.file.tasks[at])
    }

    /// The tasks that a selector means, with the combinations it asks of each: `build`, `test[os=linux]`, `*:test`.
    ///
    /// # Errors
    /// No task has that name, with the nearest ones; it is private; the brackets make no sense.
    pub fn select(&self, selector: &str) -> Result<(Vec<TaskIndex>, Filter), Box<Problem>> {
        let (name, hosts, brackets) = parts(selector);
        let mut filter = match brackets {
            Some(rest) => brackets_of(rest).ok_or_else(|| {
                let message = format!("`{selector}` is no selector");
                let help = format!("write the axes it should have: '{name}[axis=value,…]'");
                Box::new(Problem::error(Code::Usage, message).help(help))
            })?,
            None => Filter::new(),
        };
        if let Some(hosts) = hosts {
            filter.push((HOST_AXIS.into(), self.hosts(hosts)?));
        }
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

    /// The hosts that a selector on the command line means.
    fn hosts(&self, text: &str) -> Result<Vec<Arc<str>>, Box<Problem>> {
        let selector = Selector::parse(text)
            .map_err(|bad| Box::new(Problem::error(Code::Usage, format!("`{text}` selects no hosts: {}", bad.why))))?;
        let found = select(&self.file.hosts, &selector, text)
            .map_err(|none| Box::new(Problem::error(Code::UnknownHost, none.message).help(none.help)))?;
        Ok(found.into_iter().map(|at| self.file.hosts[at].name.value.clone()).collect())
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

/// The name, the hosts and the brackets of a selector: `deploy@web*`, `deploy@web1[region=eu]`, or the other way round.
/// The opening bracket is gone. Brackets without a `=` are a range of hosts.
fn parts(selector: &str) -> (&str, Option<&str>, Option<&str>) {
    let end = selector.find(['@', '[']).unwrap_or(selector.len());
    let (name, rest) = selector.split_at(end);
    if let Some(brackets) = rest.strip_prefix('[') {
        return match brackets.rfind("]@") {
            Some(end) => (name, Some(&brackets[end + 2..]), Some(&brackets[..=end])),
            None => (name, None, Some(brackets)),
        };
    }
    let Some(hosts) = rest.strip_prefix('@') else { return (name, None, None) };
    let is_axes = |at: &usize| hosts[*at..].split(']').next().is_some_and(|inner| inner.contains('='));
    match hosts.match_indices('[').map(|(at, _)| at).find(is_axes) {
        Some(at) => (name, Some(&hosts[..at]), Some(&hosts[at + 1..])),
        None => (name, Some(hosts), None),
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
        filter.push((name.trim().into(), vec![value]));
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
        let pairs: Vec<(&str, &str)> = filter.iter().map(|(name, values)| (&**name, &*values[0])).collect();
        assert_eq!(pairs, [("os", "linux"), ("py", "3, 12")]);
        assert!(brackets_of("os=linux").is_none() && brackets_of("os]").is_none());
    }

    #[test]
    fn hosts_and_axes_stand_in_any_order() {
        for (selector, expected) in [
            ("deploy", ("deploy", None, None)),
            ("deploy@web*", ("deploy", Some("web*"), None)),
            ("deploy@web[1-3]", ("deploy", Some("web[1-3]"), None)),
            ("deploy@web[1-3][a=b]", ("deploy", Some("web[1-3]"), Some("a=b]"))),
            ("deploy[a=b]@web & !canary", ("deploy", Some("web & !canary"), Some("a=b]"))),
            ("deploy[a=b]", ("deploy", None, Some("a=b]"))),
        ] {
            assert_eq!(parts(selector), expected, "{selector}");
        }
    }

    #[test]
    fn stars_stand_for_anything() {
        assert!(glob("*:test", "api:test") && glob("a*c*", "abcd") && glob("*", ""));
        assert!(!glob("*:test", "test") && !glob("ab*ba", "aba"));
    }
}
