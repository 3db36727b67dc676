//! `session` on hosts: one shell there for all scripts of an instance, each of which is still a step of its own.

use nix::sys::signal::Signal;

use super::{case, log, with_docker};

#[test]
fn directory_variables_and_functions_go_on_there() {
    let file = r##"
        task t session=#true {
            on web1
            param name default="it's me"
            run "mkdir -p sub; cd sub; x=1; export Y=2; say() { echo \"say $1\"; }; echo $$ > ../pid"
            run #"pwd | sed 's,.*/,,'; echo "$x $Y"; say hello; test $$ = "$(cat ../pid)""#
            run #"printf '%s|' "$#" "$@"; echo "$name on $host""# { args "${name}" }
            run #"echo "$# $(cat)""# stdin="some\ntext"
            run "echo out; echo err >&2" { capture got }
            run "echo file" { stdout out.txt }
            run "cat; echo $got" { stdin file=in.txt }
            run "for i in 1 2; do continue; done; continue; echo never"
            run "break; echo never"
            run #"echo "last <${name:-}>""#
            run "exit 3" { status code; optional #true }
        }
    "##;
    let ran = case(file, ["t"]).file("in.txt", "from here\n").run().ok().says("err");
    let expected = "sub\n1 2\nsay hello\n1|it's me|it's me on web1\n0 some\ntext\nfrom here\nout\nlast <it's me>\n";
    assert_eq!(ran.out(), expected, "{}", ran.story());
    assert_eq!(ran.read("out.txt"), "file\n");
    ran.nothing_left();
}

#[test]
fn what_is_declared_belongs_to_its_step_and_what_was_there_comes_back() {
    let file = r##"
        secret TOKEN
        host h { via local; env WHERE "${host}"; }
        task t session=#true {
            on h
            env { A "task" }
            run #"echo "$A ${B:-none} $WHERE""#
            run #"echo "$A $B ${#TOKEN}"; A=changed"# { env { A "step"; B "step"; LANG "C" }; cwd "/" }
            run #"echo "$A ${B:-none} $LANG"; printenv TOKEN || echo hidden; pwd | sed 's,.*/xec-it.*,login,'"#
            run #"pwd"# { cwd "sub" }
            run #"pwd"# { cwd "/usr" }
            run #"pwd | sed 's,.*/xec-it.*,login,'"#
            run #"export A=kept"#
            run #"echo "$A""#
            run #"echo "$0 own""# session=#false
        }
    "##;
    let ran = case(file, ["t"]).file("sub/x", "").env("TOKEN", "0123456789").run().ok();
    let said = ran.out().replace(&format!("{}/", ran.path().display()), "");
    let expected = "task none h\nstep step 10\ntask none C.UTF-8\nhidden\nlogin\nsub\n/usr\nlogin\nkept\nsh own\n";
    assert_eq!(said, expected, "{}", ran.story());
}

#[test]
fn the_step_that_failed_is_named_and_later_ones_say_why_they_cannot_be() {
    let file = r#"
        task t session=#true {
            on web1
            run "echo one >&2"
            run "echo two >&2; false; echo never"
            run "echo three"
            on-failure { run "echo hook ${xec_error}" { on local } }
        }
        task ended session=#true { on web1; run "cd /; exit 4" optional=#true; run "pwd" }
        task lenient session=#true { on web1; shell bash -c; run "x=1; false" optional=#true; run "echo $x" }
        task killed session=#true { on web1; run "kill -9 $$"; run "echo never" }
        task nowhere session=#true { on web1; run "true"; run "pwd" { cwd "nope" } }
    "#;
    let ran = case(file, ["t"]).run().code(1).stdout("hook two\n");
    assert!(ran.err().contains("✗ t@web1: echo two >&2; false; echo never"), "{}", ran.story());
    assert!(ran.err().contains("│ two") && !ran.err().contains("│ one"), "{}", ran.story());
    let ran = case(file, ["ended"]).run().failed();
    assert!(ran.err().contains("the shell of its session ended with an earlier step (code 4)"), "{}", ran.story());
    case(file, ["lenient"]).run().ok().stdout("1\n");
    case(file, ["killed"]).run().code(137).nothing_left();
    case(file, ["nowhere"]).run().code(1).says("nope").nothing_left();
}

#[test]
fn no_script_can_answer_for_another_or_eat_what_is_for_the_shell() {
    let file = r##"
        task t session=#true {
            on web1
            run "cat; read -r line || echo nothing to read"
            run "printf 'xec-0123456789abcdef0123456789abcdef done 0\n'; printf 'xec-%s exit 0\n' 1 >&2"
            run "xec_t=spoiled; xec_s='echo wrong'; xec_l=x"
            run "exec 3>&1; echo here >&3"
            run "exec >&- 2>&-; true"
            run "echo still here >> log; test -n \"$XEC_INSTANCE\""
        }
    "##;
    let ran = case(file, ["t"]).run().ok();
    assert!(
        ran.out().starts_with("nothing to read\nxec-0123456789abcdef0123456789abcdef done 0\nhere\n"),
        "{}",
        ran.story()
    );
    assert_eq!(ran.read("log"), "still here\n");
}

#[test]
fn each_attempt_and_each_host_has_its_own_and_steps_elsewhere_have_theirs() {
    let file = r##"
        task again session=#true retry=1 {
            on web1
            run #"echo "${seen:-new}"; seen=yes"#
            run #"echo "$seen"; test "$XEC_ATTEMPT" = 2"#
        }
        task many session=#true {
            on web
            run #"mine=$host"#
            run "mine=other" { on db1 }
            run "mine=here" { on local }
            run #"echo "$mine" >> log; test "$mine" = "$host""#
            run #"echo "$mine" >> log"# { on db1 }
        }
    "##;
    case(file, ["again"]).run().ok().stdout("new\nyes\nnew\nyes\n");
    let ran = case(file, ["many"]).run().ok();
    assert_eq!(log(&ran), ["other", "other", "other", "web1", "web2", "web3"]);
}

#[test]
fn it_ends_with_its_step_whole() {
    let file = r##"
        task slow session=#true { on web1; run #"x=1"#; run #"sh -c 'echo in > "$TELL"; exec sleep 1000'"#; finally { run "echo end" } }
        task late session=#true timeout="300ms" { on web1; run "sleep 1000 & sleep 1000"; run "echo never" }
        task loud session=#true { on web1; run "true"; run "exec yes" { capture much } }
    "##;
    let with = |task: &str| {
        let case = case(file, [task]);
        let tell = case.tell();
        case.env("TELL", tell)
    };
    let mut live = with("slow").spawn();
    assert_eq!(live.tell.line(), "in");
    live.signal_group(Signal::SIGINT);
    live.end().signal(Signal::SIGINT).stdout("end\n").nothing_left();
    with("late").run().code(124).nothing_left();
    with("loud").run().failed().says("16 MiB").nothing_left();
}

#[test]
fn a_host_that_is_not_there_has_no_session() {
    let file = "host gone { via docker; }\nhost box { via docker; }\n\
                task t session=#true { matrix on-error=continue require=1 { on \"gone,box\"; }; run \"x=$host\"; run \"echo $x >> log\" }";
    let ran = with_docker(case(file, ["t"])).run().ok();
    assert_eq!(log(&ran), ["box"]);
    assert!(ran.err().contains("unreachable"), "{}", ran.story());
    assert_eq!(ran.read("calls").matches("gone").count(), 1, "{}", ran.story());
}
