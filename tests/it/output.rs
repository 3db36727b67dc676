//! No lost byte, no torn line, no unbounded memory, no silence about an output that is closed.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Read;
use std::time::Duration;

use nix::sys::resource::Resource;
use nix::sys::signal::Signal;

use crate::harness::{Case, Ran, XEC, proc};

/// What xec may hold at most, whatever flows through it.
const PEAK_KIB: u64 = 64 * 1024;

#[test]
fn lines_of_parallel_tasks_stay_whole_and_in_order() {
    // stdio cuts its buffers anywhere, so the pieces that arrive are no lines.
    const LINES: u64 = 20_000;
    let writers: String =
        ["a", "b", "c", "d"].map(|name| format!("exec seq -f \"{name} %.0f {}\" 1 {LINES}\n", "x".repeat(60))).concat();
    let file = format!("task t {{ parallel {{ {writers} }} }}\n");
    for mode in ["live", "grouped", "auto"] {
        let ran = Case::new().xecfile(&file).args(["-j4", "-o", mode, "t"]).run().ok();
        let mut next: HashMap<&str, u64> = HashMap::new();
        let out = ran.out();
        for line in out.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [name, number, filler] = words[..] else { panic!("torn: {line:?} in {mode}") };
            let expected = next.entry(name).or_insert(0);
            *expected += 1;
            assert_eq!((number, filler), (expected.to_string().as_str(), "x".repeat(60).as_str()), "{mode}");
        }
        assert_eq!(next, HashMap::from([("a", LINES), ("b", LINES), ("c", LINES), ("d", LINES)]), "{mode}");
    }
}

#[test]
fn a_prefix_says_whose_line_it_is() {
    let file = r#"
        task both { needs one two }
        task one { run "echo first; echo second" }
        task two { run "echo third" }
    "#;
    let out = Case::new().xecfile(file).args(["-o", "prefixed", "both"]).run().ok().out();
    let whose =
        |words: &str| out.lines().find(|line| line.ends_with(words)).unwrap_or_else(|| panic!("{out}")).to_owned();
    assert!(
        whose("first").contains("one") && whose("second").contains("one") && whose("third").contains("two"),
        "{out}"
    );
}

#[test]
fn grouped_shows_a_step_in_one_piece() {
    let file = r#"task t { parallel {
        run "echo a1; echo x > meet; read -r x < back; echo a2"
        run "read -r x < meet; echo b1; echo b2; echo x > back"
    } }"#;
    let ran = Case::new().fifo("meet").fifo("back").xecfile(file).args(["-j2", "-o", "grouped", "t"]).run().ok();
    assert!(["a1\na2\nb1\nb2\n", "b1\nb2\na1\na2\n"].contains(&ran.out().as_str()), "{}", ran.story());
}

#[test]
fn failed_shows_only_what_failed() {
    let file = r#"task t { run "echo fine"; run "echo broken; exit 3" }"#;
    let ran = Case::new().xecfile(file).args(["-o", "failed", "t"]).run().code(3);
    let all = ran.out() + &ran.err();
    assert!(all.contains("broken") && !all.contains("fine\n"), "{}", ran.story());
}

#[test]
fn quiet_shows_nothing_of_a_success() {
    let ran =
        Case::new().xecfile(r#"task t { run "echo out; echo err >&2" }"#).args(["-o", "quiet", "-q", "t"]).run().ok();
    assert_eq!((ran.out(), ran.err()), (String::new(), String::new()));
}

#[test]
fn stdout_and_stderr_stay_apart() {
    let ran = Case::new().xecfile(r#"task t { run "echo out; echo err >&2" }"#).args(["-q", "t"]).run().ok();
    assert_eq!((ran.out().as_str(), ran.err().as_str()), ("out\n", "err\n"));
}

#[test]
fn bytes_that_are_no_text_pass_as_they_are() {
    let file = r##"task t { run #"printf '\377\376\000\033]0;t\007\r\n'"# }"##;
    let ran = Case::new().xecfile(file).args(["t"]).run().ok();
    assert_eq!(ran.stdout, b"\xff\xfe\x00\x1b]0;t\x07\r\n");
}

#[test]
fn a_last_line_without_its_end_is_kept_and_joins_no_other() {
    let file = r#"task t { parallel { run "printf one"; run "printf two" } }"#;
    let ran = Case::new().xecfile(file).args(["-j2", "t"]).run().ok();
    let out = ran.out();
    let mut lines: Vec<&str> = out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["one", "two"], "{}", ran.story());
}

/// Runs a task that writes so many bytes, then waits, so that the most memory xec ever held can be read.
fn flood(command: &str, bytes: u64, newlines: u64) {
    let file = format!("task t {{ run #\"{command}\"#; run \"echo up > tell; read -r x < gate\" }}\n");
    let mut live = Case::new().fifo("gate").xecfile(file).args(["t"]).stdout_raw().spawn();
    let mut stdout = live.take_stdout();
    let reader = std::thread::spawn(move || {
        let (mut buffer, mut seen, mut lines) = (vec![0; 1 << 18], 0, 0);
        loop {
            match stdout.read(&mut buffer).expect("read the output") {
                0 => return (seen, lines),
                count => {
                    seen += count as u64;
                    lines += memchr::memchr_iter(b'\n', &buffer[..count]).count() as u64;
                }
            }
        }
    });
    assert_eq!(live.tell.line(), "up");
    let peak = proc::status_kib(live.pid(), "VmHWM");
    live.fifo("gate").say("end");
    live.end().ok().nothing_left();
    let (seen, lines) = reader.join().expect("the reader");
    assert!(seen == bytes || seen == bytes + 1, "{seen} bytes of {bytes}");
    assert!(lines.abs_diff(newlines) <= 1, "{lines} lines of {newlines}");
    assert!(peak < PEAK_KIB, "xec held {peak} KiB");
}

#[test]
fn four_hundred_megabytes_in_little_memory() {
    // ninja holds 515 MB for this.
    flood(
        "yes 0123456789012345678901234567890123456789012345678901234567890 | head -c 400000000",
        400_000_000,
        6_451_612,
    );
}

#[test]
fn one_endless_line_in_little_memory() {
    flood("head -c 200000000 /dev/zero", 200_000_000, 0);
}

#[test]
fn a_slow_reader_slows_the_task() {
    // The task says how far it is. Nobody reads its output until it has been silent for a while: then it is
    // blocked, or (if memory were unbounded) done.
    let script =
        "i=0\nwhile [ $i -lt 256 ]; do\n    head -c 1048576 /dev/zero\n    i=$((i+1))\n    echo $i > \"$TELL\"\ndone\n";
    let file = r#"task t { exec sh writer.sh; run "echo up > tell; read -r x < gate" }"#;
    let case = Case::new().fifo("gate").file("writer.sh", script).xecfile(file);
    let mut live = case.args(["t"]).stdout_raw().spawn();
    let mut stdout = live.take_stdout();
    let mut last = live.tell.line();
    while let Some(line) = live.tell.line_within(Duration::from_millis(300)) {
        last = line;
    }
    assert_ne!(last, "up", "the task ended though nobody read");
    let reader = std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()).expect("read the output"));
    while live.tell.line() != "up" {}
    let peak = proc::status_kib(live.pid(), "VmHWM");
    live.fifo("gate").say("end");
    live.end().ok();
    let seen = reader.join().expect("the reader");
    assert!((256 << 20..=(256 << 20) + 1).contains(&seen), "{seen} bytes");
    assert!(peak < PEAK_KIB, "xec held {peak} KiB");
}

#[test]
fn a_full_disk_is_an_error() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let ran = Case::new().xecfile(r#"task t { run "echo lost" }"#).args(["t"]).stdout_to(full).run();
    assert!(!ran.err().contains("panicked"), "{}", ran.story());
    ran.failed().nothing_left();
}

/// xec, started by a shell with these redirections.
fn redirected(xecfile: &str, words: &str) -> Ran {
    Case::new().xecfile(xecfile).program("bash").args(["-c", &format!("\"$0\" {words}"), XEC]).run()
}

#[test]
fn a_stdout_that_is_not_there_is_an_error() {
    let file = r#"task t { run "echo lost" }
        task silent { run "true" }"#;
    for words in ["t >&-", "-l >&-", "--help >&-", "--events=json silent >&-", "t <&- >&-", "-o grouped t >&-"] {
        redirected(file, words).code(1).says("xec: cannot write output: it is closed\n").nothing_left();
    }
    redirected(file, "--events=json:fd:1 silent >&-").code(2).says("descriptor 1: ");
    redirected(file, "silent >&-").ok();
    redirected(file, "t 2>&- <&-").ok().stdout("lost\n");
}

#[test]
fn too_large_a_file_is_an_error_like_others() {
    let case = |file: &str| Case::new().xecfile(file).limit(Resource::RLIMIT_FSIZE, 4096).args(["t"]);
    let out = tempfile::tempfile().expect("a file");
    let ran = case(r#"task t { run "head -c 100000 /dev/zero" }"#).stdout_to(out).run();
    ran.code(1).says("xec: cannot write output: File too large").nothing_left();
    // Tasks are told as ever.
    let ran = case(r#"task t { run "exec head -c 100000 /dev/zero > big" }"#).run();
    ran.code(128 + Signal::SIGXFSZ as i32).says("SIGXFSZ");
}

#[test]
fn where_output_cannot_be_kept_is_said() {
    let file = r#"task t { run "head -c 3000000 /dev/zero" }"#;
    let ran = Case::new().xecfile(file).env("TMPDIR", "/nonexistent/dir").args(["-o", "grouped", "t"]).run().code(1);
    ran.says("xec: cannot write output: cannot keep output in /nonexistent/dir: ").nothing_left();
    let ran = Case::new().xecfile(file).args(["--events=json:/nonexistent/x", "t"]).run().code(2);
    ran.says("`/nonexistent/x`: No such file");
    redirected(file, "--events=json:fd:0 t").code(2).says("descriptor 0: it is open for reading only");
    redirected(file, "--events=json:fd:3 t").code(2).says("descriptor 3: ");
}

#[test]
fn a_closed_stdout_stops_the_tasks() {
    let mut live = Case::new().xecfile(r#"task t { run "yes" }"#).args(["t"]).stdout_raw().spawn();
    let mut stdout = live.take_stdout();
    stdout.read_exact(&mut [0; 20]).expect("some lines");
    drop(stdout);
    let ran = live.end().failed().nothing_left();
    assert!(!ran.err().contains("panicked"), "{}", ran.story());
}

#[test]
fn what_xec_itself_prints_cannot_drive_the_terminal() {
    let nasty = r"evil\u{1b}]0;title\u{7}\u{1b}[2J\u{8}\u{9b}31m";
    let file = format!("task t desc=\"{nasty}\" {{ run \"printf ''; : '{nasty}'; exit 3\" }}\n");
    for args in [["-l"].as_slice(), &["-n", "t"], &["t"], &["-v", "t"], &["--graph", "t"], &["no\u{1b}[2Jtask"]] {
        let ran = Case::new().xecfile(&file).args(args.iter().copied()).run();
        let all = [ran.stdout.as_slice(), ran.stderr.as_slice()].concat();
        let bad = |c: char| c.is_control() && c != '\n';
        let text = String::from_utf8(all).expect("xec itself prints text");
        assert!(!text.contains(bad), "{args:?}: {text:?}");
        let shows = text.contains("evil") || args.contains(&"--graph") || args[0].starts_with("no");
        assert!(shows, "{args:?}: {text:?}");
    }
}
