//! `limit`, `uses` and `jobs`: how much there is of something, and who holds how much.

use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::Spanned;
use crate::xecfile::cursor::{Cursor, Reader, Value};
use crate::xecfile::decode::{details, unreachable_row, values};
use crate::xecfile::model::{Late, Limit, SLOTS, Use, Width};
use crate::xecfile::schema::{Places, Row};

/// `limit api 5 per="1s"`. What is wrong with its numbers leaves a name that `uses` may still mean.
pub(super) fn limit<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row) -> Option<Limit> {
    let span = cursor.head;
    let args = cursor.args(reader, row);
    let (mut per, mut machine) = (None, None);
    for (row, mut detail) in details(reader, &mut cursor, Places::LIMIT) {
        let at = detail.head;
        if let Some(value) = detail.arg(reader, row) {
            match row.name {
                "per" => per = time(reader, row, &value).map(|time| (time, at)),
                "across" if value.text == "machine" => machine = Some(at),
                "across" => values::bad(reader, row, &value, None),
                _ => unreachable_row(reader, &detail),
            }
        }
        detail.finish(reader);
    }
    cursor.finish(reader);
    if let (Some((_, per)), Some(machine)) = (per, machine) {
        let problem = Problem::error(Code::BadValue, "a rate is counted in one run, not across the machine");
        reader.report(problem.at(machine, "").at(per, "the rate").help("take one of the two out"));
    }
    let args = args?;
    let name = name(reader, &args[0])?;
    let count = count(reader, row, &args[1]).unwrap_or(u32::MAX);
    Some(Limit { name, count, per: per.map(|(time, _)| time), machine: machine.is_some(), span })
}

fn time(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<std::time::Duration> {
    let found = values::time(reader, row, value)?;
    if found.value.is_zero() {
        values::bad(reader, row, value, None);
        return None;
    }
    Some(found.value)
}

fn name(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Spanned<Arc<str>>> {
    let name = values::name(reader, value, "a limit")?;
    if &*name.value == SLOTS {
        let problem = Problem::error(Code::BadName, "`jobs` are the `-j` slots, and no limit of the file");
        reader.report(problem.at(name.span, "").help("choose another name; `-j` says how many slots there are"));
        return None;
    }
    Some(name)
}

/// At least 1: nothing could ever begin with less, or would hold anything.
fn count(reader: &mut Reader<'_>, row: &Row, value: &Value<'_>) -> Option<u32> {
    let count = values::number::<u32>(reader, row, value)?.value;
    if count == 0 {
        let message = match row.name {
            "limit" => "a limit of 0 lets nothing begin",
            _ => "to use 0 is to use nothing",
        };
        reader.report(Problem::error(Code::BadValue, message).at(value.span, "at least 1"));
        return None;
    }
    Some(count)
}

/// `jobs 4`, `jobs adaptive min=2 max=16`.
pub(super) fn jobs<'a>(
    reader: &mut Reader<'a>,
    cursor: &mut Cursor<'a>,
    row: &'static Row,
    value: &Value<'a>,
) -> Option<Spanned<Late<Width>>> {
    let mut width = values::width(reader, row, value)?;
    let Late::Now(Width::Adaptive { min, max }) = &mut width.value else { return Some(width) };
    let mut least = cursor.head;
    for (row, mut detail) in details(reader, cursor, Places::JOBS) {
        if let Some(value) = detail.arg(reader, row)
            && let Some(found) = values::number::<u32>(reader, row, &value)
        {
            match (row.name, found.value) {
                (_, 0) => values::bad(reader, row, &value, None),
                ("min", count) => (*min, least) = (count, found.span),
                (_, count) => *max = Some(count),
            }
            if max.is_some_and(|max| max < *min) {
                let problem = Problem::error(Code::BadValue, "the most of `jobs adaptive` is less than the fewest");
                reader.report(problem.at(found.span, "").at(least, "").help("like this: jobs adaptive min=2 max=16"));
            }
        }
        detail.finish(reader);
    }
    Some(width)
}

/// `uses db 2`, once for each limit.
pub(super) fn uses<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, out: &mut Vec<Use>) {
    let span = cursor.head;
    let args = cursor.args(reader, row);
    cursor.finish(reader);
    let Some(args) = args else { return };
    let Some(name) = values::name(reader, &args[0], "a limit") else { return };
    let count = match args.get(1) {
        Some(value) => count(reader, row, value),
        None => Some(1),
    };
    let Some(count) = count else { return };
    if let Some(first) = out.iter().find(|held| held.name.value == name.value) {
        let problem = Problem::error(Code::Duplicate, format!("`uses {}` is there twice", name.value));
        let problem = problem.at(span, "the second one").at(first.span, "the first one");
        return reader.report(problem.help(format!("say how many at once: uses {} 2", name.value)));
    }
    out.push(Use { name, count, span });
}
