//! `pipe`: several commands that are one step; and files at the ends of a step.

use nix::sys::resource::Resource;
use nix::sys::signal::Signal;

use super::{case, log};

#[test]
fn each_reads_what_the_one_before_writes() {
    let file = r##"
        task t {
            pipe {
                run #"printf 'b\na\nc\n'"#
                exec sort
                run "head -n 2; cat >&2"
            }
            pipe capture=upper { exec printf "%s" hello; exec tr a-z A-Z }
            run "echo $upper >> log"
        }
    "##;
    let ran = case(file, ["t"]).run().ok();
    assert_eq!((ran.out().as_str(), ran.read("log").as_str()), ("a\nb\n", "HELLO\n"), "{}", ran.story());
    assert!(ran.err().contains("| sort | head -n 2"), "{}", ran.story());
}

#[test]
fn it_takes_one_slot_and_runs_at_once() {
    let file = r#"
        task t {
            parallel {
                pipe { run "echo up > $TELL; head -n 1 go"; run "read -r line; echo got $line >> log" }
                run "echo other > $TELL"
            }
        }
    "#;
    let mut live = case(file, ["-j1", "t"]).fifo("go").spawn();
    assert_eq!(live.tell.line(), "up");
    live.fifo("go").say("it");
    assert_eq!(live.tell.line(), "other", "only when the pipe has ended");
    assert_eq!(live.end().ok().nothing_left().read("log"), "got it\n");
}

#[test]
fn it_fails_as_the_last_that_fails() {
    for (members, code) in [
        (r#"run "exit 3"; run "cat""#, 3),
        (r#"run "exit 3"; run "cat; exit 4"; run "cat""#, 4),
        (r#"run "true"; run "cat; kill -KILL $$""#, 137),
        (r#"exec yes; exec head -n 1"#, 0),
        (r#"run "yes"; exec cat; exec head -n 1"#, 0),
        (r#"exec yes; run "head -n 1 > /dev/null; exit 5""#, 5),
    ] {
        case(&format!("task t {{ pipe {{ {members} }} }}"), ["t"]).run().code(code).nothing_left();
    }
    let ran = case(r#"task t { pipe { exec sleep 1000; exec no-such-program; exec cat } }"#, ["t"]).run().code(127);
    ran.nothing_left().says("no-such-program");
}

#[test]
fn all_of_it_is_ended_together() {
    let file = r#"task t { pipe timeout="100ms" { run "echo up > $TELL; sleep 1000"; exec cat; exec cat } }"#;
    case(file, ["t"]).run().code(124).nothing_left();
    let file = r##"
        task t { pipe { run #"trap 'echo one >> log; exit' INT; sleep 1000 & echo up > "$TELL"; wait"#; run "cat" } }
    "##;
    let mut live = case(file, ["t"]).spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal(Signal::SIGINT);
    assert_eq!(live.end().signal(Signal::SIGINT).nothing_left().read("log"), "one\n");
}

#[test]
fn nobody_but_the_kernel_holds_what_goes_through() {
    // More than xec may have in memory, the second half of it after the reader has waited for a word.
    let file = r#"
        task t {
            pipe capture=count {
                exec head -c 1073741824 "/dev/zero"
                exec cat
                run "head -c 1000 > /dev/null; echo up > $TELL; read -r x < go; wc -c"
            }
            run "echo $count"
        }
    "#;
    let mut live = case(file, ["t"]).fifo("go").limit(Resource::RLIMIT_AS, 512 * 1024 * 1024).spawn();
    assert_eq!(live.tell.line(), "up");
    live.fifo("go").say("on");
    let ran = live.end().ok();
    let count: u64 = ran.out().trim().parse().unwrap_or_default();
    assert!(count > 1_073_000_000, "{}", ran.story());
}

#[test]
fn it_is_tried_again_as_a_whole() {
    let file = r#"
        task t { pipe retry=1 { run "echo a$XEC_ATTEMPT >> log; echo x"; run "cat > /dev/null; test $XEC_ATTEMPT = 2" } }
    "#;
    assert_eq!(log(file, ["t"]), "a1\na2\n");
}

#[test]
fn hooks_and_values_of_the_whole() {
    let file = r#"
        task t {
            pipe status=code optional=#true {
                run "exit 9"
                exec cat
                on-failure { run "echo failed >> log" }
                finally { run "echo end >> log" }
            }
            run "echo $code >> log"
        }
    "#;
    assert_eq!(log(file, ["t"]), "failed\nend\n9\n");
}

#[test]
fn each_has_a_place_and_variables_of_its_own() {
    let file = r#"
        let word "of the file"
        task t {
            env A task
            pipe {
                run "pwd; echo $A $word" { cwd sub; env A first }
                run "cat; echo $A"
            }
        }
    "#;
    let ran = case(file, ["t"]).file("sub/x", "").run().ok();
    let here = ran.path().canonicalize().unwrap();
    assert_eq!(ran.out(), format!("{}\nfirst of the file\ntask\n", here.join("sub").display()));
}

#[test]
fn files_at_both_ends() {
    let file = r##"
        let name piped
        task t {
            run #"mkdir sub; printf 'b\na\n' > in.txt; echo old old old > sub/out.txt"#
            run "sort" { stdin file="in.txt"; stdout "sub/out.txt" }
            pipe cwd=sub { stdin file="out.txt"; stdout "${name}.txt"; exec cat; exec tr a-z A-Z }
            run "echo words; echo err >&2" stdout="words.txt"
        }
    "##;
    let ran = case(file, ["t"]).run().ok();
    let read = ["sub/out.txt", "sub/piped.txt", "words.txt"].map(|name| ran.read(name));
    assert_eq!(read, ["a\nb\n", "A\nB\n", "words\n"]);
    assert!(ran.err().contains("err") && ran.out().is_empty(), "{}", ran.story());
}

#[test]
fn files_that_cannot_be_opened_fail_the_step() {
    for (step, words) in [
        (r#"run "echo x" stdout="no/such/dir""#, "cannot write"),
        (r#"run "cat" { stdin file="none.txt" }"#, "cannot read"),
        (r#"run "cat" { stdin file="never" }"#, "named pipe"),
        (r#"run "echo x" stdout="never""#, "named pipe"),
    ] {
        case(&format!("task t {{ {step} }}"), ["t"]).run().code(1).says(words).says("Xecfile.kdl:1");
    }
}
