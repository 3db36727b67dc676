//! Frames there and back, in pieces of any size.

use super::*;
use crate::exec::broker::inbox::Inbox;

fn decoded(bytes: &[u8], step: usize) -> Vec<Vec<u8>> {
    let (mut inbox, mut frames, mut rest) = (Inbox::new(), Vec::new(), bytes);
    while !rest.is_empty() {
        let space = inbox.space();
        let count = step.min(space.len()).min(rest.len());
        space[..count].copy_from_slice(&rest[..count]);
        inbox.filled(count);
        rest = &rest[count..];
        while let Some(frame) = inbox.next() {
            frames.push(frame.to_vec());
        }
    }
    frames
}

#[test]
fn a_spawn_comes_through_in_pieces() {
    let big = vec![b'x'; 1_500_000];
    let argv: [&[u8]; 3] = [b"prog", b"", &big];
    let parts = SpawnParts {
        grace: Duration::from_secs(5),
        leave: true,
        stdio: [Stdio::Null, Stdio::Passed, Stdio::SameAsStdout],
        apart: true,
        program: b"/bin/prog",
        cwd: b"/tmp",
        argv: &argv,
        env: &[(b"A", Some(b"1=2")), (b"B", None)],
    };
    let mut frame = parts.encode();
    set_job(&mut frame, 77);
    let mut bytes = frame.clone();
    bytes.extend(Request::signal(77, Signal::End(15)));
    bytes.extend(&frame);
    for step in [1000, 65_536, 5_000_000] {
        let frames = decoded(&bytes, step);
        assert_eq!(frames.len(), 3);
        let Some(Request::Spawn(spawn)) = Request::decode(&frames[2]) else { panic!("no spawn") };
        assert_eq!((spawn.job, spawn.stdio, spawn.grace, spawn.leave), (77, parts.stdio, parts.grace, true));
        assert_eq!(spawn.argv.iter().map(|word| word.to_bytes()).collect::<Vec<_>>(), argv);
        assert_eq!(spawn.env, [c"A=1=2", c"B"]);
        assert_eq!(Request::decode(&frames[1]), Some(Request::Signal { job: 77, signal: Signal::End(15) }));
    }
}

#[test]
fn reports_come_back_as_they_went() {
    let usage = Usage { user: Duration::from_micros(7), system: Duration::from_micros(9), peak_memory: 1 << 40 };
    for report in [
        Report::Spawned { job: 1, pid: 2 },
        Report::Failed { job: 1, errno: 11 },
        Report::Stopped { job: 1, signal: 21 },
        Report::Exited { job: u64::MAX, status: 256, usage },
        Report::Swept { names: vec!["sleep (12)".into(), "b".into()] },
    ] {
        assert_eq!(Report::decode(&report.encode()[4..]), Some(report));
    }
    assert_eq!(Report::decode(&[99]), None);
    assert_eq!(Request::decode(&[SPAWN, 1]), None);
}
