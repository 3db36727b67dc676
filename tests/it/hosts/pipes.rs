//! `pipe` with commands on hosts: each at its own place, and bytes that flow as fast as the slowest reads.

use super::{case, refused, with_docker};

#[test]
fn each_command_is_at_its_own_place() {
    let file = r#"
        host here2 { via local; env WHERE two; }
        task whole { on web1; pipe { run "printf '%s\\n' c a b"; exec sort; run "head -n 2; echo $host" } }
        task mixed {
            pipe capture=got {
                run "echo here ${WHERE:-none}"
                run "cat; echo $WHERE $host" { on here2 }
                run "cat; echo on $host" { on web2 }
                run "cat; echo back ${WHERE:-none}"
            }
            run "echo \"$got\" | tr '\\n' ,"
        }
        task last { pipe capture=got { run "echo from here"; run "tr a-z A-Z" { on web1 } }; run "echo $got" }
        task tofile { pipe stdin="text" stdout=out.txt { run "cat" { on web1 }; run "cat; echo ." { on web2 } } }
        task fromfile { pipe { run "wc -c" { on web1; stdin file=big }; run "cat" } }
        task errors { pipe { run "echo one >&2" { on web1 }; run "cat; echo two >&2" } }
        task picked { on web pick=first; pipe { run "echo $host"; exec cat { on local } } }
    "#;
    let with = |task: &str| case(file, [task]).file("big", "x".repeat(3_000_000));
    with("whole").run().ok().stdout("a\nb\nweb1\n");
    with("mixed").run().ok().stdout("here none,two here2,on web2,back none,");
    with("last").run().ok().stdout("FROM HERE\n");
    assert_eq!(with("tofile").run().ok().read("out.txt"), "text.\n");
    with("fromfile").run().ok().stdout("3000000\n");
    with("errors").run().ok().says("one").says("two");
    with("picked").run().ok().stdout("web1\n");
}

#[test]
fn many_bytes_come_as_they_are() {
    let file = r#"
        task t { pipe stdin="" { run "head -c 20000000 /dev/zero | tr '\\0' x" { on web1 }; run "cat" { on web2 }; exec cksum } }
        task local { run "head -c 20000000 /dev/zero | tr '\\0' x | cksum" }
    "#;
    let there = case(file, ["t"]).run().ok();
    assert_eq!(there.out(), case(file, ["local"]).run().ok().out());
}

#[test]
fn who_is_not_read_any_more_ends_and_the_last_failure_counts() {
    let file = r#"
        task up { pipe { exec yes { on web1 }; exec head -n 1 } }
        task down { pipe { exec yes; exec head -n 1 { on web1 } } }
        task both { pipe { exec yes { on web1 }; exec head -n 1 { on web2 } } }
        task first { pipe { run "exit 3" { on web1 }; exec cat } }
        task second { pipe { run "exit 3" { on web1 }; run "cat; exit 4" { on web2 } } }
        task missing { pipe { exec cat { on web1 }; exec no-such-program-here { on web2 } } }
    "#;
    for task in ["up", "down", "both"] {
        case(file, [task]).run().ok().stdout("y\n").nothing_left();
    }
    for (task, code) in [("first", 3), ("second", 4), ("missing", 127)] {
        case(file, [task]).run().code(code).nothing_left();
    }
}

#[test]
fn all_of_it_ends_with_its_time_and_with_a_host_that_is_not_there() {
    let file = r#"
        host gone { via docker; }
        task slow { pipe { exec sleep 1000 { on web1 }; exec sleep 1000 { on web2 }; exec sleep 1000; timeout "300ms"; grace "100ms" } }
        task lost { pipe { exec sleep 1000 { on web1 }; exec cat { on gone } } }
    "#;
    case(file, ["slow"]).run().code(124).nothing_left();
    let ran = with_docker(case(file, ["lost"])).run().code(255).nothing_left();
    assert!(ran.err().contains("No such container: gone"), "{}", ran.story());
}

#[test]
fn one_place_for_each_command() {
    refused("task t { pipe { run \"echo a >> log\" { on web }; exec cat } }", "one-host", &["selects 3"]);
    refused(
        "task t { pipe { run \"echo a >> log\" { on web pick=first }; exec cat } }",
        "unknown-setting",
        &["a command of a `pipe` has no `pick`"],
    );
}
