use std::time::Duration;

use serde_json::Value;

use super::Writer;
use crate::base::command::{NotStarted, Outcome, Sample, Usage};
use crate::base::event::{Event, Failure, JobId, Level, Message, Reason, SkipReason, Stream, Verdict};
use crate::report::profile::Profile;
use crate::report::scripts::{Shared, counts, finished, output, run_finished, started, task};

const DOCS: &str = include_str!("../../docs/events.md");

fn written(messages: Vec<Message>) -> String {
    let shared = Shared::default();
    let mut writer = Writer::new(Box::new(shared.clone()));
    for message in messages {
        match message {
            Message::Event(at, event) => writer.event(at, &event).unwrap(),
            Message::Output(output) => writer.output(&output).unwrap(),
        }
    }
    writer.flush().unwrap();
    shared.text()
}

fn line(event: Event) -> String {
    written(vec![Message::Event(Duration::from_micros(1_234), event)])
}

/// One event of each kind.
fn all() -> Vec<Event> {
    let usage = Some(Usage { user: Duration::from_millis(3), system: Duration::from_millis(1), peak_memory: 2048 });
    let mut with_usage = finished(1, "build", Verdict::Ok);
    if let Event::StepFinished { usage: place, .. } = &mut with_usage {
        *place = usage;
    }
    let sample = Sample { cpu: Duration::from_millis(2), memory: 4096, processes: 2 };
    vec![
        Event::RunStarted { run: "r1".into(), requested: vec!["build".into()], jobs: Some(2), tasks: 1, steps: 1 },
        Event::TaskStarted { task: task("build") },
        Event::TaskStale { task: task("build"), why: vec!["`src/a.rs` changed".into()] },
        Event::StillUp { task: task("db") },
        Event::ReplayStarted { job: JobId((1 << 48) + 1), task: task("build") },
        Event::ReplayFinished { job: JobId((1 << 48) + 1) },
        started(1, "build"),
        Event::StepLeaked { job: JobId(1), holders: vec!["sleep (9)".into()] },
        Event::StepStopped { job: JobId(1), signal: 21 },
        Event::StepSampled { job: JobId(1), sample },
        with_usage,
        Event::TaskFinished { task: task("build"), verdict: Verdict::Ok, duration: Duration::from_millis(5) },
        Event::Cancelling { what: "build".into(), reason: Reason::Signal(2), level: Level::Soft },
        Event::Scarce { jobs: 1, why: "EAGAIN".into() },
        Event::Suspended,
        Event::Resumed,
        Event::Swept { processes: vec!["sleep (9)".into()] },
        Event::Changed { paths: vec!["src/a.rs".into()], more: 2 },
        Event::Broken { text: "error[bad-value]".into() },
        Event::Waiting { files: 3, keys: true },
        run_finished(&[(1, "build", 2)], counts(0, 1, 0, 0)),
    ]
}

/// The line of a run of one step.
fn profile() -> String {
    let (mut profile, at) = (Profile::default(), Duration::from_micros(1_234));
    let told = all().into_iter().filter(|event| !matches!(event, Event::StepLeaked { .. } | Event::StepStopped { .. }));
    told.for_each(|event| profile.event(at, &event));
    let shared = Shared::default();
    let mut writer = Writer::new(Box::new(shared.clone()));
    writer.profile(at, &profile).unwrap();
    writer.flush().unwrap();
    shared.text()
}

#[test]
fn the_documented_lines_are_the_lines() {
    let mut lines: String = all().into_iter().map(line).collect();
    lines.push_str(&written(vec![output(1, Stream::Stdout, "hello\n"), output(1, Stream::Stderr, b"\xff\n")]));
    lines.push_str(&profile());
    assert_eq!(lines.lines().count(), 24);
    for line in lines.lines() {
        assert!(DOCS.contains(line), "docs/events.md lacks this line:\n{line}");
    }
    let documented = DOCS.lines().filter(|line| line.starts_with("{\"v\":1,"));
    for line in documented {
        assert!(
            lines.lines().any(|written| written == line),
            "docs/events.md has a line that is never written:\n{line}"
        );
    }
}

#[test]
fn every_verdict() {
    let command = |outcome| Verdict::Failed(Failure::Command(outcome));
    for (verdict, written, code) in [
        (Verdict::Ok, r#"{"kind":"ok"}"#, Some(0)),
        (command(Outcome::Exited(2)), r#"{"kind":"exited","code":2}"#, Some(2)),
        (command(Outcome::Signalled(9)), r#"{"kind":"signalled","signal":"SIGKILL"}"#, Some(137)),
        (
            command(Outcome::NotStarted(NotStarted::Missing("no gcc".into()))),
            r#"{"kind":"not-started","why":"missing","message":"no gcc"}"#,
            Some(127),
        ),
        (command(Outcome::Unknown("link".into())), r#"{"kind":"unknown","message":"link"}"#, Some(255)),
        (Verdict::Failed(Failure::Inside(2)), r#"{"kind":"failed-inside","count":2}"#, Some(1)),
        (Verdict::Failed(Failure::CaptureTooLarge(9)), r#"{"kind":"capture-too-large","limit":9}"#, Some(1)),
        (Verdict::TimedOut(Duration::from_millis(1500)), r#"{"kind":"timed-out","limit":1.5}"#, Some(124)),
        (Verdict::Cancelled(Reason::Signal(15)), r#"{"kind":"cancelled","reason":"signal","signal":"SIGTERM"}"#, None),
        (
            Verdict::Skipped(SkipReason::Dependency("b".into())),
            r#"{"kind":"skipped","why":"dependency","needed":"b"}"#,
            None,
        ),
        (Verdict::Skipped(SkipReason::Earlier), r#"{"kind":"skipped","why":"earlier"}"#, None),
        (Verdict::Skipped(SkipReason::Batch), r#"{"kind":"skipped","why":"batch"}"#, None),
        (
            Verdict::Skipped(SkipReason::Cancelled(Reason::Failed)),
            r#"{"kind":"skipped","why":"cancelled","reason":"failed"}"#,
            None,
        ),
    ] {
        let line = line(finished(1, "a", verdict));
        assert!(line.contains(&format!("\"verdict\":{written},")), "{line}");
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["code"], serde_json::json!(code));
        let kind = line["verdict"]["kind"].as_str().unwrap();
        assert!(DOCS.contains(&format!("| `{kind}` |")), "docs/events.md lacks the verdict {kind}");
    }
}

#[test]
fn a_character_that_is_cut_stays_whole() {
    let messages = vec![
        output(1, Stream::Stdout, b"a\xe2\x82"),
        output(1, Stream::Stderr, b"x"),
        output(1, Stream::Stdout, b"\xac\xe2"),
        output(2, Stream::Stdout, b"\xff\xe2"),
        Message::Event(Duration::ZERO, finished(1, "a", Verdict::Ok)),
    ];
    let lines: Vec<Value> = written(messages).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let pieces: Vec<String> = lines[..5]
        .iter()
        .map(|line| format!("{}{}:{}{}", line["job"], line["stream"].as_str().unwrap(), line["text"], line["base64"]))
        .collect();
    let expected =
        ["1stdout:\"a\"null", "1stderr:\"x\"null", "1stdout:\"€\"null", "2stdout:null\"/+I=\"", "1stdout:null\"4g==\""];
    assert_eq!(pieces, expected);
    assert_eq!(lines[5]["event"], "step-finished");
}
