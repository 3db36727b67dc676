//! Scripts that share shells: a place in front of another place. In a session, what one script sets is there for the
//! next one; a pool keeps shells that have been started, and each script runs in a fork of one. A script is still a
//! command: it has streams of its own, ends by its own exit code, and is ended like any (and the shell with it).

mod afar;
mod keeper;
mod shell;

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::oneshot;

use rustc_hash::FxHashMap;

use crate::base::command::{CommandSpec, NotStarted, Outcome, Program, Share, Sink, Stdin};
use crate::exec::shells::afar::Afar;
use crate::exec::shells::shell::{Mode, Shell};
use crate::exec::words::plain_words;
use crate::exec::{JobCx, LocalFuture, Running, Target};

/// A place whose scripts may share shells.
pub struct Shells {
    inner: Rc<dyn Target>,
    sessions: RefCell<FxHashMap<u64, Shell>>,
    /// Those on hosts, and as other users: by place, too.
    afar: RefCell<FxHashMap<(u64, Rc<str>), Afar>>,
    pools: Rc<RefCell<Pools>>,
    /// The ends of those that are closed.
    closing: RefCell<Vec<oneshot::Receiver<()>>>,
}

/// The shells of each kind, by their words.
type Pools = HashMap<Arc<[OsString]>, Kept>;

#[derive(Default)]
struct Kept {
    /// Those that have nothing to do.
    idle: Vec<Shell>,
    /// How many are at work.
    busy: u32,
}

impl Shells {
    /// In front of this place.
    pub fn new(inner: Rc<dyn Target>) -> Self {
        Self {
            inner,
            sessions: RefCell::default(),
            afar: RefCell::default(),
            pools: Rc::default(),
            closing: RefCell::default(),
        }
    }

    /// Nothing more comes for a session: its shell ends.
    pub fn close(&self, session: u64) {
        if let Some(shell) = self.sessions.borrow_mut().remove(&session) {
            self.closing.borrow_mut().push(shell.close());
        }
        let mut afar = self.afar.borrow_mut();
        if !afar.is_empty() {
            let ended = afar.extract_if(|(id, _), _| *id == session).map(|(_, shell)| shell.close());
            self.closing.borrow_mut().extend(ended);
        }
    }

    /// The same for a session at another place, which is called so.
    pub fn elsewhere(self: &Rc<Self>, place: &str, inner: Rc<dyn Target>) -> Rc<dyn Target> {
        Rc::new(Elsewhere { shells: self.clone(), place: place.into(), inner })
    }

    /// Closes all, and waits until they have ended.
    pub async fn finish(&self) {
        let sessions = std::mem::take(&mut *self.sessions.borrow_mut());
        let pools = std::mem::take(&mut *self.pools.borrow_mut());
        let afar = std::mem::take(&mut *self.afar.borrow_mut());
        let shells = sessions.into_values().chain(pools.into_values().flat_map(|kept| kept.idle));
        let mut closing: Vec<oneshot::Receiver<()>> = shells.map(Shell::close).collect();
        closing.extend(afar.into_values().map(Afar::close));
        closing.append(&mut self.closing.borrow_mut());
        for ended in closing {
            let _ = ended.await; // One that is not looked after any more has ended.
        }
    }

    async fn in_session(&self, id: u64, spec: CommandSpec, cx: JobCx) -> Result<Running, NotStarted> {
        ready(&spec)?;
        if !self.sessions.borrow().contains_key(&id) {
            let shell = Shell::begin(&*self.inner, &spec, Mode::Shared).await?;
            self.sessions.borrow_mut().insert(id, shell);
        }
        let mut open = self.sessions.borrow_mut();
        let Some(shell) = open.get_mut(&id) else { return Err(NotStarted::Failed("its session is over".to_owned())) };
        goes_on(shell.over(), shell.words(), &spec)?;
        shell.run(&spec, cx)
    }

    /// The same on a host.
    async fn in_session_afar(
        &self,
        key: (u64, Rc<str>),
        inner: &Rc<dyn Target>,
        spec: CommandSpec,
        cx: JobCx,
    ) -> Result<Running, NotStarted> {
        if !self.afar.borrow().contains_key(&key) {
            let shell = Afar::begin(inner.clone(), &spec).await?;
            self.afar.borrow_mut().insert(key.clone(), shell);
        }
        let over = || NotStarted::Failed("its session is over".to_owned());
        let beside = {
            let open = self.afar.borrow();
            let shell = open.get(&key).ok_or_else(over)?;
            goes_on(shell.over(), shell.words(), &spec)?;
            shell.beside(&spec)
        };
        let beside = inner.start(beside, cx).await?;
        self.afar.borrow_mut().get_mut(&key).ok_or_else(over)?.run(&spec, beside)
    }

    /// Where no shell is free and there are as many as there may be, a script has one of its own, as without a pool.
    async fn in_pool(&self, most: u32, spec: CommandSpec, cx: JobCx) -> Result<Running, NotStarted> {
        let words = match &spec.program {
            Program::Script { shell, .. } if is_alike(&spec) => shell.clone(),
            _ => return self.inner.start(spec, cx).await,
        };
        ready(&spec)?;
        let Some((seat, free)) = self.seat(words, most) else { return self.inner.start(spec, cx).await };
        let mut shell = match free {
            Some(shell) => shell,
            None => Shell::begin(&*self.inner, &spec, Mode::Forked).await?,
        };
        let Running { pid, control, done, stops } = shell.run(&spec, cx)?;
        let done = Box::pin(async move {
            let finished = done.await;
            seat.leave(shell);
            finished
        });
        Ok(Running { pid, control, done, stops })
    }
}

impl Shells {
    /// A shell that has nothing to do, or room for one more.
    fn seat(&self, words: Arc<[OsString]>, most: u32) -> Option<(Seat, Option<Shell>)> {
        let mut pools = self.pools.borrow_mut();
        let kept = pools.entry(words.clone()).or_default();
        kept.idle.retain(|shell| shell.over().is_none());
        let free = kept.idle.pop();
        if free.is_none() && kept.busy >= most {
            return None;
        }
        kept.busy += 1;
        Some((Seat { pools: self.pools.clone(), words }, free))
    }
}

/// Whether a script can have the shell of its session.
fn goes_on(over: Option<Outcome>, words: &Arc<[OsString]>, spec: &CommandSpec) -> Result<(), NotStarted> {
    if let Some(outcome) = over {
        let why = "and what that had set is gone; a command that may end the shell can stand in `( … )`";
        let how = format!("the shell of its session ended with an earlier step (code {})", outcome.code());
        return Err(NotStarted::Failed(format!("{how}, {why}")));
    }
    if !matches!(&spec.program, Program::Script { shell, .. } if shell == words) {
        let why = "all steps of a session have one `shell`, and this one has another";
        return Err(NotStarted::Failed(why.to_owned()));
    }
    Ok(())
}

/// Sessions at a place that is not this one.
struct Elsewhere {
    shells: Rc<Shells>,
    place: Rc<str>,
    inner: Rc<dyn Target>,
}

impl Target for Elsewhere {
    fn start<'a>(&'a self, spec: CommandSpec, cx: JobCx) -> LocalFuture<'a, Result<Running, NotStarted>> {
        match spec.share {
            Share::Session(id) => {
                Box::pin(self.shells.in_session_afar((id, self.place.clone()), &self.inner, spec, cx))
            }
            Share::Pool(_) | Share::None => self.inner.start(spec, cx),
        }
    }
}

/// Counts as one that is at work, until it is dropped.
struct Seat {
    pools: Rc<RefCell<Pools>>,
    words: Arc<[OsString]>,
}

impl Seat {
    /// The shell has nothing more to do.
    fn leave(self, shell: Shell) {
        if let (None, Some(kept)) = (shell.over(), self.pools.borrow_mut().get_mut(&self.words)) {
            kept.idle.push(shell);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(kept) = self.pools.borrow_mut().get_mut(&self.words) {
            kept.busy = kept.busy.saturating_sub(1);
        }
    }
}

/// Whether a script is like any other, so that a shell that was there before does as well as one of its own, and better.
fn is_alike(spec: &CommandSpec) -> bool {
    let shown = |sink: &Sink| !matches!(sink, Sink::Inherit);
    let own = spec.leave || spec.pool.is_some() || plain_words(&spec.program).is_some();
    !own && cfg!(target_os = "linux") && spec.stdin != Stdin::Terminal && shown(&spec.stdout) && shown(&spec.stderr)
}

/// What can be told before a shell is.
fn ready(spec: &CommandSpec) -> Result<(), NotStarted> {
    if cfg!(not(target_os = "linux")) {
        // Only there a process can open what another one has open.
        return Err(NotStarted::Failed("`session` is there on Linux only: session=#false".to_owned()));
    }
    match spec.cwd.is_dir() {
        true => Ok(()),
        false => Err(NotStarted::Failed(format!("there is no directory `{}`", spec.cwd.display()))),
    }
}

impl Target for Shells {
    fn start<'a>(&'a self, spec: CommandSpec, cx: JobCx) -> LocalFuture<'a, Result<Running, NotStarted>> {
        match spec.share {
            Share::Session(id) => Box::pin(self.in_session(id, spec, cx)),
            Share::Pool(most) => Box::pin(self.in_pool(most, spec, cx)),
            Share::None => self.inner.start(spec, cx),
        }
    }
}
