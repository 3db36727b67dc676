//! Which processes there are, from `/proc`; Linux only, as are the promises it is for.

use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::DEADLINE;
use crate::harness::fifo::readable;

/// A process that is there (a zombie is not).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its parent.
    pub parent: i32,
    /// Its name, at most 15 bytes.
    pub comm: String,
    /// Its state: `S`, `R`, `T`, …
    pub state: char,
    /// Its process group.
    pub group: i32,
}

/// Reads one process; nothing if it is gone or a zombie.
pub fn process(pid: i32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (before, after) = stat.rsplit_once(')')?;
    let comm = before.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = after.split_whitespace().collect();
    let state = fields.first()?.chars().next()?;
    if matches!(state, 'Z' | 'X') {
        return None;
    }
    Some(Process { pid, comm, state, parent: fields.get(1)?.parse().ok()?, group: fields.get(2)?.parse().ok()? })
}

/// Every process there is.
pub fn all() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").expect("/proc");
    entries.filter_map(|entry| process(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

/// The processes of a case: those with the name of its directory in their environment, on their command
/// line, or in their working directory. An empty environment hides nobody.
pub fn marked(dir: &Path) -> Vec<Process> {
    let mark = dir.file_name().and_then(|name| name.to_str()).expect("a named directory");
    let finder = memchr::memmem::Finder::new(mark.as_bytes());
    let carries = |process: &Process| {
        let base = format!("/proc/{}", process.pid);
        let in_file =
            |name: &str| std::fs::read(format!("{base}/{name}")).is_ok_and(|bytes| finder.find(&bytes).is_some());
        let in_cwd = || {
            let cwd = std::fs::read_link(format!("{base}/cwd")).ok();
            cwd.is_some_and(|cwd| finder.find(cwd.as_os_str().as_encoded_bytes()).is_some())
        };
        in_file("cmdline") || in_file("environ") || in_cwd()
    };
    all().into_iter().filter(carries).collect()
}

/// Waits until no process of a case is left, by their own ends and not by the clock.
#[track_caller]
pub fn await_gone(dir: &Path) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let left = marked(dir);
        let Some(one) = left.first() else { return };
        assert!(await_end(one.pid, deadline), "still there: {left:?}");
    }
}

/// Waits until the processes of a case with that name are so many, all in that state. The kernel tells nobody
/// but a parent of a stop, so this looks until it is so.
#[track_caller]
pub fn await_all(dir: &Path, comm: &str, count: usize, state: char) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let found: Vec<Process> = marked(dir).into_iter().filter(|process| process.comm == comm).collect();
        if found.len() == count && found.iter().all(|process| process.state == state) {
            return;
        }
        assert!(Instant::now() < deadline, "not {count} `{comm}` in state {state}: {found:?}");
        std::thread::yield_now();
    }
}

/// Waits until a process has ended; it may be gone already.
pub fn await_end(pid: i32, deadline: Instant) -> bool {
    match pidfd(pid) {
        Some(fd) => readable(fd.as_fd(), deadline),
        None => true,
    }
}

/// A descriptor that becomes readable when the process ends; nothing if it is gone.
pub fn pidfd(pid: i32) -> Option<OwnedFd> {
    // SAFETY: takes two integers, and gives back a descriptor that nobody else owns.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        (fd >= 0).then(|| OwnedFd::from_raw_fd(fd as i32))
    }
}

/// The child of a process with that name.
#[track_caller]
pub fn child_named(parent: i32, comm: &str) -> Process {
    let children: Vec<Process> = all().into_iter().filter(|process| process.parent == parent).collect();
    let found = children.iter().find(|process| process.comm == comm).cloned();
    found.unwrap_or_else(|| panic!("no `{comm}` among the children of {parent}: {children:?}"))
}

/// Kills every process of a case: the way out of a failed test.
pub fn kill_marked(dir: &Path) {
    for process in marked(dir) {
        kill(Pid::from_raw(process.pid), Signal::SIGKILL).ok();
    }
}

/// A field of `/proc/PID/status` in KiB, such as `VmHWM`, the most memory it ever held.
#[track_caller]
pub fn status_kib(pid: i32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process that is there");
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).expect("a field of status")
}

/// Awaits that nothing in a process wakes up for so many seconds, again and again: what it was doing may take a moment, a
/// tick of any kind would be in each of them.
#[track_caller]
pub fn await_idle(pid: i32, seconds: u32) {
    let switches = || {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it is there");
        // A thread may end while they are counted; then the next count differs, as it should.
        let status = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok());
        let count = |status: String| -> u64 {
            let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
            lines.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum()
        };
        status.map(count).sum::<u64>()
    };
    let mut before = switches();
    let quiet = (0..10).any(|_| {
        crate::harness::Case::new().program("sleep").args([seconds.to_string()]).run().ok();
        let after = switches();
        std::mem::replace(&mut before, after) == after
    });
    assert!(quiet, "something wakes up though nothing happens");
}
