//! What it costs xec to start processes: `spawn_cost [COUNT [WIDTH]]` runs `/bin/true` so often, so many at
//! once, and prints the CPU time of everything (xec, the broker, the processes). To be compared with a C loop
//! over `posix_spawn` and `waitpid`.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // An example.

use std::task::Poll;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use tokio::sync::mpsc::unbounded_channel;
use xec::base::command::{CommandSpec, Program};
use xec::base::event::JobId;
use xec::exec::local::LocalTarget;
use xec::exec::output::OutputTx;
use xec::exec::{JobCx, Target, broker};

fn main() {
    let broker = broker::fork().unwrap();
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>().unwrap());
    let (count, width) = (args.next().unwrap_or(1000), args.next().unwrap_or(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let target = LocalTarget::new(broker.link().unwrap());
        let mut lanes: Vec<_> = (0..width).map(|lane| Box::pin(run(&target, lane * count, count / width))).collect();
        std::future::poll_fn(|cx| {
            lanes.retain_mut(|lane| lane.as_mut().poll(cx).is_pending());
            if lanes.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    });
    drop(broker);
    let used: Duration = [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN]
        .into_iter()
        .map(|who| getrusage(who).unwrap())
        .flat_map(|usage| [usage.user_time(), usage.system_time()])
        .map(|time| Duration::from_micros((time.tv_sec() * 1_000_000 + time.tv_usec()) as u64))
        .sum();
    println!("{:.1} ms", used.as_secs_f64() * 1000.0);
}

async fn run(target: &LocalTarget, first: u64, count: u64) {
    for number in first..first + count {
        one(target, number).await;
    }
}

async fn one(target: &LocalTarget, number: u64) {
    let program = Program::Words(vec!["/bin/true".into()]);
    let spec = CommandSpec {
        env: vec![("XEC".into(), Some("1".into())), ("XEC_TASK".into(), Some("build".into()))],
        ..CommandSpec::new(program, std::env::current_dir().unwrap(), Duration::from_secs(5))
    };
    let (tx, _rx) = unbounded_channel();
    let running = target.start(spec, JobCx::new(JobId(number), OutputTx::new(tx))).await.unwrap();
    running.done.await;
}
