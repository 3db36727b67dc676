//! `when` and `unless`, as one line or as a block of lines.

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::did_you_mean;
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::xecfile::cursor::{Cursor, Reader, Value};
use crate::xecfile::decode::{empty, row_of, unreachable_row, values};
use crate::xecfile::model::{Condition, Predicate, PredicateKind};
use crate::xecfile::schema::{Places, Row};

/// The systems that Rust, and so xec, knows by name.
const SYSTEMS: [&str; 10] =
    ["linux", "macos", "windows", "freebsd", "netbsd", "openbsd", "dragonfly", "solaris", "illumos", "android"];
/// The processors likewise.
const PROCESSORS: [&str; 9] =
    ["x86_64", "aarch64", "x86", "arm", "riscv64", "powerpc64", "s390x", "loongarch64", "mips64"];
/// Other names that they go by.
const ALSO_KNOWN_AS: [(&str, &str); 11] = [
    ("darwin", "macos"),
    ("osx", "macos"),
    ("mac", "macos"),
    ("win", "windows"),
    ("win32", "windows"),
    ("amd64", "x86_64"),
    ("x64", "x86_64"),
    ("arm64", "aarch64"),
    ("armv7", "arm"),
    ("i386", "x86"),
    ("i686", "x86"),
];

/// Reads a condition.
pub(super) fn condition<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row) -> Option<Condition> {
    let (negate, span) = (row.name == "unless", cursor.head);
    let mut children: Vec<Cursor<'a>> = cursor.take_line().into_iter().collect();
    children.extend(cursor.take_children(reader));
    if children.is_empty() && !reader.is_broken(cursor.head) {
        empty(reader, &cursor, row);
    }
    let count = children.len();
    let lines: Vec<Predicate> = children.into_iter().filter_map(|child| predicate(reader, child)).collect();
    cursor.finish(reader);
    (lines.len() == count && count > 0).then_some(Condition { negate, lines, span })
}

fn predicate<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>) -> Option<Predicate> {
    let row = row_of(reader, &cursor, Places::WHEN)?;
    let args = cursor.args(reader, row)?;
    let mut words = Vec::with_capacity(args.len());
    // The text of a script is the shell's: what looks like a hole in it is none.
    for value in args.iter().filter(|_| row.name != "run") {
        words.push(values::template(reader, value));
    }
    let span = cursor.head;
    let first = args.first()?;
    let kind = match row.name {
        "os" => PredicateKind::Os(one_of(reader, row, &args, words, &SYSTEMS)?),
        "arch" => PredicateKind::Arch(one_of(reader, row, &args, words, &PROCESSORS)?),
        "env" => {
            let (name, values) = split(words)?;
            PredicateKind::Env(name, values)
        }
        "equal" => {
            let (left, right) = split(words)?;
            PredicateKind::Equal(left, right)
        }
        "exists" => PredicateKind::Exists(all(words)?),
        "command" => PredicateKind::Command(all(words)?),
        "changed" => PredicateKind::Changed(all(words)?),
        "run" => PredicateKind::Run(Spanned::new(values::script(reader, first)?.into(), first.span)),
        _ => {
            unreachable_row(reader, &cursor);
            return None;
        }
    };
    cursor.finish(reader);
    Some(Predicate { kind, span })
}

type Words = Vec<Option<Spanned<Template>>>;

fn all(words: Words) -> Option<Vec<Spanned<Template>>> {
    words.into_iter().collect()
}

fn split(words: Words) -> Option<(Spanned<Template>, Vec<Spanned<Template>>)> {
    let mut words = all(words)?.into_iter();
    Some((words.next()?, words.collect()))
}

/// Words that are among the known ones, where they are written out.
fn one_of(
    reader: &mut Reader<'_>,
    row: &Row,
    args: &[Value<'_>],
    words: Words,
    known: &[&str],
) -> Option<Vec<Spanned<Template>>> {
    for value in args.iter().filter(|value| !value.text.contains("${") && !known.contains(&value.text)) {
        let also = ALSO_KNOWN_AS.iter().find(|(other, _)| *other == value.text.to_ascii_lowercase());
        let help = match also {
            Some((_, name)) if known.contains(name) => format!("write {} {name}", row.name),
            _ => did_you_mean(value.text, known.iter().copied())
                .unwrap_or_else(|| format!("there are {}", known.join(", "))),
        };
        let message = format!("`{}` knows no `{}`", row.name, value.text);
        reader.report(Problem::error(Code::BadValue, message).at(value.span, "").help(help));
    }
    all(words)
}
