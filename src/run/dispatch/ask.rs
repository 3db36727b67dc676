//! Questions of a run: the conditions of scopes, and `let`s.

use std::sync::Arc;

use crate::base::command::{NotStarted, Outcome};
use crate::base::event::JobId;
use crate::plan::defs::Conditions;
use crate::plan::graph::{Guard, ScopeKind};
use crate::plan::ids::{InstanceId, ScopeId};
use crate::run::command;
use crate::run::dispatch::Loop;
use crate::run::job::News;
use crate::run::lets;
use crate::run::place::Here;
use crate::run::probe::{self, Probe, Question, Said, Waiter, Waiting};
use crate::run::scheduler::{Answer, Input, JobEnd};
use crate::xecfile::model::FileId;

impl Loop {
    /// Asks whether a scope has to run, once every `let` that its conditions name has its value.
    pub(super) fn probe(&mut self, scope: ScopeId) {
        let (plan, around) = (self.plan.clone(), self.around.clone());
        let (Guard::Ask(conditions), Some(instance)) = (&plan.scope(scope).guard, self.plan.instance_for(scope)) else {
            return self.feed(Input::Probed(scope, Ok(Answer::Run)));
        };
        if self.wait_for_let(instance, &conditions.value_names(), Waiter::Scope(scope)) {
            return;
        }
        self.store.make_inputs(&plan, &around, instance);
        let enter = plan.scope(scope).enter;
        let seen = self.store.scope(&plan, &around, instance).seen_from(enter);
        let taken = matches!(plan.scope(scope).kind, ScopeKind::Instance(_)).then(|| seen.lacking()).flatten();
        if let Some(take) = taken {
            return self.feed(Input::Probed(scope, Ok(Answer::Lacks(take))));
        }
        let looked = match conditions.all.is_empty() {
            true => Probe::look(&conditions.all, None),
            false => Here::new(&plan, &conditions.place, &around, seen)
                .and_then(|here| Probe::look(&conditions.all, Some(&here))),
        };
        match looked {
            Ok(probe) => self.probe_on(scope, probe),
            Err(why) => self.feed(Input::Probed(scope, Err(why))),
        }
    }

    /// The next script, if there is one, is asked when the last has answered.
    fn probe_on(&mut self, scope: ScopeId, probe: Probe) {
        let Some((condition, line, script)) = probe.next() else {
            let answer = if probe.answer().unwrap_or(true) { Answer::Run } else { Answer::Pass };
            return self.feed(Input::Probed(scope, Ok(answer)));
        };
        let plan = self.plan.clone();
        let Guard::Ask(conditions) = &plan.scope(scope).guard else { return };
        match self.question(scope, conditions, &script) {
            Ok(question) => {
                let job = self.questions.next(Waiting::Probe { scope, probe, condition, line }, None);
                self.ask(job, question);
            }
            Err(why) => self.feed(Input::Probed(scope, Err(why))),
        }
    }

    fn question(&self, scope: ScopeId, conditions: &Conditions, script: &Arc<str>) -> Result<Question, String> {
        let instance = self.plan.instance_for(scope).ok_or("nobody asks")?;
        let seen = self.store.scope(&self.plan, &self.around, instance).seen_from(self.plan.scope(scope).enter);
        let here = Here::new(&self.plan, &conditions.place, &self.around, seen)?;
        let spec = command::question(&self.plan, instance, &conditions.place, here, script, &self.around)?;
        Ok(Question { spec, by_code: true })
    }

    /// Asks for the first `let` that these names need and that has no value yet, unless that is being done; whether
    /// there is one to wait for.
    pub(super) fn wait_for_let(&mut self, instance: InstanceId, names: &[Arc<str>], waiter: Waiter) -> bool {
        let plan = self.plan.clone();
        let known = |file: FileId, name: &str| self.store.has_let(file, name);
        let Some((file, name, script)) = lets::missing(&plan, instance, names, known) else { return false };
        let waiting = Waiting::Let { file, name };
        if self.questions.join(&waiting, waiter) {
            return true;
        }
        let spec = lets::spec(&plan, file, &script, &self.around, &self.store);
        let job = self.questions.next(waiting, Some(waiter));
        self.ask(job, Question { spec, by_code: false });
        true
    }

    fn ask(&mut self, job: JobId, question: Question) {
        let (target, news) = (self.target.clone(), self.news_tx.clone());
        tokio::task::spawn_local(async move {
            let said = probe::ask(question, target, job, &news).await;
            // Without a dispatcher there is no run.
            let _ = news.send(News::Answered(job, said));
        });
    }

    pub(super) fn answered(&mut self, job: JobId, said: Said) {
        let Some((waiting, waiters)) = self.questions.answered(job) else { return };
        match waiting {
            Waiting::Probe { scope, mut probe, condition, line } => match said {
                Ok((code, _)) => {
                    probe.set(condition, line, code == 0);
                    self.probe_on(scope, probe);
                }
                Err(why) => self.feed(Input::Probed(scope, Err(why))),
            },
            Waiting::Let { file, name } => match said.and_then(probe::let_value) {
                Ok(value) => {
                    lets::keep(&mut self.store, &self.plan, &self.around, file, name, value);
                    waiters.into_iter().for_each(|waiter| self.go_on(waiter));
                }
                Err(why) => waiters.into_iter().for_each(|waiter| self.without(waiter, &name, &why)),
            },
        }
    }

    fn go_on(&mut self, waiter: Waiter) {
        match waiter {
            Waiter::Job(start) => self.start(start.id, start.leaf, start.attempt, start.waits),
            Waiter::Scope(scope) => self.probe(scope),
        }
    }

    /// The value that someone waits for cannot be had.
    fn without(&mut self, waiter: Waiter, name: &str, why: &str) {
        let bad = format!("`let {name}`: {why}");
        match waiter {
            Waiter::Job(start) => {
                self.controls.remove(&start.id);
                let mut end = JobEnd::plain(Outcome::NotStarted(NotStarted::Failed(why.to_owned())));
                end.bad_value = Some(bad);
                self.feed(Input::Ended(start.id, end));
            }
            Waiter::Scope(scope) => self.feed(Input::Probed(scope, Err(bad))),
        }
    }
}
