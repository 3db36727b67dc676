//! A place in the file, as its processes see it: what has flowed down to it. And what is asked there before something
//! begins. Knows no instances: values may come late.

use std::sync::Arc;
use std::time::Duration;

use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::plan::defs::names::names_in;
use crate::xecfile::model::{Condition, EnvEntry, FileId, Late, PredicateKind};

/// What has flowed down to a place.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file it stands in.
    pub file: FileId,
    /// The directory, against that of the file.
    pub cwd: Option<Spanned<Template>>,
    /// Outermost first; the last one of a name counts.
    pub env: Arc<[EnvEntry]>,
    /// The interpreter of scripts.
    pub shell: Arc<[Template]>,
    /// The secrets of the file.
    pub secrets: Arc<[Arc<str>]>,
    /// From the first signal to SIGKILL.
    pub grace: Option<Spanned<Late<Duration>>>,
    /// It is on a host, by what is written around it: what can be seen here says nothing of there.
    pub remote: bool,
    /// As whom, where that is another one.
    pub sudo: Option<Arc<str>>,
}

impl Place {
    /// The values that its directory and variables name.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        let env = self.env.iter().map(|entry| &entry.value.value);
        env.chain(self.cwd.iter().map(|cwd| &cwd.value)).flat_map(Template::names)
    }

    /// The words of a script that may be values, or are secrets.
    pub fn names_in(&self, script: &str) -> Vec<Arc<str>> {
        names_in(script, &self.shell, &self.secrets)
    }
}

/// Conditions in their place.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// All of them must hold; none is always so.
    pub all: Arc<[Condition]>,
    /// Where they are asked.
    pub place: Arc<Place>,
}

impl Conditions {
    /// Whether they ask what has changed since a success.
    pub fn ask_changed(&self) -> bool {
        let mut lines = self.all.iter().flat_map(|condition| &condition.lines);
        lines.any(|line| matches!(line.kind, PredicateKind::Changed(_)))
    }

    /// The values that they name anywhere.
    pub fn value_names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = self.place.names().cloned().collect();
        names.extend(self.place.shell.iter().flat_map(Template::names).cloned());
        let lines = self.all.iter().flat_map(|condition| &condition.lines);
        for line in lines {
            let (first, others): (Option<&Spanned<Template>>, &[_]) = match &line.kind {
                PredicateKind::Os(words)
                | PredicateKind::Arch(words)
                | PredicateKind::Exists(words)
                | PredicateKind::Command(words)
                | PredicateKind::Changed(words) => (None, words),
                PredicateKind::Env(first, words) | PredicateKind::Equal(first, words) => (Some(first), words),
                PredicateKind::Run(script) => {
                    names.extend(self.place.names_in(&script.value));
                    continue;
                }
            };
            names.extend(first.into_iter().chain(others).flat_map(|word| word.value.names()).cloned());
        }
        names
    }
}
