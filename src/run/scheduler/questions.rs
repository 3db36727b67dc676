//! Questions about scopes: whether one has to run, and what is to be remembered of it. Who is asked is ended like a
//! job when nobody wants to know any more; the scope around, and so the run, ends only when the answer is there.

use std::ops::Range;

use crate::base::event::{Level, Reason};
use crate::plan::defs::DEFAULT_GRACE;
use crate::plan::ids::{ScopeId, VertexId};
use crate::run::phase::Phase;
use crate::run::scheduler::state::Asked;
use crate::run::scheduler::{Action, Answer, Complaint, End, Scheduler, TimerKey};

impl Scheduler {
    /// Asks whether a scope has to run.
    pub(super) fn probe(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        self.asks_before(scope);
        out.push(Action::Probe(scope));
    }

    /// All that a scope claims is held, and others may have done meanwhile what it would do.
    pub(super) fn knock(&mut self, scope: ScopeId, slot: bool, out: &mut Vec<Action>) {
        self.knocking.insert(self.plan.scope(scope).enter, slot);
        self.asks_before(scope);
        out.push(Action::Claim(scope));
    }

    /// The scope around it is not over before the answer has come.
    fn asks_before(&mut self, scope: ScopeId) {
        if let Some(parent) = self.plan.scope(scope).parent {
            self.scopes[parent.index()].open += 1;
        }
        self.asks(scope);
    }

    /// Has what it made looked at.
    pub(super) fn settle_body(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        self.scopes[scope.index()].settling = true;
        self.asks(scope);
        out.push(Action::Settle(scope));
        // It may be on its way out already.
        let range = self.plan.scope(scope).vertices.clone();
        self.give_up_questions(range, Reason::Unneeded, Level::Soft, out);
    }

    fn asks(&mut self, scope: ScopeId) {
        self.questions += 1;
        self.asked.insert(self.plan.scope(scope).enter, Asked { number: self.questions, given_up: None });
    }

    /// It is known whether a scope has to run.
    pub(super) fn probed(&mut self, scope: ScopeId, answer: Result<Answer, Complaint>, out: &mut Vec<Action>) {
        let enter = self.plan.scope(scope).enter;
        if self.asked.remove(&enter).is_none() {
            return;
        }
        let (knocked, open) = (self.knocking.remove(&enter), self.phase_of(enter) == Phase::Probing);
        if let Some(slot) = knocked {
            self.passed.extend(slot.then_some(enter));
            if !open || answer != Ok(Answer::Run) {
                self.turn_back(enter, out);
            }
        }
        if open {
            match answer {
                Ok(Answer::Run) if knocked.is_some() => self.enter(scope, out),
                Ok(Answer::Run) => self.stand_in_line(enter),
                Ok(Answer::Again) => self.probe(scope, out),
                Ok(Answer::Pass) => self.skip(enter, End::Passed, out),
                Ok(Answer::Lacks(take)) => self.skip(enter, End::Lacked(take), out),
                Ok(Answer::Fresh { restored }) => self.skip(enter, End::Fresh(restored), out),
                Err(why) => {
                    if let Complaint::Unreachable(why) = &why {
                        self.lose(scope, why);
                    }
                    self.complaints.insert(self.plan.scope(scope).exit, why);
                    self.skip(enter, End::Failed(1), out);
                }
            }
        }
        if let Some(parent) = self.plan.scope(scope).parent {
            self.scopes[parent.index()].open -= 1;
            self.look(self.plan.scope(parent).exit);
        }
    }

    /// What it made was looked at.
    pub(super) fn settled(&mut self, scope: ScopeId) {
        self.asked.remove(&self.plan.scope(scope).enter);
        if std::mem::take(&mut self.scopes[scope.index()].settling) {
            self.look(self.plan.scope(scope).exit);
        }
    }

    /// Whether somebody still wants to know what is asked of a scope.
    pub fn is_wanted(&self, scope: ScopeId) -> bool {
        self.asked.get(&self.plan.scope(scope).enter).is_some_and(|asked| asked.given_up.is_none())
    }

    /// Of what is asked in this range: what is of no use any more, since its scope has been dropped or is being ended,
    /// is given up. Hooks are shielded by their phase, which nobody has changed then.
    pub(super) fn give_up_questions(&mut self, range: Range<u32>, reason: Reason, level: Level, out: &mut Vec<Action>) {
        let inside: Vec<VertexId> =
            self.asked.range(VertexId(range.start)..VertexId(range.end)).map(|(enter, _)| *enter).collect();
        for enter in inside {
            let (Some(scope), Some(asked)) = (self.plan.scope_of(enter), self.asked.get_mut(&enter)) else { continue };
            let (reason, level) = match self.phase[enter.index()] {
                Phase::Ended => (reason, level),
                Phase::Cancelling(reason, level) => (reason, level),
                _ => continue,
            };
            if asked.given_up >= Some(level) {
                continue;
            }
            asked.given_up = Some(level);
            out.push(Action::Unask { scope, reason, level });
            if level == Level::Soft {
                let key = TimerKey::Question(scope, asked.number);
                out.push(Action::SetTimer(key, self.now.saturating_add(DEFAULT_GRACE)));
            }
        }
    }

    /// Who is asked had time enough to end.
    pub(super) fn question_is_late(&mut self, scope: ScopeId, number: u32, out: &mut Vec<Action>) {
        let Some(asked) = self.asked.get_mut(&self.plan.scope(scope).enter) else { return };
        if asked.number == number && asked.given_up == Some(Level::Soft) {
            asked.given_up = Some(Level::Kill);
            out.push(Action::Unask { scope, reason: Reason::Unneeded, level: Level::Kill });
        }
    }
}
