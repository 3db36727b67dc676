//! Questions of a run: the conditions of scopes, and `let`s.

use std::sync::Arc;

use crate::base::command::{NotStarted, Outcome};
use crate::base::event::JobId;
use crate::exec::Signal;
use crate::plan::graph::{Guard, Memory};
use crate::plan::ids::ScopeId;
use crate::run::dispatch::Loop;
use crate::run::probe::{self, Probe, Question, Said, World};
use crate::run::questions::{Left, Purpose, Waiter, Waiting, Who};
use crate::run::scheduler::{Answer, Input, JobEnd};
use crate::xecfile::model::{Condition, FileId};

impl Loop {
    /// Asks whether a scope has to run: first its conditions, then whether it is up to date.
    pub(super) fn probe(&mut self, scope: ScopeId) {
        let plan = self.plan.clone();
        match &plan.scope(scope).guard {
            Guard::Ask(conditions) => self.look_at(scope, Purpose::Enter, conditions),
            Guard::Always | Guard::Never => self.passed(scope, Purpose::Enter, Ok(true)),
        }
    }

    /// Looks at conditions; the next script of them, if there is one, is asked when the last has answered.
    pub(super) fn look_at(&mut self, scope: ScopeId, purpose: Purpose, conditions: &Arc<[Condition]>) {
        let plan = self.plan.clone();
        let Some(instance) = plan.instance_for(scope) else {
            return self.passed(scope, purpose, Ok(true));
        };
        let file = plan.defs.tasks[plan.instance(instance).def.index()].file;
        let around = self.around.clone();
        // What the body made is there once it is over.
        let seen = match purpose {
            Purpose::Enter => plan.scope(scope).enter,
            Purpose::Keep => plan.scope(scope).exit,
        };
        let world = World {
            scope: self.store.scope(&plan, &around, instance).seen_from(seen),
            around: &around,
            dir: &plan.defs.dirs[usize::from(file.0)],
        };
        match Probe::look(conditions, &world) {
            Ok(probe) => self.look_on(scope, purpose, probe),
            Err(why) => self.passed(scope, purpose, Err(why)),
        }
    }

    fn look_on(&mut self, scope: ScopeId, purpose: Purpose, probe: Probe) {
        if !self.scheduler.is_wanted(scope) {
            return self.passed(scope, purpose, Ok(false));
        }
        let Some((condition, line, script)) = probe.next() else {
            return self.passed(scope, purpose, Ok(probe.answer().unwrap_or(true)));
        };
        let question = probe::question(&self.plan, scope, &script, &self.around, &self.store);
        let job = self.questions.probe(scope, purpose, probe, condition, line);
        self.ask(job, question);
    }

    /// What conditions came to.
    fn passed(&mut self, scope: ScopeId, purpose: Purpose, holds: Result<bool, String>) {
        let remembered = self.plan.scope(scope).memory == Memory::Whole;
        match (purpose, holds) {
            (Purpose::Keep, holds) => self.settle_if(scope, holds),
            (Purpose::Enter, Ok(true)) if remembered => self.look_up(scope),
            (Purpose::Enter, Ok(true)) => self.feed(Input::Probed(scope, Ok(Answer::Run))),
            (Purpose::Enter, Ok(false)) => self.feed(Input::Probed(scope, Ok(Answer::Pass))),
            (Purpose::Enter, Err(why)) => self.feed(Input::Probed(scope, Err(why))),
        }
    }

    /// Asks for the value of a `let`, unless that is being done.
    pub(super) fn ask_let(&mut self, file: FileId, name: Arc<str>, script: &Arc<str>, waiter: Waiter) {
        if let Some(job) = self.questions.for_let(file, name, waiter) {
            let question = probe::let_question(&self.plan, file, script, &self.around, &self.store);
            self.ask(job, question);
        }
    }

    fn ask(&mut self, job: JobId, question: Question) {
        tokio::task::spawn_local(probe::ask(question, self.target.clone(), job, self.news_tx.clone()));
    }

    /// What is asked of a scope is of no use any more.
    pub(super) fn unask(&mut self, scope: ScopeId, signal: Signal) {
        if let Left::Alone(waiter) = self.questions.end(Who::Scope(scope), signal) {
            self.gave_up(waiter);
        }
    }

    /// One who shall end waits no more for a value that others still want.
    pub(super) fn gave_up(&mut self, waiter: Waiter) {
        match waiter {
            Waiter::Job(start) => {
                self.controls.remove(&start.id);
                let why = NotStarted::Failed("it was ended before".to_owned());
                self.feed(Input::Ended(start.id, JobEnd::plain(Outcome::NotStarted(why))));
            }
            Waiter::Scope(scope) => self.feed(Input::Probed(scope, Ok(Answer::Pass))),
        }
    }

    pub(super) fn answered(&mut self, job: JobId, said: Said) {
        let Some((waiting, waiters)) = self.questions.answered(job) else { return };
        match waiting {
            Waiting::Probe { scope, purpose, mut probe, condition, line } => match said {
                Ok((code, _)) => {
                    probe.set(condition, line, code == 0);
                    self.look_on(scope, purpose, probe);
                }
                Err(why) => self.passed(scope, purpose, Err(why)),
            },
            Waiting::Let { file, name } => match said.and_then(probe::let_value) {
                Ok(value) => {
                    self.store.set_let(file, name, value);
                    waiters.into_iter().for_each(|waiter| self.go_on(waiter));
                }
                Err(why) => waiters.into_iter().for_each(|waiter| self.without(waiter, &name, &why)),
            },
        }
    }

    fn go_on(&mut self, waiter: Waiter) {
        match waiter {
            Waiter::Job(start) => self.start(start.id, start.leaf, start.attempt, start.waits),
            Waiter::Scope(scope) => self.look_up(scope),
        }
    }

    /// The value that someone waits for cannot be had.
    fn without(&mut self, waiter: Waiter, name: &str, why: &str) {
        let why_bad = format!("`let {name}`: {why}");
        match waiter {
            Waiter::Job(start) => {
                self.controls.remove(&start.id);
                let mut end = JobEnd::plain(Outcome::NotStarted(NotStarted::Failed(why.to_owned())));
                end.bad_value = Some(why_bad);
                self.feed(Input::Ended(start.id, end));
            }
            Waiter::Scope(scope) => self.feed(Input::Probed(scope, Err(why_bad))),
        }
    }
}
