//! The process layer, with real processes. Each case forks a broker of its own, which has to happen while
//! there is one thread: so the cases run one after the other, from a main without the usual harness. It speaks
//! as much of the harness's language as cargo and nextest need.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};

mod ends;
mod hosts;
mod scarce;
mod starts;
mod streams;
#[allow(dead_code, reason = "shared with the tests of fleets")]
mod support;
mod terminal;

type Case = (&'static str, fn());

/// No case takes a tenth of this; one that hangs must not hang the build.
const PATIENCE: u32 = 120;

fn main() {
    // What whoever runs the tests hands on, such as the slots of a jobserver, is not ours.
    for inherited in 3..64 {
        let _ = nix::unistd::close(inherited);
    }
    let mut args = std::env::args().skip(1).peekable();
    if args.peek().is_some_and(|arg| arg == "relay") {
        return hosts::relay(args.nth(1).unwrap());
    }
    let args: Vec<String> = args.collect();
    let flag = |name: &str| args.iter().any(|arg| arg == name);
    let filters: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-') && *arg != "terse").collect();
    let groups = [starts::CASES, streams::CASES, ends::CASES, scarce::CASES, terminal::CASES, hosts::CASES];
    let wanted = |name: &str| {
        let fits =
            |filter: &&String| if flag("--exact") { name == filter.as_str() } else { name.contains(filter.as_str()) };
        filters.is_empty() || filters.iter().any(fits)
    };
    let cases: Vec<&Case> = groups.iter().copied().flatten().filter(|(name, _)| wanted(name)).collect();
    if flag("--list") {
        let listed = if flag("--ignored") { &[][..] } else { &cases[..] };
        listed.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    let (begun, mut failed) = (std::time::Instant::now(), 0);
    for (name, case) in &cases {
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
