//! `changed`: what files hold is compared with what they held when the instance last succeeded.

use crate::cache::runs;
use crate::harness::project::{Project, started};

fn project(xecfile: &str) -> Project {
    let project = Project::new(xecfile);
    project.write("src/a", "1");
    project
}

#[test]
fn a_task_runs_when_its_files_hold_something_new() {
    let project = project(r#"task t { when changed "src/**" "lock"; run "echo ran" }"#);
    assert!(runs(&project, "t"));
    assert!(!runs(&project, "t"));
    project.xec(&["t"]).ok().says(", 1 skipped");
    project.age("src/a", 5);
    assert!(!runs(&project, "t"), "a touch is no change");
    project.write("src/a", "2");
    assert!(runs(&project, "t") && !runs(&project, "t"));
    project.write("src/b", "");
    assert!(runs(&project, "t") && !runs(&project, "t"));
    project.write("lock", "what was not there is");
    assert!(runs(&project, "t") && !runs(&project, "t"));
    project.remove("lock");
    assert!(runs(&project, "t") && !runs(&project, "t"));
    assert_eq!(started(&project.xec(&["--force", "t"]).ok()), ["t"]);
}

#[test]
fn only_a_success_counts() {
    let project = project(r#"task t { when changed "src/**"; run "test -e good" }"#);
    project.xec(&["t"]).code(1);
    project.xec(&["t"]).code(1);
    project.write("good", "");
    assert!(runs(&project, "t") && !runs(&project, "t"));
    project.remove("good");
    project.write("src/a", "2");
    project.xec(&["t"]).code(1);
    project.write("src/a", "1");
    assert!(!runs(&project, "t"), "this is what it succeeded with");
}

#[test]
fn a_step_asks_for_its_task_and_each_instance_for_itself() {
    let project = project(
        r#"task t { matrix { d "src" "lib" }; sequence { when changed "${d}/**"; run "echo fetch $d" }; run "echo test $d" }"#,
    );
    project.write("lib/a", "1");
    let out = |project: &Project| {
        let mut lines: Vec<String> = project.xec(&["t"]).ok().out().lines().map(str::to_owned).collect();
        lines.sort();
        lines.join("; ")
    };
    assert_eq!(out(&project), "fetch lib; fetch src; test lib; test src");
    assert_eq!(out(&project), "test lib; test src");
    project.write("lib/a", "2");
    assert_eq!(out(&project), "fetch lib; test lib; test src");
}

#[test]
fn unless_and_other_lines_go_with_it() {
    let project = project(
        r#"
        task quiet { unless changed "src/**"; run "echo nothing new" }
        task both { when { changed "src/**"; run "test -e flag" }; run "echo both" }
        task also { when changed "src/**"; inputs "src/**"; run "echo also" }
        "#,
    );
    project.xec(&["quiet"]).ok().stdout("");
    project.xec(&["quiet"]).ok().stdout("");
    project.xec(&["both"]).ok().stdout("");
    project.write("flag", "");
    project.xec(&["both"]).ok().stdout("both\n");
    project.xec(&["both"]).ok().stdout("");
    project.xec(&["also"]).ok().stdout("also\n");
    project.xec(&["also"]).ok().stdout("");
}

#[test]
fn where_nothing_can_be_remembered_everything_has_changed() {
    let project = project(r#"task t { when changed "src/**"; run "echo ran" }"#);
    project.write(".xec", "in its place");
    for _ in 0..2 {
        project.xec(&["t"]).ok().stdout("ran\n").says("nothing is remembered");
    }
}

#[test]
fn what_is_no_pattern_is_told() {
    let project = project(r#"task t { when changed "src/[";  run "echo ran" }"#);
    project.xec(&["t"]).code(1).stdout("").says("`[` is no pattern");
}
