//! What runs and what does not: conditions, waiting, priorities, optional steps.

use super::{case, log, out};

#[test]
fn a_condition_of_the_plan_drops_the_needs_too() {
    let file = r#"
        task t { when equal "${mode}" full; param mode default=quick; needs dep; run "echo t >> log" }
        task dep { run "echo dep >> log" }
        task after-it { needs t; run "echo after >> log" }
    "#;
    assert_eq!(log(file, ["t"]), "");
    assert_eq!(log(file, ["t", "mode=full"]), "dep\nt\n");
    assert_eq!(log(file, ["after-it"]), "after\n");
    let plan = out(file, ["-n", "t"]);
    assert!(!plan.contains("dep"), "{plan}");
}

#[test]
fn lines_are_all_of_arguments_are_any_of() {
    let file = r#"
        task any { when os linux macos; run "echo any >> log" }
        task all { when { os linux macos; equal a b }; run "echo all >> log" }
        task not-all { unless { os linux macos; equal a b }; run "echo not-all >> log" }
        task none { unless { os linux macos; equal a a }; run "echo none >> log" }
        task every { needs any all not-all none }
    "#;
    assert_eq!(log(file, ["every", "-j1"]), "any\nnot-all\n");
}

#[test]
fn the_environment_decides() {
    let file = r#"task t { when env DEPLOY yes on; run "echo t >> log" }"#;
    assert_eq!(case(file, ["t"]).run().ok().read("log"), "");
    assert_eq!(case(file, ["t"]).env("DEPLOY", "on").run().ok().read("log"), "t\n");
    assert_eq!(case(file, ["t"]).env("DEPLOY", "no").run().ok().read("log"), "");
}

#[test]
fn conditions_of_the_run_are_asked_just_before() {
    let file = r#"
        task t { needs make; when exists out; run "echo t >> log" }
        task make { run "touch out; echo make >> log" }
        task u { unless exists out; needs make; run "echo u >> log" }
        task v { when run "test -e nothing"; run "echo v >> log" }
        task w { when command sh; run "echo w >> log" }
        task x { when command no-such-program-xyz; run "echo x >> log" }
    "#;
    assert_eq!(log(file, ["t"]), "make\nt\n");
    assert_eq!(log(file, ["u"]), "make\n");
    assert_eq!(log(file, ["v"]), "");
    assert_eq!(log(file, ["w"]), "w\n");
    assert_eq!(log(file, ["x"]), "");
}

#[test]
fn a_dry_run_asks_nothing_and_says_that_it_is_open() {
    let file = r#"task t { when run "touch asked"; run "echo t >> log" }"#;
    let ran = case(file, ["-n", "t"]).run().ok();
    assert!(ran.out().contains("decided at run time"), "{}", ran.story());
    assert!(!ran.path().join("asked").exists());
}

#[test]
fn steps_and_groups_have_conditions() {
    let file = r#"
        task t {
            param deep default=no
            run "echo a >> log" { when equal "${deep}" yes }
            sequence { when exists gate; run "echo b >> log" }
            run "touch gate"
            sequence { when exists gate; run "echo c >> log" }
            run "echo d >> log" { unless exists gate }
        }
    "#;
    assert_eq!(log(file, ["t"]), "c\n");
    let again = case(file, ["t", "deep=yes"]).file("gate", "").run().ok();
    assert_eq!(again.read("log"), "a\nb\nc\n");
}

#[test]
fn waiting_takes_no_slot_and_needs_no_process() {
    let file = r#"
        task t {
            parallel {
                sequence { wait "10h" }
                sequence { run "echo other >> log; echo up > \"$TELL\"" }
            }
        }
        task short { wait "1ms"; run "echo after >> log" }
    "#;
    assert_eq!(log(file, ["short"]), "after\n");
    let mut live = case(file, ["-j1", "t"]).spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal(nix::sys::signal::Signal::SIGINT);
    live.end().signal(nix::sys::signal::Signal::SIGINT).nothing_left();
}

#[test]
fn a_call_binds_what_came_to_be() {
    let file = r#"
        task t { run "echo 1.2.3" capture=v; call show version="${v}"; call show version=fixed }
        task show { param version; exec printf "<%s>" "${version}" }
    "#;
    assert_eq!(out(file, ["t"]), "<1.2.3>\n<fixed>");
}

#[test]
fn defaults_are_for_every_task_and_lose_against_its_own() {
    let file = r#"
        defaults { retry 1; env { WHO "all" } }
        task a { run "echo a $WHO >> log; exit 1" }
        task b retry=0 { env WHO b; run "echo b $WHO >> log; exit 1" }
    "#;
    assert_eq!(case(file, ["a"]).run().code(1).read("log"), "a all\na all\n");
    assert_eq!(case(file, ["b"]).run().code(1).read("log"), "b b\n");
}

#[test]
fn who_waits_goes_by_priority() {
    let file = r#"
        task all { needs first low plain high mid }
        task first priority=20 { run "echo first >> log" }
        task low priority=-5 { run "echo low >> log" }
        task plain { run "echo plain >> log" }
        task mid priority=5 { run "echo mid >> log" }
        task high priority=10 { run "echo high >> log" }
    "#;
    assert_eq!(log(file, ["-j1", "all"]), "first\nhigh\nmid\nplain\nlow\n");
}

#[test]
fn who_is_ready_together_goes_by_priority_then_by_the_longest_way_then_as_written() {
    let file = r#"
        task t { parallel {
            run "echo first >> log"
            run "echo second >> log" priority=-1
            sequence { run "echo long >> log"; run "echo end >> log" }
            run "echo high >> log" priority=10
        } }
    "#;
    assert_eq!(log(file, ["-j1", "t"]), "high\nlong\nfirst\nend\nsecond\n");
    let file = r#"
        task top { needs base low high }
        task base { run "echo base >> log" }
        task low { needs base; run "echo low >> log" }
        task high priority=1 { needs base; run "echo high >> log" }
    "#;
    assert_eq!(log(file, ["-j1", "top"]), "base\nhigh\nlow\n");
}

#[test]
fn what_a_step_makes_possible_goes_before_what_has_waited_with_less_priority() {
    let file = r#"task t { parallel {
        sequence priority=5 { run "echo one >> log"; run "echo two >> log" }
        run "echo low >> log"
    } }"#;
    assert_eq!(log(file, ["-j1", "t"]), "one\ntwo\nlow\n");
}
