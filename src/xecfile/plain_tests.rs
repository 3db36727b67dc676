//! The plain reader against the parser: what it reads, what it leaves, and that the two never differ.

use proptest::prelude::*;

use super::*;

/// All that the rest of xec looks at.
fn shape(nodes: &[KdlNode], text: &str, out: &mut String) {
    use std::fmt::Write as _;
    for node in nodes {
        let (name, span) = (node.name(), node.span());
        let whole = text[span.offset()..span.offset() + span.len()].trim();
        write!(out, "{:?}@{} {whole:?}", name.value(), name.span().offset()).unwrap();
        for entry in node.entries() {
            let span = entry.span();
            let length = entry.format().map_or(span.len(), |format| format.value_repr.len());
            let end = span.offset() + span.len();
            let key = entry.name().map(|key| (key.value(), key.span().offset(), key.span().len()));
            let shown = text[span.offset()..end].trim();
            write!(out, " {key:?}={:?}@{}..{end} {shown:?}", entry.value(), end - length).unwrap();
        }
        if let Some(children) = node.children() {
            out.push('{');
            shape(children.nodes(), text, out);
            out.push('}');
        }
        out.push(';');
    }
}

/// Holds the reader against the crate; says whether it had something to say.
fn agree(text: &str) -> bool {
    let Some(ours) = Plain::new(text).and_then(Plain::document) else { return false };
    let theirs = KdlDocument::parse(text).unwrap_or_else(|why| panic!("{text:?}: {:?}", why.diagnostics));
    let (mut left, mut right) = (String::new(), String::new());
    shape(ours.nodes(), text, &mut left);
    shape(theirs.nodes(), text, &mut right);
    assert_eq!(left, right, "{text:?}");
    true
}

#[test]
fn what_files_are_made_of_is_read_the_short_way() {
    for text in [
        "task build",
        "task build desc=\"Compile\" { needs a b-c 'd'; run \"cc -o x\" }  ",
        "a {\n\tb 1 2.5 0 x=3 y=#true #false\n\n  c --release -x .y + -\n};",
        r###"a "\"q\" \\ \n\t" #"raw "x" \"# ##"two"# "##"###,
        "run #\"\"\"\n    if x\n      y\n   \n    fi\n    \"\"\"#",
        "run \"\"\"\n\"\"\"",
        "run \"\"\"\n  one – zwei\n\n  \"\"\"",
        "a {}",
        "a b=c { d; }",
        "matrix { py 3.12 3.13; os linux } ",
        "a é=1",
    ] {
        assert_eq!(agree(text), !text.contains('é'), "{text:?}");
    }
}

#[test]
fn what_is_not_plain_is_left_to_the_parser() {
    for text in [
        "a \"\\u{41}\"",
        "a \\\n b",
        "a // x",
        "a (t)b",
        "a true",
        "a 1x",
        "a -1",
        "a 0x1f",
        "a 1_000",
        "a b = c",
        "a \"x",
        "a {",
        "a }",
        "a #null",
        "\"a\" b",
        "a \"x\"\"y\"",
        "a{b}",
        "a {} b",
        "a\r\nb",
        "a \"\u{85}\"",
        "a \"\"\"x\"\"\"",
        "a \"\"\"\n x\n  \"\"\"",
        "a \"\"\"\n x\\n\n \"\"\"",
        "a #trueish",
        "a #true#",
        "a 1.",
    ] {
        assert!(!agree(text), "{text:?}");
    }
}

proptest! {
    #[test]
    fn never_says_what_the_parser_does_not(
        parts in proptest::collection::vec(prop::sample::select(vec![
            "a", "b-1", "run", " ", "  ", "\t", "\n", ";", "{", "}", " { ", " }", "=", "\"x\"", "\"", "\"\"\"", "\"\"\"\n",
            "#", "#\"", "\"#", "##\"", "\"##", "#true", "#false", "1", "2.5", ".", "-", "+", "0", "\\", "\\n", "\\\"",
            "é", "…", "\u{3000}", "/", "//", "(", "[", "true", "x=", "k=1", "k=\"v\"", "\n  ", "'", "$x", "%,:@",
        ]), 0..24),
    ) {
        agree(&parts.concat());
    }

    #[test]
    fn agrees_on_what_is_plain(
        words in proptest::collection::vec(prop::sample::select(vec![
            "word", "k=v", "k=\"v w\"", "\"a b\"", "\"\\n\\\"\"", "#\"r\"w\"#", "3", "4.5", "x=#true", "--flag",
            "{\n  c 1\n  d\n}\n e", "{ c; d x=1 }; f", "; g", "\nh", "\"\"\"\n  l\n\n   m\n  \"\"\"", "#\"\"\"\n\tl\\\n\t\"\"\"#",
            "\"–\"", "{}", "i=\"\"\"\n\"\"\"",
        ]), 0..16),
    ) {
        agree(&format!("node {}", words.join(" ")));
    }
}

/// Every KDL file of the tests and examples, node by node, as it is read.
#[test]
fn agrees_on_all_files_that_there_are() {
    let mut dirs = vec!["tests", "examples", "docs", "."].into_iter().map(std::path::PathBuf::from).collect::<Vec<_>>();
    let (mut plain, mut all) = (0, 0);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() && dir != std::path::Path::new(".") {
                dirs.push(path);
            } else if path.extension().is_some_and(|ext| ext == "kdl")
                && let Ok(text) = std::fs::read_to_string(&path)
            {
                let guarded = crate::xecfile::guard::guard(crate::base::source::SourceId(0), &text);
                for range in guarded.nodes {
                    all += 1;
                    plain += usize::from(agree(&guarded.text[range]));
                }
            }
        }
    }
    assert!(plain * 10 > all * 8, "{plain} of {all}");
}
