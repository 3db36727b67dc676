//! The questions that are being asked while a run goes on: what for, and who waits for the answer. Knows no scripts.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::event::{JobId, Waits};
use crate::exec::Signal;
use crate::plan::ids::{LeafId, ScopeId};
use crate::run::job::{Control, Mailbox};
use crate::run::probe::Probe;
use crate::xecfile::model::FileId;

/// A job that waits for a `let`.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Its name.
    pub id: JobId,
    /// What it does.
    pub leaf: LeafId,
    /// Counted from 1.
    pub attempt: u32,
    /// What it waited for before.
    pub waits: Waits,
}

/// Who waits for a `let`.
#[derive(Clone, Copy, Debug)]
pub enum Waiter {
    /// A job that names it.
    Job(Start),
    /// A scope whose conditions name it.
    Conditions(ScopeId, Purpose),
    /// A scope of which it is asked whether it is up to date.
    Scope(ScopeId),
}

/// The name of one who waits. Each waits for one answer at a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Who {
    /// A job.
    Job(JobId),
    /// A scope.
    Scope(ScopeId),
}

impl Waiter {
    fn who(&self) -> Who {
        match self {
            Waiter::Job(start) => Who::Job(start.id),
            Waiter::Conditions(scope, _) | Waiter::Scope(scope) => Who::Scope(*scope),
        }
    }
}

/// What the conditions of a scope are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Whether it has to run.
    Enter,
    /// Whether what it made is kept.
    Keep,
}

/// What an answer is for.
pub enum Waiting {
    /// A `let` of a file.
    Let {
        /// Which file.
        file: FileId,
        /// Its name.
        name: Arc<str>,
    },
    /// A line of a scope's conditions.
    Probe {
        /// Which scope.
        scope: ScopeId,
        /// What for.
        purpose: Purpose,
        /// What is known so far.
        probe: Probe,
        /// Which condition.
        condition: usize,
        /// Which of its lines.
        line: usize,
    },
}

struct Asking {
    waiting: Waiting,
    waiters: Vec<Waiter>,
    mailbox: Mailbox,
}

/// What became of a signal to one who may wait for an answer.
#[derive(Clone, Copy, Debug)]
pub enum Left {
    /// It waits for none.
    Nothing,
    /// Nobody else waits: who is asked was sent the signal, and will answer.
    Sent,
    /// Others want the answer too: this one waits no more.
    Alone(Waiter),
}

/// The questions that are being asked. Their names are those of jobs, counted from the other end.
#[derive(Default)]
pub struct Questions {
    open: HashMap<JobId, Asking>,
    /// Which question each of them waits for.
    places: HashMap<Who, JobId>,
    lets: HashMap<(FileId, Arc<str>), JobId>,
    asked: u64,
}

impl Questions {
    /// A new one about a line of conditions.
    pub fn probe(&mut self, scope: ScopeId, purpose: Purpose, probe: Probe, condition: usize, line: usize) -> JobId {
        let job = self.next(Waiting::Probe { scope, purpose, probe, condition, line }, Vec::new());
        self.places.insert(Who::Scope(scope), job);
        job
    }

    /// One more waits for the value of a `let`; a new question, if nobody asks for that already.
    pub fn for_let(&mut self, file: FileId, name: Arc<str>, waiter: Waiter) -> Option<JobId> {
        let key = (file, name);
        if let Some(job) = self.lets.get(&key).copied() {
            if let Some(asking) = self.open.get_mut(&job) {
                asking.waiters.push(waiter);
            }
            self.places.insert(waiter.who(), job);
            return None;
        }
        let job = self.next(Waiting::Let { file, name: key.1.clone() }, vec![waiter]);
        self.places.insert(waiter.who(), job);
        self.lets.insert(key, job);
        Some(job)
    }

    fn next(&mut self, waiting: Waiting, waiters: Vec<Waiter>) -> JobId {
        self.asked += 1;
        let job = JobId(u64::MAX - self.asked);
        self.open.insert(job, Asking { waiting, waiters, mailbox: Mailbox::default() });
        job
    }

    /// Its process runs.
    pub fn started(&mut self, job: JobId, control: Control) {
        if let Some(asking) = self.open.get_mut(&job) {
            asking.mailbox.open(control);
        }
    }

    /// It was answered: what for, and who waited.
    pub fn answered(&mut self, job: JobId) -> Option<(Waiting, Vec<Waiter>)> {
        let Asking { waiting, waiters, .. } = self.open.remove(&job)?;
        match &waiting {
            Waiting::Let { file, name } => drop(self.lets.remove(&(*file, name.clone()))),
            Waiting::Probe { scope, .. } => drop(self.places.remove(&Who::Scope(*scope))),
        }
        for waiter in &waiters {
            self.places.remove(&waiter.who());
        }
        Some((waiting, waiters))
    }

    /// One who may wait for an answer shall end: so shall who is asked, unless others wait for the same.
    pub fn end(&mut self, who: Who, signal: Signal) -> Left {
        let Some(asking) = self.places.get(&who).and_then(|job| self.open.get_mut(job)) else { return Left::Nothing };
        if asking.waiters.len() < 2 {
            asking.mailbox.send(signal);
            return Left::Sent;
        }
        let Some(at) = asking.waiters.iter().position(|waiter| waiter.who() == who) else { return Left::Nothing };
        self.places.remove(&who);
        Left::Alone(asking.waiters.swap_remove(at))
    }

    /// Something is sent to all who are asked.
    pub fn signal_all(&mut self, signal: Signal) {
        self.open.values_mut().for_each(|asking| asking.mailbox.send(signal));
    }

    /// Whether nothing is being asked.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}
