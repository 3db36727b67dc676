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
    let text = page(code);
    Answer::text(match options.show.json {
        true => problems_json::page(code, &text),
        false => format!("{}\n\n{text}\n", stdout_style(options).paint(Ink::Bold, code.as_str())),
    })
}

/// The code of a word as it stands in a problem, with or without what stands around it there: `error[cycle]`.
fn find(word: &str) -> Option<Code> {
    let bare = bare(word);
    Code::ALL.iter().copied().find(|code| code.as_str() == bare)
}

fn bare(word: &str) -> &str {
    let inner = word.strip_suffix(']').and_then(|word| word.split_once('['));
    inner.map_or(word, |(_, code)| code)
}

/// Its lines as they are written in the source of the table, where each begins with a blank.
fn page(code: Code) -> String {
    let lines: Vec<&str> = code.explain().lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim_end().to_owned()
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
            assert!(answer.out.lines().skip(2).all(|line| !line.starts_with(' ')), "{answer:?}");
            assert_eq!(answer.exit, Exit::Code(0));
        }
        assert_eq!(explained("error[unknown-task]", false).out, "unknown-task\n\nNo task of that name exists.\n");
    }

    #[test]
    fn for_machines() {
        let line = explained("warning[unknown-task]", true).out;
        assert_eq!(line, "{\"v\":1,\"code\":\"unknown-task\",\"text\":\"No task of that name exists.\"}\n");
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
