//! The process layer, with real processes. Each case forks a broker of its own, which has to happen while
//! there is one thread: so the cases run one after the other, from a main without the usual harness.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "tests")]

#[path = "../common/cases.rs"]
mod cases;
mod ends;
mod hosts;
mod scarce;
mod starts;
mod streams;
#[path = "../common/support.rs"]
#[allow(dead_code, reason = "shared with the tests of fleets")]
mod support;
mod terminal;

use cases::{Asked, Case};

/// No case takes a tenth of this, in seconds.
const PATIENCE: u32 = 120;

fn main() {
    // What whoever runs the tests hands on, such as the slots of a jobserver, is not ours.
    for inherited in 3..64 {
        let _ = nix::unistd::close(inherited);
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [role, command] = &args[..]
        && role == "relay"
    {
        return hosts::relay(command.clone());
    }
    let groups = [starts::CASES, streams::CASES, ends::CASES, scarce::CASES, terminal::CASES, hosts::CASES];
    Asked::new(args).run(groups.into_iter().flatten().copied(), PATIENCE);
}
