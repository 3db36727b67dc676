//! The secrets of a run: what they are, as far as that is known by now. All that is learned is covered from then on in
//! whatever is shown. Asks nothing itself.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;

use crate::exec::mask::{LONGEST, Masks, SHORTEST};
use crate::plan::graph::Plan;
use crate::run::command::Surroundings;
use crate::xecfile::model::{FileId, SecretSource};

/// All secrets that are known.
#[derive(Debug, Default)]
pub struct Secrets {
    known: HashMap<(FileId, Arc<str>), Result<OsString, String>>,
    /// What nobody must see of them.
    pub masks: Masks,
}

impl Secrets {
    /// Those of the environment, which are covered from the beginning, whoever uses them.
    pub fn new(plan: &Plan, around: &Surroundings, masks: Masks) -> Self {
        let mut secrets = Self { known: HashMap::new(), masks };
        for (file, list) in plan.defs.secrets.iter().enumerate() {
            for secret in list.iter().filter(|secret| matches!(secret.source, SecretSource::Variable)) {
                let name = &secret.name.value;
                let declared = || around.dotenv.get(file)?.iter().rfind(|(given, _)| given == name);
                let value = match around.env.get(OsStr::new(&**name)) {
                    Some(value) => value.clone(),
                    None => match declared() {
                        Some((_, value)) => OsString::from(&**value),
                        None => continue,
                    },
                };
                let value = secrets.check(name, value);
                secrets.known.insert((FileId(u16::try_from(file).unwrap_or(u16::MAX)), name.clone()), value);
            }
        }
        secrets
    }

    /// A secret of a file, if it has one by now.
    ///
    /// # Errors
    /// It cannot be handed over: in words.
    pub fn get(&self, file: FileId, name: &str) -> Option<Result<&OsStr, String>> {
        let found = self.known.get(&(file, Arc::from(name)))?;
        Some(found.as_ref().map(OsString::as_os_str).map_err(Clone::clone))
    }

    /// Whether all that can be known of it is known.
    pub fn has(&self, file: FileId, name: &str) -> bool {
        self.known.contains_key(&(file, Arc::from(name)))
    }

    /// What a file holds or a script wrote is one, without the line breaks at its end.
    ///
    /// # Errors
    /// It cannot be one: in words.
    pub fn learn(&mut self, file: FileId, name: Arc<str>, mut bytes: Vec<u8>) -> Result<(), String> {
        while matches!(bytes.last(), Some(b'\n' | b'\r')) {
            bytes.pop();
        }
        if bytes.is_empty() {
            return Err("it is empty".to_owned());
        }
        if bytes.contains(&0) {
            return Err("it holds a NUL byte, which no environment can".to_owned());
        }
        let value = self.check(&name, OsString::from_vec(bytes))?;
        self.known.insert((file, name), Ok(value));
        Ok(())
    }

    /// What cannot be covered is not handed over.
    fn check(&self, name: &str, value: OsString) -> Result<OsString, String> {
        match value.len() {
            // Nothing is no secret.
            0 => Ok(value),
            length if length < SHORTEST => Err(format!(
                "the secret `{name}` has {length} bytes: what is shorter than {SHORTEST} cannot be hidden in what is shown"
            )),
            length if length > LONGEST => Err(format!("the secret `{name}` is larger than {} KiB", LONGEST / 1024)),
            _ => {
                self.masks.add(value.as_bytes());
                Ok(value)
            }
        }
    }
}
