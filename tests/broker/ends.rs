//! How commands are ended, and that nothing is left of them.
#![allow(unsafe_code)] // fork: a process in the middle that can be killed.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal as Unix, kill, killpg};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe, setpgid};
use xec::base::command::{CommandSpec, Outcome};
use xec::exec::Signal;

use crate::Case;
use crate::support::{
    World, later, mark, run, script, script_with, sleepers, stands_still, start, state, until, words, world,
};

pub(crate) const CASES: &[Case] = &[
    ("a_signal_reaches_all_of_a_job", a_signal_reaches_all_of_a_job),
    ("an_ended_job_has_ended_whole", an_ended_job_has_ended_whole),
    ("the_signal_is_the_one_that_was_sent", the_signal_is_the_one_that_was_sent),
    ("stopped_and_continued", stopped_and_continued),
    ("all_stopped_and_continued", all_stopped_and_continued),
    ("a_job_that_stops_itself_says_so", a_job_that_stops_itself_says_so),
    ("what_finished_jobs_leave_is_swept", what_finished_jobs_leave_is_swept),
    ("a_sweep_spares_what_goes_on", a_sweep_spares_what_goes_on),
    ("a_sweep_can_be_hastened", a_sweep_can_be_hastened),
    ("stray_signals_do_not_end_the_broker", stray_signals_do_not_end_the_broker),
    ("dropping_the_broker_ends_all", dropping_the_broker_ends_all),
    ("xec_killed", xec_killed),
    ("xec_killed_with_its_group", xec_killed_with_its_group),
    ("xec_terminated_with_its_group", xec_terminated_with_its_group),
    ("the_broker_killed", the_broker_killed),
    ("children_that_were_there_before_stay", children_that_were_there_before_stay),
];

/// A job with everything that gets away elsewhere: a child in the background, one in a session of its own, a
/// daemon in one with an empty environment, and one that ignores the usual signals. Says `up` when all run.
fn hydra(mark: &str) -> CommandSpec {
    let mut spec = script(&format!(
        "sleep {mark} &
         setsid sleep {mark} &
         (setsid env -i sleep {mark} </dev/null >/dev/null 2>&1 &)
         (trap '' TERM INT HUP; sleep {mark}) &
         while [ \"$(pgrep -fcx 'sleep {mark}')\" -lt 4 ]; do sleep 0.01; done
         echo up; sleep {mark}"
    ));
    spec.grace = Duration::from_millis(300);
    spec
}

const HEADS: usize = 5;

fn a_signal_reaches_all_of_a_job() {
    world(|world| async move {
        let mark = mark();
        let mut job = start(&world.here, hydra(&mark)).await.unwrap();
        assert_eq!(job.hear().await, "up\n");
        until(|| sleepers(&mark) == HEADS).await;
        (job.running.control)(Signal::Kill);
        assert_eq!(job.end().await.finished.outcome, Outcome::Signalled(9));
        // All but the daemon, of which nothing tells whose it is: it has until the end of the run.
        until(|| sleepers(&mark) == 1).await;
        let [swept] = &world.link.sweep(&[]).await[..] else { panic!("one was left") };
        assert!(swept.starts_with("sleep ("), "{swept}");
        assert_eq!(sleepers(&mark), 0);
    });
}

fn an_ended_job_has_ended_whole() {
    world(|world| async move {
        let mark = mark();
        let text = format!("(trap '' TERM; echo up; exec sleep {mark}) & wait");
        let mut job = start(&world.here, script(&text)).await.unwrap();
        assert_eq!(job.hear().await, "up\n");
        let pid = job.running.pid.unwrap();
        (job.running.control)(Signal::End(15));
        // The leader ends at once, and the job does not.
        until(|| state(pid) == '-').await;
        tokio::select! {
            finished = &mut job.running.done => panic!("it ended: {finished:?}"),
            () = later(&world.here, Duration::from_millis(300)) => {}
        }
        assert_eq!(sleepers(&mark), 1);
        (job.running.control)(Signal::Kill);
        let end = job.end().await;
        assert_eq!((end.finished.outcome, end.finished.leaked), (Outcome::Signalled(15), Vec::<String>::new()));
        assert_eq!(sleepers(&mark), 0);
    });
}

fn the_signal_is_the_one_that_was_sent() {
    world(|world| async move {
        for (number, name) in [(1, "HUP"), (2, "INT"), (3, "QUIT"), (10, "USR1"), (15, "TERM")] {
            let text = format!("trap 'echo {name}; exit 9' {name}; echo up; while :; do sleep 0.01; done");
            let mut job = start(&world.here, script(&text)).await.unwrap();
            assert_eq!(job.hear().await, "up\n");
            (job.running.control)(Signal::End(number));
            let end = job.end().await;
            assert_eq!((end.code(), end.out()), (9, &*format!("{name}\n")));
        }
        // What has ended is sent nothing.
        let job = start(&world.here, words(["true"])).await.unwrap();
        let control = job.running.control;
        assert_eq!(job.running.done.await.outcome, Outcome::Exited(0));
        control(Signal::Kill);
        assert_eq!(run(&world.here, words(["true"])).await.unwrap().code(), 0);
    });
}

fn stopped_and_continued() {
    world(|world| async move {
        let text = "trap 'exit 5' TERM; (trap '' TSTP; while :; do :; done) & echo $!; while :; do :; done";
        let mut job = start(&world.here, script(text)).await.unwrap();
        let child: u32 = job.hear().await.trim().parse().unwrap();
        let pid = job.running.pid.unwrap();
        (job.running.control)(Signal::Stop);
        until(|| stands_still(pid) && stands_still(child)).await;
        (job.running.control)(Signal::Continue);
        until(|| !stands_still(pid) && !stands_still(child)).await;
        (job.running.control)(Signal::Stop);
        until(|| stands_still(pid)).await;
        assert!(job.running.stops.try_recv().is_err(), "our own stop is no news");
        // What is stopped hears that it is to end.
        (job.running.control)(Signal::End(15));
        assert_eq!(job.end().await.code(), 5);
    });
}

fn all_stopped_and_continued() {
    world(|world| async move {
        // Without children: a shell whose child is stopped on its way to exec is not stopped but waits for it.
        let text = "while ! [ -e \"$1\" ]; do :; done; exit 6";
        let dir = tempfile::tempdir().unwrap();
        let go = dir.path().join("go");
        let spec = || script_with(text, &[go.to_str().unwrap()]);
        let early = start(&world.here, spec()).await.unwrap();
        // Asked for before the stop, and not heard of when that is sent.
        let mut unheard = std::pin::pin!(start(&world.here, spec()));
        assert!(waits(unheard.as_mut()).await);
        world.link.signal_all(Signal::Stop);
        // Asked for after it.
        let late = start(&world.here, spec()).await.unwrap();
        let mut jobs = vec![early, unheard.await.unwrap(), late];
        for job in &jobs {
            until(|| stands_still(job.running.pid.unwrap())).await;
        }
        std::fs::write(&go, "").unwrap();
        for job in &mut jobs {
            assert!(job.running.stops.try_recv().is_err(), "our own stop is no news");
        }
        world.link.signal_all(Signal::Continue);
        for job in jobs {
            assert_eq!(job.end().await.code(), 6);
        }
        assert_eq!(run(&world.here, words(["true"])).await.unwrap().code(), 0);
    });
}

/// Looks at a future once, and whether it has to wait.
async fn waits<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

fn a_job_that_stops_itself_says_so() {
    world(|world| async move {
        let mut job = start(&world.here, script("kill -TTIN $$; exit 4")).await.unwrap();
        assert_eq!(job.running.stops.recv().await, Some(libc::SIGTTIN));
        (job.running.control)(Signal::Continue);
        assert_eq!(job.end().await.code(), 4);
    });
}

fn what_finished_jobs_leave_is_swept() {
    world(|world| async move {
        let mark = mark();
        let text = format!(
            "sleep {mark} >/dev/null 2>&1 & (setsid env -i sleep {mark} </dev/null >/dev/null 2>&1 &)
             while [ \"$(pgrep -fcx 'sleep {mark}')\" -lt 2 ]; do sleep 0.01; done"
        );
        let end = run(&world.here, script(&text)).await.unwrap();
        assert_eq!((end.code(), end.finished.leaked), (0, Vec::<String>::new()));
        assert_eq!(sleepers(&mark), 2);
        assert_eq!(world.link.sweep(&[]).await.len(), 2);
        assert_eq!(sleepers(&mark), 0);
        assert_eq!(world.link.sweep(&[]).await.len(), 0);
        assert_eq!(run(&world.here, words(["true"])).await.unwrap().code(), 0);
    });
}

fn a_sweep_spares_what_goes_on() {
    world(|world| async move {
        let (kept, left) = (mark(), mark());
        let text = format!(
            "sleep {kept} & setsid sleep {kept} & (sleep {kept} >/dev/null 2>&1 &)
             while [ \"$(pgrep -fcx 'sleep {kept}')\" -lt 3 ]; do sleep 0.01; done; echo up; wait"
        );
        let mut job = start(&world.here, script(&text)).await.unwrap();
        assert_eq!(job.hear().await, "up\n");
        run(&world.here, script(&format!("sleep {left} >/dev/null 2>&1 &"))).await.unwrap();
        let pid = job.running.pid.unwrap();
        assert_eq!(world.link.sweep(&[pid]).await.len(), 1);
        assert_eq!((sleepers(&kept), sleepers(&left)), (3, 0));
        assert_eq!(world.link.sweep_now(&[pid]).await, Vec::<String>::new());
        assert_eq!(sleepers(&kept), 3);
        // Where nothing is spared it is a job like any other.
        assert!(!world.link.sweep(&[]).await.is_empty());
        assert_eq!(job.end().await.finished.outcome, Outcome::Signalled(15));
        assert_eq!(sleepers(&kept), 0);
    });
}

fn a_sweep_can_be_hastened() {
    world(|world| async move {
        let mark = mark();
        let mut stubborn = script(&format!("trap '' TERM; echo up; sleep {mark}; sleep {mark}"));
        stubborn.grace = Duration::from_secs(3600);
        let mut job = start(&world.here, stubborn).await.unwrap();
        assert_eq!(job.hear().await, "up\n");
        let soft = world.link.sweep(&[]);
        let hard = world.link.sweep_now(&[]);
        let (soft, hard) = tokio::join!(soft, hard);
        assert_eq!((soft.is_empty(), &soft), (false, &hard));
        assert_eq!(job.end().await.finished.outcome, Outcome::Signalled(9));
    });
}

fn stray_signals_do_not_end_the_broker() {
    world(|world| async move {
        let pid = Pid::from_raw(world.broker.pid() as i32);
        assert_eq!(run(&world.here, words(["true"])).await.unwrap().code(), 0);
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
        assert_eq!(name, "xec-broker\n");
        for signal in
            [Unix::SIGTERM, Unix::SIGINT, Unix::SIGHUP, Unix::SIGQUIT, Unix::SIGTSTP, Unix::SIGPIPE, Unix::SIGUSR1]
        {
            kill(pid, signal).unwrap();
        }
        // Nor are they passed on to what it starts.
        assert_eq!(run(&world.here, script("trap | wc -l; kill -TERM $$")).await.unwrap().code(), 128 + 15);
    });
}

fn dropping_the_broker_ends_all() {
    let mark = mark();
    let spec = hydra(&mark);
    world(|world| async move {
        let mut job = start(&world.here, spec).await.unwrap();
        assert_eq!(job.hear().await, "up\n");
    });
    assert_eq!(sleepers(&mark), 0);
}

/// Forks a process that runs `act` in a world of its own, in a group of its own; gives its pid and the line
/// that `act` made it say.
fn forked<F: Future<Output = String>>(act: impl FnOnce(World) -> F) -> (Pid, String) {
    let (read, write) = pipe().unwrap();
    // SAFETY: there is one thread.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => {
            drop(write);
            let mut line = String::new();
            BufReader::new(std::fs::File::from(read)).read_line(&mut line).unwrap();
            (child, line.trim().to_owned())
        }
        ForkResult::Child => {
            setpgid(Pid::from_raw(0), Pid::from_raw(0)).unwrap();
            live(write, act);
            std::process::abort();
        }
    }
}

fn live<F: Future<Output = String>>(write: OwnedFd, act: impl FnOnce(World) -> F) {
    world(|world| async {
        let broker = world.broker.pid();
        let line = format!("{broker} {}\n", act(world).await.trim());
        std::fs::File::from(write).write_all(line.as_bytes()).unwrap();
        std::future::pending::<()>().await;
    });
}

fn xec_ends_by(end: impl FnOnce(Pid)) {
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let mark = mark();
    let (spec, theirs) = (hydra(&mark), mark.clone());
    let (xec, line) = forked(|world| async move {
        let mut job = start(&world.here, spec).await.unwrap();
        let heard = job.hear().await;
        until(|| sleepers(&theirs) == HEADS).await;
        std::mem::forget((job, world)); // It is killed in the midst of its life.
        heard
    });
    // Before anything is asserted, so that nothing outlives a failure either.
    end(xec);
    assert!(matches!(waitpid(xec, None), Ok(WaitStatus::Signaled(..))));
    let (broker, heard) = line.split_once(' ').unwrap();
    assert_eq!(heard, "up");
    // The broker is ours now, and ends with the last of them.
    let broker = Pid::from_raw(broker.parse().unwrap());
    assert_eq!(waitpid(broker, None), Ok(WaitStatus::Exited(broker, 0)));
    assert_eq!(sleepers(&mark), 0);
}

fn xec_killed() {
    xec_ends_by(|xec| kill(xec, Unix::SIGKILL).unwrap());
}

fn xec_killed_with_its_group() {
    xec_ends_by(|xec| killpg(xec, Unix::SIGKILL).unwrap());
}

fn xec_terminated_with_its_group() {
    xec_ends_by(|xec| killpg(xec, Unix::SIGTERM).unwrap());
}

fn the_broker_killed() {
    world(|world| async move {
        let mark = mark();
        let mut job = start(&world.here, hydra(&mark)).await.unwrap();
        assert_eq!(job.hear().await, "up\n");
        let lost = world.link.lost();
        kill(Pid::from_raw(world.broker.pid() as i32), Unix::SIGKILL).unwrap();
        lost.await;
        let late = run(&world.here, words(["true"])).await;
        assert!(late.is_err(), "{late:?}");
        let (end, swept) = tokio::join!(job.end(), world.link.sweep(&[]));
        assert!(matches!(end.finished.outcome, Outcome::Unknown(_)), "{end:?}");
        assert!(swept.len() <= HEADS + 2, "{swept:?}");
        assert_eq!(sleepers(&mark), 0);
    });
}

fn children_that_were_there_before_stay() {
    let mark = mark();
    let mut before = std::process::Command::new("sleep").arg(&mark).spawn().unwrap();
    let begun = Instant::now();
    world(|world| async move {
        let mut job = start(&world.here, script("echo up; exec sleep 1000")).await.unwrap();
        assert_eq!(job.hear().await, "up\n");
        kill(Pid::from_raw(world.broker.pid() as i32), Unix::SIGKILL).unwrap();
        assert!(matches!(job.end().await.finished.outcome, Outcome::Unknown(_)));
    });
    assert!(before.try_wait().unwrap().is_none(), "it was ended after {:?}", begun.elapsed());
    before.kill().unwrap();
    before.wait().unwrap();
}
