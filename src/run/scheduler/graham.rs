//! How good the order is in which ready commands get their slots, on a clock of its own: Graham's bound for any
//! graph, and how the longest way first compares with the order of the file on graphs as they are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use crate::base::command::Outcome;
use crate::base::event::JobId;
use crate::plan::graph::Plan;
use crate::plan::ids::LeafId;
use crate::run::scheduler::{Action, Input, JobEnd, Scheduler};
use crate::run::testing::plan_of_graph;

/// A graph of commands: what each needs (earlier ones), and how long it takes.
struct Graph {
    needs: Vec<Vec<usize>>,
    millis: Vec<u64>,
}

impl Graph {
    fn plan(&self, slots: u32) -> Plan {
        plan_of_graph(&self.needs, slots)
    }

    /// The command that a leaf is.
    fn of(plan: &Plan, leaf: LeafId) -> usize {
        plan.instance(plan.leaf(leaf).instance).label.task[1..].parse().expect("tasks are numbered")
    }

    /// How long a run takes.
    fn makespan(&self, plan: Plan) -> u64 {
        let plan = Arc::new(plan);
        let mut scheduler = Scheduler::new(plan.clone());
        let mut running: BinaryHeap<Reverse<(u64, JobId)>> = BinaryHeap::new();
        let mut now = 0;
        let mut input = Input::Begin;
        loop {
            let mut out = Vec::new();
            scheduler.step(Duration::from_millis(now), input, &mut out);
            for action in out {
                if let Action::Start { job, leaf, .. } = action {
                    running.push(Reverse((now + self.millis[Self::of(&plan, leaf)], job)));
                }
            }
            let Some(Reverse((end, job))) = running.pop() else { break };
            now = end;
            input = Input::Ended(job, JobEnd::plain(Outcome::Exited(0)));
        }
        assert!(scheduler.is_done());
        now
    }

    /// The longest way, in time.
    fn critical(&self) -> u64 {
        let mut ends: Vec<u64> = Vec::new();
        for (needs, millis) in self.needs.iter().zip(&self.millis) {
            ends.push(millis + needs.iter().map(|need| ends[*need]).max().unwrap_or(0));
        }
        ends.into_iter().max().unwrap_or(0)
    }

    /// In the order of the file, with nothing known of what comes behind.
    fn first_come(&self, slots: u32) -> u64 {
        let mut plan = self.plan(slots);
        plan.path.iter_mut().for_each(|path| *path = 0);
        self.makespan(plan)
    }

    /// By the number of commands behind.
    fn by_count(&self, slots: u32) -> u64 {
        self.makespan(self.plan(slots))
    }

    /// By what was learned.
    fn learned(&self, slots: u32) -> u64 {
        let known = |plan: &Plan, leaf| Some(Duration::from_millis(self.millis[Self::of(plan, leaf)]));
        self.makespan(self.plan(slots).learn(known))
    }
}

fn graphs() -> impl Strategy<Value = Graph> {
    prop::collection::vec((1u64..200, prop::collection::vec(any::<prop::sample::Index>(), 0..4)), 1..40).prop_map(
        |all| {
            let needs = |at: usize, picks: &[prop::sample::Index]| -> Vec<usize> {
                let mut needs: Vec<usize> = picks.iter().filter(|_| at > 0).map(|pick| pick.index(at.max(1))).collect();
                needs.sort_unstable();
                needs.dedup();
                needs
            };
            Graph {
                needs: all.iter().enumerate().map(|(at, (_, picks))| needs(at, picks)).collect(),
                millis: all.iter().map(|(millis, _)| *millis).collect(),
            }
        },
    )
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.needs, self.millis)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::base::test_cases()))]

    /// No slot is ever idle while something is ready: on m slots a run takes at most W/m + (1 − 1/m)·C, with the work
    /// W and the longest way C, and so at most 2 − 1/m times the best that is possible (Graham, 1969).
    #[test]
    fn a_run_keeps_grahams_bound(graph in graphs(), slots in 1u32..6) {
        let work: u64 = graph.millis.iter().sum();
        let (slots_wide, critical) = (u64::from(slots), graph.critical());
        for took in [graph.first_come(slots), graph.by_count(slots), graph.learned(slots)] {
            prop_assert!(took * slots_wide <= work + (slots_wide - 1) * critical, "{took} of {work} and {critical}");
            prop_assert!(took >= critical && took * slots_wide >= work);
        }
    }
}

/// The packages that this program is made of, as they must be compiled; each takes as long as its name says, which is
/// to say anything: few take long.
fn packages() -> Graph {
    let lock = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock"));
    let mut packages: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut open = "";
    for line in lock.lines() {
        if let Some(name) = line.strip_prefix("name = \"") {
            open = name.trim_end_matches('"');
            packages.entry(open).or_default();
        } else if let Some(needed) = line.strip_prefix(" \"") {
            let name = needed.trim_end_matches(['"', ',']).split(' ').next().unwrap_or_default();
            packages.entry(open).or_default().push(name);
        }
    }
    in_order(&packages, |name| 1 + name.bytes().fold(7u64, |sum, byte| (sum * 31 + u64::from(byte)) % 97).pow(2) / 9)
}

/// A release: some are built, tested in several ways, packed and shipped one after the other, beside documents.
fn release() -> Graph {
    let mut graph: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut add = |name: &'static str, needs: &[&'static str]| drop(graph.insert(name, needs.to_vec()));
    for (name, needs) in [
        ("changelog-10", &[][..]),
        ("docs-400", &[]),
        ("fmt-20", &[]),
        ("install-300", &[]),
        ("lint-200", &["install-300"]),
        ("types-350", &["install-300"]),
        ("unit-250", &["install-300"]),
        ("zbuild-500", &["install-300"]),
        ("zbundle-150", &["zbuild-500"]),
        ("ze2e-900", &["zbundle-150"]),
        ("zimage-300", &["zbundle-150"]),
        ("zpublish-60", &["changelog-10", "docs-400", "lint-200", "types-350", "unit-250", "ze2e-900", "zimage-300"]),
    ] {
        add(name, needs);
    }
    in_order(&graph, written)
}

/// Many files, each checked and turned into something, and a few of them large, which the file names last.
fn pipeline() -> Graph {
    let mut needs: Vec<Vec<usize>> = vec![Vec::new()];
    let mut millis = vec![50];
    for file in 0..30u64 {
        needs.push(vec![0]);
        millis.push(20 + file);
        needs.push(vec![needs.len() - 1]);
        millis.push(if file >= 27 { 900 } else { 60 });
    }
    needs.push((1..needs.len()).collect());
    millis.push(80);
    Graph { needs, millis }
}

fn written(name: &str) -> u64 {
    name.rsplit('-').next().and_then(|millis| millis.parse().ok()).expect("a name ends in what it takes")
}

/// From names to places, so that each needs earlier ones only; beside that, by name.
fn in_order(graph: &BTreeMap<&str, Vec<&str>>, millis: impl Fn(&str) -> u64) -> Graph {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut out = Graph { needs: Vec::new(), millis: Vec::new() };
    while places.len() < graph.len() {
        let before = places.len();
        for (name, needs) in graph {
            let known: Option<Vec<usize>> = needs.iter().map(|need| places.get(need).copied()).collect();
            if let (Some(known), false) = (known, places.contains_key(name)) {
                places.insert(name, out.needs.len());
                out.needs.push(known);
                out.millis.push(millis(name));
            }
        }
        assert!(places.len() > before, "a circle, or a name that is not there");
    }
    out
}

#[test]
fn the_longest_way_first_is_no_later_than_the_order_of_the_file() {
    let mut table = String::new();
    for (name, graph) in [("packages", packages()), ("release", release()), ("pipeline", pipeline())] {
        for slots in [2, 4, 8] {
            let (first, count, learned) = (graph.first_come(slots), graph.by_count(slots), graph.learned(slots));
            let share = |took: u64| took as f64 / first as f64;
            table += &format!(
                "{name} -j{slots}: by count {:.2}, learned {:.2} of first come\n",
                share(count),
                share(learned)
            );
            // An order is no more than a good guess; on these it must not be a bad one.
            assert!(share(learned) <= 1.02, "{table}");
        }
    }
    assert!(pipeline().learned(4) < pipeline().first_come(4), "what takes long begins early:\n{table}");
    // For who wants to see it: cargo test the_longest_way -- --nocapture
    let _ = std::io::Write::write_all(&mut std::io::stderr(), table.as_bytes());
}
