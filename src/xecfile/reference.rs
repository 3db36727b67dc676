//! The reference page of the language, made from the table in [`crate::xecfile::schema`].

use std::fmt::Write as _;

use crate::xecfile::schema::{Role, Row, State, describe_args, is_property, rows};

/// The page, as markdown: first what has a meaning in this version, then what is reserved for later ones.
pub fn reference() -> String {
    let mut out = String::from("# The words of `Xecfile.kdl`\n");
    let now = |role: Role| move |row: &&Row| row.state == State::Now && row.role == role;
    section(&mut out, "Nodes", rows().iter().filter(now(Role::Node)));
    section(&mut out, "Policies that flow down", rows().iter().filter(now(Role::Inherited)));
    section(&mut out, "Policies that act where they are written", rows().iter().filter(now(Role::Acts)));
    section(&mut out, "Parts of one node", rows().iter().filter(now(Role::Detail)));
    out.push_str("\n## Words of later versions\n\nKnown and refused by this one, so that no file means two things:\n");
    for row in rows().iter().filter(|row| row.state == State::Later) {
        let _ = writeln!(out, "- `{}` ({}): {}", row.name, row.places.describe(), row.doc);
    }
    out
}

fn section<'a>(out: &mut String, title: &str, rows: impl Iterator<Item = &'a Row>) {
    let _ = writeln!(out, "\n## {title}");
    for row in rows {
        let _ = writeln!(out, "\n### `{}`\n\n{}.\n", row.name, row.doc);
        let _ = writeln!(out, "```kdl example\n{}\n```\n", row.example);
        let _ = writeln!(out, "- stands {}", row.places.describe());
        let takes = describe_args(row);
        if !takes.is_empty() {
            let _ = writeln!(out, "- takes: {takes}");
        }
        if let Some(default) = row.default {
            let _ = writeln!(out, "- default: {default}");
        }
        if is_property(row) {
            let _ = writeln!(out, "- also as a property: `{}=…`", row.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_on_the_page() {
        let page = reference();
        for row in rows() {
            assert!(page.contains(row.doc) && page.contains(&format!("`{}`", row.name)), "{}", row.name);
        }
        assert!(page.contains("- default: 5s"));
    }

    #[test]
    fn the_page_is_that_of_the_table() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
        if std::env::var_os("XEC_BLESS").is_some() {
            std::fs::write(&path, reference()).expect("written");
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == reference(), "docs/reference.md is old: XEC_BLESS=1 writes it anew");
    }
}
