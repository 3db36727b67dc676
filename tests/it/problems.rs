//! Every problem that a file can have, as it is shown: `tests/problems/x.kdl` and beside it `x.txt`.
//! `XEC_BLESS=1` writes the second from the first.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use xec::base::diagnostic::{Code, Problem, Severity};
use xec::base::source::{SourceId, SourceMap, Span};
use xec::plan::{Request, World, compile};
use xec::report::problems::render;
use xec::xecfile::load::{Loaded, load, read};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn files(name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder(name)).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|ext| ext == "kdl")).collect();
    files.sort();
    files
}

fn loaded(path: &Path) -> Loaded {
    let name = path.file_name().expect("a file name");
    load(path.parent().expect("a folder"), Some(Path::new(name)))
}

/// What `--check` says of a file: of its text, or where nothing is wrong with that, of its plans.
fn found(path: &Path) -> Loaded {
    let loaded = loaded(path);
    let Some(file) = &loaded.file else { return loaded };
    let (env, glob) = (&|_: &str| None, &|_: &Path, _: &str| Ok(Vec::new()));
    let world = World { env, glob, lenient: false, os: "linux", arch: "x86_64" };
    let found = match compile::check(file, &Request { cpus: 2, ..Request::default() }, world) {
        Ok(checked) => checked.warnings,
        Err(found) => found,
    };
    Loaded { problems: [loaded.problems, found].concat(), ..loaded }
}

/// All of them, looked at once: some are large.
fn all() -> &'static [(PathBuf, Loaded)] {
    static ALL: OnceLock<Vec<(PathBuf, Loaded)>> = OnceLock::new();
    let found = |path: PathBuf| {
        let loaded = found(&path);
        (path, loaded)
    };
    ALL.get_or_init(|| files("problems").into_iter().map(found).collect())
}

#[test]
fn each_problem_is_shown_as_it_was() {
    let bless = std::env::var_os("XEC_BLESS").is_some();
    let mut changed = Vec::new();
    for (path, loaded) in all() {
        let shown = render(&loaded.problems, &loaded.sources, false, 100);
        assert!(!shown.is_empty(), "{} has no problem", path.display());
        let expected = path.with_extension("txt");
        if bless {
            std::fs::write(&expected, &shown).expect("written");
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != shown {
            changed.push(format!("{}\n{shown}", expected.display()));
        }
    }
    assert!(changed.is_empty(), "XEC_BLESS=1 accepts these:\n{}", changed.join("\n"));
}

/// What only a request can show, or what no file in a folder can.
const ELSEWHERE: [Code; 5] =
    [Code::Usage, Code::FileTooLarge, Code::PrivateTask, Code::UnknownInput, Code::OutputOutside];

#[test]
fn every_code_of_a_file_has_a_snapshot() {
    let problems = all().iter().flat_map(|(_, loaded)| &loaded.problems);
    let mut seen: BTreeSet<Code> = problems.map(|problem| problem.code).collect();
    let missing = load(&folder("problems"), Some(Path::new("not-there.kdl")));
    seen.extend(missing.problems.iter().map(|problem| problem.code));
    seen.extend(ELSEWHERE);
    let unseen: Vec<&Code> = Code::ALL.iter().filter(|code| !seen.contains(code)).collect();
    assert!(unseen.is_empty(), "no snapshot shows {unseen:?}");
}

#[test]
fn what_is_too_large_is_refused() {
    let loaded = read(" ".repeat((1 << 20) + 1));
    assert_eq!(loaded.problems[0].code, Code::FileTooLarge);
    let shown = render(&loaded.problems, &loaded.sources, false, 100);
    assert!(shown.contains("Xecfile.kdl is larger than 1 MiB"), "{shown}");
    assert!(read(&("task a".to_owned() + &" ".repeat((1 << 20) - 6))).problems.is_empty());
}

#[test]
fn the_contract_is_understood() {
    let files = files("contract");
    assert_eq!(files.len(), 3);
    for path in files {
        let loaded = loaded(&path);
        let shown = render(&loaded.problems, &loaded.sources, false, 100);
        assert!(loaded.problems.iter().all(|problem| problem.code == Code::NotYet), "{shown}");
    }
}

#[test]
fn places_in_two_files_are_both_shown() {
    let mut sources = SourceMap::default();
    let here = sources.add("Xecfile.kdl", "task a\ntask b\n");
    let there = sources.add("api/Xecfile.kdl", "task b\n");
    let at = |source: SourceId, start, end| Span { source, start, end };
    let problem = Problem::error(Code::Duplicate, "there are two tasks `b`")
        .at(at(there, 5, 6), "the second one")
        .at(at(here, 12, 13), "the first one")
        .help("give one of them another name");
    let shown = render(&[problem], &sources, false, 100);
    for part in ["api/Xecfile.kdl:1:6", "Xecfile.kdl:2:6", "the first one", "the second one", "error[duplicate]"] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
}

#[test]
fn nothing_in_a_file_drives_the_terminal() {
    let mut sources = SourceMap::default();
    let source = sources.add("a\u{1b}[2J.kdl", "task \"\u{1b}]0;title\u{7}\" x\u{202e}\u{9b}\n");
    let problem = Problem::error(Code::BadName, "bad \u{1b}[31mname\n")
        .at(Span { source, start: 19, end: 20 }, "here\u{7}")
        .help("try\nthis\u{1b}");
    let shown = render(&[problem], &sources, false, 100);
    let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!shown.contains(raw), "{shown:?}");
    assert!(shown.contains("\\u{1b}]0;title\\u{7}") && shown.contains("try\n"), "{shown}");
}

#[test]
fn colors_only_on_request() {
    let loaded = read("tsak a");
    assert!(!render(&loaded.problems, &loaded.sources, false, 100).contains('\u{1b}'));
    assert!(render(&loaded.problems, &loaded.sources, true, 100).contains('\u{1b}'));
}

#[test]
fn a_flood_is_counted() {
    let loaded = read("what is this\n".repeat(60));
    let shown = render(&loaded.problems, &loaded.sources, false, 100);
    assert_eq!(shown.matches("error[unknown-node]").count(), 50);
    assert!(shown.ends_with("and 10 more\n\n60 problems in Xecfile.kdl\n"), "{shown}");
    let loaded = read("x\n".repeat(100_000));
    let shown = render(&loaded.problems, &loaded.sources, false, 100);
    assert!(shown.contains("and at least 150 more"));
}

#[test]
fn an_endless_line_is_cut() {
    let loaded = read(format!("task a {{ exec {} \"x\" 5s }}", "word ".repeat(50_000)));
    let shown = render(&loaded.problems, &loaded.sources, false, 100);
    assert!(shown.len() < 4000 && shown.contains("5s"), "{shown}");
}

#[test]
fn the_file_is_found_upward_and_named_as_one_would_type_it() {
    let root = tempfile::tempdir().expect("a directory");
    let below = root.path().join("a/b");
    std::fs::create_dir_all(&below).expect("created");
    let none = load(&below, None);
    assert!(none.problems.iter().all(|problem| problem.code == Code::FileUnreadable) || none.file.is_some());
    std::fs::write(root.path().join("Xecfile.kdl"), "task a { exec true-ish }").expect("written");
    let loaded = load(&below, None);
    let file = loaded.file.expect("a good file");
    assert_eq!(file.root, std::path::absolute(root.path()).expect("absolute"));
    assert_eq!(loaded.sources.iter().next().expect("one").path, Path::new("../../Xecfile.kdl"));
    let named = load(root.path(), Some(&root.path().join("Xecfile.kdl")));
    assert_eq!(named.sources.iter().next().expect("one").path, Path::new("Xecfile.kdl"));
}

/// All that a problem says in its own words.
fn said(problem: &Problem) -> usize {
    let labels = problem.labels.iter().map(|label| label.text.len()).sum::<usize>();
    problem.message.len() + problem.help.as_deref().map_or(0, str::len) + labels
}

#[test]
fn no_problem_echoes_the_file() {
    let hashes = "#".repeat(400_000);
    let (name, close) = ("n".repeat(400_000), format!("\"\"\"{hashes}"));
    for text in [
        format!("task a {{ run {hashes}\"x\n }}"),
        format!("task a {{ run {hashes}\"\"\"\nx\n }}"),
        format!("task a {{ run {hashes}\"\"\"x\n }}"),
        format!("task a {{ run {hashes}\"\"\"x\ny{close} }}"),
        format!("task {name} {{ run x }}"),
        format!("task a alias={name} {{ run x }}"),
    ] {
        let loaded = read(&text);
        assert!(!loaded.problems.is_empty() && loaded.problems.iter().all(|problem| said(problem) < 1000));
        assert!(render(&loaded.problems, &loaded.sources, false, 100).len() < 4000);
    }
}

#[test]
fn a_task_is_not_named_endlessly() {
    let named = |length: usize| read(format!("task {} {{ run x }}", "n".repeat(length))).problems;
    assert!(named(256).is_empty());
    assert_eq!(named(257)[0].code, Code::BadName);
    assert_eq!(named(257)[0].help.as_deref(), Some("a name has at most 256 bytes"));
}

#[test]
fn a_script_is_no_larger_than_an_argument_can_be() {
    const MOST: usize = 120 * 1024;
    for (before, after) in
        [("task a { run ", " }"), ("let v run=", "\ntask a { run x }"), ("task a { when { run ", " }; run x }")]
    {
        let file = |length: usize| read(format!("{before}\"{}\"{after}", "x".repeat(length)));
        assert!(file(MOST).file.is_some(), "{:?}", file(MOST).problems);
        let problems = file(MOST + 1).problems;
        assert_eq!(problems[0].code, Code::BadValue);
        assert_eq!(problems[0].message, "the text of `run` is larger than 120 KiB");
        assert_eq!(problems[0].help.as_deref(), Some("put it into a script file"));
    }
}

#[test]
fn no_input_shadows_an_option_of_xec() {
    let says = |input: String| {
        let problems = read(format!("task a {{ {input}; run \"x\" }}")).problems;
        problems.first().map(|problem| (problem.code, problem.message.clone()))
    };
    for (name, letter) in xec::base::options::taken() {
        for flag in [name.to_owned(), name.replace('-', "_")] {
            let message = format!("`--{name}` is an option of xec, so no flag can have that name");
            assert_eq!(says(format!("flag {flag}")), Some((Code::BadName, message)));
        }
        if let Some(letter) = letter {
            let message = format!("`-{letter}` is xec's own, for `--{name}`");
            assert_eq!(says(format!("param x short={letter}")), Some((Code::BadName, message.clone())));
            assert_eq!(says(format!("flag x short={letter}")), Some((Code::BadName, message)));
        }
    }
    assert_eq!(says("flag loud short=u".to_owned()), None);
}

#[test]
fn an_empty_directory_is_not_the_current_one() {
    let loaded = load(Path::new(""), None);
    assert_eq!(loaded.problems[0].code, Code::FileUnreadable);
    assert_eq!(loaded.problems[0].message, "cannot begin in the directory ``: the name is empty");
    assert!(loaded.file.is_none());
}

#[test]
fn bytes_that_are_no_text_have_a_place() {
    let root = tempfile::tempdir().expect("a directory");
    std::fs::write(root.path().join("Xecfile.kdl"), b"task a\n// \xff\xfe\n").expect("written");
    let loaded = load(root.path(), None);
    let shown = render(&loaded.problems, &loaded.sources, false, 100);
    assert!(shown.contains("error[file-not-text]") && shown.contains("Xecfile.kdl:2:4"), "{shown}");
}

#[test]
fn a_warning_stops_nothing() {
    let loaded = read("task a { exec echo *.rs }");
    assert!(loaded.file.is_some());
    assert!(loaded.problems.iter().all(|problem| problem.severity == Severity::Warning));
    assert_eq!(loaded.problems.len(), 1);
}
