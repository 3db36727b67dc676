//! Hosts that other files describe, and what is shown of all.

use crate::harness::Case;

const INVENTORY: &str =
    "[web]\nweb[01:02].x ansible_connection=local\n[prod:children]\nweb\n[web:vars]\nhttp_port=80\n";

#[test]
fn an_inventory_is_read_and_added_to() {
    let file = r#"
        hosts from="inv/hosts.ini"
        host "web01.x" { tags canary; env ROLE first; }
        task t { on "prod & !canary, canary"; run "echo $host ${ROLE:-other} >> log" }
    "#;
    let ran = Case::new().xecfile(file).file("inv/hosts.ini", INVENTORY).args(["t"]).run().ok();
    let mut lines: Vec<String> = ran.read("log").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["web01.x first", "web02.x other"]);
    let ran = Case::new().xecfile(file).file("inv/hosts.ini", INVENTORY).args(["--check"]).run().ok();
    assert!(ran.err().contains("`http_port` says nothing to xec"), "{}", ran.story());
}

#[test]
fn hosts_are_of_the_run_whichever_file_declares_them() {
    let ran = Case::new()
        .xecfile("include \"sub/Xecfile.kdl\" as=sub\ntask t { on far; run \"echo $host > log\" }")
        .file("sub/Xecfile.kdl", "host far { via local; }\ntask u { on far; run \"true\" }")
        .args(["t", "sub:u"])
        .run()
        .ok();
    assert_eq!(ran.read("log"), "far\n");
}

#[test]
fn the_list_shows_hosts() {
    let file =
        "host \"web[1-2]\" { tags web eu; user deploy; port 22; }\nhost box { via docker; }\ntask t { run \"true\" }";
    let ran = Case::new().xecfile(file).args(["-l"]).run().ok();
    assert_eq!(ran.out(), "t\n\nhosts\n  web1  web eu\n  web2  web eu\n  box   [via docker]\n");
    let ran = Case::new().xecfile(file).args(["-l", "--json"]).run().ok();
    let list: serde_json::Value = serde_json::from_str(&ran.out()).expect("JSON");
    assert_eq!(list["hosts"][0]["user"], "deploy");
    assert_eq!(list["hosts"][2]["via"], "docker");
}

#[test]
fn a_name_of_the_ssh_configuration_is_a_host_and_is_matched_by_no_pattern() {
    let case = |file: &str, args: &[&str]| {
        let case = Case::new().xecfile(file).file(".ssh/config", "Host bastion *.x\n  User me\n");
        let home = case.path().to_owned();
        case.env("HOME", home).args(args)
    };
    let file =
        "host here { via local; }\ntask t { on \"*\"; run \"echo $host >> log\" }\ntask b { on bastion; run \"true\" }";
    assert_eq!(case(file, &["t"]).run().ok().read("log"), "here\n");
    let ran = case(file, &["-n", "b"]).run().ok();
    assert!(ran.out().contains("b@bastion"), "{}", ran.story());
}

#[test]
fn only_a_check_warns_of_failing_fast_over_hosts() {
    let file = "host \"web[1-2]\" { tags web; via local; }\ntask t { on web; run \"true\" }\ntask u { on web; on-error continue; run \"true\" }";
    let ran = Case::new().xecfile(file).args(["--check"]).run().ok();
    assert!(ran.err().contains("fail-fast-hosts") && !ran.err().contains("`u`"), "{}", ran.story());
    assert!(Case::new().xecfile(file).args(["t"]).run().ok().err().find("fail-fast-hosts").is_none());
}
