//! One owner of the terminal, and its return.
#![allow(unsafe_code)] // forkpty: the case needs a session and a terminal of its own.

use std::fs::File;
use std::io::{Read, Write, stdin};

use nix::pty::{ForkptyResult, forkpty};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{getpgrp, tcgetpgrp};
use xec::base::command::{CommandSpec, Sink, Stdin};
use xec::exec::Signal;

use crate::Case;
use crate::support::{run, script, start, world};

pub(crate) const CASES: &[Case] = &[("the_terminal_is_lent_and_comes_back", the_terminal_is_lent_and_comes_back)];

fn the_terminal_is_lent_and_comes_back() {
    // SAFETY: there is one thread.
    match unsafe { forkpty(None, None) }.unwrap() {
        ForkptyResult::Parent { child, master } => {
            let mut master = File::from(master);
            let mut seen = String::new();
            // It ends with an error once nobody has the other side.
            let mut piece = [0; 1024];
            while let Ok(count @ 1..) = master.read(&mut piece) {
                seen.push_str(&String::from_utf8_lossy(&piece[..count]));
                // Each question is answered once.
                for (question, answer) in [("first?", "hello\n"), ("second?", "\u{1a}"), ("third?", "again\n")] {
                    if seen.contains(question) {
                        seen = seen.replace(question, "");
                        master.write_all(answer.as_bytes()).unwrap();
                    }
                }
            }
            assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)), "{seen}");
        }
        ForkptyResult::Child => {
            let passed = std::panic::catch_unwind(on_the_terminal).is_ok();
            // SAFETY: ends the process, without what the parent will do itself.
            unsafe { libc::_exit(i32::from(!passed)) }
        }
    }
}

fn interactive(text: &str) -> CommandSpec {
    CommandSpec { stdin: Stdin::Terminal, stdout: Sink::Inherit, stderr: Sink::Inherit, ..script(text) }
}

fn is_ours() -> bool {
    let echo = tcgetattr(stdin()).unwrap().local_flags.contains(LocalFlags::ECHO);
    echo && tcgetpgrp(stdin()) == Ok(getpgrp())
}

fn on_the_terminal() {
    world(|world| async move {
        assert!(is_ours());
        let asks = "printf 'first?'; read answer; test \"$answer\" = hello; stty -echo; exit 3";
        assert_eq!(run(&world.here, interactive(asks)).await.unwrap().code(), 3);
        assert!(is_ours());

        // Ctrl-Z goes to the task; xec hears of it, and has the terminal meanwhile.
        let waits = "stty -echo; printf 'second?'; read answer || read answer; test \"$answer\" = again; stty -a | grep -q -- -echo; exit 5";
        let mut job = start(&world.here, interactive(waits)).await.unwrap();
        assert_eq!(job.running.stops.recv().await, Some(libc::SIGTSTP));
        assert!(is_ours());
        (job.running.control)(Signal::Continue);
        assert!(!is_ours());
        print!("third?");
        std::io::stdout().flush().unwrap();
        assert_eq!(job.end().await.code(), 5);
        assert!(is_ours());

        // A task without the terminal reads nothing, and is not stopped.
        let beside = run(&world.here, script("read answer || echo none")).await.unwrap();
        assert_eq!(beside.out(), "none\n");

        // Killed in the middle, it leaves nothing changed.
        let mut job = start(&world.here, interactive("stty raw -echo; kill -STOP $$; exit 1")).await.unwrap();
        assert_eq!(job.running.stops.recv().await, Some(libc::SIGSTOP));
        (job.running.control)(Signal::Continue);
        (job.running.control)(Signal::Kill);
        job.end().await;
        assert!(is_ours());
    });
}
