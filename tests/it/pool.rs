//! `shell sh pool=4`: scripts run in forks of shells that are kept, and nobody can tell.

use nix::sys::signal::Signal;

use crate::harness::Case;

fn case(file: &str) -> Case {
    Case::new().xecfile(file)
}

#[test]
fn nothing_that_a_script_does_to_its_shell_is_there_for_the_next() {
    let file = r##"
        defaults { shell sh pool=1 }
        secret TOKEN
        task t {
            param name default="it's me"
            run #"echo $$ > pid"#
            run #"cd /; export A=1; f() { :; }; set +u; trap 'echo bye' EXIT; alias x=y; umask 0; ulimit -n 50"#
            run #"pwd | sed 's,.*/xec-it.*,here,'; echo "${A:-none}"; ulimit -n | grep -vx 50 > /dev/null"#
            run #"test $$ = "$(cat pid)" && echo same"#
            run #"printf '%s|' "$#" "$@" "$name"; cat; echo "${#TOKEN}"; echo err >&2"# { args "${name}"; stdin "in\n"; cwd "/" }
            run #"printenv TOKEN name || echo hidden; echo "$B""# { env { B "step" } }
            run #"exec sh -c 'echo replaced'"#
            run #"exit 3"# { status code; optional #true }
            run #"echo "$code"; false; echo never"# optional=#true
            run #"echo "$1"; break 2> /dev/null; return 0"# args="last"
        }
    "##;
    let ran = case(file).env("TOKEN", "0123456789").args(["t"]).run().ok().says("err");
    let expected = "bye\nhere\nnone\nsame\n1|it's me|it's me|in\n10\nhidden\nstep\nreplaced\n3\nlast\n";
    assert_eq!(ran.out(), expected, "{}", ran.story());
    ran.nothing_left();
}

#[test]
fn a_script_that_kills_its_shell_costs_that_shell_alone() {
    let file = r#"
        defaults { shell sh pool=2 }
        task killed { run "kill -9 $$; read -r go < never; echo never" }
        task wrong { run "echo \"$unknown\"" }
        task after { after killed wrong; run "echo \"still $(echo here)\"" }
    "#;
    let ran = case(file).args(["-k", "killed", "wrong", "after"]).run().code(1).stdout("still here\n");
    assert!(ran.err().contains("SIGKILL after") && ran.err().contains("unknown"), "{}", ran.story());
    ran.nothing_left();
}

#[test]
fn a_script_is_ended_with_all_that_it_started() {
    let file = r##"
        defaults { shell sh pool=1 }
        task slow { run #"echo first"#; run #"sh -c 'echo in > "$TELL"; exec sleep 1000'; echo never"# }
        task late timeout="100ms" { run "sleep 1000 & sleep 1000" }
        task many { matrix jobs=4 { n 1 2 3 4 }; run #"echo "$n" > "$TELL"; read -r go < "go""# }
    "##;
    let mut live = case(file).args(["slow"]).spawn();
    assert_eq!(live.tell.line(), "in");
    live.signal_group(Signal::SIGINT);
    live.end().signal(Signal::SIGINT).stdout("first\n").nothing_left();
    case(file).args(["late"]).run().code(124).nothing_left();
    // More at once than are kept wait for nobody.
    let mut live = case(file).fifo("go").args(["-j4", "many"]).spawn();
    assert_eq!(live.tell.sorted(4), ["1", "2", "3", "4"]);
    (0..4).for_each(|_| live.fifo("go").say("go"));
    live.end().ok().nothing_left();
}
