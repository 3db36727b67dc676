//! The phases of a vertex, and the one table of how it may go from one to the next.
//!
//! A scope's phase stands at its entry. Every change in the scheduler goes through [`Phase::next`], so that
//! what cannot happen is written down in one place.

use crate::base::event::{Level, Reason};

/// Where something stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Phase {
    /// Nobody has asked for it.
    Dormant,
    /// Asked for; waits for others.
    Waiting,
    /// Waits for nobody; asks whether it has to run at all.
    Probing,
    /// Waits for room.
    Queued,
    /// Its body, or its process, runs.
    Running,
    /// A service that can be used.
    Ready,
    /// Runs on, and begins nothing new.
    Draining,
    /// Is being ended.
    Cancelling(Reason, Level),
    /// An attempt has failed, the next one has not begun.
    Backoff,
    /// Its body has ended, its hooks have not.
    Hooks,
    /// Over.
    Ended,
}

/// What moves something on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Trigger {
    /// Someone asks for it.
    Demand,
    /// Whom it waits for have all ended well.
    Met,
    /// It has to be asked first whether it must run.
    Probe,
    /// All that it claims is held.
    Grant,
    /// There was no room after all (processes, descriptors).
    Scarce,
    /// It can be used.
    Ready,
    /// Nothing new shall begin in it.
    Drain,
    /// It shall end.
    Cancel(Reason, Level),
    /// An attempt failed and there is another one.
    Retry,
    /// Its body is over, and there are hooks.
    Hook,
    /// It is not begun, and never will be.
    Drop,
    /// It is over.
    End,
}

impl Phase {
    /// Where a trigger leads; `None` where it cannot come.
    pub fn next(self, trigger: Trigger) -> Option<Phase> {
        use Phase::{Backoff, Cancelling, Dormant, Draining, Ended, Hooks, Probing, Queued, Ready, Running, Waiting};
        Some(match (self, trigger) {
            (Dormant, Trigger::Demand) => Waiting,
            (Waiting, Trigger::Met) => Queued,
            (Queued, Trigger::Probe) => Probing,
            (Queued | Probing | Backoff, Trigger::Grant) => Running,
            (Running, Trigger::Scarce) => Queued,
            (Running, Trigger::Ready) => Ready,
            (Running | Ready, Trigger::Drain) => Draining,
            (Running | Ready | Draining | Probing | Backoff, Trigger::Cancel(reason, level)) => {
                Cancelling(reason, level)
            }
            // The first reason stands, the harder level counts.
            (Cancelling(reason, level), Trigger::Cancel(_, harder)) => Cancelling(reason, level.max(harder)),
            // Hooks are shielded from the first level.
            (Hooks, Trigger::Cancel(_, Level::Soft)) => Hooks,
            (Hooks, Trigger::Cancel(reason, Level::Kill)) => Cancelling(reason, Level::Kill),
            (Running | Ready | Draining | Cancelling(..), Trigger::Retry) => Backoff,
            (Running | Ready | Draining | Cancelling(..), Trigger::Hook) => Hooks,
            (Dormant | Waiting | Probing | Queued | Backoff, Trigger::Drop) => Ended,
            (Running | Ready | Draining | Cancelling(..) | Hooks, Trigger::End) => Ended,
            _ => return None,
        })
    }

    /// Whether it is not begun.
    pub fn is_open(self) -> bool {
        matches!(self, Phase::Dormant | Phase::Waiting | Phase::Probing | Phase::Queued)
    }

    /// Whether it is begun and not over.
    pub fn is_live(self) -> bool {
        !self.is_open() && self != Phase::Ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const R: Reason = Reason::Failed;
    const PHASES: [Phase; 12] = [
        Phase::Dormant,
        Phase::Waiting,
        Phase::Probing,
        Phase::Queued,
        Phase::Running,
        Phase::Ready,
        Phase::Draining,
        Phase::Cancelling(R, Level::Soft),
        Phase::Cancelling(R, Level::Kill),
        Phase::Backoff,
        Phase::Hooks,
        Phase::Ended,
    ];
    const TRIGGERS: [Trigger; 13] = [
        Trigger::Demand,
        Trigger::Met,
        Trigger::Probe,
        Trigger::Grant,
        Trigger::Scarce,
        Trigger::Ready,
        Trigger::Drain,
        Trigger::Cancel(R, Level::Soft),
        Trigger::Cancel(R, Level::Kill),
        Trigger::Retry,
        Trigger::Hook,
        Trigger::Drop,
        Trigger::End,
    ];

    fn letter(phase: Option<Phase>) -> char {
        match phase {
            None => '.',
            Some(Phase::Dormant) => 'D',
            Some(Phase::Waiting) => 'W',
            Some(Phase::Probing) => 'P',
            Some(Phase::Queued) => 'Q',
            Some(Phase::Running) => 'R',
            Some(Phase::Ready) => 'Y',
            Some(Phase::Draining) => 'd',
            Some(Phase::Cancelling(_, Level::Soft)) => 'c',
            Some(Phase::Cancelling(_, Level::Kill)) => 'k',
            Some(Phase::Backoff) => 'B',
            Some(Phase::Hooks) => 'H',
            Some(Phase::Ended) => 'E',
        }
    }

    /// The whole table, every cell: rows are phases, columns are triggers.
    #[test]
    fn the_whole_table() {
        let rows: Vec<String> = PHASES
            .iter()
            .map(|phase| {
                let cells: String = TRIGGERS.iter().map(|trigger| letter(phase.next(*trigger))).collect();
                format!("{} {cells}", letter(Some(*phase)))
            })
            .collect();
        let expected = [
            //Demand Met Probe Grant Scarce Ready Drain Soft Kill Retry Hook Drop End
            "D W..........E.",
            "W .Q.........E.",
            "P ...R...ck..E.",
            "Q ..PR.......E.",
            "R ....QYdckBH.E",
            "Y ......dckBH.E",
            "d .......ckBH.E",
            "c .......ckBH.E",
            "k .......kkBH.E",
            "B ...R...ck..E.",
            "H .......Hk...E",
            "E .............",
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn everything_can_end_and_nothing_leaves_the_end() {
        for phase in PHASES {
            let ways = TRIGGERS.iter().filter(|trigger| phase.next(**trigger) == Some(Phase::Ended)).count();
            assert_eq!(ways, usize::from(phase != Phase::Ended), "{phase:?}");
            assert!(
                phase.is_open() as u8 + phase.is_live() as u8 + (phase == Phase::Ended) as u8 == 1
                    || phase == Phase::Backoff
            );
        }
    }

    #[test]
    fn a_level_never_sinks_and_the_first_reason_stands() {
        let killed = Phase::Cancelling(R, Level::Kill);
        assert_eq!(killed.next(Trigger::Cancel(Reason::Timeout, Level::Soft)), Some(killed));
    }
}
