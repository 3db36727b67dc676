//! `when` on a host is asked of the host.

use super::{case, log};
use crate::harness::project::Project;

#[test]
fn paths_programs_and_scripts_are_those_of_the_host() {
    let file = r#"
        host h { via local; cwd "/usr"; }
        task t {
            on h
            run "echo there >> \"$OLDPWD/log\"" { cwd "."; when exists bin }
        }
        task a { on h; when { exists "b*" "nope"; command sh; os linux macos; run "[ $(pwd) = /usr ]" }; run "echo a" { stdout a.txt } }
        task b { on h; when exists Xecfile.kdl; run "echo b" { stdout b.txt } }
        task c { on h; unless command no-such-program-here; run "echo c" { stdout c.txt } }
        task d { on h; when { os solaris illumos }; run "echo d" { stdout d.txt } }
        task e { on web; when { run "[ $host = web2 ]" }; run "echo $host >> log" }
        task f { run "echo f" { on h; when exists bin; stdout f.txt } }
    "#;
    let ran = case(file, ["-p", "a", "b", "c", "d", "e", "f"]).run().ok();
    for (name, expected) in [("a.txt", "a\n"), ("b.txt", ""), ("c.txt", "c\n"), ("d.txt", ""), ("f.txt", "f\n")] {
        assert_eq!(ran.read(name), expected, "{name}: {}", ran.story());
    }
    assert_eq!(log(&ran), ["web2"]);
}

#[test]
fn a_host_that_is_picked_is_asked_wherever_that_is_said() {
    let file = r##"
        host "h[1-2]" { tags h; via local; cwd "/usr"; }
        task list { run "printf '1\n2\n'" { capture all as=lines } }
        task one { on h pick=first; when { run "[ $(pwd) = /usr ]"; exists bin }; run "echo one" }
        task set { on h pick=first; matrix { n 1 2 }; when { run "[ $(pwd) = /usr ]" }; run "echo set $n" }
        task late { needs list { take all }; on h pick=first; matrix { n from="${all}" }; when { run "[ $(pwd) = /usr ]" }; run "echo late $n" }
        task step { run "echo step" { on h pick=first; when { run "[ $(pwd) = /usr ]" } } }
        task group { sequence { on h pick=first; when { exists bin; run "[ $(pwd) = /usr ]" }; run "echo group" } }
    "##;
    let ran = case(file, ["one", "set", "late", "step", "group"]).run().ok();
    let out = ran.out();
    let mut lines: Vec<&str> = out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["group", "late 1", "late 2", "one", "set 1", "set 2", "step"], "{}", ran.story());
}

#[test]
fn a_step_waits_for_what_is_on_its_host() {
    let file = r#"
        host h { via local; cwd "/usr"; }
        task t { on h; wait exists=bin timeout="60s"; wait run="[ -d bin ]" timeout="60s"; run "echo ok" { stdout log } }
    "#;
    assert_eq!(case(file, ["t"]).run().ok().read("log"), "ok\n");
}

#[test]
fn inputs_are_files_of_this_machine_wherever_it_runs() {
    let file = |address: &str| {
        format!(
            "host h {{ via local; address {address}; }}\n\
             task t {{ on h; cwd \"/usr/lib\"; inputs \"*.txt\"; run \"echo ran; pwd\" }}\n\
             task c {{ on h; when changed \"*.txt\"; run \"echo changed\" }}\n"
        )
    };
    let project = Project::new(&file("one"));
    project.write("a.txt", "1");
    let run = |out: &str| project.xec(&["t", "c"]).ok().stdout(out);
    run("ran\n/usr/lib\nchanged\n");
    run("");
    project.write("a.txt", "2");
    run("ran\n/usr/lib\nchanged\n");
    // Another machine of the same name has seen nothing of it.
    project.write("Xecfile.kdl", file("two"));
    run("ran\n/usr/lib\n");
    assert!(project.xec(&["--why", "-v", "--force", "t"]).ok().out().contains("/usr/lib"));
    project.write("Xecfile.kdl", file("three"));
    project.xec(&["--why", "t"]).ok().says("`host h` was `two`, is `three`");
}
