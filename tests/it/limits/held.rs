//! `limit` and `uses` in one run. Steps that may not overlap make a directory each and take it away: two at once
//! fail. Steps that must overlap meet at a named pipe.

use super::{case, refused};

/// Fails where another one is in it.
const ALONE: &str = r#"run "mkdir inside && rmdir inside && echo done >> log""#;

#[test]
fn a_limit_of_one_is_a_mutex_wherever_it_is_used() {
    let file = format!(
        "limit db 1\n\
         task step {{ parallel {{ {ALONE} {{ uses db }}; {ALONE} {{ uses db }}; {ALONE} {{ uses db }} }} }}\n\
         task group {{ parallel {{ sequence uses=db {{ {ALONE} }}; sequence {{ uses db; {ALONE} }} }} }}\n\
         task one {{ uses db; {ALONE} }}\n\
         task two uses=db {{ {ALONE} }}\n\
         task set {{ matrix {{ n 1 2 3 }}; uses db; {ALONE} }}\n\
         task whole {{ matrix jobs=1 {{ uses db; n 1 2 3 }}; {ALONE} }}\n"
    );
    let ran = case(&file, ["-p", "-j16", "step", "group", "one", "two", "set", "whole"]).run().ok();
    assert_eq!(ran.read("log").lines().count(), 13, "{}", ran.story());
}

#[test]
fn defaults_hold_for_each_task() {
    let file = format!(
        "limit db 1\ndefaults {{ uses db }}\ntask a {{ {ALONE} }}\ntask b {{ {ALONE} }}\ntask c {{ matrix {{ n 1 2 }}; {ALONE} }}\n"
    );
    assert_eq!(case(&file, ["-p", "-j16", "a", "b", "c"]).run().ok().read("log").lines().count(), 4);
}

#[test]
fn as_many_as_there_are_run_at_once_and_no_more() {
    // Each says that it is there and waits for a word; a place is a directory, and there are two.
    let step =
        r#"{ mkdir p1 && p=p1 || { mkdir p2 && p=p2; }; } 2>/dev/null; echo in > tell; read -r go < gate; rmdir "$p""#;
    let file = format!("limit ssh 2\ntask t {{ matrix {{ n range=\"1..5\" }}; uses ssh; run #\"{step}\"# }}\n");
    let mut live = case(&file, ["-j16", "t"]).fifo("gate").spawn();
    for round in 0..5 {
        // With two inside, the others come one by one as these are let go.
        if round == 0 {
            live.tell.line();
            live.tell.line();
        } else if round < 4 {
            live.tell.line();
        }
        live.fifo("gate").say("go");
    }
    live.end().ok();
}

#[test]
fn what_counts_for_two_waits_for_two() {
    let file = format!(
        "limit licence 2\n\
         task t {{ parallel {{ {ALONE} {{ uses licence 2 }}; {ALONE} {{ uses licence 2 }}; {ALONE} {{ uses licence 2 }} }} }}\n"
    );
    assert_eq!(case(&file, ["-j8", "t"]).run().ok().read("log"), "done\ndone\ndone\n");
}

#[test]
fn a_heavy_step_weighs_its_slots_or_all_of_them() {
    let file = format!(
        "task t {{ parallel {{ sequence {{ uses jobs 3; {ALONE}; {ALONE} }}; {ALONE} {{ uses jobs 99 }}; call other {{ uses jobs 3 }} }} }}\n\
         task other {{ parallel {{ {ALONE}; {ALONE} }} }}\n"
    );
    for jobs in ["-j1", "-j3", "-j5"] {
        assert_eq!(case(&file, [jobs, "t"]).run().ok().read("log").lines().count(), 5);
    }
    case("task t { run \"true\" { uses jobs 4 } }", ["-j0", "t"]).run().ok();
}

#[test]
fn a_limit_is_held_through_hooks_and_given_back_after_a_failure() {
    let file = r#"
        limit db 1
        task t on-error=continue {
            parallel {
                sequence uses=db { run "mkdir inside; exit 1"; finally { run "rmdir inside; echo hook >> log" } }
                sequence uses=db { run "mkdir inside; exit 1"; on-failure { run "rmdir inside; echo hook >> log" } }
            }
        }
    "#;
    assert_eq!(case(file, ["-j8", "t"]).run().failed().read("log"), "hook\nhook\n");
}

#[test]
fn who_is_tried_again_lets_others_in_between() {
    // The first one fails; in its pause, which is longer than any test, the other one comes, and ends the run.
    let file = r#"
        limit db 1
        task t {
            parallel {
                run "echo first >> log; exit 1" { uses db; retry 1 delay="1h"; priority 1 }
                run "echo second >> log; exit 7" { uses db }
            }
        }
    "#;
    assert_eq!(case(file, ["-j8", "t"]).run().failed().read("log"), "first\nsecond\n");
}

#[test]
fn a_rate_lets_all_through_in_the_end() {
    let file = "limit api 3 per=\"10ms\"\ntask t { matrix { n range=\"1..20\" }; uses api; run \"echo $n >> log\" }\n";
    assert_eq!(case(file, ["-j8", "t"]).run().ok().read("log").lines().count(), 20);
}

#[test]
fn a_rate_begins_no_more_than_it_says() {
    // The second would begin in an hour: it never does.
    let file = r#"
        limit api 1 per="1h"
        task t { parallel { run "echo x >> log; echo in > tell" { uses api }; run "echo x >> log; echo in > tell" { uses api } } }
    "#;
    let mut live = case(file, ["-j8", "t"]).spawn();
    live.tell.line();
    live.signal(nix::sys::signal::Signal::SIGINT);
    let ran = live.end().signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(ran.read("log"), "x\n");
}

#[test]
fn a_limit_is_the_runs_across_files() {
    let file = format!("include \"sub/Xecfile.kdl\" as=sub\nlimit db 1\ntask t {{ uses db; {ALONE} }}\n");
    let sub = "limit db 1\ntask t cwd=\"..\" { matrix { n 1 2 }; uses db; run \"mkdir inside && rmdir inside && echo done >> log\" }\n";
    let ran = case(&file, ["-p", "-j8", "t", "sub:t"]).file("sub/Xecfile.kdl", sub).run().ok();
    assert_eq!(ran.read("log").lines().count(), 3);
    let other = "limit db 2\ntask t { uses db; run \"true\" }\n";
    let ran = case(&file, ["--check"]).file("sub/Xecfile.kdl", other).run().code(2);
    assert!(ran.err().contains("duplicate") && ran.err().contains("two limits `db`"), "{}", ran.story());
}

#[test]
fn what_cannot_be_is_refused_before_anything_runs() {
    let go = r#"run "echo x >> log""#;
    refused(&format!("limit db 1\ntask t {{ uses bd; {go} }}"), "unknown-limit", &["`bd`", "did you mean `db`?"]);
    refused(&format!("task t {{ uses db; {go} }}"), "unknown-limit", &["limit db 1"]);
    refused(&format!("limit db 2\ntask t {{ uses db 3; {go} }}"), "limit-exceeded", &["more than there is: 2"]);
    refused(
        &format!("limit db 1\ntask t {{ uses db; {go}; run \"x\" {{ uses db }} }}"),
        "limit-order",
        &["held already"],
    );
    let nested = format!("limit a 1\nlimit b 1\ntask t {{ sequence uses=b {{ run \"x\" uses=a }}; {go} }}");
    refused(&nested, "limit-order", &["declare `a` after `b`"]);
    let called = format!(
        "limit a 1\nlimit b 1\ntask t uses=b {{ {go}; call c }}\ntask c {{ call d }}\ntask d uses=a {{ {go} }}"
    );
    refused(&called, "limit-order", &["by way of `c`"]);
    let needed =
        format!("limit a 1\ntask t uses=a {{ {go}; call c }}\ntask c {{ needs d; {go} }}\ntask d uses=a {{ {go} }}");
    refused(&needed, "limit-order", &["by way of `c`", "held already"]);
    refused(&format!("limit a 0\ntask t {{ {go} }}"), "bad-value", &["a limit of 0"]);
    refused(&format!("limit jobs 2\ntask t {{ {go} }}"), "bad-name", &["`-j`"]);
    refused(&format!("limit a 2 per=\"1s\" across=machine\ntask t {{ {go} }}"), "bad-value", &["a rate"]);
}

#[test]
fn what_is_taken_in_order_is_fine() {
    let file = r#"
        limit a 1
        limit b 1
        task t { uses b; uses a; run "true"; call d }
        task u uses=a { run "true" { uses b }; call d }
        task d { needs e; run "true" }
        task e { run "true" }
        task f { needs g; uses a; run "true" }
        task g { uses a; run "true" }
    "#;
    case(file, ["-p", "t", "u", "f"]).run().ok();
}
