//! Tasks, steps and groups: what runs, in which order, and how often.

use crate::harness::Case;

/// Runs a file and gives back what its steps wrote to the file `log`.
#[track_caller]
fn log(xecfile: &str, args: &[&str]) -> String {
    Case::new().xecfile(xecfile).args(args).run().ok().read("log")
}

#[test]
fn steps_run_in_order_and_stdout_is_theirs() {
    let file = r#"task build { run "echo one"; exec echo two; run "echo three" }"#;
    Case::new().xecfile(file).args(["build"]).run().ok().stdout("one\ntwo\nthree\n").nothing_left();
}

#[test]
fn what_is_needed_runs_first_and_once() {
    let file = r#"
        task top { needs left right; run "echo top >> log" }
        task left { needs base; run "echo left >> log" }
        task right { needs base; run "echo right >> log" }
        task base { run "echo base >> log" }
    "#;
    assert_eq!(log(file, &["top", "-j1"]), "base\nleft\nright\ntop\n");
    let wide = log(file, &["top", "-j8"]);
    assert!(wide.starts_with("base\n") && wide.ends_with("top\n") && wide.lines().count() == 4, "{wide}");
}

#[test]
fn requested_tasks_run_in_the_order_given_and_share_what_they_need() {
    let file = r#"
        task clean { run "echo clean >> log" }
        task build { needs gen; run "echo build >> log" }
        task test { needs gen build; run "echo test >> log" }
        task gen { run "echo gen >> log" }
    "#;
    assert_eq!(log(file, &["clean", "build", "test"]), "clean\ngen\nbuild\ntest\n");
    assert_eq!(log(file, &["test", "build"]), "gen\nbuild\ntest\n");
}

#[test]
fn side_by_side_on_request() {
    // Each waits for the other: only two at once can end.
    let file = r#"
        task a { run "echo a > to-b; read -r x < to-a; echo $x >> log" }
        task b { run "echo b > to-a; read -r x < to-b; echo $x >> log" }
    "#;
    let case = Case::new().fifo("to-a").fifo("to-b").xecfile(file);
    let ran = case.args(["-p", "-j2", "a", "b"]).run().ok();
    let mut lines: Vec<String> = ran.read("log").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["a", "b"]);
}

#[test]
fn after_orders_and_does_not_demand() {
    let file = r#"
        task a { after b; run "echo a >> log" }
        task b { run "echo b >> log" }
        task both { needs a b }
    "#;
    assert_eq!(log(file, &["a"]), "a\n");
    assert_eq!(log(file, &["both", "-j4"]), "b\na\n");
}

#[test]
fn after_wins_over_the_order_of_the_request() {
    let file = r#"
        task clean { run "echo clean >> log" }
        task build { after clean; run "echo build >> log" }
        task app { needs build; run "echo app >> log" }
        task deep { call app }
        task apart { run "echo apart >> log" }
        // Which is first cannot be said: the first waits for something in the second, which waits for the first.
        task one { after part; run "echo one >> log" }
        task part { run "echo part >> log" }
        task two { needs part; after one; run "echo two >> log" }
    "#;
    assert_eq!(log(file, &["build", "clean"]), "clean\nbuild\n");
    assert_eq!(log(file, &["app", "apart", "clean"]), "apart\nclean\nbuild\napp\n");
    assert_eq!(log(file, &["deep", "clean"]), "clean\nbuild\napp\n");
    assert_eq!(log(file, &["app", "apart"]), "build\napp\napart\n");
    assert_eq!(log(file, &["one", "two"]), "one\npart\ntwo\n");
    let plan = Case::new().xecfile(file).args(["-n", "build", "clean"]).run().ok().out();
    assert!(plan.find("clean") < plan.find("build"), "{plan}");
}

#[test]
fn after_is_met_by_a_failure_and_needs_is_not() {
    let file = r#"
        task bad { run "echo bad >> log; exit 3" }
        task cleanup { after bad; run "echo cleanup >> log" }
        task deploy { needs bad; run "echo deploy >> log" }
        task all on-error=continue { needs bad cleanup deploy }
    "#;
    let ran = Case::new().xecfile(file).args(["-k", "all"]).run().code(3);
    assert_eq!(ran.read("log"), "bad\ncleanup\n");
}

#[test]
fn a_call_runs_anew_in_its_place() {
    let file = r#"
        task twice { run "echo before >> log"; call say; call say; run "echo after >> log" }
        task say { needs base; run "echo say >> log" }
        task base { run "echo base >> log" }
    "#;
    assert_eq!(log(file, &["twice"]), "before\nbase\nsay\nsay\nafter\n");
}

#[test]
fn groups_nest() {
    let file = r#"
        task t {
            run "echo first >> log"
            parallel {
                sequence { run "echo a1 >> log"; run "echo a2 > meet; echo a2 >> log" }
                sequence { run "read -r x < meet; echo b1-$x >> log" }
            }
            run "echo last >> log"
        }
    "#;
    let ran = Case::new().fifo("meet").xecfile(file).args(["t", "-j2"]).run().ok();
    let lines = ran.read("log");
    let at = |word: &str| lines.lines().position(|line| line == word).unwrap_or_else(|| panic!("no {word} in {lines}"));
    assert_eq!((at("first"), at("last"), lines.lines().count()), (0, 4, 5), "{lines}");
    assert!(at("a1") < at("a2") && at("a1") < at("b1-a2"), "{lines}");
}

#[test]
fn one_job_takes_parallel_steps_in_the_order_of_the_file() {
    let mut file = "task t { parallel {\n".to_owned();
    for n in 0..20 {
        file += &format!("run \"echo {n} >> log\"\n");
    }
    file += "} }";
    let expected: String = (0..20).map(|n| format!("{n}\n")).collect();
    assert_eq!(log(&file, &["-j1", "t"]), expected);
}

#[test]
fn jobs_of_a_group_bound_its_children() {
    // Every step enters the house and says how full it is; `jobs 2` keeps it from ever holding three.
    let mut file = "task t { parallel jobs=2 {\n".to_owned();
    for n in 0..12 {
        file += &format!("run \"mkdir house/{n}; ls house | wc -l >> log; rmdir house/{n}\"\n");
    }
    file += "} }";
    let ran = Case::new().file("house/.keep", "").xecfile(file).args(["-j8", "t"]).run().ok();
    let counts: Vec<u32> = ran.read("log").lines().map(|line| line.trim().parse().unwrap()).collect();
    assert_eq!(counts.len(), 12);
    assert!(counts.iter().all(|count| (1..=2).contains(count)), "{counts:?}");
}

#[test]
fn zero_jobs_is_no_limit() {
    // All of them must be there at once before any of them may end.
    let file: String = (0..24).map(|n| format!("run \"echo {n} > \\\"$TELL\\\"; read -r x < never\"\n")).collect();
    let file = format!("task t {{ parallel {{\n{file}}} }}");
    let mut live = Case::new().xecfile(file).args(["-j0", "t"]).spawn();
    assert_eq!(live.tell.sorted(24).len(), 24);
    live.signal(nix::sys::signal::Signal::SIGTERM);
    live.end().signal(nix::sys::signal::Signal::SIGTERM).nothing_left();
}

#[test]
fn the_task_default_runs_where_none_is_named_else_the_list_is_shown() {
    let file = r#"task default { run "echo hello" }"#;
    Case::new().xecfile(file).run().ok().stdout("hello\n");
    let ran = Case::new().xecfile(r#"task build desc="Compile it" { run "touch ran" }"#).run();
    assert!(ran.out().contains("build") && ran.out().contains("Compile it"), "{}", ran.story());
    assert!(!ran.path().join("ran").exists());
}

#[test]
fn words_of_exec_are_literal() {
    let file = r##"task t { exec printf "<%s>" "a b" "$HOME" "*" ">" "`id`" "$(id)" "" "it's" }"##;
    Case::new().xecfile(file).args(["t"]).run().ok().stdout("<a b><$HOME><*><>><`id`><$(id)><><it's>");
}

#[test]
fn plain_words_behave_as_in_a_shell() {
    let file = r#"task t { run "true"; run "echo plain words"; run "cd /"; run "pwd"; run "exit 0"; run ":" }"#;
    let ran = Case::new().xecfile(file).args(["t"]).run().ok();
    let here = ran.path().canonicalize().unwrap();
    assert_eq!(ran.out(), format!("plain words\n{}\n", here.display()));
}

#[test]
fn a_script_without_an_interpreter_line_is_run_by_the_shell() {
    let case = Case::new().file("bin/hello", "echo hello from a script\n");
    let path = case.path().join("bin/hello");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    case.xecfile(r#"task t { run "bin/hello" }"#).args(["t"]).run().ok().stdout("hello from a script\n");
}
