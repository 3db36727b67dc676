//! What commands on hosts cost: `cargo test --test fleet -- --cost [HOSTS [COMMANDS]]`, beside pdsh and clush where
//! those are installed. A measurement, and no test: nothing is asserted.

use std::fs;
use std::process::Command;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use xec::exec::broker;

use crate::smoke::there;
use crate::sshd::{Hosts, Traits};
use crate::support::{World, all, run, script};

/// Prints a table.
pub(crate) fn measure(hosts: usize, commands: usize) {
    // Nobody is turned away: they would only be fewer where nobody tries again.
    let traits = Traits { config: "MaxStartups 200".to_owned(), ..Traits::default() };
    let fleet = Hosts::with(hosts, &traits);
    println!(
        "{hosts} hosts, each {commands} commands; seconds of wall time, and of CPU time of all that is on our side"
    );
    // In a file, since not every program hands on each sign of an option.
    let shared = "ssh_config.shared".to_owned();
    let config = fs::read_to_string(fleet.dir.path().join("ssh_config")).unwrap();
    let dir = fleet.dir.path().display();
    let control = format!("Host *\n  ControlMaster auto\n  ControlPersist 20\n  ControlPath {dir}/c-%C\n");
    fs::write(fleet.dir.path().join(&shared), control + &config).unwrap();
    for count in [1, commands] {
        ours(&fleet, hosts, count);
        for (name, options) in [
            ("pdsh", "ssh_config"),
            ("pdsh + ControlPersist", &shared),
            ("clush", "ssh_config"),
            ("clush + ControlPersist", &shared),
        ] {
            theirs(&fleet, hosts, count, name, options);
        }
    }
}

fn line(name: &str, count: usize, wall: f64, cpu: f64) {
    println!("{name:38} x{count:<4} wall {wall:7.2}  cpu {cpu:7.2}");
}

fn ours(fleet: &Hosts, hosts: usize, count: usize) {
    let begun = Instant::now();
    let before = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let mut brokers = 0.0;
    crate::support::world(|World { broker, link, .. }: World| {
        let brokers = &mut brokers;
        async move {
            let mut ours = fleet.fleet(&link);
            let targets = fleet.targets(&mut ours);
            let jobs = targets.into_iter().take(hosts).map(|target| async move {
                for _ in 0..count {
                    assert_eq!(run(&target, there(script("true"))).await.unwrap().code(), 0);
                }
            });
            all(jobs).await;
            ours.close().await;
            *brokers = cpu_of(&broker);
        }
    });
    let after = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let seconds = |usage: &nix::sys::resource::Usage| {
        let (user, system) = (usage.user_time(), usage.system_time());
        (user.tv_sec() + system.tv_sec()) as f64 + (user.tv_usec() + system.tv_usec()) as f64 / 1e6
    };
    line("xec", count, begun.elapsed().as_secs_f64(), seconds(&after) - seconds(&before) + brokers);
}

/// The broker's, and that of the children it has waited for.
fn cpu_of(broker: &broker::Broker) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", broker.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11..15].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

fn theirs(fleet: &Hosts, hosts: usize, count: usize, name: &str, config: &str) {
    let ssh = format!("-F {} -o BatchMode=yes", fleet.dir.path().join(config).display());
    let command = match name.split(' ').next().unwrap() {
        "pdsh" => format!("PDSH_SSH_ARGS_APPEND='{ssh}' pdsh -R ssh -f {hosts} -w 'web[1-{hosts}]' echo ok"),
        _ => format!("clush -f {hosts} -o '{ssh}' -w 'web[1-{hosts}]' echo ok"),
    };
    let text = format!(
        "i=0; while [ $i -lt {count} ]; do {command} || exit; i=$((i+1)); done 2>/dev/null | grep -c ok; times"
    );
    let begun = Instant::now();
    let output = Command::new("bash").args(["-c", &text]).output().unwrap();
    let wall = begun.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (answers, children) = (said.lines().next().unwrap_or_default(), said.lines().nth(2).unwrap_or_default());
    let name = &format!("{name} ({answers} answers)");
    let seconds = |time: &str| {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap_or(("0", "0"));
        minutes.parse::<f64>().unwrap_or(0.0) * 60.0 + seconds.parse::<f64>().unwrap_or(0.0)
    };
    line(name, count, wall, children.split(' ').map(seconds).sum());
    // What was left behind to be reused ends, so that the next begins cold.
    let close = format!("for h in $(seq {hosts}); do ssh {ssh} -O exit web$h; done");
    let _ = Command::new("bash").args(["-c", &close]).output();
}
