//! As macOS has it: the processes of a group. There is no `/proc`, and who has left the group is not found.
#![allow(unsafe_code)] // What a process uses is asked for through C alone.

use std::mem::{MaybeUninit, size_of};
use std::time::Duration;

use nix::unistd::{Pid, getpgid};

use crate::base::command::Sample;

/// Of a group, so many processes are looked at.
const MOST: usize = 1024;

/// Measures what processes use.
#[derive(Debug, Default)]
pub struct Meter;

impl Meter {
    /// What a process and all in its group use now; `None` where it is gone.
    pub fn read(&self, pid: u32) -> Option<Sample> {
        let group = getpgid(Some(Pid::from_raw(i32::try_from(pid).ok()?))).ok()?;
        let mut sum = Sample::default();
        for info in members(group).into_iter().filter_map(task) {
            sum.cpu += time(info.pti_total_user.saturating_add(info.pti_total_system));
            sum.memory += info.pti_resident_size;
            sum.processes += 1;
        }
        (sum.processes > 0).then_some(sum)
    }
}

fn members(group: Pid) -> Vec<libc::pid_t> {
    let mut pids = vec![0; MOST];
    let size = (pids.len() * size_of::<libc::pid_t>()) as libc::c_int;
    // SAFETY: the buffer is as long as is said, and of what the call writes.
    let count = unsafe { libc::proc_listpgrppids(group.as_raw(), pids.as_mut_ptr().cast(), size) };
    pids.truncate(usize::try_from(count).unwrap_or(0));
    pids
}

fn task(pid: libc::pid_t) -> Option<libc::proc_taskinfo> {
    let mut info = MaybeUninit::<libc::proc_taskinfo>::uninit();
    let size = size_of::<libc::proc_taskinfo>() as libc::c_int;
    // SAFETY: there is room for what is asked, and it is read only where all of it was written.
    unsafe {
        let got = libc::proc_pidinfo(pid, libc::PROC_PIDTASKINFO, 0, info.as_mut_ptr().cast(), size);
        (got == size).then(|| info.assume_init())
    }
}

/// From the ticks of the machine's clock.
#[allow(deprecated, reason = "the other way to ask for them is a crate of its own")]
fn time(ticks: u64) -> Duration {
    let mut base = libc::mach_timebase_info { numer: 1, denom: 1 };
    // SAFETY: it writes the two numbers, which are what they are for good.
    unsafe { libc::mach_timebase_info(&mut base) };
    let nanos = u128::from(ticks) * u128::from(base.numer) / u128::from(base.denom.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
