//! The guard against the parser it guards: what it lets through, the parser takes, and reads as it would have.

use kdl::{KdlDocument, KdlNode};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::base::diagnostic::Code;
use crate::base::source::SourceId;
use crate::xecfile::guard::{Guarded, guard};

/// Pieces that mean something to KDL, or nearly do.
const PIECES: [&str; 64] = [
    "{",
    "}",
    "{",
    "}",
    ";",
    "\n",
    "\n",
    " ",
    " ",
    " ",
    "\t",
    "\r\n",
    "\u{85}",
    "\u{2028}",
    "\"",
    "\"a b\"",
    "\"\"\"",
    "#",
    "##",
    "#\"a\"#",
    "#\"",
    "\"#",
    "/-",
    "/-",
    "//",
    "/*",
    "*/",
    "/",
    "\\",
    "\\\n",
    "\\n",
    "\\u{41}",
    "=",
    "=",
    "(u8)",
    "(",
    ")",
    "[",
    "a",
    "b-c",
    "task",
    "5",
    "5s",
    "1.5",
    "0x1f",
    "-1",
    "-",
    ".5",
    "1e",
    "#true",
    "#null",
    "true",
    "-inf",
    "'",
    "'x y'",
    "$",
    "${x}",
    "$(a b)",
    "r\"a\"",
    "r#\"a\"#",
    "é",
    "\u{1}",
    "\u{feff}",
    "\"\"\"\n  a\n  \"\"\"",
];

/// The same cases each time, unless `XEC_CASES` asks for a number of other ones.
fn cases() -> ProptestConfig {
    let asked = std::env::var("XEC_CASES").ok().and_then(|cases| cases.parse().ok());
    let rng_seed = if asked.is_some() { RngSeed::Random } else { RngSeed::Fixed(1) };
    ProptestConfig { cases: asked.unwrap_or(300), rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

fn soup(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..most).prop_map(|pieces| pieces.concat())
}

/// All nodes at the top, as the parser reads them one by one.
fn parse(guarded: &Guarded) -> Vec<KdlNode> {
    let parse = |range: &std::ops::Range<usize>| {
        let text = &guarded.text[range.clone()];
        KdlDocument::parse(text).unwrap_or_else(|why| panic!("{text:?}: {:?}", why.diagnostics)).nodes().to_vec()
    };
    guarded.nodes.iter().flat_map(parse).collect()
}

/// Names and values, without how they are spelled.
fn meaning(nodes: &[KdlNode]) -> String {
    let node = |node: &KdlNode| {
        let entry = |entry: &kdl::KdlEntry| format!("{:?}={:?}", entry.name().map(|name| name.value()), entry.value());
        let entries: Vec<String> = node.entries().iter().map(entry).collect();
        let children = node.children().map(|children| meaning(children.nodes()));
        format!("{} {entries:?} {children:?}", node.name().value())
    };
    nodes.iter().map(node).collect::<Vec<_>>().join("\n")
}

fn check(text: &str) {
    let guarded = guard(SourceId(0), text);
    assert_eq!(guarded.text.len(), text.len());
    assert!(guarded.whole || !guarded.problems.as_slice().is_empty(), "gave up on {text:?} and did not say why");
    let nodes = parse(&guarded);
    // What is commented out the parser reads more leniently than it reads all else.
    if guarded.problems.as_slice().is_empty()
        && !text.contains("/-")
        && let Ok(document) = KdlDocument::parse(text)
    {
        assert_eq!(meaning(&nodes), meaning(document.nodes()), "{text:?}");
    }
}

/// Nodes as people write them, any part of them commented out, in blocks of at most two levels.
fn nodes() -> impl Strategy<Value = String> {
    let value =
        prop::sample::select(vec!["a", "\"b c\"", "#\"d\"#", "1.50", "#true", "k=v", "k = \"v w\"", "\\\n", "/* x */"]);
    let entry = (any::<bool>(), value).prop_map(|(hide, value)| {
        // Nothing is hidden of a continued line or a comment.
        let hidden = hide && !value.starts_with(['\\', '/']);
        format!(" {}{value}", if hidden { "/-" } else { "" })
    });
    let head = (any::<bool>(), prop::collection::vec(entry, 0..4))
        .prop_map(|(hide, entries)| format!("{}n{}", if hide { "/-" } else { "" }, entries.concat()));
    let end = prop::sample::select(vec!["\n", ";", " // c\n", "\r\n\n"]);
    let leaf = (head.clone(), end.clone()).prop_map(|(head, end)| head + end);
    let block = prop::collection::vec(leaf.clone(), 0..3).prop_map(|leaves| format!("{{ {}}}", leaves.concat()));
    let node = (head, block, end).prop_map(|(head, block, end)| format!("{head} {block}{end}"));
    prop::collection::vec(prop_oneof![leaf, node], 0..6).prop_map(|nodes| nodes.concat())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_passes_is_parsed(text in soup(24)) {
        check(&text);
    }

    #[test]
    fn what_passes_in_a_node_is_parsed(text in soup(12)) {
        check(&format!("a {text} \n b {{ c {text}\n}}\nd"));
    }

    #[test]
    fn what_is_well_formed_means_the_same(text in nodes()) {
        let guarded = guard(SourceId(0), &text);
        let nested = guarded.problems.as_slice().iter().all(|problem| problem.code == Code::TooDeep);
        prop_assert!(nested, "{:?}: {:?}", text, guarded.problems);
        // The parser trips over a `;` behind a node that is commented out, which is good KDL.
        if guarded.whole
            && let Ok(document) = KdlDocument::parse(&text)
        {
            prop_assert_eq!(meaning(&parse(&guarded)), meaning(document.nodes()), "{:?}", text);
        }
    }

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        check(&text);
    }
}

#[test]
fn what_kdl_takes_is_taken() {
    for text in [
        "a b c=d \"e\"=#true { f; g { h } ; i }\nj",
        "/-a b\n/- c { d }\ne /-f g /-h=i /-{ j } { k } /-{ l }",
        "/-\n\n a\nb",
        "a \\ // continued\n  b /* c /* d */ e */ f\n",
        "a #\"\\d \"x\"\"# ##\"a\"#b\"##\n",
        "a \"\"\"\n  b \"c\"\n\n    d \\\n e\n  \"\"\" f",
        "a #\"\"\"\n  b \\ \"\"\n  \"\"\"#\n",
        "a \"b \\\n   c \\u{1F600} \\t\"",
        "a -- - + . .. --x -x=1 a'b $x % , < > 1_0 0x1F 1e9 -1.5E-3 0b1 0o7 #inf #-inf #nan #null",
        "\u{feff}a = ",
        "a{b}\nc{}",
        "a\r\nb\rc\u{85}d\u{2028}e",
        "\"a b\" c\n#\"d\"# e=1 ; f",
        "a b = c d= e f =g",
    ] {
        let guarded = guard(SourceId(0), text);
        match KdlDocument::parse(text) {
            Ok(document) => {
                assert!(guarded.problems.as_slice().is_empty(), "{text:?}: {:?}", guarded.problems);
                assert_eq!(meaning(&parse(&guarded)), meaning(document.nodes()), "{text:?}");
            }
            Err(_) => assert!(!guarded.problems.as_slice().is_empty(), "{text:?}"),
        }
    }
}

#[test]
fn a_mistake_hides_nothing_beside_it() {
    let guarded = guard(SourceId(0), "a src/x 5s { b 'c d' ${e} } f g\nh r\"i\" { j } k");
    assert!(guarded.whole);
    assert_eq!(guarded.problems.as_slice().len(), 7, "{:?}", guarded.problems);
    let names: Vec<String> = parse(&guarded).iter().map(|node| node.name().value().to_owned()).collect();
    assert_eq!(names, ["a", "f", "h", "k"]);
}

#[test]
fn the_work_is_linear() {
    let patterns = [
        ("", "x\n", ""),
        ("", "/-", ""),
        ("a", " /-a", ""),
        ("a", " /-{}", ""),
        ("", "/*", ""),
        ("/*", "*", "*/"),
        ("", "\"", ""),
        ("", "\" ", ""),
        ("", "#", ""),
        ("", "#\"", ""),
        ("", "r\" ", ""),
        ("a ", "'a ", ""),
        ("a ", "( ", ""),
        ("a ", "(", ""),
        ("a ", "${ ", ""),
        ("a ", "$(", ""),
        ("a ", "=", ""),
        ("a ", "= ", ""),
        ("", "{", ""),
        ("", "}", ""),
        ("", "a{} ", ""),
        ("a ", "\\ ", ""),
        ("a ", "\\\n", ""),
        ("a \"", "\\u{", "\""),
        ("a \"\"\"\n", "\\\n", "\n\"\"\""),
        ("a \"\"\"\n", " \n", "\n    \"\"\""),
        ("a #\"\"\"", "\n\"\"", ""),
        ("a ", "a/{", ""),
        ("a \"\"\"", "x\"\"", ""),
        ("a\n", "{", ""),
        ("", "a\n{}", ""),
        ("a ##\"", "\"#", ""),
        ("a ", "1 = ", ""),
        ("a ", "k= ", ""),
    ];
    for (before, repeated, after) in patterns {
        let steps = |count: usize| guard(SourceId(0), &format!("{before}{}{after}", repeated.repeat(count))).steps;
        let (once, twice) = (steps(2_000), steps(4_000));
        assert!(twice <= 2 * once + 500, "{before:?} {repeated:?}: {once} bytes, then {twice}");
        assert!(once <= 6 * 2_000 * repeated.len() + 500, "{before:?} {repeated:?}: {once} bytes");
    }
}

#[test]
fn what_overflows_the_parser_does_not_reach_it() {
    for text in [
        "{".repeat(100_000),
        "}".repeat(100_000),
        "a{".repeat(100_000),
        format!("/*{}*/", " *".repeat(500_000)),
        "a)".repeat(100_000),
    ] {
        let guarded = guard(SourceId(0), &text);
        parse(&guarded);
    }
    let nested = |depth: usize| guard(SourceId(0), &format!("{}{}", "a{".repeat(depth), "}".repeat(depth)));
    assert!(nested(64).whole && !nested(65).whole);
    parse(&nested(64));
}
