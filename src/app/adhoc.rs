//! `--on SELECTOR -- command`: a task that stands in no file, on each of some hosts.

use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::is_task_name;
use crate::base::selector::Selector;
use crate::base::source::{Span, Spanned};
use crate::base::value::Template;
use crate::plan::request::AdHoc;
use crate::xecfile::model::{Axis, AxisSource, HOST_AXIS, Matrix, OnError, Step, StepKind, Task, Xecfile, select};

/// What makes a single word a script.
const OF_SHELLS: &[char] = &['|', '&', ';', '<', '>', '(', ')', '$', '`', '*', '?', '~', '"', '\'', '\\'];

/// Adds the task to a file; says what it is called.
///
/// # Errors
/// The selector means no host.
pub(super) fn add(file: &mut Xecfile, asked: &AdHoc) -> Result<String, Problem> {
    let AdHoc { selector, words } = asked;
    let parsed = Selector::parse(selector)
        .map_err(|bad| Problem::error(Code::Usage, format!("`{selector}` selects no hosts: {}", bad.why)))?;
    select(&file.hosts, &parsed, selector)
        .map_err(|none| Problem::error(Code::UnknownHost, none.message).help(none.help))?;
    let text = words.join(" ");
    let source = file.sources.add("command line", text.as_str());
    let span = Span { source, start: 0, end: u32::try_from(text.len()).unwrap_or(u32::MAX) };
    let called = words.first().map_or("", |word| word.split(char::is_whitespace).next().unwrap_or_default());
    let called = called.rsplit('/').next().unwrap_or_default();
    let called = if is_task_name(called) { called } else { "command" };
    let mut task = Task::new(Spanned::new(Arc::from(called), span), span);
    let source = AxisSource::On(Spanned::new(Template::plain(selector.as_str()), span));
    let axis = Axis { name: Spanned::new(HOST_AXIS.into(), span), source, span };
    task.matrix = Some(Matrix { axes: vec![axis], ..Matrix::of(span) });
    task.settings.on_error = Some(Spanned::new(OnError::Continue, span));
    let kind = match &words[..] {
        [script] if script.contains(char::is_whitespace) || script.contains(OF_SHELLS) => {
            StepKind::Run(script.as_str().into())
        }
        words => StepKind::Exec(words.iter().map(|word| Spanned::new(Template::plain(word.as_str()), span)).collect()),
    };
    task.body.push(Step::new(kind, span));
    file.tasks.push(task);
    Ok(called.to_owned())
}
