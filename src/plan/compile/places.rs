//! Where what is laid out runs: `on` settled for one instance, and what cannot be on a host refused.

use std::collections::HashSet;

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::{Span, Spanned};
use crate::base::value::Template;
use crate::plan::compile::Builder;
use crate::plan::defs::Command;
use crate::plan::graph::{Limit, Over, Target};
use crate::plan::hosts;
use crate::plan::ids::{InstanceId, ScopeId, TaskDefId};
use crate::plan::layout::{Laid, Where};
use crate::plan::matrix::Row;
use crate::plan::values::{Bound, Inputs, Known, Value, Values};
use crate::xecfile::model::{Copy, End, FLEET_JOBS, HOST_AXIS, HOST_JOBS, Host, Matrix, On, Task, Width};

/// How many steps at once a host bears.
pub(super) fn host_jobs(host: &Host, cpus: u32) -> Option<u32> {
    host.jobs.unwrap_or(Width::Count(HOST_JOBS)).resolve(cpus)
}

/// The name of the host that an instance of a task over hosts runs on.
fn axis_host<'i>(task: &Task, inputs: &'i Inputs) -> Option<&'i str> {
    task.matrix.as_ref()?.on()?;
    let (_, bound) = inputs.iter().rev().find(|(name, _)| &**name == HOST_AXIS)?;
    if let Bound::Static(Value::Text(name)) = bound { Some(name) } else { None }
}

impl Builder<'_, '_> {
    /// Where an instance of a task runs, if that is said of it: by its axis, or by its `on`.
    pub(super) fn place_of_task(&mut self, task: TaskDefId, inputs: &Inputs) -> Laid<Option<Where>> {
        let cx = self.cx;
        match axis_host(cx.task(task), inputs).and_then(|name| self.hosts.named(name)) {
            Some(host) => Ok(Some(Where::Host(host))),
            None => self.place(cx.def(task).on.as_ref(), cx.scope(task, inputs)),
        }
    }

    /// Where a step runs, if it says so.
    pub(super) fn place_of_step(
        &mut self,
        on: Option<&Spanned<On>>,
        owner: Option<InstanceId>,
        around: ScopeId,
    ) -> Laid<Option<Where>> {
        if on.is_none() {
            return Ok(None);
        }
        let (task, inputs) = match owner {
            Some(owner) => {
                let instance = &self.layout.instances[owner.index()];
                (instance.def, instance.inputs.clone())
            }
            None => self.set_inputs(around),
        };
        let cx = self.cx;
        let values = cx.scope(task, &inputs);
        match on.map(|on| &on.value) {
            Some(On::Hosts(selector)) if self.is_around(selector, values, around) => Ok(None),
            _ => self.place(on, values),
        }
    }

    /// Whether a selector says no more than `${host}`, which is only known when that is picked: where things run already.
    fn is_around(&self, selector: &Spanned<Template>, values: Values<'_>, around: ScopeId) -> bool {
        selector.value.bare_hole().is_some_and(|name| **name == *HOST_AXIS)
            && !matches!(values.known(selector), Ok(Known::Value(_)))
            && self.layout.scopes[around.index()].target != Target::Here
    }

    /// Where the two ends of a copy are, within a scope.
    pub(super) fn ends(&mut self, copy: &Copy, owner: InstanceId, around: ScopeId) -> Laid<Box<[Target]>> {
        let instance = &self.layout.instances[owner.index()];
        let (cx, task, inputs) = (self.cx, instance.def, instance.inputs.clone());
        let values = cx.scope(task, &inputs);
        let mut end = |end: &End| match &end.host {
            None => Ok(Target::Here),
            Some(host) => self.part(host, values, around, "one end of a copy is one host"),
        };
        Ok(Box::from([end(&copy.from)?, end(&copy.to)?]))
    }

    /// Where a part of a step is that names its own host.
    fn part(&mut self, host: &Spanned<Template>, values: Values<'_>, around: ScopeId, rule: &str) -> Laid<Target> {
        if self.is_around(host, values, around) {
            return Ok(self.layout.scopes[around.index()].target);
        }
        self.hosts.one(host, values, rule).map(Target::Host)
    }

    fn place(&mut self, on: Option<&Spanned<On>>, values: Values<'_>) -> Laid<Option<Where>> {
        let Some(on) = on else { return Ok(None) };
        Ok(Some(match &on.value {
            On::Here => Where::Here,
            On::One(selector, pick) => {
                let found = self.hosts.meant(selector, values)?;
                Where::One(self.hosts.pool(&mut self.layout.pools, found, *pick))
            }
            On::Hosts(selector) => Where::Host(self.hosts.one(selector, values, "a step runs on one host")?),
        }))
    }

    /// How many instances of a set over hosts run at once, where it does not say.
    pub(super) fn fleet_jobs(&self, task: TaskDefId, inputs: &Inputs) -> Option<Limit> {
        let cx = self.cx;
        if cx.task(task).matrix.as_ref()?.on().is_some() {
            return Some(Limit::held(Some(FLEET_JOBS)));
        }
        let On::One(selector, _) = &cx.def(task).on.as_ref()?.value else { return None };
        // Who waits is put on the host that has room first; a selector of an axis is settled for each instance.
        let found = hosts::meant(selector, cx.scope(task, inputs)).ok()?;
        let total: Option<u32> = found.iter().map(|at| host_jobs(&cx.file.hosts[*at], self.cpus)).sum();
        total.map(|total| Limit::held(Some(total)))
    }

    /// The hosts of a set, for those who look at it.
    pub(super) fn over(&self, task: TaskDefId, inputs: &Inputs, rows: &[Row]) -> Laid<Option<Over>> {
        let cx = self.cx;
        let Some((axis, text)) = cx.task(task).matrix.as_ref().and_then(Matrix::on) else { return Ok(None) };
        let values = cx.scope(task, inputs);
        let selector = values.must(text, "where something runs")?.items().join(", ").into();
        let hosts = rows.iter().flat_map(|row| row.iter()).filter(|(name, _)| *name == axis.name.value);
        let asked: HashSet<&str> = hosts.map(|(_, host)| &**host).collect();
        let meant = hosts::meant(text, values)?.len() as u32;
        Ok(Some(Over { selector, meant, asked: asked.len() as u32 }))
    }

    /// Where the commands of a pipe run, within its scope; nothing where that is the same for all.
    pub(super) fn members(
        &mut self,
        pipe: &[Command],
        owner: InstanceId,
        scope: ScopeId,
    ) -> Laid<Option<Box<[Target]>>> {
        if pipe.iter().all(|member| member.on.is_none()) {
            return Ok(None);
        }
        let instance = &self.layout.instances[owner.index()];
        let (cx, task, inputs) = (self.cx, instance.def, instance.inputs.clone());
        let values = cx.scope(task, &inputs);
        let place = |member: &Command| match member.on.as_ref().map(|on| &on.value) {
            None => Ok(self.layout.scopes[scope.index()].target),
            Some(On::Here) => Ok(Target::Here),
            Some(On::Hosts(host) | On::One(host, _)) => {
                self.part(host, values, scope, "a command of a pipe runs on one host")
            }
        };
        pipe.iter().map(place).collect::<Laid<Box<[Target]>>>().map(Some)
    }

    /// Refuses what a host cannot do, where it is called there.
    pub(super) fn refuse_on_host(&self, scope: ScopeId, command: &Command) -> Laid<()> {
        if self.layout.scopes[scope.index()].target == Target::Here {
            return Ok(());
        }
        if command.interactive {
            return Err(not_on_host("`interactive`", command.span));
        }
        if command.leave { Err(not_on_host("`leave`", command.span)) } else { Ok(()) }
    }

    /// The same of a task: what it makes would stay there.
    pub(super) fn refuse_task_on_host(&self, scope: ScopeId, task: TaskDefId) -> Laid<()> {
        let (def, written) = (self.cx.def(task), self.cx.task(task));
        let what = match self.layout.scopes[scope.index()].target {
            Target::Here => return Ok(()),
            _ if def.files.cache.is_some() => "`cache`",
            _ if !def.files.outputs.is_empty() => "`outputs`",
            _ => return Ok(()),
        };
        Err(not_on_host(what, written.name.span))
    }
}

fn not_on_host(what: &str, span: Span) -> Box<Problem> {
    let problem = Problem::error(Code::NotOnHost, format!("{what} cannot be on a host"));
    Box::new(problem.at(span, "it is called from what runs there").help("`on local` brings it back"))
}
