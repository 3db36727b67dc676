//! The scheduler driven by a scripted executor, and a judge of the trace that knows only the plan.

use std::collections::{BTreeMap, BTreeSet, HashMap};

mod choice;
mod width;

use proptest::prelude::*;

use super::*;
use crate::base::command::{NotStarted, Outcome};
use crate::base::event::{Event, Level, Reason};
use crate::plan::graph::{Completion, EdgeKind, LimitKind, Memory, ScopeKind};
use crate::plan::ids::InstanceId;
use crate::run::testing::{Tape, plan};

/// What comes back by itself, and is judged where it is counted.
const HELD_BY_TIME: LimitKind = LimitKind::Rate(Duration::from_millis(20));

/// What is known of a run from the outside, and what must hold of it.
struct Judge<'p> {
    plan: &'p Plan,
    running: HashMap<JobId, LeafId>,
    result: HashMap<LeafId, bool>,
    /// Scopes whose time was up while they ran: what is optional in them is no excuse.
    late: BTreeSet<ScopeId>,
    /// Scopes that were ended from outside: that they are optional is no excuse.
    ended: BTreeSet<ScopeId>,
    /// Scopes that had not to run.
    passed: BTreeSet<ScopeId>,
    /// Which child decided a scope, by the vertex where it ended.
    decided: HashMap<ScopeId, VertexId>,
    begun: BTreeSet<ScopeId>,
    cancelled: bool,
    open: BTreeSet<InstanceId>,
    /// Who holds what of the machine.
    locked: BTreeMap<VertexId, Vec<(LimitId, u32)>>,
    started: usize,
    told: usize,
}

impl Judge<'_> {
    fn start(&mut self, job: JobId, leaf: LeafId) -> Result<(), TestCaseError> {
        prop_assert!(!self.running.values().any(|other| *other == leaf), "one attempt at a time");
        let again = self.plan.scope(self.plan.leaf(leaf).scope);
        let retried = again.retry.is_some() || again.retried_parent.is_some();
        prop_assert!(retried || !self.result.contains_key(&leaf), "a leaf that has ended does not begin again");
        self.result.remove(&leaf);
        prop_assert!(self.running.insert(job, leaf).is_none(), "a job's name is never used twice");
        // Whatever the leaf, and every scope around it, waits for, has succeeded.
        self.waits(self.plan.leaf(leaf).vertex)?;
        let mut scope = Some(self.plan.leaf(leaf).scope);
        while let Some(id) = scope {
            self.waits(self.plan.scope(id).enter)?;
            scope = self.plan.scope(id).parent;
        }
        self.no_lost_way(leaf)?;
        self.limits()
    }

    fn waits(&self, vertex: VertexId) -> Result<(), TestCaseError> {
        for edge in self.plan.predecessors.of(vertex) {
            match (edge.kind, self.plan.vertices[edge.other.index()]) {
                (EdgeKind::Ok, Vertex::Leaf(leaf)) => prop_assert_eq!(self.result.get(&leaf), Some(&true)),
                (EdgeKind::Ok, Vertex::Exit(scope)) => {
                    prop_assert!(self.fine(scope), "{:?} before {:?}", scope, vertex);
                    prop_assert!(self.idle(scope));
                }
                (EdgeKind::Ok, Vertex::Barrier(_)) => {
                    prop_assert!(self.gate_is_open(edge.other), "a batch before its gate is open");
                    prop_assert!(self.before(edge.other).all(|scope| self.idle(scope)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What stands directly before a gate.
    fn before(&self, gate: VertexId) -> impl Iterator<Item = ScopeId> {
        self.plan.predecessors.of(gate).iter().filter_map(|edge| self.plan.scope_of(edge.other))
    }

    /// Enough of what is before a gate has succeeded.
    fn gate_is_open(&self, vertex: VertexId) -> bool {
        let Vertex::Barrier(gate) = self.plan.vertices[vertex.index()] else { return true };
        self.before(vertex).filter(|scope| self.fine(*scope)).count() >= self.plan.gates[gate.index()].need as usize
    }

    /// All that a vertex waits for is as it should be.
    fn met(&self, vertex: VertexId) -> bool {
        self.plan.predecessors.of(vertex).iter().all(|edge| match (edge.kind, self.plan.scope_of(edge.other)) {
            (EdgeKind::Ok, Some(scope)) if self.plan.scope(scope).exit == edge.other => self.fine(scope),
            _ => true,
        })
    }

    /// A scope has succeeded, may fail, or had not to run.
    fn fine(&self, scope: ScopeId) -> bool {
        let excused = self.plan.scope(scope).optional && !self.ended.contains(&scope);
        excused || self.passed.contains(&scope) || self.succeeded(scope)
    }

    /// What it needed has succeeded, and enough of what is in it.
    fn succeeded(&self, scope: ScopeId) -> bool {
        let this = self.plan.scope(scope);
        let needs = this.gate.into_iter().chain([this.enter]).flat_map(|vertex| self.plan.predecessors.of(vertex));
        let needs = needs.filter(|edge| edge.kind == EdgeKind::Ok).all(|edge| match self.plan.scope_of(edge.other) {
            Some(other) if self.plan.scope(other).exit == edge.other && self.foreign(other, scope) => self.fine(other),
            _ => true,
        });
        if this.completion != Completion::All {
            return !self.late.contains(&scope) && needs && self.choice_succeeded(scope);
        }
        let mut good = 0;
        for child in self.plan.children(scope) {
            good += u32::from(match (self.plan.scope_of(child), self.plan.vertices[child.index()]) {
                (Some(inner), _) if self.plan.scope(inner).is_hook || self.plan.scope(inner).shared => continue,
                (Some(inner), _) => self.fine(inner),
                (None, Vertex::Leaf(leaf)) => self.result.get(&leaf) == Some(&true),
                _ => continue,
            });
        }
        let open = self.plan.children(scope).all(|child| self.gate_is_open(child));
        !self.late.contains(&scope) && needs && open && good >= this.require.of(this.children)
    }

    /// Whether it is no earlier child of the same scope, but something that is needed.
    fn foreign(&self, other: ScopeId, scope: ScopeId) -> bool {
        let (a, b) = (self.plan.scope(other), self.plan.scope(scope));
        a.shared || a.parent != b.parent
    }

    fn hook_failed(&self, hook: ScopeId) -> bool {
        let range = &self.plan.scope(hook).vertices;
        let bad = |(leaf, ok): (&LeafId, &bool)| !ok && range.contains(&self.plan.leaf(*leaf).vertex.0);
        self.result.iter().any(bad) || self.late.contains(&hook) || !self.succeeded(hook)
    }

    /// Who comes after another waits while that one runs. (Once it waits for room alone, it waits for no one else.)
    fn began(&mut self, scheduler: &Scheduler) -> Result<(), TestCaseError> {
        for at in (0..self.plan.scopes.len() as u32).map(ScopeId) {
            let waits = matches!(scheduler.scope_phase(at), Phase::Dormant | Phase::Waiting);
            let entry = scheduler.end[self.plan.scope(at).enter.index()];
            let never = !matches!(entry, None | Some(End::Ok));
            if waits || never || !self.begun.insert(at) {
                continue;
            }
            for edge in self.plan.predecessors.of(self.plan.scope(at).enter) {
                if let (EdgeKind::Order, Some(other)) = (edge.kind, self.plan.scope_of(edge.other)) {
                    prop_assert!(self.idle(other));
                }
            }
        }
        Ok(())
    }

    fn idle(&self, scope: ScopeId) -> bool {
        let range = &self.plan.scope(scope).vertices;
        !self.running.values().any(|leaf| range.contains(&self.plan.leaf(*leaf).vertex.0))
    }

    fn limits(&self) -> Result<(), TestCaseError> {
        let slots = self.plan.limits[0].count.expect("random plans have slots");
        let weight = |leaf: &LeafId| self.plan.scope(self.plan.leaf(*leaf).scope).weight;
        let taken: u32 = self.running.values().map(weight).sum();
        prop_assert!(taken <= slots, "more at once than there are slots");
        for (at, limit) in self
            .plan
            .limits
            .iter()
            .enumerate()
            .filter(|(_, limit)| limit.kind != HELD_BY_TIME && limit.adapts.is_none())
        {
            let busy = (0..self.plan.scopes.len() as u32).map(ScopeId).filter(|scope| !self.idle(*scope));
            let claims = busy.flat_map(|scope| self.plan.scope(scope).claim.iter());
            let used: u32 = claims.filter(|(id, _)| id.index() == at).map(|(_, count)| count).sum();
            prop_assert!(limit.count.is_none_or(|count| used <= count), "more is held than there is");
        }
        for (at, scope) in self.plan.scopes.iter().enumerate() {
            let Some(limit) = scope.child_token else { continue };
            let busy: BTreeSet<VertexId> = self
                .plan
                .children(ScopeId(at as u32))
                .filter(|child| match self.plan.scope_of(*child) {
                    Some(inner) => !self.idle(inner),
                    None => self.running.values().any(|leaf| self.plan.leaf(*leaf).vertex == *child),
                })
                .collect();
            let limit = &self.plan.limits[limit.index()];
            let most = limit.adapts.map_or(limit.count, |range| Some(range.max)).expect("a token has a limit");
            prop_assert!(busy.len() <= most as usize);
        }
        Ok(())
    }

    /// Leaves that only wait end by themselves; scopes that had not to run say so.
    fn waits_over(&mut self, scheduler: &Scheduler) {
        for (at, leaf) in self.plan.leaves.iter().enumerate().filter(|(_, leaf)| leaf.wait.is_some()) {
            match scheduler.end[leaf.vertex.index()] {
                Some(end) => drop(self.result.insert(LeafId(at as u32), end == End::Ok)),
                None => drop(self.result.remove(&LeafId(at as u32))),
            }
        }
        for (at, scope) in self.plan.scopes.iter().enumerate() {
            match scheduler.end[scope.exit.index()] {
                Some(End::Passed | End::Fresh(_)) => drop(self.passed.insert(ScopeId(at as u32))),
                Some(End::Cancelled(_) | End::Dropped(_)) => drop(self.ended.insert(ScopeId(at as u32))),
                _ => drop(self.ended.remove(&ScopeId(at as u32))),
            }
        }
    }

    fn end(&mut self, job: JobId, ok: bool) {
        let leaf = self.running.remove(&job).expect("only what runs is ended");
        self.result.insert(leaf, ok);
    }
}

/// One random run to its end.
fn drive(bytes: &[u8], failures: usize, cancels: bool) -> Result<(), TestCaseError> {
    let mut tape = Tape::new(bytes);
    let plan = Arc::new(plan(&mut tape));
    let mut scheduler = Scheduler::new(plan.clone());
    let mut judge = Judge {
        plan: &plan,
        running: HashMap::new(),
        result: HashMap::new(),
        late: BTreeSet::new(),
        ended: BTreeSet::new(),
        passed: BTreeSet::new(),
        decided: HashMap::new(),
        begun: BTreeSet::new(),
        cancelled: false,
        open: BTreeSet::new(),
        locked: BTreeMap::new(),
        started: 0,
        told: 0,
    };
    let mut timers: BTreeSet<(Duration, TimerKey)> = BTreeSet::new();
    let mut stopping: HashMap<JobId, Level> = HashMap::new();
    let mut now = Duration::ZERO;
    let mut finished = None;
    let mut inputs = VecDeque::from([Input::Begin]);
    for _ in 0..10_000 {
        let input = match inputs.pop_front() {
            Some(input) => input,
            None => {
                let mut jobs: Vec<JobId> = judge.running.keys().copied().collect();
                jobs.sort_unstable();
                // A job that ignores signals ends by SIGKILL alone.
                let deaf = |job: &JobId| job.0.is_multiple_of(4) && stopping.get(job) == Some(&Level::Soft);
                jobs.retain(|job| !deaf(job));
                let timer = timers.first().copied();
                if cancels && tape.one_in(16) {
                    judge.cancelled = true;
                    let level = if tape.one_in(3) { Level::Kill } else { Level::Soft };
                    Input::Cancel(ScopeId::RUN, Reason::Signal(2), level)
                } else if let (Some((time, key)), true) = (timer, jobs.is_empty() || tape.one_in(6)) {
                    timers.remove(&(time, key));
                    now = now.max(time);
                    Input::Timer(key)
                } else if !jobs.is_empty() {
                    now += Duration::from_millis(tape.pick(8) as u64);
                    let job = jobs[tape.pick(jobs.len())];
                    let outcome = if stopping.contains_key(&job) {
                        Outcome::Signalled(15)
                    } else if failures > 0 && tape.one_in(failures) {
                        match tape.pick(4) {
                            0 => Outcome::NotStarted(NotStarted::Scarce("no room".to_owned())),
                            1 => Outcome::Signalled(11),
                            _ => Outcome::Exited(1 + tape.pick(3) as i32),
                        }
                    } else {
                        Outcome::Exited(0)
                    };
                    if matches!(outcome, Outcome::NotStarted(_)) {
                        judge.running.remove(&job);
                    } else {
                        judge.end(job, outcome == Outcome::Exited(0));
                    }
                    stopping.remove(&job);
                    Input::Ended(job, JobEnd::plain(outcome))
                } else {
                    break;
                }
            }
        };
        let (mut actions, mut decisions) = (Vec::new(), Vec::new());
        let mut before = scheduler.end.clone();
        let timed = if let Input::Timer(TimerKey::Timeout(scope, _)) = input { Some(scope) } else { None };
        scheduler.step(now, input, &mut actions);
        judge.late.extend(timed.filter(|scope| scheduler.scopes[scope.index()].timed_out));
        // The time of one attempt is no matter of the next.
        judge.late.retain(|scope| scheduler.scopes[scope.index()].timed_out);
        judge.waits_over(&scheduler);
        // Before the starts of this step: what comes into play in the same step is not waited for.
        judge.began(&scheduler)?;
        for action in actions {
            match action {
                Action::Start { job, leaf, .. } => {
                    judge.start(job, leaf)?;
                    inputs.push_back(Input::Started(job));
                }
                Action::Stop { job, level, .. } => {
                    prop_assert!(judge.running.contains_key(&job), "only what runs is stopped");
                    prop_assert!(stopping.insert(job, level).is_none_or(|before| before < level), "levels only rise");
                }
                Action::SetTimer(key, time) => {
                    timers.insert((time, key));
                }
                Action::Probe(scope) => {
                    let answer = match (scope.0 % 3, plan.scope(scope).memory) {
                        (0, Memory::Whole) => Answer::Fresh { restored: scope.0 % 2 == 0 },
                        (0, _) => Answer::Pass,
                        _ => Answer::Run,
                    };
                    inputs.push_back(Input::Probed(scope, Ok(answer)));
                }
                Action::Settle(scope) => inputs.push_back(Input::Settled(scope)),
                Action::Open(instance) => prop_assert!(judge.open.insert(instance), "it is opened once an attempt"),
                Action::Close(instance, _) => prop_assert!(judge.open.remove(&instance), "what is closed was open"),
                Action::TryLock(who, parts) => {
                    // Another run holds it, now and then.
                    let answer = if tape.one_in(4) { LockAnswer::Busy } else { LockAnswer::Held };
                    if answer == LockAnswer::Held {
                        prop_assert!(judge.locked.insert(who, parts).is_none(), "it is had once");
                    }
                    inputs.push_back(Input::Locked(who, answer));
                }
                Action::Unlock(who) => prop_assert!(judge.locked.remove(&who).is_some(), "what is given back was had"),
                Action::Decided(scope, child) => {
                    judge.decide(scope, child, &before, &scheduler.end)?;
                    decisions.push((scope, child));
                }
                Action::Undecided(scope) => {
                    judge.decided.remove(&scope);
                    // It begins anew: how things stood is void too.
                    plan.children_ends(scope).for_each(|child| judge.forget(child, &mut before));
                }
                Action::Emit(Event::TaskStarted { .. }) => judge.started += 1,
                Action::Emit(Event::TaskFinished { verdict, .. }) => {
                    if !matches!(verdict, crate::base::event::Verdict::Skipped(_)) {
                        judge.told += 1;
                    }
                }
                Action::Emit(Event::RunFinished { code, culprits, .. }) => finished = Some((code, culprits)),
                Action::Emit(_) => {}
                Action::Done => prop_assert!(finished.is_some()),
            }
        }
        for (scope, child) in decisions {
            judge.losers_are_ended(scope, child, &stopping)?;
        }
        if scheduler.is_done() && inputs.is_empty() {
            break;
        }
    }
    prop_assert!(scheduler.is_done(), "it has come to rest, and is not done");
    prop_assert!(judge.running.is_empty(), "nothing outlives the run");
    prop_assert_eq!(judge.started, judge.told, "what begins ends, once");
    judge.choices_ended_well(&scheduler)?;
    prop_assert!(judge.open.is_empty(), "what is opened is closed");
    for late in inputs.into_iter().filter(|input| matches!(input, Input::Locked(..))) {
        let mut actions = Vec::new();
        scheduler.step(now, late, &mut actions);
        for action in actions {
            let Action::Unlock(who) = action else { panic!("nothing else follows the end: {action:?}") };
            prop_assert!(judge.locked.remove(&who).is_some(), "what is given back was had");
        }
    }
    prop_assert!(judge.locked.is_empty(), "what was had of the machine is given back");
    prop_assert_eq!(scheduler.limits.waiting(), 0);
    for limit in 0..plan.limits.len() {
        let back = plan.limits[limit].kind == HELD_BY_TIME || scheduler.limits.used(LimitId(limit as u32)) == 0;
        prop_assert!(back, "what was held is given back");
    }
    prop_assert!(scheduler.end.iter().all(Option::is_some), "every vertex ends");
    let over = |(phase, vertex): (&Phase, &Vertex)| matches!(vertex, Vertex::Exit(_)) || *phase == Phase::Ended;
    prop_assert!(scheduler.phase.iter().zip(&plan.vertices).all(over));
    let (code, culprits) = finished.expect("it is done");
    // A hook that failed fails a run in which nothing else did; the rest is judged without hooks.
    let hook = plan.scopes.iter().enumerate().any(|(at, scope)| scope.is_hook && judge.hook_failed(ScopeId(at as u32)));
    let well = plan.requested.iter().all(|(_, wait)| judge.met(*wait));
    if judge.cancelled {
        prop_assert_eq!(code, 130);
    } else {
        prop_assert!(code != 0 || well, "the exit code hides nothing");
        prop_assert!(code == 0 || !well || hook, "the exit code makes nothing up: {:?}", culprits);
        prop_assert!(code != 0 || culprits.is_empty());
    }
    Ok(())
}

/// Shown as one line of hexadecimal.
struct Bytes(Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn tape() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..400).prop_map(Bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::base::test_cases() * 8))]

    #[test]
    fn without_failures_everything_runs(bytes in tape()) {
        drive(&bytes.0, 0, false)?;
    }

    #[test]
    fn failures_stop_what_they_should(bytes in tape()) {
        drive(&bytes.0, 5, false)?;
    }

    #[test]
    fn a_run_ends_however_it_is_cancelled(bytes in tape()) {
        drive(&bytes.0, 6, true)?;
    }
}

#[test]
fn the_run_is_the_root() {
    let plan = plan(&mut Tape::new(&[]));
    assert_eq!(plan.scope(ScopeId::RUN).kind, ScopeKind::Run);
    assert_eq!(plan.scopes.iter().filter(|scope| scope.parent.is_none()).count(), 1);
}
