//! `--show`: one task as it was understood, for people and for machines. Text out; reads nothing, and knows of no
//! plan: nothing here has been expanded.

use unicode_width::UnicodeWidthStr;

use crate::base::source::SourceMap;
use crate::report::sanitize::visible;
use crate::report::spell;
use crate::report::style::{Ink, Style};
use crate::xecfile::model::{
    AxisSource, Condition, Hooks, Matrix, Param, ParamRole, Reference, Settings, Step, StepKind, Task,
};

mod json;

pub use json::json;

/// A heading with what is said under it. How deep these go is bounded by how deep a file may go.
#[derive(Default)]
struct Row {
    head: String,
    text: String,
    rows: Vec<Row>,
}

impl Row {
    fn new(head: impl Into<String>, text: impl Into<String>) -> Self {
        Self { head: head.into(), text: text.into(), rows: Vec::new() }
    }

    fn over(self, rows: Vec<Row>) -> Self {
        Self { rows, ..self }
    }
}

/// The page of a task.
pub fn text(task: &Task, sources: &SourceMap, style: Style) -> String {
    let desc = task.desc.as_deref().unwrap_or_default();
    let mut out = style.paint(Ink::Bold, &visible(&task.name.value));
    if !desc.trim().is_empty() {
        out = format!("{out}  {}", visible(desc.trim()));
    }
    out.push('\n');
    write(&mut out, &about(task, sources), "  ", style);
    out
}

/// Writes rows, their texts in one column; what has rows of its own goes on under its heading.
fn write(out: &mut String, rows: &[Row], indent: &str, style: Style) {
    let widest = rows.iter().filter(|row| !row.text.is_empty()).map(|row| shown(&row.head).width()).max().unwrap_or(0);
    for row in rows {
        let head = shown(&row.head);
        let mut lines = row.text.lines().map(shown);
        out.push_str(indent);
        out.push_str(&style.paint(Ink::Dim, &head));
        if let Some(first) = lines.next() {
            out.push_str(&" ".repeat(widest - head.width() + 2));
            out.push_str(&first);
        }
        out.push('\n');
        for line in lines {
            let line = format!("{indent}{}{line}", " ".repeat(widest + 2));
            out.push_str(line.trim_end());
            out.push('\n');
        }
        write(out, &row.rows, &format!("{indent}  "), style);
    }
}

/// Safe for a terminal; a tab moves no column.
fn shown(text: &str) -> String {
    visible(&text.replace('\t', "    ")).into_owned()
}

/// All that is known of it.
fn about(task: &Task, sources: &SourceMap) -> Vec<Row> {
    let (file, line) = sources.place(task.span);
    let mut rows = vec![
        Row::new("usage", format!("xec {}", spell::usage(task))),
        Row::new("at", format!("{}:{line}", file.display())),
    ];
    if !task.aliases.is_empty() {
        let aliases: Vec<&str> = task.aliases.iter().map(|alias| &*alias.value).collect();
        rows.push(Row::new("alias", aliases.join(", ")));
    }
    if task.private {
        rows.push(Row::new("private", "only other tasks can ask for it"));
    }
    if let Some(service) = &task.service {
        let timeout = spell::duration(service.timeout);
        rows.push(Row::new("service", format!("ready {} timeout={timeout}", spell::ready(&service.ready))));
    }
    if let Some(question) = &task.confirm {
        rows.push(Row::new("confirm", spell::template(&question.value)));
    }
    if !task.params.is_empty() {
        rows.push(Row::new("takes", "").over(task.params.iter().map(input).collect()));
    }
    references(&mut rows, "needs", &task.needs);
    references(&mut rows, "after", &task.after);
    if let Some(found) = &task.matrix {
        rows.push(matrix(found));
    }
    rows.extend(conditions(&task.conditions));
    rows.extend(policies(&task.settings));
    rows.extend(task.temps.iter().map(|temp| Row::new("temp", &*temp.value)));
    if !task.body.is_empty() {
        rows.push(Row::new("steps", "").over(steps(&task.body)));
    }
    rows.extend(hooks(&task.hooks));
    rows
}

fn input(param: &Param) -> Row {
    let name = &param.name.value;
    let short = param.short.map(|short| format!(", -{short}")).unwrap_or_default();
    let head = match param.role {
        ParamRole::Value => format!("{}{short}", spell::required(param)),
        ParamRole::Flag => format!("--{name}{short}"),
        ParamRole::Rest => format!("-- {name}…"),
    };
    let default = param.default.as_ref().map(|default| spell::template(&default.value));
    let choices: Vec<_> = param.choices.iter().map(|choice| spell::quoted(&choice.value)).collect();
    let facts = [
        (param.role == ParamRole::Value && default.is_none()).then(|| "required".to_owned()),
        default.map(|default| format!("default {}", spell::quoted(&default))),
        (param.many && param.role == ParamRole::Value).then(|| "any number of times".to_owned()),
        // Where they are too many, the heading does not say them.
        head.contains("<…>").then(|| format!("one of {}", choices.join(" "))),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    let facts = if facts.is_empty() { String::new() } else { format!("[{}]", facts.join(", ")) };
    let desc = param.desc.as_deref().unwrap_or_default();
    Row::new(head, format!("{desc} {facts}").trim())
}

/// One line for one, a block for several.
fn references(rows: &mut Vec<Row>, head: &str, references: &[Reference]) {
    let lines: Vec<String> = references.iter().map(spell::reference).collect();
    if !lines.is_empty() {
        rows.push(Row::new(head, lines.join("\n")));
    }
}

fn matrix(matrix: &Matrix) -> Row {
    let mut rows: Vec<Row> = matrix
        .axes
        .iter()
        .map(|axis| {
            let values = match &axis.source {
                AxisSource::Values(values) => spell::words(values),
                AxisSource::Glob(glob) => format!("glob={}", spell::quoted(&spell::template(&glob.value))),
                AxisSource::Range(range) => format!("range={}", spell::quoted(&spell::template(&range.value))),
                AxisSource::Hosts(text) => format!("hosts={}", spell::quoted(&spell::template(&text.value))),
                AxisSource::On(text) => format!("on {}", spell::quoted(&spell::template(&text.value))),
                AxisSource::From(from) => spell::from(from),
            };
            Row::new(&*axis.name.value, values)
        })
        .collect();
    rows.extend(matrix.exclude.iter().map(|row| Row::new("exclude", spell::bindings(row))));
    rows.extend(matrix.include.iter().map(|row| Row::new("include", spell::bindings(row))));
    if matrix.may_be_empty {
        rows.push(Row::new("empty", "ok"));
    }
    rows.extend(matrix.batches.as_ref().map(|batches| Row::new("batches", spell::batches(batches))));
    rows.extend(policies(&matrix.settings));
    rows.extend(hooks(&matrix.hooks));
    Row::new("matrix", "").over(rows)
}

fn conditions(conditions: &[Condition]) -> impl Iterator<Item = Row> {
    conditions.iter().map(|condition| {
        let lines: Vec<String> = condition.lines.iter().map(spell::predicate).collect();
        Row::new(if condition.negate { "unless" } else { "when" }, lines.join("\n"))
    })
}

fn policies(settings: &Settings) -> Vec<Row> {
    let env: Vec<String> = settings
        .env
        .iter()
        .map(|entry| format!("{} {}", entry.name.value, spell::quoted(&spell::template(&entry.value.value))))
        .collect();
    let env = (!env.is_empty()).then(|| Row::new("env", env.join("\n")));
    spell::settings(settings).into_iter().map(|(name, value)| Row::new(name, value)).chain(env).collect()
}

fn steps(steps: &[Step]) -> Vec<Row> {
    steps.iter().map(step).collect()
}

fn step(step: &Step) -> Row {
    let (row, inner) = match &step.kind {
        StepKind::Run(script) => (Row::new("run", script.trim_matches('\n')), Vec::new()),
        StepKind::Exec(words) => (Row::new("exec", spell::words(words)), Vec::new()),
        StepKind::Call(callee) => (Row::new("call", spell::reference(callee)), Vec::new()),
        StepKind::Wait(time) => (Row::new("wait", spell::late(time, |time| spell::duration(*time))), Vec::new()),
        StepKind::Barrier => (Row::new("barrier", ""), Vec::new()),
        StepKind::Until(ready) => (Row::new("wait", spell::ready(ready)), Vec::new()),
        StepKind::Copy(copy) => (Row::new("copy", spell::copy(copy)), Vec::new()),
        StepKind::Reduce(reduce) => (Row::new("reduce", spell::reduce(reduce)), vec![self::step(&reduce.step)]),
        StepKind::Group(group, inner) => (Row::new(group.name(), ""), steps(inner)),
    };
    let data = spell::data(&step.data).into_iter().map(|(name, value)| Row::new(name, value));
    let said = conditions(&step.conditions).chain(policies(&step.settings)).chain(data);
    row.over(said.chain(inner).chain(hooks(&step.hooks)).collect())
}

fn hooks(hooks: &Hooks) -> impl Iterator<Item = Row> {
    let all = [("on-success", &hooks.success), ("on-failure", &hooks.failure), ("finally", &hooks.finally)];
    let along = (!hooks.progress.is_empty()).then(|| {
        let every =
            hooks.every.as_ref().map(|every| format!("every={}", spell::share(every.value))).unwrap_or_default();
        Row::new("on-progress", every).over(steps(&hooks.progress))
    });
    let after = all.into_iter().filter(|(_, body)| !body.is_empty());
    after.map(|(name, body)| Row::new(name, "").over(steps(body))).chain(along)
}

#[cfg(test)]
mod tests;
