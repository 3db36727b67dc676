//! Lists that come to be while the run goes on: late sets, chunks, streams, `reduce`.

use crate::harness::{Case, Ran, proc};

fn case<const N: usize>(xecfile: &str, args: [&str; N]) -> Case {
    Case::new().xecfile(xecfile).args(args)
}

fn ran<const N: usize>(xecfile: &str, args: [&str; N]) -> Ran {
    case(xecfile, args).run()
}

/// A list of so many numbers, and a task that works on them.
fn numbers(count: u32, rest: &str) -> String {
    format!("task n {{ run \"seq 1 {count}\" {{ capture n as=lines }} }}\n{rest}")
}

#[test]
fn each_item_is_an_instance_of_its_own() {
    let file =
        numbers(3, r#"task t { needs n { take n }; matrix { i from="${n}" }; run "echo $XEC_INSTANCE $i >> log" }"#);
    let ran = ran(&file, ["-j1", "t"]).ok();
    assert_eq!(ran.read("log"), "t[i=1] 1\nt[i=2] 2\nt[i=3] 3\n");
}

#[test]
fn other_axes_multiply_each_item() {
    let file =
        numbers(2, r#"task t { needs n { take n }; matrix { os a b; i from="${n}" }; run "echo $i$os >> log" }"#);
    assert_eq!(ran(&file, ["-j1", "t"]).ok().read("log"), "1a\n1b\n2a\n2b\n");
}

#[test]
fn a_chunk_is_a_list() {
    let file = numbers(
        7,
        r#"task t { needs n { take n }; matrix jobs=1 { i from="${n}" chunk=3 }; run "echo $XEC_INSTANCE: $* >> log" args="${i}" }"#,
    );
    assert_eq!(ran(&file, ["t"]).ok().read("log"), "t[i=#1]: 1 2 3\nt[i=#2]: 4 5 6\nt[i=#3]: 7\n");
}

#[test]
fn a_width_that_adapts_keeps_the_order_of_the_items() {
    let file = numbers(
        12,
        r#"task t { needs n { take n }; matrix on-error=continue { jobs adaptive min=1 max=8; i from="${n}" }; run "echo $i >> log; test $i != 1" }"#,
    );
    // The first one fails, so that the next is alone; from then on there are more at once.
    let ran = ran(&file, ["-j8", "t"]).code(1).says("1 failed");
    let log = ran.read("log");
    let order: Vec<u32> = log.lines().map(|line| line.parse().expect("a number")).collect();
    assert_eq!(order[..2], [1, 2]);
    let mut all = order;
    all.sort_unstable();
    assert!(all.into_iter().eq(1..=12));
}

#[test]
fn an_empty_list_is_a_run_of_nothing() {
    let file = r#"
        task n { run "true" { capture n as=lines } }
        task t { needs n { take n }; matrix { i from="${n}" }; run "echo $i >> log" }
        task after-that { needs t; run "echo done >> log" }
    "#;
    let ran = ran(file, ["after-that"]).ok().says("t: nothing to do, its list is empty");
    assert_eq!(ran.read("log"), "done\n");
}

#[test]
fn a_failure_is_told_by_the_name_of_its_item() {
    let file = numbers(
        4,
        r#"task t { needs n { take n }; matrix jobs=1 on-error=continue { i from="${n}" }; run "echo $i >> log; test $i != 2" }"#,
    );
    let ran = ran(&file, ["t"]).code(1).says("✗ t[i=2]: exit 1").says("1 failed, 4 ok");
    assert_eq!(ran.read("log"), "1\n2\n3\n4\n");
}

#[test]
fn fail_fast_and_drain_begin_no_more() {
    for mode in ["fail-fast", "drain"] {
        let file = numbers(
            9,
            &format!(
                "task t {{ needs n {{ take n }}; matrix jobs=1 on-error={mode} {{ i from=\"${{n}}\" }}; run \"echo $i >> log; test $i != 2\" }}"
            ),
        );
        let ran = ran(&file, ["t"]).code(1).says("7 items of t");
        assert_eq!(ran.read("log"), "1\n2\n", "{mode}");
    }
}

#[test]
fn a_share_of_a_late_set_is_of_all_items() {
    let file = |require: &str| {
        numbers(
            4,
            &format!(
                "task t {{ needs n {{ take n }}; matrix on-error=continue require=\"{require}\" {{ i from=\"${{n}}\" }}; run \"test $i != 2\" }}"
            ),
        )
    };
    ran(&file("75%"), ["t"]).ok();
    ran(&file("76%"), ["t"]).code(1);
}

#[test]
fn a_set_is_tried_again_with_what_failed() {
    let file = numbers(
        3,
        r#"task t {
            needs n { take n }
            matrix jobs=1 retry=1 on-error=continue { i from="${n}" }
            run "echo $i >> log; test $i != 2 || test -e seen || { touch seen; exit 1; }"
        }"#,
    );
    assert_eq!(ran(&file, ["t"]).ok().read("log"), "1\n2\n3\n2\n");
}

#[test]
fn an_instance_is_tried_again_with_its_item() {
    let file = numbers(
        2,
        r#"task t { needs n { take n }; matrix jobs=1 { i from="${n}" }; retry 1; run "echo $i$XEC_ATTEMPT >> log; test $i$XEC_ATTEMPT != 11" }"#,
    );
    assert_eq!(ran(&file, ["t"]).ok().read("log"), "11\n12\n21\n");
}

#[test]
fn what_is_taken_is_in_the_order_of_the_items() {
    let file = numbers(
        4,
        r#"
        task t {
            needs n { take n }
            matrix on-error=continue require="1/2" { i from="${n}" }
            run "test $i != 3"
            run "echo made-$i" { capture made }
        }
        task sum { needs t { take made; take i as=which }; run "echo $* >> log" args="${made}"; run "echo $* >> log" args="${which}" }
        "#,
    );
    assert_eq!(ran(&file, ["sum"]).ok().read("log"), "made-1 made-2 made-4\n1 2 4\n");
}

#[test]
fn a_call_makes_a_set_of_what_was_captured() {
    let file = r##"
        task all {
            run "printf 'a\\nb c\\n'" { capture found as=lines }
            call each of="${found}" { take made as=all }
            run #"printf '%s\n' "$@" >> log"# args="${all}"
        }
        task each private=#true {
            param of many=#true
            matrix { x from="${of}" }
            run #"echo "<$x>""# { capture made }
        }
    "##;
    assert_eq!(ran(file, ["all"]).ok().read("log"), "<a>\n<b c>\n");
}

#[test]
fn a_set_whose_list_is_not_there_is_skipped_once() {
    let file = r##"
        task user { needs maker { take files }; matrix { f from="${files}" }; run "echo $f >> log" }
        task maker { unless exists skip; run #"test ! -e fail; printf 'a\nb\n'"# { capture files as=lines } }
        task top { needs user; run "echo top >> log" }
    "##;
    assert_eq!(ran(file, ["-j1", "top"]).ok().read("log"), "a\nb\ntop\n");
    let ran = case(file, ["-j4", "top"]).file("skip", "").run().ok();
    assert_eq!(ran.read("log"), "top\n");
    assert!(ran.err().contains("skipped, since `maker` made no `files`: user[f=…] (1 task)"), "{}", ran.story());
    case(file, ["-j4", "user"])
        .file("fail", "")
        .run()
        .code(1)
        .says("skipped because `maker` failed: user[f=…] (1 task)");
}

#[test]
fn every_item_that_its_conditions_skip_is_told() {
    let file = numbers(
        4,
        r#"task t { needs n { take n }; matrix { i from="${n}" }; when equal "${i}" 2 4; run "echo $i >> log" }"#,
    );
    let ran = ran(&file, ["-j4", "t"]).ok().says("2 skipped");
    let log = ran.read("log");
    let mut did: Vec<&str> = log.lines().collect();
    did.sort_unstable();
    assert_eq!(did, ["2", "4"]);
}

#[test]
fn a_text_is_no_list() {
    let file = r#"
        task n { run "echo x" { capture n } }
        task t { needs n { take n }; matrix { i from="${n}" }; run "echo $i >> log" }
    "#;
    let ran = ran(file, ["t"]).code(1).says("what should be a list is a text");
    assert_eq!(ran.read("log"), "");
}

#[test]
fn no_edge_names_an_instance_that_is_not_known() {
    let file = numbers(
        1,
        r#"
        task t { needs n { take n }; matrix { i from="${n}" }; run "echo $i >> log" }
        task u { needs t i=1; run "echo u >> log" }
    "#,
    );
    let ran = ran(&file, ["u"]).code(2).says("the instances of `t` are known only when it runs");
    assert_eq!(ran.read("log"), "");
    ran_is_refused(&file);
}

fn ran_is_refused(file: &str) {
    case(file, ["t[i=1]"]).run().code(2).says("error[");
}

#[test]
fn a_stream_is_worked_on_while_it_is_written() {
    let file = r#"
        task find {
            run "echo a; read go < go; echo b" { capture found as=stream }
        }
        task t {
            needs find { take found }
            matrix { f from="${found}" }
            run "echo $f > told"
        }
    "#;
    let mut live = case(file, ["-j4", "t"]).fifo("go").fifo("told").spawn();
    // The first item is worked on while the search waits for our word.
    assert_eq!(live.fifo("told").line(), "a");
    live.fifo("go").say("go on");
    assert_eq!(live.fifo("told").line(), "b");
    live.end().ok();
}

#[test]
fn a_stream_that_fails_fails_what_it_feeds() {
    let file = r#"
        task find { run "echo a; read go < go; exit 5" { capture found as=stream } }
        task t { needs find { take found }; matrix { f from="${found}" }; run "echo $f > told" }
        task u { needs t; run "echo u >> log" }
    "#;
    let mut live = case(file, ["-j4", "u"]).fifo("go").fifo("told").spawn();
    assert_eq!(live.fifo("told").line(), "a");
    live.fifo("go").say("fail");
    let ran = live.end().code(5).says("✗ find: exit 5");
    assert_eq!(ran.read("log"), "");
}

#[test]
fn a_set_that_fails_ends_the_stream_that_feeds_it() {
    let file = r#"
        task find { run "echo a; read go < go; echo never >> log" { capture found as=stream } }
        task t { needs find { take found }; matrix { f from="${found}" }; run "exit 3" }
    "#;
    let live = case(file, ["-j4", "t"]).fifo("go").spawn();
    let ran = live.end().code(3);
    assert_eq!(ran.read("log"), "");
}

#[test]
fn with_one_slot_a_stream_is_read_when_it_is_done() {
    let file = r#"
        task find { run "seq 1 3" { capture found as=stream } }
        task t { needs find { take found }; matrix { f from="${found}" }; run "echo $f >> log" }
        task whole { needs find { take found }; run "echo $* >> log" args="${found}" }
    "#;
    assert_eq!(ran(file, ["-j1", "t", "whole"]).ok().read("log"), "1\n2\n3\n1 2 3\n");
}

#[test]
fn a_partial_chunk_goes_when_its_time_is_up() {
    let file = r#"
        task find { run "echo a; read go < go; echo b" { capture found as=stream } }
        task t {
            needs find { take found }
            matrix { f from="${found}" chunk=9 within="1ms" }
            run "echo $* > told" args="${f}"
        }
    "#;
    let mut live = case(file, ["-j4", "t"]).fifo("go").fifo("told").spawn();
    assert_eq!(live.fifo("told").line(), "a", "nine will never come");
    live.fifo("go").say("go on");
    assert_eq!(live.fifo("told").line(), "b");
    live.end().ok();
}

#[test]
fn a_reduce_joins_neighbours() {
    let file = |fan_in: u32| {
        numbers(
            10,
            &format!(
                "task t {{ needs n {{ take n }}; reduce \"${{n}}\" fan-in={fan_in} capture=all {{ run \"echo \\\"($*)\\\"\" }}; run \"echo $all >> log\" }}"
            ),
        )
    };
    for jobs in ["-j1", "-j7"] {
        assert_eq!(ran(&file(3), [jobs, "t"]).ok().read("log"), "(((1 2 3) (4 5 6) (7 8 9)) 10)\n");
        assert_eq!(ran(&file(16), [jobs, "t"]).ok().read("log"), "(1 2 3 4 5 6 7 8 9 10)\n");
    }
}

#[test]
fn one_item_is_itself_and_none_is_an_error() {
    let file = numbers(
        1,
        r#"task t { needs n { take n }; reduce "${n}" capture=all { run "exit 9" }; run "echo $all >> log" }"#,
    );
    assert_eq!(ran(&file, ["t"]).ok().read("log"), "1\n");
    let file = r#"task t { run "true" { capture n as=lines }; reduce "${n}" { run "exit 9" } }"#;
    ran(file, ["t"]).code(1).says("there is nothing to reduce: the list is empty");
}

#[test]
fn a_join_that_fails_fails_the_reduce_and_is_tried_again() {
    let file = numbers(
        9,
        r#"task t { needs n { take n }; reduce "${n}" fan-in=3 capture=all { run "test $1 != 4 && echo $(($1 + $2 + $3))" }; run "echo $all >> log" }"#,
    );
    assert_eq!(ran(&file, ["t"]).code(1).read("log"), "");
    let file = numbers(
        9,
        r#"task t {
            needs n { take n }
            reduce "${n}" fan-in=3 capture=all retry=1 {
                run "test $1 != 4 || test -e seen || { touch seen; exit 1; }; echo $(($1 + $2 + $3))"
            }
            run "echo $all >> log"
        }"#,
    );
    assert_eq!(ran(&file, ["t"]).ok().read("log"), "45\n");
}

#[test]
fn a_set_that_has_not_to_run_calls_nothing_in_its_hooks() {
    let file = numbers(
        1,
        r#"task t {
            when os windows
            needs n { take n }
            matrix { i from="${n}"; on-success { call report } }
            run "echo $i >> log"
        }
        task report { needs tool; run "echo report >> log" }
        task tool { run "echo tool >> log" }"#,
    );
    let ran = ran(&file, ["t"]).ok().nothing_left();
    assert_eq!(ran.read("log"), "", "{}", ran.story());
}

#[test]
fn an_item_takes_no_more_memory_than_itself() {
    let peak = |count: u32| {
        let file = format!(
            "task n {{ run \"seq 1 {count}\" {{ capture n as=stream }} }}
            task t {{ needs n {{ take n }}; matrix jobs=2 {{ i from=\"${{n}}\" chunk=500 }}; run \"true\" }}
            task u {{ needs t; run \"echo there > at; read go < go\" }}"
        );
        let mut live = case(&file, ["-q", "u"]).fifo("at").fifo("go").spawn();
        assert_eq!(live.fifo("at").line(), "there");
        let peak = proc::status_kib(live.pid(), "VmHWM");
        live.fifo("go").say("on");
        live.end().ok();
        peak
    };
    let (few, many) = (peak(2_000), peak(100_000));
    // What waits for a lane is in memory, and nothing else of an item is.
    assert!((many - few) * 1024 < 98_000 * 200, "{few} KiB for few, {many} KiB for many");
}
