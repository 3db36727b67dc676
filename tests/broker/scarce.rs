//! Too much at once is not a failure.
#![allow(unsafe_code)] // fork, for a process that may give up its rights; prlimit, for one that is not ours.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Uid, fork, setuid};
use xec::base::command::NotStarted;
use xec::exec::broker::Broker;

use crate::Case;
use crate::support::{run, start, words, world};

pub(crate) const CASES: &[Case] = &[
    ("no_descriptors_here", no_descriptors_here),
    ("no_descriptors_in_the_broker", no_descriptors_in_the_broker),
    ("no_processes", no_processes),
];

fn no_descriptors_here() {
    world(|world| async move {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let mut jobs = Vec::new();
        let refused = {
            setrlimit(Resource::RLIMIT_NOFILE, 64, hard).unwrap();
            loop {
                match start(&world.here, words(["sleep", "1000"])).await {
                    Ok(job) => jobs.push(job),
                    Err(why) => break why,
                }
            }
        };
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
        assert_eq!(refused, NotStarted::Scarce("too many open files".to_owned()));
        assert!(jobs.len() > 10);
        assert_eq!(run(&world.here, words(["true"])).await.unwrap().code(), 0);
    });
}

/// Sets a limit of the broker, which cannot be told to do so itself.
fn limit(broker: &Broker, resource: libc::__rlimit_resource_t, soft: u64) -> u64 {
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both pointers are to live values, or null.
    unsafe {
        assert_eq!(libc::prlimit(broker.pid() as i32, resource, std::ptr::null(), &raw mut before), 0);
        let after = libc::rlimit { rlim_cur: soft, ..before };
        assert_eq!(libc::prlimit(broker.pid() as i32, resource, &raw const after, std::ptr::null_mut()), 0);
    }
    before.rlim_cur
}

fn no_descriptors_in_the_broker() {
    world(|world| async move {
        let before = limit(&world.broker, libc::RLIMIT_NOFILE, 6);
        let refused = run(&world.here, words(["true"])).await.err();
        assert_eq!(refused, Some(NotStarted::Scarce("too many open files".to_owned())));
        limit(&world.broker, libc::RLIMIT_NOFILE, before);
        // What was lost with the one does not come with the next.
        for _ in 0..3 {
            assert_eq!(run(&world.here, words(["echo", "x"])).await.unwrap().out(), "x\n");
        }
    });
}

fn no_processes() {
    // SAFETY: there is one thread.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0))),
        ForkResult::Child => {
            let passed = std::panic::catch_unwind(few_processes).is_ok();
            // SAFETY: ends the process, without what the parent will do itself.
            unsafe { libc::_exit(i32::from(!passed)) }
        }
    }
}

fn few_processes() {
    if Uid::current().is_root() {
        // Root has no limit; and this user has no other processes.
        setuid(Uid::from_raw(54_321)).unwrap();
    }
    world(|world| async move {
        let before = limit(&world.broker, libc::RLIMIT_NPROC, 1);
        let refused = run(&world.here, words(["true"])).await.err();
        let text = io::Error::from_raw_os_error(libc::EAGAIN).to_string().to_lowercase();
        let Some(NotStarted::Scarce(why)) = refused else { panic!("{refused:?}") };
        assert!(text.starts_with(&why) || why.contains("try again"), "{why}");
        limit(&world.broker, libc::RLIMIT_NPROC, before);
        assert_eq!(run(&world.here, words(["true"])).await.unwrap().code(), 0);
    });
}
