//! What a command or a condition says, whatever its values come to: no two that do something else say the same.

use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::cache::digest::Mixer;
use crate::plan::defs::{Command, Work};
use crate::xecfile::model::{Condition, Input, PredicateKind};

/// A template as one text, no two the same.
pub(super) fn template(text: &Template) -> String {
    format!("{:?}", text.parts)
}

/// A command, and where it is several, all of them.
pub(super) fn parts(command: &Command) -> impl Iterator<Item = &Command> {
    let members = if let Work::Pipe(members) = &command.work { &members[..] } else { &[] };
    std::iter::once(command).chain(members)
}

pub(super) fn add_command(command: &Command, said: &mut Mixer) {
    match &command.work {
        Work::Run(text) => {
            said.add(b"run").add(text.as_bytes());
        }
        Work::Exec(words) => {
            said.add(b"exec");
            for word in words.iter() {
                said.add(template(&word.value).as_bytes());
            }
        }
        Work::Wait(_) => {
            said.add(b"wait");
        }
        Work::Until(ready) => {
            said.add(b"until").add(format!("{:?}", ready.template().map(|text| &text.value.parts)).as_bytes());
            said.add(ready.script().map(|text| text.value.as_bytes()).unwrap_or_default());
        }
        Work::Copy(copy) => {
            said.add(b"copy");
            for text in copy.texts() {
                said.add(template(&text.value).as_bytes());
            }
        }
        Work::Pipe(_) => {
            said.add(b"pipe");
        }
    }
    if command.session {
        said.add(b"session");
    }
    if let Work::Run(_) = &command.work {
        for word in command.place.shell.iter() {
            said.add(template(word).as_bytes());
        }
    }
    let stdin = command.stdin.as_ref().map(Input::text);
    for text in [command.place.cwd.as_ref(), stdin, command.stdout.as_ref(), command.args.as_ref()] {
        said.add(text.map(|text| template(&text.value)).unwrap_or_default().as_bytes());
    }
    if let Some(capture) = &command.capture {
        said.add(capture.name.value.as_bytes()).add(format!("{:?}", capture.form).as_bytes());
    }
    said.add(command.status.as_ref().map(|name| name.value.as_bytes()).unwrap_or_default());
}

pub(super) fn add_condition(condition: &Condition, said: &mut Mixer) {
    said.add(&[u8::from(condition.negate)]);
    for line in &condition.lines {
        let (word, first, rest): (&[u8], Option<&Spanned<Template>>, &[Spanned<Template>]) = match &line.kind {
            PredicateKind::Os(words) => (b"os", None, words),
            PredicateKind::Arch(words) => (b"arch", None, words),
            PredicateKind::Exists(words) => (b"exists", None, words),
            PredicateKind::Command(words) => (b"command", None, words),
            PredicateKind::Changed(words) => (b"changed", None, words),
            PredicateKind::Env(name, words) => (b"env", Some(name), words),
            PredicateKind::Equal(one, words) => (b"equal", Some(one), words),
            PredicateKind::Run(text) => {
                said.add(b"run").add(text.value.as_bytes());
                continue;
            }
        };
        said.add(word);
        for text in first.into_iter().chain(rest) {
            said.add(template(&text.value).as_bytes());
        }
    }
}
