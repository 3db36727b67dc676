//! `--list`: the tasks of a file, for people and for machines. Plain data in, text out.

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::report::sanitize::{first_line, visible};
use crate::report::style::{Ink, Style};

/// A name wider than this stands on its own and moves no other.
const WIDEST: usize = 32;

/// The name and the description of a task.
pub type Entry<'a> = (&'a str, Option<&'a str>);

/// One line for each task, in the order given, the descriptions in one column.
pub fn text(tasks: &[Entry<'_>], style: Style) -> String {
    let names: Vec<_> = tasks.iter().map(|(name, _)| visible(name)).collect();
    let widest = names.iter().map(|name| name.width()).filter(|width| *width <= WIDEST).max().unwrap_or(0);
    let mut lines = String::new();
    for (name, (_, desc)) in names.iter().zip(tasks) {
        lines.push_str(&style.paint(Ink::Bold, name));
        if let Some(desc) = desc.map(first_line).filter(|desc| !desc.is_empty()) {
            lines.push_str(&" ".repeat(widest.saturating_sub(name.width()) + 2));
            lines.push_str(&style.paint(Ink::Dim, &desc));
        }
        lines.push('\n');
    }
    lines
}

#[derive(Serialize)]
struct List<'a> {
    v: u32,
    tasks: Vec<Task<'a>>,
}

#[derive(Serialize)]
struct Task<'a> {
    name: &'a str,
    desc: Option<&'a str>,
}

/// The same as one line of JSON: `{"v":1,"tasks":[{"name":"build","desc":null}]}`.
pub fn json(tasks: &[Entry<'_>]) -> String {
    let tasks = tasks.iter().map(|(name, desc)| Task { name, desc: *desc }).collect();
    let mut line = serde_json::to_string(&List { v: 1, tasks }).expect("strings and numbers are always JSON");
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASKS: &[Entry<'static>] = &[
        ("build", Some("compile it all")),
        ("日本", Some("wide")),
        ("bare", None),
        ("evil", Some("\x1b]0;owned\x07\nsecond line")),
        ("a-name-that-is-so-long-that-no-other-follows-it", Some("far out")),
    ];

    #[test]
    fn for_people() {
        let expected = "\
build  compile it all
日本   wide
bare
evil   \\u{1b}]0;owned\\u{7} …
a-name-that-is-so-long-that-no-other-follows-it  far out
";
        assert_eq!(text(TASKS, Style::default()), expected);
        assert_eq!(text(&TASKS[..1], Style { on: true }), "\x1b[1mbuild\x1b[0m  \x1b[2mcompile it all\x1b[0m\n");
        assert_eq!(text(&[], Style::default()), "");
    }

    #[test]
    fn for_machines() {
        let expected = "{\"v\":1,\"tasks\":[{\"name\":\"build\",\"desc\":\"compile it all\"},{\"name\":\"bare\",\"desc\":null}]}\n";
        assert_eq!(json(&[TASKS[0], TASKS[2]]), expected);
    }
}
