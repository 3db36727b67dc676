//! Real sshds on loopback addresses, each of which is a host. Nothing of the machine is changed: their users, where
//! there are some, exist in a mount namespace of the sshd's own.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;
use xec::exec::broker::Link;
use xec::exec::remote::RemoteTarget;
use xec::exec::ssh::{Fleet, Host, Settings};

use crate::cable::Cable;

/// No sshd takes more `ListenAddress` lines.
const ADDRESSES: usize = 16;

/// The users that root can have: their names, login shells and ids.
const USERS: [(&str, &str, u32); 4] = [
    ("dashing", "/usr/bin/dash", 61001),
    ("bashful", "/bin/bash", 61002),
    ("tcshy", "/usr/bin/tcsh", 61003),
    ("fishy", "/usr/bin/fish", 61004),
];

/// What is different from one group of sshds to the next.
#[derive(Clone, Default)]
pub(crate) struct Traits {
    /// Lines for the configuration of sshd.
    pub(crate) config: String,
    /// Who runs sshd, and so the only one who can log in; else the one who runs the tests.
    pub(crate) user: Option<&'static str>,
    /// The homes are on a disk without room.
    pub(crate) full_disk: bool,
    /// They are in a network namespace, at the other end of a cable.
    pub(crate) cable: bool,
    /// They have a directory `/app`, which the machine has not.
    pub(crate) app: bool,
}

/// Whether there can be users, namespaces and sudo. Root of a container may have to do without.
pub(crate) fn is_root() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let unshared = || Command::new("unshare").args(["-m", "true"]).stderr(Stdio::null()).status();
        geteuid().is_root() && unshared().is_ok_and(|status| status.success())
    })
}

/// Some hosts, with all that ssh needs to reach them.
pub(crate) struct Hosts {
    pub(crate) dir: TempDir,
    pub(crate) port: u16,
    sshds: Vec<Child>,
    count: usize,
    cable: Option<Cable>,
}

impl Hosts {
    /// Has the login shells say something when they begin.
    pub(crate) fn make_logins_noisy(&self) {
        for (file, text) in [
            ("bashful/.bashrc", "echo hello from bash; echo and more >&2\n"),
            ("tcshy/.tcshrc", "echo hello from tcsh\n"),
            ("fishy/.config/fish/config.fish", "echo hello from fish; echo and more >&2\n"),
        ] {
            let path = self.dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    /// So many hosts, `web1` and on.
    pub(crate) fn new(count: usize) -> Self {
        Self::with(count, &Traits::default())
    }

    pub(crate) fn with(count: usize, traits: &Traits) -> Self {
        // A path without the length of some temporary directories: what is in there is a socket's name, too.
        let dir = tempfile::Builder::new().prefix("fleet-").tempdir_in("/tmp").unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cable = traits.cable.then(Cable::lay);
        let network = if traits.cable { Cable::NETWORK } else { "127.0.0" };
        let addresses: Vec<String> = (1..=count).map(|at| format!("{network}.{at}")).collect();
        let mut hosts = Self { dir, port, sshds: Vec::new(), count, cable };
        hosts.prepare(&addresses);
        for (at, group) in addresses.chunks(ADDRESSES).enumerate() {
            let sshd = hosts.start(at, group, traits);
            hosts.sshds.push(sshd);
        }
        hosts
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Keys, and the configuration of the client.
    fn prepare(&self, addresses: &[String]) {
        fs::set_permissions(self.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["id", "host_key"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "fleet", "-f"])
                .arg(self.at(name))
                .status()
                .expect("ssh-keygen is missing: run scripts/setup");
            assert!(made.success());
        }
        fs::copy(self.at("id.pub"), self.at("authorized_keys")).unwrap();
        fs::write(self.at("known_hosts"), format!("* {}", fs::read_to_string(self.at("host_key.pub")).unwrap()))
            .unwrap();
        let mut config = String::new();
        for (at, address) in (1..).zip(addresses) {
            writeln!(config, "Host web{at}\n  HostName {address}").unwrap();
        }
        write!(
            config,
            "Host *\n  Port {}\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  \
             GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n",
            self.port,
            self.at("id").display(),
            self.at("known_hosts").display()
        )
        .unwrap();
        fs::write(self.at("ssh_config"), config).unwrap();
        if geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap(); // Where an sshd of root's wants to be apart.
        }
        if is_root() {
            self.prepare_users();
        }
    }

    /// Users that only the sshds see.
    fn prepare_users(&self) {
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        // What root's own shell does when it begins is no part of this.
        let others = passwd.lines().filter(|line| !line.starts_with("root:"));
        let mut passwd = format!("root:*:0:0:root:{}:/bin/sh\n", self.at("root").display());
        others.for_each(|line| writeln!(passwd, "{line}").unwrap());
        fs::create_dir(self.at("root")).unwrap();
        for (name, shell, id) in USERS {
            let home = self.at(name);
            fs::create_dir(&home).unwrap();
            std::os::unix::fs::chown(&home, Some(id), Some(id)).unwrap();
            writeln!(passwd, "{name}:*:{id}:{id}::{}:{shell}", home.display()).unwrap();
            // Who runs an sshd of his own must be able to read its key.
            let key = self.at(&format!("host_key.{name}"));
            fs::copy(self.at("host_key"), &key).unwrap();
            std::os::unix::fs::chown(&key, Some(id), Some(id)).unwrap();
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::write(self.at("passwd"), passwd).unwrap();
        fs::write(self.at("sudoers"), "root ALL=(ALL) ALL\nbashful ALL=(ALL) NOPASSWD: ALL\ntcshy ALL=(ALL) ALL\n")
            .unwrap();
        fs::set_permissions(self.at("sudoers"), fs::Permissions::from_mode(0o440)).unwrap();
    }

    fn start(&self, number: usize, addresses: &[String], traits: &Traits) -> Child {
        let key = traits.user.map_or("host_key".to_owned(), |user| format!("host_key.{user}"));
        let mut config = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nPrintMotd no\nUseDNS no\n{}",
            self.at(&key).display(),
            self.at("authorized_keys").display(),
            // Of two lines the first counts, so these stand before what is said for all.
            traits
                .config
                .lines()
                .filter(|line| !line.starts_with("Match"))
                .fold(String::new(), |all, line| all + line + "\n")
        );
        for address in addresses {
            writeln!(config, "ListenAddress {address}:{}", self.port).unwrap();
        }
        let file = self.at(&format!("sshd_config.{number}"));
        fs::write(&file, config).unwrap();
        let log_name = self.at(&format!("sshd.{number}.log"));
        let log = fs::File::create(&log_name).unwrap();
        let said = Inotify::init(InitFlags::IN_CLOEXEC).unwrap();
        said.add_watch(&log_name, AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CLOSE_WRITE).unwrap();
        let mut command = if is_root() { self.in_namespace(traits) } else { Command::new("/usr/sbin/sshd") };
        let mut child = command
            .args(["-D", "-e", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("sshd is missing: run scripts/setup");
        self.await_listening(&mut child, number, &said);
        child
    }

    fn in_namespace(&self, traits: &Traits) -> Command {
        let mut command = Command::new(if traits.cable { "ip" } else { "unshare" });
        if traits.cable {
            command.args(["netns", "exec", Cable::NAME, "unshare"]);
        }
        let become_user = traits.user.map_or(String::new(), |user| {
            let id = USERS.iter().find(|(name, ..)| *name == user).unwrap().2;
            format!("setpriv --reuid={id} --regid={id} --clear-groups ")
        });
        let dir = self.dir.path().display();
        let disk = match traits.full_disk {
            true => format!("mount -t tmpfs -o size=4k none {dir}/bashful && head -c 4096 /dev/zero >{dir}/bashful/x;"),
            false => String::new(),
        };
        // A root of their own, with all that is in the real one. What is in /tmp comes first, since that has this root, too.
        let (root, enter) = match traits.app {
            true => (
                format!(
                    "r={dir}/root-of-hosts; mkdir -p $r/app $r/tmp; chmod 777 $r/app; mount --bind /tmp $r/tmp; for d in /*; do \
                     if [ -L $d ]; then cp -P $d $r$d; elif [ -d $d ] && [ $d != /tmp ]; then mkdir -p $r$d; mount --rbind $d $r$d; fi; done;"
                ),
                "chroot $r ",
            ),
            false => (String::new(), ""),
        };
        let text = format!(
            "{disk} mount --bind {dir}/passwd /etc/passwd; [ ! -e /etc/sudoers ] || mount --bind {dir}/sudoers /etc/sudoers; \
             {root} exec {enter}{become_user}/usr/sbin/sshd \"$@\""
        );
        command.args(["-m", "--propagation", "private", "sh", "-c", &text, "sshd"]);
        command
    }

    /// It says so in its log, and nowhere else.
    fn await_listening(&self, child: &mut Child, number: usize, said: &Inotify) {
        let log = self.at(&format!("sshd.{number}.log"));
        loop {
            let ended = child.try_wait().unwrap();
            let text = fs::read_to_string(&log).unwrap();
            if text.contains("Server listening on") {
                return;
            }
            assert!(ended.is_none(), "sshd ended: {text}");
            said.read_events().unwrap();
        }
    }

    /// How the sshds are reached.
    pub(crate) fn settings(&self) -> Settings {
        let config = self.at("ssh_config").into_os_string();
        Settings { client: vec!["ssh".into(), "-F".into(), config], ..Settings::default() }
    }

    /// Adds lines to the configuration of the client, before all others.
    pub(crate) fn configure(&self, lines: &str) {
        let config = fs::read_to_string(self.at("ssh_config")).unwrap();
        fs::write(self.at("ssh_config"), format!("{lines}\n{config}")).unwrap();
    }

    pub(crate) fn fleet(&self, link: &Link) -> Fleet {
        Fleet::new(link.clone(), self.settings()).unwrap()
    }

    /// All of them.
    pub(crate) fn targets(&self, fleet: &mut Fleet) -> Vec<RemoteTarget> {
        (1..=self.count).map(|at| fleet.host(&Host::new(format!("web{at}"))).unwrap()).collect()
    }

    /// What the sshds said.
    pub(crate) fn log(&self) -> String {
        let mut all = String::new();
        for number in 0..self.sshds.len() {
            fs::File::open(self.at(&format!("sshd.{number}.log"))).unwrap().read_to_string(&mut all).unwrap();
        }
        all
    }

    /// How often somebody was let in.
    pub(crate) fn logins(&self) -> usize {
        self.log().matches("Accepted publickey").count()
    }

    /// A signal for all that belongs to the sshds: the listeners, and the processes of their connections.
    pub(crate) fn signal(&self, signal: Signal) {
        for sshd in &self.sshds {
            let pid = sshd.id() as i32;
            let mut all = below(pid);
            all.insert(0, pid);
            for pid in all {
                let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                if name.trim() == "sshd" {
                    let _ = kill(Pid::from_raw(pid), signal); // It may have ended.
                }
            }
        }
    }

    /// Ends the processes of all connections, and not the listeners.
    pub(crate) fn kill_connections(&self) {
        for pid in self.sshds.iter().flat_map(|sshd| below(sshd.id() as i32)) {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            if name.trim() == "sshd" {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL); // It may have ended.
            }
        }
    }

    /// Ends the processes of the connections to one host, by its number. The master of a connection knows to which.
    pub(crate) fn kill_connections_to(&self, host: usize) {
        let name = format!("web{host}");
        for pid in master_pids(self.dir.path()) {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if line.split(|byte| *byte == 0).any(|word| word == name.as_bytes()) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL); // It may have ended.
            }
        }
    }

    /// From here on nothing that is sent arrives, and nobody is told.
    pub(crate) fn pull_cable(&self) {
        self.cable.as_ref().expect("a cable").pull();
    }

    /// How many connections the sshds have.
    pub(crate) fn connections(&self) -> usize {
        let children = |pid| children(pid).len();
        self.sshds.iter().map(|sshd| children(sshd.id() as i32)).sum()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        self.signal(Signal::SIGCONT);
        // A connection whose cable was pulled would stay for a quarter of an hour, and its network with it.
        self.kill_connections();
        for sshd in &mut self.sshds {
            let _ = sshd.kill(); // It may have ended.
            let _ = sshd.wait();
        }
    }
}

fn children(pid: i32) -> Vec<i32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// All below a process.
fn below(pid: i32) -> Vec<i32> {
    let mut found = children(pid);
    let mut next = 0;
    while next < found.len() {
        found.extend(children(found[next]));
        next += 1;
    }
    found
}

/// The masters that know these hosts.
pub(crate) fn master_pids(dir: &Path) -> Vec<i32> {
    let config = dir.join("ssh_config");
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.contains(&b"-M".as_slice()) && words.contains(&config.as_os_str().as_encoded_bytes())
    })
    .collect()
}

/// How many there are.
pub(crate) fn masters(dir: &Path) -> usize {
    master_pids(dir).len()
}
