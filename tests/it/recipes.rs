//! The pages of `docs/recipes/`: whole files that are run, drawn, and found from the index. What they print is
//! compared by `docs`, as for every page.

use std::path::{Path, PathBuf};

use crate::docs::{Block, blocks, pages};
use crate::harness::Case;

/// So many behaviours are promised, each with a page; those of whole fleets have pages of their own.
const ROWS: usize = 39;

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes")
}

/// Every page but the index: its name, and its text.
fn recipes() -> Vec<(String, String)> {
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    let all = pages(&dir()).into_iter().map(|path| (name(&path), std::fs::read_to_string(path).expect("a page")));
    let found: Vec<(String, String)> = all.filter(|(name, _)| name != "README.md").collect();
    assert!(found.len() >= 18, "only {} pages were found", found.len());
    found
}

/// The whole files of a page, each with the sessions that follow it.
fn files(blocks: Vec<Block>) -> Vec<(String, Vec<String>)> {
    let mut files: Vec<(String, Vec<String>)> = Vec::new();
    for block in blocks {
        match block.kind.as_str() {
            "kdl" => files.push((block.text, Vec::new())),
            "console" => files.last_mut().expect("a file before the session").1.push(block.text),
            _ => {}
        }
    }
    files
}

/// The tasks of a file.
fn tasks(file: &str) -> Vec<String> {
    let ran = Case::new().xecfile(file).args(["-l", "--json"]).run().ok();
    let list: serde_json::Value = serde_json::from_str(&ran.out()).expect("a list");
    let names = list["tasks"].as_array().expect("tasks").iter();
    names.map(|task| task["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn every_page_is_in_the_index_by_its_title() {
    let index = std::fs::read_to_string(dir().join("README.md")).expect("the index");
    let recipes = recipes();
    for (name, page) in &recipes {
        let title = page.lines().next().and_then(|line| line.strip_prefix("# ")).expect("a title");
        assert!(index.contains(&format!("- [{title}]({name})\n")), "the index has no `- [{title}]({name})`");
    }
    assert_eq!(index.matches("](").count(), recipes.len(), "the index names a page that is not there");
}

#[test]
fn every_page_has_a_whole_file_that_is_run() {
    for (name, page) in recipes() {
        let files = files(blocks(&page));
        let runs = |session: &String| session.lines().any(|line| line.starts_with("$ ") && line.contains("xec "));
        let is_run = files.first().is_some_and(|(_, sessions)| sessions.iter().any(runs));
        assert!(is_run, "{name} begins with a whole file, and a `console` block that runs it");
    }
}

#[test]
fn every_task_of_a_page_is_drawn_without_being_run() {
    for (name, page) in recipes() {
        for (file, _) in files(blocks(&page)) {
            for task in tasks(&file) {
                let case = Case::new().xecfile(&file).args(["-n", "--graph=mermaid", &task]);
                // What has to be given a value cannot be drawn alone.
                let ran = case.run();
                if ran.err().contains("error[missing-input]") {
                    continue;
                }
                let ran = ran.ok();
                assert!(ran.out().starts_with("graph LR\n"), "{name}: {}", ran.story());
                assert!(ran.err().is_empty(), "{name}: {}", ran.story());
            }
        }
    }
}

/// The rows of the index: a behaviour, the words that say it, and its page.
fn behaviours() -> Vec<[String; 3]> {
    let index = std::fs::read_to_string(dir().join("README.md")).expect("the index");
    let (_, table) = index.split_once("| behaviour | words | page |").expect("a table of behaviours");
    let row = |line: &str| {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
        <[String; 3]>::try_from(cells).unwrap_or_else(|_| panic!("a row of three cells: {line}"))
    };
    table.lines().skip(2).filter(|line| line.starts_with('|')).map(row).collect()
}

/// Whether a word stands in a text, whole.
fn says(text: &str, word: &str) -> bool {
    text.split(|char: char| !(char.is_alphanumeric() || "_-".contains(char))).any(|one| one == word)
}

#[test]
fn every_behaviour_has_a_page_whose_file_says_it() {
    let recipes = recipes();
    let rows = behaviours();
    assert!(rows.len() >= ROWS, "a behaviour has lost its row: {} of {ROWS}", rows.len());
    for [behaviour, words, page] in rows {
        let named = format!("{page}.md");
        let (_, text) =
            recipes.iter().find(|(name, _)| *name == named).unwrap_or_else(|| panic!("{behaviour}: no {named}"));
        let files: String = files(blocks(text)).into_iter().map(|(file, _)| file).collect();
        for word in words.split(' ') {
            assert!(says(&files, word), "{behaviour}: no file of {named} says `{word}`");
        }
    }
}
