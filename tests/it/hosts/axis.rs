//! The axis `host`: an instance for each host, its name, edges between instances of one host, choice on the command
//! line.

use super::{case, log, refused};

#[test]
fn a_task_runs_on_each_of_its_hosts() {
    let ran = case(r#"task t { on "web & !web2"; run "echo $host >> log" }"#, ["t"]).run().ok();
    assert_eq!(log(&ran), ["web1", "web3"]);
}

#[test]
fn the_host_is_the_first_axis_and_stands_in_the_name() {
    let file = r#"task t { on web; matrix { region eu us }; run "echo $XEC_INSTANCE $host $region >> log" }"#;
    let ran = case(file, ["t"]).run().ok();
    assert_eq!(log(&ran).len(), 6);
    assert_eq!(log(&ran)[0], "t@web1[region=eu] web1 eu");
    let turned = r#"task t { matrix { region eu us; on web }; run "echo $XEC_INSTANCE >> log" }"#;
    assert_eq!(log(&case(turned, ["t"]).run().ok())[5], "t@web3[region=us]");
}

#[test]
fn what_can_be_said_of_a_host_is_there_for_templates() {
    let file = r#"
        host far { address "10.0.0.7"; tags a b; via local; }
        task t { on far; exec sh "-c" "echo \"$@\" >> log" sh "${host}" "${host.address}" "${host.tags}" "${host.tags|json}" }
    "#;
    assert_eq!(log(&case(file, ["t"]).run().ok()), [r#"far 10.0.0.7 a b ["a","b"]"#]);
}

#[test]
fn instances_of_one_host_wait_for_each_other_and_for_no_other() {
    // The build on web1 ends only when web2 has been deployed: a barrier between the two tasks would never end.
    let file = r#"
        task build { on "web[1-2]"; run "if [ $host = web1 ]; then read -r go < gate; fi; echo build $host >> log" }
        task t { matrix { on "web[1-2]" }; needs build host="${host}"; run "echo deploy $host >> log; if [ $host = web2 ]; then echo go > gate; fi" }
    "#;
    let ran = case(file, ["t"]).fifo("gate").run().ok();
    assert_eq!(ran.read("log"), "build web2\ndeploy web2\nbuild web1\ndeploy web1\n");
}

#[test]
fn the_command_line_chooses_hosts() {
    let file = r#"task t { on web; matrix { region eu us }; run "echo $XEC_INSTANCE >> log" }"#;
    for (selector, expected) in [
        ("t@web1[region=eu]", vec!["t@web1[region=eu]"]),
        ("t[region=us]@web[2-3]", vec!["t@web2[region=us]", "t@web3[region=us]"]),
        ("t@web3", vec!["t@web3[region=eu]", "t@web3[region=us]"]),
    ] {
        assert_eq!(log(&case(file, [selector]).run().ok()), expected, "{selector}");
    }
    let ran = case(file, ["t@db1"]).run().code(2);
    assert!(ran.err().contains("`t@db1` means no instance of `t`"), "{}", ran.story());
    let ran = case(file, ["t@wbe1"]).run().code(2);
    assert!(ran.err().contains("did you mean `web1`"), "{}", ran.story());
}

#[test]
fn a_selector_may_come_from_inputs() {
    let file = r#"
        task t { param to; call ship to="${to}"; call ship to="db1" }
        task ship private=#true { param to; matrix { on "${to}" }; run "echo $XEC_INSTANCE >> log" }
    "#;
    assert_eq!(
        log(&case(file, ["t", "to=web & !web1"]).run().ok()),
        ["ship@db1[to=db1]", "ship@web2[to=\"web & !web1\"]", "ship@web3[to=\"web & !web1\"]"]
    );
    let ran = case(file, ["t", "to=wbe"]).run().code(2);
    assert!(ran.err().contains("there is no host and no tag `wbe`"), "{}", ran.story());
}

#[test]
fn names_of_hosts_alone_are_an_axis_that_runs_here() {
    let file = r#"task t { matrix { target hosts="web, db1" }; run "echo $target $PWD >> log"; }"#;
    let ran = case(file, ["t"]).run().ok();
    let lines = log(&ran);
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("db1 /"), "{lines:?}");
}

#[test]
fn values_are_taken_across_hosts_in_their_order() {
    let file = r##"
        task name { on web; run "echo $host x" { capture said } }
        task t { needs name { take said as=all; take host }; run #"printf '%s|' "$all" "$host" >> log"# }
    "##;
    assert_eq!(case(file, ["t"]).run().ok().read("log"), "web1 x\nweb2 x\nweb3 x|web1\nweb2\nweb3|");
}

#[test]
fn late_instances_are_put_on_one_host_each() {
    refused(
        "task t { matrix { on web; n from=\"${list}\" }; needs l { take list }; run \"echo $n >> log\" }\n\
         task l { run \"echo a\" { capture list as=lines } }",
        "not-yet",
        &["pick=least-loaded"],
    );
    let file = r#"
        task t { on web pick=round-robin; matrix jobs=1 { n from="${list}" }; needs l { take list }; run "echo $n $host $XEC_INSTANCE >> log" }
        task l { run "seq 4" { capture list as=lines } }
    "#;
    let lines = log(&case(file, ["t"]).run().ok());
    assert_eq!(lines, ["1 web1 t@web1[n=1]", "2 web2 t@web2[n=2]", "3 web3 t@web3[n=3]", "4 web1 t@web1[n=4]"]);
}
