//! As `/proc` has it. Where there is none, nothing is known.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::base::command::Sample;

use crate::exec::tree::Table;

/// For so long a look at all processes is good for those who ask at the same time.
const GOOD_FOR: Duration = Duration::from_millis(5);

/// Measures what processes use.
#[derive(Default)]
pub struct Meter {
    table: RefCell<Option<(Instant, Rc<Table>)>>,
}

impl Meter {
    /// What a process and all below it use now; `None` where it is gone, or nothing is known of processes.
    pub fn read(&self, pid: u32) -> Option<Sample> {
        let pid = i32::try_from(pid).ok()?;
        let table = self.table();
        let own = table.process(pid).filter(|own| !own.zombie)?;
        let (ticks, page) = (per_second()?, page_size()?);
        let mut sum = Sample { cpu: Duration::ZERO, memory: 0, processes: 0 };
        let mut used = 0;
        for process in table.below_or_beside(own) {
            used += process.load.ticks;
            sum.memory += process.load.pages * page;
            sum.processes += u32::from(!process.zombie);
        }
        sum.cpu = Duration::from_secs_f64(used as f64 / ticks as f64);
        Some(sum)
    }

    fn table(&self) -> Rc<Table> {
        let now = Instant::now();
        let mut known = self.table.borrow_mut();
        if let Some((_, table)) = known.as_ref().filter(|(at, _)| now.saturating_duration_since(*at) < GOOD_FOR) {
            return table.clone();
        }
        let table = Rc::new(Table::read());
        *known = Some((now, table.clone()));
        table
    }
}

fn per_second() -> Option<u64> {
    sysconf(nix::unistd::SysconfVar::CLK_TCK)
}

fn page_size() -> Option<u64> {
    sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
}

fn sysconf(of: nix::unistd::SysconfVar) -> Option<u64> {
    nix::unistd::sysconf(of).ok().flatten().and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use super::*;

    #[tokio::test]
    async fn what_is_below_counts_and_what_is_gone_does_not() {
        let script = "sleep 60 & echo; wait";
        let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        let sample = Meter::default().read(child.id()).unwrap();
        assert!(sample.processes >= 2 && sample.memory > 0, "{sample:?}");
        let below = Table::read().children(child.id() as i32).map(|one| one.pid).collect::<Vec<_>>();
        child.kill().unwrap();
        child.wait().unwrap();
        below.into_iter().for_each(|pid| {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap()
        });
        assert_eq!(Meter::default().read(child.id()), None);
    }
}
