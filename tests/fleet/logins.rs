//! Who logs in, and what is there: login shells, what they say by themselves, sudo, a full disk.

use std::fs;

use xec::base::command::{NotStarted, Sink, Stdin};
use xec::exec::Signal;
use xec::exec::ssh::{Fleet, Host};

use crate::smoke::{stubborn, there, up};
use crate::sshd::{Hosts, Traits};
use crate::support::{mark, run, script, script_with, sleepers, until, words, world};
use crate::{Case, When};

pub(crate) const CASES: &[Case] = &[
    ("login_shells", When::Root, login_shells),
    ("login_of_an_ordinary_user", When::Root, ordinary_user),
    ("login_noise", When::Full, noise),
    ("login_refused_by_the_shell", When::Full, refused),
    ("login_sudo", When::Root, sudo),
    ("login_full_disk", When::Root, full_disk),
];

pub(crate) fn as_user(fleet: &mut Fleet, user: &str) -> xec::exec::remote::RemoteTarget {
    // ssh finds them all under one name, so they are told apart by theirs.
    fleet.host(&Host { user: Some(user.to_owned()), address: Some("127.0.0.1".to_owned()), ..Host::new(user) }).unwrap()
}

async fn check_values(target: &xec::exec::remote::RemoteTarget, user: &str) {
    let value = "it's \\ \"$HOME\" `id` !! $(id) %s\n\ttab é \u{1}";
    let mut spec = there(script_with("printf '%s|%s|' \"$V\" \"$1\"; cat; id -un >&2; exit 9", &[value]));
    spec.env = vec![("V".into(), Some(value.into()))];
    spec.stdin = Stdin::Bytes((0..=255u8).collect::<Vec<u8>>().into());
    spec.stdout = Sink::Capture(10_000);
    let end = run(target, spec).await.unwrap();
    let expected = [value.as_bytes(), b"|", value.as_bytes(), b"|", &(0..=255).collect::<Vec<u8>>()].concat();
    assert_eq!(end.finished.captures.stdout.as_deref(), Some(&expected[..]), "{user}");
    assert_eq!((end.code(), String::from_utf8_lossy(&end.err).trim()), (9, user));
}

fn login_shells() {
    let hosts = Hosts::new(1);
    // What such shells say when they begin is nobody's.
    hosts.make_logins_noisy();
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        for user in ["dashing", "bashful", "tcshy", "fishy"] {
            let target = as_user(&mut fleet, user);
            check_values(&target, user).await;
            let mark = mark();
            let job = up(&target, &format!("sleep {mark} & echo up; sleep {mark}")).await;
            // A shell that has not begun to wait may take an interrupt for none of its own.
            until(|| sleepers(&mark) == 2).await;
            (job.running.control)(Signal::End(2));
            assert_eq!(job.end().await.code(), 130, "{user}");
            assert_eq!(sleepers(&mark), 0, "{user}");
            let home = run(&target, there(words(["pwd"]))).await.unwrap();
            assert!(home.out().trim().ends_with(user), "{home:?}");
        }
        fleet.close().await;
    });
}

/// Where sshd itself is no root's.
fn ordinary_user() {
    let hosts = Hosts::with(1, &Traits { user: Some("bashful"), ..Traits::default() });
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let target = as_user(&mut fleet, "bashful");
        check_values(&target, "bashful").await;
        let mark = mark();
        let job = up(&target, &format!("sleep {mark} & echo up; sleep {mark}")).await;
        fleet.close().await;
        job.end().await;
        until(|| sleepers(&mark) == 0).await;
    });
}

fn noise() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("banner"), "WELCOME\nto this host\n").unwrap();
    let noisy = "ForceCommand sh -c 'seq 2000; echo 50%% off >&2; eval \"$SSH_ORIGINAL_COMMAND\"'";
    let config = format!("Banner {}\n{}", dir.path().join("banner").display(), noisy.replace("%%", "%"));
    let hosts = Hosts::with(1, &Traits { config, ..Traits::default() });
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let target = &hosts.targets(&mut fleet)[0];
        for _ in 0..5 {
            let end = run(target, there(script("echo out; echo err >&2"))).await.unwrap();
            assert_eq!((end.out(), &end.err[..]), ("out\n", b"err\n".as_slice()));
        }
        fleet.close().await;
    });
}

fn refused() {
    let config = "ForceCommand echo This account is not available; exit 1".to_owned();
    let hosts = Hosts::with(1, &Traits { config, ..Traits::default() });
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let target = &hosts.targets(&mut fleet)[0];
        let refused = run(target, there(words(["true"]))).await.err();
        assert!(matches!(refused, Some(NotStarted::Failed(_))), "{refused:?}");
        fleet.close().await;
    });
}

fn sudo() {
    let hosts = Hosts::new(1);
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let login = as_user(&mut fleet, "bashful");
        for user in ["root", "dashing"] {
            let target = login.as_user(user).unwrap();
            check_values(&target, user).await;
            let mark = mark();
            let job = up(&target, &stubborn(&mark)).await;
            (job.running.control)(Signal::Kill);
            assert_eq!(job.end().await.code(), 137);
            assert_eq!(sleepers(&mark), 0, "{user}");
        }
        let denied = as_user(&mut fleet, "dashing").as_user("root").unwrap();
        let Some(NotStarted::Failed(why)) = run(&denied, there(words(["true"]))).await.err() else { panic!() };
        assert!(why.contains("sudo"), "{why}");
        assert!(login.as_user("-u root").is_err());
        fleet.close().await;
    });
}

/// No byte of anything of ours is written to a disk there.
fn full_disk() {
    let hosts = Hosts::with(1, &Traits { full_disk: true, ..Traits::default() });
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let target = as_user(&mut fleet, "bashful");
        let write = run(&target, there(script("echo too much >file"))).await.unwrap();
        assert_ne!(write.code(), 0, "{write:?}");
        check_values(&target, "bashful").await;
        fleet.close().await;
    });
}
