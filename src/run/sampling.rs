//! The course of what a step uses: measured as often as the file says, on the clock of the run. Knows neither steps nor
//! reports.

use std::rc::Rc;
use std::time::Duration;

use crate::base::command::Sample;
use crate::exec::meter::Meter;
use crate::run::clock::RunClock;

/// How a step is measured.
#[derive(Clone)]
pub struct Sampling {
    /// So often.
    pub every: Duration,
    /// By whom; one for a run, so that one look at the machine serves all that is measured at the same time.
    pub meter: Rc<Meter>,
    /// Its process is there longer than the step: what that used before is no matter of this one.
    pub shared: bool,
}

/// The measures of one step.
pub(super) struct Course {
    sampling: Sampling,
    pid: u32,
    clock: Rc<RunClock>,
    before: Duration,
}

impl Course {
    /// Begins now, with the process of the step.
    pub(super) fn begin(sampling: Sampling, pid: u32, clock: Rc<RunClock>) -> Self {
        let used = if sampling.shared { sampling.meter.read(pid) } else { None };
        Self { sampling, pid, clock, before: used.unwrap_or_default().cpu }
    }

    /// All steps that are measured as often are measured at the same times.
    fn due(&self) -> Duration {
        let every = self.sampling.every.as_nanos().max(1);
        let next = (self.clock.now().as_nanos() / every + 1) * every;
        Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
    }

    async fn next(&mut self) -> Sample {
        loop {
            tokio::time::sleep_until(self.clock.when(self.due())).await;
            if let Some(sample) = self.sampling.meter.read(self.pid) {
                return Sample { cpu: sample.cpu.saturating_sub(self.before), ..sample };
            }
        }
    }
}

/// The next measure; never, where nobody measures.
pub(super) async fn next(course: &mut Option<Course>) -> Sample {
    match course {
        Some(course) => course.next().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn measures_come_at_the_same_times_for_all() {
        let clock = Rc::new(RunClock::start());
        let sampling = Sampling { every: Duration::from_millis(250), meter: Rc::new(Meter::default()), shared: false };
        tokio::time::advance(Duration::from_millis(90)).await;
        let course = Course::begin(sampling.clone(), std::process::id(), clock.clone());
        tokio::time::advance(Duration::from_millis(100)).await;
        let other = Course::begin(sampling, std::process::id(), clock.clone());
        assert_eq!((course.due(), other.due()), (Duration::from_millis(250), Duration::from_millis(250)));
        tokio::time::advance(Duration::from_millis(60)).await;
        assert_eq!(course.due(), Duration::from_millis(500), "each time once");
    }

    /// A process that has worked and does nothing more.
    #[cfg(target_os = "linux")]
    #[allow(clippy::disallowed_methods, reason = "a test may start processes")]
    #[tokio::test(start_paused = true)]
    async fn what_a_shared_process_used_before_does_not_count() {
        use std::io::Read;
        use std::os::unix::process::CommandExt;
        let script = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo; exec sleep 60";
        let mut command = std::process::Command::new("sh");
        let mut child =
            command.process_group(0).args(["-c", script]).stdout(std::process::Stdio::piped()).spawn().unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        let meter = Rc::new(Meter::default());
        let used = meter.read(child.id()).unwrap();
        assert!(used.memory > 0 && used.processes == 1, "{used:?}");
        let sampling = |shared| Sampling { every: Duration::from_millis(10), meter: meter.clone(), shared };
        let clock = Rc::new(RunClock::start());
        let [mut shared, mut own] =
            [true, false].map(|shared| Some(Course::begin(sampling(shared), child.id(), clock.clone())));
        assert!(next(&mut shared).await.cpu < used.cpu / 2);
        assert!(next(&mut own).await.cpu >= used.cpu);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
