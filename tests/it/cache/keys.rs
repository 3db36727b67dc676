//! What is in a key, and how its change is told.

use super::{runs, why};
use crate::harness::project::Project;

/// A project that has run once, and is then changed by replacing a part of its file.
fn changed(xecfile: &str, from: &str, to: &str) -> String {
    let project = Project::new(xecfile);
    project.write("src/x", "x");
    project.xec(&["a"]).ok();
    assert!(!runs(&project, "a"), "it is up to date before the change");
    let text = project.read("Xecfile.kdl");
    assert!(text.contains(from));
    project.write("Xecfile.kdl", text.replace(from, to));
    why(&project, "a")
}

#[test]
fn the_text_of_a_step() {
    let file = "task a { inputs src; run \"echo one\"; exec echo two }";
    assert_eq!(changed(file, "one", "three"), "runs, since a step was edited: echo three");
    assert_eq!(changed(file, "two", "2"), "runs, since a step was edited: echo 2");
    assert_eq!(changed(file, "; exec echo two", ""), "runs, since a step is gone");
    assert_eq!(changed(file, "exec echo two", "exec echo two; wait \"1ms\""), "runs, since a step is new");
    assert_eq!(changed(file, "inputs src", "inputs src; finally { run \"echo\" }"), "runs, since a step is new");
    assert_eq!(changed(file, "task a {", "task a { shell bash -c;"), "runs, since a step was edited: echo one");
    assert_eq!(
        changed(file, "inputs src", "inputs src; cwd ."),
        "runs, since a step was edited: echo one, a step was edited: echo two"
    );
}

#[test]
fn where_it_stands_in_the_file_is_no_part_of_it() {
    let file = "task a desc=\"what\" { inputs src; run \"echo one\" { when run \"true\" } }";
    for (from, to) in [("task a", "\n\n// A comment.\ntask a"), ("what", "which"), ("inputs", "timeout \"9s\"; inputs")]
    {
        assert_eq!(changed(file, from, to), "up to date");
    }
    assert_eq!(changed(file, "when run \"true\"", "when run \"exit 0\""), "runs, since a step was edited: echo one");
}

#[test]
fn values_that_a_step_names_and_no_others() {
    let file = "let used one\nlet other two\ntask a { inputs src; run \"echo $used\" }";
    assert_eq!(changed(file, "used one", "used 1"), "runs, since `used` was `one`, is `1`");
    assert_eq!(changed(file, "other two", "other 2"), "up to date");
    let file = "let said run=\"cat src/x\"\ntask a { inputs \"Xecfile.kdl\" \"!Xecfile.kdl\" \"src\"; exec echo \"${said|name}\" }";
    assert_eq!(changed(file, "cat src/x", "echo new"), "runs, since `said` was `x`, is `new`");
}

#[test]
fn declared_variables_and_those_that_are_named() {
    let file = "task a { inputs src; env RUSTFLAGS \"-O\"; run \"true\" }";
    assert_eq!(changed(file, "-O", "-g"), "runs, since env `RUSTFLAGS` was `-O`, is `-g`");
    let secret = "task a { inputs src; env API_TOKEN \"one\"; run \"true\" }";
    assert_eq!(changed(secret, "one", "two"), "runs, since env `API_TOKEN` changed");

    let project = Project::new("task a { inputs src; exec echo \"${env.NAMED}\" }");
    project.write("src/x", "x");
    let with = |name: &str, value: &str| project.case(&["--why", "a"]).env("NAMED", "1").env(name, value).run().ok();
    with("OTHER", "1").stdout("1\n");
    with("OTHER", "2").stdout("").says("up to date");
    with("NAMED", "2").stdout("2\n").says("env `NAMED` was `1`, is `2`");
}

#[test]
fn params_are_another_instance_or_another_value() {
    let project = Project::new("task a { param word default=one; inputs src; run \"echo $word\" }");
    project.write("src/x", "x");
    project.xec(&["a"]).ok().stdout("one\n");
    project.xec(&["a", "word=two"]).ok().stdout("two\n");
    project.xec(&["a"]).ok().stdout("");
    project.xec(&["a", "word=two"]).ok().stdout("");
}

#[test]
fn what_others_made_and_what_they_say() {
    let project = Project::new(
        r#"
        task make { outputs "out/x"; run "mkdir -p out; cp src/x out/x; date +%N > out/other" }
        task all { needs make }
        task a { needs all; inputs src/fixed; run "echo ran" }
        task say { run "cat src/x" capture=word }
        task b { needs say { take word }; inputs src/fixed; run "echo $word" }
        "#
        .replace("src/fixed", "\"src/fixed\"")
        .as_str(),
    );
    project.write("src/x", "one");
    project.write("src/fixed", "");
    project.xec(&["a"]).ok().stdout("ran\n");
    project.xec(&["a"]).ok().stdout("");
    project.write("src/x", "two");
    project.xec(&["a", "--why"]).ok().stdout("ran\n").says("what `all` made changed");
    project.xec(&["b"]).ok().stdout("two\n");
    project.xec(&["b"]).ok().stdout("");
    project.write("src/x", "three");
    project.xec(&["b", "--why"]).ok().stdout("three\n").says("`word` was `two`, is `three`");
}

#[test]
fn patterns_and_the_key_of_the_file() {
    let file = "task a { inputs src; cache key=one; run \"true\" }";
    assert_eq!(changed(file, "key=one", "key=two"), "runs, since the key was `one`, is `two`");
    assert_eq!(changed(file, "inputs src", "inputs \"src/*\""), "runs, since the patterns of `inputs` were edited");
    assert_eq!(
        changed(file, "inputs src", "inputs src; outputs \"o*\""),
        "runs, since the patterns of `outputs` were edited"
    );
}

#[test]
fn a_dotenv_file_is_part_of_it_and_is_not_shown() {
    let project = Project::new("dotenv \".env\"\ntask a { inputs src; run \"echo $PASS\" }");
    project.write("src/x", "x");
    project.write(".env", "PASS=one\n");
    project.xec(&["a"]).ok().stdout("one\n");
    project.xec(&["a"]).ok().stdout("");
    project.write(".env", "PASS=two\n");
    project.xec(&["a", "--why"]).ok().stdout("two\n").says("env `PASS` changed");
    let state = std::fs::read(project.path().join(".xec/state")).unwrap();
    assert!(!state.windows(3).any(|part| part == b"one" || part == b"two"));
}

#[test]
fn what_calls_are_given_counts_by_its_place() {
    let file = r#"
        task a { inputs src; call t v="1"; call u v="2" }
        task t { param v; run "echo t $v" }
        task u { param v; run "echo u $v" }
        "#;
    assert!(changed(file, r#"t v="1"; call u v="2""#, r#"t v="2"; call u v="1""#).starts_with("runs"));
    let file = r#"
        task a { inputs src; sequence { call t v="1" w="3"; call t v="2" w="4" } }
        task t { param v; param w; run "echo $v $w" }
        "#;
    let swapped = r#"call t v="2" w="3"; call t v="1" w="4""#;
    assert!(changed(file, r#"call t v="1" w="3"; call t v="2" w="4""#, swapped).starts_with("runs"));
    let swapped = r#"call t v="2" w="4"; call t v="1" w="3""#;
    assert!(changed(file, r#"call t v="1" w="3"; call t v="2" w="4""#, swapped).starts_with("runs"));
    // Also where only a condition asks for it.
    let file = r#"
        task a { inputs src; call t v="1" }
        task t { param v; run "echo one" { when equal "${v}" "1" } }
        "#;
    assert!(changed(file, r#"t v="1""#, r#"t v="2""#).starts_with("runs"));
}

/// What only a condition of a step names decides as much as what the step names.
#[test]
fn a_let_that_only_a_condition_names() {
    for condition in ["when run \"test $mode = fast\"", "when equal \"${mode}\" fast", "unless equal \"${mode}\" slow"]
    {
        let file = r#"
            let mode run="cat mode"
            task a { inputs src; run "echo always"; sequence { CONDITION; run "echo fast" } }
        "#;
        let project = Project::new(&file.replace("CONDITION", condition));
        project.write("src/x", "x");
        project.write("mode", "slow");
        project.xec(&["a"]).ok().stdout("always\n");
        assert!(!runs(&project, "a"));
        project.write("mode", "fast");
        assert_eq!(why(&project, "a"), "runs, since `mode` was `slow`, is `fast`", "{condition}");
        assert!(!runs(&project, "a"));
    }
}

#[test]
fn a_pattern_that_matches_nothing_is_told_with_the_nearest() {
    let project = Project::new(r#"task a { inputs "src/*.c" "src/*.hh"; run "true" }"#);
    project.write("src/x.c", "x");
    project.write("src/x.h", "x");
    let ran = project.xec(&["a"]).ok();
    let said = "a: `src/*.hh` of its `inputs` matches nothing; did you mean `src/*.h`";
    assert!(ran.err().contains(said), "{}", ran.story());
    project.write("Xecfile.kdl", r#"task a { inputs "src/*.cc"; run "true" }"#);
    let ran = project.xec(&["a"]).failed();
    let said = "there is no file that `inputs` means: src/*.cc; did you mean `src/*.c`";
    assert!(ran.err().contains(said), "{}", ran.story());
}
