//! `--trace`: a run as Chrome trace events (the array form of the Trace Event Format), which Perfetto, `chrome://tracing`
//! and Speedscope open. One line for each thing; what runs at once stands in lanes. Made of events alone.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use crate::base::command::Sample;
use crate::base::event::{Event, JobId, StepLabel, Verdict};
use crate::report::collected::Collected;
use crate::report::words;

/// Writes what happens as it happens. A file that a kill cuts off can still be opened: its last bracket is optional.
pub(crate) struct Writer {
    out: Collected,
    running: HashMap<JobId, Running>,
    free: BTreeSet<u64>,
    lanes: u64,
    begun: bool,
}

/// A step that runs: where it stands, since when, which attempt it is, and when it was measured last and what it had
/// used of the CPUs by then.
struct Running {
    lane: u64,
    start: Duration,
    attempt: u32,
    measured: (Duration, Duration),
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

impl Writer {
    pub(crate) fn new(to: Box<dyn Write + Send>) -> Self {
        Self { out: Collected::new(to), running: HashMap::new(), free: BTreeSet::new(), lanes: 0, begun: false }
    }

    /// Something happened.
    pub(crate) fn event(&mut self, at: Duration, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStarted { requested, .. } => {
                let name = format!("xec {}", requested.join(" "));
                self.put(&json!({ "name": "process_name", "ph": "M", "pid": 1, "args": { "name": name } }))
            }
            Event::StepStarted { job, attempt, .. } => {
                let lane = self.free.pop_first().unwrap_or_else(|| {
                    self.lanes += 1;
                    self.lanes
                });
                let measured = (at, Duration::ZERO);
                self.running.insert(*job, Running { lane, start: at, attempt: *attempt, measured });
                self.count(at)
            }
            Event::StepFinished { job, step, verdict, usage, .. } => {
                let Some(Running { lane, start, attempt, .. }) = self.running.remove(job) else { return Ok(()) };
                self.free.insert(lane);
                let mut args = json!({
                    "step": &*step.text,
                    "at": step.site.to_string(),
                    "ended": words::ending(verdict, None),
                    "attempt": attempt,
                });
                if let Some(usage) = usage {
                    args["user_ms"] = json!(micros(usage.user) / 1e3);
                    args["system_ms"] = json!(micros(usage.system) / 1e3);
                    args["peak_memory"] = json!(usage.peak_memory);
                }
                self.put(&complete(step, verdict, (start, at), lane, args))?;
                self.count(at)
            }
            Event::StepSampled { job, sample } => self.sampled(at, *job, sample),
            Event::Retrying { task, attempt, of, .. } => {
                let name = format!("{}: attempt {attempt} of {of}", task.instance);
                self.put(&json!({ "name": name, "ph": "i", "s": "p", "ts": micros(at), "pid": 1, "tid": 0 }))
            }
            Event::RunFinished { .. } => {
                self.out.bytes.extend_from_slice(b"\n]\n");
                self.flush()
            }
            _ => Ok(()),
        }
    }

    /// What a step uses, as two curves in the lane's name: the CPUs since the last measure, and the memory.
    fn sampled(&mut self, at: Duration, job: JobId, sample: &Sample) -> io::Result<()> {
        let Some(running) = self.running.get_mut(&job) else { return Ok(()) };
        let (since, before) = std::mem::replace(&mut running.measured, (at, sample.cpu));
        let time = at.saturating_sub(since).as_secs_f64();
        let used = sample.cpu.saturating_sub(before).as_secs_f64();
        let (lane, cpus) = (running.lane, if time > 0.0 { used / time } else { 0.0 });
        let curve = |name: &str, value: Value| json!({ "name": format!("{name} of lane {lane}"), "ph": "C", "ts": micros(at), "pid": 1, "args": { name: value } });
        self.put(&curve("CPUs", json!(cpus)))?;
        self.put(&curve("memory", json!(sample.memory)))
    }

    /// How many steps run.
    fn count(&mut self, at: Duration) -> io::Result<()> {
        let running = self.running.len();
        self.put(&json!({ "name": "running", "ph": "C", "ts": micros(at), "pid": 1, "args": { "steps": running } }))
    }

    fn put(&mut self, value: &Value) -> io::Result<()> {
        self.out.bytes.extend_from_slice(if std::mem::replace(&mut self.begun, true) { b",\n" } else { b"[\n" });
        serde_json::to_writer(&mut self.out.bytes, value)?;
        self.out.end_line()
    }

    /// Everything goes out.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A step from its start to its end.
fn complete(step: &StepLabel, verdict: &Verdict, (start, end): (Duration, Duration), lane: u64, args: Value) -> Value {
    let colour = match verdict {
        Verdict::Ok => "good",
        Verdict::Failed(_) | Verdict::TimedOut(_) | Verdict::Unreachable(_) => "terrible",
        Verdict::Cancelled(_) | Verdict::Skipped(_) => "grey",
    };
    json!({
        "name": &*step.owner.instance,
        "cat": &*step.owner.task,
        "ph": "X",
        "ts": micros(start),
        "dur": micros(end.saturating_sub(start)),
        "pid": 1,
        "tid": lane,
        "cname": colour,
        "args": args,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::scripts::{Shared, counts, exit, finished, run_finished, started};

    #[test]
    fn steps_stand_in_lanes_and_the_whole_is_json() {
        let shared = Shared::default();
        let mut writer = Writer::new(Box::new(shared.clone()));
        let at = Duration::from_millis;
        let run = Event::RunStarted { run: "r".into(), requested: vec!["a".into()], jobs: None, tasks: 1, steps: 1 };
        let told = [
            (0, run),
            (1, started(1, "a")),
            (2, started(2, "b")),
            (3, finished(1, "a", exit(0))),
            (4, started(3, "c")),
            (5, finished(3, "c", exit(3))),
            (6, finished(2, "b", exit(0))),
            (7, run_finished(&[], counts(3, 0, 0, 0))),
        ];
        told.iter().for_each(|(time, event)| writer.event(at(*time), event).unwrap());
        let all: Vec<Value> = serde_json::from_str(&shared.text()).unwrap();
        let spans: Vec<&Value> = all.iter().filter(|one| one["ph"] == "X").collect();
        let told: Vec<String> =
            spans.iter().map(|one| format!("{} {} {} {}", one["name"], one["tid"], one["ts"], one["dur"])).collect();
        assert_eq!(told, ["\"a\" 1 1000.0 2000.0", "\"c\" 1 4000.0 1000.0", "\"b\" 2 2000.0 4000.0"]);
        assert_eq!((&spans[1]["cname"], &spans[1]["args"]["ended"]), (&json!("terrible"), &json!("exit 3")));
        let running: Vec<u64> = all.iter().filter_map(|one| one["args"]["steps"].as_u64()).collect();
        assert_eq!(running, [1, 2, 1, 2, 1, 0]);
    }
}
