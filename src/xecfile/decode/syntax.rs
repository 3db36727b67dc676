//! What the KDL parser has to say, as problems. The guard leaves it little to say: every such message is a case
//! the guard does not know yet, and still comes with its place.

use crate::base::diagnostic::{Code, Problem};
use crate::xecfile::cursor::Reader;

/// Tells each place once, with the first message for it.
pub(super) fn report(reader: &mut Reader<'_>, error: &kdl::KdlError) {
    let mut last = None;
    for diagnostic in &error.diagnostics {
        let span = reader.span(diagnostic.span.offset(), diagnostic.span.offset() + diagnostic.span.len());
        if last.replace(span) == Some(span) {
            continue;
        }
        let message = diagnostic.message.as_deref().unwrap_or("this is not KDL");
        let mut problem = Problem::error(Code::Syntax, decapitalised(message)).at(span, "");
        if let Some(help) = &diagnostic.help {
            problem = problem.help(decapitalised(help));
        }
        reader.report(problem);
        if reader.problems.is_full() {
            break;
        }
    }
}

fn decapitalised(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Problems;
    use crate::base::source::SourceId;

    #[test]
    fn what_the_parser_says_has_a_place() {
        let text = "abc task \"a";
        let error = kdl::KdlDocument::parse(&text[4..]).expect_err("not closed");
        let mut reader = Reader::new(SourceId(0), text, &[], Problems::default());
        reader.base = 4;
        report(&mut reader, &error);
        let problems = reader.problems.into_vec();
        assert_eq!(problems[0].code, Code::Syntax);
        assert!(problems[0].labels[0].span.start >= 9, "{problems:?}");
    }
}
