//! `examples/fleet`, a release over a canary and three more hosts, word for word and against real sshds: what it does
//! when all goes well, when the canary does not live, and when one host of the fleet does not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::sshd::{Hosts, Traits, masters};
use crate::{Case, When};

pub(crate) const CASES: &[Case] = &[
    ("release_goes_out", When::Root, goes_out),
    ("release_canary_fails", When::Root, canary_fails),
    ("release_misses_by_one_host", When::Root, misses_by_one_host),
];

const NAMES: [&str; 4] = ["canary-1", "prod-1", "prod-2", "prod-3"];

/// A copy of the example, whose hosts are loopback addresses.
struct Release {
    hosts: Hosts,
    dir: PathBuf,
}

impl Release {
    /// `fails` has a line `host: program` for whatever does not work.
    fn new(patient: bool, fails: &str) -> Self {
        let config = "SetEnv PATH=@/standin:/usr/local/bin:/usr/bin:/bin\n";
        let home = tempfile::Builder::new().prefix("fleet-").tempdir_in("/tmp").unwrap().keep();
        let dir = home.join("project");
        let traits = Traits { app: true, config: config.replace('@', &dir.display().to_string()), ..Traits::default() };
        let hosts = Hosts::with(NAMES.len(), &traits);
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fleet"), &dir);
        let release = Self { hosts, dir };
        let mut addresses = String::new();
        for (at, name) in (1..).zip(NAMES) {
            let name = format!("{name}.example.com");
            release.write(&format!("state/{name}/live"), "1.9\n");
            addresses += &format!("127.0.0.{at} {name}\n");
            release.hosts.configure(&format!("Host {name}\n  HostName 127.0.0.{at}"));
        }
        release.write("state/hosts", &addresses);
        release.write("state/fails", fails);
        // The hosts know nobody but who runs the tests.
        let config = release.hosts.dir.path().join("ssh_config");
        let ssh = "#!/bin/sh\nn=$#\nfor word; do case $word in User=deploy) word=User=root ;; esac\n\
                   set -- \"$@\" \"$word\"; done\nshift $n\nexec /usr/bin/ssh -F CONFIG \"$@\"\n";
        release.write("standin/ssh", &ssh.replace("CONFIG", &config.display().to_string()));
        fs::set_permissions(release.dir.join("standin/ssh"), fs::Permissions::from_mode(0o755)).unwrap();
        if !patient {
            let file = release.read("Xecfile.kdl");
            let file = file.replace("wait \"10s\"", "wait \"50ms\"").replace("pause=\"5s\"", "pause=\"50ms\"");
            release.write("Xecfile.kdl", &file);
        }
        release
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }

    fn xec(&self, words: &[&str]) -> Output {
        let path = format!("{}:{}", self.dir.join("standin").display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new(env!("CARGO_BIN_EXE_xec"));
        command.current_dir(&self.dir).env("PATH", path).env("TMPDIR", self.hosts.dir.path());
        command
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("SSH_CONNECTION")
            .env("SLACK_URL", "https://chat.example.com/x");
        command.args(words).output().unwrap()
    }

    /// How often a program was called on a host, or for it.
    fn calls(&self, line: &str) -> usize {
        self.read("calls.txt").lines().filter(|call| *call == line).count()
    }

    /// Which version is live on each host.
    fn live(&self) -> Vec<String> {
        NAMES.map(|name| self.read(&format!("state/{name}.example.com/live")).trim().to_owned()).to_vec()
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.dir.parent().unwrap()); // It is in a place for such things.
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

fn said(release: &Release, output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{out}\n{err}\n{}", release.read("calls.txt"))
}

fn goes_out() {
    let release = Release::new(true, "");
    let ran = release.xec(&["-y", "release", "version=2.0"]);
    let said = said(&release, &ran);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    assert_eq!(release.live(), ["2.0"; 4], "{said}");
    for name in NAMES {
        for call in ["git fetch --tags", "git checkout -q 2.0", "npm ci --omit=dev", "systemctl restart app"] {
            assert_eq!(release.calls(&format!("{name}: {call}")), 1, "{name}: {call}: {said}");
        }
        assert_eq!(release.read(&format!("state/{name}.example.com/dir")), "/app\n", "{said}");
    }
    let asked = |name: &str| release.calls(&format!("{name}: curl -fsS https://{name}.example.com/health"));
    assert_eq!(NAMES.map(asked), [2, 1, 1, 1], "{said}");
    for suite in ["unit", "integration", "e2e"] {
        assert_eq!(release.calls(&format!("here: npm run test:{suite}")), 1, "{said}");
    }
    assert!(
        release.read("told.txt").starts_with("url = \"https://chat.example.com/x\"\nrelease 2.0: success in "),
        "{said}"
    );
    // The canary first, then one after the other.
    let calls = release.read("calls.txt");
    let restarts: Vec<&str> = calls.lines().filter_map(|line| line.strip_suffix(": systemctl restart app")).collect();
    assert_eq!(restarts, NAMES);
    assert_eq!(release.hosts.logins(), 4, "one connection for each host");
    assert_eq!(masters(release.hosts.dir.path()), 0);
}

fn canary_fails() {
    let release = Release::new(false, "canary-1: curl\n");
    let ran = release.xec(&["-y", "release", "version=2.0"]);
    let said = said(&release, &ran);
    assert_eq!(ran.status.code(), Some(22), "{said}");
    assert_eq!(release.live(), ["1.9"; 4], "back where it was: {said}");
    assert_eq!(release.calls("canary-1: git checkout -q 2.0"), 1, "{said}");
    for name in NAMES {
        assert_eq!(release.calls(&format!("{name}: git checkout -q 1.9")), 1, "{said}");
    }
    assert_eq!(release.calls("prod-1: git checkout -q 2.0"), 0, "none of the others was touched before: {said}");
    assert!(said.contains("curl: out of order on canary-1.example.com"), "{said}");
    assert!(release.read("told.txt").contains("release 2.0: failed in "), "{said}");
}

fn misses_by_one_host() {
    let release = Release::new(false, "prod-2: curl\n");
    let ran = release.xec(&["-y", "release", "version=2.0"]);
    let said = said(&release, &ran);
    assert_eq!(ran.status.code(), Some(22), "{said}");
    assert_eq!(release.live(), ["1.9"; 4], "{said}");
    for name in NAMES {
        assert_eq!(release.calls(&format!("{name}: git checkout -q 2.0")), 1, "it was out everywhere: {said}");
        assert_eq!(release.calls(&format!("{name}: git checkout -q 1.9")), 1, "and is nowhere: {said}");
    }
    assert_eq!(release.calls("prod-2: curl -fsS https://prod-2.example.com/health"), 3, "tried again twice: {said}");
    // A host that cannot restart is no reason for the others to stay as they are, once it is the way back.
    let release = Release::new(false, "canary-1: curl\nprod-3: systemctl\n");
    let ran = release.xec(&["-y", "release", "version=2.0"]);
    assert_ne!(ran.status.code(), Some(0));
    assert_eq!(release.calls("prod-2: systemctl restart app"), 1, "{}", self::said(&release, &ran));
    assert_eq!(release.live(), ["1.9"; 4]);
}
