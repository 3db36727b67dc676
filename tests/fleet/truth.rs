//! What goes wrong between here and there, as the report of the binary has it: is it true? After each, what is left at
//! the other side is counted.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;

use crate::binary::{Project, said};
use crate::sshd::{Hosts, Traits, masters};
use crate::support::{mark, sleepers};
use crate::{Case, When};

pub(crate) const CASES: &[Case] = &[
    ("truth_of_who_is_not_there", When::Always, not_there),
    ("truth_of_a_cut", When::Always, cut),
    ("truth_of_a_pulled_cable", When::Root, pulled_cable),
    ("truth_of_a_half_open_link", When::Full, half_open),
    ("truth_of_a_slow_link", When::Full, slow),
    ("truth_of_too_many", When::Full, too_many),
    ("truth_of_logins", When::Root, logins),
    ("truth_of_a_full_disk", When::Root, full_disk),
    ("truth_of_who_is_done", When::Always, done),
    ("truth_of_what_ssh_does_itself", When::Full, by_ssh_itself),
];

/// Waits for what nobody tells.
fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

fn code(mut child: Child) -> Option<i32> {
    child.wait().unwrap().code()
}

/// The lines of a table of verdicts, word for word.
fn table(said: &str) -> Vec<Vec<String>> {
    let lines = said.lines().skip_while(|line| !line.starts_with("  hosts")).skip(1);
    lines
        .take_while(|line| line.starts_with("  "))
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// Refused, a black hole, no such name, an unknown key, a key that nobody knows: each in ssh's own words, none tried
/// twice, and no other host minds.
fn not_there() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let stranger = Hosts::new(1);
    let hosts = Hosts::new(5);
    hosts.configure(&format!(
        "Host silent\n  HostName 127.0.0.1\n  ConnectTimeout 1\n  Port {}\nHost other\n  HostName 127.0.0.1\n  Port {}\n\
         Host barred\n  HostName 127.0.0.5\n",
        silent.local_addr().unwrap().port(),
        stranger.port,
    ));
    let file = r#"
        host "web[1-4]" { tags web; }
        host refused { tags gone; address "127.0.0.1"; port 1; }
        host nowhere { tags gone; address "no-such-host.invalid"; }
        host other { tags gone; }
        host barred { tags gone; user no-such-user; }
        task t { matrix on-error=continue require=4 { on "* & !far" }; run "true"; run "echo on $host" }
        task all { on-error continue; needs t; needs more }
        task more { matrix on-error=continue { on gone }; run "echo never" }
        host silent { tags far; }
        task hole { on silent; run "echo never" }
    "#;
    let project = Project::new(hosts, file);
    let ran = project.xec(&["all"]);
    let text = said(&ran);
    assert_eq!(ran.status.code(), Some(1), "{text}");
    for words in
        ["Connection refused", "no-such-host.invalid", "Host key verification failed", "Permission denied (publickey)"]
    {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    assert!(text.contains("✗ 4 unreachable, 4 unreachable and not counted, 4 ok, 1 skipped"), "{text}");
    assert_eq!(text.matches("\non web").count() + usize::from(text.starts_with("on web")), 4, "{text}");
    let rows = table(&text);
    assert_eq!(rows[0], ["web[1-4]", "ok", "–"], "{text}");
    assert_eq!(rows[1], ["barred,", "nowhere,", "other,", "refused", "unreachable", "unreachable"], "{text}");
    // The server writes its log when it comes to it.
    let refusals = || project.hosts.log().matches("Connection closed by invalid user").count();
    until(|| refusals() > 0);
    assert_eq!(refusals(), 1, "no host is hammered: {}", project.hosts.log());
    assert_eq!(stranger.log().matches("Connection closed by").count(), 1, "{}", stranger.log());
    // Alone, each has the code of its own.
    for task in ["t@refused", "hole"] {
        let ran = project.xec(&[task]);
        assert_eq!(ran.status.code(), Some(255), "{}", said(&ran));
        assert!(said(&ran).contains("unreachable"), "{}", said(&ran));
    }
    assert_eq!(masters(project.hosts.dir.path()), 0);
}

/// A command that has children which resist, on hosts of which one loses its connection.
fn file(mark: &str, count: usize) -> String {
    format!(
        r#"
        host "web[1-{count}]" {{ tags web; }}
        task t {{
            matrix on-error=continue {{ on web }}
            retry 3
            run "echo $host >> begun; (trap '' TERM; sleep {mark}) & while [ ! -e go ]; do sleep 0.02; done; kill -9 $!; echo done $host" {{ cwd "${{env.HERE}}" }}
            run "echo after $host"
        }}
        "#
    )
}

fn begin(project: &Project, mark: &str, count: usize) -> Child {
    let out = fs::File::create(project.at("said")).unwrap();
    let mut command = project.command(&["t"]);
    command.env("HERE", project.at("")).stdin(std::process::Stdio::null());
    let child = command.stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap();
    until(|| sleepers(mark) == count);
    child
}

/// Nobody knows what came of it, so it is not done again; the others are, and what was begun there ends.
fn cut() {
    let (project, mark) = (Project::new(Hosts::new(4), &file("MARK", 4)), mark());
    fs::write(project.at("Xecfile.kdl"), file(&mark, 4)).unwrap();
    let child = begin(&project, &mark, 4);
    // All connections of one address, and no other.
    project.hosts.kill_connections_to(1);
    until(|| sleepers(&mark) == 3);
    fs::write(project.at("go"), "").unwrap();
    assert_eq!(code(child), Some(255), "{}", project.read("said"));
    let text = project.read("said");
    assert_eq!(project.read("begun").lines().filter(|line| *line == "web1").count(), 1, "{text}");
    assert!(text.contains("unknown end") && text.contains("1 of unknown end, 3 ok"), "{text}");
    let rows = table(&text);
    assert_eq!(rows, [vec!["web[2-4]", "ok"], vec!["web1", "unknown", "end"]], "{text}");
    until(|| sleepers(&mark) == 0);
}

/// Neither side hears of the end of the other; the report says what is known here, and the host ends what it has.
fn pulled_cable() {
    let (project, mark) = (Project::new(Hosts::with(1, &Traits { cable: true, ..Traits::default() }), ""), mark());
    // What ssh takes five seconds for, three times, it shall know sooner.
    project.hosts.configure("Host *\n  ServerAliveInterval 1\n");
    fs::write(project.at("Xecfile.kdl"), file(&mark, 1)).unwrap();
    // However early: a command knows from its beginning that it has to hear from us.
    let child = begin(&project, &mark, 1);
    project.hosts.pull_cable();
    assert_eq!(code(child), Some(255), "{}", project.read("said"));
    let text = project.read("said");
    assert!(text.contains("unknown end") && text.contains("not responding"), "{text}");
    assert_eq!(project.read("begun"), "web1\n", "{text}");
    // The next time it is plainly not there.
    let ran = project.xec(&["--on", "web1", "--", "true"]);
    assert_eq!(ran.status.code(), Some(255), "{}", said(&ran));
    assert!(said(&ran).contains("unreachable"), "{}", said(&ran));
    // It waits for four beats of ours that do not come.
    until(|| sleepers(&mark) == 0);
}

fn half_open() {
    let (project, mark) = (Project::new(Hosts::new(1), ""), mark());
    fs::write(project.at("Xecfile.kdl"), file(&mark, 1)).unwrap();
    let child = begin(&project, &mark, 1);
    project.hosts.signal(Signal::SIGSTOP);
    assert_eq!(code(child), Some(255), "{}", project.read("said"));
    let text = project.read("said");
    assert!(text.contains("unknown end") && text.contains("not responding"), "{text}");
    project.hosts.signal(Signal::SIGCONT);
    until(|| sleepers(&mark) == 0);
    assert_eq!(project.read("begun"), "web1\n", "{text}");
}

/// It takes its time, and nothing else is different.
fn slow() {
    let (hosts, mark) = (Hosts::new(1), mark());
    let own = std::env::current_exe().unwrap();
    hosts.configure(&format!("Host *\n  ProxyCommand {} slow %h %p", own.display()));
    let project = Project::new(hosts, &file(&mark, 1));
    let child = begin(&project, &mark, 1);
    fs::write(project.at("go"), "").unwrap();
    assert_eq!(code(child), Some(0), "{}", project.read("said"));
    assert!(project.read("said").contains("done web1\n"), "{}", project.read("said"));
    assert_eq!(sleepers(&mark), 0);
}

/// More sessions than a connection has, and more logins at once than an sshd takes: nobody notices.
fn too_many() {
    let traits = Traits { config: "MaxSessions 2\nMaxStartups 2:80:4".to_owned(), ..Traits::default() };
    let file = r#"
        host "web[1-12]" { tags web; jobs 6; }
        task t { matrix on-error=continue { on web; n 1 2 3 4 5 6 }; run "echo $host $n" }
    "#;
    let project = Project::new(Hosts::with(12, &traits), file);
    let ran = project.xec(&["-q", "t"]);
    assert!(ran.status.success(), "{}", said(&ran));
    assert_eq!(String::from_utf8(ran.stdout).unwrap().lines().count(), 72);
    assert_eq!(project.hosts.logins(), 12, "{}", project.hosts.log());
    assert!(project.hosts.log().contains("MaxStartups"), "nobody was turned away: {}", project.hosts.log());
}

/// Any login shell, whatever it says by itself; what it says is nobody's output, and a quarter of them says much.
fn logins() {
    let hosts = Hosts::new(4);
    let banner = hosts.dir.path().join("banner");
    fs::write(&banner, "WELCOME\n").unwrap();
    hosts.make_logins_noisy();
    let file = r##"
        host web1 { user dashing; tags web; }
        host web2 { user bashful; tags web; }
        host web3 { user tcshy; tags web; }
        host web4 { user fishy; tags web; }
        task t {
            param value default="it's \\ \"$HOME\" `id` !! $(id) %s é"
            matrix on-error=continue { on web }
            run #"printf '%s|' "$value"; cat; exit 9"# optional=#true { stdin "<in>\n"; env V "${value}"; capture got; status how }
            run #"[ "$how" = 9 ] && printf '%s' "$got""#
            exec sh "-c" #"printf '%s\n' "$1|$V""# x "${value}" { env V "${value}" }
        }
    "##;
    let project = Project::new(hosts, file);
    let ran = project.xec(&["-q", "t"]);
    let value = "it's \\ \"$HOME\" `id` !! $(id) %s é";
    let out = String::from_utf8(ran.stdout.clone()).unwrap();
    assert!(ran.status.success(), "{}", said(&ran));
    assert_eq!(out.matches(&format!("{value}|<in>")).count(), 4, "{}", said(&ran));
    assert_eq!(out.matches(&format!("{value}|{value}\n")).count(), 4, "{}", said(&ran));
    assert!(!said(&ran).contains("hello from") && !said(&ran).contains("and more"), "{}", said(&ran));
}

/// What needs no disk there goes on; what does says so.
fn full_disk() {
    let hosts = Hosts::with(1, &Traits { full_disk: true, ..Traits::default() });
    let file = r#"
        host web1 { user bashful; }
        task t { on web1; run "echo fine"; run "echo too much > file"; run "echo never" }
    "#;
    let project = Project::new(hosts, file);
    let ran = project.xec(&["t"]);
    assert_ne!(ran.status.code(), Some(0), "{}", said(&ran));
    assert_eq!(ran.stdout, b"fine\n");
    assert!(said(&ran).contains("No space left") || said(&ran).contains("I/O error"), "{}", said(&ran));
    assert!(!said(&ran).contains("unreachable"), "{}", said(&ran));
}

/// A connection is for as long as there is something to do on its host.
fn done() {
    let file = r#"
        host "web[1-2]"
        task t { run "true" { on web1 }; run "true" { on web1 }; run "while [ ! -e go ]; do sleep 0.02; done" { on web2; cwd "${env.HERE}" }; run "true" { on web2 } }
    "#;
    let project = Project::new(Hosts::new(2), file);
    let mut command = project.command(&["-q", "t"]);
    let mut child = command.env("HERE", project.at("")).spawn().unwrap();
    until(|| project.hosts.logins() == 2);
    until(|| masters(project.hosts.dir.path()) == 1);
    fs::write(project.at("go"), "").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!((project.hosts.logins(), masters(project.hosts.dir.path())), (2, 0));
}

/// A certificate, and a key that only an agent has, each by a `Match`: whom ssh lets in, xec gets to.
fn by_ssh_itself() {
    let keys = tempfile::tempdir().unwrap();
    let at = |name: &str| keys.path().join(name);
    let keygen = |args: &[&str]| {
        let made = Command::new("ssh-keygen").current_dir(keys.path()).arg("-q").args(args).status().unwrap();
        assert!(made.success(), "{args:?}");
    };
    for name in ["authority", "certified", "lent"] {
        keygen(&["-t", "ed25519", "-N", "", "-C", name, "-f", name]);
    }
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name;
    keygen(&["-s", "authority", "-I", "somebody", "-n", &user, "certified.pub"]);
    let config = format!("TrustedUserCAKeys {}\n", at("authority.pub").display());
    let hosts = Hosts::with(2, &Traits { config, ..Traits::default() });
    // No other key is let in.
    fs::copy(at("lent.pub"), hosts.dir.path().join("authorized_keys")).unwrap();
    hosts.configure(&format!(
        "Match originalhost web1\n  IdentityFile {}\nMatch originalhost web2 exec \"true\"\n  IdentityFile {}\n",
        at("certified").display(),
        at("lent.pub").display(),
    ));
    let socket = at("agent");
    let mut agent = Command::new("ssh-agent").args(["-D", "-a"]).arg(&socket).stdout(Stdio::null()).spawn().unwrap();
    until(|| socket.exists());
    let added = Command::new("ssh-add").env("SSH_AUTH_SOCK", &socket).arg("-q").arg(at("lent")).status().unwrap();
    fs::remove_file(at("lent")).unwrap();
    let project = Project::new(hosts, "host \"web[1-2]\"\ntask t { on \"*\"; run \"echo in\" }");
    let ran = project.command(&["t"]).env("SSH_AUTH_SOCK", &socket).output().unwrap();
    let barred = project.command(&["t"]).env_remove("SSH_AUTH_SOCK").output().unwrap();
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert!(added.success());
    assert_eq!(ran.status.code(), Some(0), "{}{}", said(&ran), project.hosts.log());
    assert!(project.hosts.log().contains("ED25519-CERT"), "{}", project.hosts.log());
    assert_eq!(barred.status.code(), Some(255), "{}", said(&barred));
    assert!(said(&barred).contains("t@web2: unreachable"), "{}", said(&barred));
}
