//! Matrices: names, what is left out and added, selectors, edges, shares, axes of files.

use super::{case, log, out, refused};

const TESTS: &str = r#"
    task test {
        matrix {
            os linux macos
            py 3.10 3.12
            exclude os=macos py=3.10
            include os=windows py=3.12
        }
        run "echo $os $py $XEC_INSTANCE >> log"
    }
    task wheel {
        matrix { os linux macos }
        needs test os="${os}"
        run "echo wheel $os >> log"
    }
    task all { needs test; run "echo all >> log" }
"#;

#[test]
fn instances_are_the_combinations_in_the_order_of_the_file() {
    assert_eq!(
        log(TESTS, ["-j1", "test"]),
        "linux 3.10 test[os=linux,py=3.10]\nlinux 3.12 test[os=linux,py=3.12]\n\
         macos 3.12 test[os=macos,py=3.12]\nwindows 3.12 test[os=windows,py=3.12]\n"
    );
}

#[test]
fn selectors_may_be_partial() {
    assert_eq!(log(TESTS, ["-j1", "test[os=linux]"]).lines().count(), 2);
    assert_eq!(log(TESTS, ["-j1", "test[py=3.10]"]), "linux 3.10 test[os=linux,py=3.10]\n");
    assert_eq!(log(TESTS, ["-j1", "test[py=3.12,os=macos]"]), "macos 3.12 test[os=macos,py=3.12]\n");
    refused(TESTS, ["test[os=bsd]"], "unknown-input", &["test[os=linux,py=3.10]"]);
    case(TESTS, ["test[os=linux"]).run().code(2).says("os=linux");
    case(TESTS, ["test[cpu=arm]"]).run().code(2).says("cpu");
    refused(TESTS, ["test", "os=linux"], "unknown-input", &["chosen: 'test[os=linux]'"]);
}

#[test]
fn a_filtered_edge_leads_to_the_matching_instances_only() {
    let ran = log(TESTS, ["-j1", "wheel[os=macos]"]);
    assert_eq!(ran, "macos 3.12 test[os=macos,py=3.12]\nwheel macos\n");
    let file = r#"
        task a { matrix { os linux macos }; run "test $os = linux" }
        task b { matrix on-error=continue { os linux macos }; needs a os="${os}"; run "echo b $os >> log" }
    "#;
    let ran = case(file, ["-k", "b"]).run().failed();
    assert_eq!(ran.read("log"), "b linux\n");
}

#[test]
fn an_edge_to_a_value_that_is_not_there_is_an_error() {
    let file = r#"
        task a { matrix { os linux macos }; run "echo a >> log" }
        task b { needs a os=amiga; run "echo b >> log" }
    "#;
    case(file, ["b"]).run().code(2).says("amiga");
}

#[test]
fn an_edge_to_the_set_waits_for_all_of_it() {
    let text = log(TESTS, ["-j4", "all"]);
    assert!(text.ends_with("all\n") && text.lines().count() == 5, "{text}");
}

#[test]
fn jobs_of_a_matrix_bound_its_instances() {
    let file = r#"
        task t {
            matrix jobs=2 { n range="1..12" }
            run "mkdir house/$n; ls house | wc -l >> log; rmdir house/$n"
        }
    "#;
    let ran = case(file, ["-j8", "t"]).file("house/.keep", "").run().ok();
    let counts: Vec<u32> = ran.read("log").lines().map(|line| line.trim().parse().unwrap()).collect();
    assert_eq!(counts.len(), 12);
    assert!(counts.iter().all(|count| (1..=2).contains(count)), "{counts:?}");
}

/// Ten instances of which so many fail, under a share that must succeed.
fn share(require: &str, failing: u32) -> String {
    format!(
        "task t {{ matrix require=\"{require}\" on-error=continue {{ n range=\"1..10\" }}; run \"test $n -gt {failing}\" }}\n\
         task next {{ needs t; run \"echo next >> log\" }}"
    )
}

#[test]
fn a_share_is_met_or_missed_by_one() {
    for (require, allowed) in [("70%", 3), ("75%", 2), ("100%", 0), ("7", 3), ("0%", 10), ("1/2", 5)] {
        let met = case(&share(require, allowed), ["next"]).run();
        assert!(met.end == crate::harness::End::Code(0), "{require} with {allowed}: {}", met.story());
        assert_eq!(met.read("log"), "next\n");
        if allowed < 10 {
            let missed = case(&share(require, allowed + 1), ["next"]).run().failed();
            assert_eq!(missed.read("log"), "", "{require}");
        }
    }
}

#[test]
fn a_share_counts_the_instances_asked_for() {
    let file = r#"
        task t { matrix require="50%" on-error=continue { n range="1..10" }; run "test $n -gt 1" }
    "#;
    case(file, ["t"]).run().ok();
    case(file, ["t[n=1]"]).run().failed();
}

#[test]
fn an_empty_matrix_is_refused_unless_it_is_fine() {
    let file = r#"task t { matrix { f glob="*.none" }; run "echo $f >> log" }"#;
    refused(file, ["t"], "empty-matrix", &["Xecfile.kdl:1:", "`f`", "empty=ok"]);
    let file = r#"task t { matrix { os linux; exclude os=linux }; run "echo $os >> log" }"#;
    refused(file, ["t"], "empty-matrix", &["Xecfile.kdl:1:"]);
    let file = r#"
        task t { matrix empty=ok { f glob="*.none" }; run "echo $f >> log" }
        task next { needs t; run "echo next >> log" }
    "#;
    assert_eq!(log(file, ["next"]), "next\n");
}

#[test]
fn ranges_are_inclusive_and_axes_have_any_name() {
    assert_eq!(log(r#"task t { matrix { n range="3..5" }; run "echo $n >> log" }"#, ["-j1", "t"]), "3\n4\n5\n");
    let file = r#"task t { matrix { axis env staging prod }; exec printf "%s\n" "${env}" }"#;
    assert_eq!(out(file, ["-j1", "t"]), "staging\nprod\n");
}

#[test]
fn file_names_are_values_whatever_they_hold() {
    let names =
        ["$(touch pwned).c", "`touch pwned`.c", "it's \"so\".c", "two\nlines.c", "a b.c", "-n.c", "*.c", "{x}.c"];
    let file = r##"
        task t {
            matrix { f glob="src/*.c" }
            run #"cat -- "$f"; printf '%s|' "$f""#
            exec cat "${f}"
        }
    "##;
    let mut case = case(file, ["t", "-j1"]);
    for name in names {
        case = case.file(&format!("src/{name}"), format!("[{name}]"));
    }
    let ran = case.run().ok();
    for name in names {
        let expected = format!("[{name}]src/{name}|");
        assert!(ran.out().contains(&expected), "{name:?}, {}", ran.story());
        assert_eq!(ran.out().matches(&format!("[{name}]")).count(), 2, "{name:?}, {}", ran.story());
    }
    assert!(!ran.path().join("pwned").exists());
    assert_eq!(std::fs::read_dir(ran.path().join("src")).unwrap().count(), names.len());
}

#[test]
fn a_file_whose_name_is_no_text_is_not_left_out_in_silence() {
    use std::os::unix::ffi::OsStrExt as _;
    let file = r##"task t { matrix { f glob="src/*.c" }; run #"cat -- "$f" >> log"# }"##;
    let case = case(file, ["t"]).file("src/a.c", "a");
    let bad =
        |name: &[u8]| std::fs::write(case.path().join("src").join(std::ffi::OsStr::from_bytes(name)), "b").unwrap();
    bad(b"\xff.h");
    bad(b"b\xff.c");
    let ran = case.run().code(2).says("error[bad-value]");
    assert!(ran.err().contains("is not UTF-8") && ran.read("log").is_empty(), "{}", ran.story());
}

#[test]
fn hostile_values_have_names_that_select_them() {
    let file = r#"
        task t { matrix { v "a,b" "x]y" "p=q" "it's" plain "q\"uote" "a b" "$(x)" "\u{1b}[31m" "\u{202e}é x" "back\\s" }; run "printf '%s\\n' \"$XEC_INSTANCE\" >> log" }
    "#;
    let labels = case(file, ["-j1", "t"]).run().ok().read("log");
    let labels: Vec<&str> = labels.lines().collect();
    assert_eq!(labels.len(), 11, "{labels:?}");
    assert_eq!(labels[8..], [r#"t[v="\u001b[31m"]"#, r#"t[v="\u202eé x"]"#, r"t[v=back\s]"], "as JSON");
    assert_eq!(labels[..3], [r#"t[v="a,b"]"#, r#"t[v="x]y"]"#, r#"t[v="p=q"]"#]);
    assert_eq!(labels[4], "t[v=plain]");
    for label in &labels {
        assert_eq!(log(file, [label]).trim_end(), *label);
    }
}

#[test]
fn hooks_of_a_matrix_run_once_for_the_set() {
    let file = r#"
        task t {
            matrix { n 1 2 3; on-success { run "echo all >> log" }; finally { run "echo end >> log" } }
            run "echo $n >> log"
            on-success { run "echo ok $n >> log" }
        }
    "#;
    let text = log(file, ["-j1", "t"]);
    assert!(text.ends_with("all\nend\n") && text.lines().count() == 8, "{text}");
    for n in 1..=3 {
        assert!(text.find(&format!("{n}\n")) < text.find(&format!("ok {n}\n")), "{text}");
    }
}

#[test]
fn what_the_hooks_of_a_matrix_call_has_its_needs_whichever_instance_is_asked_for() {
    let file = r#"
        task t { matrix { n 1 2; on-success { call report } }; run "echo $n >> log" }
        task report { needs tool; run "echo report >> log" }
        task tool { run "echo tool >> log" }
    "#;
    assert_eq!(log(file, ["t[n=2]"]), "2\ntool\nreport\n");
}

#[test]
fn an_instance_that_fails_is_named() {
    let file = r#"task t { matrix on-error=continue { n 1 2 3 }; run "test $n != 2 || exit 9" }"#;
    case(file, ["t"]).run().code(9).says("t[n=2]: exit 9");
}

#[test]
fn an_axis_of_files_without_any_fails_who_runs_it_and_no_check_of_the_file() {
    let file = r#"
        task convert { matrix { file glob="data/*.csv"; exclude file="data/x.csv" }; run "echo $file >> log" }
        task one { needs convert file="data/a.csv"; run "echo one >> log" }
        task other { run "echo other >> log" }
        task fine { matrix empty=ok { file glob="data/*.csv" }; run "echo $file >> log" }
    "#;
    let checked = case(file, ["--check"]).run().ok();
    assert!(
        checked.err().contains("warning[empty-matrix]") && checked.err().contains("Xecfile.kdl:2:"),
        "{}",
        checked.story()
    );
    assert_eq!(checked.err().matches("empty-matrix").count(), 1, "{}", checked.story());
    refused(file, ["convert"], "empty-matrix", &["`file`", "empty=ok"]);
    refused(file, ["-n", "one"], "empty-matrix", &[]);
    assert_eq!(log(file, ["other"]), "other\n");
    case(file, ["fine"]).run().ok();
}
