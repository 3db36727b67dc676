//! Who may hold what, when there is not enough for all. Pure: it counts, it does not wait, and it is told the time.
//!
//! A claim is granted whole or not at all, so that who waits holds nothing. A waiter is parked at one limit
//! that it lacks, in the order of ranks. When something of that limit is given back, the first in its line
//! is looked at: if it fits, it is granted; if it lacks this very limit, the line stands (so that a heavy
//! claim is not overtaken for ever by light ones); if it lacks another one by now, it moves to that line.
//! Who has been moved `PATIENCE` times stands in the lines of all its limits at once, and is overtaken no more.
//!
//! What is taken of a rate comes back by itself, a fixed time after it was taken: so in no time of that length
//! more begins than the rate allows (a sliding window; a bucket that refills steadily would allow twice as much
//! from a full start). A limit that must be had of somebody outside is closed while that one refuses it: its line
//! stands until it is opened again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::plan::graph::{Limit, LimitKind, Rank};
use crate::plan::ids::{LimitId, VertexId};

/// How often a waiter may be sent from one line to another.
const PATIENCE: u8 = 8;

/// All limits of a run.
#[derive(Clone, Debug)]
pub struct Limits {
    rooms: Vec<Room>,
    waiting: BTreeMap<VertexId, Waiter>,
    /// Those of which what is taken comes back by itself.
    rates: Vec<LimitId>,
    now: Duration,
}

#[derive(Clone, Debug, Default)]
struct Room {
    /// `None` is without end.
    capacity: Option<u32>,
    used: u32,
    line: BTreeSet<(Rank, VertexId)>,
    /// What is taken comes back after this time.
    rate: Option<Duration>,
    /// What comes back when, the earliest first.
    back: VecDeque<(Duration, u32)>,
    /// Somebody outside refuses it.
    closed: bool,
}

#[derive(Clone, Debug)]
struct Waiter {
    rank: Rank,
    claim: Vec<(LimitId, u32)>,
    parked: Vec<LimitId>,
    moves: u8,
}

/// Somebody who had to wait holds what it claimed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Granted {
    /// Who.
    pub who: VertexId,
    /// All that it had claimed.
    pub claim: Vec<(LimitId, u32)>,
    /// Which limit it had waited for last.
    pub waited_for: LimitId,
}

/// What became of a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// All of it is held now.
    Granted,
    /// It waits, at first for this limit.
    Parked(LimitId),
}

impl Limits {
    /// Nothing of these is held.
    pub fn new(limits: &[Limit]) -> Self {
        let rate = |limit: &Limit| if let LimitKind::Rate(per) = limit.kind { Some(per) } else { None };
        let room = |limit: &Limit| Room { capacity: limit.count, rate: rate(limit), ..Room::default() };
        let rates = limits.iter().zip(0..).filter(|(limit, _)| rate(limit).is_some()).map(|(_, at)| LimitId(at));
        Self {
            rates: rates.collect(),
            rooms: limits.iter().map(room).collect(),
            waiting: BTreeMap::new(),
            now: Duration::ZERO,
        }
    }

    /// The time has come to this: what of rates is due comes back.
    pub fn advance(&mut self, now: Duration, granted: &mut Vec<Granted>) {
        self.now = now;
        for at in 0..self.rates.len() {
            let limit = self.rates[at];
            let room = &mut self.rooms[limit.index()];
            let before = room.used;
            while let Some((_, count)) = room.back.pop_front_if(|(due, _)| *due <= now) {
                room.used = room.used.saturating_sub(count);
            }
            if room.used != before {
                self.serve(vec![limit], granted);
            }
        }
    }

    /// Rates that are waited for, and when something of each comes back next.
    pub fn due(&self) -> impl Iterator<Item = (LimitId, Duration)> + '_ {
        let next = |limit: &LimitId| {
            let room = &self.rooms[limit.index()];
            room.back.front().filter(|_| !room.line.is_empty()).map(|(due, _)| (*limit, *due))
        };
        self.rates.iter().filter_map(next)
    }

    /// Nothing of a limit is granted until it is opened.
    pub fn close(&mut self, limit: LimitId) {
        self.rooms[limit.index()].closed = true;
    }

    /// A limit can be had again.
    pub fn open(&mut self, limit: LimitId, granted: &mut Vec<Granted>) {
        if std::mem::replace(&mut self.rooms[limit.index()].closed, false) {
            self.serve(vec![limit], granted);
        }
    }

    /// Takes all of a claim, or parks who asks. More than there is of a limit waits for all of it.
    pub fn request(&mut self, who: VertexId, rank: Rank, claim: &[(LimitId, u32)]) -> Answer {
        match self.obstacle(who, rank, claim) {
            None => {
                self.take(claim);
                Answer::Granted
            }
            Some(limit) => {
                self.rooms[limit.index()].line.insert((rank, who));
                let waiter = Waiter { rank, claim: claim.to_vec(), parked: vec![limit], moves: 0 };
                self.waiting.insert(who, waiter);
                Answer::Parked(limit)
            }
        }
    }

    /// Gives a claim back, but for what comes back by itself; says who holds theirs now.
    pub fn release(&mut self, claim: &[(LimitId, u32)], granted: &mut Vec<Granted>) {
        let held = claim.iter().filter(|(limit, _)| self.rooms[limit.index()].rate.is_none());
        let held: Vec<(LimitId, u32)> = held.copied().collect();
        for (limit, count) in &held {
            let room = &mut self.rooms[limit.index()];
            debug_assert!(room.used >= *count, "nobody gives back what was not taken");
            room.used = room.used.saturating_sub(*count);
        }
        self.serve(held.iter().map(|(limit, _)| *limit).collect(), granted);
    }

    /// Gives a claim back that was granted just now and not made use of.
    pub fn decline(&mut self, claim: &[(LimitId, u32)], granted: &mut Vec<Granted>) {
        for (limit, count) in claim {
            let room = &mut self.rooms[limit.index()];
            if let Some(at) = room.back.iter().rposition(|(_, taken)| taken == count) {
                room.back.remove(at);
                room.used = room.used.saturating_sub(*count);
            }
        }
        self.release(claim, granted);
        let rates = claim.iter().map(|(limit, _)| *limit).filter(|limit| self.rates.contains(limit)).collect();
        self.serve(rates, granted);
    }

    /// Whoever waited, waits no more.
    pub fn forget(&mut self, who: VertexId, granted: &mut Vec<Granted>) {
        let lines = self.unpark(who);
        self.serve(lines, granted);
    }

    /// Changes how much there is of a limit; what is held stays held.
    pub fn resize(&mut self, limit: LimitId, capacity: Option<u32>, granted: &mut Vec<Granted>) {
        self.rooms[limit.index()].capacity = capacity;
        self.serve(vec![limit], granted);
    }

    /// How much of a limit is held.
    pub fn used(&self, limit: LimitId) -> u32 {
        self.rooms[limit.index()].used
    }

    /// How much there is of a limit.
    pub fn capacity(&self, limit: LimitId) -> Option<u32> {
        self.rooms[limit.index()].capacity
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn serve(&mut self, mut lines: Vec<LimitId>, granted: &mut Vec<Granted>) {
        while let Some(limit) = lines.pop() {
            while let Some((rank, who)) = self.rooms[limit.index()].line.first().copied() {
                let Some(waiter) = self.waiting.get(&who) else { break };
                let claim = waiter.claim.clone();
                match self.obstacle(who, rank, &claim) {
                    None => {
                        // The lines it leaves may have been held up by it alone.
                        lines.extend(self.unpark(who).into_iter().filter(|left| *left != limit));
                        self.take(&claim);
                        granted.push(Granted { who, claim, waited_for: limit });
                    }
                    Some(lacking) if lacking == limit || self.stands_everywhere(who) => break,
                    Some(lacking) => self.move_on(who, limit, lacking),
                }
            }
        }
    }

    /// The first limit that keeps a claim from being granted: too little of it, or someone before it in line.
    fn obstacle(&self, who: VertexId, rank: Rank, claim: &[(LimitId, u32)]) -> Option<LimitId> {
        claim.iter().find_map(|(limit, count)| {
            let room = &self.rooms[limit.index()];
            let full = room.used > 0 && room.capacity.is_some_and(|capacity| room.used + *count > capacity);
            let behind = room.line.first().is_some_and(|first| *first < (rank, who));
            (room.closed || full || behind).then_some(*limit)
        })
    }

    fn take(&mut self, claim: &[(LimitId, u32)]) {
        for (limit, count) in claim {
            let room = &mut self.rooms[limit.index()];
            room.used += *count;
            if let Some(per) = room.rate {
                room.back.push_back((self.now.saturating_add(per), *count));
            }
        }
    }

    fn stands_everywhere(&self, who: VertexId) -> bool {
        self.waiting.get(&who).is_some_and(|waiter| waiter.parked.len() == waiter.claim.len())
    }

    /// Takes someone out of all lines, and says which ones these were.
    fn unpark(&mut self, who: VertexId) -> Vec<LimitId> {
        let Some(waiter) = self.waiting.remove(&who) else { return Vec::new() };
        for limit in &waiter.parked {
            self.rooms[limit.index()].line.remove(&(waiter.rank, who));
        }
        waiter.parked
    }

    fn move_on(&mut self, who: VertexId, from: LimitId, to: LimitId) {
        let Some(waiter) = self.waiting.get_mut(&who) else { return };
        waiter.moves = waiter.moves.saturating_add(1);
        let key = (waiter.rank, who);
        if waiter.moves >= PATIENCE {
            waiter.parked = waiter.claim.iter().map(|(limit, _)| *limit).collect();
        } else {
            waiter.parked = vec![to];
            self.rooms[from.index()].line.remove(&key);
        }
        for limit in waiter.parked.clone() {
            self.rooms[limit.index()].line.insert(key);
        }
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
