//! Conditions see the place where they are written; a `let` is made before whoever names it; who takes a value that is
//! not there is skipped.

use super::{case, log, out, refused};

#[test]
fn conditions_see_the_directory_of_their_place() {
    let file = r##"
        task t cwd=sub {
            run "echo here >> ../log" { when exists marker }
            run "echo there >> ../log" { when exists marker; cwd ".." }
            run "echo asked >> ../log" { when run "test -e marker" }
            run "echo any >> ../log" { when exists "mark*" }
        }
        task all cwd=sub { when exists marker; run "echo all >> ../log" }
    "##;
    let run = |task: &str| case(file, [task]).file("sub/marker", "").run().ok().read("log");
    assert_eq!(run("t"), "here\nasked\nany\n");
    assert_eq!(run("all"), "all\n");
}

#[test]
fn conditions_see_the_environment_of_their_place() {
    let file = r##"
        dotenv vars
        env { TOP yes; STAGE top }
        task t {
            env { OWN task; STAGE task }
            run "echo own >> log" { when env OWN task }
            run "echo step >> log" { when env STAGE step; env STAGE step }
            run "echo task >> log" { when env STAGE task }
            run "echo script >> log" { when run #"test "$OWN$TOP$FROM_FILE" = taskyesdot"# }
            run "echo made >> log" { when env BOTH task-yes; env { BOTH "${env.OWN}-${env.TOP}" } }
            run "echo never >> log" { when env STAGE top }
        }
        task plain { when env TOP yes; when env STAGE top; run "echo plain >> log" }
    "##;
    let run = |task: &str| case(file, [task]).file("vars", "FROM_FILE=dot\n").run().ok().read("log");
    assert_eq!(run("t"), "own\nstep\ntask\nscript\nmade\n");
    assert_eq!(run("plain"), "plain\n");
}

#[test]
fn a_program_is_looked_for_on_the_path_of_the_place() {
    let file = r##"
        task t {
            run "echo found >> log" { when command stand-in; env PATH "${env.PWD}/bin:${env.PATH}" }
            run "echo relative >> log" { when command stand-in; env PATH "bin:${env.PATH}" }
            run "echo not >> log" { when command stand-in }
        }
    "##;
    let case = case(file, ["t"]).file("bin/stand-in", "#!/bin/sh\n");
    let bin = case.path().join("bin/stand-in");
    std::fs::set_permissions(bin, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let pwd = case.path().to_owned();
    assert_eq!(case.env("PWD", pwd).run().ok().read("log"), "found\nrelative\n");
}

#[test]
fn a_question_is_asked_by_the_shell_of_its_place_with_the_values_it_names() {
    let file = r##"
        task t {
            param word default="a b"
            run "printf 7" capture=seven
            run "echo dash >> log" { when run #"test "$word:$seven" = "a b:7""# }
            sequence {
                when run "word"
                shell sh -c #"test "$0" = word"#
                run "echo other >> log" { shell sh -c }
            }
        }
    "##;
    assert_eq!(log(file, ["t"]), "dash\nother\n");
}

#[test]
fn a_question_waits_for_the_let_that_it_names() {
    let file = r##"
        let sha run="echo asked >> asked; echo abc"
        let place "${sha}-dir"
        task t {
            run "echo script >> log" { when run #"test "$sha" = abc"# }
            run "echo line >> log" { when equal "${sha}" abc; unless equal "${place}" other }
        }
        task whole { when run #"test "$place" = abc-dir"#; run "echo whole >> log" }
        task bad { when run #"test "$broken""#; run "echo bad >> log" }
        let broken run="exit 3"
    "##;
    let ran = case(file, ["t", "whole"]).run().ok();
    assert_eq!((&*ran.read("log"), &*ran.read("asked")), ("script\nline\nwhole\n", "asked\n"));
    case(file, ["bad"]).run().code(1).says("`let broken`");
}

#[test]
fn a_let_may_be_made_of_earlier_ones() {
    let file = r##"
        let plain "p"
        let first run=#"echo "$plain-1""#
        let around "<${first}>"
        let last run=#"echo "$around $first""#
        task t { run #"echo "$last""#; exec echo "${around}" }
        task u { call v x="${around}" }
        task v { param x; exec echo "${x}" }
    "##;
    assert_eq!(out(file, ["t"]), "<p-1> p-1\n<p-1>\n");
    assert_eq!(out(file, ["u"]), "<p-1>\n", "a value that is given late");
}

const TAKING: &str = r##"
    task top { needs user other; run "echo top >> log" }
    task user { needs maker { take version }; run #"echo "user $version" >> log"# }
    task other { needs maker { take version as=v default="none" }; run #"echo "other $v" >> log"# }
    task maker { unless exists skip; run "echo 7" capture=version }
"##;

#[test]
fn who_takes_a_value_that_is_not_there_is_skipped_and_satisfies_others() {
    let all = log(TAKING, ["-j1", "top"]);
    assert!(all.contains("user 7\n") && all.contains("other 7\n") && all.ends_with("top\n"), "{all}");
    let ran = case(TAKING, ["-j1", "top"]).file("skip", "").run().ok();
    assert_eq!(ran.read("log"), "other none\ntop\n");
    assert!(ran.err().contains("skipped, since `maker` made no `version`: user"), "{}", ran.story());
    let ran = case(TAKING, ["user", "--events=json"]).file("skip", "").run().ok();
    assert!(ran.out().contains(r#""why":"value","needed":"maker","value":"version""#), "{}", ran.story());
}

#[test]
fn a_value_of_a_step_that_was_skipped_or_may_fail_is_not_there() {
    let file = r##"
        task user { needs a { take x }; run "echo user >> log" }
        task a { run "echo 1" capture=x { when exists no }; run "echo a >> log" }
        task forgiving { needs b { take y }; run "echo forgiving >> log" }
        task b { optional #true; run "exit 3"; run "echo 1" capture=y }
        task list { needs m { take n }; run #"echo "list $n" >> log"# }
        task m { matrix { n 1 2 }; unless equal "${n}" 2; run "true" }
    "##;
    assert_eq!(log(file, ["user"]), "a\n");
    assert_eq!(log(file, ["forgiving"]), "");
    assert!(log(file, ["list"]).starts_with("list 1"), "a list is what there is");
}

#[test]
fn a_default_is_known_before_anything_runs() {
    let file = r##"
        task user { needs a { take x default="${x}" }; run "echo user >> log" }
        task a { run "echo 1" capture=x; run "echo a >> log" }
    "##;
    refused(file, ["user"], "late-value", &["a default"]);
}

#[test]
fn what_a_failed_attempt_of_a_group_kept_is_gone() {
    let file = r##"
        task t {
            run "echo before" capture=kept
            sequence retry=1 {
                run "echo one" capture=made { when run "test ! -e second" }
                run #"echo "${made-unset} $kept" >> log; test -e second || { touch second; exit 1; }"# { shell sh -ec }
            }
        }
        task p {
            parallel retry=1 {
                run "echo good >> good; cat good | wc -l" capture=good
                run "test -e again || { touch again; exit 1; }"
            }
            run #"echo $good >> log"#
        }
    "##;
    assert_eq!(log(file, ["t"]), "one before\nunset before\n");
    assert_eq!(log(file, ["-j1", "p"]), "1\n", "what succeeded side by side is kept");
}
