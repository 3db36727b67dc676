//! `session`: the scripts of an instance share a shell, and each is still a step of its own.

use nix::sys::signal::Signal;

use crate::harness::Case;

fn case(file: &str) -> Case {
    Case::new().xecfile(file)
}

#[test]
fn directory_variables_and_functions_go_on() {
    let file = r##"
        task t session=#true {
            param name default="it's me"
            run "mkdir -p sub; cd sub; x=1; export Y=2; say() { echo \"say $1\"; }; echo $$ > ../pid"
            run #"pwd | sed 's,.*/,,'; echo "$x $Y"; say hello; test $$ = "$(cat ../pid)""#
            run #"printf '%s|' "$#" "$@"; echo "$name""# { args "${name}" }
            run #"echo "$# $(cat)""# stdin="some\ntext"
            run "echo out; echo err >&2" { capture got }
            exec printf "%s, in %s\n" "${got}" "${env.PWD:-}"
            run "for i in 1 2; do continue; done; continue; echo never"
            run "break; echo never"
            run #"echo "last <${name:-}>""#
        }
    "##;
    let ran = case(file).env("PWD", "").args(["t"]).run().ok().says("err");
    let expected = "sub\n1 2\nsay hello\n1|it's me|it's me\n0 some\ntext\nout, in \nlast <it's me>\n";
    assert_eq!(ran.out(), expected, "{}", ran.story());
    ran.nothing_left();
}

#[test]
fn what_is_declared_belongs_to_its_step() {
    let file = r##"
        secret TOKEN
        task t session=#true {
            env { A "task" }
            run #"echo "$A ${B:-none}""#
            run #"echo "$A $B ${#TOKEN}"; A=changed"# { env { A "step"; B "step" }; cwd "/" }
            run #"echo "$A ${B:-none}"; printenv TOKEN || echo hidden; pwd | sed 's,.*/xec-it.*,here,'"#
            run #"export A=kept"#
            run #"echo "$A""#
            run #"echo "$0 own""# session=#false
        }
    "##;
    let ran = case(file).env("TOKEN", "0123456789").args(["t"]).run().ok();
    assert_eq!(ran.out(), "task none\nstep step 10\ntask none\nhidden\nhere\nkept\nsh own\n", "{}", ran.story());
}

#[test]
fn the_step_that_failed_is_named_with_its_own_code_and_output() {
    let file = r#"
        task t session=#true {
            run "echo one >&2"
            run "echo two >&2; false; echo never"
            run "echo three"
            on-failure { run "echo hook ${xec_error}" }
        }
        task ended session=#true {
            run "cd /; exit 4" optional=#true
            run "pwd"
        }
        task lenient session=#true {
            shell bash -c
            run "x=1; false" optional=#true
            run "echo $x"
        }
        task killed session=#true { run "kill -9 $$"; run "echo never" }
    "#;
    let ran = case(file).args(["t"]).run().code(1).stdout("hook two\n");
    assert!(ran.err().contains("✗ t: echo two >&2; false; echo never"), "{}", ran.story());
    assert!(ran.err().contains("│ two") && !ran.err().contains("│ one"), "{}", ran.story());
    let ran = case(file).args(["ended"]).run().failed();
    assert!(ran.err().contains("the shell of its session ended with an earlier step (code 4)"), "{}", ran.story());
    case(file).args(["lenient"]).run().ok().stdout("1\n");
    case(file).args(["killed"]).run().code(137).nothing_left();
}

#[test]
fn each_attempt_and_each_instance_has_its_own() {
    let file = r##"
        task again session=#true retry=1 {
            run #"echo "${seen:-new}"; seen=yes"#
            run #"echo "$seen"; test "$XEC_ATTEMPT" = 2"#
        }
        task many session=#true {
            matrix { n 1 2 3 }
            run #"mine=$n; echo "$n" > "$TELL"; read -r go < "go$n""#
            run #"test "$mine" = "$n"; test ! -t 0; ! read -r nothing"#
        }
    "##;
    case(file).args(["again"]).run().ok().stdout("new\nyes\nnew\nyes\n");
    let mut live = case(file).fifo("go1").fifo("go2").fifo("go3").args(["-j3", "many"]).spawn();
    assert_eq!(live.tell.sorted(3), ["1", "2", "3"]);
    for go in ["go1", "go2", "go3"] {
        live.fifo(go).say("go");
    }
    live.end().ok().nothing_left();
}

#[test]
fn it_ends_with_its_step_whole() {
    let file = r##"
        task slow session=#true { run #"x=1"#; run #"sh -c 'echo in > "$TELL"; exec sleep 1000'"#; finally { run "echo end" } }
        task late session=#true timeout="100ms" { run "sleep 1000 & sleep 1000"; run "echo never" }
        task loud session=#true { run "true"; run "exec yes" { capture much } }
    "##;
    let mut live = case(file).args(["slow"]).spawn();
    assert_eq!(live.tell.line(), "in");
    live.signal_group(Signal::SIGINT);
    live.end().signal(Signal::SIGINT).stdout("end\n").nothing_left();
    case(file).args(["late"]).run().code(124).nothing_left();
    case(file).args(["loud"]).run().failed().says("16 MiB").nothing_left();
}
