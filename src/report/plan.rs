//! A plan, to be looked at: what would run and why (`-n`), and its graph (`--graph`). Pure text.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::base::event::{SkipReason, Verdict};
use crate::plan::graph::{Guard, Instance, Link, LinkKind, Memory, Over, Plan, Set};
use crate::plan::ids::{InstanceId, LeafId, ScopeId};
use crate::report::line::line;
use crate::report::sanitize::{first_line, visible};
use crate::report::spell;
use crate::report::style::{Ink, Style};
use crate::report::words;
use crate::xecfile::model::Origin;

/// What would run, in an order in which it could, with the reason for each instance and its commands.
pub fn text(plan: &Plan, style: Style) -> String {
    let reasons = Reasons::of(plan);
    let commands = commands(plan);
    let mut out = String::new();
    let mut sets: HashMap<ScopeId, &Set> = ruled(plan).map(|set| (set.scope, set)).collect();
    let order = plan.order();
    let around = |id: InstanceId| plan.scope(plan.instance(id).scope).parent;
    let last: HashMap<ScopeId, InstanceId> = order.iter().filter_map(|id| Some((around(*id)?, *id))).collect();
    let mut after = after_sets(plan);
    for id in order {
        let set = around(id).and_then(|around| sets.remove(&around));
        if let Some(set) = set {
            let name = &plan.defs.tasks[set.def.index()].label.task;
            let _ = writeln!(out, "{}  {}", style.paint(Ink::Bold, &visible(name)), rules_of(plan, set));
        }
        let name = &plan.instance(id).label.instance;
        let why = reasons.of_instance(plan, id);
        let _ = writeln!(out, "{}  {}", style.paint(Ink::Bold, &visible(name)), style.paint(Ink::Dim, &why));
        for (leaf, command) in &commands[id.index()] {
            let _ = writeln!(out, "    {}{}", hook_of(plan, *leaf), first_line(command));
        }
        let hooks = around(id).filter(|around| last[around] == id).and_then(|around| after.remove(&around));
        if let Some(stand_in) = hooks {
            let name = &plan.instance(stand_in).label.task;
            let what = style.paint(Ink::Dim, "once for all of them");
            let _ = writeln!(out, "{}  {what}", style.paint(Ink::Bold, &visible(name)));
            for (leaf, command) in &commands[stand_in.index()] {
                let _ = writeln!(out, "    {}{}", hook_of(plan, *leaf), first_line(command));
            }
        }
    }
    out
}

/// Who stands for the hooks of each set that has some.
fn after_sets(plan: &Plan) -> HashMap<ScopeId, InstanceId> {
    let ids = (0..plan.instances.len() as u32).map(InstanceId);
    let hooks = plan.leaves.iter().filter(|leaf| plan.instance(leaf.instance).hidden).map(|leaf| leaf.instance);
    let with: std::collections::HashSet<InstanceId> = hooks.collect();
    ids.filter(|id| with.contains(id)).map(|id| (plan.instance(id).scope, id)).collect()
}

/// `finally: ` for what follows its task, or a part of it.
fn hook_of(plan: &Plan, leaf: LeafId) -> String {
    let own = plan.instance(plan.leaf(leaf).instance).scope;
    let mut inside = plan.outward(plan.leaf(leaf).scope).take_while(|id| *id != own);
    let hook = inside.find(|id| plan.scope(*id).is_hook);
    let around = hook.and_then(|hook| plan.scope(hook).parent);
    let stage = around.and_then(|around| plan.scope(around).hooks.iter().position(|one| *one == hook));
    stage.map(|stage| format!("{}: ", ["on-success", "on-failure", "finally"][stage])).unwrap_or_default()
}

/// What the file says of sets, resolved: how many at a time, and how many must succeed; a line for each.
pub fn sets(plan: &Plan) -> String {
    let line =
        |set: &Set| format!("{}: {}\n", visible(&plan.defs.tasks[set.def.index()].label.task), rules_of(plan, set));
    ruled(plan).map(line).collect()
}

fn ruled(plan: &Plan) -> impl Iterator<Item = &Set> {
    plan.sets.iter().filter(|set| set.is_ruled() && set.total > 0)
}

/// `4 batches: 1, 4, 4, 3 (at least 1, 2, 2, 2), 5s between; at least 12 of 12`.
fn rules_of(plan: &Plan, set: &Set) -> String {
    let list = |numbers: &mut dyn Iterator<Item = u32>| numbers.map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let mut out = String::new();
    if let Some(Over { selector, meant, asked }) = &set.over {
        let all = plan.hosts.iter().filter(|host| host.origin != Origin::SshConfig).count();
        let _ = write!(out, "on {asked} of {} hosts: ", all.max(*meant as usize));
        if asked != meant {
            let _ = write!(out, "asked for, of the {meant} of ");
        }
        out.push_str(&visible(selector));
        if !set.stated && set.batches.is_empty() {
            return out;
        }
        out.push_str("; ");
    }
    if !set.batches.is_empty() {
        let word = if set.batches.len() == 1 { "batch" } else { "batches" };
        let sizes = list(&mut set.batches.iter().map(|(size, _)| *size));
        let _ = write!(out, "{} {word}: {sizes}", set.batches.len());
        if set.batches.iter().any(|(size, need)| size != need) {
            let _ = write!(out, " (at least {})", list(&mut set.batches.iter().map(|(_, need)| *need)));
        }
        if !set.pause.is_zero() {
            let _ = write!(out, ", {} between", spell::duration(set.pause));
        }
        out.push_str("; ");
    }
    let _ = write!(out, "at least {} of {}", set.need, set.total);
    out
}

/// The same as one line of JSON.
pub fn json(plan: &Plan) -> String {
    let reasons = Reasons::of(plan);
    let commands = commands(plan);
    let order = plan.order();
    let would_run = order.iter().map(|id| Would {
        instance: &plan.instance(*id).label.instance,
        reason: reasons.of_instance(plan, *id),
        commands: commands[id.index()].iter().map(|(_, text)| *text).collect(),
    });
    let sets = ruled(plan).map(|set| JsonSet {
        task: &plan.defs.tasks[set.def.index()].label.task,
        instances: set.total,
        require: set.need,
        batches: set.batches.iter().map(|(size, need)| JsonBatch { size: *size, require: *need }).collect(),
        pause: set.pause.as_secs_f64(),
    });
    line(&Whole { v: 1, plan: would_run.collect::<Vec<_>>(), sets: sets.collect() })
}

/// For Graphviz: solid for `needs`, dashed for `after`, dotted for `call`.
pub fn dot(plan: &Plan) -> String {
    let mut out = String::from("digraph xec {\n    rankdir=LR\n    node [shape=box]\n");
    for (at, instance) in shown(plan) {
        let name = serde_json::Value::from(&*instance.label.instance);
        let _ = writeln!(out, "    n{at} [label={name}]");
    }
    for (from, link) in edges(plan) {
        let style = match link.kind {
            LinkKind::After => " [style=dashed]",
            LinkKind::Calls => " [style=dotted]",
            LinkKind::Needs | LinkKind::Requested => "",
        };
        let _ = writeln!(out, "    n{} -> n{}{style}", from.0, link.to.0);
    }
    out.push_str("}\n");
    out
}

/// For Mermaid: an arrow for `needs`, a dotted one for `after` and `call`, which it names.
pub fn mermaid(plan: &Plan) -> String {
    let mut out = String::from("graph LR\n");
    for (at, instance) in shown(plan) {
        // Mermaid knows no escapes but those of HTML.
        let name = visible(&instance.label.instance).replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
        let _ = writeln!(out, "    n{at}[\"{name}\"]");
    }
    for (from, link) in edges(plan) {
        let arrow = match link.kind {
            LinkKind::After => "-. after .->",
            LinkKind::Calls => "-. calls .->",
            LinkKind::Needs | LinkKind::Requested => "-->",
        };
        let _ = writeln!(out, "    n{} {arrow} n{}", from.0, link.to.0);
    }
    out
}

/// The graph as one line of JSON: instances, and who names whom.
pub fn graph_json(plan: &Plan) -> String {
    let nodes = shown(plan).map(|(_, instance)| &*instance.label.instance).collect();
    let mut place = vec![0; plan.instances.len()];
    for (at, (id, _)) in shown(plan).enumerate() {
        place[id] = at as u32;
    }
    let place = |id: InstanceId| place[id.index()];
    let edges = edges(plan)
        .map(|(from, link)| JsonEdge { from: place(from), to: place(link.to), kind: word(link.kind) })
        .collect();
    let requested =
        plan.links.iter().filter(|link| link.kind == LinkKind::Requested).map(|link| place(link.to)).collect();
    line(&JsonGraph { v: 1, requested, nodes, edges })
}

/// The instances that stand for themselves.
fn shown(plan: &Plan) -> impl Iterator<Item = (usize, &Instance)> {
    plan.instances.iter().enumerate().filter(|(_, instance)| !instance.hidden)
}

fn edges(plan: &Plan) -> impl Iterator<Item = (InstanceId, &Link)> {
    let from = plan.links.iter().filter_map(|link| Some((link.from?, link)));
    from.filter(|(from, _)| !plan.instance(*from).hidden)
}

fn word(kind: LinkKind) -> &'static str {
    match kind {
        LinkKind::Requested => "requested",
        LinkKind::Needs => "needs",
        LinkKind::After => "after",
        LinkKind::Calls => "call",
    }
}

/// The commands of each instance, in the order of the file.
fn commands(plan: &Plan) -> Vec<Vec<(LeafId, &str)>> {
    let mut commands = vec![Vec::new(); plan.instances.len()];
    for (at, leaf) in plan.leaves.iter().enumerate() {
        if plan.is_spare(LeafId(at as u32)) {
            continue;
        }
        let text = &*plan.defs.commands[leaf.command.index()].text;
        commands[leaf.instance.index()].push((LeafId(at as u32), text));
    }
    commands
}

/// Who names each instance.
struct Reasons {
    by: Vec<Vec<Link>>,
}

impl Reasons {
    fn of(plan: &Plan) -> Self {
        let mut by = vec![Vec::new(); plan.instances.len()];
        for link in plan.links.iter().filter(|link| link.kind != LinkKind::After) {
            by[link.to.index()].push(*link);
        }
        Self { by }
    }

    fn of_instance(&self, plan: &Plan, id: InstanceId) -> String {
        let who = self.who(plan, id);
        let scope = plan.scope(plan.instance(id).scope);
        let who = match scope.ready {
            Some(_) => format!("{who}; a service, up while it is needed"),
            None => who,
        };
        match &scope.guard {
            Guard::Always if scope.memory == Memory::Whole => {
                format!("{who}; whether it is up to date is decided at run time")
            }
            Guard::Always => who,
            Guard::Never(SkipReason::Condition) => format!("{who}; skipped, by its condition"),
            Guard::Never(why) => format!("{who}; skipped: {}", words::ending(&Verdict::Skipped(why.clone()), None)),
            Guard::Ask(asked) if asked.all.is_empty() && plan.instance(id).takes.is_empty() => who,
            Guard::Ask(asked) if asked.all.is_empty() => format!("{who}; skipped where what it takes is not there"),
            Guard::Ask(_) => format!("{who}; whether it runs is decided at run time"),
        }
    }

    fn who(&self, plan: &Plan, id: InstanceId) -> String {
        let links = &self.by[id.index()];
        if links.iter().any(|link| link.kind == LinkKind::Requested) {
            return "requested".to_owned();
        }
        let mut names: Vec<_> =
            links.iter().filter_map(|link| link.from).map(|from| &*plan.instance(from).label.instance).collect();
        // Two edges of one task come one after the other.
        names.dedup();
        let word = if links.iter().any(|link| link.kind == LinkKind::Calls) { "called by" } else { "needed by" };
        let shown: Vec<_> = names.iter().take(3).map(|name| visible(name)).collect();
        let more = if names.len() > 3 { format!(" and {} more", names.len() - 3) } else { String::new() };
        format!("{word} {}{more}", shown.join(", "))
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    v: u32,
    plan: Vec<Would<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sets: Vec<JsonSet<'a>>,
}

#[derive(Serialize)]
struct JsonSet<'a> {
    task: &'a str,
    instances: u32,
    require: u32,
    batches: Vec<JsonBatch>,
    pause: f64,
}

#[derive(Serialize)]
struct JsonBatch {
    size: u32,
    require: u32,
}

#[derive(Serialize)]
struct Would<'a> {
    instance: &'a str,
    reason: String,
    commands: Vec<&'a str>,
}

#[derive(Serialize)]
struct JsonGraph<'a> {
    v: u32,
    requested: Vec<u32>,
    nodes: Vec<&'a str>,
    edges: Vec<JsonEdge>,
}

#[derive(Serialize)]
struct JsonEdge {
    from: u32,
    to: u32,
    kind: &'static str,
}
