//! What is asked before anything runs: whether to ask is decided apart from asking. Knows nothing of plans; whoever
//! has one brings the questions, in order, their values filled in.

use std::io::{self, BufRead, IsTerminal as _, Write};
use std::sync::Arc;

use crate::app::Answer;
use crate::app::open::refuse;
use crate::app::options::{Exit, Options};
use crate::base::diagnostic::{Code, Problem};
use crate::base::source::{SourceMap, Span};
use crate::report::sanitize::visible;

/// What a task wants to know before it runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Question {
    /// Who asks.
    pub(super) task: Arc<str>,
    /// What it asks.
    pub(super) text: String,
    /// Where that is written.
    pub(super) span: Span,
}

/// What is to be done with questions.
#[derive(PartialEq, Eq, Debug)]
enum Decision<'q> {
    /// Nothing is asked, or all is answered.
    Go,
    /// These are asked, each once.
    Ask(Vec<&'q Question>),
    /// They cannot be asked.
    Refuse(Vec<&'q Question>),
}

/// Asks all questions; the first that is not answered with yes is the end.
///
/// # Errors
/// Somebody said no (exit code 1), or there is nobody to ask (2).
pub(super) fn confirm(options: &Options, questions: &[Question], sources: &SourceMap) -> Result<(), Answer> {
    let no = |err: String| Answer { out: String::new(), err, exit: Exit::Code(1) };
    match decide(questions, options.yes, io::stdin().is_terminal()) {
        Decision::Go => Ok(()),
        Decision::Refuse(unasked) => Err(refuse(options, &unaskable(&unasked), sources)),
        Decision::Ask(asked) => match terminal().and_then(|mut to| ask(&asked, &mut io::stdin().lock(), &mut to)) {
            Ok(None) => Ok(()),
            Ok(Some(refused)) => Err(no(format!("xec: not confirmed: {}\n", visible(&refused.task)))),
            Err(why) => Err(no(format!("xec: not confirmed: cannot ask: {why}\n"))),
        },
    }
}

/// The same question of several instances is one.
fn decide(questions: &[Question], yes: bool, terminal: bool) -> Decision<'_> {
    let mut seen = std::collections::HashSet::new();
    let once: Vec<&Question> = questions.iter().filter(|one| seen.insert((&one.task, &one.text))).collect();
    match (once.is_empty() || yes, terminal) {
        (true, _) => Decision::Go,
        (false, true) => Decision::Ask(once),
        (false, false) => Decision::Refuse(once),
    }
}

/// One problem for each task, with its first question.
fn unaskable(questions: &[&Question]) -> Vec<Problem> {
    let mut seen = std::collections::HashSet::new();
    let first = questions.iter().filter(|question| seen.insert(&question.task));
    first
        .map(|question| {
            let message = format!("`{}` has to be confirmed, and there is no terminal to ask on", question.task);
            let help = "-y answers every question with yes";
            Problem::error(Code::Usage, message).at(question.span, question.text.clone()).help(help)
        })
        .collect()
}

/// Where a question is seen: on stderr, unless that has been sent elsewhere.
fn terminal() -> io::Result<Box<dyn Write>> {
    let stderr = io::stderr();
    if stderr.is_terminal() {
        return Ok(Box::new(stderr));
    }
    Ok(Box::new(std::fs::File::options().write(true).open("/dev/tty")?))
}

/// The first question that is not answered with yes. The end of the input is no answer.
fn ask<'q>(questions: &[&'q Question], from: &mut dyn BufRead, to: &mut dyn Write) -> io::Result<Option<&'q Question>> {
    for question in questions {
        let lines: Vec<_> = question.text.lines().map(visible).collect();
        write!(to, "{}: {} [y/N] ", visible(&question.task), lines.join("\n"))?;
        to.flush()?;
        let mut answer = Vec::new();
        from.read_until(b'\n', &mut answer)?;
        if answer.last() != Some(&b'\n') {
            writeln!(to)?;
        }
        let answer = answer.trim_ascii().to_ascii_lowercase();
        if !matches!(&*answer, b"y" | b"yes") {
            return Ok(Some(question));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(task: &str, text: &str) -> Question {
        Question { task: task.into(), text: text.into(), span: Span::default() }
    }

    #[test]
    fn whether_to_ask() {
        let both = [question("a", "Really?"), question("b", "Really?"), question("a", "Really?")];
        let once = || vec![&both[0], &both[1]];
        assert_eq!(decide(&both, false, true), Decision::Ask(once()));
        assert_eq!(decide(&both, false, false), Decision::Refuse(once()));
        for terminal in [true, false] {
            assert_eq!(decide(&both, true, terminal), Decision::Go);
            assert_eq!(decide(&[], false, terminal), Decision::Go);
        }
    }

    /// Which task is refused after these answers, and what is on the screen then.
    fn asked(answers: &str) -> (Option<String>, String) {
        let (first, second) = (question("a", "One\ntwo?"), question("b", "\u{1b}[2J?"));
        let mut screen = Vec::new();
        let refused = ask(&[&first, &second], &mut answers.as_bytes(), &mut screen).expect("memory takes all");
        (refused.map(|question| question.task.to_string()), String::from_utf8_lossy(&screen).into_owned())
    }

    #[test]
    fn only_a_yes_is_one() {
        let screen = "a: One\ntwo? [y/N] b: \\u{1b}[2J? [y/N] ";
        assert_eq!(asked("y\n YES \n"), (None, screen.to_owned()));
        assert_eq!(asked("Y\nno\n"), (Some("b".to_owned()), screen.to_owned()));
        assert_eq!(asked("y\ny"), (None, format!("{screen}\n")));
        for answers in ["n\ny\n", "\ny\n", "yess\n", "ye s\n"] {
            assert_eq!(asked(answers), (Some("a".to_owned()), "a: One\ntwo? [y/N] ".to_owned()), "{answers:?}");
        }
        assert_eq!(asked(""), (Some("a".to_owned()), "a: One\ntwo? [y/N] \n".to_owned()));
    }

    #[test]
    fn without_a_terminal_each_task_is_named_with_the_way_out() {
        let all = [question("deploy", "To eu?"), question("deploy", "To us?"), question("drop", "All?")];
        let problems = unaskable(&all.iter().collect::<Vec<_>>());
        let said: Vec<_> = problems.iter().map(|problem| (&*problem.message, &*problem.labels[0].text)).collect();
        let asks = |task: &str| format!("`{task}` has to be confirmed, and there is no terminal to ask on");
        assert_eq!(said, [(&*asks("deploy"), "To eu?"), (&*asks("drop"), "All?")]);
        assert!(problems[0].help.as_deref().is_some_and(|help| help.starts_with("-y ")), "{problems:?}");
    }

    #[test]
    fn yes_on_the_command_line_needs_nobody() {
        let options = Options { yes: true, ..Options::default() };
        assert_eq!(confirm(&options, &[question("a", "Really?")], &SourceMap::default()), Ok(()));
    }
}
