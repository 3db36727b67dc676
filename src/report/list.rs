//! `--list`: the tasks of a file and what they take, and its hosts, for people and for machines. Text out; reads nothing.

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::report::line::line;
use crate::report::sanitize::{first_line, visible};
use crate::report::spell;
use crate::report::style::{Ink, Style};
use crate::xecfile::model::{Host, Param, ParamRole, Task};

mod hosts;

/// A usage wider than this stands on its own and moves no other.
const WIDEST: usize = 40;

/// One line for each task, in the order given, the descriptions in one column.
pub fn text(tasks: &[&Task], known: &[Host], style: Style) -> String {
    let usages: Vec<_> = tasks.iter().map(|task| visible(&spell::usage(task)).into_owned()).collect();
    let widest = usages.iter().map(|usage| usage.width()).filter(|width| *width <= WIDEST).max().unwrap_or(0);
    let mut lines = String::new();
    for (usage, task) in usages.iter().zip(tasks) {
        let (name, inputs) = usage.split_at(usage.find(' ').unwrap_or(usage.len()));
        lines.push_str(&style.paint(Ink::Bold, name));
        lines.push_str(inputs);
        let about = about(task);
        if !about.is_empty() {
            lines.push_str(&" ".repeat(widest.saturating_sub(usage.width()) + 2));
            lines.push_str(&style.paint(Ink::Dim, &about));
        }
        lines.push('\n');
    }
    lines.push_str(&hosts::text(known, style));
    lines
}

/// What it is for, and the other names it has.
fn about(task: &Task) -> String {
    let desc = task.desc.as_deref().map(first_line).filter(|desc| !desc.is_empty());
    let aliases: Vec<_> = task.aliases.iter().map(|alias| visible(&alias.value)).collect();
    let aliases = (!aliases.is_empty()).then(|| format!("[alias: {}]", aliases.join(", ")));
    let private = task.private.then(|| "[private]".to_owned());
    desc.into_iter().chain(aliases).chain(private).collect::<Vec<_>>().join(" ")
}

#[derive(Serialize)]
struct List<'a> {
    v: u32,
    tasks: Vec<Listed<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<hosts::Listed<'a>>,
}

/// What both a list and a page say of a task.
#[derive(Serialize)]
pub(crate) struct Listed<'a> {
    name: &'a str,
    desc: Option<&'a str>,
    aliases: Vec<&'a str>,
    private: bool,
    usage: String,
    params: Vec<Input<'a>>,
}

#[derive(Serialize)]
struct Input<'a> {
    name: &'a str,
    kind: &'static str,
    r#type: &'static str,
    required: bool,
    default: Option<String>,
    choices: Vec<&'a str>,
    many: bool,
    short: Option<char>,
    desc: Option<&'a str>,
}

impl<'a> Listed<'a> {
    pub(crate) fn of(task: &'a Task) -> Self {
        Self {
            name: &task.name.value,
            desc: task.desc.as_deref(),
            aliases: task.aliases.iter().map(|alias| &*alias.value).collect(),
            private: task.private,
            usage: spell::usage(task),
            params: task.params.iter().map(Input::of).collect(),
        }
    }
}

impl<'a> Input<'a> {
    fn of(param: &'a Param) -> Self {
        Self {
            name: &param.name.value,
            kind: match param.role {
                ParamRole::Value => "param",
                ParamRole::Flag => "flag",
                ParamRole::Rest => "rest",
            },
            r#type: spell::type_name(param.ty),
            required: param.role == ParamRole::Value && param.default.is_none(),
            default: param.default.as_ref().map(|default| spell::template(&default.value)),
            choices: param.choices.iter().map(|choice| &*choice.value).collect(),
            many: param.many,
            short: param.short,
            desc: param.desc.as_deref(),
        }
    }
}

/// The same as one line of JSON.
pub fn json(tasks: &[&Task], known: &[Host]) -> String {
    let tasks = tasks.iter().map(|task| Listed::of(task)).collect();
    line(&List { v: 1, tasks, hosts: hosts::listed(known) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::Span;
    use crate::report::spell::tests::{name, param};
    use crate::xecfile::model::ParamType;

    fn task(called: &str, desc: Option<&str>) -> Task {
        Task { desc: desc.map(Into::into), ..Task::new(name(called), Span::default()) }
    }

    #[test]
    fn for_people() {
        let tasks = [
            task("build", Some("compile it all")),
            task("日本", Some("wide")),
            task("bare", None),
            task("evil", Some("\x1b]0;owned\x07\nsecond line")),
            task("a-name-that-is-so-long-that-no-other-follows-it", Some("far out")),
        ];
        let tasks: Vec<&Task> = tasks.iter().collect();
        let expected = "\
build  compile it all
日本   wide
bare
evil   \\u{1b}]0;owned\\u{7} …
a-name-that-is-so-long-that-no-other-follows-it  far out
";
        assert_eq!(text(&tasks, &[], Style::default()), expected);
        assert_eq!(text(&tasks[..1], &[], Style { on: true }), "\x1b[1mbuild\x1b[0m  \x1b[2mcompile it all\x1b[0m\n");
        assert_eq!(text(&[], &[], Style::default()), "");
    }

    #[test]
    fn what_tasks_take_and_are_called() {
        let deploy = Task {
            aliases: vec![name("d"), name("ship")],
            params: vec![param("env", ParamRole::Value, None), param("dry", ParamRole::Flag, None)],
            ..task("deploy", Some("send it off"))
        };
        let hidden = Task { private: true, ..task("hidden", None) };
        let evil = Task { params: vec![param("x", ParamRole::Value, Some("\u{202e}"))], ..task("evil", None) };
        let expected = "\
deploy env=<string> [--dry]  send it off [alias: d, ship]
hidden                       [private]
evil [x=\\u{202e}]
";
        assert_eq!(text(&[&deploy, &hidden, &evil], &[], Style::default()), expected);
        let painted = text(&[&deploy], &[], Style { on: true });
        assert!(painted.starts_with("\x1b[1mdeploy\x1b[0m env=<string> [--dry]  \x1b[2msend"), "{painted}");
    }

    #[test]
    fn for_machines() {
        let task = Task {
            aliases: vec![name("b")],
            params: vec![
                Param { ty: ParamType::Int, short: Some('n'), ..param("count", ParamRole::Value, Some("1")) },
                Param { desc: Some("more".into()), ..param("args", ParamRole::Rest, None) },
            ],
            ..task("build", None)
        };
        let expected = concat!(
            r#"{"v":1,"tasks":[{"name":"build","desc":null,"aliases":["b"],"private":false,"#,
            r#""usage":"build [count=1] [-- args…]","params":["#,
            r#"{"name":"count","kind":"param","type":"int","required":false,"default":"1","choices":[],"many":false,"#,
            r#""short":"n","desc":null},"#,
            r#"{"name":"args","kind":"rest","type":"string","required":false,"default":null,"choices":[],"many":false,"#,
            r#""short":null,"desc":"more"}]}]}"#,
            "\n",
        );
        assert_eq!(json(&[&task], &[]), expected);
    }
}
