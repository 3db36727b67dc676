//! Tasks that wait for each other in a circle: found before anything runs, shown with every edge.

use std::collections::VecDeque;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use rustc_hash::FxHashMap;

use crate::base::diagnostic::{Code, Problem};
use crate::plan::select::{Mention, TaskIndex, Tie};
use crate::xecfile::model::Xecfile;

/// One problem for each knot of tasks, showing a shortest circle in it. Linear in tasks and mentions, and
/// without recursion (Kosaraju's algorithm by two depth-first walks, then one walk in breadth a knot).
pub fn check(file: &Xecfile, mentions: &[Mention]) -> Vec<Problem> {
    let mut graph: DiGraph<TaskIndex, usize> = DiGraph::new();
    let mut nodes: FxHashMap<TaskIndex, NodeIndex> = FxHashMap::default();
    for (at, mention) in mentions.iter().enumerate() {
        let mut node = |task| *nodes.entry(task).or_insert_with(|| graph.add_node(task));
        let (from, to) = (node(mention.from), node(mention.to));
        graph.add_edge(from, to, at);
    }
    let mut problems: Vec<(TaskIndex, Problem)> = Vec::new();
    for knot in kosaraju_scc(&graph) {
        let members: Vec<TaskIndex> = knot.iter().map(|node| graph[*node]).collect();
        let first = members.iter().copied().min().unwrap_or_default();
        if let Some(circle) = shortest_circle(first, &members, mentions, &graph, &nodes) {
            problems.push((first, problem(file, &circle)));
        }
    }
    problems.sort_by_key(|(first, _)| *first);
    problems.into_iter().map(|(_, problem)| problem).collect()
}

fn shortest_circle<'m>(
    first: TaskIndex,
    members: &[TaskIndex],
    mentions: &'m [Mention],
    graph: &DiGraph<TaskIndex, usize>,
    nodes: &FxHashMap<TaskIndex, NodeIndex>,
) -> Option<Vec<&'m Mention>> {
    let inside: std::collections::HashSet<TaskIndex> = members.iter().copied().collect();
    let mut came_by: FxHashMap<TaskIndex, usize> = FxHashMap::default();
    let mut open = VecDeque::from([first]);
    while let Some(task) = open.pop_front() {
        // petgraph hands out the youngest edge first; the file reads the other way.
        let mut edges: Vec<usize> = graph.edges(nodes[&task]).map(|edge| *edge.weight()).collect();
        edges.sort_unstable();
        for at in edges {
            let to = mentions[at].to;
            if !inside.contains(&to) || came_by.contains_key(&to) {
                continue;
            }
            came_by.insert(to, at);
            if to == first {
                return Some(walk_back(first, &came_by, mentions));
            }
            open.push_back(to);
        }
    }
    None
}

fn walk_back<'m>(first: TaskIndex, came_by: &FxHashMap<TaskIndex, usize>, mentions: &'m [Mention]) -> Vec<&'m Mention> {
    let mut circle = Vec::new();
    let mut at = first;
    loop {
        let mention = &mentions[came_by[&at]];
        circle.push(mention);
        at = mention.from;
        if at == first {
            circle.reverse();
            return circle;
        }
    }
}

fn problem(file: &Xecfile, circle: &[&Mention]) -> Problem {
    let name = |task: TaskIndex| &*file.tasks[task].name.value;
    let mut names: Vec<&str> = circle.iter().map(|mention| name(mention.from)).collect();
    names.push(name(circle[0].from));
    let message = match circle {
        [only] => format!("task `{}` waits for itself", name(only.from)),
        _ if names.len() > 9 => {
            format!(
                "{} tasks wait for each other: {} → … → {}",
                names.len() - 1,
                names[..4].join(" → "),
                names[names.len() - 1]
            )
        }
        _ => format!("tasks wait for each other: {}", names.join(" → ")),
    };
    let mut problem = Problem::error(Code::Cycle, message);
    for mention in circle.iter().take(20) {
        let word = match mention.tie {
            Tie::Needs => "needs",
            Tie::After => "comes after",
            Tie::Call => "calls",
        };
        problem = problem.at(mention.span, format!("`{}` {word} `{}`", name(mention.from), name(mention.to)));
    }
    problem.help("take one of these edges out, or move what both need into a task of its own")
}
