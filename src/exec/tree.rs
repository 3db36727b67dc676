//! The processes of this machine as `/proc` has them: who is below whom, and who holds a pipe. Knows no jobs.
//!
//! Where there is no `/proc` everything in here is empty, and process groups are all there is.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// One process at the time of [`Table::read`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    /// When it began, in ticks since boot: with the pid this names it for ever.
    pub(crate) start: u64,
    /// Ended, and not yet waited for.
    pub(crate) zombie: bool,
    /// What it uses.
    pub(crate) load: Load,
    name: String,
}

/// What one process uses, as the kernel counts it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Load {
    /// CPU time, with that of the children it has waited for, in ticks of the clock.
    pub(crate) ticks: u64,
    /// Its resident set, in pages.
    pub(crate) pages: u64,
}

impl Process {
    /// The process of that pid, if there is one.
    pub(crate) fn read(pid: i32) -> Option<Self> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(&String::from_utf8_lossy(&stat))
    }

    /// `pid (name) state ppid pgrp …`, where the name may hold anything, `)` too.
    fn parse(stat: &str) -> Option<Self> {
        let (pid, rest) = stat.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let zombie = matches!(fields.next()?, "Z" | "X");
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let mut fields = fields.skip(8);
        let ticks = fields.by_ref().take(4).filter_map(|time| time.parse::<u64>().ok()).sum();
        let start = fields.nth(4)?.parse().ok()?;
        let pages = fields.nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        let load = Load { ticks, pages };
        Some(Self { pid: pid.parse().ok()?, parent, group, start, zombie, load, name: name.to_owned() })
    }

    /// `name (pid)`.
    pub(crate) fn label(&self) -> String {
        format!("{} ({})", self.name, self.pid)
    }

    /// Whether it was started with this `NAME=value` in its environment; `None` where it shows none.
    pub(crate) fn carries(&self, entry: &[u8]) -> Option<bool> {
        let all = fs::read(format!("/proc/{}/environ", self.pid)).ok().filter(|all| !all.is_empty())?;
        Some(all.split(|byte| *byte == 0).any(|one| one == entry))
    }

    /// Whether this very process still runs.
    pub(crate) fn lives(&self) -> bool {
        Self::read(self.pid).is_some_and(|now| now.start == self.start && !now.zombie)
    }
}

/// All processes at one time, more or less: what forks meanwhile may be missing.
#[derive(Default)]
pub(crate) struct Table {
    processes: Vec<Process>,
    places: HashMap<i32, usize>,
    children: HashMap<i32, Vec<usize>>,
}

impl Table {
    pub(crate) fn read() -> Self {
        let mut table = Self::default();
        for pid in pids() {
            if let Some(process) = Process::read(pid) {
                table.children.entry(process.parent).or_default().push(table.processes.len());
                table.places.insert(pid, table.processes.len());
                table.processes.push(process);
            }
        }
        table
    }

    /// Whether this very process was there, and running.
    pub(crate) fn holds(&self, process: &Process) -> bool {
        self.places.get(&process.pid).is_some_and(|at| {
            let now = &self.processes[*at];
            now.start == process.start && !now.zombie
        })
    }

    /// The process of that pid.
    #[cfg_attr(target_os = "macos", allow(dead_code, reason = "without `/proc` the table is empty"))]
    pub(crate) fn process(&self, pid: i32) -> Option<&Process> {
        self.places.get(&pid).map(|at| &self.processes[*at])
    }

    /// A process, all below it, and all else in its group.
    #[cfg_attr(target_os = "macos", allow(dead_code, reason = "without `/proc` the table is empty"))]
    pub(crate) fn below_or_beside<'t>(&'t self, process: &'t Process) -> impl Iterator<Item = &'t Process> {
        let below = self.below(process.pid);
        let known: HashSet<i32> = below.iter().map(|one| one.pid).chain([process.pid]).collect();
        let beside = self.processes.iter().filter(move |one| one.group == process.group && !known.contains(&one.pid));
        below.into_iter().chain([process]).chain(beside)
    }

    /// The children of a process.
    pub(crate) fn children(&self, pid: i32) -> impl Iterator<Item = &Process> {
        self.children.get(&pid).into_iter().flatten().map(|at| &self.processes[*at])
    }

    /// All below a process, zombies too, each after its parent; not the process itself.
    pub(crate) fn below(&self, pid: i32) -> Vec<&Process> {
        let mut found: Vec<&Process> = self.children(pid).collect();
        let mut next = 0;
        while let Some(process) = found.get(next) {
            next += 1;
            // A table that was not read in one instant could hold a ring; no process is below itself.
            if found.len() <= self.processes.len() {
                found.extend(self.children(process.pid));
            }
        }
        found
    }
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// How long a search for the holders of a pipe may take, how many processes it looks at even on a machine so busy that
/// this is over at once, and how many names it gives.
const SEARCH: Duration = Duration::from_millis(50);
const AT_LEAST: usize = 16;
const MOST_HOLDERS: usize = 8;

/// Who else holds one of these pipes (by inode): `name (pid)`. Those that began after `leader` are looked at
/// first, since the search is bounded and it was most likely one of its children.
pub(crate) fn pipe_holders(inodes: &[u64], leader: i32) -> Vec<String> {
    let links: Vec<String> = inodes.iter().map(|inode| format!("pipe:[{inode}]")).collect();
    let begun = Instant::now();
    let own = std::process::id() as i32;
    let mut order: Vec<i32> = pids().filter(|pid| *pid != own).collect();
    order.sort_unstable();
    let younger = order.partition_point(|pid| *pid < leader);
    order.rotate_left(younger);
    let searched = order.into_iter().enumerate().take_while(|(at, _)| *at < AT_LEAST || begun.elapsed() < SEARCH);
    let holders = searched.map(|(_, pid)| pid).filter(|pid| holds(Path::new(&format!("/proc/{pid}/fd")), &links));
    holders.filter_map(Process::read).take(MOST_HOLDERS).map(|process| process.label()).collect()
}

fn holds(fds: &Path, links: &[String]) -> bool {
    let entries = fs::read_dir(fds).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|to| links.iter().any(|link| to.as_os_str() == link.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_that_look_like_fields() {
        let stat = "42 (a) R 1 (b) S 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25";
        let process = Process::parse(stat).unwrap();
        assert_eq!(process.label(), "a) R 1 (b (42)");
        assert_eq!((process.parent, process.group, process.zombie, process.start), (7, 8, false, 25));
        assert_eq!(process.load, Load { ticks: 17 + 18 + 19 + 20, pages: 0 }, "of a kernel that says no more");
        assert_eq!(Process::parse("42 (x"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn finds_a_child_and_what_it_holds() {
        use std::os::unix::fs::MetadataExt;
        let mut child =
            std::process::Command::new("sleep").arg("60").stdout(std::process::Stdio::piped()).spawn().unwrap();
        let pid = child.id() as i32;
        let table = Table::read();
        assert!(table.below(std::process::id() as i32).iter().any(|process| process.pid == pid));
        let pipe = fs::metadata(format!("/proc/{pid}/fd/1")).unwrap().ino();
        // A child that another test starts at this moment may hold it, too, until it executes.
        let sleeper = format!("sleep ({pid})");
        assert!(pipe_holders(&[pipe], pid).contains(&sleeper));
        let process = Process::read(pid).unwrap();
        assert!(process.lives());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!process.lives());
    }
}
