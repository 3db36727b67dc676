use std::time::Duration;

use super::*;
use crate::report::scripts::{counts, exit, finished, label, run_finished};
use crate::report::style::Style;

const MS: Duration = Duration::from_millis(1);

/// Steps by name, slots, start and end in milliseconds, in a run of that many.
fn profile(slots: Option<u32>, wall: u32, steps: &[(&str, u32, u32, u32)]) -> Profile {
    let mut events: Vec<(Duration, Event)> = Vec::new();
    for (job, (name, held, start, end)) in steps.iter().enumerate() {
        let (job, waits) = (JobId(job as u64), Waits { slot: MS * 2, ..Waits::default() });
        let started = Event::StepStarted { job, step: label(name), attempt: 1, waits, slots: *held, pid: None };
        let usage = Some(Usage { user: MS * 3, system: MS, peak_memory: 2048 });
        let ended = Event::StepFinished { job, step: label(name), verdict: exit(0), duration: MS, usage };
        events.extend([(MS * *start, started), (MS * *end, ended)]);
    }
    events.sort_by_key(|(at, _)| *at);
    let mut profile = Profile::default();
    let begun = Event::RunStarted { run: "r".into(), requested: Vec::new(), jobs: slots, tasks: 1, steps: 1 };
    profile.event(Duration::ZERO, &begun);
    events.iter().for_each(|(at, event)| profile.event(*at, event));
    let Event::RunFinished { culprits, counts, signal, code, .. } = run_finished(&[], counts(1, 0, 0, 0)) else {
        panic!()
    };
    profile.event(MS * wall, &Event::RunFinished { culprits, counts, signal, code, duration: MS * wall });
    profile
}

fn names(profile: &Profile) -> Vec<String> {
    profile.path().spans.iter().map(|span| span.step.owner.instance.to_string()).collect()
}

#[test]
fn the_path_goes_back_from_the_last_end_to_what_let_each_begin() {
    // `a` and `b` side by side, `c` behind the slower `b`; `d` has nothing to do with the end.
    let profile = profile(Some(2), 100, &[("a", 1, 0, 10), ("b", 1, 0, 40), ("d", 1, 10, 30), ("c", 1, 41, 95)]);
    assert_eq!(names(&profile), ["b", "c"]);
    assert_eq!(profile.path().idle, MS * 6);
}

#[test]
fn steps_of_no_length_are_no_circle() {
    let profile = profile(None, 5, &[("a", 1, 5, 5), ("b", 1, 5, 5), ("c", 1, 5, 5)]);
    assert_eq!(names(&profile), ["a", "b", "c"]);
    assert_eq!(profile.utilisation(), None, "there is no limit");
}

#[test]
fn slots_are_counted_by_what_held_them() {
    let profile = profile(Some(4), 100, &[("a", 2, 0, 50), ("wait", 0, 0, 100), ("b", 1, 50, 100)]);
    let part = profile.utilisation().unwrap();
    assert!((part - 150.0 / 400.0).abs() < 1e-9, "{part}");
}

#[test]
fn what_people_read() {
    let steps = [("build", 1, 0, 40), ("test", 1, 42, 95)];
    let expected = "\
profile: 2 steps in 100ms, CPU 6ms user and 2ms system, peak 2 KiB, 93% of 1 slot busy
  slowest          wall  user  system   peak  needs  slot  limit
  test: do test    53ms   3ms     1ms  2 KiB    0ms   2ms    0ms
  build: do build  40ms   3ms     1ms  2 KiB    0ms   2ms    0ms
  critical path: 2 steps, 93ms of 100ms; 7ms between them
    build: do build  40ms
  → test: do test  53ms";
    assert_eq!(text(&profile(Some(1), 100, &steps), Style::default()).unwrap(), expected);
    assert_eq!(text(&profile(Some(1), 100, &[]), Style::default()), None);
}

#[test]
fn long_names_and_long_paths_are_cut() {
    let steps: Vec<(&str, u32, u32, u32)> =
        (0..30).map(|at| ("a name that is far too long for any table of a report", 1, at * 10, at * 10 + 9)).collect();
    let text = text(&profile(Some(1), 300, &steps), Style::default()).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    assert!(text.contains("… and 20 faster steps") && text.contains("… 18 more …"), "{text}");
    assert_eq!(text.lines().count(), 1 + 1 + 10 + 1 + 1 + 13);
}

#[test]
fn what_ended_without_having_begun_is_no_step() {
    let mut profile = Profile::default();
    profile.event(MS, &finished(1, "a", exit(0)));
    assert!(profile.spans.is_empty() && profile.cpu() == [Duration::ZERO; 2]);
}
