//! The whole way, from an Xecfile through the binary to real sshds and back to the exit code.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use crate::sshd::{Hosts, masters};
use crate::support::{mark, sleepers};
use crate::{Case, When};

pub(crate) const CASES: &[Case] = &[
    ("binary_smoke", When::Always, smoke),
    ("binary_unreachable", When::Always, unreachable),
    ("binary_sessions", When::Always, sessions),
    ("binary_session_killed", When::Full, session_killed),
    ("binary_pipes", When::Always, pipes),
    ("binary_copies", When::Always, copies),
    ("binary_copy_killed", When::Full, copy_killed),
    ("binary_killed", When::Full, killed),
];

/// A project whose `ssh` finds the hosts.
pub(crate) struct Project {
    pub(crate) hosts: Hosts,
}

impl Project {
    pub(crate) fn new(hosts: Hosts, file: &str) -> Self {
        let dir = hosts.dir.path();
        fs::create_dir_all(dir.join("project/bin")).unwrap();
        let ssh = format!("#!/bin/sh\nexec /usr/bin/ssh -F {}/ssh_config \"$@\"\n", dir.display());
        let path = dir.join("project/bin/ssh");
        fs::write(&path, ssh).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(dir.join("project/Xecfile.kdl"), file).unwrap();
        Self { hosts }
    }

    /// The same, where `@` in the file is the directory of the project.
    fn placed(hosts: Hosts, file: &str) -> Self {
        let dir = hosts.dir.path().join("project").display().to_string();
        Self::new(hosts, &file.replace('@', &dir))
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let dir = self.hosts.dir.path().join("project");
        let path = format!("{}:{}", dir.join("bin").display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new(env!("CARGO_BIN_EXE_xec"));
        command.current_dir(&dir).env("PATH", path).env("TMPDIR", self.hosts.dir.path()).env_remove("XDG_RUNTIME_DIR");
        command.args(args);
        command
    }

    pub(crate) fn xec(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// A file of the project.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.hosts.dir.path().join("project").join(name)
    }

    /// A call that goes on: what it says is kept, and `tell` is a fifo that it opens once it has come so far.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let out = fs::File::create(self.at("said")).unwrap();
        self.command(args).stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap()
    }

    /// Begins `task`, and kills xec once so many sleep under this mark: none of them is left.
    pub(crate) fn kill_while(&self, task: &str, mark: &str, count: usize) {
        let mut child = self.start(&[task]);
        while sleepers(mark) < count {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        while sleepers(mark) > 0 {
            std::thread::yield_now();
        }
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.hosts.dir.path().join("project").join(name)).unwrap_or_default()
    }
}

pub(crate) fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn smoke() {
    let file = r##"
        host "web[1-4]" { tags web; env NODE "${host}"; }
        task up {
            on "web & !web4"
            run "cat; printf '%s %s' \"$NODE\" \"$host\"" { stdin "it's\n"; capture said }
            exec sh "-c" "exit 0"
        }
        task t { needs up { take said as=all }; run #"printf '%s\n' "$all" > all.txt"#; run "exit 7" { on web2 } }
    "##;
    let project = Project::new(Hosts::new(4), file);
    let ran = project.xec(&["t"]);
    assert_eq!(ran.status.code(), Some(7), "{}", said(&ran));
    assert_eq!(project.read("all.txt"), "it's\nweb1 web1\nit's\nweb2 web2\nit's\nweb3 web3\n");
    assert_eq!(project.hosts.logins(), 3, "one connection for each host");
    assert_eq!(masters(project.hosts.dir.path()), 0);
}

fn unreachable() {
    let file = r#"
        host "web[1-2]" { tags web; }
        host nobody { tags web; address "127.0.0.1"; port 1; }
        task t { matrix on-error=continue require=2 { on web }; run "true"; run "true" }
        task all { matrix on-error=continue { on web }; run "true" }
    "#;
    let project = Project::new(Hosts::new(2), file);
    let ran = project.xec(&["t"]);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let ran = project.xec(&["all"]);
    assert_eq!(ran.status.code(), Some(255), "{}", said(&ran));
    assert!(said(&ran).contains("1 unreachable, 2 ok") && said(&ran).contains("Connection refused"), "{}", said(&ran));
}

/// More shells at once than one connection bears, each of which is held while steps of others wait.
fn sessions() {
    let file = r#"
        host web1 { jobs 3 }
        task t session=#true {
            matrix jobs=9 { on web1; n range="1..9" }
            run "mine=$n; printf '%s\n' \"it's $n\" | cat"
            barrier
            run "test \"$mine\" = \"$n\"; cat" { stdin "$n"; capture said }
            run "exit $n" { status code; optional #true }
        }
    "#;
    let project = Project::new(Hosts::new(1), file);
    let ran = project.xec(&["-k", "t"]);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    for n in 1..=9 {
        assert!(said(&ran).contains(&format!("it's {n}\n")), "{}", said(&ran));
    }
    assert_eq!(masters(project.hosts.dir.path()), 0);
}

fn session_killed() {
    let mark = mark();
    let file = format!(
        "host \"web[1-4]\"\ntask t session=#true {{ on \"*\"; run \"x=1\"; run \"sleep {mark} & sleep {mark}\" }}"
    );
    let project = Project::new(Hosts::new(4), &file);
    project.kill_while("t", &mark, 8);
}

/// From host to host and through here, more of them than one connection bears, and a directory for the time being.
fn pipes() {
    let file = r#"
        host "web[1-2]" { jobs 8 }
        task bytes { pipe { run "head -c 5000000 /dev/zero | tr '\\0' x" { on web1 }; run "cat" { on web2 }; exec wc -c } }
        task enough { pipe { exec yes { on web1 }; exec head -n 2 { on web2 } } }
        task many {
            matrix jobs=8 on-error=continue { n range="1..8" }
            pipe { run "echo $n" { on web1 }; run "cat" { on web2 }; run "sed s/^/got-/" { on web1 } }
        }
        task temps { temp d; on "web*"; run "echo $d > $d/x"; run "cat $d/x; ls -d $d" }
    "#;
    let project = Project::new(Hosts::new(2), file);
    let ran = project.xec(&["bytes", "enough", "many", "temps"]);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let said = said(&ran);
    assert!(said.contains("5000000\n") && said.contains("y\ny\n"), "{said}");
    for n in 1..=8 {
        assert!(said.contains(&format!("got-{n}\n")), "{said}");
    }
    let dirs: Vec<&str> = said.lines().filter(|line| line.starts_with("/tmp/xec-")).collect();
    assert_eq!(dirs.len(), 4, "{said}");
    assert!(dirs.iter().all(|dir| !std::path::Path::new(dir).exists()), "{said}");
    assert_eq!(masters(project.hosts.dir.path()), 0);
}

/// Here to each host, from host to host and back, and what cannot be.
fn copies() {
    let file = r#"
        host "web[1-2]" { tags web; cwd "@/${host}"; }
        host nobody { address "127.0.0.1"; port 1; }
        task t { call push; call between }
        task push { on web; run "mkdir -p $host" { cwd "@" }; copy from="dist" to="${host}:dist"; exec "dist/app" "${host}" { capture said }; run "echo $said" { on local } }
        task between { copy from="web1:dist/app" to="web2:app"; copy from="web2:app" to="back/" }
        task nix { copy from="web1:nix" to="back/" }
        task lost { copy from="dist/app" to="nobody:app" }
    "#;
    let project = Project::placed(Hosts::new(2), file);
    let dir = project.hosts.dir.path().join("project");
    fs::create_dir(dir.join("dist")).unwrap();
    fs::write(dir.join("dist/app"), "#!/bin/sh\necho \"hello from $1\"\n").unwrap();
    fs::set_permissions(dir.join("dist/app"), fs::Permissions::from_mode(0o755)).unwrap();
    let ran = project.xec(&["t"]);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    assert!(said(&ran).contains("hello from web1") && said(&ran).contains("hello from web2"), "{}", said(&ran));
    assert_eq!(project.read("back/app"), project.read("dist/app"));
    assert_eq!(fs::metadata(dir.join("back/app")).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(project.hosts.logins(), 2, "one connection for each host");
    let ran = project.xec(&["nix"]);
    assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
    assert!(said(&ran).contains("nix: not found"), "{}", said(&ran));
    let ran = project.xec(&["lost"]);
    assert_eq!(ran.status.code(), Some(255), "{}", said(&ran));
    assert!(said(&ran).contains("Connection refused"), "{}", said(&ran));
    assert_eq!(masters(project.hosts.dir.path()), 0);
}

/// In the middle of a copy xec is gone: so is the copy, and nothing of it is to be seen.
fn copy_killed() {
    let file = "host web1 { cwd \"@\"; }\ntask t { copy from=\"big\" to=\"web1:out/big\" }";
    let project = Project::placed(Hosts::new(1), file);
    let dir = project.hosts.dir.path().join("project");
    fs::create_dir(dir.join("out")).unwrap();
    fs::write(dir.join("big"), vec![7; 60_000_000]).unwrap();
    let names = || fs::read_dir(dir.join("out")).unwrap().count();
    let mut child = project.command(&["t"]).spawn().unwrap();
    while names() == 0 {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    while names() > 0 {
        std::thread::yield_now();
    }
    assert_eq!(project.xec(&["t"]).status.code(), Some(0));
    assert_eq!(fs::metadata(dir.join("out/big")).unwrap().len(), 60_000_000);
}

fn killed() {
    let mark = mark();
    let file = format!("host \"web[1-4]\"\ntask t {{ on \"*\"; run \"sleep {mark} & sleep {mark}\" }}");
    let project = Project::new(Hosts::new(4), &file);
    project.kill_while("t", &mark, 8);
}
