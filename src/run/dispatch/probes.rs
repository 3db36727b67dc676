//! Scopes that are to be asked about, handed to the threads of the cache in pieces: where ten thousand begin at once,
//! a thread that is woken for each one costs more than the question.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use crate::cache::state::State;
use crate::cache::task::{Fresh, Task};
use crate::plan::ids::ScopeId;
use crate::run::keep::Told;

/// What is known of a scope that was asked about.
pub(super) type Probed = (ScopeId, Result<Option<Fresh>, String>);

/// So many are one piece, at most.
const MOST: usize = 32;

/// So many pieces there are for each thread, if there are enough scopes: one that takes long holds nobody up for long.
const PIECES: usize = 4;

/// No answer waits longer for others.
const PATIENCE: Duration = Duration::from_millis(1);

/// Asks about all of these.
pub(super) fn ask(state: &Arc<State>, mut scopes: Vec<(ScopeId, Arc<Task>)>, told: &UnboundedSender<Told>) {
    let size = (scopes.len() / (PIECES * state.width())).clamp(1, MOST);
    while !scopes.is_empty() {
        // The first first.
        let rest = scopes.split_off(size.min(scopes.len()));
        let piece = std::mem::replace(&mut scopes, rest);
        let (own, told) = (state.clone(), told.clone());
        state.spawn(move || {
            let waiting = piece.iter().rev().map(|(scope, _)| *scope).collect();
            let mut answers = Answers { told, waiting, ready: Vec::new(), since: Instant::now() };
            piece.into_iter().for_each(|(scope, task)| answers.add(scope, own.probe(&task)));
        });
    }
}

/// Answers on their way. Whatever becomes of the thread, each scope gets one.
struct Answers {
    told: UnboundedSender<Told>,
    /// Those that have none yet, the next one last.
    waiting: Vec<ScopeId>,
    ready: Vec<Probed>,
    since: Instant,
}

impl Answers {
    fn add(&mut self, scope: ScopeId, answer: Result<Option<Fresh>, String>) {
        self.waiting.pop();
        self.ready.push((scope, answer));
        if self.since.elapsed() > PATIENCE {
            self.send();
        }
    }

    fn send(&mut self) {
        // Without a dispatcher there is nobody to be told.
        let _ = self.told.send(Told::Probed(std::mem::take(&mut self.ready)));
        self.since = Instant::now();
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        let lost = |scope| (scope, Err("xec lost track of what it reads".to_owned()));
        self.ready.extend(self.waiting.drain(..).rev().map(lost));
        self.send();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn whatever_becomes_of_the_thread_each_scope_gets_one_answer() {
        let (told, mut heard) = unbounded_channel();
        let waiting = (0..4).rev().map(ScopeId).collect();
        let mut answers = Answers { told, waiting, ready: Vec::new(), since: Instant::now() };
        answers.add(ScopeId(0), Ok(None));
        answers.since -= 2 * PATIENCE;
        answers.add(ScopeId(1), Ok(None));
        drop(answers);
        let mut all = Vec::new();
        while let Ok(Told::Probed(some)) = heard.try_recv() {
            all.push(some);
        }
        let went =
            |some: &Vec<Probed>| some.iter().map(|(scope, answer)| (scope.0, answer.is_ok())).collect::<Vec<_>>();
        assert_eq!(all.iter().map(went).collect::<Vec<_>>(), [[(0, true), (1, true)], [(2, false), (3, false)]]);
    }
}
