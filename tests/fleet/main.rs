//! Commands on hosts, over real sshds on loopback addresses. As in `tests/broker` each case forks a broker of its
//! own, from a main without the usual harness.
//!
//! `cargo test` runs a few cases with four hosts; `cargo test --test fleet -- --full` runs all of them, with forty.
//! Without an sshd (see `scripts/setup`) they fail. Cases that need users and namespaces are root's alone.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "tests")]

mod binary;
mod cable;
#[path = "../common/cases.rs"]
mod cases;
mod copies;
mod cost;
mod faults;
mod limits;
mod logins;
mod release;
mod smoke;
mod sshd;
mod sudo;
#[path = "../common/support.rs"]
#[allow(dead_code, reason = "shared with the tests of the broker")]
mod support;

mod truth;

use cases::Asked;

/// When a case is run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    Full,
    /// As [`When::Full`], and only as root.
    Root,
}

type Case = (&'static str, When, fn());

/// No case takes a tenth of this, in seconds.
const PATIENCE: u32 = 300;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [role, host, port] if role == "slow" => return faults::slow_proxy(host, port),
        [role, dir, mark] if role == "victim" => return faults::victim(dir.into(), mark),
        _ => {}
    }
    let asked = Asked::new(args);
    if asked.flag("--cost") {
        let mut numbers = asked.words().filter_map(|word| word.parse().ok());
        return cost::measure(numbers.next().unwrap_or(40), numbers.next().unwrap_or(25));
    }
    let full = asked.flag("--full") || std::env::var_os("XEC_FLEET").is_some_and(|value| value == "full");
    let due = |when: When| match when {
        When::Always => true,
        When::Full => full,
        When::Root => full && sshd::is_root(),
    };
    let groups = [
        smoke::CASES,
        binary::CASES,
        faults::CASES,
        limits::CASES,
        logins::CASES,
        copies::CASES,
        release::CASES,
        sudo::CASES,
        truth::CASES,
    ];
    let cases = groups.into_iter().flatten().filter(|(_, when, _)| due(*when));
    asked.run(cases.map(|(name, _, case)| (*name, *case)), PATIENCE);
}
