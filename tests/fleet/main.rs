//! Commands on hosts, over real sshds on loopback addresses. As in `tests/broker` each case forks a broker of its
//! own, from a main without the usual harness.
//!
//! `cargo test` runs a few cases with four hosts; `cargo test --test fleet -- --full` runs all of them, with forty.
//! Without an sshd (see `scripts/setup`) they fail. Cases that need users and namespaces are root's alone.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};

mod binary;
mod copies;
mod cost;
mod faults;
mod limits;
mod logins;
mod release;
mod smoke;
mod sshd;
#[path = "../broker/support.rs"]
#[allow(dead_code, reason = "shared with the tests of the broker")]
mod support;

/// When a case is run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    Full,
    /// As [`When::Full`], and only as root.
    Root,
}

type Case = (&'static str, When, fn());

/// No case takes a tenth of this; one that hangs must not hang the build.
const PATIENCE: u32 = 300;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| args.iter().any(|arg| arg == name);
    match &args[..] {
        [role, host, port] if role == "slow" => return faults::slow_proxy(host, port),
        [role, dir, mark] if role == "victim" => return faults::victim(dir.into(), mark),
        _ => {}
    }
    if flag("--cost") {
        let mut numbers = args.iter().filter_map(|arg| arg.parse().ok());
        return cost::measure(numbers.next().unwrap_or(40), numbers.next().unwrap_or(25));
    }
    let full = flag("--full") || std::env::var_os("XEC_FLEET").is_some_and(|value| value == "full");
    let filters: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-') && *arg != "terse").collect();
    let wanted = |name: &str, when: When| {
        let fits =
            |filter: &&String| if flag("--exact") { name == filter.as_str() } else { name.contains(filter.as_str()) };
        let due = match when {
            When::Always => true,
            When::Full => full,
            When::Root => full && sshd::is_root(),
        };
        due && (filters.is_empty() || filters.iter().any(fits))
    };
    let groups =
        [smoke::CASES, binary::CASES, faults::CASES, limits::CASES, logins::CASES, copies::CASES, release::CASES];
    let cases: Vec<&Case> = groups.iter().copied().flatten().filter(|(name, when, _)| wanted(name, *when)).collect();
    if flag("--list") {
        let listed = if flag("--ignored") { &[][..] } else { &cases[..] };
        listed.iter().for_each(|(name, ..)| println!("{name}: test"));
        return;
    }
    let (begun, mut failed) = (std::time::Instant::now(), 0);
    for (name, _, case) in &cases {
        nix::unistd::alarm::set(PATIENCE);
        let passed = catch_unwind(AssertUnwindSafe(case)).is_ok();
        nix::unistd::alarm::cancel();
        failed += usize::from(!passed);
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
    }
    let (verdict, passed) = (if failed == 0 { "ok" } else { "FAILED" }, cases.len() - failed);
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; finished in {:.2?}",
        begun.elapsed()
    );
    assert_eq!(failed, 0);
}
