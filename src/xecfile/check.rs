//! What can only be said of the whole file: names that stand for nothing, names that stand twice. Cycles are
//! the plan's to find. Knows no KDL.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::base::source::{Span, Spanned};
use crate::base::value::{Filter, Part, Template};
use crate::xecfile::cursor::Reader;
use crate::xecfile::decode::Decoded;
use crate::xecfile::model::{EnvEntry, Reference, Settings, Step, StepKind, Task};

/// Checks what was decoded, and drops the second of two tasks with one name.
pub(crate) fn check(reader: &mut Reader<'_>, file: &mut Decoded) {
    let mut seen: HashMap<Arc<str>, Span> = HashMap::new();
    file.tasks.retain(|task| {
        let Some(first) = seen.get(&task.name.value) else {
            seen.insert(task.name.value.clone(), task.name.span);
            return true;
        };
        let problem = Problem::error(Code::Duplicate, format!("there are two tasks `{}`", task.name.value));
        let problem = problem.at(task.name.span, "the second one").at(*first, "the first one");
        reader.report(problem.help("give one of them another name"));
        false
    });
    // A word of a later version may bring values of its own.
    let values = !reader.problems.as_slice().iter().any(|problem| problem.code == Code::NotYet);
    let mut check = Check { reader, tasks: &file.tasks, seen: &seen, values };
    check.env(&file.env);
    check.settings(&file.defaults);
    for task in &file.tasks {
        check.task(task);
    }
}

struct Check<'a, 'r> {
    reader: &'a mut Reader<'r>,
    tasks: &'a [Task],
    seen: &'a HashMap<Arc<str>, Span>,
    /// Whether all values are known.
    values: bool,
}

impl Check<'_, '_> {
    fn task(&mut self, task: &Task) {
        for reference in task.needs.iter().chain(&task.after) {
            self.reference(reference);
        }
        self.settings(&task.settings);
        self.steps(&task.body);
    }

    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            self.settings(&step.settings);
            match &step.kind {
                StepKind::Run(text) => self.script(text, step.span),
                StepKind::Exec(words) => words.iter().for_each(|word| self.template(&word.value, word.span)),
                StepKind::Call(reference) => self.reference(reference),
                StepKind::Sequence(steps) | StepKind::Parallel(steps) => self.steps(steps),
            }
        }
    }

    fn settings(&mut self, settings: &Settings) {
        self.env(&settings.env);
        if let Some(cwd) = &settings.cwd {
            self.template(&cwd.value, cwd.span);
        }
        if let Some(Spanned { value: words, span }) = &settings.shell {
            words.iter().for_each(|word| self.template(word, *span));
        }
    }

    fn env(&mut self, entries: &[EnvEntry]) {
        for entry in entries {
            self.template(&entry.value.value, entry.value.span);
        }
    }

    fn reference(&mut self, reference: &Reference) {
        let Spanned { value: name, span } = &reference.task;
        if self.seen.contains_key(name) || self.reader.problems.is_full() {
            return;
        }
        let problem = Problem::error(Code::UnknownTask, format!("there is no task `{name}`")).at(*span, "");
        let names = || self.tasks.iter().map(|task| &*task.name.value);
        // Comparing every unknown name with every known one is for those that somebody will read.
        if self.reader.problems.as_slice().len() >= 50 {
            return self.reader.report(problem);
        }
        let few = (1..=8).contains(&self.tasks.len());
        let help = did_you_mean(name, names())
            .or_else(|| few.then(|| format!("the tasks are {}", names().collect::<Vec<_>>().join(", "))));
        self.reader.report(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }

    /// In this version only the environment has names.
    fn template(&mut self, template: &Template, span: Span) {
        for part in template.parts.iter() {
            let Part::Hole { name, filters, .. } = part else { continue };
            if filters.iter().any(|filter| matches!(filter, Filter::Lines | Filter::Len)) {
                let message = "a filter of lists is not in this version of xec yet";
                self.reader.report(Problem::error(Code::NotYet, message).at(span, "there are no lists to apply it to"));
            }
            if name.strip_prefix("env.").is_some_and(|variable| !variable.contains('.')) || !self.values {
                continue;
            }
            let hole = format!("${{{name}");
            let place = match self.reader.slice(span).find(&hole) {
                Some(at) => {
                    Span { start: span.start + at as u32 + 2, end: span.start + (at + hole.len()) as u32, ..span }
                }
                None => span,
            };
            let problem = Problem::error(Code::UnknownValue, format!("there is no value `{name}`"));
            let help = match name.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'0'..=b'9')) {
                true => format!("an environment variable is written `${{env.{name}}}`"),
                false => {
                    "this version of xec knows environment variables, as `${env.NAME}`, and no other values".to_owned()
                }
            };
            self.reader.report(problem.at(place, "").help(help));
        }
    }

    /// What xec reads everywhere else and a shell cannot: `${env.X}`, `${x|filter}`.
    fn script(&mut self, text: &str, step: Span) {
        for (at, _) in text.match_indices("${") {
            let inner = &text[at + 2..];
            let Some((inner, _)) = inner.get(..inner.len().min(200)).unwrap_or(inner).split_once('}') else { continue };
            let variable = inner.strip_prefix("env.");
            let filtered = inner.split_once('|').is_some_and(|(name, filter)| {
                let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
                plain && !name.is_empty() && Filter::named(filter).is_some()
            });
            if variable.is_none() && !filtered {
                continue;
            }
            let hole = format!("${{{inner}}}");
            let place = match self.reader.slice(step).find(&hole) {
                Some(found) => {
                    Span { start: step.start + found as u32, end: step.start + (found + hole.len()) as u32, ..step }
                }
                None => step,
            };
            let help = match variable {
                Some(name) => format!("the text of `run` is the shell's alone: write `${name}`"),
                None => "the text of `run` is the shell's alone: give the value to `env`, or to the words of `exec`"
                    .to_owned(),
            };
            let problem = Problem::warning(Code::BadTemplate, format!("no shell can read `{hole}`"));
            self.reader.report(problem.at(place, "").help(help));
            return;
        }
    }
}
