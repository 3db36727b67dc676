//! Files to and from hosts.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use xec::exec::copy::{Copy, Trouble, copy};
use xec::exec::remote::RemoteTarget;
use xec::exec::ssh::Host;

use crate::sshd::{Hosts, Traits};
use crate::support::{until, world};
use crate::{Case, When};

pub(crate) const CASES: &[Case] = &[
    ("copy_there_and_back", When::Always, there_and_back),
    ("copy_trees", When::Full, trees),
    ("copy_refused", When::Full, refused),
    ("copy_full_disk", When::Root, full_disk),
    ("copy_between_users", When::Root, between_users),
    ("copy_cut", When::Full, cut),
];

fn one(from: &Path, to: &Path) -> Copy {
    Copy {
        from: vec![from.to_owned()],
        from_dir: "".into(),
        glob: false,
        to: to.to_owned(),
        to_dir: "".into(),
        into: false,
        mode: None,
    }
}

fn within(dir: &Path) -> impl Fn(&str) -> PathBuf + use<> {
    let dir = dir.to_owned();
    move |name| dir.join(name)
}

/// What is in a directory, with what begins with a dot.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn there_and_back() {
    let hosts = Hosts::new(2);
    let dir = tempfile::tempdir().unwrap();
    let at = within(dir.path());
    let data: Vec<u8> = (0..3_000_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(at("it's a file"), &data).unwrap();
    fs::set_permissions(at("it's a file"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::write(at("old"), "old").unwrap();
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let (targets, here) = (hosts.targets(&mut fleet), RemoteTarget::here(world.link.clone()).unwrap());
        assert_eq!(copy(&one(&at("it's a file"), &at("deep/er/there")), &here, &targets[0]).await, Ok(1));
        assert_eq!(copy(&one(&at("deep/er/there"), &at("other host")), &targets[0], &targets[1]).await, Ok(1));
        let back = Copy { mode: Some(0o600), ..one(&at("other host"), &at("old")) };
        assert_eq!(copy(&back, &targets[1], &here).await, Ok(1));
        for (name, bits) in [("deep/er/there", 0o750), ("other host", 0o750), ("old", 0o600)] {
            assert!(fs::read(at(name)).unwrap() == data, "{name}");
            assert_eq!(mode(&at(name)), bits, "{name}");
        }
        assert_eq!(names(&at("deep/er")), ["there"], "nothing else is left");
        assert_eq!(names(&at("")), ["deep", "it's a file", "old", "other host"]);
        let missing = copy(&one(&at("nothing"), &at("x")), &here, &targets[0]).await;
        let Err(Trouble::Failed(why)) = missing else { panic!("{missing:?}") };
        assert!(why.ends_with("nothing: not found"), "{why}");
        assert!(!at("x").exists());
        fleet.close().await;
    });
}

fn trees() {
    let hosts = Hosts::new(1);
    let dir = tempfile::tempdir().unwrap();
    let at = within(dir.path());
    for (name, text) in
        [("src/a.txt", "a"), ("src/.hidden", "h"), ("src/sub/b.txt", "b"), ("src/-x", "x"), ("c.txt", "c")]
    {
        fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        fs::write(at(name), text).unwrap();
    }
    fs::write(at("src/new\nline"), "n").unwrap();
    fs::create_dir(at("src/empty")).unwrap();
    symlink("a.txt", at("src/link")).unwrap();
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let (targets, here) = (hosts.targets(&mut fleet), RemoteTarget::here(world.link.clone()).unwrap());
        // Under another name, whole.
        assert_eq!(copy(&one(&at("src"), &at("out")), &here, &targets[0]).await, Ok(6));
        assert_eq!(names(&at("out")), ["-x", ".hidden", "a.txt", "empty", "link", "new\nline", "sub"]);
        assert_eq!(fs::read_link(at("out/link")).unwrap(), Path::new("a.txt"));
        // Over what is there: what is new replaces, and what is there besides stays.
        fs::write(at("out/sub/kept"), "k").unwrap();
        fs::write(at("src/sub/b.txt"), "b2").unwrap();
        assert_eq!(copy(&one(&at("src"), &at("out")), &here, &targets[0]).await, Ok(6));
        assert_eq!(names(&at("out/sub")), ["b.txt", "kept"]);
        assert_eq!(fs::read(at("out/sub/b.txt")).unwrap(), b"b2");
        // What is in it, into a directory; and a glob, which is relative.
        let inside = Copy { into: true, ..one(&at("src/."), &at("inside")) };
        assert_eq!(copy(&inside, &targets[0], &here).await, Ok(6));
        assert_eq!(names(&at("inside")), names(&at("src")));
        let some = Copy {
            from: vec!["src/sub/*.txt".into(), "?.txt".into()],
            from_dir: at(""),
            glob: true,
            to: "some".into(),
            to_dir: at(""),
            into: true,
            mode: None,
        };
        assert_eq!(copy(&some, &targets[0], &here).await, Ok(2));
        assert_eq!(names(&at("some")), ["b.txt", "c.txt"]);
        fleet.close().await;
    });
}

fn refused() {
    let hosts = Hosts::new(1);
    let dir = tempfile::tempdir().unwrap();
    let at = within(dir.path());
    fs::create_dir_all(at("dir/file")).unwrap();
    fs::create_dir(at("tree")).unwrap();
    fs::write(at("tree/file"), "f").unwrap();
    fs::write(at("file"), "f").unwrap();
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let (targets, here) = (hosts.targets(&mut fleet), RemoteTarget::here(world.link.clone()).unwrap());
        let several = Copy { from: vec![at("file"), at("tree")], ..one(&at("file"), &at("new")) };
        let nothing = Copy { from: vec![at("*.none")], glob: true, into: true, ..one(&at("file"), &at("new2")) };
        for (what, part) in [
            (one(&at("file"), &at("dir")), "is a directory"),
            (one(&at("tree"), &at("dir")), "is a directory"),
            (one(&at("tree"), &at("file")), "is no directory"),
            (nothing, "*.none: not found"),
            (several, "several things cannot become one"),
        ] {
            let refused = copy(&what, &here, &targets[0]).await;
            let Err(Trouble::Failed(why)) = refused else { panic!("{what:?}: {refused:?}") };
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(names(&at("dir")), ["file"]);
        let stranger = fleet.host(&Host { port: Some(1), address: Some("127.0.0.1".to_owned()), ..Host::new("gone") });
        let unreachable = copy(&one(&at("file"), &at("x")), &here, &stranger.unwrap()).await;
        assert!(matches!(unreachable, Err(Trouble::NotStarted(_))), "{unreachable:?}");
        fleet.close().await;
    });
}

fn full_disk() {
    let hosts = Hosts::with(1, &Traits { full_disk: true, ..Traits::default() });
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), vec![7; 100_000]).unwrap();
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let target = crate::logins::as_user(&mut fleet, "bashful");
        let here = RemoteTarget::here(world.link.clone()).unwrap();
        let full = copy(&one(&dir.path().join("file"), Path::new("file")), &here, &target).await;
        let Err(Trouble::Failed(why)) = full else { panic!("{full:?}") };
        assert!(why.contains("No space left"), "{why}");
        let left =
            crate::support::run(&target, crate::smoke::there(crate::support::words(["ls", "-A"]))).await.unwrap();
        assert_eq!(left.out(), "x\n");
        fleet.close().await;
    });
}

/// Whatever their login shells are and say; and as root on the way.
fn between_users() {
    let hosts = Hosts::new(1);
    for (user, file) in [("bashful", ".bashrc"), ("tcshy", ".tcshrc")] {
        fs::write(hosts.dir.path().join(user).join(file), "echo hello\n").unwrap();
    }
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let here = RemoteTarget::here(world.link.clone()).unwrap();
        let first = hosts.dir.path().join("first");
        fs::write(&first, "text").unwrap();
        let mut from = (here.clone(), first);
        for user in ["tcshy", "fishy", "dashing", "bashful"] {
            let target = crate::logins::as_user(&mut fleet, user);
            assert_eq!(copy(&one(&from.1, Path::new("sub/file")), &from.0, &target).await, Ok(1), "{user}");
            from = (target, "sub/file".into());
        }
        let secret = hosts.dir.path().join("secret");
        let root = from.0.as_user("root").unwrap();
        assert_eq!(copy(&Copy { mode: Some(0o400), ..one(&from.1, &secret) }, &from.0, &root).await, Ok(1));
        assert_eq!((fs::read(&secret).unwrap(), mode(&secret)), (b"text".to_vec(), 0o400));
        fleet.close().await;
    });
}

/// In the middle of it the connection goes, or whoever wanted it.
fn cut() {
    let hosts = Hosts::new(1);
    let dir = tempfile::tempdir().unwrap();
    let at = within(dir.path());
    // Read slowly, since what it is copied to stands still.
    fs::write(at("big"), vec![7; 60_000_000]).unwrap();
    fs::create_dir(at("out")).unwrap();
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let (targets, here) = (hosts.targets(&mut fleet), RemoteTarget::here(world.link.clone()).unwrap());
        let what = one(&at("big"), &at("out/big"));
        let begun = || until(|| !names(&at("out")).is_empty());
        let mut copying = Box::pin(copy(&what, &here, &targets[0]));
        tokio::select! {
            done = &mut copying => panic!("{done:?}"),
            () = begun() => {}
        }
        drop(copying);
        until(|| names(&at("out")).is_empty()).await;
        let (lost, ()) = tokio::join!(copy(&what, &here, &targets[0]), async {
            begun().await;
            hosts.kill_connections();
        });
        assert!(matches!(lost, Err(Trouble::Lost(_))), "{lost:?}");
        until(|| names(&at("out")).is_empty()).await;
        assert_eq!(copy(&what, &here, &targets[0]).await, Ok(1));
        assert_eq!(names(&at("out")), ["big"]);
        fleet.close().await;
    });
}
