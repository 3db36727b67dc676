//! What everything came to: scopes judged by what is in them, and the run by all.

use crate::base::command::Outcome;
use crate::base::event::{Counts, Culprit, Event, Failure, Reason, SkipReason, Verdict};
use crate::plan::graph::{Completion, Guard, Memory, Vertex};
use crate::plan::ids::{ScopeId, VertexId};
use crate::run::phase::{Phase, Trigger};
use crate::run::scheduler::state::Failed;
use crate::run::scheduler::{Action, Closing, End, Scheduler};

impl Scheduler {
    /// A child has ended: its scope counts it, and acts by its policy.
    pub(super) fn account(&mut self, vertex: VertexId, ok: bool, out: &mut Vec<Action>) {
        let owner = self.plan.owner[vertex.index()];
        let counts = match self.plan.vertices[vertex.index()] {
            Vertex::Leaf(_) | Vertex::Await => true,
            Vertex::Exit(scope) => scope != ScopeId::RUN && !self.plan.scope(scope).shared,
            _ => false,
        };
        if let Some(End::Failed(_) | End::TimedOut) = self.end[vertex.index()] {
            self.failures.push(Failed::Here(vertex));
        }
        if let Some(inner) = self.plan.scope_of(vertex).filter(|inner| self.plan.scope(*inner).is_hook) {
            let began = self.end[self.plan.scope(inner).enter.index()] == Some(End::Ok);
            self.scopes[owner.index()].hook_failed |= began && !ok;
            if self.plan.scope(inner).exit == vertex {
                self.progress_told(owner, inner, out);
            }
            return;
        }
        // A lane that nobody fed was never in play; a feed that fails for what feeds it is one of its scope's failures.
        let idle = self.plan.scope_of(vertex).is_some_and(|lane| self.plan.scope(lane).is_lane && !self.is_fed(lane));
        let starved = matches!(
            (self.plan.vertices[vertex.index()], self.end[vertex.index()]),
            (Vertex::Feed(_), Some(End::Failed(_) | End::Skipped(_)))
        );
        if (!counts && !starved) || idle {
            return;
        }
        self.weigh_child(owner, vertex, ok, out);
        // After its policy, which may have ended all of it.
        if counts {
            self.progressed(owner, ok, out);
        }
    }

    /// What the end of a child means for its scope.
    fn weigh_child(&mut self, owner: ScopeId, vertex: VertexId, ok: bool, out: &mut Vec<Action>) {
        if self.plan.scope(owner).completion != Completion::All {
            return self.weigh(owner, vertex, out);
        }
        if ok {
            return;
        }
        let fault = match self.end[vertex.index()] {
            Some(End::Cancelled(_) | End::Dropped(_)) => self.lost_its_service(vertex),
            // A later step of a sequence: the failure was that of the earlier one, and is counted there.
            Some(End::Skipped(blamed)) => !self.is_sibling(blamed, owner),
            _ => true,
        };
        if fault {
            self.scopes[owner.index()].failed += 1;
        } else {
            self.scopes[owner.index()].dropped += 1;
        }
        self.gate_loses(vertex);
        if fault {
            self.reconsider(owner, out);
        }
    }

    /// After a failure in a scope, its policy acts if the scope cannot have enough successes any more.
    pub(super) fn reconsider(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        let state = &self.scopes[scope.index()];
        let (lost, failed) = (state.failed + state.dropped, state.failed > 0);
        let hopeless = match self.children_of(scope) {
            _ if state.shut => true,
            Some(children) => children.saturating_sub(lost) < self.plan.scope(scope).require.of(children),
            None => self.plan.scope(scope).require.is_all(),
        };
        if failed && (hopeless || scope == ScopeId::RUN) {
            self.trip(scope, out);
        }
    }

    /// How many children a scope has, as far as that is known.
    pub(super) fn children_of(&self, scope: ScopeId) -> Option<u32> {
        match self.plan.scope(scope).feed {
            Some(feed) => self.feeds[feed.index()].total(),
            None => Some(self.plan.scope(scope).children),
        }
    }

    fn is_sibling(&self, vertex: VertexId, owner: ScopeId) -> bool {
        let shared = self.plan.scope_of(vertex).is_some_and(|scope| self.plan.scope(scope).shared);
        self.plan.owner[vertex.index()] == owner && !shared
    }

    /// A scope's body is over, or one of its hooks is: the next hook that is due begins, or the scope ends.
    pub(super) fn leave(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        let body = match self.scopes[scope.index()].body {
            Some(body) => body,
            None => {
                let body = self.judge_body(scope);
                let body = self.judge_service(scope, body);
                // Broken off before the next attempt, it is no better than the last one was.
                let body = self.scopes[scope.index()].last.filter(|_| body == End::Ok).unwrap_or(body);
                if self.try_again(scope, body, out) {
                    return;
                }
                self.scopes[scope.index()].body = Some(body);
                self.unwatch(scope, out);
                self.say(scope, out);
                body
            }
        };
        if body == End::Ok && self.remember(scope, out) {
            return;
        }
        // A hook that is named is a hook that begins: what it waits for comes first.
        if self.due_from(scope, body).is_some() && self.regains(scope) {
            return;
        }
        if let Some(hook) = self.next_hook(scope, body) {
            let enter = self.plan.scope(scope).enter;
            if self.phase_of(enter) != Phase::Hooks {
                self.shift(enter, Trigger::Hook);
            }
            self.scopes[scope.index()].hook = Some(hook);
            let begins = self.plan.scope(hook).enter;
            self.shift(begins, Trigger::Demand);
            return self.look(begins);
        }
        self.end_scope(scope, body, out);
    }

    /// A body that succeeded is looked at, once, before anything follows it.
    fn remember(&mut self, scope: ScopeId, out: &mut Vec<Action>) -> bool {
        let state = &mut self.scopes[scope.index()];
        if self.plan.scope(scope).memory == Memory::None || std::mem::replace(&mut state.settled, true) {
            return false;
        }
        self.settle_body(scope, out);
        true
    }

    pub(super) fn judge_body(&self, scope: ScopeId) -> End {
        let this = self.plan.scope(scope);
        let state = &self.scopes[scope.index()];
        let handed = || this.feed.map_or(0, |feed| self.feeds[feed.index()].handed());
        let children = self.children_of(scope).unwrap_or_else(handed);
        let succeeded = children.saturating_sub(state.failed + state.dropped);
        let enough = succeeded >= this.require.of(children) && !state.shut;
        let starved = this.feed.is_some_and(|feed| {
            matches!(self.end[self.plan.feed(feed).vertex.index()], Some(End::Failed(_) | End::Skipped(_)))
        });
        match self.scope_phase(scope) {
            _ if state.timed_out => End::TimedOut,
            _ if this.completion != Completion::All => self.judge_choice(scope),
            // Cut short from around it: as with a command that was sent a signal, nobody knows whether that did no harm.
            Phase::Cancelling(reason, _) if enough && !starved && state.dropped > 0 => End::Cancelled(reason),
            _ if enough && !starved => End::Ok,
            Phase::Cancelling(reason, _) if state.failed == 0 => End::Cancelled(reason),
            _ => End::Failed(state.failed as i32),
        }
    }

    fn end_scope(&mut self, scope: ScopeId, body: End, out: &mut Vec<Action>) {
        let plan = self.plan.clone();
        let this = plan.scope(scope);
        let end = if body == End::Ok && self.scopes[scope.index()].hook_failed { End::Failed(1) } else { body };
        // Hooks that were not due end with their scope, and lanes that have no work.
        let lanes = this.feed.map_or(&[][..], |feed| &plan.feed(feed).lanes);
        let progress = this.progress.iter().map(|(hook, _)| hook);
        for hook in this.hooks.iter().flatten().chain(progress).chain(lanes) {
            if self.end[plan.scope(*hook).exit.index()].is_none() {
                self.skip(plan.scope(*hook).enter, End::Dropped(Reason::Decided), out);
            }
        }
        self.shift(this.enter, Trigger::End);
        self.leave_host(scope);
        let closing = if end == End::Ok { Closing::Well } else { Closing::Badly };
        self.close_values(scope, closing, out);
        self.finish(this.exit, end);
        for gate in self.held.remove(&scope).unwrap_or_default() {
            self.give_up_gate(gate, self.scopes[scope.index()].gently);
        }
        if scope == ScopeId::RUN {
            return self.close(out);
        }
        if let Some(instance) = this.instance() {
            let verdict = self.verdict(scope, end);
            count(&mut self.counts, &verdict);
            let duration = self.now.saturating_sub(self.scopes[scope.index()].entered);
            let task = self.label(instance);
            out.push(Action::Emit(Event::TaskFinished { task, verdict, duration }));
        }
        if let Some(parent) = this.parent {
            self.adapt_to(parent, this.exit);
            self.scopes[parent.index()].open -= 1;
            self.look(plan.scope(parent).exit);
        }
        self.release(this.enter);
    }

    /// What lived as long as an attempt of an instance goes with it.
    pub(super) fn close_values(&mut self, scope: ScopeId, closing: Closing, out: &mut Vec<Action>) {
        if let Some(instance) = self.plan.scope(scope).instance()
            && std::mem::replace(&mut self.scopes[scope.index()].opened, false)
        {
            out.push(Action::Close(instance, closing));
        }
    }

    /// An instance that never began is told of, unless nobody had asked for it.
    pub(super) fn tell_skipped(&mut self, scope: ScopeId, end: End, out: &mut Vec<Action>) {
        let Some(instance) = self.plan.scope(scope).instance() else { return };
        // Of lanes that never had an item, the first is told for all.
        if self.plan.instance(instance).hidden && !self.is_fed(scope) {
            return;
        }
        let why = self.complaints.get(&self.plan.scope(scope).exit);
        let verdict = match (why, end) {
            (Some(why), _) => why.verdict(),
            // What failed without having begun is around it, and told there.
            (None, End::Failed(_)) => Verdict::Skipped(SkipReason::Earlier),
            (None, _) => self.verdict(scope, end),
        };
        count(&mut self.counts, &verdict);
        let task = self.label(instance);
        out.push(Action::Emit(Event::TaskFinished { task, verdict, duration: std::time::Duration::ZERO }));
    }

    fn verdict(&self, scope: ScopeId, end: End) -> Verdict {
        match end {
            End::Ok => Verdict::Ok,
            End::Passed => Verdict::Skipped(match (&self.plan.scope(scope).guard, self.spared_item(scope)) {
                (_, Some(why)) | (Guard::Never(why), _) => why.clone(),
                _ => SkipReason::Condition,
            }),
            End::Lacked(take) => Verdict::Skipped(self.lacked(scope, take)),
            End::Fresh(false) => Verdict::Skipped(SkipReason::UpToDate),
            End::Fresh(true) => Verdict::Skipped(SkipReason::Restored),
            End::Failed(inside) => match self.unreached(scope) {
                Some(why) => Verdict::Unreachable(why),
                None => Verdict::Failed(Failure::Inside(inside.unsigned_abs())),
            },
            End::TimedOut => Verdict::TimedOut(self.plan.scope(scope).timeout.unwrap_or_default()),
            End::Cancelled(reason) => Verdict::Cancelled(reason),
            End::Dropped(reason) => Verdict::Skipped(SkipReason::Cancelled(reason)),
            End::Skipped(vertex) => Verdict::Skipped(self.skip_reason(scope, vertex)),
        }
    }

    /// Which value was not there, and from whom it should have come.
    fn lacked(&self, scope: ScopeId, take: usize) -> SkipReason {
        let who = self.plan.instance_of(scope).map(|id| self.plan.instance(id).set.unwrap_or(id));
        let take = who.and_then(|id| self.plan.instance(id).takes.get(take));
        match take.and_then(|take| Some((take, *take.from.first()?))) {
            Some((take, from)) => {
                SkipReason::Value { name: take.name.clone(), from: self.plan.instance(from).label.instance.clone() }
            }
            None => SkipReason::Condition,
        }
    }

    fn skip_reason(&self, scope: ScopeId, blamed: VertexId) -> SkipReason {
        match self.plan.vertices[blamed.index()] {
            Vertex::Barrier(_) => SkipReason::Batch,
            Vertex::Exit(other)
                if other != scope && !self.is_sibling(blamed, self.plan.owner[self.plan.scope(scope).exit.index()]) =>
            {
                let own = self.plan.scope(other).instance().map(|id| self.label(id).instance.clone());
                let of_set = || self.plan.instance_in(other).map(|id| self.plan.instance(id).label.task.clone());
                own.or_else(of_set).map_or(SkipReason::Earlier, SkipReason::Dependency)
            }
            _ => SkipReason::Earlier,
        }
    }

    /// The run is over.
    fn close(&mut self, out: &mut Vec<Action>) {
        self.done = true;
        let blame = self.blame();
        let mut culprits = Vec::<Culprit>::new();
        for failed in &self.failures {
            let (counts, culprit) = match failed {
                Failed::Here(vertex) if blame.counts(*vertex) => (true, self.culprit(*vertex)),
                Failed::Here(vertex) => (false, self.culprit(*vertex).filter(|_| self.is_forgiven(*vertex))),
                Failed::Gone(feed, culprit) => (blame.feeds.contains(feed), Some((**culprit).clone())),
            };
            let Some(culprit) = culprit else { continue };
            match culprit.verdict {
                Verdict::Unreachable(_) => self.counts.unreachable += 1,
                Verdict::Failed(Failure::Command(Outcome::Unknown(_))) => {
                    self.counts.failed += 1;
                    self.counts.unknown += 1;
                }
                _ => self.counts.failed += 1,
            }
            culprits.extend(Some(culprit).filter(|_| counts));
        }
        let code = match (self.signal, culprits.as_slice()) {
            (Some(signal), _) => 128 + signal,
            // Whatever the reason: what was asked for and did not come about is no success.
            (None, []) if self.broken || self.plan.requested.iter().any(|(_, wait)| !self.satisfies(*wait)) => 1,
            (None, []) => 0,
            (None, [only]) => only.code,
            (None, _) => 1,
        };
        out.push(Action::Emit(Event::RunFinished {
            culprits,
            counts: self.counts,
            signal: self.signal,
            code,
            duration: self.now,
        }));
        out.push(Action::Done);
    }
}

fn count(counts: &mut Counts, verdict: &Verdict) {
    match verdict {
        Verdict::Ok => counts.ok += 1,
        // What failed is counted by itself at the end: around one failure there can be many tasks.
        Verdict::Failed(_) | Verdict::Unreachable(_) | Verdict::TimedOut(_) => {}
        Verdict::Cancelled(_) => counts.cancelled += 1,
        Verdict::Skipped(SkipReason::UpToDate | SkipReason::Restored) => counts.fresh += 1,
        Verdict::Skipped(_) => counts.skipped += 1,
    }
}
