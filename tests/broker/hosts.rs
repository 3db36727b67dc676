//! The other end of a pipe: what hosts are for a command, with a local shell in place of the link.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal as Unix, kill};
use nix::unistd::Pid;
use xec::base::command::{CommandSpec, NotStarted, Outcome, Sink, Stdin};
use xec::exec::Signal;
use xec::exec::broker::Link;
use xec::exec::containers::Engine;
use xec::exec::remote::RemoteTarget;

use crate::Case;
use crate::support::{mark, run, script, script_with, sleepers, stands_still, start, until, words, world};

pub(crate) const CASES: &[Case] = &[
    ("host_outcomes", host_outcomes),
    ("host_streams_and_environment", host_streams_and_environment),
    ("host_not_started", host_not_started),
    ("host_signals", host_signals),
    ("host_link_killed", host_link_killed),
    ("host_kill_against_all_resistance", host_kill_against_all_resistance),
    ("host_leaves_no_group_behind", host_leaves_no_group_behind),
    ("host_in_a_container", host_in_a_container),
];

/// A link that is a process of its own: the shell at its other end is in another session, and hears of the
/// link's death as sshd's would, by the end of its streams.
pub(crate) fn relay(command: String) {
    fs::write(std::env::var_os("XEC_RELAY").unwrap(), std::process::id().to_string()).unwrap();
    let mut far = Command::new("setsid")
        .args(["sh", "-c", &command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let copy = |mut from: Box<dyn Read + Send>, mut to: Box<dyn Write + Send>| {
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut piece) {
                if to.write_all(&piece[..count]).and_then(|()| to.flush()).is_err() {
                    break;
                }
            }
        })
    };
    let _stdin = copy(Box::new(std::io::stdin()), Box::new(far.stdin.take().unwrap()));
    let stdout = copy(Box::new(far.stdout.take().unwrap()), Box::new(std::io::stdout()));
    let stderr = copy(Box::new(far.stderr.take().unwrap()), Box::new(std::io::stderr()));
    stdout.join().unwrap();
    stderr.join().unwrap();
    far.wait().unwrap();
}

fn host(link: &Link, shell: &str) -> RemoteTarget {
    RemoteTarget::through(link.clone(), [shell, "-c"].map(OsString::from).into()).unwrap()
}

fn relayed(link: &Link, pid_file: &std::path::Path) -> RemoteTarget {
    let own = std::env::current_exe().unwrap();
    let name = format!("XEC_RELAY={}", pid_file.display());
    RemoteTarget::through(link.clone(), vec!["env".into(), name.into(), own.into(), "relay".into()]).unwrap()
}

/// On a host, nothing says where.
fn there(mut spec: CommandSpec) -> CommandSpec {
    spec.cwd = "/".into();
    spec.grace = Duration::from_millis(300);
    spec
}

fn host_outcomes() {
    world(|world| async move {
        for shell in ["dash", "bash"] {
            let host = host(&world.link, shell);
            for (text, code) in [("true", 0), ("exit 7", 7), ("exit 253", 253), ("exit 255", 255), ("kill -9 $$", 137)]
            {
                let end = run(&host, there(script(text))).await.unwrap();
                assert_eq!(
                    (end.finished.outcome, &end.err[..]),
                    (Outcome::Exited(code), b"".as_slice()),
                    "{shell}: {text}"
                );
            }
            let missing = run(&host, there(words(["no-such-program"]))).await.unwrap();
            assert_eq!(missing.code(), 127);
        }
    });
}

fn host_streams_and_environment() {
    world(|world| async move {
        for shell in ["dash", "bash"] {
            let host = host(&world.link, shell);
            let data: Vec<u8> = (0..200_000u32).map(|at| (at % 256) as u8).collect();
            let mut cat = there(script("cat; printf 'no newline' >&2"));
            cat.stdin = Stdin::Bytes(data.clone().into());
            let end = run(&host, cat).await.unwrap();
            assert!(end.out == data, "{shell}: {} bytes came back", end.out.len());
            assert_eq!(end.err, b"no newline");
            let mut deaf = there(script("exit 6"));
            deaf.stdin = Stdin::Bytes(data.into());
            assert_eq!(run(&host, deaf).await.unwrap().code(), 6);
            // Nothing to read is the end, and not the lease.
            assert_eq!(run(&host, there(script("cat; pwd"))).await.unwrap().out(), "/\n");
            let mut env = there(script_with(
                "printf '%s|%s|%s' \"$XEC_X\" \"$1\" \"$(env | grep -c '^xec')\" || :",
                &["a'b\n$(x)"],
            ));
            env.env = vec![("XEC_X".into(), Some("it's \\ \"$HOME\"\n".into()))];
            assert_eq!(run(&host, env).await.unwrap().out(), "it's \\ \"$HOME\"\n|a'b\n$(x)|0");
            let mut kept = there(script("echo kept"));
            kept.stdout = Sink::Capture(100);
            let captured = run(&host, kept).await.unwrap().finished.captures.stdout;
            assert_eq!(captured.as_deref(), Some(b"kept\n".as_slice()));
            // The command has its three descriptors, whatever the wrapper needs.
            let fds = run(&host, there(words(["ls", "/proc/self/fd"]))).await.unwrap();
            assert_eq!(fds.out(), "0\n1\n2\n3\n");
        }
    });
}

fn host_not_started() {
    world(|world| async move {
        let mut nowhere = there(words(["true"]));
        nowhere.cwd = "/no/such/directory".into();
        let refused = run(&host(&world.link, "sh"), nowhere).await.err();
        let Some(NotStarted::Failed(why)) = refused else { panic!("{refused:?}") };
        assert!(why.contains("/no/such/directory"), "{why}");
        let dead = RemoteTarget::through(
            world.link.clone(),
            ["sh", "-c", "echo 'no route' >&2; exit 255"].map(OsString::from).into(),
        );
        let refused = run(&dead.unwrap(), there(words(["true"]))).await.err();
        assert_eq!(refused, Some(NotStarted::Unreachable("no route".to_owned())));
    });
}

fn host_signals() {
    world(|world| async move {
        for shell in ["dash", "bash"] {
            let host = host(&world.link, shell);
            for (number, name) in [(2, "INT"), (15, "TERM"), (1, "HUP")] {
                let text = format!("trap 'echo {name}; exit 9' {name}; echo up; while :; do sleep 0.01; done");
                let mut job = start(&host, there(script(&text))).await.unwrap();
                assert_eq!(job.hear().await, "up\n");
                (job.running.control)(Signal::End(number));
                let end = job.end().await;
                assert_eq!((end.code(), end.out()), (9, &*format!("{name}\n")), "{shell}");
            }
            let mut job = start(&host, there(script("echo $$; while :; do sleep 0.01; done"))).await.unwrap();
            let pid = job.hear().await.trim().parse().unwrap();
            (job.running.control)(Signal::Stop);
            until(|| stands_still(pid)).await;
            (job.running.control)(Signal::Continue);
            until(|| !stands_still(pid)).await;
            (job.running.control)(Signal::Kill);
            assert_eq!(job.end().await.code(), 137);
        }
    });
}

fn host_link_killed() {
    world(|world| async move {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("pid");
        let host = relayed(&world.link, &pid_file);
        assert_eq!(run(&host, there(script("echo hi; exit 3"))).await.unwrap().out(), "hi\n");
        let mark = mark();
        let text = format!("sleep {mark} & (trap '' TERM; sleep {mark}) & echo up; sleep {mark}");
        let mut job = start(&host, there(script(&text))).await.unwrap();
        assert_eq!(job.hear().await, "up\n");
        until(|| sleepers(&mark) == 3).await;
        let relay = fs::read_to_string(&pid_file).unwrap().parse().unwrap();
        kill(Pid::from_raw(relay), Unix::SIGKILL).unwrap();
        let end = job.end().await;
        assert!(matches!(end.finished.outcome, Outcome::Unknown(_)), "{end:?}");
        // Nobody here ends them: the other side does, once its lease is over.
        until(|| sleepers(&mark) == 0).await;
    });
}

fn host_kill_against_all_resistance() {
    world(|world| async move {
        let dir = tempfile::tempdir().unwrap();
        let host = relayed(&world.link, &dir.path().join("pid"));
        let mark = mark();
        let text =
            format!("trap '' TERM INT HUP; (sleep {mark}; sleep {mark}) & echo up; while :; do sleep {mark}; done");
        let mut job = start(&host, there(script(&text))).await.unwrap();
        assert_eq!(job.hear().await, "up\n");
        (job.running.control)(Signal::End(15));
        (job.running.control)(Signal::Kill);
        assert_eq!(job.end().await.code(), 137);
        until(|| sleepers(&mark) == 0).await;
    });
}

fn host_leaves_no_group_behind() {
    world(|world| async move {
        let mark = mark();
        let text = format!("sleep {mark} & (trap '' TERM; sleep {mark}) & exit 4");
        let end = run(&host(&world.link, "sh"), there(script(&text))).await.unwrap();
        assert_eq!((end.code(), end.finished.leaked), (4, Vec::<String>::new()));
        assert_eq!(sleepers(&mark), 0);
    });
}

/// No engine and no cluster: a program that notes how it is called, and runs what it is told to.
fn client(dir: &std::path::Path, answer: &str) -> Vec<OsString> {
    let path = dir.join("client");
    let log = dir.join("log");
    let text = format!(
        "#!/bin/sh\necho \"$*\" | head -n 1 | cut -c-60 >>'{}'\ncase $1 in exec) ;; *) {answer}; exit ;; esac\n\
         while [ \"$1\" != sh ]; do shift; done\nexec \"$@\"\n",
        log.display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    vec![path.into()]
}

fn host_in_a_container() {
    world(|world| async move {
        let dir = tempfile::tempdir().unwrap();
        let log = || fs::read_to_string(dir.path().join("log")).unwrap();
        let docker = Engine::Docker { client: client(dir.path(), "printf 'web2\\nweb1\\n'") };
        assert_eq!(docker.find(&world.link, "app=web").await.unwrap(), ["web1", "web2"]);
        let target = docker.target(&world.link, "web1", Some("app")).unwrap();
        let end = run(&target, there(script("echo in; exit 4"))).await.unwrap();
        assert_eq!((end.code(), end.out()), (4, "in\n"));
        let mark = mark();
        let mut job = start(&target, there(script(&format!("echo up; sleep {mark}")))).await.unwrap();
        assert_eq!(job.hear().await, "up\n");
        (job.running.control)(Signal::Kill);
        assert_eq!(job.end().await.code(), 137);
        assert_eq!(sleepers(&mark), 0);
        assert!(
            log().starts_with("ps --format {{.Names}} --filter label=app=web\nexec -i -u app web1 sh -c exec sh -c")
        );

        fs::remove_file(dir.path().join("log")).unwrap();
        let client = client(dir.path(), "printf 'pod/web-b\\npod/web-a\\n'");
        let pods = Engine::Kubernetes { client, namespace: Some("shop".to_owned()), container: None };
        assert_eq!(pods.find(&world.link, "app=web").await.unwrap(), ["web-a", "web-b"]);
        let target = pods.target(&world.link, "web-a", None).unwrap();
        assert_eq!(run(&target, there(script("exit 5"))).await.unwrap().code(), 5);
        assert!(log().contains("\nexec -i -n shop web-a -- sh -c exec sh -c"), "{}", log());

        let away = Engine::Docker { client: self::client(dir.path(), "echo 'no daemon' >&2; exit 1") };
        let Err(NotStarted::Unreachable(why)) = away.find(&world.link, "app=web").await else { panic!() };
        assert!(why.ends_with("client: no daemon"), "{why}");
    });
}
