//! Scopes that are to be asked about, drawn from one queue by the threads of the cache: where ten thousand begin at once,
//! a thread that is woken for each one costs more than the question, and one that takes long must hold nobody up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use crate::cache::state::State;
use crate::cache::task::{Fresh, Task};
use crate::plan::ids::ScopeId;
use crate::run::keep::Told;

/// Who answers, on threads of its own.
pub(super) trait Look<T>: Send + Sync + 'static {
    /// So many questions at once.
    fn width(&self) -> usize;
    /// Does something on one of the threads.
    fn spawn(&self, work: Box<dyn FnOnce() + Send>);
    /// What it had left that need not run.
    fn probe(&self, of: &T) -> Result<Option<Fresh>, String>;
}

impl Look<Arc<Task>> for State {
    fn width(&self) -> usize {
        State::width(self)
    }

    fn spawn(&self, work: Box<dyn FnOnce() + Send>) {
        State::spawn(self, work);
    }

    fn probe(&self, of: &Arc<Task>) -> Result<Option<Fresh>, String> {
        State::probe(self, of)
    }
}

/// Those who have not been asked about yet.
type Queue<T> = Arc<Mutex<VecDeque<(ScopeId, T)>>>;

/// Asks about all of these, the first first.
pub(super) fn ask<T, L>(look: &Arc<L>, scopes: Vec<(ScopeId, T)>, told: &UnboundedSender<Told>)
where
    T: Send + 'static,
    L: Look<T>,
{
    let threads = scopes.len().min(look.width());
    let queue: Queue<T> = Arc::new(Mutex::new(scopes.into()));
    for _ in 0..threads {
        draw(look, &queue, told);
    }
}

/// One thread, for as long as there is anything.
fn draw<T: Send + 'static, L: Look<T>>(look: &Arc<L>, queue: &Queue<T>, told: &UnboundedSender<Told>) {
    let (own, queue, told) = (look.clone(), queue.clone(), told.clone());
    look.spawn(Box::new(move || {
        // Not in the condition of the loop, where the queue would stay locked for as long as the question takes.
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        while let Some((scope, of)) = next() {
            let lost = Lost(Some(|| {
                answer(&told, scope, Err("xec lost track of what it reads".to_owned()));
                draw(&own, &queue, &told);
            }));
            let found = own.probe(&of);
            lost.forget();
            answer(&told, scope, found);
        }
    }));
}

fn answer(told: &UnboundedSender<Told>, scope: ScopeId, found: Result<Option<Fresh>, String>) {
    let _ = told.send(Told::Probed(scope, found)); // Without a dispatcher there is nobody to be told.
}

/// What is done if a thread does not come back: each scope gets an answer, and those behind it theirs.
struct Lost<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Lost<F> {
    fn forget(mut self) {
        self.0 = None;
    }
}

impl<F: FnOnce()> Drop for Lost<F> {
    fn drop(&mut self) {
        if let Some(act) = self.0.take() {
            act();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    /// Two threads that answer the even at once, panic at 5, and the other odd once they may.
    struct Slow(Mutex<Receiver<()>>);

    impl Look<u32> for Slow {
        fn width(&self) -> usize {
            2
        }

        fn spawn(&self, work: Box<dyn FnOnce() + Send>) {
            std::thread::spawn(work);
        }

        fn probe(&self, of: &u32) -> Result<Option<Fresh>, String> {
            match of {
                5 => panic!("at five"),
                odd if odd % 2 == 1 => self.0.lock().unwrap().recv().unwrap(),
                _ => {}
            }
            Ok(None)
        }
    }

    fn next(heard: &mut UnboundedReceiver<Told>) -> (u32, bool) {
        match heard.blocking_recv() {
            Some(Told::Probed(scope, found)) => (scope.0, found.is_ok()),
            _ => panic!("no answer"),
        }
    }

    #[test]
    fn one_that_takes_long_holds_nobody_up_and_each_gets_one_answer() {
        let (go, may) = channel();
        let (told, mut heard) = unbounded_channel();
        let scopes = [0, 1, 2, 4, 5, 6].map(|number| (ScopeId(number), number)).into();
        ask(&Arc::new(Slow(Mutex::new(may))), scopes, &told);
        let mut all: Vec<(u32, bool)> = (0..5).map(|_| next(&mut heard)).collect();
        all.sort_unstable();
        assert_eq!(all, [(0, true), (2, true), (4, true), (5, false), (6, true)], "while the question of 1 is open");
        go.send(()).unwrap();
        assert_eq!(next(&mut heard), (1, true));
    }
}
