//! Where what is started runs, and what there has to be first: the shells that scripts share, and temporary directories
//! on hosts. Decides nothing of when.

use std::rc::Rc;
use std::time::Duration;

use crate::base::command::{CommandSpec, Outcome, Program, Sink};
use crate::base::event::{Event, JobId};
use crate::exec::output::OutputTx;
use crate::exec::pipeline::Member;
use crate::exec::{JobCx, Target};
use crate::plan::defs::{Place, Work};
use crate::plan::ids::{HostId, InstanceId, LeafId};
use crate::run::command::asking;
use crate::run::copies::Filled;
use crate::run::dispatch::Loop;
use crate::run::job::{Before, Doing};

/// How long it may take to remove what is on a host.
const CLEANING: Duration = Duration::from_secs(60);

impl Loop {
    /// Where something runs that runs on this host, or here, at a place of the file.
    pub(super) fn target_at(&self, host: Option<HostId>, place: &Place) -> Result<Rc<dyn Target>, String> {
        match (host.map(|host| self.plan.host(host)), self.user_at(host, place)) {
            (None, None) => Ok(self.target.clone()),
            (host, user) => self.hosts.reach(host, user),
        }
    }

    /// As whom something runs, where that is said.
    fn user_at<'p>(&'p self, host: Option<HostId>, place: &'p Place) -> Option<&'p str> {
        place.sudo.as_deref().or_else(|| self.plan.host(host?).sudo.as_deref())
    }

    /// The commands of a leaf, each at its place.
    pub(super) fn members(&self, leaf: LeafId, specs: Vec<CommandSpec>) -> Result<Vec<Member>, String> {
        let (plan, command) = (&self.plan, self.plan.command(leaf));
        let own = self.store.host_of(plan, plan.leaf(leaf).scope);
        let commands = match &command.work {
            Work::Pipe(members) => &members[..],
            _ => std::slice::from_ref(command),
        };
        let mut parts = plan.parts_of(leaf).iter();
        let mut members = Vec::with_capacity(specs.len());
        for (command, spec) in commands.iter().zip(specs) {
            let host = parts.next().map_or(own, |part| self.store.host_at(*part));
            let mut target = self.target_at(host, &command.place)?;
            let user = self.user_at(host, &command.place);
            let here = host.is_none() && user.is_none();
            if command.session && !here {
                let host = host.map(|host| &*plan.host(host).name.value).unwrap_or_default();
                target = self.shells.elsewhere(&format!("{}@{host}", user.unwrap_or_default()), target);
            }
            members.push(Member { spec, target: self.place_of(leaf, target), here });
        }
        Ok(members)
    }

    /// A copy, with the ways to its ends: as another user where that is said, but not here.
    pub(super) fn copy(&self, filled: Filled, place: &Place) -> Doing {
        let ends = filled.ends.map(|host| {
            let user = host.and_then(|id| self.user_at(Some(id), place));
            self.hosts.end(host.map(|host| self.plan.host(host)), user)
        });
        Doing::Copy(filled.what, ends)
    }

    /// What has to be done on hosts before a leaf: the temporary directories of its instance and of those that called
    /// it, as long as it is not known that they are there.
    pub(super) fn before(&mut self, job: JobId, leaf: LeafId) -> Result<Vec<Before>, String> {
        if self.store.afar.is_empty() {
            return Ok(Vec::new());
        }
        let plan = self.plan.clone();
        let own = plan.leaf(leaf).instance;
        let callers: Vec<InstanceId> = std::iter::successors(Some(own), |id| plan.instance(*id).caller).collect();
        let mut before = Vec::new();
        for id in callers {
            let Some(paths) = self.store.afar.wanted(id, job) else { continue };
            let host = self.store.host_of(&plan, plan.instance(id).scope);
            let target = self.target_at(host, self.place_of_temps(id))?;
            let words = ["mkdir", "-p", "-m", "700", "--"].into_iter().map(str::to_owned).chain(paths);
            before.push(Before { target, spec: ours(words), what: "the temporary directory cannot be made" });
        }
        Ok(before)
    }

    fn place_of_temps(&self, id: InstanceId) -> &Place {
        &self.plan.task_of(id).conditions.place
    }

    /// An instance is over: what it had on a host goes, if that can be reached.
    pub(super) fn clean_up(&mut self, id: InstanceId) {
        let host = self.store.host_of(&self.plan, self.plan.instance(id).scope);
        let (Some(paths), Some(host)) = (self.store.afar.take(id), host) else { return };
        let known = self.scheduler.unreachable(self.plan.instance(id).scope).is_some();
        let Ok(target) = self.target_at(Some(host), self.place_of_temps(id)) else { return };
        let (output, clock) = (self.output.clone(), self.clock.clone());
        let name = self.plan.host(host).name.value.clone();
        let (release, plan) = (self.hosts.clone(), self.plan.clone());
        self.cleaning.retain(|cleaning| !cleaning.is_finished());
        self.cleaning.push(tokio::task::spawn_local(async move {
            let words = ["rm", "-rf", "--"].into_iter().map(str::to_owned).chain(paths);
            let (quiet, _) = OutputTx::pair();
            let removing = async {
                match target.start(ours(words), JobCx::new(JobId(0), quiet)).await {
                    Ok(running) => match running.done.await.outcome {
                        Outcome::Exited(0) => Ok(()),
                        other => Err(format!("rm ended with {}", other.code())),
                    },
                    Err(why) => Err(why.to_string()),
                }
            };
            let removed = match known {
                true => Err("it cannot be reached".to_owned()),
                false => tokio::time::timeout(CLEANING, removing)
                    .await
                    .unwrap_or_else(|_| Err("it does not answer".to_owned())),
            };
            if let Err(why) = removed {
                let why = format!("cannot remove a temporary directory on {name}: {why}");
                output.tell(clock.now(), Event::Trouble { why });
            }
            release.release(plan.host(host));
        }));
    }

    /// A host has nothing more to do, as far as is known; what is to be removed there comes yet.
    pub(super) fn idle(&self, host: HostId) {
        let scope = |id| self.plan.instance(id).scope;
        if !self.store.afar.begun().any(|id| self.store.host_of(&self.plan, scope(id)) == Some(host)) {
            self.hosts.release(self.plan.host(host));
        }
    }
}

/// A command of ours.
fn ours(words: impl Iterator<Item = String>) -> CommandSpec {
    let program = Program::Words(words.map(Into::into).collect());
    CommandSpec { stdout: Sink::Report, ..asking(program, Default::default(), Vec::new()) }
}
