//! What goes into a command and comes out of it.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::unbounded_channel;
use xec::base::command::{Outcome, Sink, Stdin};
use xec::base::event::{JobId, Message};
use xec::exec::output::OutputTx;
use xec::exec::{JobCx, Target};

use crate::Case;
use crate::support::{later, mark, run, script, sleepers, start, until, words, world};

pub(crate) const CASES: &[Case] = &[
    ("what_it_reads", what_it_reads),
    ("what_it_writes", what_it_writes),
    ("captures", captures),
    ("a_capture_over_its_cap", a_capture_over_its_cap),
    ("a_slow_reader_bounds_the_output", a_slow_reader_bounds_the_output),
    ("no_output_before_it_is_asked_for", no_output_before_it_is_asked_for),
    ("a_leaked_pipe_is_waited_for_no_longer", a_leaked_pipe_is_waited_for_no_longer),
    ("a_slow_reader_of_a_leaked_pipe_loses_nothing", a_slow_reader_of_a_leaked_pipe_loses_nothing),
];

fn what_it_reads() {
    world(|world| async move {
        assert_eq!(run(&world.here, words(["cat"])).await.unwrap().out(), "");
        let big: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
        let mut cat = words(["cat"]);
        cat.stdin = Stdin::Bytes(big.clone().into());
        let end = run(&world.here, cat).await.unwrap();
        assert!(end.out == big, "{} bytes came back", end.out.len());
        let mut small = words(["cat"]);
        small.stdin = Stdin::Bytes(b"x\0y".as_slice().into());
        assert_eq!(run(&world.here, small).await.unwrap().out, b"x\0y");
        // Nobody has to read it.
        let mut deaf = words(["true"]);
        deaf.stdin = Stdin::Bytes(big.into());
        assert_eq!(run(&world.here, deaf).await.unwrap().code(), 0);
    });
}

fn what_it_writes() {
    world(|world| async move {
        let end = run(&world.here, script(r"printf 'a\377\0b'; printf 'no newline' >&2")).await.unwrap();
        assert_eq!((&end.out[..], &end.err[..]), (b"a\xff\0b".as_slice(), b"no newline".as_slice()));
        let mut both = script("echo 1; echo 2 >&2; echo 3; echo 4 >&2");
        both.stderr = Sink::WithStdout;
        assert_eq!(run(&world.here, both).await.unwrap().out(), "1\n2\n3\n4\n");
        let killed = run(&world.here, script("echo before; kill -9 $$")).await.unwrap();
        assert_eq!(killed.out(), "before\n");
    });
}

fn captures() {
    world(|world| async move {
        let mut kept = script("printf 'a\\nb'; echo err >&2");
        kept.stdout = Sink::Capture(3);
        let end = run(&world.here, kept).await.unwrap();
        assert_eq!(end.finished.captures.stdout.as_deref(), Some(b"a\nb".as_slice()));
        assert_eq!((end.finished.capture_overflow, end.out(), &end.err[..]), (None, "", b"err\n".as_slice()));
    });
}

fn a_capture_over_its_cap() {
    world(|world| async move {
        let mut endless = script("yes | cat");
        endless.stdout = Sink::Capture(100_000);
        let end = run(&world.here, endless).await.unwrap();
        assert_eq!(end.finished.capture_overflow, Some(100_000));
        assert_eq!((end.finished.outcome, end.finished.captures.stdout), (Outcome::Signalled(9), None));
        assert_eq!(world.link.sweep(&[]).await, Vec::<String>::new());
    });
}

const BUDGET: usize = 1 << 20;

fn bytes_of(message: &Message) -> usize {
    let Message::Output(output) = message else { panic!("no output: {message:?}") };
    output.bytes.len()
}

fn a_slow_reader_bounds_the_output() {
    world(|world| async move {
        let (tx, mut messages) = unbounded_channel();
        let output = OutputTx::with_budget(tx, BUDGET);
        let budget = output.budget.clone();
        let flood = script("head -c 50000000 /dev/zero; printf end");
        let mut running = world.here.start(flood, JobCx::new(JobId(1), output)).await.unwrap();
        // Attended to, and not read: it stands still once the budget is spent.
        tokio::select! {
            _ = &mut running.done => panic!("it did not wait for its reader"),
            () = until(|| budget.available_permits() < 8192) => {}
        }
        let (mut total, mut tail) = (0, Vec::new());
        let read = async {
            let mut held = Vec::new();
            while let Ok(message) = messages.try_recv() {
                held.push(message);
            }
            let waiting: usize = held.iter().map(bytes_of).sum();
            assert!((BUDGET / 2..=BUDGET).contains(&waiting), "{waiting} bytes were on their way");
            total += waiting;
            drop(held);
            while total < 50_000_003 {
                let message = messages.recv().await.unwrap();
                total += bytes_of(&message);
                let Message::Output(output) = message else { continue };
                tail = output.bytes; // And its share of the budget goes back.
            }
        };
        let (finished, ()) = tokio::join!(running.done, read);
        assert_eq!(finished.outcome, Outcome::Exited(0));
        assert!(tail.ends_with(b"end"));
        assert_eq!((total, budget.available_permits()), (50_000_003, BUDGET));
    });
}

fn no_output_before_it_is_asked_for() {
    world(|world| async move {
        let dir = tempfile::tempdir().unwrap();
        let mut quick = script("echo hello; echo x > file");
        quick.cwd = dir.path().into();
        let mut job = start(&world.here, quick).await.unwrap();
        until(|| dir.path().join("file").exists()).await;
        assert!(job.messages.try_recv().is_err());
        assert_eq!(job.end().await.out(), "hello\n");
    });
}

fn a_leaked_pipe_is_waited_for_no_longer() {
    world(|world| async move {
        let mark = mark();
        let begun = Instant::now();
        let end = run(&world.here, script(&format!("sleep {mark} & echo out; exit 3"))).await.unwrap();
        assert_eq!((end.code(), end.out()), (3, "out\n"));
        assert!(begun.elapsed() >= Duration::from_millis(100));
        let [holder] = &end.finished.leaked[..] else { panic!("{:?}", end.finished.leaked) };
        assert!(holder.starts_with("sleep ("), "{holder}");
        // It lives until the run ends.
        assert_eq!(sleepers(&mark), 1);
        assert_eq!(&world.link.sweep(&[]).await, &end.finished.leaked);
        assert_eq!(sleepers(&mark), 0);
    });
}

fn a_slow_reader_of_a_leaked_pipe_loses_nothing() {
    world(|world| async move {
        let mark = mark();
        let (tx, mut messages) = unbounded_channel();
        let output = OutputTx::with_budget(tx, 0);
        let text = format!("sleep {mark} & head -c 60000 /dev/zero");
        let running = world.here.start(script(&text), JobCx::new(JobId(1), output)).await.unwrap();
        let pid = running.pid.unwrap();
        let read = async {
            // Long after its end there is still most of it in the pipe.
            until(|| !std::path::Path::new(&format!("/proc/{pid}")).exists()).await;
            later(&world.here, Duration::from_millis(150)).await;
            let mut total = 0;
            while total < 60_000 {
                total += bytes_of(&messages.recv().await.unwrap());
            }
            total
        };
        let (finished, total) = tokio::join!(running.done, read);
        assert_eq!((finished.outcome, finished.leaked.len(), total), (Outcome::Exited(0), 1, 60_000));
    });
}
