use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use super::{Line, Word, cut};
use crate::plan::request::Asked;

fn line(text: &str) -> Result<Line, String> {
    cut(text.split_whitespace().map(OsString::from).collect())
}

/// The tasks of a line that makes sense, and the names of its options.
fn cut_up(text: &str) -> (Vec<Asked>, Vec<&'static str>) {
    let Line { given, asked, .. } = line(text).unwrap();
    (asked, given.into_iter().map(|(name, _)| name).collect())
}

fn bad(text: &str) -> String {
    line(text).unwrap_err()
}

fn asked(selector: &str, words: &[Word], rest: Option<&[&str]>) -> Asked {
    let rest = rest.map(|rest| rest.iter().map(|word| (*word).to_owned()).collect());
    Asked { selector: selector.to_owned(), words: words.to_vec(), rest }
}

fn value(name: &str, value: &str) -> Word {
    Word::Value(name.to_owned(), value.to_owned())
}

fn flag(name: &str) -> Word {
    Word::Flag(name.to_owned())
}

#[test]
fn what_follows_a_task_is_for_it() {
    let (tasks, options) = cut_up("build release=1 test --fast --level=3 -v -rq -- a --jobs=4 -- x=1");
    let words = [flag("fast"), value("level", "3"), Word::Short('r', None)];
    let rest = ["a", "--jobs=4", "--", "x=1"];
    let expected = [asked("build", &[value("release", "1")], None), asked("test", &words, Some(&rest))];
    assert_eq!((&*tasks, &*options), (&expected[..], &["verbose", "quiet"][..]));
}

#[test]
fn options_of_xec_are_its_own_wherever_they_stand() {
    let (tasks, options) = cut_up("-j4 build --json x=1 -C dir --file=f test -kp");
    assert_eq!(tasks, [asked("build", &[value("x", "1")], None), Asked::plain("test")]);
    assert_eq!(options, ["jobs", "json", "directory", "file", "keep-going", "parallel"]);
}

#[test]
fn selectors_bind_nothing_and_values_are_any_text() {
    let selectors = ["test[os=linux]", "*:test", "deploy@web*", "api:build", "-", "a.b=c", "9=9"];
    let (tasks, _) = cut_up(&selectors.join(" "));
    assert_eq!(tasks, selectors.map(Asked::plain));
    let (tasks, _) = cut_up("t A_b-1=x=y _= --n=-1 --e= t");
    let words = [value("A_b-1", "x=y"), value("_", ""), value("n", "-1"), value("e", "")];
    assert_eq!(tasks, [asked("t", &words, None), Asked::plain("t")]);
    let odd = ["t", "x=a b\nc", "--y= "].map(OsString::from).to_vec();
    assert_eq!(cut(odd).unwrap().asked, [asked("t", &[value("x", "a b\nc"), value("y", " ")], None)]);
}

#[test]
fn an_empty_rest_is_one() {
    assert_eq!(cut_up("t --").0, [asked("t", &[], Some(&[]))]);
    assert_eq!(cut_up("a b -- c").0, [Asked::plain("a"), asked("b", &[], Some(&["c"]))]);
    assert_eq!(cut_up("--").0, []);
    assert_eq!(bad("-- fast x"), "`fast` stands behind `--`, and no task before it: `xec TASK -- fast`");
}

#[test]
fn words_before_any_task_are_shown_their_place() {
    let says = "`env=prod` stands before any task; what a task takes follows it: `xec TASK env=prod`";
    assert_eq!(bad("env=prod"), says);
    assert_eq!(bad("-k env=prod x=y deploy b"), says.replace("TASK", "deploy"));
    assert_eq!(
        bad("--fresh deploy"),
        "there is no option `--fresh`; what a task takes follows it: `xec deploy --fresh`"
    );
    assert_eq!(bad("-x deploy"), "there is no option `-x`; what a task takes follows it: `xec deploy -x`");
}

#[test]
fn what_is_not_an_option_suggests_one() {
    assert_eq!(bad("--jbos 4"), "there is no option `--jbos`; did you mean `--jobs` or `--json`?");
    assert_eq!(bad("--job=4 build"), "there is no option `--job`; did you mean `--jobs`?");
    assert_eq!(bad("-x"), "there is no option `-x`");
    assert_eq!(bad("--\u{1b}[31m"), "there is no option `--\\u{1b}[31m`");
    assert_eq!(bad("build --=4"), "there is no option `--`");
    assert_eq!(cut_up("build --paralel").0, [asked("build", &[flag("paralel")], None)], "the task may have one");
}

#[test]
fn options_of_later_versions_are_nobodys() {
    for shown in ["--fmt", "--doctor"] {
        let says = format!("`{shown}` is an option of a later version of xec than this one");
        assert_eq!(bad(shown), says);
        assert_eq!(bad(&format!("build {shown}")), says);
    }
}

#[test]
fn values_of_options() {
    let given = |text| line(text).unwrap().given;
    assert_eq!(given("-j4 -j=5 --jobs 6"), [("jobs", "6".into())], "the last one counts");
    assert_eq!(given("-kj 4"), [("keep-going", "".into()), ("jobs", "4".into())]);
    assert_eq!(given("--graph t"), [("graph", "".into())]);
    assert_eq!(given("--graph=dot"), [("graph", "dot".into())]);
    for text in ["-j", "-j -k", "--jobs --", "-C --json", "--file="] {
        assert!(bad(text).ends_with("` needs a value"), "{text}");
    }
    assert_eq!(bad("--yes=1 t"), "`--yes` takes no value");
    let meant = "`--version` takes no value; an input of `t` of that name is given without the dashes: version=1";
    assert_eq!(bad("t --version=1"), meant);
    assert_eq!(bad("t -y=1"), "`--yes` takes no value");
    let words = |text| cut_up(text).0.swap_remove(0).words;
    assert_eq!(words("t -x=1"), [Word::Short('x', Some("1".to_owned()))]);
    assert_eq!(words("t -zx=b=-q"), [Word::Short('z', None), Word::Short('x', Some("b=-q".to_owned()))]);
}

#[test]
fn bytes_that_are_no_text_are_for_paths_alone() {
    let odd = |before: &str, after: &[&[u8]]| {
        let words = before.split_whitespace().map(OsString::from);
        cut(words.chain(after.iter().map(|word| OsString::from_vec(word.to_vec()))).collect())
    };
    let given = odd("", &[b"--file=a\xff", b"-Cb\xff"]).unwrap().given;
    let path = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    assert_eq!(given, [("file", path(b"a\xff")), ("directory", path(b"b\xff"))]);
    let says = |result: Result<Line, String>| result.unwrap_err();
    assert_eq!(says(odd("", &[b"a\xff"])), "a task cannot be named `a\u{fffd}`: not UTF-8");
    assert_eq!(says(odd("t", &[b"x=\xff"])), "the value of `x`: not UTF-8");
    assert_eq!(says(odd("t", &[b"--x=\xff"])), "the value of `x`: not UTF-8");
    assert_eq!(says(odd("t", &[b"--\xff"])), "the option `\u{fffd}`: not UTF-8");
    assert_eq!(says(odd("t", &[b"-r\xff"])), "the option `r\u{fffd}`: not UTF-8");
    assert_eq!(says(odd("t --", &[b"\xff"])), "the word `\u{fffd}`: not UTF-8");
}
