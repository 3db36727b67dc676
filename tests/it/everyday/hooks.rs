//! Hooks: when they run, how often, what they know, and what their own failure does.

use nix::sys::signal::Signal;

use super::{case, log, out};

const HOOKS: &str = r#"
    task t {
        param code default=0
        run "echo body >> log; echo oh no >&2; exit $code"
        on-success { run "echo success >> log" }
        on-failure { run "echo failure >> log" }
        finally { run "echo finally >> log" }
    }
    task next { needs t code=0; run "echo next >> log" }
"#;

#[test]
fn success_or_failure_then_finally() {
    assert_eq!(log(HOOKS, ["t"]), "body\nsuccess\nfinally\n");
    assert_eq!(case(HOOKS, ["t", "code=4"]).run().code(4).read("log"), "body\nfailure\nfinally\n");
}

#[test]
fn who_needs_it_waits_for_its_hooks() {
    assert_eq!(log(HOOKS, ["next", "-j4"]), "body\nsuccess\nfinally\nnext\n");
}

#[test]
fn hooks_run_once_after_the_last_attempt() {
    let file = r#"
        task t retry=2 {
            run "echo attempt $XEC_ATTEMPT >> log; exit 1"
            on-failure { run "echo failure >> log" }
            finally { run "echo finally >> log" }
        }
    "#;
    let ran = case(file, ["t"]).run().code(1);
    assert_eq!(ran.read("log"), "attempt 1\nattempt 2\nattempt 3\nfailure\nfinally\n");
}

#[test]
fn hooks_belong_where_they_are_written() {
    let file = r#"
        task t {
            sequence {
                run "echo one >> log"
                on-success { run "echo inner >> log" }
                finally { run "echo inner-end >> log" }
            }
            run "echo two >> log"
            finally { run "echo outer-end >> log" }
        }
    "#;
    assert_eq!(log(file, ["t"]), "one\ninner\ninner-end\ntwo\nouter-end\n");
}

#[test]
fn hooks_of_a_body_that_never_began_do_not_run() {
    let file = r#"
        task bad { run "exit 3" }
        task t { needs bad; run "echo body >> log"; on-failure { run "echo failure >> log" }; finally { run "echo end >> log" } }
        task skipped { unless equal a a; run "echo body >> log"; on-success { run "echo ok >> log" }; finally { run "echo end >> log" } }
    "#;
    assert_eq!(case(file, ["t"]).run().code(3).read("log"), "");
    assert_eq!(log(file, ["skipped"]), "");
}

#[test]
fn hooks_know_how_it_went() {
    let file = r##"
        task t {
            param code default=0
            run "echo of no matter; echo first >&2; echo last words >&2; exit $code"
            finally { run #"printf '%s|' "$xec_status" "$xec_failed" "$xec_error" "$xec_duration" > log"# }
        }
    "##;
    let fields = |ran: crate::harness::Ran| ran.read("log").split('|').map(str::to_owned).collect::<Vec<_>>();
    let good = fields(case(file, ["t"]).run().ok());
    assert_eq!((good[0].as_str(), good[1].as_str()), ("success", ""));
    assert!(!good[3].is_empty(), "{good:?}");
    let bad = fields(case(file, ["t", "code=3"]).run().code(3));
    assert_eq!(bad[0], "failed");
    assert!(bad[1].starts_with('t'), "{bad:?}");
    assert_eq!(bad[2], "first\nlast words", "{bad:?}");
    assert!(!bad[3].is_empty(), "{bad:?}");
}

#[test]
fn hooks_of_a_matrix_know_which_ones_failed() {
    let file = r##"
        task t {
            matrix on-error=continue { n 1 2 3 4; on-failure { run #"echo "$xec_failed" > log"# } }
            run "test $n -lt 3"
        }
    "##;
    let ran = case(file, ["t"]).run().failed();
    let text = ran.read("log");
    assert!(text.contains("t[n=3]") && text.contains("t[n=4]") && !text.contains("t[n=1]"), "{text}");
}

#[test]
fn a_hook_that_fails_fails_the_run() {
    let file = r#"
        task t { run "true"; on-success { run "exit 6" }; finally { run "echo end >> log" } }
        task u { run "exit 3"; on-failure { run "exit 6" }; finally { run "echo end >> log" } }
        task v { run "exit 3"; on-failure { run "true" }; finally { run "exit 7" } }
        task w { run "true"; finally { run "exit 7" } }
    "#;
    let ran = case(file, ["t"]).run().code(6).says("exit 6");
    assert_eq!(ran.read("log"), "end\n");
    let ran = case(file, ["u"]).run().code(3).says("exit 6");
    assert_eq!(ran.read("log"), "end\n");
    case(file, ["v"]).run().code(3).says("exit 7");
    case(file, ["w"]).run().code(7);
}

#[test]
fn a_captured_value_may_be_missing_in_a_hook() {
    let file = r#"
        task t { run "exit 1"; run "echo late" capture=v; finally { exec printf "<%s>" "${v}"; run "echo [$v]" } }
    "#;
    case(file, ["t"]).run().code(1).stdout("<>\n[]\n");
}

#[test]
fn finally_is_outside_the_timeout() {
    let file = r#"
        task t timeout="50ms" { run "read -r x < never"; on-failure { run "echo $xec_status >> log" }; finally { run "echo end >> log" } }
    "#;
    let ran = case(file, ["t"]).run().code(124).nothing_left();
    assert_eq!(ran.read("log"), "failed\nend\n");
}

const WAITS: &str = r#"
    task t {
        run "echo up > \"$TELL\"; read -r x < never"
        on-success { run "echo success >> log" }
        on-failure { run "echo failure >> log" }
        finally { run "echo $xec_status >> log" }
    }
"#;

#[test]
fn ctrl_c_runs_finally_once_and_no_other_hook() {
    let mut live = case(WAITS, ["t"]).spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal(Signal::SIGINT);
    let ran = live.end().signal(Signal::SIGINT).nothing_left();
    assert_eq!(ran.read("log"), "cancelled\n");
}

#[test]
fn a_second_ctrl_c_ends_finally() {
    let file = r#"
        task t {
            run "echo up > \"$TELL\"; read -r x < never"
            finally {
                run "echo one >> log; trap '' INT; echo finally > \"$TELL\"; read -r x < never; echo not >> log"
                run "echo nor this >> log"
            }
        }
    "#;
    let mut live = case(file, ["t"]).spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal(Signal::SIGINT);
    assert_eq!(live.tell.line(), "finally");
    live.signal(Signal::SIGINT);
    let ran = live.end().signal(Signal::SIGINT).nothing_left();
    assert_eq!(ran.read("log"), "one\n");
}

#[test]
fn finally_of_a_cancelled_sibling_runs() {
    let file = r#"
        task all { needs slow bad }
        task slow { run "echo up > meet; read -r x < never"; on-failure { run "echo failure >> log" }; finally { run "echo $xec_status >> log" } }
        task bad { run "read -r x < meet; exit 5" }
    "#;
    let ran = case(file, ["-j2", "all"]).fifo("meet").run().code(5).nothing_left();
    assert_eq!(ran.read("log"), "cancelled\n");
}

#[test]
fn the_temporary_directory_lasts_through_the_hooks() {
    let file = r##"
        task t {
            temp scratch
            run #"echo "$scratch" >> log; echo data > "$scratch/file""#
            on-success { run #"cat "$scratch/file""# }
            finally { run #"cat "$scratch/file"; exit 0"# }
        }
    "##;
    let ran = case(file, ["t"]).run().ok().stdout("data\ndata\n");
    assert!(!std::path::Path::new(ran.read("log").trim()).exists());
}

#[test]
fn a_step_in_the_hook_of_a_set_may_ask_whether_it_has_to_run() {
    let file = r#"
        task t {
            param who default="me"
            matrix {
                n 1 2
                finally {
                    run "echo yes $who >> log" { when exists "Xecfile.kdl"; when run "test $who = me" }
                    run "echo no >> log" { when exists "nothing-here" }
                }
            }
            run "true"
        }
    "#;
    assert_eq!(log(file, ["t"]), "yes me\n");
}

#[test]
fn what_the_hook_of_a_set_calls_has_what_it_needs() {
    let file = r#"
        task main { call m }
        task m { matrix { i 1 2; finally { call h } }; run "echo m$i >> log" }
        task h { needs n; run "echo h >> log" }
        task n { run "echo n >> log" }
        task late { call n; call l { take list }; call each list="${list}" }
        task l { run "echo 1" { capture list as=lines } }
        task each { param list many=#true; matrix { i from="${list}"; finally { call h } }; run "echo e$i >> log" }
    "#;
    assert_eq!(log(file, ["-j1", "main"]), "m1\nm2\nn\nh\n", "of a set that is called");
    assert_eq!(log(file, ["-j1", "m[i=2]"]), "m2\nn\nh\n", "of which not all was asked for");
    assert_eq!(log(file, ["-j1", "late"]), "n\ne1\nn\nh\n", "of a set that comes late");
}

#[test]
fn hooks_of_a_set_see_what_it_was_given_and_what_they_make() {
    let file = r##"
        task m {
            param k default=0
            matrix {
                i 1 2
                finally {
                    run "echo seven" capture=x
                    run #"echo "$x $k" >> log"#
                    call h v="${x}" w="${k}" { take y }
                    run #"echo "$y" >> log"#
                }
            }
            run "true"
        }
        task h { param v; param w; run #"echo "<$v$w>""# capture=y }
        task called { param k default=outer; call m k=inner }
        task late { run "echo late" capture=z; call m k="${z}" }
    "##;
    assert_eq!(log(file, ["m"]), "seven 0\n<seven0>\n");
    assert_eq!(log(file, ["called"]), "seven inner\n<seveninner>\n", "not what its caller has");
    assert_eq!(log(file, ["late"]), "seven late\n<sevenlate>\n");
    let plan = out(file, ["-n", "called"]);
    assert!(plan.contains("h[w=inner]  called by m\n"), "{plan}");
}

#[test]
fn on_a_terminal_too_a_hook_is_told_what_went_to_stderr_alone() {
    let file = r##"
        task t {
            run "echo of no matter; echo wrong >&2; echo nor this; exit 3"
            on-failure { run #"echo "$xec_error" > log"# }
        }
        task u { run "echo on stdout; exit 3"; on-failure { run #"echo "$xec_error" > log"# } }
    "##;
    let (ran, _) = case(file, ["t"]).on_terminal().end();
    assert_eq!(ran.code(3).read("log"), "wrong\n");
    let (ran, _) = case(file, ["u"]).on_terminal().end();
    assert_eq!(ran.code(3).read("log"), "on stdout\n", "of who says nothing there, what else it said");
}
