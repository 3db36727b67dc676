//! Which hosts of a run a selector means, and what to tell who meant none. Pure.

use std::ops::Range;

use crate::base::name::{did_you_mean, nearest};
use crate::base::selector::Selector;
use crate::xecfile::model::{Host, Origin};

/// So many names and tags are told where none is near.
const MOST_TOLD: usize = 8;

/// A selector that cannot be followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoHost {
    /// What is wrong, as a sentence of a problem.
    pub message: String,
    /// The bytes of the selector that say so.
    pub place: Range<usize>,
    /// The way out.
    pub help: String,
}

/// The places of the hosts that are meant, in their order.
///
/// # Errors
/// A word that names no host and no tag, or no host is meant by the whole of it.
pub fn select(hosts: &[Host], selector: &Selector, text: &str) -> Result<Vec<usize>, NoHost> {
    let declared = |host: &&Host| host.origin != Origin::SshConfig;
    for term in selector.terms().filter(|term| term.is_plain()) {
        let there = hosts.iter().any(|host| match host.origin {
            Origin::SshConfig => !term.negated && *host.name.value == *term.text,
            _ => term.fits(&host.name.value, &host.tags),
        });
        if !there {
            let message = format!("there is no host and no tag `{}`", term.text);
            return Err(NoHost { message, place: term.place.clone(), help: help(hosts, &term.text) });
        }
    }
    let meant = |host: &Host| match host.origin {
        Origin::SshConfig => selector.names(&host.name.value),
        _ => selector.fits(&host.name.value, &host.tags),
    };
    let found: Vec<usize> = (0..hosts.len()).filter(|at| meant(&hosts[*at])).collect();
    if found.is_empty() {
        let message = format!("`{text}` selects none of the {} hosts", hosts.iter().filter(declared).count());
        return Err(NoHost { message, place: 0..text.len(), help: help(hosts, text) });
    }
    Ok(found)
}

/// The nearest names and tags, else those that there are.
fn help(hosts: &[Host], word: &str) -> String {
    let mut names: Vec<&str> =
        hosts.iter().filter(|host| host.origin != Origin::SshConfig).map(|host| &*host.name.value).collect();
    let mut tags: Vec<&str> = hosts.iter().flat_map(|host| &host.tags).map(|tag| &**tag).collect();
    tags.sort_unstable();
    tags.dedup();
    if names.is_empty() {
        return format!("declare one at the top of the file: host {word} {{ address … }}");
    }
    if word == "all" {
        return "all hosts are selected by \"*\"".to_owned();
    }
    let known: Vec<&str> = nearest(word, names.iter().chain(&tags).copied());
    if let Some(help) = did_you_mean(word, known) {
        return help;
    }
    let told = |list: &mut Vec<&str>| {
        let more = list.len().saturating_sub(MOST_TOLD);
        list.truncate(MOST_TOLD);
        let listed = list.join(", ");
        if more > 0 { format!("{listed} and {more} more") } else { listed }
    };
    let hosts = format!("the hosts are {}", told(&mut names));
    if tags.is_empty() { hosts } else { format!("{hosts}; the tags are {}", told(&mut tags)) }
}
