//! `--explain`: the page of a diagnostic. Needs no file.

use crate::app::Answer;
use crate::app::open::stdout_style;
use crate::app::options::Options;
use crate::base::diagnostic::Code;
use crate::base::name::did_you_mean;
use crate::report::problems_json;
use crate::report::sanitize::visible;
use crate::report::style::Ink;

pub(super) fn explain(word: &str, options: &Options) -> Answer {
    let Some(code) = find(word) else { return Answer::refused(unknown(word)) };
    let page = code.page();
    let text = page.split_once("\n\n").map_or(&*page, |(_, text)| text).trim_end();
    Answer::text(match options.show.json {
        true => problems_json::page(code, text),
        false => format!("{}\n\n{text}\n", stdout_style(options).paint(Ink::Bold, code.as_str())),
    })
}

/// The code of a word as it stands in a problem, with or without what stands around it there: `error[cycle]`.
fn find(word: &str) -> Option<Code> {
    Code::named(bare(word))
}

fn bare(word: &str) -> &str {
    let inner = word.strip_suffix(']').and_then(|word| word.split_once('['));
    inner.map_or(word, |(_, code)| code)
}

fn unknown(word: &str) -> String {
    let near = did_you_mean(bare(word), Code::ALL.iter().map(|code| code.as_str()));
    let help = near.unwrap_or_else(|| "it is the word in the brackets of `error[…]`".to_owned());
    format!("xec: no problem is called `{}`; {help}\n", visible(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::options::{Exit, Show};

    fn explained(word: &str, json: bool) -> Answer {
        explain(word, &Options { show: Show { json, ..Show::default() }, ..Options::default() })
    }

    #[test]
    fn every_code_has_a_page() {
        for code in Code::ALL {
            let answer = explained(code.as_str(), false);
            assert!(answer.out.starts_with(code.as_str()) && answer.err.is_empty(), "{answer:?}");
            assert!(answer.out.lines().count() > 3, "{answer:?}");
            assert_eq!(answer.exit, Exit::Code(0));
        }
        let plain = explained("error[unknown-task]", false).out;
        assert!(plain.starts_with("unknown-task\n\nNo task") && plain.contains("```kdl"), "{plain}");
    }

    #[test]
    fn for_machines() {
        let line = explained("warning[unknown-task]", true).out;
        let read: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
        assert_eq!(read["code"], "unknown-task");
        assert!(read["text"].as_str().is_some_and(|text| text.starts_with("No task")), "{line}");
    }

    #[test]
    fn an_unknown_code_brings_the_nearest() {
        let answer = explained("cycel", false);
        assert_eq!(answer.err, "xec: no problem is called `cycel`; did you mean `cycle`?\n");
        assert_eq!(answer.exit, Exit::Code(2));
        let answer = explained("\u{1b}x", false);
        let says = "xec: no problem is called `\\u{1b}x`; it is the word in the brackets of `error[…]`\n";
        assert_eq!((&*answer.out, &*answer.err), ("", says));
    }
}
