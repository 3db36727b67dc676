//! `--affected`: what does not depend on anything that differs from a revision of git need not run.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::app::Answer;
use crate::app::open::Opened;
use crate::app::run::surroundings;
use crate::base::event::SkipReason;
use crate::cache::inputs::Patterns;
use crate::exec::git;
use crate::plan::Plan;
use crate::plan::graph::{Link, LinkKind};
use crate::plan::ids::InstanceId;
use crate::report::sanitize::visible;
use crate::run::command::Surroundings;
use crate::run::facts::{self, Facts};
use crate::run::values::Store;

/// What need not run. What an affected instance needs runs too: what it made may not be there.
///
/// # Errors
/// Git cannot say what differs, or nothing is affected by it.
pub(super) fn spared(
    opened: &Opened,
    plan: &Plan,
    base: Option<&str>,
) -> Result<HashMap<Arc<str>, SkipReason>, Answer> {
    let refused = |why| Answer::refused(format!("xec: cannot tell what is affected: {why}\n"));
    let root = &opened.file.root;
    let changed = git::changed(root, base).map_err(refused)?;
    // Git knows directories by their own names, and not by links to them.
    let real = root.canonicalize().unwrap_or_else(|_| root.clone());
    let mut changed: Vec<PathBuf> = changed
        .into_iter()
        .map(|path| path.strip_prefix(&real).map_or(path.clone(), |below| root.join(below)))
        .collect();
    changed.sort_unstable();
    // A file of xec's own may say anything anew.
    if opened.looked_for.iter().any(|file| changed.binary_search(file).is_ok()) {
        return Ok(HashMap::new());
    }
    let around = surroundings(opened, plan);
    let ids = || (0..plan.instances.len() as u32).map(InstanceId);
    let reads = ids().filter(|id| reads(plan, &around, *id, &changed)).collect();
    let tied = |from: fn(&Link) -> Option<InstanceId>, to: fn(&Link) -> Option<InstanceId>| {
        let mut ties: Vec<Vec<InstanceId>> = vec![Vec::new(); plan.instances.len()];
        for link in plan.links.iter().filter(|link| link.kind != LinkKind::After) {
            if let (Some(from), Some(to)) = (from(link), to(link)) {
                ties[from.index()].push(to);
            }
        }
        ties
    };
    // To all that depend on it.
    let affected = reach(reads, &tied(|link| Some(link.to), |link| link.from));
    if affected.is_empty() {
        let since = base.map(|base| format!(" since `{}`", visible(base))).unwrap_or_default();
        let err = format!("xec: nothing is affected by what changed{since}\n");
        return Err(Answer { err, ..Answer::text(String::new()) });
    }
    // To all that those need; who only gathers others needs nothing itself.
    let work = affected.iter().copied().filter(|id| works(plan, *id)).collect();
    let needed = reach(work, &tied(|link| link.from, |link| Some(link.to)));
    let runs = affected.iter().chain(&needed);
    let names: HashSet<&Arc<str>> = runs.map(|id| &plan.instance(*id).label.instance).collect();
    let all = plan.instances.iter().map(|instance| &instance.label.instance);
    let spared = all.filter(|name| !names.contains(name)).map(|name| (name.clone(), SkipReason::Unaffected));
    Ok(spared.collect())
}

/// All that can be reached.
fn reach(mut open: Vec<InstanceId>, ties: &[Vec<InstanceId>]) -> Vec<InstanceId> {
    let mut seen = vec![false; ties.len()];
    let mut found = Vec::new();
    while let Some(id) = open.pop() {
        if !std::mem::replace(&mut seen[id.index()], true) {
            found.push(id);
            open.extend(&ties[id.index()]);
        }
    }
    found
}

/// Whether an instance itself reads something that changed. Who does not say what it reads may read anything, and what
/// is known only at run time may be anything; who only gathers others reads nothing.
fn reads(plan: &Plan, around: &Surroundings, id: InstanceId, changed: &[PathBuf]) -> bool {
    let instance = plan.instance(id);
    let files = &plan.defs.tasks[instance.def.index()].files;
    if files.inputs.is_empty() {
        return works(plan, id);
    }
    let store = Store::default();
    let Ok(task) = (Facts { plan, store: &store, around, id }).task(false) else { return true };
    // Ignored files that changed are told by nobody; those that are told count whatever git thinks of them.
    let Ok(patterns) = Patterns::new(&task.cwd, &task.inputs, false) else { return true };
    if changed.iter().any(|path| patterns.matches(&against(&task.cwd, path))) {
        return true;
    }
    // Git tells of a submodule as one path, and of files behind a link by their own names.
    let Ok(found) = patterns.find(None) else { return true };
    found.files.into_values().any(|place| {
        let real = place.canonicalize().unwrap_or(place);
        real.ancestors().any(|path| changed.binary_search_by(|known| known.as_path().cmp(path)).is_ok())
    })
}

/// Whether an instance has steps of its own.
fn works(plan: &Plan, id: InstanceId) -> bool {
    facts::leaves(plan, plan.instance(id).scope).any(|leaf| plan.leaf(leaf).instance == id)
}

/// A path as it is written from a directory.
fn against(dir: &Path, path: &Path) -> PathBuf {
    let common = dir.components().zip(path.components()).take_while(|(one, other)| one == other).count();
    let up = dir.components().skip(common).map(|_| Component::ParentDir);
    up.chain(path.components().skip(common)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_from_a_directory() {
        for (path, said) in [("/a/b/c", "c"), ("/a/b/c/d", "c/d"), ("/a/x", "../x"), ("/y", "../../y")] {
            assert_eq!(against(Path::new("/a/b"), Path::new(path)), Path::new(said));
        }
    }
}
