//! `any`: the first success is enough.

use super::{case, log};

#[test]
fn the_first_success_ends_the_others() {
    let file = r##"
        task t {
            any {
                run #"trap 'echo ended >> log; exit 1' TERM; sleep 1000 & echo up > "$TELL"; wait"#
                run "read -r x < go; echo quick >> log"
                run "echo bad >> log; exit 3"
            }
            run "echo after >> log"
        }
    "##;
    let mut live = case(file, ["-v", "-j3", "t"]).fifo("go").spawn();
    assert_eq!(live.tell.line(), "up");
    live.fifo("go").say("go");
    let ran = live.end().ok().nothing_left();
    assert_eq!(ran.read("log").lines().last(), Some("after"), "{}", ran.story());
    let mut lines: Vec<String> = ran.read("log").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["after", "bad", "ended", "quick"]);
    assert!(ran.err().contains("another branch was enough"), "{}", ran.story());
    assert!(ran.err().contains("✓ 1 task"), "{}", ran.story());
}

#[test]
fn a_loser_that_ignores_the_signal_is_killed_after_its_grace() {
    let file = r##"
        task t {
            any {
                run #"trap '' TERM; echo up > $TELL; while :; do sleep 1000; done"# grace="50ms"
                run "read -r x < go"
            }
        }
    "##;
    let mut live = case(file, ["-j2", "t"]).fifo("go").spawn();
    assert_eq!(live.tell.line(), "up");
    live.fifo("go").say("go");
    live.end().ok().nothing_left();
}

#[test]
fn where_all_fail_the_last_one_counts() {
    let file = r#"task t { any jobs=1 { run "exit 3"; run "exit 4"; run "echo last >&2; exit 5" } }"#;
    let ran = case(file, ["t"]).run().code(5).says("✗ 1 failed, 2 failed and not counted in ");
    assert!(ran.err().contains("last") && ran.err().contains("exit 5"), "{}", ran.story());
    case(r#"task t { any optional=#true { run "exit 3"; run "exit 4" } }"#, ["t"]).run().ok();
}

#[test]
fn with_one_at_a_time_it_is_a_fallback_in_the_order_of_the_file() {
    let file = r#"
        task t {
            any jobs=1 {
                run "echo first >> log; exit 1"
                run "echo second >> log; exit 1" priority=5
                run "echo third >> log" priority=50
                run "echo never >> log" priority=100
            }
        }
    "#;
    assert_eq!(log(file, ["-j8", "t"]), "first\nsecond\nthird\n");
    assert_eq!(log(&file.replace(" jobs=1", ""), ["-j1", "t"]), "first\nsecond\nthird\n", "slots too");
}

#[test]
fn what_a_later_way_needs_is_not_run_unless_it_is_reached() {
    let file = r#"
        task t { any jobs=1 { call first; call second } }
        task first { needs a; run "echo first >> log; exit $CODE" }
        task second { needs b; run "echo second >> log" }
        task a { run "echo a >> log" }
        task b { run "echo b >> log" }
    "#;
    assert_eq!(case(file, ["t"]).env("CODE", "0").run().ok().read("log"), "a\nfirst\n");
    assert_eq!(case(file, ["t"]).env("CODE", "7").run().ok().read("log"), "a\nfirst\nb\nsecond\n");
}

#[test]
fn a_way_has_used_up_its_attempts_before_the_next_is_tried() {
    let file = r#"
        task t {
            any jobs=1 {
                run "echo one >> log; exit 1" retry=2
                run "echo two >> log"
            }
        }
    "#;
    assert_eq!(log(file, ["t"]), "one\none\none\ntwo\n");
    let file = r#"
        task t {
            any jobs=1 retry=1 {
                run "echo one >> log; exit 1"
                run "echo two >> log; test $XEC_ATTEMPT = 2"
            }
        }
    "#;
    assert_eq!(log(file, ["t"]), "one\ntwo\none\ntwo\n");
}

#[test]
fn what_is_skipped_does_not_win() {
    let file = r#"
        task t {
            any jobs=1 {
                run "echo no >> log" { when env NOT_SET_HERE }
                run "echo no >> log" { when run "exit 1" }
                run "echo yes >> log"
            }
        }
        task none { any { run "echo no >> log" { when env NOT_SET_HERE } } }
        task optional { any jobs=1 { run "exit 1" optional=#true; run "echo yes >> log" } }
    "#;
    assert_eq!(log(file, ["t"]), "yes\n");
    assert_eq!(log(file, ["none"]), "");
    assert_eq!(log(file, ["optional"]), "yes\n");
}

#[test]
fn only_what_the_winner_made_is_there() {
    let file = r##"
        task t {
            any jobs=1 {
                sequence { run "echo bad" capture=answer; run "echo more" capture=stale; run "exit 1" }
                sequence { run "echo good" capture=answer; run "echo saw $answer >> log" }
            }
            run #"echo "$answer ${stale-unset}" >> log"#
        }
        task called {
            any jobs=1 {
                call ask who=one { take word }
                call ask who=two { take word }
            }
            run "echo $word >> log"
        }
        task ask { param who; run "echo $who" capture=word; run "test $who = two" }
    "##;
    assert_eq!(log(file, ["t"]), "saw good\ngood unset\n");
    assert_eq!(log(file, ["called"]), "two\n");
}

#[test]
fn ways_nest_and_time_bounds_them_all() {
    let file = r#"
        task t {
            any {
                sequence { run "exit 1"; run "echo no >> log" }
                race { any jobs=1 { run "exit 2"; run "echo inner >> log" }; wait "1h" }
                wait "1h"
            }
        }
        task late { any timeout="50ms" { run "read -r x < never"; wait "1h" } }
    "#;
    assert_eq!(log(file, ["t"]), "inner\n");
    case(file, ["late"]).run().code(124).nothing_left();
}

#[test]
fn hooks_of_a_group_know_how_it_went() {
    let file = r#"
        task t {
            any {
                run "exit 1"
                sequence { run "exit 2"; on-failure { run "echo branch >> log" } }
                on-success { run "echo no >> log" }
                on-failure { run "echo all >> log" }
                finally { run "echo end $xec_status >> log" }
            }
        }
    "#;
    assert_eq!(case(file, ["t"]).run().failed().read("log"), "branch\nall\nend failed\n");
}

#[test]
fn a_share_of_it_means_nothing() {
    let ran = case(r#"task t { any require="50%" { run "a"; run "b" } }"#, ["t"]).run().code(2);
    assert!(ran.err().contains("`any` has no `require`"), "{}", ran.story());
}
