//! A profile as people read it: the run on one line, the slowest steps, and the path that decided how long it took.

use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::{Point, Profile, Span};
use crate::base::duration::show;
use crate::report::style::{Ink, Style};
use crate::report::words;

/// So many of the slowest steps.
const SLOWEST: usize = 10;
/// So many steps of the path at its beginning, and at its end.
const HALF: usize = 6;
/// A name wider than this is cut.
const WIDEST: usize = 44;
/// A course takes so much room.
const COLUMNS: usize = 24;

/// All of it, without the last newline; `None` where nothing ran.
pub(crate) fn text(profile: &Profile, style: Style) -> Option<String> {
    if profile.spans.is_empty() {
        return None;
    }
    let mut lines = vec![style.paint(Ink::Bold, &whole(profile))];
    slowest(profile, style, &mut lines);
    courses(profile, style, &mut lines);
    path(profile, style, &mut lines);
    Some(lines.join("\n"))
}

/// `profile: 12 steps in 8.40s, CPU 22.1s user and 3.20s system, peak 512 MiB, 78% of 4 slots`.
fn whole(profile: &Profile) -> String {
    let [user, system] = profile.cpu();
    let steps = words::counted(profile.spans.len() as u64, "step");
    let slots = profile.slots.zip(profile.utilisation());
    let slots = slots
        .map(|(slots, part)| format!(", {:.0}% of {} busy", part * 100.0, words::counted(u64::from(slots), "slot")));
    format!(
        "profile: {steps} in {}, CPU {} user and {} system, peak {}{}",
        show(profile.wall),
        show(user),
        show(system),
        words::size(profile.peak_memory()),
        slots.unwrap_or_default(),
    )
}

/// The name of a step, with its attempt where that is not the first.
fn name(span: &Span) -> String {
    let attempt = if span.attempt > 1 { format!(" (attempt {})", span.attempt) } else { String::new() };
    let name = words::step(&span.step);
    let room = WIDEST - attempt.len().min(WIDEST);
    if name.width() <= room {
        return name + &attempt;
    }
    let mut cut = String::new();
    for letter in name.chars() {
        if cut.width() + 2 > room {
            break;
        }
        cut.push(letter);
    }
    format!("{cut}…{attempt}")
}

fn slowest(profile: &Profile, style: Style, lines: &mut Vec<String>) {
    let mut spans: Vec<&Span> = profile.spans.iter().collect();
    spans.sort_by_key(|span| std::cmp::Reverse(span.wall()));
    let more = spans.len().saturating_sub(SLOWEST);
    spans.truncate(SLOWEST);
    let mut rows = vec![["slowest", "wall", "user", "system", "peak", "needs", "slot", "limit"].map(str::to_owned)];
    for span in &spans {
        let used = |part: fn(&crate::base::command::Usage) -> String| span.usage.as_ref().map_or("-".to_owned(), part);
        rows.push([
            name(span),
            show(span.wall()),
            used(|usage| show(usage.user)),
            used(|usage| show(usage.system)),
            used(|usage| words::size(usage.peak_memory)),
            show(span.waits.dependency),
            show(span.waits.slot),
            show(span.waits.limit),
        ]);
    }
    for (at, line) in table(&rows).into_iter().enumerate() {
        lines.push(match at {
            0 => style.paint(Ink::Dim, &line),
            _ if !spans[at - 1].ok => style.paint(Ink::Bad, &line),
            _ => line,
        });
    }
    if more > 0 {
        lines.push(style.paint(Ink::Dim, &format!("  … and {}", words::counted(more as u64, "faster step"))));
    }
}

/// Rows of cells as lines, the first column to the left, the others to the right.
fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let widths: Vec<usize> = (0..N).map(|at| rows.iter().map(|row| row[at].width()).max().unwrap_or(0)).collect();
    let line = |row: &[String; N]| {
        let mut line = String::from("  ");
        for (column, cell) in row.iter().enumerate() {
            let gap = " ".repeat(widths[column] - cell.width());
            line += &if column == 0 { format!("{cell}{gap}") } else { format!("  {gap}{cell}") };
        }
        line
    };
    rows.iter().map(line).collect()
}

/// The slowest of those that were measured: how much of what, over their time.
fn courses(profile: &Profile, style: Style, lines: &mut Vec<String>) {
    let mut spans: Vec<&Span> = profile.spans.iter().filter(|span| !span.course.points().is_empty()).collect();
    if spans.is_empty() {
        return;
    }
    spans.sort_by_key(|span| std::cmp::Reverse(span.wall()));
    let more = spans.len().saturating_sub(SLOWEST);
    spans.truncate(SLOWEST);
    let mut rows =
        vec![["measured", "CPUs over time", "most", "memory over time", "most", "processes"].map(str::to_owned)];
    rows.extend(spans.iter().map(|span| {
        let course = &span.course;
        [
            name(span),
            course.line(COLUMNS, Point::cpus),
            format!("{:.1}", course.peak_cpus()),
            course.line(COLUMNS, |point| point.memory as f64),
            words::size(course.peak().memory),
            course.peak().processes.to_string(),
        ]
    }));
    let mut table = table(&rows).into_iter();
    lines.extend(table.next().map(|head| style.paint(Ink::Dim, &head)));
    lines.extend(table);
    if more > 0 {
        lines.push(style.paint(Ink::Dim, &format!("  … and {}", words::counted(more as u64, "faster step"))));
    }
}

fn path(profile: &Profile, style: Style, lines: &mut Vec<String>) {
    let path = profile.path();
    let busy: Duration = path.spans.iter().map(|span| span.wall()).sum();
    let steps = words::counted(path.spans.len() as u64, "step");
    let head =
        format!("  critical path: {steps}, {} of {}; {} between them", show(busy), show(profile.wall), show(path.idle));
    lines.push(style.paint(Ink::Dim, &head));
    let count = path.spans.len();
    for (at, span) in path.spans.iter().enumerate() {
        if count > 2 * HALF && at == HALF {
            lines.push(style.paint(Ink::Dim, &format!("    … {} more …", count - 2 * HALF)));
        }
        if count <= 2 * HALF || at < HALF || at >= count - HALF {
            let arrow = if at == 0 { " " } else { "→" };
            lines.push(format!("  {arrow} {}  {}", name(span), show(span.wall())));
        }
    }
}
