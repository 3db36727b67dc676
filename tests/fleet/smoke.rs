//! What holds for any host: outcomes, streams, values, ends.

use std::rc::Rc;
use std::time::Duration;

use xec::base::command::{CommandSpec, NotStarted, Outcome, Sink, Stdin};
use xec::base::event::JobId;
use xec::exec::output::OutputTx;
use xec::exec::pipeline::{self, Member};
use xec::exec::remote::RemoteTarget;
use xec::exec::ssh::Host;
use xec::exec::{JobCx, Signal};

use crate::sshd::{Hosts, masters};
use crate::support::{Job, mark, run, script, script_with, sleepers, start, until, words, world};
use crate::{Case, When};

pub(crate) const CASES: &[Case] = &[
    ("smoke_outcomes", When::Always, outcomes),
    ("smoke_streams_and_values", When::Always, streams_and_values),
    ("smoke_ends", When::Always, ends),
    ("smoke_not_started", When::Always, not_started),
];

/// Says that it is up, and goes on in the background too, whatever it is told.
pub(crate) fn stubborn(mark: &str) -> String {
    format!("(trap '' TERM; sleep {mark}) & echo up; sleep {mark}")
}

/// Begins a script, and waits until it says that it is up.
pub(crate) async fn up(target: &RemoteTarget, text: &str) -> Job {
    let mut job = start(target, there(script(text))).await.unwrap();
    assert_eq!(job.hear().await, "up\n", "{text}");
    job
}

/// On a host, nothing says where.
pub(crate) fn there(mut spec: CommandSpec) -> CommandSpec {
    spec.cwd = "".into();
    spec.grace = Duration::from_millis(300);
    spec
}

fn outcomes() {
    let hosts = Hosts::new(4);
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        for target in hosts.targets(&mut fleet) {
            for (text, code) in [("true", 0), ("exit 7", 7), ("exit 127", 127), ("exit 255", 255), ("kill -9 $$", 137)]
            {
                let end = run(&target, there(script(text))).await.unwrap();
                assert_eq!((end.finished.outcome, &end.err[..]), (Outcome::Exited(code), b"".as_slice()), "{text}");
            }
        }
        assert_eq!(hosts.logins(), 4, "one connection for each host");
        fleet.close().await;
        assert_eq!(masters(hosts.dir.path()), 0);
    });
}

fn streams_and_values() {
    let hosts = Hosts::new(1);
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let target = &hosts.targets(&mut fleet)[0];
        let data: Vec<u8> = (0..200_000u32).map(|at| (at % 256) as u8).collect();
        let mut cat = there(script("cat; printf 'no newline' >&2"));
        cat.stdin = Stdin::Bytes(data.clone().into());
        let end = run(target, cat).await.unwrap();
        assert!(end.out == data, "{} bytes came back", end.out.len());
        assert_eq!(end.err, b"no newline");
        let mut env = there(script_with("printf '%s|%s' \"$XEC_X\" \"$1\"", &["a'b\n$(x) !! \\"]));
        env.env = vec![("XEC_X".into(), Some("it's \\ \"$HOME\"\n".into()))];
        env.stdout = Sink::Capture(100);
        let captured = run(target, env).await.unwrap().finished.captures.stdout;
        assert_eq!(captured.as_deref(), Some(b"it's \\ \"$HOME\"\n|a'b\n$(x) !! \\".as_slice()));
        // Much output, and a reader who comes late.
        let mut much = there(script("head -c 3000000 /dev/zero"));
        much.stdout = Sink::Capture(4_000_000);
        assert_eq!(run(target, much).await.unwrap().finished.captures.stdout.unwrap().len(), 3_000_000);
        let mut over = there(script("head -c 3000000 /dev/zero; sleep 100"));
        over.stdout = Sink::Capture(1_000_000);
        assert_eq!(run(target, over).await.unwrap().finished.capture_overflow, Some(1_000_000));
        // Files of this machine.
        let (from, to) = (hosts.dir.path().join("from"), hosts.dir.path().join("to"));
        std::fs::write(&from, &data).unwrap();
        let mut files = there(script("cat; exit 3"));
        (files.stdin, files.stdout) = (Stdin::File(from), Sink::File(to.clone()));
        let (output, _messages) = OutputTx::pair();
        let files = Member { spec: files, target: Rc::new(target.clone()), here: false };
        let running = pipeline::start(vec![files], JobCx::new(JobId(1), output)).await.unwrap();
        assert_eq!(running.done.await.outcome, Outcome::Exited(3));
        assert!(std::fs::read(&to).unwrap() == data);
        fleet.close().await;
    });
}

fn ends() {
    let hosts = Hosts::new(4);
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let targets = hosts.targets(&mut fleet);
        let mark = mark();
        // Soft, hard, against all resistance, and with the connection.
        let text = format!("sleep {mark} & (trap '' TERM; sleep {mark}) & echo up; sleep {mark}");
        let mut soft = start(&targets[0], there(script(&text))).await.unwrap();
        let mut hard = start(&targets[1], there(script(&text))).await.unwrap();
        let stubborn = format!("trap '' TERM INT HUP; echo up; while :; do sleep {mark}; done");
        let mut stubborn = start(&targets[2], there(script(&stubborn))).await.unwrap();
        let mut dropped = start(&targets[3], there(script(&text))).await.unwrap();
        for job in [&mut soft, &mut hard, &mut stubborn, &mut dropped] {
            assert_eq!(job.hear().await, "up\n");
        }
        until(|| sleepers(&mark) == 10).await;
        (soft.running.control)(Signal::End(15));
        assert_eq!(soft.end().await.code(), 143);
        (hard.running.control)(Signal::Kill);
        assert_eq!(hard.end().await.code(), 137);
        (stubborn.running.control)(Signal::End(15));
        (stubborn.running.control)(Signal::Kill);
        assert_eq!(stubborn.end().await.code(), 137);
        until(|| sleepers(&mark) == 3).await;
        fleet.close().await;
        let end = dropped.end().await;
        assert!(matches!(end.finished.outcome, Outcome::Unknown(_)), "{end:?}");
        until(|| sleepers(&mark) == 0).await;
    });
}

fn not_started() {
    let hosts = Hosts::new(1);
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let unreachable = |refused: Option<NotStarted>, part: &str| {
            let Some(NotStarted::Unreachable(why)) = refused else { panic!("{refused:?}") };
            assert!(why.contains(part), "{why}");
        };
        // Nobody listens there.
        let refused = fleet.host(&Host { port: Some(1), ..Host::new("web1") }).unwrap();
        unreachable(run(&refused, there(words(["true"]))).await.err(), "Connection refused");
        let stranger = fleet.host(&Host { user: Some("no-such-user".to_owned()), ..Host::new("127.0.0.1") }).unwrap();
        for _ in 0..3 {
            unreachable(run(&stranger, there(words(["true"]))).await.err(), "Permission denied");
        }
        // The server writes its log when it comes to it.
        let refusals = || hosts.log().matches("Connection closed by invalid user").count();
        until(|| refusals() > 0).await;
        assert_eq!(refusals(), 1, "no host is hammered");
        let nowhere = fleet.host(&Host::new("no-such-host.invalid")).unwrap();
        unreachable(run(&nowhere, there(words(["true"]))).await.err(), "no-such-host.invalid");
        // Somebody else is there.
        let other = Hosts::new(1);
        hosts.configure(&format!("Host other\n  HostName 127.0.0.1\n  Port {}", other.port));
        let other = fleet.host(&Host::new("other")).unwrap();
        unreachable(run(&other, there(words(["true"]))).await.err(), "Host key verification failed");
        let here = fleet.host(&Host { address: Some("127.0.0.1".to_owned()), ..Host::new("here") }).unwrap();
        let mut missing = there(words(["true"]));
        missing.cwd = "/no/such/directory".into();
        let refused = run(&here, missing).await.err();
        let Some(NotStarted::Failed(why)) = refused else { panic!("{refused:?}") };
        assert!(why.contains("/no/such/directory"), "{why}");
        assert_eq!(run(&here, there(words(["no-such-program"]))).await.unwrap().code(), 127);
        assert!(fleet.host(&Host::new("-oProxyCommand=true")).is_err());
        fleet.close().await;
        assert_eq!(masters(hosts.dir.path()), 0);
    });
}
