//! Questions of a run: the conditions of scopes, and `let`s.

use std::rc::Rc;
use std::sync::Arc;

use crate::base::command::{NotStarted, Outcome};
use crate::base::event::JobId;
use crate::exec::{Signal, Target};
use crate::plan::defs::Conditions;
use crate::plan::graph::{Guard, Memory};
use crate::plan::ids::{InstanceId, ScopeId, VertexId};
use crate::run::command;
use crate::run::dispatch::Loop;
use crate::run::dispatch::changed::Asked;
use crate::run::lets;
use crate::run::place::Here;
use crate::run::probe::{self, Probe, Question, Said, Script};
use crate::run::questions::{Left, Purpose, Waiter, Waiting, Who};
use crate::run::scheduler::{Answer, Complaint, Input, JobEnd};
use crate::xecfile::model::{FileId, PredicateKind};

impl Loop {
    /// Asks whether a scope has to run: first its conditions, then whether it is up to date.
    pub(super) fn probe(&mut self, scope: ScopeId) {
        if !self.comes_first(scope) {
            self.look_at(scope, Purpose::Enter);
        }
    }

    /// The conditions that are asked for a purpose; none where there is nothing to ask.
    pub(super) fn conditions(&self, scope: ScopeId, purpose: Purpose) -> Option<Conditions> {
        let this = self.plan.scope(scope);
        match (purpose, &this.guard, this.instance()) {
            (Purpose::Enter, Guard::Ask(conditions), _) => Some(conditions.clone()),
            (Purpose::Keep, _, Some(id)) => {
                let def = self.plan.task_of(id);
                let cache = def.files.cache.as_ref().filter(|cache| !cache.conditions.is_empty())?;
                Some(Conditions { all: cache.conditions.clone(), place: def.conditions.place.clone() })
            }
            _ => None,
        }
    }

    /// From where conditions look: what the body made is there once it is over.
    pub(super) fn eye(&self, scope: ScopeId, purpose: Purpose) -> VertexId {
        match purpose {
            Purpose::Enter => self.plan.scope(scope).enter,
            Purpose::Keep => self.plan.scope(scope).exit,
        }
    }

    /// Looks at conditions, once every `let` that they name has its value.
    pub(super) fn look_at(&mut self, scope: ScopeId, purpose: Purpose) {
        let asked = self.conditions(scope, purpose).zip(self.plan.instance_for(scope));
        let Some((conditions, instance)) = asked else { return self.passed(scope, purpose, Ok(true)) };
        if !self.scheduler.is_wanted(scope) {
            return self.passed(scope, purpose, Ok(false));
        }
        if self.wait_for_let(instance, &conditions.value_names(), Waiter::Conditions(scope, purpose)) {
            return;
        }
        let (plan, around) = (self.plan.clone(), self.around.clone());
        self.store.make_inputs(&plan, &around, instance);
        let seen = self.store.scope(&plan, &around, instance).seen_from(self.eye(scope, purpose));
        let begins = purpose == Purpose::Enter && plan.instance_of(scope).is_some();
        if let Some(take) = begins.then(|| seen.lacking()).flatten() {
            return self.feed(Input::Probed(scope, Ok(Answer::Lacks(take))));
        }
        if let Some(why) = begins.then(|| self.store.misfit(&plan, instance)).flatten() {
            return self.passed(scope, purpose, Err(why.into()));
        }
        let looked = match conditions.all.is_empty() {
            true => Probe::look(&conditions.all, None),
            false => Here::new(&plan, &conditions.place, &around, seen)
                .and_then(|here| Probe::look(&conditions.all, Some(&here))),
        };
        match looked {
            Ok(probe) => self.look_on(scope, purpose, probe),
            Err(why) => self.passed(scope, purpose, Err(why.into())),
        }
    }

    /// The next script, if there is one, is asked when the last has answered.
    pub(super) fn look_on(&mut self, scope: ScopeId, purpose: Purpose, probe: Probe) {
        if !self.scheduler.is_wanted(scope) {
            return self.passed(scope, purpose, Ok(false));
        }
        let Some((condition, line, kind)) = probe.next() else {
            return self.passed(scope, purpose, Ok(probe.answer().unwrap_or(true)));
        };
        let script = match kind {
            PredicateKind::Changed(globs) => {
                let globs = globs.clone();
                return self.ask_changed(scope, &globs, Asked { purpose, probe, condition, line });
            }
            kind => Script::of(kind),
        };
        let asked = script.ok_or(Complaint::Value("nobody can say whether it has to run".to_owned()));
        match asked.and_then(|script| self.question(scope, purpose, &script)) {
            Ok((question, target)) => {
                let job = self.questions.probe(scope, purpose, probe, condition, line);
                self.ask(job, question, target);
            }
            Err(why) => self.passed(scope, purpose, Err(why)),
        }
    }

    /// A question, and where it is asked.
    fn question(
        &self,
        scope: ScopeId,
        purpose: Purpose,
        script: &Script<'_>,
    ) -> Result<(Question, Rc<dyn Target>), Complaint> {
        let who = self.conditions(scope, purpose).zip(self.plan.instance_for(scope));
        let (Conditions { place, .. }, instance) = who.ok_or("nobody asks".to_owned())?;
        let seen = self.store.scope(&self.plan, &self.around, instance).seen_from(self.eye(scope, purpose));
        let here = Here::new(&self.plan, &place, &self.around, seen)?;
        if let (Some(_), Some(why)) = (here.host, self.scheduler.unreachable(scope)) {
            return Err(Complaint::Unreachable(why.to_owned()));
        }
        let label = self.store.items.label(&self.plan, instance);
        let target = self.target_at(here.host, &place)?;
        let spec = command::question(label, &place, here, script, &self.around)?;
        Ok((Question { spec, by_code: true }, target))
    }

    /// What conditions came to.
    pub(super) fn passed(&mut self, scope: ScopeId, purpose: Purpose, holds: Result<bool, Complaint>) {
        let remembered = self.plan.scope(scope).memory == Memory::Whole;
        match (purpose, holds) {
            (Purpose::Keep, holds) => self.settle_if(scope, holds.map_err(|why| why.to_string())),
            (Purpose::Enter, Ok(true)) if remembered => self.look_up(scope),
            (Purpose::Enter, Ok(true)) => self.feed(Input::Probed(scope, Ok(Answer::Run))),
            (Purpose::Enter, Ok(false)) => self.feed(Input::Probed(scope, Ok(Answer::Pass))),
            (Purpose::Enter, Err(why)) => self.feed(Input::Probed(scope, Err(why))),
        }
    }

    /// Asks for the first `let` that these names need and that has no value yet, unless that is being done; whether
    /// there is one to wait for.
    pub(super) fn wait_for_let(&mut self, instance: InstanceId, names: &[Arc<str>], waiter: Waiter) -> bool {
        if !self.asks {
            return false;
        }
        let plan = self.plan.clone();
        let Some(wanted) = lets::missing(&plan, instance, names, &self.store) else { return false };
        match lets::spec(&plan, &wanted, &self.around, &self.store) {
            Ok(spec) => {
                if let Some(job) = self.questions.for_let(wanted.file, wanted.name, waiter) {
                    self.ask(job, Question { spec, by_code: false }, self.target.clone());
                }
            }
            Err(why) => self.without(waiter, &self.what(wanted.file, &wanted.name), &why),
        }
        true
    }

    fn ask(&mut self, job: JobId, question: Question, target: Rc<dyn Target>) {
        tokio::task::spawn_local(probe::ask(question, target, job, self.news_tx.clone()));
    }

    /// What is asked of a scope is of no use any more.
    pub(super) fn unask(&mut self, scope: ScopeId, signal: Signal) {
        if self.keeper.waits_no_more(scope, None) {
            self.feed(Input::Probed(scope, Ok(Answer::Pass)));
        }
        if let Left::Alone(waiter) = self.questions.end(Who::Scope(scope), signal) {
            self.gave_up(waiter);
        }
    }

    /// One who shall end waits no more for a value that others still want.
    pub(super) fn gave_up(&mut self, waiter: Waiter) {
        match waiter {
            Waiter::Job(start) => {
                self.mailboxes.remove(&start.id);
                let why = NotStarted::Failed("it was ended before".to_owned());
                self.feed(Input::Ended(start.id, JobEnd::plain(Outcome::NotStarted(why))));
            }
            Waiter::Conditions(scope, purpose) => self.passed(scope, purpose, Ok(false)),
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
            Waiting::Let { file, name } => match said.and_then(|said| Ok(self.learn(file, &name, said)?)) {
                Ok(()) => waiters.into_iter().for_each(|waiter| self.go_on(waiter)),
                Err(why) => {
                    let what = self.what(file, &name);
                    waiters.into_iter().for_each(|waiter| self.without(waiter, &what, &why.to_string()));
                }
            },
        }
    }

    /// A value of a file is there.
    fn learn(&mut self, file: FileId, name: &Arc<str>, said: (i32, Vec<u8>)) -> Result<(), String> {
        if lets::is_secret(&self.plan, file, name) {
            return self.store.secrets.learn(file, name.clone(), said.1);
        }
        let value = probe::let_value(said)?;
        lets::keep(&mut self.store, &self.plan, &self.around, file, name.clone(), value);
        Ok(())
    }

    /// What a value of a file is, as it is written.
    fn what(&self, file: FileId, name: &str) -> String {
        let word = if lets::is_secret(&self.plan, file, name) { "secret" } else { "let" };
        format!("{word} {name}")
    }

    fn go_on(&mut self, waiter: Waiter) {
        match waiter {
            Waiter::Job(start) => self.start(start.id, start.leaf, start.attempt, start.waits),
            Waiter::Conditions(scope, purpose) => self.look_at(scope, purpose),
            Waiter::Scope(scope) => self.look_up(scope),
        }
    }

    /// The value that someone waits for cannot be had.
    fn without(&mut self, waiter: Waiter, what: &str, why: &str) {
        let bad = format!("`{what}`: {why}");
        match waiter {
            Waiter::Job(start) => {
                self.mailboxes.remove(&start.id);
                let mut end = JobEnd::plain(Outcome::NotStarted(NotStarted::Failed(why.to_owned())));
                end.bad_value = Some(bad);
                self.feed(Input::Ended(start.id, end));
            }
            Waiter::Conditions(scope, purpose) => self.passed(scope, purpose, Err(bad.into())),
            Waiter::Scope(scope) => self.feed(Input::Probed(scope, Err(bad.into()))),
        }
    }
}
