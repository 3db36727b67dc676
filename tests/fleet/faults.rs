//! What goes wrong between here and there. After each, what is left at the other side is counted.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal as Unix, kill};
use nix::unistd::Pid;
use xec::base::command::{NotStarted, Outcome};
use xec::exec::Signal;
use xec::exec::ssh::{Fleet, Host, Settings};

use crate::smoke::{stubborn, there, up};
use crate::sshd::{Hosts, Traits, master_pids, masters};
use crate::support::{World, mark, run, script, sleepers, start, until, words, world};
use crate::{Case, When};

pub(crate) const CASES: &[Case] = &[
    ("fault_blackhole", When::Full, blackhole),
    ("fault_start_given_up", When::Full, start_given_up),
    ("fault_cut_there", When::Always, cut_there),
    ("fault_cut_here", When::Full, cut_here),
    ("fault_half_open", When::Full, half_open),
    ("fault_cable_pulled", When::Root, cable_pulled),
    ("fault_slow", When::Full, slow),
    ("fault_wrapper_killed", When::Full, wrapper_killed),
    ("fault_xec_killed", When::Always, xec_killed),
    ("fault_everything_stands_still", When::Full, everything_stands_still),
];

fn unknown(outcome: &Outcome) -> &str {
    let Outcome::Unknown(why) = outcome else { panic!("{outcome:?}") };
    why
}

/// A fleet that asks every second whether the hosts are still there.
fn wakeful(hosts: &Hosts, world: &World) -> Fleet {
    Fleet::new(world.link.clone(), Settings { alive: Duration::from_secs(1), ..hosts.settings() }).unwrap()
}

/// A port where somebody listens and nobody speaks.
fn silence() -> (TcpListener, Host) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, Host { port: Some(port), ..Host::new("web1") })
}

fn blackhole() {
    let hosts = Hosts::new(1);
    world(|world| async move {
        let settings = Settings { connect: Duration::from_secs(1), ..hosts.settings() };
        let mut fleet = Fleet::new(world.link.clone(), settings).unwrap();
        let (_listener, host) = silence();
        let target = fleet.host(&host).unwrap();
        let Some(NotStarted::Unreachable(why)) = run(&target, there(words(["true"]))).await.err() else { panic!() };
        assert!(why.contains("timed out"), "{why}");
        fleet.close().await;
    });
}

fn start_given_up() {
    let hosts = Hosts::new(1);
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let (_listener, host) = silence();
        let target = fleet.host(&host).unwrap();
        let mut starting = Box::pin(start(&target, there(words(["true"]))));
        tokio::select! {
            _ = &mut starting => panic!("nobody is there"),
            () = until(|| masters(hosts.dir.path()) == 1) => {}
        }
        drop(starting);
        fleet.close().await;
        until(|| masters(hosts.dir.path()) == 0).await;
        // And where it is there, but the command has not begun.
        let mut fleet = hosts.fleet(&world.link);
        let target = &hosts.targets(&mut fleet)[0];
        assert_eq!(run(target, there(words(["true"]))).await.unwrap().code(), 0);
        hosts.signal(Unix::SIGSTOP);
        let mark = mark();
        let [master] = master_pids(hosts.dir.path())[..] else { panic!("one connection") };
        let open = || fs::read_dir(format!("/proc/{master}/fd")).unwrap().count();
        let before = open();
        let mut starting = Box::pin(start(target, there(script(&format!("sleep {mark}")))));
        tokio::select! {
            _ = &mut starting => panic!("nobody answers"),
            // It has the three streams of the session, and the way to who asked for it.
            () = until(|| open() >= before + 4) => {}
        }
        drop(starting);
        hosts.signal(Unix::SIGCONT);
        assert_eq!(run(target, there(words(["true"]))).await.unwrap().code(), 0);
        assert_eq!(sleepers(&mark), 0);
        fleet.close().await;
    });
}

fn cut_there() {
    let hosts = Hosts::new(2);
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let targets = hosts.targets(&mut fleet);
        let mark = mark();
        let mut jobs = Vec::new();
        for target in &targets {
            jobs.push(up(target, &stubborn(&mark)).await);
        }
        until(|| sleepers(&mark) == 4).await;
        hosts.kill_connections();
        for job in jobs {
            let end = job.end().await;
            unknown(&end.finished.outcome);
        }
        until(|| sleepers(&mark) == 0).await;
        // The listeners are still there, and so the next command finds a way.
        assert_eq!(run(&targets[0], there(words(["true"]))).await.unwrap().code(), 0);
        fleet.close().await;
    });
}

fn cut_here() {
    let hosts = Hosts::new(1);
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let targets = hosts.targets(&mut fleet);
        let mark = mark();
        let job = up(&targets[0], &format!("echo up; sleep {mark}")).await;
        for pid in crate::sshd::master_pids(hosts.dir.path()) {
            kill(Pid::from_raw(pid), Unix::SIGKILL).unwrap();
        }
        unknown(&job.end().await.finished.outcome);
        until(|| sleepers(&mark) == 0).await;
        assert_eq!(run(&targets[0], there(words(["true"]))).await.unwrap().code(), 0);
        fleet.close().await;
    });
}

fn half_open() {
    let hosts = Hosts::new(1);
    world(|world| async move {
        let mut fleet = wakeful(&hosts, &world);
        let targets = hosts.targets(&mut fleet);
        let mark = mark();
        let job = up(&targets[0], &format!("echo up; sleep {mark}")).await;
        hosts.signal(Unix::SIGSTOP);
        let end = job.end().await;
        let why = unknown(&end.finished.outcome);
        assert!(why.contains("Timeout, server 127.0.0.1 not responding"), "{why}");
        // It cannot know while it stands still; then it does.
        hosts.signal(Unix::SIGCONT);
        until(|| sleepers(&mark) == 0).await;
        fleet.close().await;
    });
}

/// Neither side hears of the end of the other.
fn cable_pulled() {
    let hosts = Hosts::with(1, &Traits { cable: true, ..Traits::default() });
    world(|world| async move {
        let mut fleet = wakeful(&hosts, &world);
        let targets = hosts.targets(&mut fleet);
        let mark = mark();
        let job = up(&targets[0], &stubborn(&mark)).await;
        until(|| sleepers(&mark) == 2).await;
        hosts.pull_cable();
        unknown(&job.end().await.finished.outcome);
        until(|| sleepers(&mark) == 0).await;
        fleet.close().await;
    });
}

/// Bytes that go through here take their time: the sleep is the fault itself, and nothing waits for it. As a `ProxyCommand`: `fleet slow HOST PORT`.
pub(crate) fn slow_proxy(host: &str, port: &str) {
    let socket = TcpStream::connect((host, port.parse().unwrap())).unwrap();
    let copy = |mut from: Box<dyn Read + Send>, mut to: Box<dyn Write + Send>| {
        std::thread::spawn(move || {
            let mut piece = [0; 1000];
            while let Ok(count @ 1..) = from.read(&mut piece) {
                std::thread::sleep(Duration::from_millis(20));
                if to.write_all(&piece[..count]).and_then(|()| to.flush()).is_err() {
                    break;
                }
            }
        })
    };
    let _up = copy(Box::new(std::io::stdin()), Box::new(socket.try_clone().unwrap()));
    copy(Box::new(socket), Box::new(std::io::stdout())).join().unwrap();
}

fn slow() {
    let hosts = Hosts::new(1);
    let own = std::env::current_exe().unwrap();
    hosts.configure(&format!("Host *\n  ProxyCommand {} slow %h %p", own.display()));
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let targets = hosts.targets(&mut fleet);
        let end = run(&targets[0], there(script("head -c 20000 /dev/zero; echo end >&2; exit 3"))).await.unwrap();
        assert_eq!((end.code(), end.out.len(), &end.err[..]), (3, 20_000, b"end\n".as_slice()));
        let mark = mark();
        let job = up(&targets[0], &format!("echo up; sleep {mark}")).await;
        until(|| sleepers(&mark) == 1).await;
        (job.running.control)(Signal::End(2));
        assert_eq!(job.end().await.code(), 130);
        assert_eq!(sleepers(&mark), 0);
        fleet.close().await;
    });
}

/// Whatever holds the lease there is gone, and what it was to end is not.
fn wrapper_killed() {
    let hosts = Hosts::new(1);
    world(|world| async move {
        let mut fleet = wakeful(&hosts, &world);
        let targets = hosts.targets(&mut fleet);
        let mark = mark();
        let job = up(&targets[0], &stubborn(&mark)).await;
        until(|| sleepers(&mark) == 2).await;
        for pid in wrappers() {
            let _ = kill(Pid::from_raw(pid), Unix::SIGKILL); // It may have ended.
        }
        unknown(&job.end().await.finished.outcome);
        assert_eq!(sleepers(&mark), 0);
        fleet.close().await;
    });
}

/// The shells that run the wrapper's text, of this test's hosts or of others.
fn wrappers() -> Vec<i32> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.starts_with(b"sh\0-c\0exec 4>&1 5<&0")
    })
    .collect()
}

/// What is killed in [`xec_killed`]: `fleet victim DIR MARK`.
pub(crate) fn victim(dir: PathBuf, mark: &str) {
    world(|World { link, .. }: World| async move {
        let client = vec!["ssh".into(), "-F".into(), dir.join("ssh_config").into_os_string()];
        let mut fleet = Fleet::new(link, Settings { client, ..Settings::default() }).unwrap();
        let target = fleet.host(&Host::new("web1")).unwrap();
        let text = format!("(trap '' TERM; sleep {mark}) & echo up; sleep {mark}");
        let mut job = start(&target, there(script(&text))).await.unwrap();
        println!("{}", job.hear().await);
        job.end().await;
    });
}

fn xec_killed() {
    let hosts = Hosts::new(1);
    let mark = mark();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("victim")
        .arg(hosts.dir.path())
        .arg(&mark)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut up = [0; 2];
    child.stdout.take().unwrap().read_exact(&mut up).unwrap();
    assert_eq!(&up, b"up");
    child.kill().unwrap();
    child.wait().unwrap();
    world(|_| async move {
        until(|| sleepers(&mark) == 0).await;
        until(|| masters(hosts.dir.path()) == 0).await;
    });
}

/// Ctrl-Z: what runs there is told, and for that the connection must not be stopped.
fn everything_stands_still() {
    let hosts = Hosts::new(1);
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let targets = hosts.targets(&mut fleet);
        let text = "echo $$; while :; do sleep 0.01; done";
        let mut job = start(&targets[0], there(script(text))).await.unwrap();
        let pid = job.hear().await.trim().parse().unwrap();
        (job.running.control)(Signal::Stop);
        world.link.signal_all(Signal::Stop);
        until(|| crate::support::stands_still(pid)).await;
        world.link.signal_all(Signal::Continue);
        (job.running.control)(Signal::Continue);
        until(|| !crate::support::stands_still(pid)).await;
        (job.running.control)(Signal::Kill);
        assert_eq!(job.end().await.code(), 137);
        fleet.close().await;
    });
}
