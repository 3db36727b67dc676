//! Large plans: bounded memory, no recursion. make, ninja and just crash on the chain.

use std::fmt::Write;

use crate::harness::{Case, proc};

/// A chain, written from its end to its start; every hundredth task has a body.
fn chain(length: usize) -> String {
    let mut file = "task t0 { exec \"true\" }\n".to_owned();
    for n in 1..length {
        let body = if n % 100 == 0 { "; exec \"true\"" } else { "" };
        writeln!(file, "task t{n} {{ needs t{}{body} }}", n - 1).unwrap();
    }
    file
}

#[test]
fn a_chain_of_twenty_thousand_tasks() {
    let mut file = chain(20_000);
    file += "task end { needs t19999; run \"echo up > tell; read -r x < gate\" }\n";
    let mut live = Case::new().fifo("gate").xecfile(file).args(["end"]).spawn();
    assert_eq!(live.tell.line(), "up");
    let peak = proc::status_kib(live.pid(), "VmHWM");
    live.fifo("gate").say("end");
    live.end().ok().nothing_left();
    assert!(peak < 500_000, "xec held {peak} KiB");
}

#[test]
fn a_chain_can_be_checked_drawn_and_shown() {
    let file = chain(20_000);
    for args in [["--check"].as_slice(), &["-n", "t19999"], &["--graph=json", "t19999"]] {
        let ran = Case::new().xecfile(&file).args(args).run().ok();
        assert!(args == ["--check"] || ran.out().contains("t19900"), "{args:?}");
    }
}

#[test]
fn ten_thousand_side_by_side() {
    let mut file = "task all { needs".to_owned();
    for n in 0..10_000 {
        write!(file, " t{n}").unwrap();
    }
    file += " }\n";
    for n in 0..10_000 {
        writeln!(file, "task t{n} {{ run \"echo {n}\" }}").unwrap();
    }
    let ran = Case::new().xecfile(&file).args(["-n", "all"]).run().ok();
    assert!(ran.out().contains("echo 9999"), "all of them are named");
    Case::new().xecfile(&file).args(["-l"]).run().ok();
}

#[test]
fn a_cycle_through_all_of_a_long_chain_is_found() {
    let file = format!("{}task t0x {{ needs t4999 }}\n", chain(5_000).replacen("task t0 {", "task t0 { needs t0x;", 1));
    Case::new().xecfile(file).args(["--check"]).run().code(2).says("cycle");
}

#[test]
fn a_thousand_processes_one_after_the_other() {
    let file = format!("task t {{\n{}}}\n", "exec \"true\"\n".repeat(1_000));
    let ran = Case::new().xecfile(file).args(["t", "--events=json:events.jsonl"]).run().ok().nothing_left();
    assert_eq!(ran.read("events.jsonl").matches("\"step-finished\"").count(), 1_000);
}

#[test]
fn a_step_elsewhere_does_not_look_through_all_hosts_for_each_of_them() {
    let file = "host \"web[1-9000]\" { tags web; via local; }\nhost lb { via local; }\n\
                task t { matrix on-error=continue { on web }; run \"a\" { on lb }; run \"b\" { on \"web & !web1, lb\" pick=random } }";
    let ran = Case::new().xecfile(file).args(["-n", "t"]).run().ok();
    assert!(ran.out().starts_with("t  on 9000 of 9001 hosts: web\n"), "{}", &ran.out()[..200]);
}
