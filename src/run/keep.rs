//! What a run knows of tasks that are remembered: who is being asked about, who holds a lock, what each one made,
//! and what it writes. The dispatcher owns it, and asks the cache by it.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek as _, Write as _};
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use crate::base::event::{JobId, Stream};
use crate::cache::digest::{Digest, Mixer};
use crate::cache::key::{Entry, Kind};
use crate::cache::ledger::Id;
use crate::cache::state::{Spool, State};
use crate::cache::task::{Begun, Claimed, Fresh, Product, Settled, Task};
use crate::exec::output::Tap;
use crate::plan::graph::{Guard, Plan, Scope};
use crate::plan::ids::{InstanceId, LeafId, ScopeId};
use crate::run::facts;
use crate::run::scheduler::Closing;

/// The first name of a replay: far from those of jobs, and a number that every reader of JSON can hold.
const FIRST_REPLAY: u64 = 1 << 48;
/// So many logs are open at once.
const REPLAYS: usize = 16;

/// The state of a project, or why there is none.
#[derive(Clone, Debug)]
pub enum Memory {
    /// It is here.
    Here(Arc<State>),
    /// There is none, and that has been told.
    None,
}

/// An answer of the cache.
#[derive(Debug)]
pub enum Told {
    /// What scopes had left that need not run; `None` for those that have to.
    Probed(ScopeId, Result<Option<Fresh>, String>),
    /// Whether a scope still has to run that begins now.
    Claimed(ScopeId, Result<Claimed, String>),
    /// The other xec is done that ran a scope, or gone. Who waited for that has this number.
    Free(ScopeId, u64),
    /// What a task wrote has been shown.
    Replayed {
        /// Whose.
        scope: ScopeId,
        /// Its name.
        job: JobId,
        /// Whether something was brought back.
        restored: bool,
    },
    /// What files a condition of a scope asks about hold now.
    Seen(ScopeId, Result<Digest, String>),
    /// What a scope made is known and remembered.
    Settled(ScopeId, Settled),
}

/// A task that has succeeded.
#[derive(Debug)]
pub struct Taken {
    /// What it was asked by.
    pub task: Arc<Task>,
    /// What was found before it ran.
    pub begun: Option<Begun>,
    /// What it wrote, or why that is not known.
    pub log: Result<Option<Spool>, String>,
}

/// A task that is being asked about, or runs.
#[derive(Debug)]
pub struct Held {
    /// What it is asked by.
    pub task: Arc<Task>,
    /// What was found, once it has to run.
    pub begun: Option<Begun>,
    /// What it writes.
    pub log: Option<Log>,
    /// That another xec runs it has been told.
    pub told: bool,
    /// What is to be done before it is asked about once more.
    pub first: Option<First>,
}

/// What comes before the next question about a task that could not begin.
#[derive(Debug)]
pub enum First {
    /// Another xec runs it: wait for that.
    Wait,
    /// There was no room for it: wait a little.
    Pause,
    /// It need not run: that is the answer.
    Fresh(Fresh),
}

/// What a task writes, in the order in which it comes: pieces, each with its stream and length. After an error, why
/// nothing is kept: half of it would be no log.
#[derive(Clone, Debug)]
pub struct Log(Arc<Mutex<Result<Spool, String>>>);

impl Log {
    /// Into this place.
    pub fn new(place: Spool) -> Self {
        Self(Arc::new(Mutex::new(Ok(place))))
    }

    /// What hands pieces to it.
    pub fn tap(&self) -> Tap {
        let place = self.0.clone();
        Tap::new(move |stream, bytes| {
            let Ok(mut file) = place.lock() else { return };
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
            let head = [&[u8::from(stream == Stream::Stderr)][..], &length].concat();
            let written = file.as_mut().map(|file| file.write_all(&head).and_then(|()| file.write_all(bytes)));
            if let Ok(Err(why)) = written {
                *file = Err(why.to_string());
            }
        })
    }

    /// All that was written; nothing more is, from here on. `None` if that was nothing.
    ///
    /// # Errors
    /// It could not be written.
    fn take(&self) -> Result<Option<Spool>, String> {
        let over = Err("it is over".to_owned());
        let place = self.0.lock().map(|mut place| std::mem::replace(&mut *place, over));
        let mut place = place.unwrap_or_else(|_| Err("a part of it was lost".to_owned()))?;
        let length = place.stream_position().and_then(|length| place.rewind().map(|()| length));
        length.map(|length| (length > 0).then_some(place)).map_err(|why| why.to_string())
    }
}

/// The pieces of a log, up to where it can be read.
pub fn pieces(mut log: impl Read) -> impl Iterator<Item = (Stream, Vec<u8>)> {
    std::iter::from_fn(move || {
        let mut head = [0; 5];
        log.read_exact(&mut head).ok()?;
        let [kind, length @ ..] = head;
        let length = u64::from(u32::from_le_bytes(length));
        let mut piece = Vec::new();
        log.by_ref().take(length).read_to_end(&mut piece).ok()?;
        let stream = if kind == 0 { Stream::Stdout } else { Stream::Stderr };
        (piece.len() as u64 == length).then_some((stream, piece))
    })
}

/// All of it.
pub struct Keeper {
    memory: Memory,
    held: HashMap<InstanceId, Held>,
    needs: HashMap<InstanceId, Vec<InstanceId>>,
    /// What each instance made, or what those made that it only gathers.
    made: HashMap<InstanceId, Digest>,
    /// The same, of those that made it themselves.
    products: HashMap<InstanceId, Arc<Product>>,
    /// What conditions have seen, until the instance succeeds.
    seen: HashMap<InstanceId, Vec<(Id, Digest)>>,
    /// Who waits for another xec, by the number of its wait.
    waits: HashMap<ScopeId, u64>,
    waited: u64,
    replays: u64,
    replaying: Arc<Semaphore>,
    /// Those that run, up to date or not.
    forced: HashSet<InstanceId>,
}

impl Keeper {
    /// For a plan; what was asked for is never up to date if `force`.
    pub fn new(plan: &Plan, memory: Memory, force: bool) -> Self {
        let wanted = matches!(memory, Memory::Here(_)) && is_wanted(plan);
        let needs = if wanted { facts::needs(plan) } else { HashMap::new() };
        let requested = plan.links.iter().filter(|link| force && link.from.is_none()).map(|link| link.to);
        let (held, made, products, seen) = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        let forced = requested.collect();
        let replaying = Arc::new(Semaphore::new(REPLAYS));
        let (waits, waited, replays) = (HashMap::new(), 0, FIRST_REPLAY);
        Self { memory, held, needs, made, products, seen, waits, waited, replays, replaying, forced }
    }

    /// The state, where there is one.
    pub fn state(&self) -> Option<Arc<State>> {
        match &self.memory {
            Memory::Here(state) => Some(state.clone()),
            Memory::None => None,
        }
    }

    /// Whether it runs, up to date or not.
    pub fn is_forced(&self, id: InstanceId) -> bool {
        self.forced.contains(&id)
    }

    /// What others made that an instance needs, as facts.
    pub fn needed(&self, plan: &Plan, id: InstanceId) -> Vec<Entry> {
        let needs = self.needs.get(&id).into_iter().flatten();
        let made = |id: &InstanceId| {
            let name = plan.instance(*id).label.instance.as_bytes();
            self.made.get(id).map(|made| Entry::digest(Kind::Needed, name, *made))
        };
        needs.filter_map(made).collect()
    }

    /// An instance is asked about.
    pub fn hold(&mut self, id: InstanceId, task: Arc<Task>) {
        let told = self.held.get(&id).is_some_and(|held| held.told);
        self.held.insert(id, Held { task, begun: None, log: None, told, first: None });
    }

    /// A scope waits for another xec, under this number.
    pub fn waits(&mut self, scope: ScopeId) -> u64 {
        self.waited += 1;
        self.waits.insert(scope, self.waited);
        self.waited
    }

    /// Whether a scope waits for another xec, and under this number if one is given; then it does so no more.
    pub fn waits_no_more(&mut self, scope: ScopeId, number: Option<u64>) -> bool {
        let is = self.waits.get(&scope).is_some_and(|wait| number.is_none_or(|number| number == *wait));
        is && self.waits.remove(&scope).is_some()
    }

    /// One that is asked about, or runs.
    pub fn held(&mut self, id: InstanceId) -> Option<&mut Held> {
        self.held.get_mut(&id)
    }

    /// What an instance made is known.
    pub fn made(&mut self, id: InstanceId, made: Arc<Product>) {
        self.made.insert(id, made.digest());
        self.products.insert(id, made);
    }

    /// What an instance needs that is there as files, with the names of those who made it. Who only gathers stands
    /// for what it needs.
    pub fn products(&self, plan: &Plan, id: InstanceId) -> Vec<(String, Arc<Product>)> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        let mut ahead: Vec<InstanceId> = self.needs.get(&id).cloned().unwrap_or_default();
        while let Some(id) = ahead.pop() {
            if !seen.insert(id) {
                continue;
            }
            match self.products.get(&id) {
                Some(made) if made.is_empty() => {}
                Some(made) => found.push((plan.instance(id).label.instance.to_string(), made.clone())),
                None => ahead.extend(self.needs.get(&id).into_iter().flatten()),
            }
        }
        found
    }

    /// It runs, whatever is known of it.
    pub fn force(&mut self, id: InstanceId) {
        self.forced.insert(id);
    }

    /// Who holds a part of this may have a log open.
    pub fn replaying(&self) -> Arc<Semaphore> {
        self.replaying.clone()
    }

    /// A condition has seen this.
    pub fn saw(&mut self, id: InstanceId, what: Id, digest: Digest) {
        let seen = self.seen.entry(id).or_default();
        seen.retain(|(before, _)| *before != what);
        seen.push((what, digest));
    }

    /// What its conditions have seen, now that it has succeeded.
    pub fn take_seen(&mut self, id: InstanceId) -> Vec<(Id, Digest)> {
        self.seen.remove(&id).unwrap_or_default()
    }

    /// What is handed to the cache when it has succeeded.
    pub fn take(&mut self, id: InstanceId) -> Option<Taken> {
        let held = self.held.get_mut(&id)?;
        let log = held.log.take().map_or(Ok(None), |log| log.take());
        Some(Taken { task: held.task.clone(), begun: held.begun.take(), log })
    }

    /// An attempt of an instance is over. After the last one its lock is free, and where it makes nothing itself, it
    /// stands for what it needs.
    pub fn close(&mut self, id: InstanceId, closing: Closing) {
        if closing == Closing::Again {
            // Only what the last attempt writes is shown once more, and only what it saw counts.
            if let (Some(state), Some(held)) = (self.state(), self.held.get_mut(&id)) {
                held.log = held.log.take().map(|_| Log::new(state.new_log()));
            }
            return;
        }
        self.held.remove(&id);
        self.seen.remove(&id);
        if self.made.contains_key(&id) {
            return;
        }
        let Some(needs) = self.needs.get(&id) else { return };
        let mut mixer = Mixer::default();
        for made in needs.iter().filter_map(|id| self.made.get(id)) {
            mixer.add(made.as_bytes());
        }
        self.made.insert(id, mixer.finish());
    }

    /// Who wants to have what a leaf writes: all that are remembered around it, unless it only follows them.
    pub fn taps(&self, plan: &Plan, leaf: LeafId) -> Vec<Tap> {
        if self.held.is_empty() {
            return Vec::new();
        }
        let mut taps = Vec::new();
        let mut at = Some(plan.leaf(leaf).scope);
        while let Some(id) = at {
            let scope = plan.scope(id);
            if scope.is_hook {
                // What it follows is over; what is around that is not.
                at = scope.parent.and_then(|followed| plan.scope(followed).parent);
                continue;
            }
            if let Some(instance) = scope.instance() {
                taps.extend(self.held.get(&instance).and_then(|held| held.log.as_ref()).map(Log::tap));
            }
            at = scope.parent;
        }
        taps
    }

    /// A name for what is shown once more.
    pub fn next_replay(&mut self) -> JobId {
        self.replays += 1;
        JobId(self.replays)
    }
}

/// Whether anything in a plan is remembered beyond the run.
pub fn is_wanted(plan: &Plan) -> bool {
    use crate::plan::graph::Memory::{Seen, Whole};
    let asks = |scope: &Scope| {
        matches!(scope.memory, Whole | Seen) || matches!(&scope.guard, Guard::Ask(asked) if asked.ask_changed())
    };
    plan.scopes.iter().any(asks)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_log_gives_back_what_it_took() {
        let log = Log::new(Spool::new(8));
        let tap = log.tap();
        for (stream, bytes) in [(Stream::Stdout, &b"one\n"[..]), (Stream::Stderr, b""), (Stream::Stderr, b"\xff")] {
            tap.give(stream, bytes);
        }
        let mut bytes = Vec::new();
        log.take().unwrap().unwrap().read_to_end(&mut bytes).unwrap();
        let all: Vec<_> = pieces(&bytes[..]).collect();
        let said = [(Stream::Stdout, &b"one\n"[..]), (Stream::Stderr, b""), (Stream::Stderr, b"\xff")];
        assert_eq!(all, said.map(|(stream, bytes)| (stream, bytes.to_vec())));
        for cut in 0..bytes.len() {
            assert!(pieces(&bytes[..cut]).count() < 3);
        }
    }
}
