//! Names of tasks: each of them once, and what the words that name tasks mean.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::base::source::{Span, Spanned};
use crate::xecfile::check::{Links, Texts, each_reference_mut};
use crate::xecfile::model::Task;

/// Drops tasks and aliases whose names are taken.
pub(super) fn unique(texts: &mut Texts<'_>, tasks: &mut Vec<Task>) {
    let mut seen: HashMap<Arc<str>, Span> = HashMap::new();
    tasks.retain(|task| free(texts, &mut seen, &task.name, "tasks"));
    for task in tasks {
        task.aliases.retain(|alias| free(texts, &mut seen, alias, "tasks by the name"));
    }
}

fn free(texts: &mut Texts<'_>, seen: &mut HashMap<Arc<str>, Span>, name: &Spanned<Arc<str>>, what: &str) -> bool {
    let Some(first) = seen.get(&name.value) else {
        seen.insert(name.value.clone(), name.span);
        return true;
    };
    let problem = Problem::error(Code::Duplicate, format!("there are two {what} `{}`", name.value));
    let problem = problem.at(name.span, "the second one").at(*first, "the first one");
    texts.report(problem.help("give one of them another name"));
    false
}

/// The places of tasks by their names and aliases.
pub(super) fn index(tasks: &[Task]) -> HashMap<Arc<str>, usize> {
    let names = tasks.iter().enumerate().flat_map(|(at, task)| {
        std::iter::once(&task.name).chain(&task.aliases).map(move |name| (name.value.clone(), at))
    });
    names.collect()
}

/// Gives each reference the whole name of the task that it means, or tells that there is none.
pub(super) fn resolve(texts: &mut Texts<'_>, links: &[Links], index: &HashMap<Arc<str>, usize>, tasks: &mut [Task]) {
    let names: Vec<Arc<str>> = tasks.iter().map(|task| task.name.value.clone()).collect();
    for task in tasks.iter_mut() {
        let file = usize::from(task.file.0);
        each_reference_mut(task, &mut |reference| {
            let written = &reference.task.value;
            let found = candidates(links, file, written).find_map(|name| index.get(&*name).copied());
            match found {
                Some(at) => reference.task.value = names[at].clone(),
                None => unknown(texts, links, file, &reference.task, &names),
            }
        });
    }
}

/// The whole names that a word in a file may stand for, the likeliest first.
fn candidates<'a>(links: &'a [Links], file: usize, word: &'a str) -> impl Iterator<Item = String> + 'a {
    let (own, word) = match word.strip_prefix(':') {
        Some(word) => (None, word),
        None => (Some(file), word),
    };
    own.into_iter().chain([0]).map(move |file| whole(links, file, word))
}

/// The whole name of what one file calls so.
fn whole(links: &[Links], mut file: usize, word: &str) -> String {
    let mut rest = word;
    while let Some((first, behind)) = rest.split_once(':') {
        let Some(next) = links.get(file).and_then(|links| links.includes.get(first)) else { break };
        (file, rest) = (*next, behind);
    }
    match links.get(file).and_then(|links| links.prefix.as_ref()) {
        Some(prefix) => format!("{prefix}:{rest}"),
        None => rest.to_owned(),
    }
}

fn unknown(texts: &mut Texts<'_>, links: &[Links], file: usize, name: &Spanned<Arc<str>>, names: &[Arc<str>]) {
    if texts.problems.is_full() {
        return;
    }
    let Spanned { value: name, span } = name;
    let problem = Problem::error(Code::UnknownTask, format!("there is no task `{name}`")).at(*span, "");
    // Comparing every unknown name with every known one is for those that somebody will read.
    if texts.problems.as_slice().len() >= 50 {
        return texts.report(problem);
    }
    let prefix = links.get(file).and_then(|links| links.prefix.as_deref());
    let known: Vec<String> = names.iter().map(|name| seen_from(prefix, name)).collect();
    let few = (1..=8).contains(&known.len());
    // A file that others include, read by itself: what it wants of the first file is not here.
    let alone = (file == 0).then(|| name.strip_prefix(':')).flatten();
    let near = did_you_mean(alone.unwrap_or(name), known.iter().map(String::as_str));
    let help = near
        .or_else(|| {
            let outer = alone?;
            let there = format!("`:{outer}` is the task `{outer}` of the first file");
            Some(format!("{there}; if this one is included by another, run that one: xec -f ../Xecfile.kdl …"))
        })
        .or_else(|| few.then(|| format!("the tasks are {}", known.join(", "))));
    texts.report(match help {
        Some(help) => problem.help(help),
        None => problem,
    });
}

/// How a file may write the name of a task.
fn seen_from(prefix: Option<&str>, name: &str) -> String {
    match prefix {
        None => name.to_owned(),
        Some(prefix) => match name.strip_prefix(prefix).and_then(|name| name.strip_prefix(':')) {
            Some(own) => own.to_owned(),
            None => format!(":{name}"),
        },
    }
}
