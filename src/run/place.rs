//! A place of the file with its values filled in: the directory, the variables, the interpreter, and what a text comes
//! to there. Knows nothing of processes.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::source::{Span, Spanned};
use crate::base::value::Template;
use crate::plan::defs::Place;
use crate::plan::graph::Plan;
use crate::plan::ids::HostId;
use crate::plan::values::Value;
use crate::run::command::Surroundings;
use crate::run::values::Scope;
use crate::xecfile::model::{FileId, Host};

/// The largest value that goes by environment: more of it breaks `execve`.
const LARGEST_VARIABLE: usize = 100 * 1024;

/// Variables, the later one of a name wins.
pub type Env = Vec<(OsString, OsString)>;

/// Changes to the environment that xec was started with, later ones win; `None` removes.
pub type Changes = Vec<(OsString, Option<OsString>)>;

/// A place, filled in.
pub struct Here<'h> {
    place: &'h Place,
    around: &'h Surroundings,
    scope: Scope<'h>,
    /// What no process has that does not name it.
    hidden: &'h [Arc<str>],
    /// The declared environment, outermost first.
    pub env: Env,
    /// The directory; on a host, against that of the login.
    pub dir: PathBuf,
    /// The directory that files of this machine are against.
    pub files: PathBuf,
    /// Where it is, if not here.
    pub host: Option<HostId>,
}

impl<'h> Here<'h> {
    /// Fills a place in, as it is seen by `scope`.
    ///
    /// # Errors
    /// The name of a value that is not there, in words.
    pub fn new(plan: &'h Plan, place: &'h Place, around: &'h Surroundings, scope: Scope<'h>) -> Result<Self, String> {
        let dir = plan.defs.dirs[usize::from(place.file.0)].clone();
        let host = scope.host();
        let (hidden, files) = (&plan.defs.hidden, PathBuf::new());
        let mut here = Self { place, around, scope, hidden, env: dotenv(around, place.file), dir, files, host };
        if let Some(host) = host {
            // What is said of the host itself is weaker than what the file says, and `dotenv` is for here.
            let host = plan.host(host);
            (here.files, here.dir) = (std::mem::take(&mut here.dir), PathBuf::new());
            here.env = Env::new();
            for entry in &host.env {
                let value = of_host(host, &entry.value, around)?;
                here.env.push((OsString::from(&*entry.name.value), value.into()));
            }
            if place.cwd.is_none() {
                here.dir = directory(host, around)?;
            }
        }
        for entry in place.env.iter() {
            let value = here.flat(&entry.value)?;
            here.env.push((OsString::from(&*entry.name.value), value.into()));
        }
        if let Some(cwd) = &place.cwd {
            here.dir = here.dir.join(here.flat(cwd)?);
        }
        if host.is_none() {
            here.files.clone_from(&here.dir);
        }
        Ok(here)
    }

    /// The interpreter, to which the text of a script is added.
    ///
    /// # Errors
    /// As for [`Here::new`].
    pub fn shell(&self) -> Result<Arc<[OsString]>, String> {
        let word = |word: &Template| Ok(self.flat(&Spanned::new(word.clone(), Span::default()))?.into());
        self.place.shell.iter().map(word).collect()
    }

    /// What a text comes to; a list stays one where the text is nothing but its hole.
    ///
    /// # Errors
    /// As for [`Here::new`].
    pub fn value(&self, text: &Spanned<Template>) -> Result<Value, String> {
        match self.scope.text_with(text, &|name| self.declared(name)) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Ok(Value::text("")),
            Err(name) => Err(match name.strip_prefix("env.") {
                Some(variable) => format!("the environment variable `{variable}` is not set"),
                None => format!("`{name}` has no value here"),
            }),
        }
    }

    /// The same as one text.
    ///
    /// # Errors
    /// As for [`Here::new`].
    pub fn flat(&self, text: &Spanned<Template>) -> Result<String, String> {
        Ok(self.value(text)?.flat())
    }

    /// A variable as a process here sees it.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.declared(name).or_else(|| self.around.variable(name))
    }

    fn declared(&self, name: &str) -> Option<String> {
        let found = self.env.iter().rev().find(|(given, _)| given == OsStr::new(name));
        found.map(|(_, value)| value.to_string_lossy().into_owned())
    }

    /// Where a program is looked for.
    pub fn path(&self) -> OsString {
        let own = self.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value);
        own.or_else(|| self.around.env.get(OsStr::new("PATH"))).cloned().unwrap_or_default()
    }

    /// All of the environment of a process: what is declared, no secret, and the values that its script names.
    ///
    /// # Errors
    /// As for [`Here::exports`].
    pub fn environment(&mut self, names: &[Arc<str>]) -> Result<Changes, String> {
        let exports = self.exports(names)?;
        let declared = std::mem::take(&mut self.env).into_iter().map(|(name, value)| (name, Some(value)));
        let exports = exports.into_iter().map(|(name, value)| (name, Some(value)));
        Ok(declared.chain(without(self.hidden)).chain(exports).collect())
    }

    /// The values that a script names, and no others; what has no value stays unset, so that `-u` speaks up, but
    /// for a hook, where it is empty unless the environment says otherwise.
    ///
    /// # Errors
    /// A value that no environment can hold.
    pub fn exports(&self, names: &[Arc<str>]) -> Result<Env, String> {
        let mut env = Env::new();
        for name in names {
            let Some(value) = self.scope.spelled(name) else {
                if let Some(secret) = self.scope.secrets().get(self.place.file, name) {
                    env.push((OsString::from(&**name), secret?.to_owned()));
                    continue;
                }
                if self.scope.in_hook() && self.variable(name).is_none() {
                    env.push((OsString::from(&**name), OsString::new()));
                }
                continue;
            };
            env.push((OsString::from(&**name), exported(name, &value)?));
        }
        Ok(env)
    }
}

/// What is said of a host, which is the same for whoever runs there.
fn of_host(host: &Host, text: &Spanned<Template>, around: &Surroundings) -> Result<String, String> {
    let value = |name: &str| match name {
        "host" => Some(host.name.value.to_string()),
        _ => match (name.strip_prefix("env."), name.strip_prefix("host.")) {
            (Some(variable), _) => around.variable(variable),
            (None, Some(part)) => crate::plan::hosts::part(host, part).map(|value| value.flat()),
            (None, None) => None,
        },
    };
    text.value.expand(&value).map_err(|unknown| format!("{unknown}, for the host `{}`", host.name.value))
}

/// The directory of a host, against that of the login.
///
/// # Errors
/// As for [`Here::new`].
pub fn directory(host: &Host, around: &Surroundings) -> Result<PathBuf, String> {
    host.cwd.as_ref().map_or(Ok(PathBuf::new()), |cwd| Ok(of_host(host, cwd, around)?.into()))
}

/// What each variable that a place declares comes to, as far as that can be said; outermost first.
pub fn variables(place: &Place, around: &Surroundings, scope: Scope<'_>) -> Vec<Option<String>> {
    let (dir, files) = (PathBuf::new(), PathBuf::new());
    let mut here = Here { place, around, scope, hidden: &[], env: dotenv(around, place.file), dir, files, host: None };
    let mut all = Vec::with_capacity(place.env.len());
    for entry in place.env.iter() {
        let value = here.flat(&entry.value).ok();
        here.env.extend(value.as_ref().map(|value| (OsString::from(&*entry.name.value), value.into())));
        all.push(value);
    }
    all
}

/// Removes these variables.
pub fn without(names: &[Arc<str>]) -> impl Iterator<Item = (OsString, Option<OsString>)> {
    names.iter().map(|name| (OsString::from(&**name), None))
}

/// A value as a variable.
///
/// # Errors
/// No environment can hold it.
pub fn exported(name: &str, value: &Value) -> Result<OsString, String> {
    let value = value.flat();
    if value.len() > LARGEST_VARIABLE {
        return Err(format!("`{name}` is larger than 100 KiB: hand it over by stdin \"${{{name}}}\""));
    }
    if value.contains('\0') {
        return Err(format!("`{name}` holds a NUL byte, which no environment can"));
    }
    Ok(value.into())
}

/// What the `dotenv` of a file adds, where the environment says nothing.
pub fn dotenv(around: &Surroundings, file: FileId) -> Env {
    around.dotenv(file).map(|(name, value)| (OsString::from(&**name), OsString::from(&**value))).collect()
}
