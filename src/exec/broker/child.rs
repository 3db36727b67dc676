//! A new process, up to the moment in which it is a program. Knows no jobs, and nothing of how words and streams
//! were found.
//!
//! On Linux a process of our own making, as `posix_spawn` makes it: it shares our memory and we stand still until
//! it has become a program. Only that `posix_spawn` maps a stack and asks after 64 signals each time, which made
//! up a twentieth of what it costs to start and end `true`, and we know once and for all which signals there are
//! to be reset. Elsewhere `posix_spawn` itself.
#![allow(unsafe_code)] // Processes are made by C alone.

use std::ffi::CStr;

use libc::{c_char, c_int};

/// What a process is to be.
pub(super) struct Child<'a> {
    pub(super) program: &'a CStr,
    /// Ends with a null pointer, as does `env`.
    pub(super) argv: &'a [*mut c_char],
    pub(super) env: &'a [*mut c_char],
    /// Where it runs, if not where we are.
    pub(super) cwd: Option<&'a CStr>,
    /// Which of our descriptors becomes its 0, 1, 2 and so on, in this order; `None` leaves what there is.
    pub(super) fds: &'a [Option<c_int>],
}

#[cfg(target_os = "linux")]
pub(super) use linux::Cradle;
#[cfg(not(target_os = "linux"))]
pub(super) use posix::Cradle;

#[cfg(target_os = "linux")]
mod linux {
    use std::cell::Cell;
    use std::io;
    use std::mem::MaybeUninit;
    use std::ptr;

    use libc::{c_int, c_void};

    use super::Child;
    use crate::exec::broker::sys::wait_for;

    /// Far more than the few frames of [`become_program`] take.
    const STACK: usize = 64 * 1024;

    /// Where processes begin. All signals must be blocked for as long as it is used.
    pub(in super::super) struct Cradle {
        stack: Box<[MaybeUninit<u128>]>,
        /// The signals that are not what they are by default.
        changed: Vec<c_int>,
    }

    impl Cradle {
        pub(in super::super) fn new() -> io::Result<Self> {
            let changed = (1..=libc::SIGRTMAX()).filter(|signal| is_changed(*signal)).collect();
            Ok(Self { stack: Box::new_uninit_slice(STACK / size_of::<u128>()), changed })
        }

        /// Starts one, in a group of its own, with no signal blocked or ignored; the error is the kernel's.
        pub(in super::super) fn start(&mut self, child: &Child<'_>) -> Result<i32, i32> {
            let newborn = Newborn { child, changed: &self.changed, error: Cell::new(0) };
            let top = self.stack.as_mut_ptr_range().end.cast();
            let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
            // SAFETY: the stack ends at `top`, is aligned and nobody else's, since we stand still until the child has
            // become a program or ended; for so long `newborn` lives, too. The child changes nothing in our memory
            // but its stack, `error` and errno, and no signal can have it run a handler.
            let pid = unsafe { libc::clone(become_program, top, flags, (&raw const newborn).cast_mut().cast()) };
            if pid < 0 {
                return Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EAGAIN));
            }
            match newborn.error.get() {
                0 => Ok(pid),
                error => {
                    wait_for(pid);
                    Err(error)
                }
            }
        }
    }

    struct Newborn<'a> {
        child: &'a Child<'a>,
        changed: &'a [c_int],
        /// Why it is no program.
        error: Cell<c_int>,
    }

    /// What the kernel does on a signal, as it has it itself: the handler comes first, and zeros are the default. The C
    /// library does not let us at two of its own, which may well have been ignored by whoever started xec.
    type Action = [u64; 4];

    /// The size of a set of signals.
    const SET: usize = 8;

    unsafe fn action(signal: c_int, new: *const Action, old: *mut Action) -> c_int {
        // SAFETY: the caller's pointers are null or to as much as the kernel reads and writes.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old, SET) as c_int }
    }

    fn is_changed(signal: c_int) -> bool {
        let mut now = Action::default();
        // SAFETY: a question that changes nothing.
        unsafe { action(signal, ptr::null(), &raw mut now) == 0 && now[0] != 0 }
    }

    /// All that the child does of itself. It must not allocate, unwind or return to anything of ours.
    extern "C" fn become_program(newborn: *mut c_void) -> c_int {
        // SAFETY: it is what `start` has handed over, which waits for us.
        let newborn = unsafe { &*newborn.cast_const().cast::<Newborn<'_>>() };
        // SAFETY: system calls with plain data and with pointers that live in a frame that waits.
        unsafe {
            prepare(newborn);
            if newborn.error.get() == 0 {
                let Child { program, argv, env, .. } = newborn.child;
                libc::execve(program.as_ptr(), argv.as_ptr().cast(), env.as_ptr().cast());
                newborn.error.set(*libc::__errno_location());
            }
            libc::_exit(127)
        }
    }

    /// Signals, group, directory, streams.
    unsafe fn prepare(newborn: &Newborn<'_>) {
        // SAFETY: as above.
        unsafe {
            let check = |answer: c_int| {
                if answer < 0 && newborn.error.get() == 0 {
                    newborn.error.set(*libc::__errno_location());
                }
            };
            for signal in newborn.changed {
                check(action(*signal, &Action::default(), ptr::null_mut()));
            }
            check(libc::setpgid(0, 0));
            if let Some(cwd) = newborn.child.cwd {
                check(libc::chdir(cwd.as_ptr()));
            }
            for (target, fd) in (0..).zip(newborn.child.fds) {
                match *fd {
                    None => {}
                    // It is there already, and is only to stay.
                    Some(fd) if fd == target => check(libc::fcntl(fd, libc::F_SETFD, 0)),
                    Some(fd) => check(libc::dup2(fd, target)),
                }
            }
            let mut none = MaybeUninit::uninit();
            libc::sigemptyset(none.as_mut_ptr());
            check(libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut()));
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod posix {
    use std::io;
    use std::mem::MaybeUninit;

    use libc::c_int;

    use super::Child;

    /// What all processes have in common.
    pub(in super::super) struct Cradle {
        attributes: Box<libc::posix_spawnattr_t>,
    }

    impl Cradle {
        pub(in super::super) fn new() -> io::Result<Self> {
            let flags = libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
            // SAFETY: init makes the attributes valid before anything else touches them. They live as long as the
            // broker does, so they are never destroyed.
            unsafe {
                let mut attributes: Box<MaybeUninit<libc::posix_spawnattr_t>> = Box::new(MaybeUninit::uninit());
                let (mut none, mut all) = (MaybeUninit::uninit(), MaybeUninit::uninit());
                libc::sigemptyset(none.as_mut_ptr());
                libc::sigfillset(all.as_mut_ptr());
                let parts = [
                    libc::posix_spawnattr_init(attributes.as_mut_ptr()),
                    libc::posix_spawnattr_setpgroup(attributes.as_mut_ptr(), 0),
                    libc::posix_spawnattr_setsigmask(attributes.as_mut_ptr(), none.as_ptr()),
                    libc::posix_spawnattr_setsigdefault(attributes.as_mut_ptr(), all.as_ptr()),
                    libc::posix_spawnattr_setflags(attributes.as_mut_ptr(), flags as _),
                ];
                match parts.into_iter().find(|error| *error != 0) {
                    Some(error) => Err(io::Error::from_raw_os_error(error)),
                    None => Ok(Self { attributes: attributes.assume_init() }),
                }
            }
        }

        /// Starts one, in a group of its own, with no signal blocked or ignored; the error is the kernel's.
        pub(in super::super) fn start(&mut self, child: &Child<'_>) -> Result<i32, i32> {
            let actions = Actions::new(child)?;
            let mut pid = 0;
            // SAFETY: every pointer is to a live value; both lists end with a null pointer.
            ok(unsafe {
                libc::posix_spawn(
                    &raw mut pid,
                    child.program.as_ptr(),
                    &raw const actions.0,
                    &raw const *self.attributes,
                    child.argv.as_ptr(),
                    child.env.as_ptr(),
                )
            })?;
            Ok(pid)
        }
    }

    fn ok(error: c_int) -> Result<(), i32> {
        if error == 0 { Ok(()) } else { Err(error) }
    }

    /// What the child does before it is the program.
    struct Actions(libc::posix_spawn_file_actions_t);

    impl Actions {
        fn new(child: &Child<'_>) -> Result<Self, i32> {
            let mut actions = MaybeUninit::uninit();
            // SAFETY: valid once init has said so; it may move. The numbers are checked by the child, the path is
            // copied.
            unsafe {
                ok(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
                let mut actions = Self(actions.assume_init());
                if let Some(cwd) = child.cwd {
                    ok(libc::posix_spawn_file_actions_addchdir_np(&raw mut actions.0, cwd.as_ptr()))?;
                }
                for (target, fd) in (0..).zip(child.fds) {
                    if let Some(fd) = *fd {
                        ok(libc::posix_spawn_file_actions_adddup2(&raw mut actions.0, fd, target))?;
                    }
                }
                Ok(actions)
            }
        }
    }

    impl Drop for Actions {
        fn drop(&mut self) {
            // SAFETY: valid, and not used again.
            unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
        }
    }
}
