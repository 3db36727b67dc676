//! Which hosts a plan means, and what can be said of them before anything runs.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::selector::Selector;
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::plan::graph::Pool;
use crate::plan::ids::{HostId, PoolId};
use crate::plan::values::{Value, Values};
use crate::xecfile::model::{Host, Pick, select};

/// The places of the hosts that a selector means, once its values are known.
///
/// # Errors
/// They are not, or the selector means none.
pub fn meant(text: &Spanned<Template>, own: Values<'_>) -> Result<Vec<usize>, Box<Problem>> {
    selected(&written(text, own)?, text, own)
}

/// What a selector is once its values are known.
fn written(text: &Spanned<Template>, own: Values<'_>) -> Result<String, Box<Problem>> {
    // Several values are several selectors: any of them.
    Ok(own.must(text, "where something runs")?.items().join(","))
}

fn selected(written: &str, text: &Spanned<Template>, own: Values<'_>) -> Result<Vec<usize>, Box<Problem>> {
    let selector = Selector::parse(written).map_err(|bad| {
        let message = format!("`{written}` selects no hosts: {}", bad.why);
        Box::new(Problem::error(Code::BadValue, message).at(text.span, ""))
    })?;
    select(own.file.hosts(), &selector, written)
        .map_err(|none| Box::new(Problem::error(Code::UnknownHost, none.message).at(text.span, "").help(none.help)))
}

/// What has been looked up of the hosts of a file, so that no instance of a set over all of them looks through all of
/// them again.
pub struct Found {
    names: HashMap<Arc<str>, HostId>,
    /// By what was written.
    meant: HashMap<String, Arc<[HostId]>>,
    pools: HashMap<(Arc<[HostId]>, Pick), PoolId>,
}

impl Found {
    /// Of these hosts nothing but the names is known yet.
    pub fn new(hosts: &[Host]) -> Self {
        let names = hosts.iter().enumerate().map(|(at, host)| (host.name.value.clone(), HostId(at as u32)));
        Self { names: names.collect(), meant: HashMap::new(), pools: HashMap::new() }
    }

    /// The host of a name.
    pub fn named(&self, name: &str) -> Option<HostId> {
        self.names.get(name).copied()
    }

    /// As [`meant`].
    ///
    /// # Errors
    /// As there.
    pub fn meant(&mut self, text: &Spanned<Template>, own: Values<'_>) -> Result<Arc<[HostId]>, Box<Problem>> {
        let written = written(text, own)?;
        if let Some(known) = self.meant.get(&written) {
            return Ok(known.clone());
        }
        let found: Arc<[HostId]> = selected(&written, text, own)?.into_iter().map(|at| HostId(at as u32)).collect();
        self.meant.insert(written, found.clone());
        Ok(found)
    }

    /// The host that a selector means where it can be one only, for the reason `why`.
    ///
    /// # Errors
    /// It means none, or several.
    pub fn one(&mut self, text: &Spanned<Template>, own: Values<'_>, why: &str) -> Result<HostId, Box<Problem>> {
        let found = self.meant(text, own)?;
        // Its own name is nobody else's, even where a tag is called so.
        let named = self.named(&own.must(text, "where something runs")?.flat()).filter(|host| found.contains(host));
        match (named, &found[..]) {
            (Some(only), _) | (None, &[only]) => Ok(only),
            (None, several) => {
                let problem = Problem::error(Code::OneHost, format!("{why}, and this selects {}", several.len()));
                Err(Box::new(problem.at(text.span, "").help("one of them: on … pick=first")))
            }
        }
    }

    /// The same hosts, picked in the same way, are one pool: so that all who pick from it take turns.
    pub fn pool(&mut self, pools: &mut Vec<Pool>, hosts: Arc<[HostId]>, pick: Pick) -> PoolId {
        *self.pools.entry((hosts, pick)).or_insert_with_key(|(hosts, pick)| {
            pools.push(Pool { hosts: hosts.to_vec(), pick: *pick });
            PoolId(pools.len() as u32 - 1)
        })
    }
}

/// `${host.address}`, `${host.tags}`.
pub fn part(host: &Host, name: &str) -> Option<Value> {
    match name {
        "address" => Some(Value::Text(host.address.clone().unwrap_or_else(|| host.name.value.clone()))),
        "tags" => Some(Value::List(host.tags.to_vec().into())),
        _ => None,
    }
}
