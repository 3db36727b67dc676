//! What is held from a start to an end, and how it is come by. Who gets how much when there is too little is
//! [`crate::run::limits`]'s to say.
//!
//! A limit of the machine must also be had from the other runs there: once all else of a claim is held, that is
//! tried, and never waited for. Where it is refused, everything is given back, and the limit is closed for a while.

use std::time::Duration;

use crate::base::event::{Level, Reason};
use crate::plan::graph::{LimitKind, Memory, Rank, Vertex};
use crate::plan::ids::{LimitId, ScopeId, VertexId};
use crate::run::limits::{Answer, Granted};
use crate::run::phase::{Phase, Trigger};
use crate::run::scheduler::state::{End, Queue};
use crate::run::scheduler::{Action, LockAnswer, Scheduler, TimerKey};

/// How long until a limit is tried again that another run holds: a lock cannot say when it will be free.
const LOCKED_PAUSE: Duration = Duration::from_millis(100);

/// What a scope that is remembered begins with in hand.
const DOOR: (LimitId, u32) = (LimitId::SLOTS, 1);

/// So much of these limits.
pub(super) type Claim = Vec<(LimitId, u32)>;

/// What a vertex asked for, and holds now as far as this run goes.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    vertex: VertexId,
    claim: Claim,
    waited_for: Option<LimitId>,
}

/// What was asked of the machine for a vertex, until that has answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Locking {
    claim: Claim,
    /// It was dropped since.
    stale: bool,
    /// It wants the same once more.
    again: bool,
}

impl Scheduler {
    /// A vertex waits no more for what it claims, and what is asked of the machine for it is in vain; whether it waited.
    pub(super) fn leave_the_line(&mut self, vertex: VertexId) -> bool {
        if self.queue.remove(&vertex).is_none() {
            return false;
        }
        if let Some(locking) = self.locking.get_mut(&vertex) {
            (locking.stale, locking.again) = (true, false);
        }
        let mut granted = Vec::new();
        self.limits.forget(vertex, &mut granted);
        self.later(granted);
        true
    }

    /// What a vertex holds while it is live: a leaf its share of its scope's `jobs` and its slots, a scope its claim.
    fn share_of(&self, vertex: VertexId) -> Claim {
        match self.plan.vertices[vertex.index()] {
            Vertex::Enter(scope) => self.plan.scope(scope).claim.to_vec(),
            Vertex::Leaf(id) => {
                let leaf = self.plan.leaf(id);
                let scope = self.plan.scope(leaf.scope);
                let token = scope.child_token.map(|token| (token, 1));
                // What runs on a host takes of that, and nothing here.
                let slots = self.host_of(leaf.scope).map_or(LimitId::SLOTS, |host| self.plan.host_limit(host));
                let slots = leaf.slot.then_some((slots, scope.weight));
                let others = self.other_hosts(id).into_iter().map(|host| (self.plan.host_limit(host), 1));
                token.into_iter().chain(slots).chain(others).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What a vertex has to come by before it goes on: its share, where it does not hold that, and with it all that
    /// was lent around it. So nothing goes on within a scope that does not hold what it claims.
    fn wanted_by(&self, vertex: VertexId) -> Claim {
        let own = match self.plan.vertices[vertex.index()] {
            _ if self.doors.contains(&vertex) => return vec![DOOR],
            // One that lent its share is found among those around.
            Vertex::Enter(scope) if self.scope_phase(scope).is_live() => Claim::new(),
            _ => self.share_of(vertex),
        };
        let lent = self.lent_around(vertex);
        own.into_iter().chain(lent.iter().flat_map(|scope| self.plan.scope(*scope).claim.iter().copied())).collect()
    }

    /// Those around a vertex, its own scope included, that lent their shares.
    pub(super) fn lent_around(&self, vertex: VertexId) -> Vec<ScopeId> {
        // Hardly anything ever is: most of the time nobody is looked for.
        if self.lent.is_empty() {
            return Vec::new();
        }
        let within = self.plan.scope_of(vertex).unwrap_or(self.plan.owner[vertex.index()]);
        self.plan.outward(within).filter(|scope| self.lent.contains(scope)).collect()
    }

    /// A live scope gives back what it claims, until it goes on.
    pub(super) fn lend(&mut self, scope: ScopeId) {
        if !self.plan.scope(scope).claim.is_empty() && self.lent.insert(scope) {
            let enter = self.plan.scope(scope).enter;
            self.giving.push_front((enter, self.share_of(enter)));
        }
    }

    /// A scope that goes on with its hooks comes by all that was lent first; false where it has it.
    pub(super) fn regains(&mut self, scope: ScopeId) -> bool {
        let enter = self.plan.scope(scope).enter;
        if self.lent_around(enter).is_empty() {
            return false;
        }
        if !self.queue.contains_key(&enter) {
            self.stand_in_line(enter);
        }
        true
    }

    pub(super) fn claim(&mut self, vertex: VertexId) {
        self.shift(vertex, Trigger::Met);
        self.stand_in_line(vertex);
    }

    pub(super) fn stand_in_line(&mut self, vertex: VertexId) {
        self.queue.insert(vertex, Queue { since: self.now, attempt: 1, ..Queue::default() });
        self.ask(vertex);
    }

    /// A vertex wants what it claims. Who claims nothing waits for nobody; all others have their turn once it is
    /// known who else wants something now, so that the first to be found does not go before the first in rank.
    pub(super) fn ask(&mut self, vertex: VertexId) {
        if self.wanted_by(vertex).is_empty() {
            self.grants.push_back(Grant { vertex, claim: Claim::new(), waited_for: None });
        } else {
            self.asking.insert((self.plan.rank(vertex), vertex));
        }
    }

    /// Takes what a vertex claims, or waits for it; it may have been dropped since it asked.
    pub(super) fn request(&mut self, vertex: VertexId, rank: Rank) {
        let claim = self.wanted_by(vertex);
        if self.queue.contains_key(&vertex) && self.limits.request(vertex, rank, &claim) == Answer::Granted {
            self.grants.push_back(Grant { vertex, claim, waited_for: None });
        }
    }

    /// A vertex gives back what it held, once all who want something stand in line for it. Slots come last: who waits
    /// for nothing but a limit that comes back now may want one, too.
    pub(super) fn release(&mut self, vertex: VertexId) {
        let given = (vertex, self.share_of(vertex));
        match self.plan.vertices[vertex.index()] {
            Vertex::Leaf(_) => self.giving.push_back(given),
            Vertex::Enter(scope) if self.lent.remove(&scope) => {}
            _ => self.giving.push_front(given),
        }
    }

    /// Gives it back.
    pub(super) fn give_back(&mut self, vertex: VertexId, claim: &Claim, out: &mut Vec<Action>) {
        let mut granted = Vec::new();
        self.unlock(vertex, claim, out);
        self.limits.release(claim, &mut granted);
        self.later(granted);
    }

    /// What it had of the machine is free.
    fn unlock(&mut self, vertex: VertexId, claim: &Claim, out: &mut Vec<Action>) {
        if self.locked.remove(&vertex) {
            out.push(Action::Unlock(vertex));
            let mut granted = Vec::new();
            for (limit, _) in self.machine_part(vertex, claim) {
                self.limits.open(limit, &mut granted);
            }
            self.later(granted);
        }
    }

    /// A scope that is remembered begins only when there is a slot for it: until then it is as open to others as if
    /// nobody wanted it. Slots come last here too. It is for its first step, so none is taken if no step in it does.
    pub(super) fn takes_a_slot(&self, scope: ScopeId) -> bool {
        let plan = &self.plan;
        let takes = |vertex: u32| match plan.vertices[vertex as usize] {
            Vertex::Leaf(leaf) => plan.leaf(leaf).slot && self.host_of(plan.leaf(leaf).scope).is_none(),
            _ => false,
        };
        plan.scope(scope).memory == Memory::Whole && plan.scope(scope).vertices.clone().any(takes)
    }

    /// A scope never begins that waited for a slot.
    pub(super) fn leave_the_door(&mut self, enter: VertexId) {
        if self.doors.remove(&enter) {
            self.release(enter);
        }
    }

    /// A scope has begun, or will not. Its slot goes to its first step, if that wants just one: nobody comes between the
    /// two, so that hardly more are begun than run. Else it is free.
    pub(super) fn close_door(&mut self, enter: VertexId) {
        let inside = self.plan.scope_of(enter).map(|scope| self.plan.scope(scope).vertices.clone()).unwrap_or_default();
        let first = self.asking.iter().copied().find(|(_, vertex)| {
            inside.contains(&vertex.0)
                && matches!(self.plan.vertices[vertex.index()], Vertex::Leaf(_))
                && self.queue.contains_key(vertex)
                && self.wanted_by(*vertex) == [DOOR]
        });
        if let Some(first) = first {
            self.asking.remove(&first);
            return self.grants.push_back(Grant { vertex: first.1, claim: vec![DOOR], waited_for: None });
        }
        let mut granted = Vec::new();
        self.limits.release(&[DOOR], &mut granted);
        self.later(granted);
    }

    /// A scope that has all it claims does not begin with it.
    pub(super) fn turn_back(&mut self, enter: VertexId, out: &mut Vec<Action>) {
        let share = self.share_of(enter);
        self.unlock(enter, &share, out);
        self.decline(&share);
    }

    pub(super) fn later(&mut self, granted: Vec<Granted>) {
        let grant = |Granted { who, claim, waited_for }| Grant { vertex: who, claim, waited_for: Some(waited_for) };
        self.grants.extend(granted.into_iter().map(grant));
    }

    /// A vertex holds what it claimed, as far as this run goes. It may have been dropped since.
    pub(super) fn granted(&mut self, grant: Grant, out: &mut Vec<Action>) {
        let Grant { vertex, claim, waited_for } = grant;
        if !self.queue.contains_key(&vertex) {
            return self.giving.push_back((vertex, claim));
        }
        let locks = self.machine_part(vertex, &claim);
        if locks.is_empty() {
            return self.admit(vertex, waited_for, out);
        }
        // What it held for the last item, or the last attempt, goes before what it wants for the next.
        if self.locked.contains(&vertex)
            && let Some(at) = self.giving.iter().position(|(one, _)| *one == vertex)
            && let Some((_, held)) = self.giving.remove(at)
        {
            self.give_back(vertex, &held, out);
        }
        match self.locking.get_mut(&vertex) {
            None => {
                self.locking.insert(vertex, Locking { claim, ..Locking::default() });
                out.push(Action::TryLock(vertex, locks));
            }
            // The answer to what it wanted before it was dropped comes first.
            Some(locking) => {
                locking.again = true;
                self.decline(&claim);
            }
        }
    }

    /// What of a claim is shared with others on the machine. Who only begins with a slot has no use for one of theirs.
    fn machine_part(&self, vertex: VertexId, claim: &Claim) -> Claim {
        let leaf = matches!(self.plan.vertices[vertex.index()], Vertex::Leaf(_));
        let shared = |(limit, _): &(LimitId, u32)| match self.plan.limits[limit.index()].kind {
            LimitKind::Machine(_) => true,
            LimitKind::Pool => leaf,
            _ => false,
        };
        claim.iter().copied().filter(shared).collect()
    }

    /// What the machine says.
    pub(super) fn lock_answered(&mut self, vertex: VertexId, answer: LockAnswer, out: &mut Vec<Action>) {
        let Locking { claim, stale, again } = self.locking.remove(&vertex).unwrap_or_default();
        let locks = self.machine_part(vertex, &claim);
        if stale {
            if answer == LockAnswer::Held {
                out.push(Action::Unlock(vertex));
            }
            self.decline(&claim);
            if again && self.queue.contains_key(&vertex) {
                self.ask(vertex);
            }
            return;
        }
        if answer == LockAnswer::Held {
            self.locked.insert(vertex);
        }
        match answer {
            LockAnswer::Held => self.admit(vertex, locks.first().map(|(limit, _)| *limit), out),
            LockAnswer::Busy => {
                for (limit, _) in locks {
                    self.limits.close(limit);
                    out.push(Action::SetTimer(TimerKey::Limit(limit), self.now.saturating_add(LOCKED_PAUSE)));
                }
                self.decline(&claim);
                self.ask(vertex);
            }
            LockAnswer::Impossible(why) => {
                self.decline(&claim);
                self.impossible(vertex, why, out);
            }
        }
    }

    fn decline(&mut self, claim: &[(LimitId, u32)]) {
        let mut granted = Vec::new();
        self.limits.decline(claim, &mut granted);
        self.later(granted);
    }

    /// What a scope claims cannot be had at all: it fails without having begun.
    fn impossible(&mut self, enter: VertexId, why: String, out: &mut Vec<Action>) {
        let Vertex::Enter(scope) = self.plan.vertices[enter.index()] else { return };
        self.complaints.insert(self.plan.scope(scope).exit, why.into());
        if self.is_paused(scope) {
            // No more attempts, and its hooks would need the same.
            self.scopes[scope.index()].from_above = true;
            self.scopes[scope.index()].stage = self.plan.scope(scope).hooks.len();
            self.cancelling(enter, Reason::Failed, Level::Soft);
            self.break_off(scope, out);
        } else {
            self.skip(enter, End::Failed(1), out);
        }
    }

    /// All that a vertex claims is held.
    fn admit(&mut self, vertex: VertexId, waited_for: Option<LimitId>, out: &mut Vec<Action>) {
        let Some(mut queue) = self.queue.remove(&vertex) else { return };
        let waited = self.now.saturating_sub(queue.since);
        match waited_for {
            Some(LimitId::SLOTS) => queue.waits.slot += waited,
            Some(_) => queue.waits.limit += waited,
            None => {}
        }
        for scope in self.lent_around(vertex) {
            self.lent.remove(&scope);
        }
        if let Vertex::Enter(scope) = self.plan.vertices[vertex.index()] {
            let waits = &mut self.scopes[scope.index()].waits;
            waits.slot += queue.waits.slot;
            waits.limit += queue.waits.limit;
        }
        match self.plan.vertices[vertex.index()] {
            Vertex::Enter(scope) if self.phase_of(vertex) == Phase::Backoff => self.enter_again(scope, out),
            // Its hooks waited for this.
            Vertex::Enter(scope) if self.scope_phase(scope).is_live() => self.leave(scope, out),
            Vertex::Enter(scope) if self.doors.remove(&vertex) => self.knock(scope, true, out),
            Vertex::Enter(scope) if self.takes_a_slot(scope) => {
                self.doors.insert(vertex);
                self.stand_in_line(vertex);
            }
            Vertex::Enter(scope) if self.plan.scope(scope).memory == Memory::Whole => self.knock(scope, false, out),
            Vertex::Enter(scope) => self.enter(scope, out),
            Vertex::Leaf(leaf) => self.start(vertex, leaf, queue, out),
            Vertex::Resume => self.resumed(vertex, out),
            _ => {}
        }
    }

    /// Time has gone by: what comes back of rates.
    pub(super) fn rates_advance(&mut self) {
        let mut granted = Vec::new();
        self.limits.advance(self.now, &mut granted);
        self.later(granted);
    }

    /// Comes back when something of a rate does that is waited for.
    pub(super) fn rates_due(&mut self, out: &mut Vec<Action>) {
        for (limit, due) in self.limits.due() {
            if self.due.insert(limit, due) != Some(due) {
                out.push(Action::SetTimer(TimerKey::Limit(limit), due));
            }
        }
    }

    /// A limit may be had again.
    pub(super) fn limit_opens(&mut self, limit: LimitId) {
        let mut granted = Vec::new();
        self.limits.open(limit, &mut granted);
        self.later(granted);
    }
}
