//! From a `copy` of the plan to what is to be copied, from where and to where. Knows nothing of how that is done.

use std::path::PathBuf;
use std::sync::Arc;

use crate::base::source::{Span, Spanned};
use crate::base::value::{Part, Template};
use crate::exec::copy;
use crate::plan::defs::{Command, Work};
use crate::plan::graph::Plan;
use crate::plan::ids::{HostId, LeafId};
use crate::plan::values::Value;
use crate::run::command::Surroundings;
use crate::run::place::{self, Here};
use crate::run::values::{Scope, Store};
use crate::xecfile::model::is_pattern;

/// A copy, filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filled {
    /// What to copy.
    pub what: copy::Copy,
    /// Where from and where to; `None` is here.
    pub ends: [Option<HostId>; 2],
}

/// What a leaf copies, if that is what it does; `hook` has the values of the hook that it stands in.
///
/// # Errors
/// A value that is named and not there, or a path that comes to nothing: in words.
pub fn filled(
    plan: &Plan,
    leaf: LeafId,
    around: &Surroundings,
    store: &Store,
    hook: &[(Arc<str>, Value)],
) -> Option<Result<Filled, String>> {
    let command = plan.command(leaf);
    let Work::Copy(written) = &command.work else { return None };
    let at = plan.leaf(leaf);
    let scope = store.scope(plan, around, at.instance).seen_from(at.vertex).with(hook);
    let outside = plan.scope(at.scope).parent.and_then(|parent| store.host_of(plan, parent));
    let mut ends = plan.parts_of(leaf).iter().map(|target| store.host_at(*target));
    let ends = [ends.next().flatten(), ends.next().flatten()];
    let fill = || {
        let here = Here::new(plan, &command.place, around, scope)?;
        let dirs = Dirs { plan, command, around, scope, outside };
        let glob = written.from.paths.iter().any(|path| is_pattern(&path.value));
        let mut from = Vec::with_capacity(written.from.paths.len());
        for path in &written.from.paths {
            match glob {
                true => from.push(pattern(&here, path)?),
                false => from.extend(here.value(path)?.items().iter().map(ToString::to_string)),
            }
        }
        let to = match &written.to.paths[..] {
            [to, ..] => here.flat(to)?,
            [] => String::new(),
        };
        if to.is_empty() || from.iter().any(String::is_empty) {
            return Err("the path of a copy is empty".to_owned());
        }
        if from.is_empty() {
            return Err("there is nothing to copy: the list is empty".to_owned());
        }
        let into = to.ends_with('/') || matches!(to.rsplit('/').next(), Some("." | ".."));
        let (from_dir, to_dir) = (dirs.of(ends[0])?, dirs.of(ends[1])?);
        let from = from.into_iter().map(PathBuf::from).collect();
        let what = copy::Copy { from, from_dir, glob, to: to.into(), to_dir, into, mode: None };
        Ok(Filled { what, ends })
    };
    Some(fill())
}

/// What relative paths are against.
struct Dirs<'d> {
    plan: &'d Plan,
    command: &'d Command,
    around: &'d Surroundings,
    scope: Scope<'d>,
    /// Where what is around the copy runs; `None` is here.
    outside: Option<HostId>,
}

impl Dirs<'_> {
    /// The `cwd` of the step is of the place that the step would be at if it were a command.
    fn of(&self, end: Option<HostId>) -> Result<PathBuf, String> {
        match end {
            Some(host) if self.outside != end => place::directory(self.plan.host(host), self.around),
            _ => {
                let outer = Here::new(self.plan, &self.command.place, self.around, self.scope.on(self.outside))?;
                Ok(if end.is_none() { outer.files } else { outer.dir })
            }
        }
    }
}

/// A path whose text may be a pattern, and whose values are none.
fn pattern(here: &Here<'_>, path: &Spanned<Template>) -> Result<String, String> {
    let mut text = String::new();
    for part in path.value.parts.iter() {
        match part {
            Part::Text(piece) => text.push_str(piece),
            Part::Hole { .. } => {
                let hole = Template { parts: Arc::from([part.clone()]) };
                for sign in here.flat(&Spanned::new(hole, Span::default()))?.chars() {
                    match sign {
                        '*' | '?' | '[' => text.extend(['[', sign, ']']),
                        _ => text.push(sign),
                    }
                }
            }
        }
    }
    Ok(text)
}
