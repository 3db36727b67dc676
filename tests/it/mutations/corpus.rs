//! Files as people write them: everything in this repository that is one.

use std::path::{Path, PathBuf};

use crate::docs::{blocks, pages};

/// All files of the documentation, the examples and the tests, in an order that is always the same.
pub fn files() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![read(&root.join("Xecfile.kdl"))];
    for folder in ["tests/contract", "tests/problems"] {
        let paths = named(&root.join(folder), "kdl");
        // Plans that are too large are small files that cost much, by intention.
        let usual = |path: &&PathBuf| !path.to_string_lossy().contains("plan-bomb");
        found.extend(paths.iter().filter(usual).map(|path| read(path)));
    }
    for example in named(&root.join("examples"), "") {
        let file = example.join("Xecfile.kdl");
        found.extend(file.is_file().then(|| read(&file)));
    }
    let documents = ["docs", "docs/recipes"].into_iter().flat_map(|folder| pages(&root.join(folder)));
    for document in documents.chain([root.join("README.md")]) {
        for block in blocks(&read(&document)) {
            match block.kind.as_str() {
                "kdl" | "kdl wrong" | "kdl example" => found.push(block.text),
                "kdl fragment" => found.push(format!("task t {{\n{}}}\n", block.text)),
                _ => {}
            }
        }
    }
    found
}

/// The texts with `${` in them.
pub fn templates(files: &[String]) -> Vec<String> {
    let quoted = files.iter().flat_map(|file| file.split('"')).filter(|text| text.contains("${"));
    let mut found: Vec<String> = quoted.map(str::to_owned).collect();
    found.sort();
    found.dedup();
    found
}

fn named(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    found.retain(|path| path.extension().unwrap_or_default() == extension);
    found.sort();
    found
}

fn read(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}
