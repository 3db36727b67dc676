//! The projects in `examples/` do what they are there to show, each in a copy of its own.

use crate::harness::project::{Project, started};

#[test]
fn a_c_program_is_built_as_make_would() {
    let project = Project::example("c-program");
    for file in ["src/main.c", "src/roman.c", "src/roman.h"] {
        project.age(file, -1000);
    }
    let all = ["build", "compile[source=src/main.c]", "compile[source=src/roman.c]", "test"];
    assert_eq!(started(&project.xec(&[]).ok()), all);
    project.xec(&["run", "-q", "--", "1994", "4"]).ok().stdout("MCMXCIV IV\n");

    for file in ["build/main.o", "build/roman.o", "build/roman"] {
        project.age(file, -100);
    }
    assert_eq!(started(&project.xec(&["build"]).ok()), Vec::<String>::new(), "nothing has changed");
    project.age("src/main.c", -50);
    assert_eq!(started(&project.xec(&["build"]).ok()), ["build", "compile[source=src/main.c]"]);
    project.age("src/roman.h", 1000);
    assert_eq!(started(&project.xec(&["build"]).ok()), all[..3], "both sources include it");

    project.write("src/main.c", "int main(void) { return no_such_thing; }\n");
    project.age("src/main.c", 1000);
    project.xec(&["build"]).code(1).says("no_such_thing");
    project.xec(&["clean"]).ok();
    assert!(!project.path().join("build").exists());
}

#[test]
fn a_matrix_of_tests_says_which_of_them_did_not_pass() {
    let project = Project::example("test-matrix");
    project.xec(&[]).ok();
    assert_eq!(project.read("report.txt"), "all passed\n");
    assert_eq!(project.read("count.txt").trim(), "10", "three shells, two suites, two locales but for `sh`");

    project.write("tests/twice.sh", "test \"$(command -v dash)\" = none\n");
    let ran = project.xec(&["test[suite=tests/twice.sh,interpreter=bash]", "-q"]).code(1);
    assert!(ran.err().contains("2 failed"), "{}", ran.story());
    let report = project.read("report.txt");
    let failed =
        ["locale=C]", "locale=C.UTF-8]"].map(|end| format!("test[interpreter=bash,suite=tests/twice.sh,{end}"));
    assert!(failed.iter().all(|name| report.contains(name)), "{report}");
    assert_eq!(project.read("count.txt").trim(), "2");
}

#[test]
fn a_monorepo_is_one_graph_of_several_files() {
    let project = Project::example("monorepo");
    let ran = project.xec(&["bundle"]).ok();
    assert_eq!(ran.err().matches("▸ schema").count(), 1, "both parts need it, and it ran once: {}", ran.story());
    assert_eq!(project.read("dist/VERSIONS"), "api 2.1.0\nweb 0.9.3\n");
    assert_eq!(project.read("dist/server.txt"), "api for dev\nroute User\nroute Order\n");
    assert_eq!(project.read("dist/pages.txt"), "web\npage User\npage Order\n");

    assert_eq!(started(&project.xec(&["*:test"]).ok()), ["api:build", "api:test", "schema", "web:build", "web:test"]);
    project.write("types.txt", "User\n");
    let ran = project.xec(&["api:test"]).code(1);
    assert_eq!(started(&ran), ["api:build", "api:test", "schema"], "and nothing of the other part");
}

#[test]
fn a_release_that_does_not_work_is_taken_back() {
    let project = Project::example("release");
    let release = |version: &str| project.xec(&["-y", "release", &format!("version={version}")]);
    let live = || project.link("site/live");

    project.xec(&["release", "version=1.0.0"]).code(2).says("has to be confirmed");
    assert_eq!(live(), None, "nothing runs unasked");
    release("6.6.6").code(1).says("back to nothing");
    assert_eq!(live(), None);

    release("1.0.0").ok();
    assert_eq!(live().as_deref(), Some("1.0.0"));
    release("1.0.0").code(3).says("is out already");
    project.xec(&["-y", "release", "--again", "version=1.0.0"]).ok();

    let ran = release("6.6.6").code(1).says("back to 1.0.0");
    assert_eq!(ran.err().matches("scripts/smoke").count(), 4, "three attempts, and the summary: {}", ran.story());
    assert_eq!(live().as_deref(), Some("1.0.0"));
    assert!(!project.path().join("site/6.6.6").exists() && !project.path().join("dist").exists());

    release("1.1.0").ok();
    assert_eq!(live().as_deref(), Some("1.1.0"));
    release("x; touch pwned").code(1).says("no version");
    assert!(!project.path().join("pwned").exists());
    let history = project.read("site/history");
    let lines: Vec<&str> = history.lines().skip(1).map(|line| line.split(':').next().expect("a part")).collect();
    let told = ["6.6.6 failed", "1.0.0 released", "1.0.0 failed", "1.0.0 released", "6.6.6 failed", "1.1.0 released"];
    assert_eq!(lines, told);
}
