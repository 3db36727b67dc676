//! What many hosts say, folded: those that say the same stand in one line with it, the others by what is different.
//! Bounded: a host that says much is left out, and so is a fleet that says very much. Pure text.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::event::TaskLabel;
use crate::report::hosts::{FEW, place_of};
use crate::report::sanitize::visible;
use crate::report::style::{Ink, Style};
use crate::report::words::counted;

/// So much of one host, and of all.
const MOST: (usize, usize) = (16 << 10, 4 << 20);
/// Lines that are shown of one text.
const LINES: usize = 12;
/// Hosts that are shown by what is different.
const OUTLIERS: usize = 8;

/// What the instances of tasks over hosts have said so far.
#[derive(Default, Debug)]
pub(crate) struct Fold {
    /// By task, in the order they began.
    tasks: Vec<(Arc<str>, Vec<Said>)>,
    places: HashMap<Arc<str>, (usize, usize)>,
    held: usize,
}

#[derive(Debug)]
struct Said {
    host: String,
    text: Vec<u8>,
    /// It was too much.
    cut: bool,
    /// Nobody was there.
    gone: bool,
}

impl Fold {
    /// An instance begins, if that is one on a host.
    pub(crate) fn began(&mut self, label: &TaskLabel) {
        let Some(host) = place_of(label) else { return };
        if self.places.contains_key(&label.instance) {
            return;
        }
        let task = self.tasks.iter().position(|(task, _)| *task == label.task).unwrap_or_else(|| {
            self.tasks.push((label.task.clone(), Vec::new()));
            self.tasks.len() - 1
        });
        let all = &mut self.tasks[task].1;
        all.push(Said { host: host.to_owned(), text: Vec::new(), cut: false, gone: false });
        self.places.insert(label.instance.clone(), (task, all.len() - 1));
    }

    /// It says something, on either stream.
    pub(crate) fn said(&mut self, instance: &str, bytes: &[u8]) {
        let Some((task, at)) = self.places.get(instance).copied() else { return };
        let said = &mut self.tasks[task].1[at];
        if said.cut || said.text.len() + bytes.len() > MOST.0 || self.held + bytes.len() > MOST.1 {
            self.held -= said.text.len();
            (said.text, said.cut) = (Vec::new(), true);
            return;
        }
        self.held += bytes.len();
        said.text.extend_from_slice(bytes);
    }

    /// It could not be reached, and so had nothing to say.
    pub(crate) fn gone(&mut self, instance: &str) {
        if let Some((task, at)) = self.places.get(instance) {
            self.tasks[*task].1[*at].gone = true;
        }
    }

    /// All of it, if there is anything to fold.
    pub(crate) fn text(&self, style: Style) -> Vec<u8> {
        let folded = self.tasks.iter().filter(|(_, all)| all.len() >= FEW);
        folded.flat_map(|(task, all)| fold(task, all, style).into_bytes()).collect()
    }
}

fn fold(task: &str, all: &[Said], style: Style) -> String {
    let mut groups: Vec<(&[u8], Vec<&str>)> = Vec::new();
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    for said in all.iter().filter(|said| !said.cut && (!said.gone || !said.text.is_empty())) {
        let at = *places.entry(&said.text).or_insert(groups.len());
        if at == groups.len() {
            groups.push((&said.text, Vec::new()));
        }
        groups[at].1.push(&said.host);
    }
    groups.sort_by_key(|(_, hosts)| std::cmp::Reverse(hosts.len()));
    let Some(((same, hosts), others)) = groups.split_first() else { return String::new() };
    if hosts.len() < 2 || (same.is_empty() && others.is_empty()) {
        return String::new();
    }
    let lines = lines_of(same);
    let what = if lines.is_empty() {
        "nothing".to_owned()
    } else {
        format!("the same {}", counted(lines.len() as u64, "line"))
    };
    let head = format!("= {}: {}: {what}", visible(task), counted(hosts.len() as u64, "host"));
    let mut out = style.paint(Ink::Bold, &head) + "\n";
    shown(&mut out, "  ", &lines);
    for (text, hosts) in others.iter().take(OUTLIERS) {
        let names = hosts.iter().take(4).map(|host| visible(host)).collect::<Vec<_>>().join(", ");
        let more = if hosts.len() > 4 { format!(" and {} more", hosts.len() - 4) } else { String::new() };
        out += &style.paint(Ink::Warn, &format!("≠ {}: {names}{more}", visible(task)));
        out.push('\n');
        let theirs = lines_of(text);
        let (before, after) = ends(&lines, &theirs);
        shown(&mut out, "  - ", &lines[before..lines.len() - after]);
        shown(&mut out, "  + ", &theirs[before..theirs.len() - after]);
    }
    let left = others.len().saturating_sub(OUTLIERS) + all.iter().filter(|said| said.cut).count();
    if left > 0 {
        out += &format!("≠ {}: and {left} more that say something else\n", visible(task));
    }
    out
}

fn lines_of(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text).lines().map(|line| visible(line).into_owned()).collect()
}

/// How many lines two texts have in common at their beginnings, and at their ends.
fn ends(one: &[String], other: &[String]) -> (usize, usize) {
    let before = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let rest = one.iter().skip(before).rev().zip(other.iter().skip(before).rev());
    (before, rest.take_while(|(one, other)| one == other).count())
}

fn shown(out: &mut String, lead: &str, lines: &[String]) {
    for line in lines.iter().take(LINES) {
        *out += &format!("{lead}{line}\n");
    }
    if lines.len() > LINES {
        *out += &format!("{lead}… {} more\n", lines.len() - LINES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::event::Site;

    fn told(said: &[(&str, &str)]) -> String {
        let mut fold = Fold::default();
        for (host, text) in said {
            let label = TaskLabel {
                task: "up".into(),
                instance: format!("up@{host}").into(),
                site: Site { file: "f".into(), line: 1 },
            };
            fold.began(&label);
            fold.began(&label);
            fold.said(&label.instance, text.as_bytes());
        }
        String::from_utf8(fold.text(Style::default())).unwrap()
    }

    #[test]
    fn the_same_is_said_once_and_the_rest_by_what_is_different() {
        let said = [("a", "1\n2\n3\n"), ("b", "1\nx\ny\n3\n"), ("c", "1\n2\n3\n"), ("d", "1\n2\n3\n"), ("e", "")];
        let expected = "= up: 3 hosts: the same 3 lines\n  1\n  2\n  3\n≠ up: b\n  - 2\n  + x\n  + y\n≠ up: e\n  - 1\n  - 2\n  - 3\n";
        assert_eq!(told(&said), expected);
    }

    #[test]
    fn who_was_not_there_has_said_nothing_not_even_that() {
        let mut fold = Fold::default();
        for (host, text) in [("a", "1\n"), ("b", "1\n"), ("c", ""), ("d", "")] {
            let site = Site { file: "f".into(), line: 1 };
            let label = TaskLabel { task: "up".into(), instance: format!("up@{host}").into(), site };
            fold.began(&label);
            fold.said(&label.instance, text.as_bytes());
            if text.is_empty() {
                fold.gone(&label.instance);
            }
        }
        assert_eq!(String::from_utf8(fold.text(Style::default())).unwrap(), "= up: 2 hosts: the same 1 line\n  1\n");
    }

    #[test]
    fn nothing_is_said_where_nothing_is_folded() {
        assert_eq!(told(&[("a", "1"), ("b", "1"), ("c", "1")]), "", "few");
        assert_eq!(told(&[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]), "", "all different");
        assert_eq!(told(&[("a", ""), ("b", ""), ("c", ""), ("d", "")]), "", "nothing at all");
        assert_eq!(told(&[]), "");
    }

    #[test]
    fn what_is_too_much_is_left_out() {
        let long = "x".repeat(MOST.0 + 1);
        let said = [("a", "1\n"), ("b", "1\n"), ("c", "1\n"), ("d", &long)];
        assert!(told(&said).ends_with("≠ up: and 1 more that say something else\n"));
    }
}
