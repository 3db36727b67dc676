//! How things come to an early end: one mechanism for fail-fast, timeouts, signals and what nobody needs.

use crate::base::command::{Outcome, SIGTERM};
use crate::base::event::{Event, Level, Reason};
use crate::plan::graph::{Edge, EdgeKind, Vertex};
use crate::plan::ids::{LeafId, ScopeId, VertexId};
use crate::run::phase::{Phase, Trigger};
use crate::run::scheduler::{Action, Closing, End, JobEnd, Scheduler, TimerKey};
use crate::xecfile::model::OnError;

impl Scheduler {
    fn is_dormant(&self, scope: ScopeId) -> bool {
        self.scope_phase(scope) == Phase::Dormant
    }

    /// Someone outside wants something to end.
    pub(super) fn cancel_from_outside(&mut self, scope: ScopeId, reason: Reason, level: Level, out: &mut Vec<Action>) {
        if scope == ScopeId::RUN {
            match reason {
                Reason::Signal(signal) => self.signal = self.signal.or(Some(signal)),
                Reason::OutputClosed | Reason::Lost => self.broken = true,
                _ => {}
            }
        }
        let instance = self.plan.scope(scope).instance();
        let what = instance.map_or_else(|| "run".into(), |id| self.plan.instance(id).label.instance.clone());
        out.push(Action::Emit(Event::Cancelling { what, reason, level }));
        self.cancel(scope, reason, level, out);
    }

    /// Ends a scope: what has not begun in it never will, what runs is stopped, and so is who is asked about any of it.
    pub(super) fn cancel(&mut self, scope: ScopeId, reason: Reason, level: Level, out: &mut Vec<Action>) {
        self.cancel_vertices(scope, reason, level, out);
        self.give_up_questions(self.plan.scope(scope).vertices.clone(), reason, level, out);
    }

    /// One loop over the range of a scope's vertices, however deep it is; what is skipped whole is jumped over.
    fn cancel_vertices(&mut self, scope: ScopeId, reason: Reason, level: Level, out: &mut Vec<Action>) {
        let plan = self.plan.clone();
        if self.scope_phase(scope).is_open() {
            return self.skip(plan.scope(scope).enter, End::Dropped(reason), out);
        }
        let pause = self.is_paused(scope);
        if !self.cancelling(plan.scope(scope).enter, reason, level) {
            return;
        }
        if pause {
            self.scopes[scope.index()].from_above = true;
            return self.break_off(scope, out);
        }
        let mut at = plan.scope(scope).enter.0 + 1;
        while at < plan.scope(scope).exit.0 {
            let vertex = VertexId(at);
            at += 1;
            match plan.vertices[vertex.index()] {
                Vertex::Leaf(leaf) if self.phase_of(vertex).is_live() => self.stop(vertex, leaf, reason, level, out),
                // Hooks are woken by their scope alone, which then shields them from the first level.
                Vertex::Enter(inner)
                    if plan.scope(inner).is_hook && (level == Level::Soft || self.is_dormant(inner)) =>
                {
                    at = plan.scope(inner).exit.0 + 1;
                }
                Vertex::Enter(inner) if self.is_paused(inner) => {
                    self.scopes[inner.index()].from_above = true;
                    at = plan.scope(inner).exit.0 + 1;
                    if self.cancelling(vertex, reason, level) {
                        self.break_off(inner, out);
                    }
                }
                Vertex::Enter(inner) if self.scope_phase(inner).is_live() => {
                    self.scopes[inner.index()].from_above = true;
                    self.cancelling(vertex, reason, level);
                }
                Vertex::Exit(_) => {}
                Vertex::Gate(inner) if inner != ScopeId::RUN && self.end[vertex.index()].is_some() => {}
                Vertex::Gate(inner) | Vertex::Enter(inner) if inner != ScopeId::RUN => {
                    at = plan.scope(inner).exit.0 + 1;
                    if self.scope_phase(inner).is_open() {
                        self.skip(vertex, End::Dropped(reason), out);
                    }
                }
                _ if self.phase_of(vertex).is_open() => self.skip(vertex, End::Dropped(reason), out),
                _ => {}
            }
        }
    }

    /// Marks a live vertex; says whether that changed anything.
    pub(super) fn cancelling(&mut self, vertex: VertexId, reason: Reason, level: Level) -> bool {
        let before = self.phase_of(vertex);
        if !before.is_live() {
            return false;
        }
        self.shift(vertex, Trigger::Cancel(reason, level));
        self.phase_of(vertex) != before
    }

    fn stop(&mut self, vertex: VertexId, leaf: LeafId, reason: Reason, level: Level, out: &mut Vec<Action>) {
        if !self.cancelling(vertex, reason, level) {
            return;
        }
        let Some(job) = self.live.get(&leaf).copied() else { return };
        if self.plan.leaf(leaf).wait.is_some() {
            // It only waits; no process ever sees this.
            return self.job_ended(job, JobEnd::plain(Outcome::Signalled(SIGTERM)), out);
        }
        out.push(Action::Stop { job, reason, level });
        if level == Level::Soft {
            let grace = self.plan.leaf(leaf).grace;
            out.push(Action::SetTimer(TimerKey::Grace(job), self.now.saturating_add(grace)));
        }
    }

    /// Something that has not begun never will: all of a scope at once, whichever of its ends is named.
    pub(super) fn skip(&mut self, vertex: VertexId, end: End, out: &mut Vec<Action>) {
        let plan = self.plan.clone();
        let scope = match plan.vertices[vertex.index()] {
            Vertex::Gate(scope) | Vertex::Enter(scope) if scope != ScopeId::RUN => scope,
            _ => return self.drop_one(vertex, end),
        };
        let range = plan.scope(scope).vertices.clone();
        let mut told = range.start;
        if self.phase_of(plan.scope(scope).enter) == Phase::Dormant {
            // Nobody had asked for it: there is nothing to tell.
            told = range.end;
        }
        for inner in range.clone().map(VertexId) {
            if self.end[inner.index()].is_some() {
                continue;
            }
            match plan.vertices[inner.index()] {
                Vertex::Exit(ended) if ended == scope => {
                    let closing = if matches!(end, End::Fresh(_)) { Closing::Well } else { Closing::Badly };
                    self.close_values(scope, closing, out);
                    self.finish(inner, end);
                    self.tell_streams(scope, out);
                }
                // Of a set, some may wait for one member alone.
                Vertex::Exit(_) if plan.successors.of(inner).iter().any(|edge| !range.contains(&edge.other.0)) => {
                    self.finish(inner, end);
                }
                Vertex::Exit(_) => self.end[inner.index()] = Some(end),
                Vertex::Enter(inside) => {
                    if plan.scope(inside).instance().is_some() && inner.0 >= told {
                        told = plan.scope(inside).exit.0;
                        self.tell_skipped(inside, end, out);
                    }
                    self.silence(inner, end);
                }
                Vertex::Gate(_) => {
                    self.silence(inner, end);
                    self.give_up_gate(inner, self.scopes[scope.index()].gently);
                }
                _ => self.silence(inner, end),
            }
        }
        let reason = if let End::Dropped(reason) = end { reason } else { Reason::Unneeded };
        self.give_up_questions(range, reason, Level::Soft, out);
    }

    fn drop_one(&mut self, vertex: VertexId, end: End) {
        if self.end[vertex.index()].is_none() {
            self.silence(vertex, end);
            if self.plan.vertices[vertex.index()] != Vertex::Arrive {
                self.ended.push_back(vertex);
            }
        }
    }

    /// Ends a vertex that has not begun, telling nobody.
    fn silence(&mut self, vertex: VertexId, end: End) {
        if self.leave_the_line(vertex) {
            self.leave_the_door(vertex);
        }
        self.shift(vertex, Trigger::Drop);
        self.end[vertex.index()] = Some(end);
        self.less_is_left(vertex);
        // Who does not come to a barrier leaves it: the others hear of that, whatever else is silent.
        if self.plan.vertices[vertex.index()] == Vertex::Arrive {
            self.ended.push_back(vertex);
        }
    }

    /// The policy of a scope acts on the first failure that counts in it.
    pub(super) fn trip(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        if std::mem::replace(&mut self.scopes[scope.index()].tripped, true) {
            return;
        }
        match self.plan.scope(scope).on_error {
            OnError::Continue => {}
            OnError::FailFast => self.cancel(scope, Reason::Failed, Level::Soft, out),
            OnError::Drain => self.drain(scope, out),
        }
    }

    /// Direct children in which nothing has been started never begin; the others go on, with all that they still
    /// need.
    fn drain(&mut self, scope: ScopeId, out: &mut Vec<Action>) {
        let plan = self.plan.clone();
        self.scopes[scope.index()].gently = true;
        if matches!(self.scope_phase(scope), Phase::Running | Phase::Ready) {
            self.shift(plan.scope(scope).enter, Trigger::Drain);
        }
        for child in plan.children(scope) {
            let inner = match plan.vertices[child.index()] {
                // A request is as far as its task is.
                Vertex::Await => plan.predecessors.of(child).iter().find_map(|edge| plan.scope_of(edge.other)),
                _ => plan.scope_of(child),
            };
            let shared =
                plan.scope_of(child).is_some_and(|inner| plan.scope(inner).shared || plan.scope(inner).is_hook);
            let untouched = inner.map_or(self.phase_of(child).is_open(), |inner| self.is_untouched(inner));
            // Those who are on their way to a barrier still go on behind it.
            let joins = |edge: &Edge| plan.vertices[edge.other.index()] == Vertex::Resume;
            if !untouched || shared || plan.successors.of(child).iter().any(joins) {
                continue;
            }
            if let Some(inner) = inner {
                self.scopes[inner.index()].gently = true;
            }
            match plan.scope_of(child) {
                Some(inner) if self.scope_phase(inner).is_live() => {
                    self.cancel(inner, Reason::Failed, Level::Soft, out)
                }
                _ if self.end[child.index()].is_none() => self.skip(child, End::Dropped(Reason::Failed), out),
                _ => {}
            }
        }
    }

    /// A vertex has ended: what it kept alive by its demands, it keeps no longer.
    pub(super) fn give_up(&mut self, vertex: VertexId) {
        let plan = self.plan.clone();
        match plan.vertices[vertex.index()] {
            Vertex::Exit(scope) => {
                if let Some(gate) = plan.scope(scope).gate {
                    self.give_up_gate(gate, self.scopes[scope.index()].gently);
                }
            }
            Vertex::Await => {
                let gently = self.scopes[ScopeId::RUN.index()].gently;
                for edge in plan.predecessors.of(vertex) {
                    if let (Vertex::Gate(ScopeId::RUN), EdgeKind::Ok) = (plan.vertices[edge.other.index()], edge.kind) {
                        self.give_up_gate(edge.other, gently);
                    }
                }
            }
            _ => {}
        }
    }

    pub(super) fn give_up_gate(&mut self, gate: VertexId, gently: bool) {
        let plan = self.plan.clone();
        // What may be tried again may want it again.
        if let Some(holder) = self.retrying_around(gate) {
            return self.held.entry(holder).or_default().push(gate);
        }
        for edge in plan.successors.of(gate).iter().filter(|edge| edge.kind == EdgeKind::Demand) {
            self.give_up_one(gate, edge.other, gently);
        }
    }

    /// Drains the needs of an instance: what has not begun is given up, what runs is waited for.
    pub(super) fn give_up_open(&mut self, scope: ScopeId) {
        let plan = self.plan.clone();
        let Some(gate) = plan.scope(scope).gate else { return };
        self.scopes[scope.index()].gently = true;
        for edge in plan.successors.of(gate).iter().filter(|edge| edge.kind == EdgeKind::Demand) {
            if plan.scope_of(edge.other).is_some_and(|needed| self.is_untouched(needed)) {
                self.give_up_one(gate, edge.other, true);
            }
        }
    }

    fn give_up_one(&mut self, gate: VertexId, head: VertexId, gently: bool) {
        let Some(scope) = self.plan.scope_of(head) else { return };
        if !self.released.insert((gate, head)) {
            return;
        }
        let state = &mut self.scopes[scope.index()];
        state.interest = state.interest.saturating_sub(1);
        if state.interest == 0 {
            self.unneeded.push_back((scope, gently));
        }
    }

    /// Nobody wants it any more.
    pub(super) fn drop_unneeded(&mut self, scope: ScopeId, gently: bool, out: &mut Vec<Action>) {
        if self.end[self.plan.scope(scope).exit.index()].is_some() || (gently && !self.is_untouched(scope)) {
            return;
        }
        self.scopes[scope.index()].gently |= gently;
        self.cancel(scope, Reason::Unneeded, Level::Soft, out);
    }
}
