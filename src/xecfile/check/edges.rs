//! What one task gives another, and takes from it: whether the other one has such inputs, axes and values.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::{did_you_mean, one_of};
use crate::base::source::SourceId;
use crate::xecfile::check::values::made_by;
use crate::xecfile::check::{Texts, each_step, each_step_of};
use crate::xecfile::model::{Axis, AxisSource, Binding, CaptureForm, ParamRole, Reference, StepKind, Take, Task};
use crate::xecfile::schema::{self, Places, Row};

/// Checks every reference.
pub(super) fn check(
    texts: &mut Texts<'_>,
    tasks: &[Task],
    index: &HashMap<Arc<str>, usize>,
    unsure: &HashSet<SourceId>,
) {
    let mut captured: HashMap<usize, HashSet<&str>> = HashMap::new();
    let mut written: Written<'_> = HashMap::new();
    for task in tasks {
        if texts.problems.is_full() {
            return;
        }
        let mut check = |reference: &Reference, after: bool| {
            let Some(at) = index.get(&reference.task.value).copied() else { return };
            let callee = &tasks[at];
            if unsure.contains(&callee.name.span.source) {
                return;
            }
            bindings(texts, reference, (at, callee), &mut written);
            if !after {
                complete(texts, reference, callee);
            }
            if !reference.takes.is_empty() {
                let captured = captured.entry(at).or_insert_with(|| captures(callee));
                reference.takes.iter().for_each(|take| self::take(texts, take, callee, captured));
            }
        };
        task.needs.iter().for_each(|reference| check(reference, false));
        task.after.iter().for_each(|reference| check(reference, true));
        each_step_of(task, &mut |step| {
            if let StepKind::Call(reference) = &step.kind {
                check(reference, false);
            }
        });
        let service = |name: &str| index.get(name).map(|at| &tasks[*at]).filter(|callee| callee.service.is_some());
        endless(texts, task, service);
    }
}

/// A service has no end that anybody could wait for.
fn endless<'t>(texts: &mut Texts<'_>, task: &Task, service: impl Fn(&str) -> Option<&'t Task>) {
    each_step_of(task, &mut |step| {
        let StepKind::Call(reference) = &step.kind else { return };
        let name = &reference.task.value;
        if service(name).is_some() {
            let problem =
                Problem::error(Code::BadValue, format!("`{name}` is a service, and a `call` of it has no end"));
            let help = format!("a task that uses it says `needs {name}`");
            texts.report(problem.at(reference.task.span, "").help(help));
        }
    });
    for need in &task.needs {
        let Some(callee) = service(&need.task.value) else { continue };
        let mut streams = HashSet::new();
        each_step(&callee.body, &mut |step| {
            let capture = step.data.capture.as_ref().filter(|capture| capture.form == CaptureForm::Stream);
            streams.extend(capture.map(|capture| capture.name.value.clone()));
        });
        for take in need.takes.iter().filter(|take| streams.contains(&take.name.value)) {
            let message = format!("`{}` is a service, and a stream of it has no end", need.task.value);
            let problem = Problem::error(Code::BadValue, message).at(take.name.span, "");
            texts.report(problem.help("what it keeps in steps that end before it is ready can be taken"));
        }
    }
}

/// What a task captures in its body.
fn captures(task: &Task) -> HashSet<&str> {
    let mut names = HashSet::new();
    each_step(&task.body, &mut |step| names.extend(made_by(step).map(|name| &*name.value)));
    names
}

/// The values of axes, by the places of their tasks and their names; `None` where they are not all written out.
type Written<'t> = HashMap<(usize, &'t str), Option<HashSet<&'t str>>>;

fn axis<'t>(task: &'t Task, name: &str) -> Option<&'t Axis> {
    task.matrix.as_ref()?.axes.iter().find(|axis| &*axis.name.value == name)
}

fn bindings<'t>(
    texts: &mut Texts<'_>,
    reference: &Reference,
    (at, callee): (usize, &'t Task),
    written: &mut Written<'t>,
) {
    for binding in &reference.bindings {
        let name = &*binding.name.value;
        if let Some(param) = callee.params.iter().find(|param| &*param.name.value == name) {
            if let Some(text) = binding.value.value.as_text()
                && let Some(why) = misfit(param, text)
            {
                let problem = Problem::error(Code::BadValue, format!("`{name}` cannot be `{text}`: that is {why}"));
                let problem = problem.at(binding.value.span, "").at(param.name.span, "the input");
                let help = did_you_mean(text, param.choices.iter().map(|choice| &*choice.value).take(1000));
                let plain = || format!("for example {name}={}", param.ty.example());
                texts.report(match help {
                    Some(help) => problem.help(help),
                    None if param.choices.is_empty() => problem.help(plain()),
                    None => problem,
                });
            }
        } else if let Some(axis) = axis(callee, name) {
            let known = written.entry((at, &axis.name.value)).or_insert_with(|| axis.written());
            possible(texts, binding, axis, known.as_ref());
        } else {
            no_such_input(texts, binding, callee);
        }
    }
}

/// Why a text cannot be the value of an input.
fn misfit(param: &crate::xecfile::model::Param, text: &str) -> Option<String> {
    crate::xecfile::decode::misfit(param, text)
}

fn possible(texts: &mut Texts<'_>, binding: &Binding, axis: &Axis, known: Option<&HashSet<&str>>) {
    let Some(text) = binding.value.value.as_text() else { return };
    let help = match (&axis.source, known) {
        (_, Some(known)) if known.contains(&**text) => return,
        (_, Some(known)) => one_of(text, known.iter().copied()),
        (AxisSource::Range(range), None) => {
            let range = range.value.as_text().and_then(|text| crate::xecfile::model::range(text).ok());
            match (range, text.parse::<i64>()) {
                (Some(range), Ok(number)) if range.contains(&number) => return,
                (Some(range), _) => Some(format!("it goes from {} to {}", range.start(), range.end())),
                (None, _) => return,
            }
        }
        _ => return,
    };
    let message = format!("the axis `{}` has no value `{text}`", axis.name.value);
    let problem = Problem::error(Code::BadValue, message).at(binding.value.span, "").at(axis.span, "the axis");
    texts.report(match help {
        Some(help) => problem.help(help),
        None => problem,
    });
}

fn no_such_input(texts: &mut Texts<'_>, binding: &Binding, callee: &Task) {
    let (name, task) = (&*binding.name.value, &callee.name.value);
    let problem = Problem::error(Code::UnknownValue, format!("`{task}` has no input `{name}`"));
    let names: Vec<&str> = callee
        .params
        .iter()
        .map(|param| &*param.name.value)
        .chain(callee.matrix.iter().flat_map(|matrix| &matrix.axes).map(|axis| &*axis.name.value))
        .collect();
    let help = if let Some(help) = did_you_mean(name, names.iter().copied()) {
        help
    } else if schema::find(name, Places::STEP).is_some_and(Row::is_setting) {
        let value = texts.slice(binding.value.span);
        format!("a property binds an input here; the setting goes into the block: {{ {name} {value} }}")
    } else if names.is_empty() {
        "it has none".to_owned()
    } else {
        format!("it has {}", names.join(", "))
    };
    texts.report(problem.at(binding.name.span, "").help(help));
}

/// Whether all is given that has no default.
fn complete(texts: &mut Texts<'_>, reference: &Reference, callee: &Task) {
    let given = |name: &str| reference.bindings.iter().any(|binding| &*binding.name.value == name);
    let missing: Vec<&str> = callee
        .params
        .iter()
        .filter(|param| param.role == ParamRole::Value && param.default.is_none() && !param.many)
        .map(|param| &*param.name.value)
        .filter(|name| !given(name))
        .collect();
    if !missing.is_empty() {
        let task = &callee.name.value;
        let message = format!("`{task}` needs a value for `{}`", missing.join("`, `"));
        let problem = Problem::error(Code::MissingInput, message).at(reference.task.span, "");
        texts.report(problem.help(format!("write {} {}=…", texts.slice(reference.task.span), missing.join("=… "))));
    }
}

fn take(texts: &mut Texts<'_>, take: &Take, callee: &Task, captured: &HashSet<&str>) {
    let name = &*take.name.value;
    if captured.contains(name) || axis(callee, name).is_some() {
        return;
    }
    let axes = callee.matrix.iter().flat_map(|matrix| &matrix.axes).map(|axis| &*axis.name.value);
    let mut names: Vec<&str> = captured.iter().copied().chain(axes).collect();
    names.sort_unstable();
    let help = did_you_mean(name, names.iter().copied()).unwrap_or_else(|| match names.is_empty() {
        true => format!("it gives nothing; a step of it keeps its output by `capture {name}`"),
        false => format!("it gives {}", names.join(", ")),
    });
    let message = format!("`{}` neither captures `{name}` nor has such an axis", callee.name.value);
    texts.report(Problem::error(Code::UnknownValue, message).at(take.name.span, "").help(help));
}
