//! Hosts: each of them once, every selector that is written out means some, and nothing shall happen on one that can
//! only happen here. Knows no run: what hangs on values is the plan's to say.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::selector::Selector;
use crate::base::source::{Span, Spanned};
use crate::base::value::Template;
use crate::xecfile::check::Texts;
use crate::xecfile::model::{AxisSource, FileScope, Hooks, Host, On, Origin, Settings, Step, StepKind, Task, select};

/// Drops what is there twice: a `host` adds to one of an inventory, and is told where it is another `host`.
pub(super) fn unique(texts: &mut Texts<'_>, hosts: &mut Vec<Host>) {
    let mut places: HashMap<Arc<str>, usize> = HashMap::new();
    let mut out: Vec<Host> = Vec::with_capacity(hosts.len());
    for host in std::mem::take(hosts) {
        let Some(at) = places.get(&host.name.value).copied() else {
            places.insert(host.name.value.clone(), out.len());
            out.push(host);
            continue;
        };
        let first = &mut out[at];
        match (first.origin, host.origin) {
            (Origin::Xecfile, Origin::Xecfile) => {
                let message = format!("there are two hosts `{}`", host.name.value);
                let problem = Problem::error(Code::Duplicate, message).at(host.name.span, "the second one");
                let problem = problem.at(first.name.span, "the first one");
                texts.report(
                    problem.help("a host is the run's, whichever file declares it; several tags stand in one line"),
                );
            }
            (_, Origin::SshConfig) => {}
            (Origin::Inventory, Origin::Xecfile) => *first = merged(host, first),
            _ => *first = merged(first.clone(), &host),
        }
    }
    *hosts = out;
}

/// What is said of a host in one place, and else in another; the tags of both.
fn merged(own: Host, other: &Host) -> Host {
    let tags = own.tags.iter().chain(other.tags.iter().filter(|tag| !own.tags.contains(tag))).cloned().collect();
    Host {
        tags,
        address: own.address.clone().or_else(|| other.address.clone()),
        user: own.user.clone().or_else(|| other.user.clone()),
        port: own.port.or(other.port),
        sudo: own.sudo.clone().or_else(|| other.sudo.clone()),
        via: if own.via == crate::xecfile::model::Via::Ssh { other.via.clone() } else { own.via.clone() },
        ..own
    }
}

/// Checks what is written on hosts, and where things run.
pub(super) fn check(texts: &mut Texts<'_>, hosts: &[Host], tasks: &[Task]) {
    let mut look = Look { texts, hosts };
    for host in hosts {
        look.own_values(host);
    }
    for task in tasks {
        look.task(task);
    }
}

/// Where a failure on one host ends what runs on others, and nobody has said that it shall.
pub(crate) fn fail_fast(files: &[FileScope], tasks: &[Task]) -> Vec<Problem> {
    let mut found = Vec::new();
    for task in tasks {
        let Some(matrix) = &task.matrix else { continue };
        let Some((axis, _)) = matrix.on() else { continue };
        let defaults = &files[usize::from(task.file.0)].defaults;
        let said = matrix.settings.on_error.or(task.settings.on_error).or(defaults.on_error);
        if said.is_none() {
            let message =
                format!("a failure of `{}` on one host ends it on all others, in the middle", task.name.value);
            let problem = Problem::warning(Code::FailFastHosts, message).at(axis.span, "");
            found.push(problem.help("say what shall be: matrix on-error=continue { on … }, or drain, or fail-fast"));
        }
    }
    found
}

struct Look<'l, 'x> {
    texts: &'l mut Texts<'x>,
    hosts: &'l [Host],
}

impl Look<'_, '_> {
    /// A host is the same for all tasks, so what is said of it names nothing of theirs.
    fn own_values(&mut self, host: &Host) {
        let texts = host.env.iter().map(|entry| &entry.value).chain(&host.cwd);
        for text in texts {
            for name in text.value.names() {
                if !name.starts_with("env.") && !matches!(&**name, "host" | "host.address" | "host.tags") {
                    let message = format!("`{name}` is not known of a host");
                    let place = self.texts.within(text.span, name);
                    let problem = Problem::error(Code::UnknownValue, message).at(place, "");
                    let help = "of a host there are ${host}, ${host.address}, ${host.tags} and ${env.NAME}";
                    self.texts.report(problem.help(help));
                }
            }
        }
    }

    fn task(&mut self, task: &Task) {
        let mut remote = None;
        for axis in task.matrix.iter().flat_map(|matrix| &matrix.axes) {
            if let AxisSource::Hosts(selector) | AxisSource::On(selector) = &axis.source {
                self.selected(selector);
            }
            if let AxisSource::On(_) = axis.source {
                remote = Some(axis.span);
            }
        }
        remote = self.on(&task.settings, remote, true);
        if let Some(place) = remote {
            if let Some(pattern) = task.files.outputs.first() {
                self.not_there("outputs", pattern.span, place, "what a host makes stays there; `copy` brings it here");
            }
            if let Some(cache) = &task.files.cache {
                self.not_there("cache", cache.span, place, "only what is made here can be brought back");
            }
        }
        self.settings(&task.settings, remote);
        self.steps(&task.body, remote);
        self.hooks(&task.hooks, remote);
        if let Some(matrix) = &task.matrix {
            // The hooks of a set run once, and so here.
            self.hooks(&matrix.hooks, None);
        }
    }

    /// No deeper than blocks are nested.
    fn steps(&mut self, steps: &[Step], outer: Option<Span>) {
        for step in steps {
            let remote = self.on(&step.settings, outer, false);
            self.settings(&step.settings, remote);
            if let StepKind::Copy(copy) = &step.kind {
                for host in copy.from.host.iter().chain(&copy.to.host) {
                    self.one(host, "one end of a copy is one host");
                }
            }
            self.steps(step.kind.steps(), remote);
            self.hooks(&step.hooks, remote);
        }
    }

    fn hooks(&mut self, hooks: &Hooks, remote: Option<Span>) {
        for steps in hooks.stages() {
            self.steps(steps, remote);
        }
    }

    /// Where something runs: on a host, for what is written there.
    fn on(&mut self, settings: &Settings, outer: Option<Span>, task: bool) -> Option<Span> {
        let Some(Spanned { value: on, span }) = &settings.on else { return outer };
        match on {
            On::Here => None,
            On::One(selector, _) => {
                self.selected(selector);
                Some(*span)
            }
            On::Hosts(selector) => {
                match task {
                    true => drop(self.selected(selector)),
                    false => self.one(selector, "a step runs on one host"),
                }
                Some(*span)
            }
        }
    }

    /// Tells of a selector that means several where only one can be.
    fn one(&mut self, selector: &Spanned<Template>, why: &str) {
        let Some(found) = self.selected(selector).filter(|found| found.len() > 1) else { return };
        // Its own name is nobody else's, even where a tag is called so.
        if selector.value.as_text().is_some_and(|text| found.iter().any(|at| self.hosts[*at].name.value == *text)) {
            return;
        }
        let names: Vec<&str> = found.iter().take(4).map(|at| &*self.hosts[*at].name.value).collect();
        let more = if found.len() > 4 { ", …" } else { "" };
        let problem = Problem::error(Code::OneHost, format!("{why}, and this selects {}", found.len()));
        let problem = problem.at(selector.span, format!("{}{more}", names.join(", ")));
        let help = "one of them: on … pick=first; on each of them: a task with `on`, which is called here";
        self.texts.report(problem.help(help));
    }

    fn settings(&mut self, settings: &Settings, remote: Option<Span>) {
        let Some(place) = remote else { return };
        for (name, set) in [("interactive", &settings.interactive), ("leave", &settings.leave)] {
            if let Some(set) = set.as_ref().filter(|set| set.value) {
                let help = match name {
                    "interactive" => "the terminal is here: `on local`",
                    _ => "what shall outlive the run there is started by the init system of the host",
                };
                self.not_there(name, set.span, place, help);
            }
        }
    }

    fn not_there(&mut self, what: &str, span: Span, place: Span, help: &str) {
        let problem = Problem::error(Code::NotOnHost, format!("`{what}` cannot be on a host"));
        self.texts.report(problem.at(span, "").at(place, "this runs there").help(help));
    }

    /// The hosts of a selector that is written out; none where that is told, or hangs on values.
    fn selected(&mut self, selector: &Spanned<Template>) -> Option<Vec<usize>> {
        let text = selector.value.as_text()?;
        let parsed = Selector::parse(text).ok()?;
        match select(self.hosts, &parsed, text) {
            Ok(found) => Some(found),
            Err(none) => {
                let place = self.texts.within(selector.span, &text[none.place.clone()]);
                self.texts.report(Problem::error(Code::UnknownHost, none.message).at(place, "").help(none.help));
                None
            }
        }
    }
}
