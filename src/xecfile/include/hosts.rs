//! Hosts that others have written down: inventories, and the user's configuration of ssh. Reads files; connects to
//! nothing.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::hostname::{Part, trouble};
use crate::base::source::{Span, Spanned};
use crate::xecfile::include::{Loading, clean_relative, read_file};
use crate::xecfile::inventory;
use crate::xecfile::load::clean;
use crate::xecfile::model::{Host, Origin, StepKind, Task};

/// Files of ssh that include each other, at most.
const MOST_FILES: usize = 64;

impl Loading {
    /// `hosts from="inventory.ini"`.
    pub(super) fn inventory(&mut self, file: usize, path: &Spanned<Arc<str>>, folder: &Path) {
        if !self.disk {
            return;
        }
        let whole = self.files[file].dir.join(&*path.value);
        let shown = clean_relative(&folder.join(&*path.value));
        self.looked_for.push(clean(&whole));
        let found = read_file(&whole).map_err(|why| {
            let message = format!("cannot read {}: {why}", shown.display());
            Problem::error(Code::FileUnreadable, message)
        });
        match found.and_then(|bytes| self.text(&shown, bytes)) {
            Ok((source, text)) => {
                let (hosts, problems) = inventory::parse(source, &text);
                self.hosts.extend(hosts);
                problems.into_iter().for_each(|problem| self.problems.push(problem));
            }
            Err(problem) if problem.labels.is_empty() => self.problems.push(problem.at(path.span, "")),
            Err(problem) => self.problems.push(problem),
        }
    }

    /// Adds the hosts that ssh knows by a name of its own, if anything can run on hosts at all.
    pub(super) fn hosts_of_ssh(&mut self) {
        let wanted = self.disk && (!self.hosts.is_empty() || self.tasks.iter().any(names_hosts));
        let Some(home) = std::env::var_os("HOME").filter(|_| wanted) else { return };
        let span = Span::default();
        for name in names(&Path::new(&home).join(".ssh")) {
            let name = Spanned::new(Arc::from(name), span);
            self.hosts.push(Host::new(name, Origin::SshConfig, span));
        }
    }
}

/// Whether a task may run on hosts. A selector on a step is rare, so it is enough that there is any.
fn names_hosts(task: &Task) -> bool {
    let of_matrix = task.matrix.as_ref().is_some_and(|matrix| {
        matrix.on().is_some()
            || matrix.axes.iter().any(|axis| matches!(axis.source, crate::xecfile::model::AxisSource::Hosts(_)))
    });
    let mut found = of_matrix || task.settings.on.is_some();
    crate::xecfile::check::each_step_of(task, &mut |step| {
        found |= step.settings.on.is_some() && !matches!(step.kind, StepKind::Wait(_));
        found |= matches!(step.kind, StepKind::Copy(_));
    });
    found
}

/// The names after `Host` in the configuration of ssh that are no patterns, in order.
fn names(dir: &Path) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open: Vec<PathBuf> = vec![dir.join("config")];
    let mut read: HashSet<PathBuf> = HashSet::new();
    while let Some(path) = open.pop().filter(|_| read.len() < MOST_FILES) {
        if !read.insert(path.clone()) {
            continue;
        }
        let Ok(text) = read_file(&path) else { continue };
        for line in String::from_utf8_lossy(&text).lines() {
            let line = line.trim();
            let (word, rest) = line.split_once([' ', '\t', '=']).unwrap_or((line, ""));
            let words = rest.split([' ', '\t', '=', '"']).filter(|word| !word.is_empty());
            match word.to_ascii_lowercase().as_str() {
                "host" => found.extend(words.filter(|word| trouble(Part::Name, word).is_none()).map(str::to_owned)),
                "include" => open.extend(words.flat_map(|pattern| included(dir, pattern))),
                _ => {}
            }
        }
    }
    found
}

/// The files of an `Include`, against the directory of the configuration.
fn included(dir: &Path, pattern: &str) -> Vec<PathBuf> {
    let home = dir.parent().unwrap_or(dir);
    let whole = match pattern.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => dir.join(pattern),
    };
    glob::glob(&whole.to_string_lossy()).map(|paths| paths.flatten().take(MOST_FILES).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_configuration_without_patterns() {
        let home = tempfile::tempdir().unwrap();
        let ssh = home.path().join(".ssh");
        std::fs::create_dir_all(ssh.join("conf.d")).unwrap();
        std::fs::write(
            ssh.join("config"),
            "Include conf.d/*\nHost bastion *.x web?\n  User me\nhost=db \"two\"\nHost !no -x\nInclude config\n",
        )
        .unwrap();
        std::fs::write(ssh.join("conf.d/a"), "Host inner\nMatch host x\n").unwrap();
        let mut found = names(&ssh);
        found.sort();
        found.dedup();
        assert_eq!(found, ["bastion", "db", "inner", "two"]);
        assert!(names(Path::new("/nowhere")).is_empty());
    }
}
