//! Who may hold what, when there is not enough for all. Pure: it counts, it does not wait.
//!
//! A claim is granted whole or not at all, so that who waits holds nothing. A waiter is parked at one limit
//! that it lacks, in the order of ranks. When something of that limit is given back, the first in its line
//! is looked at: if it fits, it is granted; if it lacks this very limit, the line stands (so that a heavy
//! claim is not overtaken for ever by light ones); if it lacks another one by now, it moves to that line.
//! Who has been moved `PATIENCE` times stands in the lines of all its limits at once, and is overtaken no more.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::graph::Rank;
use crate::plan::ids::{LimitId, VertexId};

/// How often a waiter may be sent from one line to another.
const PATIENCE: u8 = 8;

/// All limits of a run.
#[derive(Clone, Debug)]
pub struct Limits {
    rooms: Vec<Room>,
    waiting: BTreeMap<VertexId, Waiter>,
}

#[derive(Clone, Debug, Default)]
struct Room {
    /// `None` is without end.
    capacity: Option<u32>,
    used: u32,
    line: BTreeSet<(Rank, VertexId)>,
}

#[derive(Clone, Debug)]
struct Waiter {
    rank: Rank,
    claim: Vec<(LimitId, u32)>,
    parked: Vec<LimitId>,
    moves: u8,
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
    /// With these capacities.
    pub fn new(capacities: &[Option<u32>]) -> Self {
        let rooms = capacities.iter().map(|capacity| Room { capacity: *capacity, ..Room::default() }).collect();
        Self { rooms, waiting: BTreeMap::new() }
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

    /// Gives a claim back; says who holds theirs now, and which limit each had waited for last.
    pub fn release(&mut self, claim: &[(LimitId, u32)], granted: &mut Vec<(VertexId, LimitId)>) {
        for (limit, count) in claim {
            let room = &mut self.rooms[limit.index()];
            debug_assert!(room.used >= *count, "nobody gives back what was not taken");
            room.used = room.used.saturating_sub(*count);
        }
        self.serve(claim.iter().map(|(limit, _)| *limit).collect(), granted);
    }

    /// Takes a claim without asking, since it is given back at once.
    pub fn regain(&mut self, claim: &[(LimitId, u32)]) {
        self.take(claim);
    }

    /// Whoever waited, waits no more.
    pub fn forget(&mut self, who: VertexId, granted: &mut Vec<(VertexId, LimitId)>) {
        let lines = self.unpark(who);
        self.serve(lines, granted);
    }

    /// Changes how much there is of a limit; what is held stays held.
    pub fn resize(&mut self, limit: LimitId, capacity: Option<u32>, granted: &mut Vec<(VertexId, LimitId)>) {
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

    fn serve(&mut self, mut lines: Vec<LimitId>, granted: &mut Vec<(VertexId, LimitId)>) {
        while let Some(limit) = lines.pop() {
            while let Some((rank, who)) = self.rooms[limit.index()].line.first().copied() {
                let Some(waiter) = self.waiting.get(&who) else { break };
                let claim = waiter.claim.clone();
                match self.obstacle(who, rank, &claim) {
                    None => {
                        // The lines it leaves may have been held up by it alone.
                        lines.extend(self.unpark(who).into_iter().filter(|left| *left != limit));
                        self.take(&claim);
                        granted.push((who, limit));
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
            (full || behind).then_some(*limit)
        })
    }

    fn take(&mut self, claim: &[(LimitId, u32)]) {
        for (limit, count) in claim {
            self.rooms[limit.index()].used += *count;
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
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Reverse;

    fn rank(order: u32) -> Rank {
        Rank { priority: Reverse(0), path: Reverse(0), order }
    }

    const A: LimitId = LimitId(0);
    const B: LimitId = LimitId(1);

    #[test]
    fn a_heavy_claim_is_not_overtaken() {
        let mut limits = Limits::new(&[Some(4)]);
        let mut granted = Vec::new();
        assert_eq!(limits.request(VertexId(1), rank(1), &[(A, 1)]), Answer::Granted);
        assert_eq!(limits.request(VertexId(2), rank(2), &[(A, 4)]), Answer::Parked(A));
        assert_eq!(limits.request(VertexId(3), rank(3), &[(A, 1)]), Answer::Parked(A), "behind the heavy one");
        assert_eq!(limits.request(VertexId(0), rank(0), &[(A, 1)]), Answer::Granted, "before it by rank");
        limits.release(&[(A, 1)], &mut granted);
        assert_eq!(granted, []);
        limits.release(&[(A, 1)], &mut granted);
        assert_eq!(granted, [(VertexId(2), A)]);
        limits.release(&[(A, 4)], &mut granted);
        assert_eq!(granted, [(VertexId(2), A), (VertexId(3), A)]);
    }

    #[test]
    fn a_waiter_holds_nothing() {
        let mut limits = Limits::new(&[Some(1), Some(1)]);
        let mut granted = Vec::new();
        limits.request(VertexId(1), rank(1), &[(B, 1)]);
        assert_eq!(limits.request(VertexId(2), rank(2), &[(A, 1), (B, 1)]), Answer::Parked(B));
        assert_eq!(limits.request(VertexId(3), rank(3), &[(A, 1)]), Answer::Granted, "A is free");
        limits.release(&[(B, 1)], &mut granted);
        assert_eq!(granted, [], "sent on to the line of A");
        limits.release(&[(A, 1)], &mut granted);
        assert_eq!(granted, [(VertexId(2), A)]);
    }

    #[test]
    fn more_than_there_is_counts_as_all() {
        let mut limits = Limits::new(&[Some(2)]);
        assert_eq!(limits.request(VertexId(1), rank(1), &[(A, 9)]), Answer::Granted);
        assert_eq!(limits.request(VertexId(2), rank(2), &[(A, 1)]), Answer::Parked(A));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::base::test_cases()))]

        /// Whatever the claims and the order in which they come and go: no limit is ever exceeded, nobody is
        /// granted twice, and when all is given back nobody waits.
        #[test]
        fn bounds_hold_and_nobody_is_forgotten(
            capacities in prop::collection::vec(1u32..4, 3),
            asks in prop::collection::vec((prop::collection::btree_map(0u32..3, 1u32..4, 1..4), 0u32..5), 1..60),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 60),
        ) {
            let all: Vec<Option<u32>> = capacities.iter().copied().map(Some).collect();
            let mut limits = Limits::new(&all);
            let mut holding: Vec<usize> = Vec::new();
            let claim = |at: usize| -> Vec<(LimitId, u32)> {
                asks[at].0.iter().map(|(limit, count)| (LimitId(*limit), (*count).min(capacities[*limit as usize]))).collect()
            };
            let mut ended = 0;
            let mut next = 0;
            let mut picks = picks.iter().cycle();
            while ended < asks.len() {
                let mut granted = Vec::new();
                let pick = picks.next().expect("a cycle does not end");
                if next < asks.len() && (holding.is_empty() || pick.index(2) == 0) {
                    let answer = limits.request(VertexId(next as u32), rank(asks[next].1), &claim(next));
                    if answer == Answer::Granted {
                        holding.push(next);
                    }
                    next += 1;
                } else {
                    prop_assert!(!holding.is_empty(), "someone waits and nobody holds anything");
                    let at = holding.swap_remove(pick.index(holding.len()));
                    limits.release(&claim(at), &mut granted);
                    ended += 1;
                }
                for (who, _) in granted {
                    prop_assert!(!holding.contains(&(who.0 as usize)));
                    holding.push(who.0 as usize);
                }
                for (limit, capacity) in capacities.iter().enumerate() {
                    let held: u32 = holding.iter().flat_map(|at| claim(*at)).filter(|(id, _)| id.index() == limit).map(|(_, count)| count).sum();
                    prop_assert!(held <= *capacity);
                    prop_assert_eq!(held, limits.used(LimitId(limit as u32)));
                }
            }
            prop_assert_eq!(limits.waiting(), 0);
        }
    }
}
