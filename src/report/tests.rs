use std::io::{self, Write};
use std::sync::mpsc;
use std::time::Duration;

use proptest::prelude::{Just, Strategy, prop_oneof, proptest};

use crate::base::command::Usage;
use crate::base::event::{Event, JobId, Level, Message, Output, Reason, Stream, Verdict, Waits};
use crate::report::scripts::{Shared, Stage, counts, finished, label, output, run_finished, started};
use crate::report::{Mode, Setup, console, lines, spawn};

#[test]
fn auto_is_prefixed_where_it_helps() {
    assert_eq!(Mode::resolve(None, true, true), Mode::Prefixed);
    assert_eq!(Mode::resolve(None, true, false), Mode::Live);
    assert_eq!(Mode::resolve(None, false, true), Mode::Live);
    assert_eq!(Mode::resolve(Some(Mode::Grouped), true, true), Mode::Grouped);
}

#[test]
fn live_into_pipes_keeps_streams_apart_and_bytes_as_they_are() {
    let mut stage = Stage::pipes(Mode::Live);
    stage.start(1, "a").out(1, b"one\n\xff\x1b[2Jtw").err(1, "warn\n");
    assert_eq!(stage.out.bytes(), b"one\n", "a line that has not ended waits");
    stage.out(1, "o\nlast").end(1, "a", 0).done(&[], counts(1, 0, 0, 0));
    assert_eq!(stage.out.bytes(), b"one\n\xff\x1b[2Jtwo\nlast", "the last line gets no newline");
    assert_eq!(stage.err.text(), "▸ a: do a\nwarn\n", "one step that went well needs no summary");
}

#[test]
fn live_lines_of_two_jobs_never_mix() {
    let mut stage = Stage::pipes(Mode::Live);
    stage.start(1, "a").start(2, "b").out(1, "a1").out(2, "b1").out(1, "a2\na3").out(2, "b2\n");
    stage.end(1, "a", 0).end(2, "b", 0).done(&[], counts(2, 0, 0, 0));
    assert_eq!(stage.both().0, "a1a2\nb1b2\na3");
    let mut stage = Stage::pipes(Mode::Live);
    stage.start(1, "a").start(2, "b").out(1, "a").end(1, "a", 0).out(2, "b").end(2, "b", 0);
    assert_eq!(stage.both().0, "a\nb", "a newline only where something follows");
}

#[test]
fn an_endless_line_is_cut_only_where_another_job_writes() {
    let long = "x".repeat(lines::LONGEST + 1);
    let mut stage = Stage::pipes(Mode::Live);
    stage.start(1, "a").start(2, "b").out(1, &long).out(1, &long).out(2, "b\n").out(1, "end\n");
    assert_eq!(stage.both().0, format!("{long}{long}\nb\nend\n"));
}

#[test]
fn live_on_a_terminal_shows_prompts_of_a_job_that_is_alone() {
    let mut stage = Stage::terminal(Mode::Live);
    stage.start(1, "a").out(1, "name? ");
    assert_eq!(stage.out.text(), "▸ a: do a\nname? ");
    stage.err(1, "hint\n").start(2, "b").out(1, "again? ").out(2, "b\n");
    assert_eq!(stage.out.text(), "▸ a: do a\nname? hint\n▸ b: do b\nb\n", "two jobs: whole lines");
    stage.end(2, "b", 0);
    assert!(stage.out.text().ends_with("\nb\nagain? "), "alone again");
    stage.end(1, "a", 0).done(&[], counts(2, 0, 0, 0));
    assert!(stage.out.text().ends_with("again? \n✓ 2 tasks in 1.50s\n"));
}

#[test]
fn a_terminal_gets_no_colour_of_others() {
    let mut stage = Stage::terminal(Mode::Live);
    stage.start(1, "a").out(1, "\x1b[31mred\n").end(1, "a", 3);
    assert_eq!(stage.out.text(), "▸ a: do a\n\x1b[31mred\n\x1b[0m✗ a: exit 3 after 5ms (Xecfile.kdl:4)\n");
}

#[test]
fn prefixed_lines_say_whose_they_are() {
    let mut stage = Stage::pipes(Mode::Prefixed);
    stage.start(1, "build").out(1, "x\n").start(2, "b").out(2, "y\nz").err(1, "e\n").out(1, "w\n");
    stage.end(2, "b", 0).end(1, "build", 0).done(&[], counts(2, 0, 0, 0));
    let (out, err) = stage.both();
    assert_eq!(out, "build │ x\nb     │ y\nbuild │ w\nb     │ z");
    assert_eq!(err, "▸ build: do build\n▸ b: do b\nbuild │ e\n✓ 2 tasks in 1.50s\n");
}

#[test]
fn prefixed_on_a_terminal_is_cleaned_and_coloured() {
    let mut stage = Stage::new(Mode::Prefixed, true, |setup| setup.out.color = true);
    stage.start(1, "a").out(1, "\x1b]0;t\x07\x1b[2Jx\x1b[1mb").out(1, "old\ny\n10%\r20%\r\n");
    let prefix = &stage.out.text()[stage.out.text().find("\x1b[").unwrap()..].split_once("x\x1b").unwrap().0.to_owned();
    assert!(prefix.ends_with("ma │\x1b[0m "), "{prefix:?}");
    let lines = format!("{prefix}x\x1b[1mbold\n\x1b[0m{prefix}y\n{prefix}10%\r{prefix}20%\r\n");
    assert_eq!(stage.out.text(), format!("▸ a: do a\n{lines}"));
}

#[test]
fn an_endless_line_keeps_its_prefix_when_it_goes_on() {
    let long = "x".repeat(lines::LONGEST + 1);
    let mut stage = Stage::pipes(Mode::Prefixed);
    stage.start(1, "a").start(2, "b").out(1, &long).out(1, &long).out(2, "b\n").out(1, "end\n");
    assert_eq!(stage.both().0, format!("a │ {long}{long}\nb │ b\na │ end\n"));
}

#[test]
fn grouped_steps_come_whole_at_their_end() {
    let mut stage = Stage::terminal(Mode::Grouped);
    stage.start(1, "a").start(2, "b").out(1, "a1\n").err(1, "a2\n").out(2, "b1\x1b[2J\x1b[31m\n").out(1, "a3");
    assert_eq!(stage.out.text(), "");
    stage.end(2, "b", 2);
    assert_eq!(stage.out.text(), "✗ b: exit 2 after 5ms (Xecfile.kdl:4)\nb1\x1b[31m\n\x1b[0m");
    stage.end(1, "a", 0).done(&[(2, "b", 2)], counts(1, 1, 0, 0));
    let rest = "✓ a: do a: ok after 5ms\na1\na2\na3\n\
                ✗ b: do b (Xecfile.kdl:4)\n  exit 2 after 5ms\n  │ b1\x1b[31m\x1b[0m\n\
                ✗ 1 failed, 1 ok in 1.50s; exit code 2\n";
    assert_eq!(stage.out.text().split_once("\x1b[0m").unwrap().1, rest);
}

#[test]
fn grouped_output_larger_than_memory_is_whole() {
    let mut stage = Stage::pipes(Mode::Grouped);
    stage.start(1, "a");
    let text: String = (0..300_000).map(|n| format!("line {n}\n")).collect();
    for piece in text.as_bytes().chunks(50_001) {
        stage.out(1, piece);
    }
    stage.end(1, "a", 0);
    assert!(stage.out.text() == text);
}

#[test]
fn failed_shows_only_what_failed() {
    let mut stage = Stage::pipes(Mode::Failed);
    stage.start(1, "a").start(2, "b").out(1, "a\n").out(2, "b\n").err(2, "why\n").end(2, "b", 1).end(1, "a", 0);
    stage.done(&[(2, "b", 1)], counts(1, 1, 0, 0));
    let (out, err) = stage.both();
    assert_eq!(out, "b\n");
    assert_eq!(err, "✗ b: exit 1 after 5ms (Xecfile.kdl:4)\nwhy\n✗ 1 failed, 1 ok in 1.50s; exit code 1\n");
}

#[test]
fn quiet_mode_tells_the_last_lines_of_what_failed() {
    let mut stage = Stage::pipes(Mode::Quiet);
    stage.start(1, "a").out(1, "no\n").err(1, "yes\n").end(1, "a", 1).done(&[(1, "a", 1)], counts(0, 1, 0, 0));
    let expected = "✗ a: exit 1 after 5ms (Xecfile.kdl:4)\n\
                    ✗ a: do a (Xecfile.kdl:4)\n  exit 1 after 5ms\n  │ yes\n\
                    ✗ 1 failed in 1.50s; exit code 1\n";
    assert_eq!(stage.both(), (String::new(), expected.to_owned()));
}

#[test]
fn lines_that_stand_directly_above_are_not_repeated() {
    let mut stage = Stage::pipes(Mode::Live);
    stage.start(1, "a").err(1, "why\n").end(1, "a", 2).done(&[(1, "a", 2)], counts(0, 1, 0, 0));
    assert_eq!(stage.both().1, "▸ a: do a\nwhy\n✗ a: exit 2 after 5ms (Xecfile.kdl:4)\n");
    // Another job wrote in between, so that they do not stand together.
    let mut stage = Stage::pipes(Mode::Live);
    stage.start(1, "a").start(2, "b").err(1, "why\n").err(2, "noise\n").err(1, "so\n").end(1, "a", 2);
    stage.event(finished(2, "b", Verdict::Cancelled(Reason::Failed))).done(&[(1, "a", 2)], counts(0, 1, 1, 0));
    let told = "✗ a: do a (Xecfile.kdl:4)\n  exit 2 after 5ms\n  │ why\n  │ so\n\
                ✗ 1 failed, 1 cancelled in 1.50s; exit code 2\n";
    assert_eq!(stage.both().1.split_once("(Xecfile.kdl:4)\n").unwrap().1, told);
}

#[test]
fn quiet_says_failures_and_nothing_else() {
    let mut stage = Stage::new(Mode::Live, false, |setup| setup.quiet = true);
    stage.start(1, "a").out(1, "x\n").end(1, "a", 0).start(2, "b").end(2, "b", 7);
    stage.event(Event::Swept { processes: vec!["sleep (9)".into()] });
    stage.done(&[(2, "b", 7)], counts(1, 1, 0, 0));
    let failures = "✗ b: exit 7 after 5ms (Xecfile.kdl:4)\n✗ 1 failed, 1 ok in 1.50s; exit code 7\n";
    assert_eq!(stage.both(), ("x\n".to_owned(), failures.to_owned()));
    let mut stage = Stage::new(Mode::Grouped, false, |setup| setup.quiet = true);
    stage.start(1, "a").out(1, "x\n").end(1, "a", 0).start(2, "a").end(2, "a", 0).done(&[], counts(1, 0, 0, 0));
    assert_eq!(stage.both(), ("x\n".to_owned(), String::new()));
}

#[test]
fn verbose_says_more() {
    let mut stage = Stage::new(Mode::Live, false, |setup| setup.verbose = true);
    let waits = Waits { slot: Duration::from_secs(2), ..Waits::default() };
    stage.event(Event::StepStarted { job: JobId(1), step: label("a"), attempt: 2, waits, slots: 1, pid: Some(7) });
    let usage = Usage { user: Duration::from_millis(3), system: Duration::ZERO, peak_memory: 2048 };
    let (step, duration) = (label("a"), Duration::from_millis(5));
    stage.event(Event::StepFinished { job: JobId(1), step, verdict: Verdict::Ok, duration, usage: Some(usage) });
    let expected = "▸ a: do a (attempt 2, pid 7, waited 2.00s for a slot)\n\
                    ✓ a: do a: ok after 5ms, user 3ms, system 0ms, peak 2 KiB\n";
    assert_eq!(stage.both().1, expected);
}

#[test]
fn what_else_happens_is_said() {
    let mut stage = Stage::pipes(Mode::Live);
    stage.start(1, "a");
    stage.event(Event::StepLeaked { job: JobId(1), holders: vec!["sleep\x1b (9)".into()] });
    stage.event(Event::StepStopped { job: JobId(1), signal: 21 });
    stage.event(Event::Scarce { jobs: 2, why: "EAGAIN".into() });
    for what in ["a", "b"] {
        stage.event(Event::Cancelling { what: what.into(), reason: Reason::Signal(2), level: Level::Soft });
    }
    stage.event(Event::Cancelling { what: "a".into(), reason: Reason::Signal(2), level: Level::Kill });
    stage.event(Event::Cancelling { what: "a".into(), reason: Reason::Failed, level: Level::Soft });
    stage.event(Event::Suspended).event(Event::Resumed).event(Event::Swept { processes: vec!["sleep (9)".into()] });
    let expected = "▸ a: do a\n\
        ! a: sleep\\u{1b} (9) still holds its output open; not waited for\n\
        ! a: stopped by SIGTTIN: it wants the terminal, which only an `interactive` step has\n\
        ! no room for more processes (EAGAIN): from now on at most 2 at once\n\
        ■ ending what runs: SIGINT; Ctrl-C again kills\n\
        ■ killing what runs: SIGINT\n\
        ! still there at the end, and ended: sleep (9)\n";
    assert_eq!(stage.both().1, expected);
}

#[test]
fn names_and_texts_cannot_drive_the_terminal() {
    let mut stage = Stage::terminal(Mode::Prefixed);
    stage
        .start(1, "a\x1b[2J\n")
        .out(1, "x\n")
        .end(1, "a\x1b[2J\n", 1)
        .done(&[(1, "a\x1b]0;t\x07", 1)], counts(0, 1, 0, 0));
    assert!(!stage.out.text().contains(['\x1b', '\x07']), "{:?}", stage.out.text());
}

#[test]
fn the_thread_shows_all_and_ends_with_the_channel() {
    let (out, err, events) = (Shared::default(), Shared::default(), Shared::default());
    let setup = Setup {
        quiet: true,
        events: Some(Box::new(events.clone())),
        ..Setup::plain(out.sink(false, false), err.sink(false, false), Mode::Live)
    };
    let (tx, rx) = tokio::sync::mpsc::unbounded_channel();
    let thread = spawn(setup, rx, Box::new(|error| panic!("{error}"))).unwrap();
    tx.send(Message::Event(Duration::ZERO, started(1, "a"))).unwrap();
    for n in 0..1000 {
        tx.send(output(1, Stream::Stdout, format!("{n}\n"))).unwrap();
    }
    tx.send(Message::Event(Duration::ZERO, finished(1, "a", Verdict::Ok))).unwrap();
    drop(tx);
    thread.join().unwrap().unwrap();
    assert_eq!(out.text(), (0..1000).map(|n| format!("{n}\n")).collect::<String>());
    assert_eq!((err.text().as_str(), events.text().lines().count()), ("", 1002));
}

/// Fails from some byte on.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::from_raw_os_error(nix::libc::ENOSPC));
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stream_that_is_full_is_told_once_and_holds_nobody_up() {
    let err = Shared::default();
    for events in [false, true] {
        let full = |full: bool| if full { Full(100) } else { Full(usize::MAX) };
        let out = console::Sink { to: Box::new(full(!events)), terminal: false, color: false };
        let events = Some(Box::new(full(events)) as Box<dyn Write + Send>);
        let setup = Setup { events, ..Setup::plain(out, err.sink(false, false), Mode::Live) };
        let (tx, rx) = tokio::sync::mpsc::unbounded_channel();
        let (told, hear) = mpsc::channel();
        let thread = spawn(setup, rx, Box::new(move |error| told.send(error.raw_os_error()).unwrap())).unwrap();
        tx.send(Message::Event(Duration::ZERO, started(1, "a"))).unwrap();
        tx.send(output(1, Stream::Stdout, "x\n".repeat(1000))).unwrap();
        assert_eq!(hear.recv().unwrap(), Some(nix::libc::ENOSPC));
        // Nobody may wait for room that only a report could give back.
        let room = std::sync::Arc::new(tokio::sync::Semaphore::new(1));
        for _ in 0..3 {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let hold = Some(runtime.block_on(room.clone().acquire_owned()).unwrap());
            let output = Output { job: JobId(1), stream: Stream::Stdout, bytes: vec![b'y'; 10], hold };
            tx.send(Message::Output(output)).unwrap();
        }
        drop(tx);
        assert_eq!(thread.join().unwrap().unwrap_err().raw_os_error(), Some(nix::libc::ENOSPC));
        assert!(hear.recv().is_err(), "told once");
    }
}

/// Panics.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("on purpose")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_panic_is_told_too() {
    let err = console::Sink { to: Box::new(Broken), terminal: false, color: false };
    let out = Shared::default().sink(false, false);
    let setup = Setup::plain(out, err, Mode::Live);
    let (tx, rx) = tokio::sync::mpsc::unbounded_channel();
    let (told, hear) = mpsc::channel();
    let thread = spawn(setup, rx, Box::new(move |error| told.send(error.to_string()).unwrap())).unwrap();
    tx.send(Message::Event(Duration::ZERO, started(1, "a"))).unwrap();
    assert_eq!(hear.recv().unwrap(), "the report panicked");
    assert!(thread.join().is_err());
}

const JOBS: u64 = 3;

/// One piece: which job, which stream, what. Each job writes only its own letter.
fn piece() -> impl Strategy<Value = (u64, Stream, String)> {
    let text = proptest::collection::vec(prop_oneof![Just("\n"), Just("*"), Just("**")], 0..6);
    let stream = prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)];
    (0..JOBS, stream, text).prop_map(|(job, stream, text)| (job, stream, text.concat().replace('*', letter(job))))
}

fn letter(job: u64) -> &'static str {
    ["a", "b", "c"][job as usize]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Live), Just(Mode::Prefixed), Just(Mode::Grouped)]
}

proptest! {
    #[test]
    fn no_line_is_torn_and_no_byte_lost(pieces in proptest::collection::vec(piece(), 0..40), mode in mode(), terminal: bool) {
        // Two streams even for terminals, to look at each; -q, to see nothing of xec's own.
        let err = Shared::default();
        let mut stage = Stage::new(mode, terminal, |setup| {
            setup.quiet = true;
            setup.err = err.sink(false, false);
        });
        stage.err = err;
        (0..JOBS).for_each(|job| { stage.start(job, letter(job)); });
        for (job, stream, text) in &pieces {
            stage.tell(output(*job, *stream, text));
        }
        (0..JOBS).for_each(|job| { stage.end(job, letter(job), 0); });
        for (stream, shown) in [(Stream::Stdout, stage.out.text()), (Stream::Stderr, stage.err.text())] {
            for job in 0..JOBS {
                let of_job = pieces.iter().filter(|(of, on, _)| *of == job && *on == stream);
                let written: String = of_job.map(|(_, _, text)| text.as_str()).collect();
                let prefix = format!("{} │ ", letter(job));
                let lines = shown.lines().map(|line| match mode {
                    Mode::Prefixed => (line.starts_with(&prefix), line.get(prefix.len()..).unwrap_or_default()),
                    _ => (line.contains(letter(job)), line),
                });
                let mine: Vec<&str> = lines.filter(|(mine, _)| *mine).map(|(_, line)| line).collect();
                // Only a prefix tells whose an empty line is.
                let whole = |line: &&str| mode == Mode::Prefixed || !line.is_empty();
                let expected: Vec<&str> = written.lines().filter(whole).collect();
                if mode == Mode::Live && terminal {
                    // A prompt of the last job may have gone out before the rest of its line came.
                    assert_eq!(mine.concat(), expected.concat());
                } else {
                    assert_eq!(mine, expected);
                }
            }
        }
    }
}

#[test]
fn what_stands_below_gives_way_to_lines_and_comes_back() {
    let mut stage = Stage::new(Mode::Prefixed, true, |setup| setup.status = true);
    let at = |seconds| Duration::from_secs(seconds);
    let run = Event::RunStarted { run: "r".into(), requested: Vec::new(), jobs: None, tasks: 10, steps: 10 };
    stage.tell(Message::Event(at(0), run)).tell(Message::Event(at(2), started(1, "a")));
    let drawn = |text: &str| format!("\r\x1b[K\x1b[?7l{text}\x1b[?7h");
    let mut told = format!("▸ a: do a\n{}", drawn("0 of 10 tasks · a"));
    assert_eq!(stage.out.text(), told);
    stage.out(1, "x\n");
    told += &format!("\r\x1b[Ka │ x\n{}", drawn("0 of 10 tasks · a"));
    assert_eq!(stage.out.text(), told);
    stage.tell(Message::Event(at(3), run_finished(&[], counts(10, 0, 0, 0))));
    assert_eq!(stage.out.text(), told + "\r\x1b[K", "the end leaves nothing of it");
}
