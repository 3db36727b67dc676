//! What the documentation shows is true: every Xecfile in it is read, every `$ xec …` in it is run.
//!
//! A ```` ```kdl ```` block is a whole file; ```` ```kdl fragment ```` is the inside of a task, and
//! ```` ```kdl wrong ```` must be refused. A ```` ```console ```` block runs the lines that start with `$ `
//! with the last whole file before it, and compares what both streams show; durations do not count.
//! With `XEC_BLESS=1` the blocks are written anew instead.

use std::path::{Path, PathBuf};

use crate::harness::text::normalise;
use crate::harness::{Case, XEC};

/// One fenced block.
pub struct Block {
    /// What stands after the first fence.
    pub kind: String,
    /// The lines between the fences.
    pub text: String,
    /// Where the text begins and ends in the document.
    range: std::ops::Range<usize>,
}

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("README.md")];
    found.extend(pages(&root.join("docs")));
    found.extend(pages(&root.join("docs/recipes")));
    found
}

/// The documents of a directory.
pub fn pages(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|why| panic!("{}: {why}", dir.display()));
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    found.sort();
    found
}

/// The fenced blocks of a document.
pub fn blocks(document: &str) -> Vec<Block> {
    let (mut found, mut open, mut at) = (Vec::new(), None, 0);
    for line in document.split_inclusive('\n') {
        let next = at + line.len();
        if let Some(kind) = line.strip_prefix("```") {
            open = match open {
                None => Some((kind.trim().to_owned(), next)),
                Some((kind, start)) => {
                    found.push(Block { kind, text: document[start..at].to_owned(), range: start..at });
                    None
                }
            };
        }
        at = next;
    }
    assert!(open.is_none(), "a fence that does not end");
    found
}

#[test]
fn every_xecfile_is_read() {
    let mut count = 0;
    for path in documents() {
        let document = std::fs::read_to_string(&path).expect("a document");
        for block in blocks(&document) {
            let (text, code) = match block.kind.as_str() {
                "kdl" => (block.text, 0),
                "kdl fragment" => (format!("task t {{\n{}}}\n", block.text), 0),
                "kdl wrong" => (block.text, 2),
                _ => continue,
            };
            count += 1;
            let ran = Case::new().xecfile(&text).args(["--check"]).run();
            assert!(ran.end == crate::harness::End::Code(code), "{}: {text}\n{}", path.display(), ran.story());
        }
    }
    assert!(count >= 3, "only {count} blocks were found");
}

#[test]
fn every_command_shows_what_is_written() {
    let bless = std::env::var_os("XEC_BLESS").is_some();
    let mut count = 0;
    for path in documents() {
        let document = std::fs::read_to_string(&path).expect("a document");
        let (mut xecfile, mut blessed, mut done) = (String::new(), String::new(), 0);
        for block in blocks(&document) {
            match block.kind.as_str() {
                "kdl" | "kdl wrong" => xecfile.clone_from(&block.text),
                "console" if calls_xec(&block.text) => {
                    let shown = session(&xecfile, &block.text);
                    count += 1;
                    if !bless {
                        assert_eq!(normalise(&shown), normalise(&block.text), "{}", path.display());
                    }
                    blessed += &document[done..block.range.start];
                    blessed += &shown;
                    done = block.range.end;
                }
                _ => {}
            }
        }
        if bless {
            std::fs::write(&path, blessed + &document[done..]).expect("write the document");
        }
    }
    assert!(count >= 3, "only {count} sessions were found");
}

/// Whether a session calls xec, be it that files are made before.
fn calls_xec(session: &str) -> bool {
    let first = session.lines().next().unwrap_or_default();
    first.starts_with("$ xec") || (first.starts_with("$ ") && first.contains("; xec "))
}

/// Runs the commands of a session, and writes it as it is now.
fn session(xecfile: &str, text: &str) -> String {
    let bin = Path::new(XEC).parent().expect("a binary in a directory").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shown = String::new();
    for command in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let case = Case::new().xecfile(xecfile).env("PATH", format!("{bin}:{path}")).program("sh");
        let ran = case.args(["-c", &format!("exec 2>&1\n{command}")]).run();
        shown += &format!("$ {command}\n{}", ran.out());
    }
    shown
}

#[test]
fn the_xecfile_of_this_repository_is_read() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Xecfile.kdl");
    let ran = Case::new().args(["-f", file.to_str().expect("a path in UTF-8"), "-l"]).run().ok();
    for task in ["build", "ci", "doc", "fmt", "lint", "setup", "test"] {
        assert!(ran.out().contains(task), "no {task}, {}", ran.story());
    }
}
