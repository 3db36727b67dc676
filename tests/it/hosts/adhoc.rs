//! `xec --on SELECTOR -- command`.

use super::{case, log, with_docker};

#[test]
fn a_command_runs_on_each_host_and_needs_no_task() {
    let ran =
        case("task t { run \"true\" }", ["--on", "web & !web2", "--", "sh", "-c", "echo \"$1\" >> log", "x", "it's"])
            .run()
            .ok();
    assert_eq!(log(&ran), ["it's", "it's"]);
    assert!(ran.err().contains("sh@web1") && !ran.err().contains("sh@web2"), "{}", ran.story());
    assert!(!ran.err().contains("still"), "nothing of ours is left over: {}", ran.story());
    let ran = case("task t { run \"true\" }", ["--on=db1", "--", "echo a > log; echo b >> log"]).run().ok();
    assert_eq!(log(&ran), ["a", "b"]);
}

#[test]
fn a_file_of_hosts_alone_is_enough() {
    let ran = case("", ["--on", "db1", "--", "echo", "done"]).run().ok();
    assert_eq!(ran.out(), "done\n", "{}", ran.story());
    let ran = case("", ["t"]).run().code(2);
    assert!(ran.err().contains("unknown-task"), "{}", ran.story());
}

#[test]
fn words_show_as_the_program_sees_them() {
    for words in [["echo", "${HOME} $$ $x"].as_slice(), &["echo ${HOME:-none}"]] {
        let args = [&["--on", "db1", "--"], words].concat();
        let ran = case("", []).args(&args).run().ok();
        assert!(ran.err().contains(&format!("echo@db1: {}\n", words.join(" "))), "{}", ran.story());
    }
}

#[test]
fn one_bad_host_ends_no_other_and_shows_in_the_code() {
    let file = "host \"gone1\" { tags box; via docker; }\nhost ok { tags box; via docker; }\ntask t { run \"true\" }";
    let ran = with_docker(case(file, ["--on", "box", "--", "sh", "-c", "echo done >> log"])).run().code(255);
    assert_eq!(ran.read("log"), "done\n");
    assert!(ran.err().contains("1 unreachable, 1 ok"), "{}", ran.story());
    let ran = case("task t { run \"true\" }", ["--on", "db1", "--", "sh", "-c", "exit 9"]).run().code(9);
    assert!(ran.err().contains("exit 9"), "{}", ran.story());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let file = "task t { run \"true\" }";
    for (args, words) in [
        (vec!["--on", "wbe", "--", "true"], "did you mean `web`"),
        (vec!["--on", "web"], "what stands behind `--`"),
        (vec!["--on", "web", "t", "--", "true"], "`t` is a task"),
        (vec!["--on", "web &", "--", "true"], "selects no hosts"),
    ] {
        let ran = crate::harness::Case::new().xecfile(format!("{}{file}", super::HOSTS)).args(&args).run().code(2);
        assert!(ran.err().contains(words), "{words}: {}", ran.story());
    }
}

#[test]
fn a_look_at_it_says_where_it_would_run() {
    let ran = case("task t { run \"true\" }", ["-n", "--on", "web & !web2", "--", "uptime"]).run().ok();
    assert!(ran.out().contains("uptime  on 2 of 4 hosts: web & !web2"), "{}", ran.story());
    let file = "task t { on \"web[1-2], db1\"; run \"true\" }";
    let ran = case(file, ["-n", "t@db1"]).run().ok();
    assert!(ran.out().contains("t  on 1 of 4 hosts: asked for, of the 3 of web[1-2], db1"), "{}", ran.story());
}

#[test]
fn what_many_hosts_say_alike_is_said_once_more_in_one_line() {
    let file = "host \"app[1-5]\" { via local; }\ntask t { run \"true\" }";
    let ran = case(file, ["--on", "app*", "--", "[ $host = app3 ] && echo other || echo same"]).run().ok();
    let said = ran.err();
    assert!(said.contains("= command: 4 hosts: the same 1 line\n  same\n"), "{}", ran.story());
    assert!(said.contains("app3\n  - same\n  + other\n"), "{}", ran.story());
    let quiet = case(file, ["-q", "--on", "app*", "--", "echo", "same"]).run().ok();
    assert_eq!(quiet.err(), "");
}
