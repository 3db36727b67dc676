//! Containers and pods, by clients that are small programs: what they are asked, and what they never see.

use super::{case, with_program};

/// Writes down each of its words, knows one pod or container by its label, and runs what it is given.
const CLIENT: &str = r#"#!/bin/sh
printf '%s\n' "$*" >> words
case $* in
    "get pods -n shop -o name --field-selector status.phase=Running -l app=web") echo pod/web-7 ;;
    "ps --format {{.Names}} --filter label=app=web") echo box-7 ;;
    "exec -i -n shop -c app web-7 -- "*) shift 8; exec "$@" ;;
    "exec -i box-7 "*) shift 3; exec "$@" ;;
    *) echo "strange words" >&2; exit 1 ;;
esac
"#;

#[test]
fn who_has_a_label_is_found_and_runs_it_and_no_argument_holds_a_secret() {
    for (client, host) in [
        ("kubectl", "host shop { via kubernetes namespace=shop container=app label=\"app=web\" }"),
        ("docker", "host shop { via docker label=\"app=web\" }"),
    ] {
        let task = "secret TOKEN\ntask t { on shop; run \"echo $host ${#TOKEN}; echo $TOKEN\" }";
        let case = case(&format!("{host}\n{task}"), ["t"]).env("TOKEN", "hunter2hunter2");
        let ran = with_program(case, client, CLIENT).run().ok();
        assert_eq!(ran.out(), "shop 14\n***\n", "{}", ran.story());
        let words = ran.read("words");
        assert!(words.contains("exec -i ") && !words.contains("hunter2"), "{words}");
    }
}

#[test]
fn a_label_that_nobody_has_is_a_host_that_is_not_there() {
    let file = "host shop { via kubernetes namespace=shop label=\"app=web\" }\ntask t { on shop; run \"echo no\" }";
    let ran = with_program(case(file, ["t"]), "kubectl", "#!/bin/sh\nexit 0\n").run().code(255);
    assert!(ran.err().contains("unreachable") && !ran.out().contains("no"), "{}", ran.story());
}
