//! Hosts: which one of several is picked, and what becomes of one that cannot be reached. How it is reached is not
//! known here.
//!
//! A host is picked when the scope that says so is entered, when all else that it waits for is held: so the one with the
//! least to do has the least to do now. It sticks through new attempts, and is picked anew for the next item of a lane.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::base::command::{NotStarted, Outcome};
use crate::base::event::{Event, TaskLabel, Verdict};
use crate::plan::graph::{Plan, Pool, Target, Vertex};
use crate::plan::ids::{HostId, InstanceId, LeafId, PoolId, ScopeId, VertexId};
use crate::run::scheduler::{Action, Complaint, End, JobEnd, Scheduler};
use crate::xecfile::model::Pick;

/// What is known of the hosts of a run.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// Which one was picked for whom.
    bound: FxHashMap<ScopeId, HostId>,
    /// For whom a host counts as busy.
    busy: FxHashSet<ScopeId>,
    /// How many of these each host has, and commands that run there by name.
    load: FxHashMap<HostId, u32>,
    /// Whose turn it is: what each host of a pool has to its credit.
    credit: FxHashMap<PoolId, Vec<i64>>,
    /// How many were picked.
    picked: u64,
    /// Those that could not be reached, and why.
    lost: FxHashMap<HostId, String>,
    /// What each has still to do.
    left: Left,
}

/// How many leaves have not ended: by host, and by pool as long as it may be any host of it.
#[derive(Debug, Default)]
struct Left {
    hosts: Vec<u32>,
    pools: Vec<u32>,
    /// Of which pools a host is one.
    pools_of: Vec<Vec<PoolId>>,
    /// Those that may have nothing left since the last look.
    perhaps: Vec<HostId>,
}

impl Hosts {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut hosts = Self::default();
        if plan.hosts.is_empty() {
            return hosts;
        }
        let left = &mut hosts.left;
        left.hosts = vec![0; plan.hosts.len()];
        left.pools = vec![0; plan.pools.len()];
        left.pools_of = vec![Vec::new(); plan.hosts.len()];
        for (id, pool) in plan.pools.iter().enumerate() {
            pool.hosts.iter().for_each(|host| left.pools_of[host.index()].push(PoolId(id as u32)));
        }
        for target in (0..plan.leaves.len() as u32).flat_map(|leaf| plan.targets_of(LeafId(leaf))) {
            match target {
                Target::Here => {}
                Target::Host(host) => left.hosts[host.index()] += 1,
                Target::Pick(pool, _) => left.pools[pool.index()] += 1,
            }
        }
        hosts
    }
}

impl Scheduler {
    /// Where what is directly in a scope runs; `None` is here.
    pub(super) fn host_of(&self, scope: ScopeId) -> Option<HostId> {
        self.plan.scope(scope).target.host(&self.hosts.bound)
    }

    /// The hosts that parts of a leaf are on, but for the one that it is on itself; each once.
    pub(super) fn other_hosts(&self, leaf: LeafId) -> Vec<HostId> {
        let own = self.host_of(self.plan.leaf(leaf).scope);
        let parts = self.plan.parts_of(leaf).iter().filter_map(|target| target.host(&self.hosts.bound));
        let mut others: Vec<HostId> = parts.filter(|host| Some(*host) != own).collect();
        others.sort_unstable();
        others.dedup();
        others
    }

    /// A scope begins anew, wherever it was.
    pub(super) fn unbind(&mut self, scope: ScopeId) {
        self.leave_host(scope);
        self.hosts.bound.remove(&scope);
    }

    /// A leaf has ended, or never will begin.
    pub(super) fn less_is_left(&mut self, vertex: VertexId) {
        for target in self.targets_of(vertex) {
            let left = &mut self.hosts.left;
            match target {
                Target::Here => {}
                Target::Host(host) => {
                    left.hosts[host.index()] = left.hosts[host.index()].saturating_sub(1);
                    left.perhaps.push(host);
                }
                Target::Pick(pool, _) => {
                    let count = &mut left.pools[pool.index()];
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        left.perhaps.extend(&self.plan.pools[pool.index()].hosts);
                    }
                }
            }
        }
    }

    /// A leaf that had ended begins anew.
    pub(super) fn more_is_left(&mut self, vertex: VertexId) {
        for target in self.targets_of(vertex) {
            match target {
                Target::Host(host) => self.hosts.left.hosts[host.index()] += 1,
                Target::Pick(pool, _) => self.hosts.left.pools[pool.index()] += 1,
                Target::Here => {}
            }
        }
    }

    fn targets_of(&self, vertex: VertexId) -> Vec<Target> {
        match self.plan.vertices[vertex.index()] {
            Vertex::Leaf(leaf) if !self.hosts.left.hosts.is_empty() => self.plan.targets_of(leaf),
            _ => Vec::new(),
        }
    }

    /// Tells of hosts that have nothing left to do.
    pub(super) fn tell_idle(&mut self, out: &mut Vec<Action>) {
        let left = &mut self.hosts.left;
        let mut perhaps = std::mem::take(&mut left.perhaps);
        perhaps.sort_unstable();
        perhaps.dedup();
        let is_idle = |host: &HostId| {
            left.hosts[host.index()] == 0
                && left.pools_of[host.index()].iter().all(|pool| left.pools[pool.index()] == 0)
        };
        out.extend(perhaps.into_iter().filter(is_idle).map(Action::Idle));
    }

    /// Picks a host for a scope, if it is one that has a host picked.
    pub(super) fn bind(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        let plan = self.plan.clone();
        let Target::Pick(pool, by) = plan.scope(scope).target else { return };
        if by != scope || self.hosts.bound.contains_key(&scope) {
            return;
        }
        let host = self.pick(pool, &plan.pools[pool.index()]);
        self.hosts.bound.insert(scope, host);
        let labelled = |instance| (instance, self.label_on(scope, instance, &plan.host(host).name.value));
        let label = plan.scope(scope).instance().map(labelled);
        if let Some((instance, label)) = &label {
            self.labels.insert(*instance, label.clone());
        }
        out.push(Action::Bound { scope, host, label });
    }

    /// What an instance is called on its host.
    fn label_on(&self, scope: ScopeId, instance: InstanceId, host: &str) -> Arc<TaskLabel> {
        let label = match self.plan.scope(scope).is_lane {
            true => self.label(instance),
            false => self.plan.instance(instance).label.clone(),
        };
        let (name, task) = (&label.instance, label.task.len());
        let shown = format!("{}@{host}{}", &name[..task], &name[task..]);
        Arc::new(TaskLabel { instance: shown.into(), ..(*label).clone() })
    }

    /// A scope is entered: its host has one more to care for.
    pub(super) fn enter_host(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        self.bind(scope, out);
        if let Some(host) = self.hosts.bound.get(&scope).copied()
            && self.hosts.busy.insert(scope)
        {
            *self.hosts.load.entry(host).or_default() += 1;
        }
    }

    /// It is over.
    pub(super) fn leave_host(&mut self, scope: ScopeId) {
        if let Some(host) = self.hosts.bound.get(&scope)
            && self.hosts.busy.remove(&scope)
            && let Some(load) = self.hosts.load.get_mut(host)
        {
            *load = load.saturating_sub(1);
        }
    }

    /// A command begins on a host that was named.
    pub(super) fn occupy(&mut self, leaf: LeafId) {
        if let Target::Host(host) = self.plan.scope(self.plan.leaf(leaf).scope).target {
            *self.hosts.load.entry(host).or_default() += 1;
        }
    }

    /// It has ended.
    pub(super) fn vacate(&mut self, leaf: LeafId) {
        if let Target::Host(host) = self.plan.scope(self.plan.leaf(leaf).scope).target
            && let Some(load) = self.hosts.load.get_mut(&host)
        {
            *load = load.saturating_sub(1);
        }
    }

    fn pick(&mut self, id: PoolId, pool: &Pool) -> HostId {
        self.hosts.picked += 1;
        let there: Vec<usize> =
            (0..pool.hosts.len()).filter(|at| !self.hosts.lost.contains_key(&pool.hosts[*at])).collect();
        // Where none can be reached, one of them says so.
        let there = if there.is_empty() { (0..pool.hosts.len()).collect() } else { there };
        let weight = |at: &usize| i64::from(self.plan.host(pool.hosts[*at]).weight);
        let chosen = match pool.pick {
            Pick::First => there.first().copied(),
            Pick::Random => {
                let total: i64 = there.iter().map(weight).sum();
                let mut left = (self.number(self.hosts.picked) % total.unsigned_abs().max(1)) as i64;
                there.iter().copied().find(|at| {
                    left -= weight(at);
                    left < 0
                })
            }
            Pick::LeastLoaded => {
                let load = |at: &usize| i64::from(self.hosts.load.get(&pool.hosts[*at]).copied().unwrap_or(0));
                // Compared as fractions: (load + 1) / weight.
                there
                    .iter()
                    .copied()
                    .min_by(|a, b| ((load(a) + 1) * weight(b)).cmp(&((load(b) + 1) * weight(a))).then(a.cmp(b)))
            }
            // Smooth weighted round-robin, as nginx has it: who has most to its credit goes, and pays for all.
            Pick::RoundRobin => {
                let total: i64 = there.iter().map(weight).sum();
                let gains: Vec<(usize, i64)> = there.iter().map(|at| (*at, weight(at))).collect();
                let credit = self.hosts.credit.entry(id).or_insert_with(|| vec![0; pool.hosts.len()]);
                gains.iter().for_each(|(at, gain)| credit[*at] += gain);
                let most = there.iter().copied().max_by(|a, b| credit[*a].cmp(&credit[*b]).then(b.cmp(a)));
                if let Some(at) = most {
                    credit[at] -= total;
                }
                most
            }
        };
        pool.hosts[chosen.unwrap_or(0)]
    }

    /// Why a leaf cannot be started where it shall run, if that is known already.
    pub(super) fn lost_host(&self, leaf: LeafId) -> Option<String> {
        if self.hosts.lost.is_empty() || self.plan.leaf(leaf).wait.is_some() {
            return None;
        }
        let own = self.host_of(self.plan.leaf(leaf).scope);
        let mut hosts = own.into_iter().chain(self.other_hosts(leaf));
        hosts.find_map(|host| self.hosts.lost.get(&host).cloned())
    }

    /// A leaf could not be started since its host cannot be reached: what is left for that host is not tried any more,
    /// unless this is tried again.
    pub(super) fn lose_host(&mut self, leaf: LeafId, end: &JobEnd) {
        if !self.other_hosts(leaf).is_empty() {
            return; // Which one of them it is, whoever needs it next will see.
        }
        if let Outcome::NotStarted(NotStarted::Unreachable(why)) = &end.outcome {
            self.lose(self.plan.leaf(leaf).scope, why);
        }
    }

    /// The same, of a scope.
    pub(super) fn lose(&mut self, scope: ScopeId, why: &str) {
        let Some(host) = self.host_of(scope).filter(|_| !self.may_be_tried_again(scope)) else { return };
        self.hosts.lost.entry(host).or_insert_with(|| why.to_owned());
    }

    /// Why what is asked about a scope cannot be asked on its host, if that is known already.
    pub fn unreachable(&self, scope: ScopeId) -> Option<&str> {
        self.hosts.lost.get(&self.host_of(scope)?).map(String::as_str)
    }

    /// Whether an instance failed for a host that cannot be reached, and why.
    pub(super) fn unreached(&self, scope: ScopeId) -> Option<String> {
        self.host_of(scope)?;
        let unstarted = self.failed_in(scope).find_map(|end| match &end.outcome {
            Outcome::NotStarted(NotStarted::Unreachable(why)) => Some(why.clone()),
            _ => None,
        });
        let inside = &self.plan.scope(scope).vertices;
        let unasked = || {
            let mut complaints = self.complaints.iter().filter(|(vertex, _)| inside.contains(&vertex.0));
            complaints.find_map(|(_, complaint)| match complaint {
                Complaint::Unreachable(why) => Some(why.clone()),
                Complaint::Value(_) => None,
            })
        };
        unstarted.or_else(unasked)
    }

    /// Whether something in a scope was sent to a host, and nobody knows what came of it: nothing tries that again.
    pub(super) fn is_unknown(&self, scope: ScopeId) -> bool {
        self.failed_in(scope).any(|end| matches!(end.outcome, Outcome::Unknown(_)))
    }

    fn failed_in(&self, scope: ScopeId) -> impl Iterator<Item = &JobEnd> {
        let range = self.plan.scope(scope).vertices.clone().map(VertexId);
        range
            .filter(|vertex| {
                matches!(self.plan.vertices[vertex.index()], Vertex::Leaf(_))
                    && matches!(self.end[vertex.index()], Some(End::Failed(_)))
            })
            .filter_map(|vertex| self.ends.get(&vertex).map(|(_, end)| end))
    }

    /// A leaf whose host is lost ends as it begins.
    pub(super) fn start_nowhere(&mut self, leaf: LeafId, why: String, out: &mut Vec<Action>) {
        let Some(job) = self.live.get(&leaf).copied() else { return };
        let Some(queue) = self.jobs.get(&job).map(|live| live.queue) else { return };
        let step = Arc::new(self.step_label(leaf));
        out.push(Action::Emit(Event::StepStarted {
            job,
            step,
            attempt: queue.attempt,
            waits: queue.waits,
            slots: 0,
            pid: None,
        }));
        self.job_ended(job, JobEnd::plain(Outcome::NotStarted(NotStarted::Unreachable(why))), out);
    }
}

/// What a command that could not be started for its host is to a user.
pub(super) fn verdict_of(outcome: &Outcome) -> Option<Verdict> {
    match outcome {
        Outcome::NotStarted(NotStarted::Unreachable(why)) => Some(Verdict::Unreachable(why.clone())),
        _ => None,
    }
}
