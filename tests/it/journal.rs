//! What a run leaves for the next one: `--failed` takes it up again, `--last` shows it once more.

use nix::sys::signal::Signal;

use crate::harness::project::{Project, started};
use crate::harness::{Ran, proc};

/// A matrix of which one instance fails until there is a file, before a task and behind one that gives it a list.
const FILE: &str = r#"
    task build { run "echo built" }
    task names { run "printf 'a\nb\n'" { capture names as=lines } }
    task test { needs build; on-error continue; matrix { py 1 2 3 }; run "echo py $py; test $py != 2 || test -e good" }
    task each { needs names { take names }; on-error continue; matrix { n from="${names}" }; run "test $n != b || test -e good" }
    task all { needs test each; run "echo all" }
"#;

/// What lies in the directory of the runs.
fn kept(project: &Project) -> Vec<String> {
    let mut kept: Vec<_> = std::fs::read_dir(project.path().join(".xec/runs"))
        .unwrap()
        .map(|run| run.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    kept
}

fn runs(project: &Project) -> Vec<String> {
    kept(project).iter().filter_map(|name| name.strip_suffix(".run").map(str::to_owned)).collect()
}

#[track_caller]
fn failed(project: &Project) -> (Ran, Vec<String>) {
    let ran = project.xec(&["-k", "--failed"]);
    let mut names = started(&ran);
    names.sort();
    (ran, names)
}

#[test]
fn what_failed_or_never_ran_runs_again_until_nothing_is_left() {
    let project = Project::new(FILE);
    project.xec(&["-k", "all"]).code(1);
    let (ran, names) = failed(&project);
    ran.code(1).says("went well the last time: ");
    // Who gives a value to one that runs has to run for it; of its items only those that failed do.
    assert_eq!(names, ["each[n=b]", "names", "test[py=2]"]);
    project.write("good", "");
    let (ran, names) = failed(&project);
    ran.ok();
    assert_eq!(names, ["all", "each[n=b]", "names", "test[py=2]"]);
    let (ran, names) = failed(&project);
    ran.ok().says("xec: nothing failed in the last run (`xec all`)");
    assert!(names.is_empty());
}

#[test]
fn it_is_asked_for_with_the_same_words() {
    let project = Project::new(
        r#"task t { param level default=low; flag dry short=d; rest more; run "echo $level ${dry:-off}" args="${more}"; run "test -e good" }"#,
    );
    project.xec(&["t", "level=high", "-d", "--", "x y"]).code(1).stdout("high true\n");
    project.write("good", "");
    project.xec(&["--failed"]).ok().stdout("high true\n");
    project.xec(&["--failed"]).says("(`xec t level=high -d -- x y`)");
}

#[test]
fn a_look_says_what_would_run_again() {
    let project = Project::new(FILE);
    project.xec(&["-k", "all"]).code(1);
    let out = project.xec(&["-n", "--failed"]).ok().out();
    assert!(out.contains("test[py=1]  needed by all; skipped: went well the last time"), "{out}");
    assert!(out.contains("test[py=2]  needed by all\n"), "{out}");
}

#[test]
fn a_part_of_a_task_that_failed_begins_with_it() {
    let project = Project::new(r#"task part { run "echo part" }; task t { call part; run "test -e good" }"#);
    project.xec(&["t"]).code(1).stdout("part\n");
    project.write("good", "");
    project.xec(&["--failed"]).ok().stdout("part\n");
}

#[test]
fn a_service_is_up_for_whoever_runs_again() {
    let project = Project::new(
        r#"
        task db { service { ready log="ready" }; run "echo > up; echo ready; trap 'rm up; exit 0' TERM; while :; do sleep 0.01; done" }
        task good { needs db; run "test -e up" }
        task bad { needs db; run "test -e up && test -e fixed" }
        task all { needs good bad; on-error continue }
        "#,
    );
    project.xec(&["all"]).code(1);
    assert!(!project.has("up"));
    project.write("fixed", "");
    let (ran, mut names) = failed(&project);
    ran.ok();
    names.dedup();
    assert_eq!(names, ["bad", "db"]);
}

#[test]
fn the_last_run_of_another_file_is_taken_up_with_that_one() {
    let project = Project::new(r#"task t { run "true" }"#);
    project.write("other.kdl", r#"task u { run "exit 1" }"#);
    let other = project.path().join("other.kdl");
    project.xec(&["-f", other.to_str().unwrap(), "u"]).code(1);
    let why = "xec: the last run was one of `other.kdl`: `xec -f other.kdl --failed`";
    project.xec(&["--failed"]).code(2).stdout("").says(why);
    project.xec(&["-f", other.to_str().unwrap(), "--failed"]).code(1).says("✗ u: exit 1");
}

#[test]
fn without_a_run_there_is_nothing_to_take_up() {
    let project = Project::new(FILE);
    for word in ["--failed", "--last"] {
        project.xec(&[word]).code(2).says("xec: nothing has been run here yet");
    }
}

#[test]
fn the_last_run_is_shown_again() {
    let project = Project::new(r#"task a { run "echo out; echo err >&2" }; task b { needs a; run "echo b; exit 3" }"#);
    project.xec(&["b"]).code(3);
    let ran = project.xec(&["--last"]).ok();
    assert_eq!(ran.out(), "▸ a: echo out; echo err >&2\nout\nerr\n▸ b: echo b; exit 3\nb\n");
    ran.says("── a: ok").says("── b: 1 step failed").says("✗ b: echo b; exit 3 (Xecfile.kdl:1)").says("; exit code 3");
    let json = project.xec(&["--last", "--json"]).ok().out();
    let last: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["code"]), (&"run-finished".into(), &3.into()));
}

#[test]
fn logs_have_the_name_of_their_instance() {
    let project = Project::new(r#"task t { matrix { m "a/b" "%" }; run "echo $m" }"#);
    project.xec(&["t"]).ok();
    let run = format!(".xec/runs/{}", runs(&project).last().unwrap());
    assert_eq!(project.read(&format!("{run}/t[m=a%2Fb].log")), "▸ t[m=a/b]: echo $m\na/b\n");
    assert!(project.has(&format!("{run}/t[m=%25].log")));
}

#[test]
fn a_long_log_keeps_its_beginning_and_its_end() {
    let project = Project::new(r#"task t { run "seq 2000000; exit 1" }"#);
    project.xec(&["-o", "quiet", "t"]).code(1);
    let log = project.read(&format!(".xec/runs/{}/t.log", runs(&project).last().unwrap()));
    assert!(log.len() < 5 << 20, "{}", log.len());
    assert!(log.starts_with("▸ t: seq 2000000; exit 1\n1\n2\n") && log.ends_with("\n1999999\n2000000\n"));
    assert!(log.contains(" MiB are left out …\n"));
}

#[test]
fn ten_runs_are_kept() {
    let project = Project::new(r#"task t { run "echo said" }; task silent { run "true" }"#);
    let mut all = Vec::new();
    for turn in 0..12 {
        project.xec(&[if turn % 3 == 0 { "silent" } else { "t" }]).ok();
        all.extend(runs(&project).last().cloned());
    }
    assert_eq!(runs(&project), all[2..]);
    // And of the logs that were written nothing else is left: a silent run has none.
    let logs = (2..12).filter(|turn| turn % 3 != 0).map(|turn| all[turn].clone());
    let mut expected: Vec<_> = logs.chain(all[2..].iter().map(|run| format!("{run}.run"))).collect();
    expected.sort();
    assert_eq!(kept(&project), expected);
}

#[test]
fn a_run_that_goes_on_keeps_its_place() {
    let project = Project::new(r#"task long { run "cat never" }; task t { run "true" }"#);
    nix::unistd::mkfifo(&project.path().join("never"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let case = project.case(&["long"]).fifo("events");
    let to = format!("--events=json:{}", case.path().join("events").display());
    let mut long = case.args([to]).spawn();
    // What is told has been written down before.
    while !long.fifo("events").line().contains("cat never") {}
    let first = runs(&project).pop().unwrap();
    for _ in 0..12 {
        project.xec(&["t"]).ok();
    }
    assert!(runs(&project).contains(&first));
    long.signal(Signal::SIGTERM);
    let ended = long.end();
    assert!(!ended.err().contains("not remembered"), "{}", ended.story());
}

#[test]
fn a_run_that_was_killed_is_known_as_far_as_it_came() {
    let project = Project::new(r#"task a { run "true" }; task b { needs a; run "sleep 1000" }"#);
    let case = project.case(&["b"]).fifo("events");
    let to = format!("--events=json:{}", case.path().join("events").display());
    let mut live = case.args([to]).spawn();
    // What is told has been written down before.
    while !live.fifo("events").line().contains("sleep 1000") {}
    live.signal(Signal::SIGKILL);
    let ran = live.end().signal(Signal::SIGKILL);
    proc::await_gone(ran.path());
    project.xec(&["--last"]).ok().says("; it did not come to its end");
    let out = project.xec(&["-n", "--failed"]).ok().out();
    assert!(out.starts_with("a  needed by b; skipped: went well the last time\nb  requested\n"), "{out}");
}

#[test]
fn half_a_frame_and_a_strange_file_are_passed_over() {
    let project = Project::new(r#"task t { run "exit 1" }"#);
    project.xec(&["t"]).code(1);
    let record = format!(".xec/runs/{}.run", runs(&project)[0]);
    let bytes = std::fs::read(project.path().join(&record)).unwrap();
    for cut in 0..bytes.len() {
        project.write(&record, &bytes[..cut]);
        let ran = project.xec(&["--last"]);
        assert!(
            ran.err().contains("nothing has been run here yet") || ran.err().contains("▸ xec t"),
            "{}",
            ran.story()
        );
    }
    let mut later = bytes.clone();
    later[7] += 1;
    project.write(&record, &later);
    project.xec(&["--last"]).code(1).says("was written by another version of xec");
}

#[test]
fn where_nothing_can_be_written_there_is_no_journal_and_no_complaint() {
    let project = Project::new(r#"task t { run "echo ran" }"#);
    project.write(".xec/runs", "not a directory");
    let ran = project.xec(&["t"]).ok().stdout("ran\n");
    assert_eq!(ran.err(), "▸ t: echo ran\n");
}

#[test]
fn a_disk_that_is_full_half_way_is_told_and_ends_nothing() {
    let project = Project::new(r#"task t { run "seq 100000"; run "echo done" }"#);
    let case = project.case(&["-o", "quiet", "t"]).limit(nix::sys::resource::Resource::RLIMIT_FSIZE, 50_000);
    case.run().ok().says("! this run is not remembered: cannot write to ").says("✓ 1 task in ");
}

#[test]
fn a_run_inside_of_another_one_is_a_part_of_it() {
    let project = Project::new(r#"task inner { run "true" }; task outer { run "$XEC_BIN inner" }"#);
    let project = project.with("XEC_BIN", env!("CARGO_BIN_EXE_xec"));
    project.xec(&["outer"]).ok();
    assert_eq!(runs(&project).len(), 1);
    project.xec(&["--last"]).ok().says("▸ xec outer, ");
}

#[test]
fn a_command_for_hosts_is_taken_up_where_it_failed_or_did_not_get() {
    let file = "host \"box[1-3]\" { via docker; }\nhost \"gone1\" { via docker; }\ntask t { run \"true\" }";
    let project = Project::new(file);
    let docker = "#!/bin/sh\ncd \"${0%/*}/..\"\n[ -e back ] || case $3 in gone*) echo gone >&2; exit 1 ;; esac\nshift 3\nexec \"$@\"\n";
    project.program("standin/docker", docker);
    let ran = project.xec(&["--on", "*", "--", "sh", "-c", "echo up; [ -e good ] || [ ${XEC_INSTANCE#*@} != box2 ]"]);
    ran.code(1).says("1 failed, 1 unreachable, 2 ok");
    project.write("back", "");
    let (ran, names) = failed(&project);
    ran.code(1);
    assert_eq!(names, ["sh@box2", "sh@gone1"]);
    project.write("good", "");
    let (ran, names) = failed(&project);
    ran.ok();
    assert_eq!(names, ["sh@box2"]);
    let (ran, names) = failed(&project);
    ran.ok().says("xec: nothing failed in the last run (`xec --on * -- sh -c echo up;");
    assert!(names.is_empty());
    project.xec(&["t"]).ok();
    project.xec(&["--failed"]).ok().says("nothing failed in the last run (`xec t`)");
}

#[test]
fn each_instance_on_a_host_has_a_log_of_its_own() {
    let project = Project::new("host \"web[1-2]\" { via local; }\ntask t { on \"*\"; run \"echo from $host\" }");
    project.xec(&["t"]).ok();
    let [run] = &runs(&project)[..] else { panic!("one run") };
    for host in ["web1", "web2"] {
        let log = project.read(&format!(".xec/runs/{run}/t@{host}.log"));
        assert!(log.ends_with(&format!("from {host}\n")), "{log}");
    }
}
