//! What a task makes: looked at, not believed.

use std::os::unix::fs::PermissionsExt;

use super::{last, runs, why};
use crate::harness::project::Project;

const MAKE: &str = r#"
    task make {
        inputs src
        outputs "out/**"
        run "mkdir -p out/deep; cp src/x out/x; echo deep > out/deep/y; ln -sf x out/link"
    }
"#;

fn project(xecfile: &str) -> Project {
    let project = Project::new(xecfile);
    project.write("src/x", "x");
    project
}

#[test]
fn what_is_missing_or_changed_is_made_again() {
    let project = project(MAKE);
    assert!(runs(&project, "make"));
    assert!(!runs(&project, "make"));
    project.remove("out/deep/y");
    assert_eq!(why(&project, "make"), "runs, since output `out/deep/y` is missing");
    project.write("out/x", "tampered");
    assert_eq!(why(&project, "make"), "runs, since output `out/x` was changed");
    assert_eq!(project.read("out/x"), "x");
    std::fs::set_permissions(project.path().join("out/x"), PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(why(&project, "make"), "runs, since output `out/x` was changed");
    project.remove("out/link");
    std::os::unix::fs::symlink("deep", project.path().join("out/link")).unwrap();
    assert!(why(&project, "make").contains("output `out/link` was changed"));
    // What others put beside it is nothing to it.
    project.write("out/other", "other");
    assert_eq!(why(&project, "make"), "up to date");
}

#[test]
fn what_was_not_made_is_told_and_never_up_to_date() {
    let project = project("task make { inputs src; outputs \"out/x\"; run \"true\" }");
    let ran = project.xec(&["make"]).ok();
    assert!(
        ran.err().contains("make: it will run again, since in its `outputs`, `out/x` means nothing"),
        "{}",
        ran.story()
    );
    assert!(runs(&project, "make"));
}

#[test]
fn a_pattern_that_nothing_matches_was_not_made() {
    let project = project("task make { inputs src; outputs \"out/*.o\"; cache; run \"mkdir -p out; touch out/a.c\" }");
    for _ in 0..2 {
        let ran = project.xec(&["make"]).ok();
        let told = "make: it will run again, since `out/*.o` of its `outputs` matches nothing";
        assert!(ran.err().contains(told), "{}", ran.story());
        assert_eq!(crate::harness::project::started(&ran), ["make"]);
        project.remove("out");
    }
}

#[test]
fn a_directory_with_nothing_in_it_is_there_or_not() {
    for cache in ["", "cache;"] {
        let project = project(&format!("task make {{ inputs src; outputs logs; {cache} run \"mkdir -p logs\" }}"));
        assert!(runs(&project, "make"));
        assert!(!runs(&project, "make"));
        project.remove("logs");
        match cache {
            "" => assert_eq!(why(&project, "make"), "runs, since output `logs` is missing"),
            _ => assert_eq!(why(&project, "make"), "up to date, brought back"),
        }
        assert!(project.path().join("logs").is_dir());
        assert!(!runs(&project, "make"));
    }
}

#[test]
fn what_is_made_is_not_read() {
    let project =
        project("task make { inputs \"**\" \"!Xecfile.kdl\"; outputs out; run \"mkdir -p out; date +%N > out/now\" }");
    assert!(runs(&project, "make"));
    assert!(!runs(&project, "make"));
}

#[test]
fn nothing_is_made_outside_of_the_project() {
    for outputs in ["../out", "/tmp/out", "a/../../out"] {
        let project = project(&format!("task make {{ inputs src; outputs \"{outputs}\"; run \"echo ran\" }}"));
        let ran = project.xec(&["make"]).code(2).stdout("");
        assert!(ran.err().contains("error[output-outside]"), "{}", ran.story());
    }
    // What is only known late is told late.
    let project = project(
        "let to run=\"echo ../beside\"\ntask make { inputs src; outputs \"${to}/x\"; run \"mkdir -p $to; touch $to/x\" }",
    );
    let ran = project.xec(&["make"]).code(1).stdout("");
    assert!(ran.err().contains("does not lie in the project"), "{}", ran.story());
    assert!(!project.has("../beside"));
}

#[test]
fn nobody_makes_what_another_one_makes() {
    for (one, other) in [("out/x", "out/x"), ("out/**", "out/x"), ("out", "out/deep/*.c")] {
        let project = project(&format!(
            "task a {{ outputs \"{one}\"; run \"true\" }}\ntask b {{ outputs \"{other}\"; run \"true\" }}\ntask all {{ needs a b }}",
        ));
        let ran = project.xec(&["all"]).code(2);
        assert!(ran.err().contains("error[output-twice]"), "{one} {other}, {}", ran.story());
        project.xec(&["a"]).ok();
    }
    let matrix = project("task a { matrix { os linux macos }; outputs \"out/app\"; run \"true\" }");
    matrix.xec(&["a"]).code(2).says("error[output-twice]");
    let apart = project(
        "task a { matrix { os linux macos }; outputs \"out/${os}/app\"; run \"mkdir -p out/$os; touch out/$os/app\" }",
    );
    assert_eq!(last(&apart.xec(&["a"]).ok()), "✓ 2 tasks");
}

/// Two patterns may meet in a name that stands in neither: that is seen when it has happened, and neither is up to date.
#[test]
fn patterns_that_meet_in_a_file_are_told() {
    let project = project(
        r#"
        task a { inputs src; outputs "out/*.c"; run "mkdir -p out; echo a > out/x.c; echo a > out/own.c" }
        task b { needs a; inputs src; outputs "out/x*"; cache; run "echo b > out/x.c" }
        task c { needs b; inputs src; outputs "out/*.h"; run "echo c > out/x.h" }
        "#,
    );
    for _ in 0..2 {
        let ran = project.xec(&["c"]).ok();
        let told = "b: it will run again, since `a` made `out/x.c` too";
        assert!(ran.err().contains(told), "{}", ran.story());
        assert_eq!(ran.err().matches("will run again").count(), 1, "who only matches what others made has not made it");
        let started = crate::harness::project::started(&ran);
        assert!(started.starts_with(&["a".to_owned(), "b".to_owned()]), "{}", ran.story());
    }
}

/// Where the file system knows no case, `out/X` and `out/x` are one file, and nobody can see that in the names. The
/// same comes of a directory that is in two places, which every Linux can have.
#[test]
#[cfg(target_os = "linux")]
fn one_file_by_two_names_is_told() {
    let project = project(
        r#"
        task a { inputs src; outputs "Out/x"; run "echo a > Out/x" }
        task b { needs a; inputs src; outputs "out/x"; run "rm out/x; echo b > out/x" }
        "#,
    );
    project.write("out/else", "");
    project.write("Out/else", "");
    let script = format!("cd {} && mount --bind out Out && exec {} b", project.path().display(), crate::harness::XEC);
    let ran = crate::harness::Case::new().program("unshare").args(["-rm", "sh", "-c", &script]).run().ok();
    assert!(ran.err().contains("b: it will run again, since `a` made `out/x` too"), "{}", ran.story());
}
