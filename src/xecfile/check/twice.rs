//! Values of one task that scripts could not tell apart. Those of steps of which only one wins (`any`, `race`) may
//! share a name: it stands for what the winner made.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::variable;
use crate::base::source::{Span, Spanned};
use crate::xecfile::check::Texts;
use crate::xecfile::check::values::made_by;
use crate::xecfile::model::{Hooks, Step, StepKind, Task};

/// Tells of every value whose name was there before.
pub(super) fn check(texts: &mut Texts<'_>, task: &Task) {
    let mut seen = Seen { texts, task: &task.name.value, names: HashMap::new(), added: Vec::new() };
    task.params.iter().for_each(|param| seen.add(&param.name));
    task.matrix.iter().flat_map(|matrix| &matrix.axes).for_each(|axis| seen.add(&axis.name));
    task.temps.iter().for_each(|temp| seen.add(temp));
    task.needs.iter().flat_map(|need| &need.takes).for_each(|take| seen.add(&take.here));
    seen.steps(&task.body);
    seen.hooks(&task.hooks);
    if let Some(matrix) = &task.matrix {
        seen.hooks(&matrix.hooks);
    }
}

struct Seen<'s, 't> {
    texts: &'s mut Texts<'t>,
    task: &'s Arc<str>,
    /// By the name that a script sees: as it is written, and where it was first.
    names: HashMap<String, (Arc<str>, Span)>,
    /// The names that were new, in their order.
    added: Vec<String>,
}

impl Seen<'_, '_> {
    fn add(&mut self, name: &Spanned<Arc<str>>) {
        let word = variable(&name.value);
        let Some((first, at)) = self.names.get(&word) else {
            self.added.push(word.clone());
            self.names.insert(word, (name.value.clone(), name.span));
            return;
        };
        let message = match **first == *name.value {
            true => format!("two values of `{}` are called `{}`", self.task, name.value),
            false => format!("`{first}` and `{}` are one name for a script", name.value),
        };
        let problem = Problem::error(Code::Duplicate, message).at(name.span, "the second one").at(*at, "the first one");
        self.texts.report(problem.help("give one of them another name"));
    }

    /// Groups nest no deeper than the guard lets blocks be nested.
    fn steps(&mut self, steps: &[Step]) {
        steps.iter().for_each(|step| self.step(step));
    }

    fn step(&mut self, step: &Step) {
        made_by(step).for_each(|name| self.add(name));
        match &step.kind {
            StepKind::Group(group, steps) if group.is_choice() => self.choice(steps),
            StepKind::Group(_, steps) => self.steps(steps),
            _ => {}
        }
        self.hooks(&step.hooks);
    }

    /// What one of them makes is not there for the others, and for what follows there is one of each name.
    fn choice(&mut self, steps: &[Step]) {
        let mut made = Vec::new();
        for step in steps {
            let before = self.added.len();
            self.step(step);
            for word in self.added.split_off(before) {
                made.extend(self.names.remove(&word).map(|found| (word, found)));
            }
        }
        for (word, found) in made {
            if !self.names.contains_key(&word) {
                self.added.push(word.clone());
                self.names.insert(word, found);
            }
        }
    }

    fn hooks(&mut self, hooks: &Hooks) {
        for steps in hooks.stages() {
            self.steps(steps);
        }
    }
}
