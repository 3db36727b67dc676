//! Hosts, and where things run.

use std::sync::Arc;
use std::time::Duration;

use crate::base::source::{Span, Spanned};
use crate::base::value::Template;
use crate::xecfile::model::{EnvEntry, Width};

/// So many steps at once on a host that says nothing.
pub const HOST_JOBS: u32 = 4;

/// So many instances at once in a set over hosts that says nothing.
pub const FLEET_JOBS: u32 = 64;

/// The name of the axis that `on` makes.
pub const HOST_AXIS: &str = "host";

/// A machine, container or pod that steps can run on.
#[derive(Clone, Debug)]
pub struct Host {
    /// By which it is selected and shown; no two are the same.
    pub name: Spanned<Arc<str>>,
    /// Words that select it too.
    pub tags: Vec<Arc<str>>,
    /// Where it is, if that is not its name.
    pub address: Option<Arc<str>>,
    /// Whom to log in as, if the way there is not to decide that.
    pub user: Option<Arc<str>>,
    /// Where its sshd listens, likewise.
    pub port: Option<u16>,
    /// How many steps at once.
    pub jobs: Option<Width>,
    /// Its share of the work where one of several is picked; at least 1.
    pub weight: u32,
    /// How many connections it may have.
    pub pool: Option<u8>,
    /// How long one is kept that nobody uses.
    pub idle: Option<Duration>,
    /// How to get there.
    pub via: Via,
    /// Variables of what runs there.
    pub env: Vec<EnvEntry>,
    /// Its directory, where a step says none.
    pub cwd: Option<Spanned<Template>>,
    /// As whom it runs there, where a step does not say.
    pub sudo: Option<Arc<str>>,
    /// Who says that it exists.
    pub origin: Origin,
    /// The node without its children.
    pub span: Span,
}

impl Host {
    /// A host of which nothing is known but its name.
    pub fn new(name: Spanned<Arc<str>>, origin: Origin, span: Span) -> Self {
        Self {
            name,
            tags: Vec::new(),
            address: None,
            user: None,
            port: None,
            jobs: None,
            weight: 1,
            pool: None,
            idle: None,
            via: Via::Ssh,
            env: Vec::new(),
            cwd: None,
            sudo: None,
            origin,
            span,
        }
    }
}

/// Who says that a host exists.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// A `host` of an Xecfile.
    Xecfile,
    /// A file that `hosts from=` names.
    Inventory,
    /// The user's configuration of ssh: such a host is meant by its whole name alone, and not by patterns.
    SshConfig,
}

/// How to get to a host.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Via {
    /// The user's ssh.
    #[default]
    Ssh,
    /// `docker exec`; with a label, into the first container that carries it instead of the one of that name.
    Docker {
        /// The label.
        label: Option<Arc<str>>,
    },
    /// `kubectl exec`.
    Kubernetes {
        /// If not the one of the client's context.
        namespace: Option<Arc<str>>,
        /// Which one of a pod, if not its first.
        container: Option<Arc<str>>,
        /// Labels that select the pod, instead of its name.
        label: Option<Arc<str>>,
    },
    /// This machine, by a shell of its own: for rehearsals.
    Local,
}

impl Via {
    /// Its word in the file.
    pub fn name(&self) -> &'static str {
        match self {
            Via::Ssh => "ssh",
            Via::Docker { .. } => "docker",
            Via::Kubernetes { .. } => "kubernetes",
            Via::Local => "local",
        }
    }
}

/// Where something runs, as it is written.
#[derive(Clone, Debug)]
pub enum On {
    /// Here.
    Here,
    /// On the host, or the hosts, that a selector means.
    Hosts(Spanned<Template>),
    /// On one of those that a selector means.
    One(Spanned<Template>, Pick),
}

/// Which one of several hosts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pick {
    /// The first that can be reached, as far as is known.
    First,
    /// One after the other, each as often as it weighs.
    RoundRobin,
    /// The one with the least to do, by its weight.
    LeastLoaded,
    /// Any, by its weight.
    Random,
}

impl Pick {
    /// Every way, by its word in the file.
    pub const ALL: [(&'static str, Pick); 4] = [
        ("first", Pick::First),
        ("round-robin", Pick::RoundRobin),
        ("least-loaded", Pick::LeastLoaded),
        ("random", Pick::Random),
    ];

    /// Its word in the file.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, pick)| *pick == self).map_or("first", |(name, _)| name)
    }
}

impl std::str::FromStr for Pick {
    type Err = ();

    /// Reads a way as users write it.
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, pick)| *pick).ok_or(())
    }
}
