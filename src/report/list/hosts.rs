//! The hosts of a list: those that files declare, and not all that ssh knows.

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::report::sanitize::visible;
use crate::report::style::{Ink, Style};
use crate::xecfile::model::{Host, Origin};

/// A line for each, behind an empty one; nothing where there are none.
pub(super) fn text(hosts: &[Host], style: Style) -> String {
    let declared: Vec<&Host> = declared(hosts).collect();
    let widest = declared.iter().map(|host| visible(&host.name.value).width()).max().unwrap_or(0);
    let mut out = String::new();
    for (at, host) in declared.into_iter().enumerate() {
        if at == 0 {
            out.push_str("\nhosts\n");
        }
        let name = visible(&host.name.value);
        out.push_str("  ");
        out.push_str(&style.paint(Ink::Bold, &name));
        let about = about(host);
        if !about.is_empty() {
            out.push_str(&" ".repeat(widest.saturating_sub(name.width()) + 2));
            out.push_str(&style.paint(Ink::Dim, &visible(&about)));
        }
        out.push('\n');
    }
    out
}

fn declared(hosts: &[Host]) -> impl Iterator<Item = &Host> {
    hosts.iter().filter(|host| host.origin != Origin::SshConfig)
}

/// Its tags, and the way there where that is not the usual one.
fn about(host: &Host) -> String {
    let mut parts: Vec<String> = host.tags.iter().map(|tag| tag.to_string()).collect();
    if host.via.name() != "ssh" {
        parts.push(format!("[via {}]", host.via.name()));
    }
    parts.join(" ")
}

/// A host for machines.
#[derive(Serialize)]
pub(super) struct Listed<'a> {
    name: &'a str,
    tags: Vec<&'a str>,
    address: &'a str,
    user: Option<&'a str>,
    port: Option<u16>,
    via: &'static str,
}

pub(super) fn listed(hosts: &[Host]) -> Vec<Listed<'_>> {
    declared(hosts).map(Listed::of).collect()
}

impl<'a> Listed<'a> {
    fn of(host: &'a Host) -> Self {
        Self {
            name: &host.name.value,
            tags: host.tags.iter().map(|tag| &**tag).collect(),
            address: host.address.as_ref().unwrap_or(&host.name.value),
            user: host.user.as_deref(),
            port: host.port,
            via: host.via.name(),
        }
    }
}
