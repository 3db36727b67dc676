//! Problems for machines: one JSON object on each line, in the order of the file, none left out. The types are this
//! module's own, so that what is inside may change its shape and the format does not. Knows nothing of where
//! problems come from.
//!
//! Lines and columns count from 1, columns in characters; `start` and `end` are bytes, from 0.

use serde::Serialize;

use crate::base::diagnostic::{Code, Label, Problem, Severity};
use crate::base::source::SourceMap;
use crate::report::line::line;

/// The version of the format: names are only ever added within one.
const VERSION: u32 = 1;

/// One line for each problem.
pub fn lines(problems: &[Problem], sources: &SourceMap) -> String {
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort_by_key(|problem| problem.labels.first().map(|label| label.span));
    sorted.into_iter().map(|problem| line(&Found::new(problem, sources))).collect()
}

/// The page of a code.
pub fn page(code: Code, text: &str) -> String {
    line(&Page { v: VERSION, code: code.as_str(), text })
}

#[derive(Serialize)]
struct Page<'a> {
    v: u32,
    code: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
struct Found<'a> {
    v: u32,
    severity: &'static str,
    code: &'static str,
    message: &'a str,
    help: Option<&'a str>,
    places: Vec<Place<'a>>,
}

impl<'a> Found<'a> {
    fn new(problem: &'a Problem, sources: &'a SourceMap) -> Self {
        Self {
            v: VERSION,
            severity: match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            code: problem.code.as_str(),
            message: &problem.message,
            help: problem.help.as_deref(),
            places: problem.labels.iter().map(|label| Place::new(label, sources)).collect(),
        }
    }
}

#[derive(Serialize)]
struct Place<'a> {
    file: String,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    start: u32,
    end: u32,
    text: &'a str,
}

impl<'a> Place<'a> {
    fn new(label: &'a Label, sources: &SourceMap) -> Self {
        let source = sources.get(label.span.source);
        let column = |byte: u32| {
            let before = source.text.get(..byte as usize).unwrap_or(&source.text);
            let line = before.rsplit('\n').next().unwrap_or_default();
            u32::try_from(line.chars().count()).unwrap_or(u32::MAX).saturating_add(1)
        };
        Self {
            file: source.path.to_string_lossy().into_owned(),
            line: source.line(label.span.start),
            column: column(label.span.start),
            end_line: source.line(label.span.end),
            end_column: column(label.span.end),
            start: label.span.start,
            end: label.span.end,
            text: &label.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::Span;

    #[test]
    fn one_line_for_each_in_the_order_of_the_file() {
        let mut sources = SourceMap::default();
        let source = sources.add("a.kdl", "one\nzwö drei\n");
        let at = |start, end| Span { source, start, end };
        let late = Problem::error(Code::UnknownTask, "no `drei`").at(at(9, 13), "here").help("write \"vier\"");
        let early = Problem::warning(Code::BadValue, "odd").at(at(0, 4), "");
        let text = lines(&[late, early], &sources);
        let expected = concat!(
            r#"{"v":1,"severity":"warning","code":"bad-value","message":"odd","help":null,"#,
            r#""places":[{"file":"a.kdl","line":1,"column":1,"end_line":2,"end_column":1,"start":0,"end":4,"text":""}]}"#,
            "\n",
            r#"{"v":1,"severity":"error","code":"unknown-task","message":"no `drei`","help":"write \"vier\"","#,
            r#""places":[{"file":"a.kdl","line":2,"column":5,"end_line":2,"end_column":9,"start":9,"end":13,"text":"here"}]}"#,
            "\n",
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn a_problem_of_the_command_line_has_no_place() {
        let text = lines(&[Problem::error(Code::Usage, "no")], &SourceMap::default());
        assert!(text.ends_with("\"help\":null,\"places\":[]}\n"), "{text}");
        assert_eq!(lines(&[], &SourceMap::default()), "");
    }
}
