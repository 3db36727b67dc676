//! Limits: what is granted when, step by step and at random.

use super::*;
use proptest::prelude::*;
use std::cmp::Reverse;

fn rank(order: u32) -> Rank {
    Rank { priority: Reverse(0), path: Reverse(0), order }
}

fn rate(count: u32, per: Duration) -> Limit {
    Limit { kind: LimitKind::Rate(per), ..Limit::held(Some(count)) }
}

fn held(counts: &[u32]) -> Vec<Limit> {
    counts.iter().map(|count| Limit::held(Some(*count))).collect()
}

const A: LimitId = LimitId(0);
const B: LimitId = LimitId(1);

/// Who holds what it claimed now, and which limit each had waited for last.
fn served(granted: &[Granted]) -> Vec<(VertexId, LimitId)> {
    granted.iter().map(|one| (one.who, one.waited_for)).collect()
}

#[test]
fn a_heavy_claim_is_not_overtaken() {
    let mut limits = Limits::new(&held(&[4]));
    let mut granted = Vec::new();
    assert_eq!(limits.request(VertexId(1), rank(1), &[(A, 1)]), Answer::Granted);
    assert_eq!(limits.request(VertexId(2), rank(2), &[(A, 4)]), Answer::Parked(A));
    assert_eq!(limits.request(VertexId(3), rank(3), &[(A, 1)]), Answer::Parked(A), "behind the heavy one");
    assert_eq!(limits.request(VertexId(0), rank(0), &[(A, 1)]), Answer::Granted, "before it by rank");
    limits.release(&[(A, 1)], &mut granted);
    assert_eq!(served(&granted), []);
    limits.release(&[(A, 1)], &mut granted);
    assert_eq!(served(&granted), [(VertexId(2), A)]);
    limits.release(&[(A, 4)], &mut granted);
    assert_eq!(served(&granted), [(VertexId(2), A), (VertexId(3), A)]);
}

#[test]
fn a_waiter_holds_nothing() {
    let mut limits = Limits::new(&held(&[1, 1]));
    let mut granted = Vec::new();
    limits.request(VertexId(1), rank(1), &[(B, 1)]);
    assert_eq!(limits.request(VertexId(2), rank(2), &[(A, 1), (B, 1)]), Answer::Parked(B));
    assert_eq!(limits.request(VertexId(3), rank(3), &[(A, 1)]), Answer::Granted, "A is free");
    limits.release(&[(B, 1)], &mut granted);
    assert_eq!(served(&granted), [], "sent on to the line of A");
    limits.release(&[(A, 1)], &mut granted);
    assert_eq!(served(&granted), [(VertexId(2), A)]);
}

#[test]
fn more_than_there_is_counts_as_all() {
    let mut limits = Limits::new(&held(&[2]));
    assert_eq!(limits.request(VertexId(1), rank(1), &[(A, 9)]), Answer::Granted);
    assert_eq!(limits.request(VertexId(2), rank(2), &[(A, 1)]), Answer::Parked(A));
}

#[test]
fn a_rate_comes_back_by_itself() {
    let second = Duration::from_secs(1);
    let mut limits = Limits::new(&[rate(2, second)]);
    let mut granted = Vec::new();
    for who in 1..=2 {
        limits.advance(second * who / 4, &mut granted);
        assert_eq!(limits.request(VertexId(who), rank(who), &[(A, 1)]), Answer::Granted);
        limits.release(&[(A, 1)], &mut granted);
    }
    assert_eq!(limits.request(VertexId(3), rank(3), &[(A, 1)]), Answer::Parked(A), "however soon the others ended");
    assert_eq!(limits.due().collect::<Vec<_>>(), [(A, second * 5 / 4)]);
    limits.advance(second * 5 / 4 - Duration::from_nanos(1), &mut granted);
    assert_eq!(served(&granted), []);
    limits.advance(second * 5 / 4, &mut granted);
    assert_eq!(served(&granted), [(VertexId(3), A)]);
    assert_eq!(limits.due().count(), 0, "nobody waits");
}

#[test]
fn what_was_not_made_use_of_counts_for_no_rate() {
    let mut limits = Limits::new(&[rate(1, Duration::from_secs(1))]);
    let mut granted = Vec::new();
    assert_eq!(limits.request(VertexId(1), rank(1), &[(A, 1)]), Answer::Granted);
    assert_eq!(limits.request(VertexId(2), rank(2), &[(A, 1)]), Answer::Parked(A));
    limits.decline(&[(A, 1)], &mut granted);
    assert_eq!(served(&granted), [(VertexId(2), A)]);
}

#[test]
fn what_is_closed_waits_for_its_opening() {
    let mut limits = Limits::new(&held(&[2]));
    let mut granted = Vec::new();
    limits.close(A);
    assert_eq!(limits.request(VertexId(1), rank(1), &[(A, 1)]), Answer::Parked(A));
    assert_eq!(limits.request(VertexId(2), rank(2), &[(A, 1)]), Answer::Parked(A));
    limits.open(A, &mut granted);
    assert_eq!(served(&granted), [(VertexId(1), A), (VertexId(2), A)]);
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
        let mut limits = Limits::new(&held(&capacities));
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
            for Granted { who, .. } in granted {
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

    /// Whatever asks when: in no second does more begin than the rate allows, and everyone begins in the end.
    #[test]
    fn a_rate_is_never_exceeded(count in 1u32..4, asks in prop::collection::vec((0u64..700, 1u32..4), 1..40)) {
        let second = Duration::from_secs(1);
        let mut limits = Limits::new(&[rate(count, second)]);
        let claim = |who: usize| [(A, asks[who].1.min(count))];
        let (mut now, mut begun): (Duration, Vec<(Duration, u32)>) = (Duration::ZERO, Vec::new());
        let mut next = 0;
        let mut coming = Duration::ZERO;
        while begun.len() < asks.len() {
            let mut granted = Vec::new();
            let due = limits.due().map(|(_, due)| due).min();
            if next < asks.len() && due.is_none_or(|due| coming <= due) {
                now = now.max(coming);
                limits.advance(now, &mut granted);
                if limits.request(VertexId(next as u32), rank(next as u32), &claim(next)) == Answer::Granted {
                    begun.push((now, claim(next)[0].1));
                }
                coming = now + Duration::from_millis(asks[next].0);
                next += 1;
            } else {
                now = due.expect("who waits for a rate waits for a time");
                limits.advance(now, &mut granted);
            }
            begun.extend(granted.iter().map(|granted| (now, claim(granted.who.0 as usize)[0].1)));
        }
        for (at, _) in &begun {
            let within = begun.iter().filter(|(other, _)| *other >= *at && *other < *at + second);
            prop_assert!(within.map(|(_, taken)| *taken).sum::<u32>() <= count);
        }
    }
}
