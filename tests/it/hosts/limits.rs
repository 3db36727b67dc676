//! How much at once: a step on a host takes a slot of the host and none here.

use super::{case, log};

/// Fails where another one is in it.
const ALONE: &str = r#"run "mkdir $host && rmdir $host && echo done >> log""#;

#[test]
fn a_host_with_one_slot_does_one_thing_at_a_time() {
    let file =
        format!("host slow {{ via local; jobs 1; }}\ntask t {{ on slow; matrix {{ n range=\"1..5\" }}; {ALONE} }}");
    assert_eq!(log(&case(&file, ["-j16", "t"]).run().ok()).len(), 5);
}

#[test]
fn hosts_take_no_slot_of_this_machine() {
    // All three meet, though there is one slot here.
    let file = r#"task t { on web; run "echo in > tell; read -r go < gate; echo $host >> log" }"#;
    let mut live = case(file, ["-j1", "t"]).fifo("gate").spawn();
    (0..3).for_each(|_| drop(live.tell.line()));
    (0..3).for_each(|_| live.fifo("gate").say("go"));
    assert_eq!(log(&live.end().ok()), ["web1", "web2", "web3"]);
}

#[test]
fn a_limit_of_the_run_holds_over_all_hosts() {
    let file = "limit one 1\ntask t { on web; uses one; run \"mkdir inside && rmdir inside && echo $host >> log\" }";
    assert_eq!(log(&case(file, ["t"]).run().ok()), ["web1", "web2", "web3"]);
}

#[test]
fn slots_hosts_and_limits_each_hold_in_one_run() {
    let file = r#"
        host "slow[1-2]" { via local; jobs 1; tags slow }
        limit one 1
        task all { needs each_host limited here }
        task each_host { on slow; matrix { n range="1..3" }; run "mkdir $host && rmdir $host && echo host >> log" }
        task limited { on web; uses one; run "mkdir inside && rmdir inside && echo limit >> log" }
        task here { matrix { n range="1..3" }; run "mkdir slot && rmdir slot && echo slot >> log" }
    "#;
    let lines = log(&case(file, ["-j1", "all"]).run().ok());
    let count = |word: &str| lines.iter().filter(|line| *line == word).count();
    assert_eq!((count("host"), count("limit"), count("slot")), (6, 3, 3), "{lines:?}");
}
