//! `temp` on hosts: made there before the first step, and removed there after all.

use nix::sys::signal::Signal;

use super::{case, log, with_docker};
use crate::harness::Ran;

/// None of the paths that a run wrote down is there any more.
#[track_caller]
fn all_gone(ran: &Ran, count: usize) {
    let log = log(ran);
    let mut paths: Vec<&str> = log.iter().map(String::as_str).filter(|line| line.starts_with("/tmp/xec-")).collect();
    paths.dedup();
    assert_eq!(paths.len(), count, "{}", ran.story());
    for path in paths {
        assert!(!std::path::Path::new(path).exists(), "{path} is there: {}", ran.story());
    }
}

#[test]
fn each_attempt_has_its_own_and_nothing_is_left() {
    let file = r#"
        task t {
            temp scratch other
            matrix on-error=continue { on web; }
            retry 1
            run "echo $scratch >> log; echo $other >> log; test -d $scratch -a -d $other; stat -c %a $scratch; touch $scratch/made"
            copy from="in" to="${host}:${scratch}/"
            run "test -e $scratch/made; cat $scratch/in; test $XEC_ATTEMPT = 2"
            finally { run "test -d $scratch && echo $host is over" }
        }
    "#;
    let ran = case(file, ["t"]).file("in", "in\n").run().ok();
    all_gone(&ran, 12);
    assert_eq!(ran.out().matches("700\n").count(), 6, "{}", ran.story());
    assert_eq!(ran.out().matches("is over\n").count(), 3, "{}", ran.story());
}

#[test]
fn who_is_called_may_use_that_of_the_caller_first() {
    let file = r#"
        task t { temp d; on web pick=first; call u dir="${d}"; run "ls $d" { on local; stdout local.txt } }
        task u { param dir; temp own; run "echo $dir >> log; echo $own >> log; test -d $dir -a -d $own && touch $dir/it" }
        task s session=#true { temp d; on web1; run "cd $d; pwd >> \"$OLDPWD/log\""; run "touch here; ls $PWD" }
    "#;
    all_gone(&case(file, ["t"]).run().ok(), 2);
    let ran = case(file, ["s"]).run().ok().stdout("here\n");
    all_gone(&ran, 1);
}

#[test]
fn it_goes_when_the_run_is_ended_too() {
    let file = r#"task t { temp d; on web1; run "echo $d >> log; echo in > tell; exec sleep 1000" }"#;
    let mut live = case(file, ["t"]).spawn();
    assert_eq!(live.tell.line(), "in");
    live.signal(Signal::SIGINT);
    let ran = live.end().signal(Signal::SIGINT).nothing_left();
    all_gone(&ran, 1);
}

#[test]
fn a_host_that_is_not_there_has_none_and_one_that_refuses_says_so() {
    let file = r#"
        host gone { via docker; }
        host full { via docker; }
        task t { temp d; on gone; run "echo $d >> log" }
        task u { temp d; on full; run "echo $d >> log" }
    "#;
    let ran = with_docker(case(file, ["t"])).run().code(255);
    assert_eq!(ran.read("log"), "");
    // A docker in which nobody can make a directory.
    let docker = "#!/bin/sh\nshift 3\nPATH=\"$PWD/bin:$PATH\" exec \"$@\"\n";
    let mkdir = "#!/bin/sh\necho 'mkdir: no space left' >&2\nexit 1\n";
    let case = with_docker(case(file, ["u"])).file("bin/docker", docker).file("bin/mkdir", mkdir);
    let path = case.path().join("bin/mkdir");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("may be executed");
    let ran = case.run().code(1);
    assert!(ran.err().contains("mkdir: no space left"), "{}", ran.story());
    assert!(ran.err().contains("the temporary directory cannot be made"), "{}", ran.story());
    assert_eq!(ran.read("log"), "");
}
