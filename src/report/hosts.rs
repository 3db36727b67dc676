//! What became of each host: a table of verdicts, in which hosts with the same ones share a line. Pure text.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use unicode_width::UnicodeWidthStr;

use crate::base::event::{SkipReason, TaskLabel, Verdict};
use crate::report::sanitize::visible;
use crate::report::style::{Ink, Style};

/// With fewer hosts than this, what is there already says it all: the lines of the summary, and what each has said.
pub(super) const FEW: usize = 4;
/// So many tasks stand side by side.
const TASKS: usize = 6;
/// So many names or ranges of hosts stand in one line.
const NAMES: usize = 6;

/// What became of a task on a host, the worst last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Came {
    Ok,
    UpToDate,
    Before,
    Skipped,
    NotRun,
    Cancelled,
    Failed,
    TimedOut,
    Unknown,
    Unreachable,
}

impl Came {
    fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Ok => Came::Ok,
            Verdict::Failed(_) => Came::Failed,
            Verdict::Unreachable(_) => Came::Unreachable,
            Verdict::TimedOut(_) => Came::TimedOut,
            Verdict::Cancelled(_) => Came::Cancelled,
            Verdict::Skipped(why) => match why {
                SkipReason::UpToDate | SkipReason::Restored => Came::UpToDate,
                SkipReason::Done => Came::Before,
                SkipReason::Condition | SkipReason::Value { .. } | SkipReason::Unaffected => Came::Skipped,
                SkipReason::Dependency(_) | SkipReason::Earlier | SkipReason::Batch | SkipReason::Cancelled(_) => {
                    Came::NotRun
                }
            },
        }
    }

    fn said(self) -> (&'static str, Ink) {
        match self {
            Came::Ok => ("ok", Ink::Good),
            Came::UpToDate => ("up to date", Ink::Good),
            Came::Before => ("ok before", Ink::Dim),
            Came::Skipped => ("skipped", Ink::Dim),
            Came::NotRun => ("not run", Ink::Dim),
            Came::Cancelled => ("cancelled", Ink::Warn),
            Came::Failed => ("failed", Ink::Bad),
            Came::TimedOut => ("timed out", Ink::Bad),
            Came::Unknown => ("unknown end", Ink::Bad),
            Came::Unreachable => ("unreachable", Ink::Bad),
        }
    }
}

/// What tells an instance on a host from the others of its task, if it is one: the host, and more where it has more axes.
pub(super) fn place_of(label: &TaskLabel) -> Option<&str> {
    label.instance.strip_prefix(&*label.task)?.strip_prefix('@')
}

/// The name of the host that an instance is on, if it is on one.
fn host_of(label: &TaskLabel) -> Option<&str> {
    place_of(label).map(|place| place.split_once('[').map_or(place, |(host, _)| host))
}

/// All verdicts of tasks over hosts so far.
#[derive(Default, Debug)]
pub(super) struct Table {
    /// In the order in which they were heard of first.
    tasks: Vec<Arc<str>>,
    columns: HashMap<Arc<str>, usize>,
    /// By host: what became of which task.
    hosts: HashMap<String, BTreeMap<usize, Came>>,
    /// Instances in which something was sent, and nobody knows what came of it.
    unknown: HashSet<Arc<str>>,
}

impl Table {
    /// Nobody knows how a step of it ended.
    pub(super) fn lost(&mut self, label: &TaskLabel) {
        self.unknown.insert(label.instance.clone());
    }

    pub(super) fn finished(&mut self, label: &TaskLabel, verdict: &Verdict) {
        let Some(host) = host_of(label) else { return };
        let column = *self.columns.entry(label.task.clone()).or_insert_with(|| {
            self.tasks.push(label.task.clone());
            self.tasks.len() - 1
        });
        let came = match Came::of(verdict) {
            Came::Failed if self.unknown.contains(&label.instance) => Came::Unknown,
            came => came,
        };
        let cell = self.hosts.entry(host.to_owned()).or_default().entry(column).or_insert(came);
        *cell = came.max(*cell);
    }

    /// The table, where there are more than a few hosts and not the same became of all of them.
    pub(super) fn text(&self, style: Style) -> String {
        let mut rows: HashMap<&BTreeMap<usize, Came>, Vec<&str>> = HashMap::new();
        for (host, row) in &self.hosts {
            rows.entry(row).or_default().push(host);
        }
        if self.hosts.len() < FEW || rows.len() < 2 {
            return String::new();
        }
        let mut rows: Vec<_> = rows.into_iter().map(|(row, hosts)| (row, in_order(hosts))).collect();
        rows.sort_by_key(|(row, hosts)| (row.values().max().copied(), natural(hosts[0])));
        let columns = self.told();
        let mut lines = vec![[("hosts".to_owned(), Ink::Dim)].into_iter().collect::<Vec<_>>()];
        lines[0].extend(columns.iter().map(|task| (visible(&self.tasks[*task]).into_owned(), Ink::Dim)));
        for (row, hosts) in rows {
            let cell = |task: &usize| row.get(task).map_or(("–", Ink::Dim), |came| came.said());
            let cells = columns.iter().map(cell).map(|(word, ink)| (word.to_owned(), ink));
            lines.push(std::iter::once((visible(&named(&hosts)).into_owned(), Ink::Bold)).chain(cells).collect());
        }
        let mut text = aligned(&lines, style);
        if columns.len() < self.tasks.len() {
            text += &format!(
                "  … and {}\n",
                crate::report::words::counted((self.tasks.len() - columns.len()) as u64, "more task")
            );
        }
        text
    }

    /// The tasks that are shown: all, or as many of those that did not go well everywhere.
    fn told(&self) -> Vec<usize> {
        let all = 0..self.tasks.len();
        if all.len() <= TASKS {
            return all.collect();
        }
        let bad: HashSet<usize> = self
            .hosts
            .values()
            .flat_map(|row| row.iter().filter(|(_, came)| **came > Came::Before).map(|(task, _)| *task))
            .collect();
        all.filter(|task| bad.contains(task)).take(TASKS).collect()
    }
}

fn aligned(lines: &[Vec<(String, Ink)>], style: Style) -> String {
    let count = lines.first().map_or(0, Vec::len);
    let widths: Vec<usize> =
        (0..count).map(|at| lines.iter().map(|line| line[at].0.width()).max().unwrap_or_default()).collect();
    let mut text = String::new();
    for line in lines {
        for (at, (word, ink)) in line.iter().enumerate() {
            text += "  ";
            text += &style.paint(*ink, word);
            if at + 1 < count {
                text += &" ".repeat(widths[at] - word.width());
            }
        }
        text.push('\n');
    }
    text
}

/// A name cut at its first number: what stands before it, the number, what stands after it, and the name itself.
fn natural(name: &str) -> (&str, u64, &str, &str) {
    let Some(begin) = name.find(|char: char| char.is_ascii_digit()) else { return (name, 0, "", name) };
    let digits = name[begin..].find(|char: char| !char.is_ascii_digit()).unwrap_or(name.len() - begin);
    match name[begin..begin + digits].parse() {
        Ok(number) => (&name[..begin], number, &name[begin + digits..], name),
        Err(_) => (name, 0, "", name),
    }
}

fn in_order(mut hosts: Vec<&str>) -> Vec<&str> {
    hosts.sort_unstable_by_key(|host| natural(host));
    hosts
}

/// Names in order, as a selector would have them: `web[1-3], web7, db`.
fn named(hosts: &[&str]) -> String {
    let mut pieces: Vec<(Vec<&str>, String)> = Vec::new();
    for host in hosts {
        match pieces.last_mut() {
            Some((run, _)) if run.last().is_some_and(|last| follows(last, host)) => run.push(host),
            _ => pieces.push((vec![host], String::new())),
        }
    }
    let shown = pieces.len().min(NAMES);
    let left: usize = pieces[shown..].iter().map(|(run, _)| run.len()).sum();
    let names = pieces[..shown].iter().map(|(run, _)| match run[..] {
        [first, .., last] if run.len() > 2 => {
            let ((before, _, after, _), (to_before, _, to_after, _)) = (natural(first), natural(last));
            let number =
                |name: &str, before: &str, after: &str| name[before.len()..name.len() - after.len()].to_owned();
            format!("{before}[{}-{}]{after}", number(first, before, after), number(last, to_before, to_after))
        }
        _ => run.join(", "),
    });
    let names = names.collect::<Vec<_>>().join(", ");
    if left > 0 { format!("{names} and {left} more") } else { names }
}

/// Whether one name is the next after another, with a number as wide unless neither begins with a zero.
fn follows(one: &str, next: &str) -> bool {
    let ((before, number, after, _), (to_before, to_number, to_after, _)) = (natural(one), natural(next));
    let padded = |name: &str, before: &str| name[before.len()..].starts_with('0');
    before == to_before
        && after == to_after
        && number.checked_add(1) == Some(to_number)
        && before.len() < one.len()
        && (one.len() == next.len() || !(padded(one, before) || padded(next, before)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::event::{Failure, Reason, Site};

    fn label(task: &str, host: &str) -> TaskLabel {
        let site = Site { file: "f".into(), line: 1 };
        TaskLabel { task: task.into(), instance: format!("{task}@{host}").into(), site }
    }

    fn table(said: &[(&str, &[&str], Verdict)]) -> Table {
        let mut table = Table::default();
        for (task, hosts, verdict) in said {
            hosts.iter().for_each(|host| table.finished(&label(task, host), verdict));
        }
        table
    }

    #[test]
    fn hosts_with_the_same_verdicts_share_a_line() {
        let mut table = table(&[
            ("build", &["web1", "web2", "web3", "web10", "db"], Verdict::Ok),
            ("ship", &["web3", "web1", "web2"], Verdict::Ok),
            ("ship", &["web2[x=1]"], Verdict::Skipped(SkipReason::UpToDate)),
            ("ship", &["web10"], Verdict::Unreachable("gone".to_owned())),
        ]);
        table.lost(&label("ship", "web4"));
        table.finished(&label("ship", "web4"), &Verdict::Failed(Failure::Inside(1)));
        assert_eq!(
            table.text(Style::default()),
            concat!(
                "  hosts       build  ship\n",
                "  db          ok     –\n",
                "  web1, web3  ok     ok\n",
                "  web2        ok     up to date\n",
                "  web4        –      unknown end\n",
                "  web10       ok     unreachable\n",
            )
        );
    }

    #[test]
    fn nothing_is_said_of_a_few_or_where_all_are_alike() {
        let failed = Verdict::Failed(Failure::Inside(1));
        let few = table(&[("t", &["a", "b"], Verdict::Ok), ("t", &["c"], failed.clone())]);
        assert_eq!(few.text(Style::default()), "");
        let alike = table(&[("t", &["a", "b", "c", "d"], failed)]);
        assert_eq!(alike.text(Style::default()), "");
        assert_eq!(table(&[("t", &[], Verdict::Ok)]).text(Style::default()), "");
    }

    #[test]
    fn names_are_put_together_as_ranges() {
        let named = |hosts: &[&str]| super::named(&in_order(hosts.to_vec()));
        assert_eq!(named(&["web3.a1", "web1.a1", "web2.a1", "web9.a1"]), "web[1-3].a1, web9.a1");
        assert_eq!(named(&["web08", "web09", "web10", "web11"]), "web[08-11]");
        assert_eq!(named(&["w8", "w9", "w10", "w010"]), "w8, w9, w010, w10");
        assert_eq!(named(&["a", "b", "1", "2"]), "1, 2, a, b");
        assert_eq!(named(&["a", "c", "e", "g", "i", "k", "m", "o"]), "a, c, e, g, i, k and 2 more");
        assert_eq!(
            named(&["x99999999999999999999", "x99999999999999999998"]),
            "x99999999999999999998, x99999999999999999999"
        );
    }

    #[test]
    fn of_many_tasks_those_are_shown_that_did_not_go_well() {
        let names: Vec<String> = (0..9).map(|at| format!("t{at}")).collect();
        let mut table = Table::default();
        for task in &names {
            for host in ["a", "b", "c", "d"] {
                let bad = task == "t7" && host == "c";
                let verdict = if bad { Verdict::Cancelled(Reason::Failed) } else { Verdict::Ok };
                table.finished(&label(task, host), &verdict);
            }
        }
        let text = table.text(Style::default());
        assert_eq!(text, "  hosts    t7\n  a, b, d  ok\n  c        cancelled\n  … and 8 more tasks\n");
    }
}
