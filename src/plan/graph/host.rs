//! Where things run, as a plan knows it: on a host that is known, or on one that is picked when it begins.

use std::collections::HashMap;
use std::hash::BuildHasher;

use crate::plan::ids::{HostId, PoolId, ScopeId};
use crate::xecfile::model::Pick;

/// Where what is in a scope runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Target {
    /// Here.
    #[default]
    Here,
    /// On this host.
    Host(HostId),
    /// On the one that is picked when this scope begins.
    Pick(PoolId, ScopeId),
}

impl Target {
    /// Which host that is, by what was picked for which scope so far; `None` is here.
    pub fn host(self, bound: &HashMap<ScopeId, HostId, impl BuildHasher>) -> Option<HostId> {
        match self {
            Target::Here => None,
            Target::Host(host) => Some(host),
            Target::Pick(_, by) => bound.get(&by).copied(),
        }
    }
}

/// Hosts of which one is picked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pool {
    /// In the order of the file; never empty.
    pub hosts: Vec<HostId>,
    /// How.
    pub pick: Pick,
}
