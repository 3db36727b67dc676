//! Several files as one.

use std::path::Path;

use crate::xecfile::load::{Loaded, load};
use crate::xecfile::model::{FileId, Xecfile};

/// Writes files into a folder of their own and loads the first.
fn loaded(files: &[(&str, &str)]) -> (tempfile::TempDir, Loaded) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        std::fs::write(path, text).expect("written");
    }
    let loaded = load(folder.path(), Some(Path::new(files[0].0)));
    (folder, loaded)
}

fn good(files: &[(&str, &str)]) -> (tempfile::TempDir, Xecfile) {
    let (folder, loaded) = loaded(files);
    let messages: Vec<&str> = loaded.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert!(messages.is_empty(), "{messages:?}");
    (folder, loaded.file.expect("no problem, so a file"))
}

fn needs(file: &Xecfile, task: &str) -> Vec<String> {
    let task = file.tasks.iter().find(|found| &*found.name.value == task).expect("the task");
    task.needs.iter().map(|need| need.task.value.to_string()).collect()
}

#[test]
fn names_are_whole() {
    let (folder, file) = good(&[
        ("Xecfile.kdl", "include \"api/x.kdl\" as=api\ntask build { needs api:build api:db:up }\ntask lint alias=l"),
        (
            "api/x.kdl",
            "include \"db/x.kdl\" as=db\ntask build alias=b { needs db:up lint :build :l }\ntask test { needs b }",
        ),
        ("api/db/x.kdl", "task up"),
    ]);
    let names: Vec<&str> = file.tasks.iter().map(|task| &*task.name.value).collect();
    assert_eq!(names, ["build", "lint", "api:build", "api:test", "api:db:up"]);
    assert_eq!(needs(&file, "build"), ["api:build", "api:db:up"]);
    assert_eq!(needs(&file, "api:build"), ["api:db:up", "lint", "build", "lint"]);
    assert_eq!(needs(&file, "api:test"), ["api:build"], "an alias becomes the name");
    assert_eq!(&*file.tasks[2].aliases[0].value, "api:b");
    assert_eq!(file.tasks[4].file, FileId(2));
    assert_eq!(file.scope(&file.tasks[4]).prefix.as_deref(), Some("api:db"));
    assert_eq!(file.scope(&file.tasks[4]).dir, std::path::absolute(folder.path().join("api/db")).expect("absolute"));
    let shown = |at: usize| file.sources.iter().nth(at).map(|source| source.path.clone()).expect("a source");
    assert_eq!(shown(2), Path::new("api/db/x.kdl"));
}

#[test]
fn a_file_that_is_included_twice_is_one() {
    let (_folder, file) = good(&[
        ("Xecfile.kdl", "include \"a.kdl\" as=a\ninclude \"b.kdl\" as=b\ntask all { needs a:common:x b:common:x }"),
        ("a.kdl", "include \"common.kdl\" as=common\ntask y { needs common:x }"),
        ("b.kdl", "include \"./common.kdl\" as=common\ntask y { needs common:x }"),
        ("common.kdl", "task x"),
    ]);
    assert_eq!(file.files.len(), 4);
    assert_eq!(needs(&file, "all"), ["a:common:x", "a:common:x"]);
    assert_eq!(needs(&file, "b:y"), ["a:common:x"]);
}

#[test]
fn what_belongs_to_one_file_stays_there() {
    let (_folder, file) = good(&[
        (
            "Xecfile.kdl",
            "include \"b.kdl\" as=b\nlet v one\ndefaults timeout=\"1s\"\nenv A=1\ntask a { exec echo \"${v}\" }",
        ),
        ("b.kdl", "let w two\ndotenv \".env\"\ndotenv \".env.local\"\ntask a { exec echo \"${w}\" }"),
        (".env", "X=1\nY=2"),
        (".env.local", "X=3"),
    ]);
    let names = |at: usize| file.files[at].lets.iter().map(|value| &*value.name.value).collect::<Vec<_>>();
    assert_eq!((names(0), names(1)), (vec!["v"], vec!["w"]));
    assert!(
        file.files[1].defaults.timeout.is_none() && file.files[1].env.is_empty() && file.files[0].dotenv.is_empty()
    );
    let variables: Vec<String> = file.files[1].dotenv.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(variables, ["Y=2", "X=3"], "the later file wins");
}

#[test]
fn a_value_of_another_file_is_not_there() {
    let (_folder, loaded) = loaded(&[
        ("Xecfile.kdl", "include \"b.kdl\" as=b\nlet v one\ntask a"),
        ("b.kdl", "task a { exec echo \"${v}\" }"),
    ]);
    assert_eq!(loaded.problems.len(), 1);
    assert_eq!(loaded.problems[0].code.as_str(), "unknown-value");
}

#[test]
fn a_chain_of_files_ends() {
    let files: Vec<(String, String)> =
        (0..70).map(|at| (format!("f{at}.kdl"), format!("include \"f{}.kdl\" as=n\ntask a", at + 1))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let (_folder, loaded) = loaded(&files);
    let codes: Vec<&str> = loaded.problems.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(codes, ["too-deep"]);
}
