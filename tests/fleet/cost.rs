//! What commands on hosts cost: `cargo test --test fleet -- --cost [HOSTS [COMMANDS]]`, beside pdsh and clush where
//! those are installed. A measurement, and no test: nothing is asserted.

use std::fs;
use std::process::Command;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use xec::exec::broker;

use crate::smoke::there;
use crate::sshd::Hosts;
use crate::support::{World, all, run, script};

/// Prints a table.
pub(crate) fn measure(hosts: usize, commands: usize) {
    let fleet = Hosts::new(hosts);
    println!(
        "{hosts} hosts, each {commands} commands; seconds of wall time, and of CPU time of all that is on our side"
    );
    for count in [1, commands] {
        ours(&fleet, hosts, count);
        for (name, options) in
            [("pdsh", ""), ("pdsh + ControlPersist", CONTROL), ("clush", ""), ("clush + ControlPersist", CONTROL)]
        {
            theirs(&fleet, hosts, count, name, options);
        }
    }
}

const CONTROL: &str = "-o ControlMaster=auto -o ControlPersist=20 -o ControlPath=DIR/c-%C";

fn line(name: &str, count: usize, wall: f64, cpu: f64) {
    println!("{name:24} x{count:<4} wall {wall:7.2}  cpu {cpu:7.2}");
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

fn theirs(fleet: &Hosts, hosts: usize, count: usize, name: &str, options: &str) {
    let options = options.replace("DIR", &fleet.dir.path().display().to_string());
    let ssh = format!("-F {} -o BatchMode=yes {options}", fleet.dir.path().join("ssh_config").display());
    let command = match name.split(' ').next().unwrap() {
        "pdsh" => format!("PDSH_SSH_ARGS_APPEND='{ssh}' pdsh -R ssh -f {hosts} -w 'web[1-{hosts}]' true"),
        _ => format!("clush -f {hosts} -o '{ssh}' -w 'web[1-{hosts}]' true"),
    };
    let text = format!("i=0; while [ $i -lt {count} ]; do {command} || exit; i=$((i+1)); done >/dev/null 2>&1; times");
    let begun = Instant::now();
    let output = Command::new("bash").args(["-c", &text]).output().unwrap();
    let wall = begun.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let children = said.lines().nth(1).unwrap_or_default();
    let seconds = |time: &str| {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap_or(("0", "0"));
        minutes.parse::<f64>().unwrap_or(0.0) * 60.0 + seconds.parse::<f64>().unwrap_or(0.0)
    };
    line(name, count, wall, children.split(' ').map(seconds).sum());
    // What was left behind to be reused ends, so that the next begins cold.
    let close = format!("for h in $(seq {hosts}); do ssh {ssh} -O exit web$h; done");
    let _ = Command::new("bash").args(["-c", &close]).output();
}
