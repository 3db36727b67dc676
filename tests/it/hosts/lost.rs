//! Hosts that are not there, and what is true then.

use super::{case, log, with_docker};

const FLEET: &str = "host \"gone[1-2]\" { tags box; via docker; }\nhost box { tags box; via docker; }\n";

#[test]
fn what_cannot_be_reached_is_no_failure_of_the_command() {
    let file = format!("{FLEET}task t {{ on gone1; run \"echo no\" }}");
    let ran = with_docker(case(&file, ["t"])).run().code(255);
    assert!(ran.err().contains("unreachable: No such container: gone1"), "{}", ran.story());
    assert!(!ran.err().contains("failed"), "{}", ran.story());
}

#[test]
fn the_others_go_on_and_the_lost_one_is_not_tried_again() {
    let file = format!(
        "{FLEET}task t {{ call one; call two }}\n\
         task one {{ matrix on-error=continue require=1 {{ on box }}; run \"echo one $host >> log\" }}\n\
         task two {{ matrix on-error=continue require=1 {{ on box }}; run \"echo two $host >> log\" }}\n"
    );
    let ran = with_docker(case(&file, ["t"])).run().ok();
    assert_eq!(log(&ran), ["one box", "two box"]);
    let calls = ran.read("calls");
    assert_eq!(calls.matches("gone").count(), 2, "each is tried once: {calls}");
}

#[test]
fn unreachable_hosts_count_toward_what_is_required() {
    let file = |require: &str| {
        format!(
            "{FLEET}task t {{ matrix on-error=continue require=\"{require}\" {{ on box }}; run \"echo $host >> log\" }}"
        )
    };
    with_docker(case(&file("1/3"), ["t"])).run().ok();
    let ran = with_docker(case(&file("67%"), ["t"])).run().code(1);
    assert!(ran.err().contains("2 unreachable, 1 ok"), "{}", ran.story());
    let ran = with_docker(case(&file("67%"), ["--events=json", "-q", "t"])).run().code(1);
    let last = ran.out().lines().last().unwrap_or_default().to_owned();
    assert!(last.contains(r#""counts":{"ok":1,"failed":0,"unreachable":2,"#), "{last}");
    assert!(last.contains(r#""kind":"unreachable""#), "{last}");
}

#[test]
fn a_retry_is_a_new_attempt_to_reach_it() {
    let file = format!("{FLEET}task t {{ on gone1; retry 2; run \"echo no\" }}\n");
    let ran = with_docker(case(&file, ["t"])).run().code(255);
    assert_eq!(ran.read("calls").lines().count(), 3, "{}", ran.story());
}

#[test]
fn what_was_begun_and_lost_is_not_done_twice() {
    // The way to the host ends in the middle of the command: nobody knows what came of it.
    let docker = "#!/bin/sh\nshift 3\nexec 3<&0\n\"$@\" <&3 &\nexec 3<&-\nread -r go < cut\nkill -9 $!\nexit 1\n";
    let file = "host only { via docker; }\n\
                task t { on only; retry 3; run \"echo begun >> log; echo go > cut; exec sleep 1000\" }\n";
    let case = with_docker(case(file, ["t"])).file("bin/docker", docker).fifo("cut");
    let ran = case.run();
    let ran = ran.code(255);
    assert_eq!(ran.read("log"), "begun\n", "{}", ran.story());
    assert!(ran.err().contains("unknown end"), "{}", ran.story());
}

#[test]
fn an_unknown_end_that_does_not_count_is_still_no_failure() {
    let docker = "#!/bin/sh\nshift 3\nexec 3<&0\n\"$@\" <&3 &\nexec 3<&-\nread -r go < cut\nkill -9 $!\nexit 1\n";
    let file = "host only { via docker; }\n\
                task t { matrix on-error=continue require=1 { on \"only, db1\" }\n\
                run \"[ $host = db1 ] || { echo go > cut; exec sleep 1000; }; echo done >> log\" }\n";
    let ran = with_docker(case(file, ["t"])).file("bin/docker", docker).fifo("cut").run().ok();
    assert_eq!(ran.read("log"), "done\n", "{}", ran.story());
    assert!(ran.err().contains("1 of unknown end and not counted"), "{}", ran.story());
}

#[test]
fn what_was_ended_over_there_since_nobody_seemed_to_be_here_is_not_done_twice() {
    // What the host hears of us ends, and what we hear of it does not: even its last word is no end of the command's.
    let docker = "#!/bin/sh\nshift 3\nmkfifo lease\nexec 3<&0\ncat <&3 > lease &\ncat=$!\n\"$@\" < lease &\n\
                  exec 3<&-\nread -r go < cut\nkill -9 $cat\nwait\n";
    let file = "host only { via docker; }\n\
                task t { on only; retry 3; run \"echo begun >> log; echo go > cut; exec sleep 1000\" }\n";
    let ran = with_docker(case(file, ["t"])).file("bin/docker", docker).fifo("cut").run().code(255);
    assert_eq!(ran.read("log"), "begun\n", "{}", ran.story());
    assert!(ran.err().contains("unknown end"), "{}", ran.story());
}

#[test]
fn a_host_that_cannot_be_asked_is_unreachable_too() {
    for (settings, body) in [
        ("when { run \"true\" }", "run \"echo $host >> log\""),
        ("", "run \"echo $host >> log\" { when exists \".\" }"),
    ] {
        let file = format!(
            "{FLEET}task t {{ matrix on-error=continue {{ on box }}; {settings}; {body} }}\n\
             task u {{ needs t; matrix on-error=continue {{ on gone1 }}; run \"echo no >> log\" }}\n\
             task v {{ matrix on-error=continue require=1 {{ on box }}; when {{ run \"true\" }}; run \"echo v $host >> log\" }}\n"
        );
        let ran = with_docker(case(&file, ["t"])).run().code(1);
        assert_eq!(log(&ran), ["box"]);
        assert!(ran.err().contains("unreachable: No such container: gone1"), "{}", ran.story());
        assert!(ran.err().contains("2 unreachable, 1 ok") && !ran.err().contains("failed"), "{}", ran.story());
        let alone = format!("{FLEET}task t {{ on gone1; {settings}; {body} }}");
        with_docker(case(&alone, ["t"])).run().code(255);
        // What is known to be gone is not asked again, neither by steps nor by questions.
        let ran = with_docker(case(&file, ["-k", "v", "t"])).run().code(1);
        assert_eq!(ran.read("calls").matches("gone").count(), 2, "{}", ran.story());
    }
}
