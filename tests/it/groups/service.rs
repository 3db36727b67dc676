//! Services: up while others need them. And `wait`, which asks for the same things.

use std::io::{Read, Write};
use std::net::TcpListener;

use nix::sys::signal::Signal;

use super::{case, log};

/// Up once it has said so; says when it is ended.
const DB: &str = r##"
    task db {
        service { ready exists="up" }
        run #"trap 'echo stopped >> log; rm up; exit 0' TERM; sleep 1000 & echo started >> log; touch up; wait"#
    }
"##;

#[test]
fn it_is_up_while_it_is_needed() {
    let file = format!(
        r#"{DB}
        task a {{ needs db; run "echo a >> log" }}
        task b {{ needs a; run "test -e up; echo b >> log" }}
        task both {{ needs b db; run "test -e up; echo both >> log" }}
    "#
    );
    for width in ["-j1", "-j4"] {
        let ran = case(&file, [width, "both"]).run().ok().nothing_left();
        assert_eq!(ran.read("log"), "started\na\nb\nboth\nstopped\n", "{}", ran.story());
        assert!(ran.err().contains("✓ 4 tasks"), "{}", ran.story());
    }
    let ran = case(&file, ["b"]).run().ok().nothing_left();
    assert_eq!(ran.read("log"), "started\na\nb\nstopped\n", "b needs it by way of a");
}

#[test]
fn a_late_set_keeps_it_up_by_way_of_others() {
    let file = format!(
        r#"{DB}
        task list {{ run "printf '1\n2\n'" {{ capture items as=lines }} }}
        task a {{ needs db; run "echo a >> log" }}
        task set {{ needs list {{ take items }}; needs a; matrix {{ item from="${{items}}" }}; run "test -e up" }}
        task top {{ needs set; run "test -e up; echo top >> log" }}
    "#
    );
    for width in ["-j1", "-j4"] {
        let ran = case(&file, [width, "top"]).run().ok().nothing_left();
        assert_eq!(ran.read("log"), "started\na\ntop\nstopped\n", "{}", ran.story());
    }
}

#[test]
fn what_it_kept_before_it_was_ready_can_be_taken() {
    let file = r#"
        task db { service { ready exists="up" }; run "echo 5432" { capture port }; run "touch up; exec sleep 1000" }
        task t { needs db { take port }; run "echo $port >> log" }
    "#;
    assert_eq!(log(file, ["t"]), "5432\n");
}

#[test]
fn nobody_waits_for_what_nobody_needs() {
    let file = format!(
        r#"{DB}
        task top {{ any jobs=1 {{ run "true"; call user }} }}
        task user {{ needs db; run "true" }}
    "#
    );
    assert_eq!(log(&file, ["top"]), "");
}

#[test]
fn its_end_fails_who_uses_it() {
    let file = r#"
        task db { service { ready exists="up" }; run "touch up; echo the last words >&2; read -r x < die; exit 9" }
        task t { needs db; run "echo up > $TELL; read -r x < never" }
    "#;
    let mut live = case(file, ["t"]).fifo("die").spawn();
    assert_eq!(live.tell.line(), "up");
    live.fifo("die").say("now");
    let ran = live.end().code(9).nothing_left();
    assert!(
        ran.err().contains("the last words") && ran.err().contains("a service that it needs has ended"),
        "{}",
        ran.story()
    );
    // Even a success is one too early.
    let file = r#"
        task db { service { ready exists="up" }; run "touch up; read -r x < die" }
        task t { needs db; run "echo up > $TELL; read -r x < never" }
    "#;
    let mut live = case(file, ["t"]).fifo("die").spawn();
    assert_eq!(live.tell.line(), "up");
    live.fifo("die").say("now");
    live.end().code(1).nothing_left().says("it ended while it was needed");
    let file = r#"task db { service { ready exists="up" }; run "true" }; task t { needs db; run "echo no >> log" }"#;
    let ran = case(&file.replace("}; task", "}\ntask"), ["t"]).run().code(1).says("it ended before it was ready");
    assert_eq!(ran.read("log"), "");
}

#[test]
fn never_ready_is_an_error_with_its_log() {
    let file = r#"
        task db { service { ready exists="never-there" timeout="500ms" }; run "echo no port >&2; sleep 1000" }
        task t { needs db; run "echo no >> log" }
    "#;
    let ran = case(file, ["t"]).run().code(1).nothing_left().says("not ready within 500ms").says("no port");
    assert_eq!(ran.read("log"), "");
}

#[test]
fn asked_for_by_itself_it_runs_until_it_is_ended() {
    let mut live = case(&DB.replace("touch up;", "touch up; echo up > $TELL;"), ["db"]).spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal(Signal::SIGINT);
    live.end().signal(Signal::SIGINT).nothing_left();
    let mut live = case(&DB.replace("touch up;", "touch up; echo up > $TELL;"), ["db"]).spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal(Signal::SIGKILL);
    live.end().nothing_left();
    // What is asked for after it does not wait for its end.
    let file = format!("{DB}\ntask t {{ needs db; run \"echo up > $TELL\" }}");
    let mut live = case(&file, ["db", "t"]).spawn();
    assert_eq!(live.tell.line(), "up");
    live.signal(Signal::SIGTERM);
    live.end().signal(Signal::SIGTERM).nothing_left();
}

#[test]
fn every_way_to_be_ready() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = server.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let mut answers = ["HTTP/1.1 503 Busy\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"].into_iter().cycle();
        for mut stream in server.incoming().flatten() {
            let mut request = [0; 256];
            if stream.read(&mut request).is_ok_and(|count| count > 0) {
                stream.write_all(answers.next().expect("for ever").as_bytes()).ok();
            }
        }
    });
    for ready in [
        format!("tcp={port}"),
        format!("tcp=\"127.0.0.1:{port}\""),
        format!("http=\"http://127.0.0.1:{port}/health\""),
        r#"run="test -e up""#.to_owned(),
        r##"log=#"^listening on [0-9]+$"#"##.to_owned(),
    ] {
        let file = format!(
            r#"
            task db {{ service {{ ready {ready} }}; run "touch up; echo listening on 7; exec sleep 1000" }}
            task t {{ needs db; run "echo t >> log" }}
        "#
        );
        let ran = case(&file, ["t"]).run().ok().nothing_left();
        assert_eq!(ran.read("log"), "t\n", "{ready}");
    }
    let file = format!(
        r#"let port "{port}"
        task t {{
            wait tcp="${{port}}"
            wait http="http://localhost:{port}/"
            wait exists="Xecfile.*"
            parallel {{ wait run="test -e made"; run "touch made" }}
            run "echo waited >> log"
        }}"#
    );
    assert_eq!(log(&file, ["-j1", "t"]), "waited\n");
}

#[test]
fn a_wait_is_bounded_and_ended_like_any_step() {
    let file = r#"
        task late { wait exists="never-there" timeout="50ms" }
        task any { any { wait run="echo up > $TELL; read -r x < never"; run "read -r x < go" }; run "echo on >> log" }
    "#;
    case(file, ["late"]).run().code(124).nothing_left();
    let mut live = case(file, ["-j1", "any"]).fifo("go").spawn();
    assert_eq!(live.tell.line(), "up");
    live.fifo("go").say("go");
    assert_eq!(live.end().ok().nothing_left().read("log"), "on\n");
}

#[test]
fn a_look_says_that_it_is_a_service() {
    let file = format!("{DB} task t {{ needs db; run \"true\" }}");
    let ran = case(&file, ["-n", "t"]).run().ok();
    assert!(ran.out().contains("a service, up while it is needed"), "{}", ran.story());
    case(&file, ["--graph=dot"]).run().ok();
    assert!(case(&file, ["--show", "db"]).run().ok().out().contains("ready exists="));
}
