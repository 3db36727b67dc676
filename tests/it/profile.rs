//! `--profile` and `--trace`: what they say of a run, and never how long anything took.

use serde_json::Value;

use crate::harness::Case;

/// `slow` ends last and waits for `first`; `other` has nothing to do with when the run ends.
const FILE: &str = r#"
    task first { run "read -r x < go" }
    task other { run "echo other; echo > go" }
    task slow { needs first other; run "true" }
"#;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[test]
fn it_follows_the_summary_and_names_the_path() {
    let ran = Case::new().fifo("go").xecfile(FILE).args(["-j2", "--profile", "slow"]).run().ok();
    let told = ran.err();
    let (_, profile) = told.split_once("✓ 3 tasks").unwrap_or_else(|| panic!("no summary, {}", ran.story()));
    let lines: Vec<&str> = profile.lines().skip(1).collect();
    assert!(lines[0].starts_with("profile: 3 steps in "), "{profile}");
    assert!(lines[0].contains("of 2 slots busy"), "{profile}");
    assert!(lines[1].trim_start().starts_with("slowest "), "{profile}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("  first: ")).count(), 1, "{profile}");
    assert!(lines[5].starts_with("  critical path: "), "{profile}");
    assert!(lines.last().unwrap().starts_with("  → slow: true"), "{profile}");
}

#[test]
fn without_it_nothing_is_said() {
    let ran = Case::new().fifo("go").xecfile(FILE).args(["-j2", "slow"]).run().ok();
    assert!(!ran.err().contains("profile") && !ran.err().contains("critical"), "{}", ran.story());
}

#[test]
fn for_machines_it_stands_before_the_last_line() {
    let case = Case::new().fifo("go").xecfile(FILE).args(["-j2", "--profile", "--events=json", "slow"]);
    let all = lines(&case.run().ok().out());
    let profile = &all[all.len() - 2];
    assert_eq!((&profile["event"], &all[all.len() - 1]["event"]), (&"profile".into(), &"run-finished".into()));
    let steps = profile["steps"].as_array().unwrap();
    assert_eq!((steps.len(), &profile["slots"]), (3, &2.into()));
    let path: Vec<&Value> = profile["critical_path"].as_array().unwrap().iter().collect();
    let last = &steps[path.last().unwrap().as_u64().unwrap() as usize];
    assert_eq!((&last["instance"], &last["slots"]), (&"slow".into(), &1.into()));
    assert!(steps.iter().all(|step| step["usage"]["peak_memory"].as_u64().unwrap() > 0));
    assert!(steps.iter().all(|step| step["start"].as_f64() <= step["end"].as_f64()));
}

#[test]
fn what_fails_is_in_it_too() {
    let file = r#"task t { retry 1; run "exit 3" }"#;
    let ran = Case::new().xecfile(file).args(["--profile", "-q", "t"]).run().code(3);
    assert!(ran.err().contains("profile: 2 steps in "), "{}", ran.story());
    assert!(ran.err().contains("t: exit 3 (attempt 2)"), "{}", ran.story());
}

#[test]
fn a_trace_is_json_with_one_span_for_each_step() {
    let ran = Case::new().fifo("go").xecfile(FILE).args(["-j2", "--trace=trace.json", "slow"]).run().ok();
    let all: Vec<Value> = serde_json::from_str(&ran.read("trace.json")).expect("an array");
    let mut names: Vec<&str> =
        all.iter().filter(|one| one["ph"] == "X").map(|one| one["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["first", "other", "slow"]);
    let lanes: std::collections::BTreeSet<u64> = all.iter().filter_map(|one| one["tid"].as_u64()).collect();
    assert!(lanes.iter().eq([1, 2].iter()), "as many lanes as ran at once: {lanes:?}");
}

#[test]
fn a_trace_that_cannot_be_written_is_refused_before_anything_runs() {
    let file = r#"task t { run "echo ran > log" }"#;
    let ran = Case::new().xecfile(file).args(["--trace=nowhere/trace.json", "t"]).run().code(2);
    assert!(ran.err().contains("nowhere/trace.json") && ran.read("log").is_empty(), "{}", ran.story());
    Case::new().xecfile(file).args(["--trace=x.json", "-n", "t"]).run().code(2).says("goes with a run");
}

/// A step that goes on until it has been measured: it reads of that in the events, where its own text stands too.
const MEASURED: &str = r##"
    defaults { sample "20ms" }
    task t { run "tail -n +1 -f events | grep -m1 -q step-[s]ampled" }
    task quick { run "true" }
"##;

#[test]
fn a_step_is_measured_with_all_below_it() {
    let case = Case::new().xecfile(MEASURED).args(["--profile", "--trace=trace.json", "--events=json:events", "t"]);
    let ran = case.run().ok();
    let events = lines(&ran.read("events"));
    let samples: Vec<&Value> = events.iter().filter(|one| one["event"] == "step-sampled").collect();
    assert!(samples.iter().any(|one| one["memory"].as_u64().unwrap() > 0), "{}", ran.story());
    assert!(
        samples.iter().any(|one| one["processes"].as_u64().unwrap() >= 2),
        "a shell, and what it started: {samples:?}"
    );
    let cpu: Vec<f64> = samples.iter().map(|one| one["cpu"].as_f64().unwrap()).collect();
    assert!(cpu.iter().all(|cpu| *cpu >= 0.0), "{cpu:?}");
    let profile = events.iter().find(|one| one["event"] == "profile").expect("a profile");
    let course = &profile["steps"][0]["course"];
    assert_eq!(course["points"].as_array().unwrap().len(), samples.len(), "so few that each is a point");
    assert!(course["peak_memory"].as_u64() >= samples[0]["memory"].as_u64());
    let told = ran.err();
    let table: Vec<&str> = told.lines().skip_while(|line| !line.contains("memory over time")).collect();
    assert!(table[1].trim_start().starts_with("t: tail") && table[1].contains('█'), "{}", ran.story());
    let trace: Vec<Value> = serde_json::from_str(&ran.read("trace.json")).expect("an array");
    let curves = trace.iter().filter(|one| one["name"] == "memory of lane 1").count();
    assert_eq!(curves, samples.len());
}

/// It acts where it stands: on the steps of its task, and not on what these call.
#[test]
fn nothing_is_measured_that_nobody_asked_for() {
    let file = r#"
        task t { needs other; run "true" }
        task other { sample "10ms"; call inner }
        task inner { parallel { run "read -r x < go"; run "seq 100000 | sort -rn | tail -n1 >/dev/null; echo > go" } }
    "#;
    let ran = Case::new().fifo("go").xecfile(file).args(["-j2", "--profile", "--events=json:events", "t"]).run().ok();
    assert!(!ran.read("events").contains("step-sampled"), "{}", ran.story());
    assert!(!ran.err().contains("memory over time"), "{}", ran.story());
}
