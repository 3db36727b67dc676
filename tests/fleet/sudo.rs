//! `sudo` from the Xecfile to the process on the host, by the real program: it is there, and asks no questions.

use std::fs;

use crate::binary::{Project, said};
use crate::sshd::{Hosts, masters};
use crate::support::{mark, sleepers};
use crate::{Case, When};

pub(crate) const CASES: &[Case] = &[
    ("sudo_as_others", When::Root, as_others),
    ("sudo_asks_nobody", When::Root, asks_nobody),
    ("sudo_ends_what_is_root", When::Root, ends_what_is_root),
];

/// An ordinary user who may do everything, on hosts and steps, with the values and variables of the step.
fn as_others() {
    let file = r##"
        host "web[1-2]" { user bashful; }
        host web3 { user bashful; sudo user=dashing; env NODE "it's ${host}"; }
        task t {
            param word default="a'b $(id) !!"
            on "web[1-2]"
            env LEVEL "${word}"
            run "echo $host login $(id -un)"
            run "echo $host step $(id -un): $LEVEL $word" { sudo }
            run "echo $host named $(id -un); cat" { sudo user=dashing; stdin "from here\n" }
            exec id "-un" { sudo fishy; capture who }
            run "echo $host exec $who"
        }
        task u { on web3; run #"echo "$host $(id -un) $NODE""#; run "echo $host back $(id -un)" sudo=bashful; run "id -un" { on local } }
    "##;
    let project = Project::new(Hosts::new(3), file);
    let ran = project.xec(&["-q", "-p", "t", "u"]);
    assert!(ran.status.success(), "{}", said(&ran));
    let mut lines: Vec<String> = String::from_utf8(ran.stdout).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    let mut expected = vec!["root".to_owned()];
    for host in ["web1", "web2"] {
        for rest in ["login bashful", "step root: a'b $(id) !! a'b $(id) !!", "named dashing", "exec fishy"] {
            expected.push(format!("{host} {rest}"));
        }
        expected.push("from here".to_owned());
    }
    expected.extend(["web3 dashing it's web3".to_owned(), "web3 back bashful".to_owned()]);
    expected.sort();
    assert_eq!(lines, expected);
}

/// Whoever has to type a password, or may not at all, is told so at once, once, and others go on.
fn asks_nobody() {
    let file = r#"
        host web1 { user tcshy; tags web; }
        host web2 { user dashing; tags web; }
        host web3 { user bashful; tags web; }
        task t { matrix on-error=continue require=1 { on web }; sudo; run "id -un > $HOME/../$host; echo ok" }
        task one { on web1; retry 2; run "true"; run "echo no" { sudo } }
        task two { on web2; run "echo no" { sudo user=bashful } }
        task asked { on web1; sudo; when { run "true" }; run "true" }
    "#;
    let project = Project::new(Hosts::new(3), file);
    let ran = project.xec(&["t"]);
    assert_eq!((ran.status.code(), &ran.stdout[..]), (Some(0), b"ok\n".as_slice()), "{}", said(&ran));
    assert!(said(&ran).contains("sudo: a password is required"), "{}", said(&ran));
    for task in ["one", "two", "asked"] {
        let ran = project.xec(&[task]);
        assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
        assert!(said(&ran).contains("sudo: ") && !said(&ran).contains("unreachable"), "{}", said(&ran));
        assert!(ran.stdout.is_empty(), "{}", said(&ran));
    }
    assert_eq!(masters(project.hosts.dir.path()), 0);
}

/// What runs as root is no process of the user's who logged in, and ends all the same.
fn ends_what_is_root() {
    let mark = mark();
    let file = format!(
        "host web1 {{ user bashful; }}\n\
         task late {{ on web1; sudo; timeout \"1s\"; grace \"200ms\"; run \"id -un > {{dir}}/who; (trap '' TERM; sleep {mark}) & sleep {mark}\" }}\n\
         task killed {{ on web1; run \"(trap '' TERM; sleep {mark}) & sleep {mark}\" {{ sudo }} }}\n\
         task first {{ on-error fail-fast; parallel {{ call killed; run \"while [ ! -e go ]; do sleep 0.01; done; exit 5\" }} }}\n"
    );
    let hosts = Hosts::new(1);
    let file = file.replace("{dir}", &hosts.dir.path().join("bashful").display().to_string());
    let project = Project::new(hosts, &file);
    let ran = project.xec(&["late"]);
    assert_eq!(ran.status.code(), Some(124), "{}", said(&ran));
    assert_eq!(fs::read_to_string(project.hosts.dir.path().join("bashful/who")).unwrap(), "root\n");
    assert_eq!(sleepers(&mark), 0);
    // By the failure of another.
    let mut child = project.start(&["first"]);
    while sleepers(&mark) < 2 {
        std::thread::yield_now();
    }
    fs::write(project.at("go"), "").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5), "{}", project.read("said"));
    assert_eq!(sleepers(&mark), 0);
    // And with xec itself.
    project.kill_while("killed", &mark, 2);
}
