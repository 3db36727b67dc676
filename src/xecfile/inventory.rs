//! Inventories in the INI format of Ansible: hosts in groups, groups in groups, and variables of both, of which those
//! that say how to get to a host are understood. Reads a text; nothing in it is executed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem, Problems};
use crate::base::hostname::{Part, trouble};
use crate::base::selector;
use crate::base::source::{SourceId, Span, Spanned};
use crate::xecfile::model::{Host, Origin, Via};

/// Reads a whole file: its hosts in order, tagged with the groups that they are in, however deep.
pub(crate) fn parse(source: SourceId, text: &str) -> (Vec<Host>, Vec<Problem>) {
    let mut reader = Reader { source, ..Reader::default() };
    let (mut section, mut at) = (Section::Hosts(None), 0);
    for line in text.split('\n') {
        let lead = line.len() - line.trim_start().len();
        let content = line.trim();
        let span = reader.span(at + lead, content.len());
        at += line.len() + 1;
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        match content.strip_prefix('[').filter(|_| content.ends_with(']')) {
            Some(head) => section = reader.section(&head[..head.len() - 1], span),
            None => reader.line(&section, content, span),
        }
    }
    reader.finish()
}

/// What the lines under a heading are.
enum Section {
    /// Hosts, of this group if it has a name.
    Hosts(Option<usize>),
    /// Groups within this one.
    Children(usize),
    /// Variables of its hosts.
    Vars(usize),
    /// Nobody knows.
    Unknown,
}

#[derive(Default)]
struct Group {
    name: Arc<str>,
    children: Vec<usize>,
    vars: Vec<(String, String, Span)>,
}

#[derive(Default)]
struct Reader {
    source: SourceId,
    hosts: Vec<Host>,
    /// Places of hosts, by their names.
    places: HashMap<Arc<str>, usize>,
    /// Variables of each host.
    vars: Vec<Vec<(String, String, Span)>>,
    /// The groups of each host.
    member: Vec<Vec<usize>>,
    groups: Vec<Group>,
    problems: Problems,
    /// Variables that have been warned of.
    told: HashSet<String>,
}

impl Reader {
    fn span(&self, at: usize, length: usize) -> Span {
        let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { source: self.source, start: byte(at), end: byte(at + length) }
    }

    fn section(&mut self, head: &str, span: Span) -> Section {
        let (name, kind) = head.split_once(':').unwrap_or((head, ""));
        if trouble(Part::Name, name.trim()).is_some() {
            let problem = Problem::error(Code::BadName, format!("`{head}` cannot be a group of hosts"));
            self.problems.push(problem.at(span, ""));
            return Section::Unknown;
        }
        let group = self.group(name.trim());
        match kind.trim() {
            "" => Section::Hosts(Some(group)),
            "children" => Section::Children(group),
            "vars" => Section::Vars(group),
            _ => {
                let problem = Problem::error(Code::BadValue, format!("`{kind}` says nothing of a group"));
                self.problems.push(problem.at(span, "").help("there are [group], [group:children] and [group:vars]"));
                Section::Unknown
            }
        }
    }

    fn group(&mut self, name: &str) -> usize {
        match self.groups.iter().position(|group| *group.name == *name) {
            Some(at) => at,
            None => {
                self.groups.push(Group { name: name.into(), ..Group::default() });
                self.groups.len() - 1
            }
        }
    }

    fn line(&mut self, section: &Section, line: &str, span: Span) {
        match section {
            Section::Unknown => {}
            Section::Children(parent) => {
                let child = self.group(line);
                self.groups[*parent].children.push(child);
            }
            Section::Vars(group) => match line.split_once('=') {
                Some((name, value)) => {
                    let pair = (name.trim().to_owned(), unquoted(value.trim()), span);
                    self.groups[*group].vars.push(pair);
                }
                None => {
                    let problem = Problem::error(Code::BadValue, "a line without `=`").at(span, "");
                    self.problems.push(problem.help("a variable of a group is written name=value"));
                }
            },
            Section::Hosts(group) => self.host(*group, line, span),
        }
    }

    fn host(&mut self, group: Option<usize>, line: &str, span: Span) {
        // A `#` behind a blank begins a comment.
        let line = line.split(" #").next().unwrap_or_default();
        let mut words = words(line).into_iter();
        let Some(pattern) = words.next() else { return };
        let bad = |why: String| {
            let problem = Problem::error(Code::BadName, format!("`{pattern}` cannot be the name of a host: {why}"));
            problem.at(span, "")
        };
        // Ansible writes a range with a colon.
        let names = match selector::expand(&ranged(&pattern)) {
            Ok(names) => names,
            Err(why) => return self.problems.push(bad(why.to_string())),
        };
        if let Some(why) = names.first().and_then(|name| trouble(Part::Name, name)) {
            return self.problems.push(bad(why));
        }
        let vars: Vec<(String, String, Span)> = words
            .filter_map(|word| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned(), span)))
            .collect();
        for name in names {
            let name: Arc<str> = name.into();
            let at = *self.places.entry(name.clone()).or_insert(self.hosts.len());
            if at == self.hosts.len() {
                self.hosts.push(Host::new(Spanned::new(name, span), Origin::Inventory, span));
                self.vars.push(Vec::new());
                self.member.push(Vec::new());
            }
            self.vars[at].extend(vars.iter().cloned());
            self.member[at].extend(group);
        }
    }

    /// The groups that hold a group, itself first. Each once, so that a circle ends.
    fn around(&self, group: usize, parents: &[Vec<usize>]) -> Vec<usize> {
        let mut found = vec![group];
        let mut next = 0;
        while let Some(at) = found.get(next).copied() {
            next += 1;
            for parent in &parents[at] {
                if !found.contains(parent) {
                    found.push(*parent);
                }
            }
        }
        found
    }

    fn finish(mut self) -> (Vec<Host>, Vec<Problem>) {
        let mut parents: Vec<Vec<usize>> = vec![Vec::new(); self.groups.len()];
        for (at, group) in self.groups.iter().enumerate() {
            group.children.iter().for_each(|child| parents[*child].push(at));
        }
        let around: Vec<Vec<usize>> = (0..self.groups.len()).map(|group| self.around(group, &parents)).collect();
        let mut hosts = std::mem::take(&mut self.hosts);
        for (at, host) in hosts.iter_mut().enumerate() {
            let mut groups: Vec<usize> = Vec::new();
            for group in self.member[at].iter().flat_map(|group| &around[*group]) {
                if !groups.contains(group) {
                    groups.push(*group);
                }
            }
            host.tags = groups.iter().map(|group| self.groups[*group].name.clone()).collect();
            // A host's own word counts most, then that of its nearest group, and of all least.
            let all = self.groups.iter().position(|group| &*group.name == "all").filter(|all| !groups.contains(all));
            let of_groups = groups.iter().chain(&all).rev().flat_map(|group| self.groups[*group].vars.clone());
            let vars: Vec<(String, String, Span)> = of_groups.chain(std::mem::take(&mut self.vars[at])).collect();
            for (name, value, span) in vars {
                self.variable(host, &name, &value, span);
            }
        }
        (hosts, self.problems.into_vec())
    }

    fn variable(&mut self, host: &mut Host, name: &str, value: &str, span: Span) {
        let part = |part: Part| match trouble(part, value) {
            None => Ok(Some(Arc::from(value))),
            Some(why) => Err(format!("`{value}` cannot be {}: {why}", part.describe())),
        };
        let set = match name {
            "ansible_host" | "ansible_ssh_host" => part(Part::Address).map(|found| host.address = found),
            "ansible_user" | "ansible_ssh_user" => part(Part::User).map(|found| host.user = found),
            "ansible_become_user" => part(Part::User).map(|found| host.sudo = found),
            "ansible_port" | "ansible_ssh_port" => match value.parse::<u16>() {
                Ok(port) if port > 0 => {
                    host.port = Some(port);
                    Ok(())
                }
                _ => Err(format!("`{value}` is no port")),
            },
            "ansible_connection" => {
                let via = match value {
                    "ssh" | "smart" | "paramiko" => Ok(Via::Ssh),
                    "local" => Ok(Via::Local),
                    "docker" | "community.docker.docker" => Ok(Via::Docker { label: None }),
                    _ => Err(format!("there is no way to a host by `{value}`")),
                };
                via.map(|via| host.via = via)
            }
            _ => {
                if self.told.insert(name.to_owned()) {
                    let message = format!("`{name}` says nothing to xec");
                    let help = "of a host xec reads ansible_host, ansible_user, ansible_port, ansible_connection and ansible_become_user";
                    self.problems
                        .push(Problem::warning(Code::UnknownSetting, message).at(span, "it is left out").help(help));
                }
                Ok(())
            }
        };
        if let Err(why) = set
            && self.told.insert(format!("{name}={value}"))
        {
            self.problems.push(Problem::error(Code::BadValue, why).at(span, ""));
        }
    }
}

/// `web[01:12]` as everybody else writes it; what has no digits on both sides is left as it is, and refused there.
fn ranged(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut inside = false;
    for character in pattern.chars() {
        inside = (inside || character == '[') && character != ']';
        out.push(if inside && character == ':' { '-' } else { character });
    }
    out
}

fn unquoted(value: &str) -> String {
    let inner = |quote: char| value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).unwrap_or(value).to_owned()
}

/// The words of a line; quotes keep blanks together, and are taken off.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    for character in line.chars() {
        match quote {
            Some(open) if character == open => quote = None,
            None if matches!(character, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            None if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> (Vec<String>, Vec<String>) {
        let (hosts, problems) = parse(SourceId::default(), text);
        let show = |host: &Host| {
            let tags: Vec<&str> = host.tags.iter().map(|tag| &**tag).collect();
            let at = |part: &Option<Arc<str>>| part.as_deref().unwrap_or("-").to_owned();
            let port = host.port.map_or("-".to_owned(), |port| port.to_string());
            format!(
                "{} {} {} {port} {} {}",
                host.name.value,
                at(&host.address),
                at(&host.user),
                host.via.name(),
                tags.join(",")
            )
        };
        (hosts.iter().map(show).collect(), problems.into_iter().map(|problem| problem.message).collect())
    }

    #[test]
    fn hosts_have_the_tags_and_variables_of_their_groups() {
        let (hosts, problems) = lines(
            "; an inventory\nalone ansible_connection=local\n[web]\nweb[01:02].x ansible_port=2222 # two\n\
             [db]\ndb1 ansible_host=10.0.0.1 ansible_user='it'\n[web:vars]\nansible_user = deploy\nhttp_port=80\n\
             [prod:children]\nweb\ndb\n[all:vars]\nansible_user=nobody\nhttp_port=81\n",
        );
        assert_eq!(
            hosts,
            [
                "alone - nobody - local ",
                "web01.x - deploy 2222 ssh web,prod",
                "web02.x - deploy 2222 ssh web,prod",
                "db1 10.0.0.1 it - ssh db,prod",
            ]
        );
        assert_eq!(problems, ["`http_port` says nothing to xec"]);
    }

    #[test]
    fn what_cannot_be_is_told_once() {
        let (hosts, problems) = lines(
            "[a:children]\nb\n[b:children]\na\n[a]\nx ansible_port=0\ny ansible_port=0\n-oProxyCommand=x\nz;id\nw[a:c]\n[c d]\nq\n[e:f]\nq\n",
        );
        assert_eq!(hosts.len(), 2, "{hosts:?}");
        assert_eq!(problems.len(), 6, "{problems:?}");
    }
}
