//! What flows down from the file to a step: `cwd`, `env`, `shell`; and what xec itself sets.

use crate::harness::{Case, End};

fn case(xecfile: &str) -> Case {
    Case::new().xecfile(xecfile)
}

#[test]
fn env_flows_down_and_the_nearest_wins() {
    let file = r#"
        env { A "file"; B "file"; C "file"; D "file" }
        defaults { env { B "defaults"; C "defaults"; D "defaults" } }
        task t {
            env { C "task"; D "task" }
            sequence {
                env { D "group" }
                run "echo $A $B $C $D"
                run "echo $A $B $C $D" { env D "step" }
            }
            run "echo $A $B $C $D"
        }
    "#;
    let expected = "file defaults task group\nfile defaults task step\nfile defaults task task\n";
    case(file).args(["t"]).run().ok().stdout(expected);
}

#[test]
fn the_file_wins_over_the_process_and_can_take_from_it() {
    let file = r#"
        env { FROM_FILE "file"; KEPT "${env.KEPT:-nothing}"; OTHER "${env.OTHER:-a default}" }
        task t { run "echo $FROM_FILE, $KEPT, $OTHER, $INHERITED" }
    "#;
    let case = case(file).env("FROM_FILE", "process").env("KEPT", "kept").env("INHERITED", "inherited");
    case.args(["t"]).run().ok().stdout("file, kept, a default, inherited\n");
}

#[test]
fn a_value_is_never_code() {
    let nasty = "a'b\"c $(touch pwned) `touch pwned`; touch pwned \n*";
    let file = r##"
        env { V "${env.NASTY}" }
        task t { run #"printf %s "$V""#; exec printf %s "${env.NASTY}" }
    "##;
    let ran = case(file).env("NASTY", nasty).args(["t"]).run().ok();
    // The steps end no line, so xec ends the first one.
    assert_eq!(ran.out(), format!("{nasty}\n{nasty}"));
    assert!(!ran.path().join("pwned").exists());
}

#[test]
fn cwd_is_the_folder_of_the_file_and_flows_down() {
    let file = r#"
        task here { run "pwd" }
        task there cwd="sub/a" { run "pwd"; run "pwd" cwd="sub/b" }
    "#;
    let tree = || case(file).file("sub/a/x", "").file("sub/b/x", "");
    let ran = tree().args(["here", "there"]).run().ok();
    let root = ran.path().canonicalize().unwrap().display().to_string();
    assert_eq!(ran.out(), format!("{root}\n{root}/sub/a\n{root}/sub/b\n"));

    let ran = tree().args(["-C", "sub/a", "here"]).run().ok();
    let root = ran.path().canonicalize().unwrap().display().to_string();
    assert_eq!(ran.out(), format!("{root}\n"), "the file is found upward, and its folder counts");
}

#[test]
fn another_file_can_be_named() {
    let file = r#"task t { run "pwd" }"#;
    let ran = Case::new().file("other/tasks.kdl", file).args(["-f", "other/tasks.kdl", "t"]).run().ok();
    let root = ran.path().canonicalize().unwrap().display().to_string();
    assert_eq!(ran.out(), format!("{root}/other\n"));
}

#[test]
fn another_shell_can_be_named() {
    let file = r#"
        task bash { shell bash -c; run "echo ${BASH_VERSION:+bash} ${no_such_name}" }
        task cat { shell echo said; run "the   text"; sequence { shell printf "[%s]"; run "inner" } }
    "#;
    case(file).args(["bash"]).run().ok().stdout("bash\n");
    case(file).args(["cat"]).run().ok().stdout("said the   text\n[inner]");
}

#[test]
fn xec_says_who_and_where_it_is() {
    let file =
        r#"task t { run "echo $XEC $XEC_TASK $XEC_INSTANCE $XEC_ATTEMPT; echo $XEC_ROOT; test -n $XEC_RUN_ID" }"#;
    let ran = case(file).args(["t"]).run().ok();
    let root = ran.path().canonicalize().unwrap();
    assert_eq!(ran.out(), format!("1 t t 1\n{}\n", root.display()));
}

#[test]
fn what_runs_around_an_xec_is_not_begun_again_in_it() {
    let xec = env!("CARGO_BIN_EXE_xec");
    let file = format!(
        r##"
        task direct {{ run "echo direct >> log; {xec} -q direct" }}
        task outer {{ param depth default=0; run "echo outer >> log; {xec} -q middle" }}
        task middle {{ run "echo middle >> log; {xec} -q top" }}
        task top {{ needs outer; run "echo top >> log" }}
        task down {{ param from type=int; run #"echo $from >> log; test "$from" = 0 || {xec} -q down from=$((from - 1))"# }}
        task guarded {{ unless env STOP yes; run "echo guarded >> log; {xec} -q guarded" {{ env STOP yes }} }}
        task other {{ run "{xec} -q plain; {xec} -n other >> log" }}
        task plain {{ run "echo plain >> log" }}
        "##
    );
    let ran = case(&file).args(["direct"]).run().code(2).says("`direct` is running already");
    assert_eq!(ran.read("log"), "direct\n");
    assert!(ran.err().contains("error[cycle]") && ran.err().contains("`call direct`"), "{}", ran.story());
    let ran = case(&file).args(["outer"]).run().code(2).says("`outer` is running already");
    assert_eq!(ran.read("log"), "outer\nmiddle\n", "by way of another one, and of what it needs");
    assert_eq!(case(&file).args(["down", "from=2"]).run().ok().read("log"), "2\n1\n0\n", "other inputs, another one");
    assert_eq!(case(&file).args(["guarded"]).run().ok().read("log"), "guarded\n");
    let ran = case(&file).args(["other"]).run().ok();
    assert!(ran.read("log").starts_with("plain\nother  requested"), "looks are free: {}", ran.story());
}

#[test]
fn every_run_has_an_id_of_its_own_and_every_step_the_same() {
    let file = r#"task a { run "echo $XEC_RUN_ID" }
                  task b { needs a; run "echo $XEC_RUN_ID" }"#;
    let ids = || {
        let ran = case(file).args(["b"]).run().ok();
        let lines: Vec<String> = ran.out().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], lines[1]);
        lines[0].clone()
    };
    assert_ne!(ids(), ids());
}

#[test]
fn stdin_is_empty() {
    let ran = case(r#"task t { run "cat; echo end" }"#).args(["t"]).run();
    assert_eq!((ran.end, ran.out().as_str()), (End::Code(0), "end\n"));
}

#[test]
fn a_task_starts_with_clean_signals_and_descriptors() {
    let file = r##"task t { run #"grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/$$/fd; true"# }"##;
    let ran = case(file).args(["t"]).run().ok();
    let out = ran.out();
    let (signals, fds): (Vec<&str>, Vec<&str>) = out.lines().partition(|line| line.starts_with("Sig"));
    for line in signals {
        let set = line.split_whitespace().last().and_then(|mask| u64::from_str_radix(mask, 16).ok());
        // 32 and 33 belong to the C library, which lets nobody else set them.
        assert_eq!(set.map(|set| set & !(0b11 << 31)), Some(0), "{}", ran.story());
    }
    assert_eq!(fds, ["0", "1", "2"], "{}", ran.story());
}

#[test]
fn a_script_can_calculate_with_values() {
    let file = "task t { param i type=int default=4; run \"echo $((i * 10 + (i)))\" }";
    case(file).args(["t"]).run().ok().stdout("44\n");
}

/// The shell of scripts is looked for once on each PATH, and never taken from another one.
#[test]
fn each_path_has_its_own_shell() {
    let mut case = Case::new();
    for name in ["one", "two"] {
        case = case.file(&format!("{name}/sh"), format!("#!/bin/sh\necho {name}\n"));
        let path = case.path().join(name).join("sh");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let file = r#"
        task t {
            run "true; true" { env PATH="${env.XEC_TEST_HERE}/one:/usr/bin:/bin" }
            run "true; true" { env PATH="${env.XEC_TEST_HERE}/two:/usr/bin:/bin" }
            run "true; true" { env PATH=".:/usr/bin:/bin"; cwd "one" }
            run "true; true" { env PATH=".:/usr/bin:/bin"; cwd "two" }
            run "true; true" { env PATH="${env.XEC_TEST_HERE}/one:/usr/bin:/bin" }
        }
    "#;
    let here = case.path().to_path_buf();
    case.xecfile(file).env("XEC_TEST_HERE", here).args(["t"]).run().ok().stdout("one\ntwo\none\ntwo\none\n");
}
