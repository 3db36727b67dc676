//! What holds for any bytes at all, whoever made them up: the tests here, or a fuzzer in `fuzz/`, which includes
//! this file as it is. Panics where it does not hold.

use std::path::Path;

use xec::base::diagnostic::{Code, MOST_PROBLEMS, Problem, Severity};
use xec::base::source::SourceMap;
use xec::base::value::Template;
use xec::plan::{Request, World, compile};
use xec::report::problems::render;
use xec::xecfile::load::read;
use xec::xecfile::model::Width;

/// A file gets an answer: it can be planned, or there are problems, each with a place in it.
pub fn file(bytes: &[u8]) -> Verdict {
    let loaded = read(bytes);
    let refused = loaded.problems.iter().any(|problem| problem.severity == Severity::Error);
    assert!(refused == loaded.file.is_none(), "a file is there exactly if nothing is wrong with it");
    well_told(&loaded.problems, &loaded.sources);
    let Some(file) = loaded.file else { return Verdict::Refused };
    let request = Request { slots: Some(Width::Count(2)), cpus: 2, ..Request::default() };
    let (verdict, found) = match compile::check(&file, &request, world()) {
        Ok(checked) => (Verdict::Good, checked.warnings),
        Err(found) => (Verdict::Refused, found),
    };
    well_told(&found, &file.sources);
    verdict
}

/// What became of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// All of its tasks could run.
    Good,
    /// It is refused, with reasons.
    Refused,
}

/// A world that is always the same, and has two files of every pattern.
fn world() -> World<'static> {
    let env = &|name: &str| (name == "HOME").then(|| "/home".to_owned());
    let glob = &|_: &Path, pattern: &str| Ok(vec![format!("{pattern}.1"), format!("{pattern}.2")]);
    World { env, glob, os: "linux", arch: "x86_64", lenient: true }
}

/// Problems that can be shown: a sentence, a place that is there, no more of them than anybody reads, nothing that
/// could drive a terminal.
fn well_told(problems: &[Problem], sources: &SourceMap) {
    assert!(problems.len() <= MOST_PROBLEMS, "{} problems", problems.len());
    for problem in problems {
        assert!(!problem.message.is_empty() && Code::named(problem.code.as_str()) == Some(problem.code));
        assert!(!problem.labels.is_empty(), "nobody can find it: {problem:?}");
        for label in &problem.labels {
            let source = sources.iter().nth(usize::from(label.span.source.0)).expect("a source that was read");
            let (start, end) = (label.span.start as usize, label.span.end as usize);
            assert!(source.text.get(start..end).is_some(), "{start}..{end} is no part of the file: {problem:?}");
        }
    }
    let shown = render(problems, sources, false, 80);
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    assert!(!shown.contains("Failed to read"), "{shown}");
}

/// A text with `${…}` is read or refused at a place of its own; and what is filled in is not read again.
pub fn template(text: &str) {
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(bad) => {
            assert!(!bad.why.is_empty() && !bad.range.is_empty(), "{bad:?}");
            assert!(text.get(bad.range.clone()).is_some(), "{:?} is no part of {text:?}", bad.range);
            return;
        }
    };
    if let Some(plain) = template.as_text() {
        assert_eq!(**plain, text.replace("$${", "${"), "nothing but the escape is touched");
    }
    // A mark that no filter touches and no text holds.
    let (mark, hostile) = ("\u{f8ff}", "${env.HOME}$(x)");
    let filled = |value: &str| template.expand(&|_| Some(value.to_owned())).expect("every name has a value");
    if !text.contains(mark) && !text.contains('|') {
        assert_eq!(filled(mark).replace(mark, hostile), filled(hostile), "a value is never read again");
    }
    template.expand_lists(&|_| Some(String::new()), &|_| Some(Vec::new())).expect("every name has a value");
    if let Err(unknown) = template.expand(&|_| None) {
        assert!(template.names().any(|name| *name == unknown.name), "{unknown}");
    }
}
