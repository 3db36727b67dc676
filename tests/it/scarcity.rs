//! Scarcity is not failure: where processes or descriptors run out, xec does less at once.
//!
//! make, ninja, just, go-task and mise all fail where only 40 processes are allowed.

use nix::sys::resource::Resource;
use nix::unistd::Uid;

use crate::harness::{Case, Ran};

/// Leaves room for so many processes, xec among them. The kernel counts by user, and never bounds root: as
/// root the case gets a user of its own, else what the user has already is added.
pub fn with_processes(case: Case, room: u64) -> Case {
    if Uid::effective().is_root() {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        return case.user(60_000 + (std::process::id() * 16 + next) % 5_000).limit(Resource::RLIMIT_NPROC, room);
    }
    let mine = Uid::effective().as_raw();
    let threads = |pid: std::ffi::OsString| -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid.to_str()?)).ok()?;
        let field = |name: &str| {
            status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
        };
        (field("Uid:")? == u64::from(mine)).then(|| field("Threads:")).flatten()
    };
    let used: u64 = std::fs::read_dir("/proc").unwrap().filter_map(|entry| threads(entry.ok()?.file_name())).sum();
    case.limit(Resource::RLIMIT_NPROC, used + room)
}

/// Sixty that all want to run at once, each for a moment.
fn crowd() -> Case {
    let steps = "exec sleep \"0.3\"\n".repeat(60);
    let file = format!("task t {{ parallel {{ {steps} }}; run \"echo all done\" }}\n");
    Case::new().xecfile(file).args(["-j0", "--events=json:events.jsonl", "t"])
}

/// Whether xec said that it does less at once from some point on.
fn was_scarce(ran: &Ran) -> bool {
    let events = ran.read("events.jsonl");
    assert!(events.contains("run-finished"), "a whole stream of events: {events}");
    events.lines().any(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["event"] == "scarce")
}

#[test]
fn few_processes() {
    let ran = with_processes(crowd(), 20).run().ok().stdout("all done\n").nothing_left();
    assert!(was_scarce(&ran), "{}", ran.story());
}

#[test]
fn few_descriptors() {
    let ran = crowd().limit(Resource::RLIMIT_NOFILE, 40).run().ok().stdout("all done\n").nothing_left();
    assert!(was_scarce(&ran), "{}", ran.story());
}

#[test]
fn enough_of_both_is_not_scarce() {
    let ran = crowd().run().ok().stdout("all done\n");
    assert!(!was_scarce(&ran), "{}", ran.story());
}
