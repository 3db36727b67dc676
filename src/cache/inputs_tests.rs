use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use super::*;

fn place(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file).unwrap();
    }
    dir
}

fn names(dir: &Path, texts: &[&str]) -> Vec<String> {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    let found = Patterns::new(dir, &texts, true).unwrap().find(None).unwrap();
    found.files.keys().map(|path| path.to_string_lossy().into_owned()).collect()
}

#[test]
fn patterns_mean_what_people_expect() {
    let dir = place(&["a.c", "b.h", "src/c.c", "src/deep/d.c", "src/.hidden", "src/[x].c", ".git/HEAD", ".xec/memo"]);
    let at = dir.path();
    assert_eq!(names(at, &["*.c"]), ["a.c"]);
    assert_eq!(names(at, &["**/*.c"]), ["a.c", "src/[x].c", "src/c.c", "src/deep/d.c"]);
    assert_eq!(names(at, &["src"]), ["src/.hidden", "src/[x].c", "src/c.c", "src/deep/d.c"]);
    assert_eq!(names(at, &["./src/**"]), names(at, &["src/"]));
    assert_eq!(names(at, &["src/*.c", "b.h", "b.h"]), ["b.h", "src/[x].c", "src/c.c"]);
    assert_eq!(names(at, &["*.{c,h}"]), ["a.c", "b.h"]);
    assert_eq!(names(at, &["**", "!src/deep", "!*.h"]), ["a.c", "src/.hidden", "src/[x].c", "src/c.c"]);
    assert_eq!(names(at, &[&format!("src/{}", escape("[x].c"))]), ["src/[x].c"]);
    assert_eq!(names(&at.join("src"), &["../a.c", "../*.h"]), ["../a.c", "../b.h"]);
    assert_eq!(names(Path::new("/"), &[&format!("{}/a.c", at.display())]), [at.join("a.c").display().to_string()]);
}

#[test]
fn what_git_ignores_is_left_out_unless_it_is_named() {
    let dir = place(&[".gitignore", "src/a.c", "src/out/b.o", "sub/c.o"]);
    std::fs::create_dir(dir.path().join(".git")).unwrap();
    std::fs::write(dir.path().join(".gitignore"), "*.o\n").unwrap();
    assert_eq!(names(dir.path(), &["**"]), [".gitignore", "src/a.c"]);
    assert_eq!(names(dir.path(), &["sub/c.o"]), ["sub/c.o"]);
    let all = Patterns::new(dir.path(), &["src/**".to_owned()], false).unwrap().find(None).unwrap();
    assert_eq!(all.files.len(), 2);
}

#[test]
fn links_are_followed_and_circles_are_not() {
    let dir = place(&["src/a.c", "other/b.c"]);
    symlink("../other", dir.path().join("src/linked")).unwrap();
    symlink(".", dir.path().join("src/circle")).unwrap();
    symlink("nowhere", dir.path().join("src/broken")).unwrap();
    symlink("self", dir.path().join("src/self")).unwrap();
    assert_eq!(names(dir.path(), &["src/**"]), ["src/a.c", "src/broken", "src/linked/b.c", "src/self"]);
    let texts = ["src".to_owned()];
    let found = Patterns::new(dir.path(), &texts, true).unwrap().without_links().find(None).unwrap();
    assert!(found.files.contains_key(Path::new("src/circle")) && found.files.contains_key(Path::new("src/linked")));
}

#[test]
fn names_that_are_no_text_are_files_too() {
    let dir = place(&[]);
    let name = OsStr::from_bytes(b"\xff\xfe.c");
    std::fs::write(dir.path().join(name), "x").unwrap();
    let found = Patterns::new(dir.path(), &["*.c".to_owned()], true).unwrap().find(None).unwrap();
    assert_eq!(found.files.keys().next().unwrap().as_os_str(), name);
}

#[test]
fn what_is_not_there_is_told_with_the_nearest() {
    let dir = place(&["src/main.c"]);
    let find = |text: &str| Patterns::new(dir.path(), &[text.to_owned()], true).unwrap().find(None);
    assert_eq!(find("scr/**").unwrap_err(), "`scr/**` means nothing: there is no `scr`; did you mean `src`?");
    assert_eq!(
        find("src/mian.c").unwrap_err(),
        "`src/mian.c` means nothing: there is no `src/mian.c`; did you mean `main.c`?"
    );
    assert!(find("src/main.c/*.c").unwrap_err().ends_with("`src/main.c` is no directory"));
    assert_eq!(find("src/*.h").unwrap().empty, ["src/*.h"]);
    let near = |text: &str| Patterns::new(dir.path(), &[text.to_owned()], true).unwrap().nearest(&[text.to_owned()]);
    assert_eq!(near("src/*.cc").as_deref(), Some("did you mean `src/*.c`?"));
    assert_eq!(near("src/*.h").as_deref(), Some("did you mean `src/*.c`?"));
    assert_eq!(near("src/mian?.c").as_deref(), Some("did you mean `src/main.c`?"));
    assert!(Patterns::new(dir.path(), &["a[".to_owned()], true).is_err());
}

#[test]
fn what_a_task_makes_is_not_what_it_reads() {
    let dir = place(&["a.c", "out/a.o"]);
    let outputs = Patterns::new(dir.path(), &["out".to_owned()], false).unwrap();
    let found = Patterns::new(dir.path(), &["**".to_owned()], true).unwrap().find(Some(&outputs)).unwrap();
    assert_eq!(found.files.len(), 1);
    assert!(outputs.matches(Path::new("out/x")) && !outputs.matches(Path::new("outer")));
}
