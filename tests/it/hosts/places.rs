//! What a step on a host has of here, and what it has of there.

use super::{case, log, refused, with_docker};
use crate::harness::project::Project;

#[test]
fn a_step_may_run_elsewhere_than_its_task() {
    let file = r#"
        host lb { via local; env ROLE balancer; }
        task t { on web1; run "echo on $host >> log"; run "echo for $host by $ROLE >> log" { on lb }; sequence { on local; run "echo here ${ROLE:-none} >> log" } }
        task plain { run "echo $host >> log" { on lb }; run "echo ${host:-none} >> log" }
    "#;
    assert_eq!(case(file, ["t"]).run().ok().read("log"), "on web1\nfor web1 by balancer\nhere none\n");
    assert_eq!(case(file, ["plain"]).run().ok().read("log"), "lb\nnone\n");
}

#[test]
fn a_call_runs_where_its_caller_does_unless_it_says_otherwise() {
    let file = r#"
        host lb { via local; env ROLE balancer; }
        task t { call one { on lb }; call two { on lb }; call three { on lb }; call one }
        task one { run "echo one ${ROLE:-none} >> log" }
        task two { on local; run "echo two ${ROLE:-none} >> log" }
        task three { run "echo three ${ROLE:-none} >> log"; finally { run "echo hook ${ROLE:-none} >> log" } }
    "#;
    let ran = case(file, ["t"]).run().ok();
    assert_eq!(ran.read("log"), "one balancer\ntwo none\nthree balancer\nhook balancer\none none\n");
}

#[test]
fn what_is_needed_belongs_to_the_run_and_not_to_the_host() {
    let file = r#"
        host lb { via local; env ROLE balancer; }
        task t { on lb; needs made; run "echo $ROLE >> log" }
        task made { run "echo ${ROLE:-none} >> log" }
    "#;
    assert_eq!(case(file, ["t"]).run().ok().read("log"), "none\nbalancer\n");
}

#[test]
fn only_what_is_declared_or_named_is_sent() {
    let file = r#"
        env FILE file
        dotenv ".env"
        host h { via docker; env OWN "${host} of ${env.SECRET_PLACE}"; env FILE host }
        task t {
            param unnamed default=1
            param named default=2
            on h
            env TASK task
            run "env | grep -E '^(FILE|OWN|TASK|DOT|named|unnamed|XEC_TASK)=' | sort > there; echo $named"
        }
    "#;
    let case = with_docker(case(file, ["t"])).file(".env", "DOT=1\n").env("SECRET_PLACE", "here");
    let ran = case.run().ok();
    assert_eq!(ran.read("there"), "FILE=file\nOWN=h of here\nTASK=task\nXEC_TASK=t\nnamed=2\n");
}

#[test]
fn the_directory_is_that_of_the_host_and_files_are_here() {
    let file = r#"
        host h { via local; cwd "/usr"; }
        task t { on h; run "pwd; cat" { stdin file=in.txt; stdout out.txt }; run "pwd" { cwd "/"; stdout other.txt }; run "cat" { stdin "text"; capture said }; run "echo $said" { on local; stdout said.txt } }
    "#;
    let ran = case(file, ["t"]).file("in.txt", "from here\n").run().ok();
    assert_eq!(ran.read("out.txt"), "/usr\nfrom here\n");
    assert_eq!(ran.read("other.txt"), "/\n");
    assert_eq!(ran.read("said.txt"), "text\n");
}

#[test]
fn a_file_to_read_may_be_as_large_as_it_is() {
    let file = r#"
        task t { on web1; run "cksum; ! read -r more" { stdin file=big; capture there }; run "head -n 1" { stdin file=big; stdout first.txt }; run "[ \"$there\" = \"$(cksum < big)\" ]" { on local } }
    "#;
    let ran = case(file, ["t"]).file("big", "0123456789abcde\n".repeat(1_500_000)).run().ok().nothing_left();
    assert_eq!(ran.read("first.txt"), "0123456789abcde\n");
}

#[test]
fn bytes_and_codes_come_as_they_are() {
    let file = r#"
        task t { on web1; param text; exec printf "%s" "${text}" { stdout out.txt }; run "exit 37" }
    "#;
    let text = "it's $(id) `id` \\ \"x\"\n;é";
    let ran = case(file, ["t", &format!("text={text}")]).run().code(37);
    assert_eq!(ran.read("out.txt"), text);
}

#[test]
fn what_cannot_be_on_a_host_is_refused() {
    refused(
        "task t { call u { on db1 } }\ntask u { param to default=web; pipe { run \"echo a >> log\"; run \"cat\" { on \"${to}\" } } }",
        "one-host",
        &["a command of a pipe runs on one host"],
    );
    refused(
        "task t { call u { on db1 } }\ntask u { outputs log; run \"echo a >> log\" }",
        "not-on-host",
        &["`outputs`"],
    );
    refused("task t { param to default=web; run \"echo a >> log\" { on \"${to}\" } }", "one-host", &["selects 3"]);
}

#[test]
fn retries_timeouts_and_hooks_are_those_of_every_step() {
    let file = r#"
        task t { on web1; retry 1; run "echo try >> log; [ $XEC_ATTEMPT = 2 ]"; on-success { run "echo on $host >> log" } }
        task slow { on web1; run "echo begun > tell; exec sleep 1000" { timeout "200ms"; grace "50ms" } }
    "#;
    assert_eq!(log(&case(file, ["t"]).run().ok()), ["on web1", "try", "try"]);
    case(file, ["slow"]).run().code(124);
}

#[test]
fn as_another_user_here_and_there() {
    let file = r#"
        host h { via local; sudo user=carol; }
        task t { param word default="it's"; run "echo 1 $word" sudo=#true; exec echo "2" { sudo }; run "echo 3" { sudo dave }; run "echo 4" }
        task u { on h; run "echo 5" ; run "echo 6" { sudo user=erin } }
        task no { run "echo never" { sudo user=nobody } }
    "#;
    let project = Project::new(file);
    // As the real one is called: `sudo -n -u 'NAME' -- sh -c …`.
    project.program(
        "standin/sudo",
        "#!/bin/sh\n[ \"$1 $2 $4\" = '-n -u --' ] || exit 9\nif [ \"$3\" = nobody ]; then echo 'sudo: a password is required' >&2; exit 1; fi\n\
         echo \"$3\" >> \"${0%/*}/../calls.txt\"; shift 4; exec \"$@\"\n",
    );
    project.xec(&["-q", "t", "u"]).ok().stdout("1 it's\n2\n3\n4\n5\n6\n");
    let mut calls = project.calls();
    calls.sort();
    assert_eq!(calls, ["carol", "dave", "erin", "root", "root"]);
    let ran = project.xec(&["no"]).code(1);
    let said = ran.err();
    assert!(said.contains("sudo: a password is required") && !said.contains("unreachable"), "{}", ran.story());
}
