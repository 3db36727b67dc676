//! What sshd puts up with, and how many connections there are.

use std::num::NonZeroU8;
use std::time::Duration;

use xec::exec::remote::RemoteTarget;
use xec::exec::ssh::Host;

use crate::smoke::there;
use crate::sshd::{Hosts, Traits, masters};
use crate::support::{all, run, script, until, words, world};
use crate::{Case, When};

pub(crate) const CASES: &[Case] = &[
    ("limit_sessions", When::Full, sessions),
    ("limit_few_sessions", When::Full, few_sessions),
    ("limit_pool", When::Full, pool),
    ("limit_startups", When::Full, startups),
    ("limit_forty_hosts", When::Full, forty_hosts),
    ("limit_bastion", When::Full, bastion),
    ("limit_idle", When::Full, idle),
];

/// All at once; each answers with a number of its own.
async fn flood(targets: &[RemoteTarget], each: usize) {
    let jobs = targets.iter().flat_map(|target| (0..each).map(move |at| (target.clone(), at)));
    all(jobs.map(|(target, at)| async move {
        let end = run(&target, there(script(&format!("echo {at}; sleep 0.05")))).await.unwrap();
        assert_eq!((end.code(), end.out()), (0, &*format!("{at}\n")));
    }))
    .await;
}

fn with_config(count: usize, config: &str) -> Hosts {
    Hosts::with(count, &Traits { config: config.to_owned(), ..Traits::default() })
}

fn sessions() {
    let hosts = Hosts::new(1);
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        flood(&hosts.targets(&mut fleet), 40).await;
        fleet.close().await;
        // None was refused, and none went around.
        assert_eq!((hosts.logins(), hosts.log().matches("no more sessions").count()), (1, 0), "{}", hosts.log());
    });
}

fn few_sessions() {
    for most in [1, 3] {
        let hosts = with_config(1, &format!("MaxSessions {most}"));
        world(|world| async move {
            let mut fleet = hosts.fleet(&world.link);
            flood(&hosts.targets(&mut fleet), 12).await;
            fleet.close().await;
            assert_eq!(hosts.logins(), 1, "{}", hosts.log());
        });
    }
}

fn pool() {
    let hosts = Hosts::new(1);
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let host = Host { pool: NonZeroU8::new(3).unwrap(), ..Host::new("web1") };
        let target = fleet.host(&host).unwrap();
        assert_eq!(run(&target, there(words(["true"]))).await.unwrap().code(), 0);
        assert_eq!(hosts.logins(), 1, "one is enough for one");
        flood(&[target], 40).await;
        fleet.close().await;
        assert_eq!(hosts.logins(), 3, "{}", hosts.log());
    });
}

/// Sixteen hosts that are one sshd, which turns most of them away.
fn startups() {
    let hosts = with_config(16, "MaxStartups 2:80:4");
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        flood(&hosts.targets(&mut fleet), 1).await;
        fleet.close().await;
        assert_eq!(hosts.logins(), 16);
        assert!(hosts.log().contains("MaxStartups"), "nobody was turned away: {}", hosts.log());
    });
}

fn forty_hosts() {
    let hosts = Hosts::new(40);
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let targets = hosts.targets(&mut fleet);
        flood(&targets, 5).await;
        assert_eq!((hosts.logins(), masters(hosts.dir.path())), (40, 40));
        fleet.close().await;
        assert_eq!(masters(hosts.dir.path()), 0);
        until(|| hosts.connections() == 0).await;
    });
}

/// All through the first, as ssh's own configuration has it.
fn bastion() {
    let hosts = Hosts::new(16);
    let jumps: String = (2..=16).map(|at| format!("Host web{at}\n  ProxyJump web1\n")).collect();
    hosts.configure(&jumps);
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        flood(&hosts.targets(&mut fleet), 2).await;
        fleet.close().await;
        until(|| hosts.connections() == 0).await;
    });
}

fn idle() {
    let hosts = Hosts::new(2);
    world(|world| async move {
        let mut fleet = hosts.fleet(&world.link);
        let short = fleet.host(&Host { idle: Duration::from_millis(50), ..Host::new("web1") }).unwrap();
        let long = fleet.host(&Host::new("web2")).unwrap();
        for target in [&short, &long] {
            assert_eq!(run(target, there(words(["true"]))).await.unwrap().code(), 0);
        }
        until(|| masters(hosts.dir.path()) == 1).await;
        assert_eq!(run(&short, there(words(["true"]))).await.unwrap().code(), 0);
        assert_eq!(hosts.logins(), 3);
        fleet.release("web2");
        until(|| masters(hosts.dir.path()) == 0).await;
        assert_eq!(run(&long, there(words(["true"]))).await.unwrap().code(), 0);
        fleet.close().await;
    });
}
