//! `--affected`: what git says has changed, and all that depends on it.

use crate::harness::project::{Project, started};
use crate::harness::{Case, Ran};

const FILE: &str = r#"
    task lib { inputs "lib/**"; run "echo lib" }
    task app { needs lib; inputs "app/**"; run "echo app" }
    task docs { inputs "docs/*.md"; run "echo docs" }
    task each { matrix { n a b }; inputs "each/${n}/**"; run "echo each" }
    task all { needs app docs each }
    task unknown { run "echo unknown" }
"#;

fn git(project: &Project, words: &[&str]) -> Ran {
    let config = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"];
    let dir = ["-C", project.path().to_str().unwrap()];
    Case::new().program("git").args(dir).args(config).args(words).run().ok()
}

fn project() -> Project {
    let project = Project::new(FILE);
    for file in ["lib/a", "app/a", "docs/a.md", "each/a/x", "each/b/x"] {
        project.write(file, "1");
    }
    git(&project, &["init", "-q"]);
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-qm", "first"]);
    project
}

#[track_caller]
fn affected(project: &Project, words: &[&str]) -> Vec<String> {
    let look = project.xec(&[&["-n"], words].concat()).ok().out();
    let runs = look.lines().filter(|line| !line.starts_with(' ') && !line.contains("; skipped: "));
    let mut names: Vec<String> =
        runs.filter_map(|line| line.split_once("  ")).map(|(name, _)| name.to_owned()).collect();
    names.retain(|name| name != "all");
    names.sort();
    names
}

#[test]
fn what_depends_on_a_change_runs_and_all_that_it_needs() {
    let project = project();
    let nothing = project.xec(&["--affected", "all"]).ok().stdout("");
    assert_eq!(nothing.err(), "xec: nothing is affected by what changed\n");
    project.write("docs/b.md", "new, and not added");
    assert_eq!(affected(&project, &["--affected", "all"]), ["docs"]);
    assert_eq!(started(&project.xec(&["--affected", "all"]).ok()), ["docs"]);
    project.write("app/a", "2");
    assert_eq!(affected(&project, &["--affected", "all"]), ["app", "docs", "lib"], "what it needs may not be there");
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-qm", "second"]);
    project.write("lib/a", "2");
    project.remove("each/b/x");
    assert_eq!(affected(&project, &["--affected", "all"]), ["app", "each[n=b]", "lib"]);
    assert_eq!(affected(&project, &["--affected=HEAD~1", "all"]), ["app", "docs", "each[n=b]", "lib"]);
}

#[test]
fn a_branch_is_compared_with_where_it_began() {
    let project = project();
    git(&project, &["checkout", "-qb", "topic"]);
    project.write("app/a", "topic");
    git(&project, &["commit", "-qam", "topic"]);
    git(&project, &["checkout", "-q", "main"]);
    project.write("docs/a.md", "main goes on");
    git(&project, &["commit", "-qam", "main"]);
    git(&project, &["checkout", "-q", "topic"]);
    assert_eq!(affected(&project, &["--affected=main", "all"]), ["app", "lib"]);
    assert_eq!(affected(&project, &["--affected", "all"]), [""; 0]);
    git(&project, &["branch", "-q", "--set-upstream-to=main"]);
    assert_eq!(affected(&project, &["--affected", "all"]), ["app", "lib"], "what the upstream does not have");
}

#[test]
fn who_does_not_say_what_it_reads_runs() {
    let project = project();
    project.write("docs/a.md", "2");
    assert_eq!(affected(&project, &["--affected", "app", "unknown"]), ["unknown"]);
    let look = project.xec(&["-n", "--affected", "all"]).ok().out();
    assert!(look.contains("app  needed by all; skipped: not affected by what changed\n"), "{look}");
}

#[test]
fn a_change_of_the_file_itself_affects_all() {
    let project = project();
    project.write("Xecfile.kdl", format!("{FILE}\n"));
    assert_eq!(affected(&project, &["--affected", "all"]), ["app", "docs", "each[n=a]", "each[n=b]", "lib"]);
}

#[test]
fn the_project_may_be_a_part_of_the_work_tree_and_reached_by_a_link() {
    let project = project();
    project.write("sub/Xecfile.kdl", r#"task t { inputs "../lib/**" "own/**"; run "echo t" }"#);
    project.write("sub/own/a", "1");
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-qm", "sub"]);
    std::os::unix::fs::symlink("sub", project.path().join("link")).unwrap();
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-qm", "link"]);
    let runs = |dir: &str| {
        let dir = project.path().join(dir);
        !started(&Case::new().args(["--force", "--affected", "-C", dir.to_str().unwrap(), "t"]).run().ok()).is_empty()
    };
    assert!(!runs("sub"));
    project.write("lib/a", "2");
    assert!(runs("sub"));
    git(&project, &["checkout", "-q", "lib/a"]);
    project.write("sub/own/a", "2");
    assert!(runs("sub") && runs("link"));
}

#[test]
fn what_lies_behind_a_link_or_in_a_submodule_counts() {
    let project = project();
    project
        .write("Xecfile.kdl", r#"task t { inputs "src/**"; run "echo t" }; task s { inputs "sub/*.c"; run "echo s" }"#);
    project.write("other/a", "1");
    project.write("src/own", "1");
    std::os::unix::fs::symlink("../other", project.path().join("src/linked")).unwrap();
    let sub = project.path().join("sub");
    std::fs::create_dir(&sub).unwrap();
    let inner = |words: &[&str]| {
        let who = ["-c", "user.name=T", "-c", "user.email=t@example.org"];
        Case::new().program("git").args(["-C", sub.to_str().unwrap()]).args(who).args(words).run().ok()
    };
    inner(&["init", "-q"]);
    project.write("sub/x.c", "1");
    inner(&["add", "-A"]);
    inner(&["commit", "-qm", "inner"]);
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-qm", "outer"]);
    assert_eq!(affected(&project, &["--affected", "t", "s"]), [""; 0]);
    project.write("other/a", "2");
    assert_eq!(affected(&project, &["--affected", "t", "s"]), ["t"]);
    git(&project, &["checkout", "-q", "other/a"]);
    project.write("sub/x.c", "2");
    inner(&["commit", "-qam", "new"]);
    assert_eq!(affected(&project, &["--affected", "t", "s"]), ["s"]);
}

#[test]
fn where_git_cannot_say_nothing_runs() {
    let project = project();
    let refused = |words: &[&str], why: &str| {
        let ran = project.xec(words).code(2).stdout("").says("xec: cannot tell what is affected: ");
        ran.says(why);
    };
    refused(&["--affected=no-such", "all"], "git knows no revision `no-such`");
    refused(&["--affected=--help", "all"], "git knows no revision `--help`");
    let outside = Project::new(FILE).xec(&["--affected", "all"]).code(2);
    assert!(outside.err().contains("not a git repository"), "{}", outside.story());
    project.case(&["--affected", "all"]).env("PATH", "/nowhere").run().code(2).says("git is not there");
}
