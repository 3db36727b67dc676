//! The words of the command line, once it is known what the tasks take: a letter that takes a value has it in the
//! next word, and a word that is no task may have been meant for the task before it. Knows no plans.

use crate::base::diagnostic::{Code, Problem};
use crate::plan::matrix::Filter;
use crate::plan::request::{Asked, Word};
use crate::plan::select::{Names, TaskIndex};
use crate::xecfile::model::{Param, ParamRole, Task};

/// Gives each letter its value: `-E prod` reads like a task `prod` until it is known what `-E` is.
///
/// # Errors
/// An input that takes a value stands without one, and a word behind it that may be meant for it.
pub fn attach(names: &Names<'_>, typed: &[Asked]) -> Result<Vec<Asked>, Box<Problem>> {
    let mut all: Vec<Asked> = Vec::with_capacity(typed.len());
    for one in typed {
        let waits = all.last_mut().and_then(|last| {
            let task = names.named(&last.selector)?;
            let word = last.words.last_mut()?;
            input(task, word).filter(|param| param.role == ParamRole::Value).map(|param| (task, param, word))
        });
        match waits {
            Some((_, _, Word::Short(_, value @ None))) => {
                *value = Some(one.selector.clone());
                if let Some(last) = all.last_mut() {
                    last.words.extend(one.words.iter().cloned());
                    last.rest = one.rest.clone();
                }
            }
            Some((task, param, Word::Flag(typed))) => {
                let message = format!("`{}` of `{}` takes a value", param.name.value, task.name.value);
                let help = format!("write --{typed}={}", one.selector);
                return Err(Box::new(Problem::error(Code::Usage, message).help(help)));
            }
            _ => all.push(one.clone()),
        }
    }
    Ok(all)
}

/// The place of the input that a word is for.
pub fn input_at(task: &Task, word: &Word) -> Option<usize> {
    let spelled = |name: &str| name.replace('_', "-");
    task.params.iter().position(|param| match word {
        Word::Value(name, _) | Word::Flag(name) => spelled(&param.name.value) == spelled(name),
        Word::Short(letter, _) => param.short == Some(*letter),
    })
}

fn input<'t>(task: &'t Task, word: &Word) -> Option<&'t Param> {
    input_at(task, word).map(|at| &task.params[at])
}

/// A task asked for, with the tasks that are meant and the combinations of each.
pub type Selected<'a> = (&'a Asked, Vec<TaskIndex>, Filter);

/// Looks up all that was asked for, with one problem for each that is not there.
pub fn select<'a>(names: &Names<'_>, asked: &'a [Asked]) -> (Vec<Selected<'a>>, Vec<Problem>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for (at, one) in asked.iter().enumerate() {
        match names.select(&one.selector) {
            Ok((tasks, filter)) => found.push((one, tasks, filter)),
            Err(problem) => {
                let before = at.checked_sub(1).map(|before| &asked[before]);
                let help = before
                    .filter(|_| problem.code == Code::UnknownTask)
                    .and_then(|before| meant(names.named(&before.selector)?, before, &one.selector));
                problems.push(match help {
                    Some(help) => problem.help(help),
                    None => *problem,
                });
            }
        }
    }
    (found, problems)
}

/// Where there is no such task: what the word may have meant to the task before it. It is one of its choices, or
/// there is just one input that it needs and was not given.
fn meant(task: &Task, before: &Asked, word: &str) -> Option<String> {
    let free = |param: &&Param| {
        let given = before.words.iter().filter_map(|word| input(task, word));
        param.role == ParamRole::Value && !given.into_iter().any(|given| given.name.value == param.name.value)
    };
    let chosen = |param: &&Param| param.choices.iter().any(|choice| &*choice.value == word);
    let mut missing = task.params.iter().filter(free).filter(|param| param.is_required());
    let only = match (missing.next(), missing.next()) {
        (Some(only), None) if only.choices.is_empty() && only.ty.check(word).is_ok() => Some(only),
        _ => None,
    };
    let param = task.params.iter().filter(free).find(chosen).or(only)?;
    Some(format!("did you mean `{}={word}`? What a task takes is given by name", param.name.value))
}
