//! Questions that are asked while a run goes on: whether a scope has to run, and what a `let` comes to. Their
//! scripts are processes like any other, and are ended like any other; nobody is shown what they write, unless
//! they fail.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use crate::base::command::{CommandSpec, NotStarted, Outcome};
use crate::base::event::{JobId, Message};
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::exec::output::OutputTx;
use crate::exec::{JobCx, Target};
use crate::plan::values::Value;
use crate::run::job::News;
use crate::run::place::Here;
use crate::run::scheduler::Complaint;
use crate::xecfile::model::{Condition, PredicateKind};

/// A script that answers.
pub struct Question {
    /// What to run.
    pub spec: CommandSpec,
    /// Its exit code is the answer, whichever it is; else anything but 0 is an error.
    pub by_code: bool,
}

/// What a script said: its code, and its stdout.
pub type Said = Result<(i32, Vec<u8>), Complaint>;

/// Runs a script to its end, and says what came of it whatever happens; hands out the way to end it as soon as there is
/// one.
pub async fn ask(question: Question, target: Rc<dyn Target>, job: JobId, news: UnboundedSender<News>) {
    let mut guard = Guard { job, said: Err("xec lost track of it".to_owned().into()), news };
    guard.said = answer(question, target, job, &guard.news).await;
}

/// Says the last word of a question, so that no run waits for one that is not there.
struct Guard {
    job: JobId,
    said: Said,
    news: UnboundedSender<News>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let said = std::mem::replace(&mut self.said, Err(String::new().into()));
        // Without a dispatcher there is no run.
        let _ = self.news.send(News::Answered(self.job, said));
    }
}

async fn answer(question: Question, target: Rc<dyn Target>, job: JobId, news: &UnboundedSender<News>) -> Said {
    let (output, mut messages) = OutputTx::pair();
    let started = target.start(question.spec, JobCx::new(job, output)).await;
    let running = started.map_err(|why| match why {
        NotStarted::Unreachable(why) => Complaint::Unreachable(why),
        why => Complaint::Value(why.to_string()),
    })?;
    // Without a dispatcher there is nobody who could want to end it.
    let _ = news.send(News::Asked(job, running.control));
    let finished = running.done.await;
    let mut complaint = Vec::new();
    while let Ok(message) = messages.try_recv() {
        if let Message::Output(output) = message {
            complaint.extend_from_slice(&output.bytes);
        }
    }
    let code = match finished.outcome {
        Outcome::Exited(code) if code == 0 || question.by_code => code,
        // The way to its host was lost, and with it the answer.
        Outcome::Unknown(why) => return Err(Complaint::Unreachable(why)),
        outcome => {
            let text = String::from_utf8_lossy(&complaint);
            let last = text.trim_end().lines().last().unwrap_or_default();
            return Err(format!("it ended with {}: {last}", outcome.code()).into());
        }
    };
    Ok((code, finished.captures.stdout.map(|bytes| bytes.to_vec()).unwrap_or_default()))
}

/// The script that answers a line.
pub enum Script<'p> {
    /// This one of the file.
    OfFile(&'p Arc<str>),
    /// On a host, by this script of ours, for any of these words.
    There(&'static str, &'p [Spanned<Template>]),
}

impl<'p> Script<'p> {
    /// What is asked of a place; of a host, also what can be seen here without asking.
    pub fn of(kind: &'p PredicateKind) -> Option<Self> {
        match kind {
            PredicateKind::Os(words) => Some(Script::There(OS, words)),
            PredicateKind::Arch(words) => Some(Script::There(ARCH, words)),
            PredicateKind::Exists(words) => Some(Script::There(EXISTS, words)),
            PredicateKind::Command(words) => Some(Script::There(COMMAND, words)),
            PredicateKind::Run(script) => Some(Script::OfFile(&script.value)),
            PredicateKind::Env(..) | PredicateKind::Equal(..) | PredicateKind::Changed(_) => None,
        }
    }
}

/// Whether there is a path, or one that matches: words are patterns and are not split.
pub const EXISTS: &str =
    r#"IFS=; for p do for f in $p; do if [ -e "$f" ] || [ -L "$f" ]; then exit 0; fi; done; done; exit 1"#;
const COMMAND: &str = r#"for p do command -v "$p" >/dev/null 2>&1 && exit 0; done; exit 1"#;
/// As Rust calls the systems.
const OS: &str =
    r#"s=$(uname -s | tr A-Z a-z); [ "$s" = darwin ] && s=macos; for p do [ "$p" = "$s" ] && exit 0; done; exit 1"#;
/// As Rust calls the processors.
const ARCH: &str = concat!(
    r#"m=$(uname -m); case $m in arm64) m=aarch64 ;; amd64) m=x86_64 ;; i?86) m=x86 ;; armv*) m=arm ;; esac; "#,
    r#"for p do [ "$p" = "$m" ] && exit 0; done; exit 1"#
);

/// What conditions come to, as far as that can be said without a script; else what to ask, by line.
pub struct Probe {
    conditions: Arc<[Condition]>,
    /// For each condition and line: what it came to.
    lines: Vec<Vec<Option<bool>>>,
}

impl Probe {
    /// Looks at all lines but those that ask a script, or what was before.
    ///
    /// # Errors
    /// A line names a value that is not there.
    pub fn look(conditions: &Arc<[Condition]>, here: Option<&Here<'_>>) -> Result<Self, String> {
        let mut lines = Vec::new();
        // Without conditions there is nothing to be seen.
        for (condition, here) in conditions.iter().zip(here.into_iter().cycle()) {
            let answers: Result<Vec<Option<bool>>, String> =
                condition.lines.iter().map(|line| holds(here, &line.kind)).collect();
            lines.push(answers?);
        }
        Ok(Self { conditions: conditions.clone(), lines })
    }

    /// The next line that has to be asked, if the answer is still open: the place of its condition and its own.
    pub fn next(&self) -> Option<(usize, usize, &PredicateKind)> {
        if self.answer().is_some() {
            return None;
        }
        self.conditions.iter().enumerate().find_map(|(at, condition)| {
            // An answer that is there already is not asked for again.
            if self.settled(at).is_some() {
                return None;
            }
            condition
                .lines
                .iter()
                .enumerate()
                .find_map(|(line, predicate)| self.lines[at][line].is_none().then_some((at, line, &predicate.kind)))
        })
    }

    /// A line has its answer.
    pub fn set(&mut self, condition: usize, line: usize, holds: bool) {
        self.lines[condition][line] = Some(holds);
    }

    fn settled(&self, at: usize) -> Option<bool> {
        let lines = &self.lines[at];
        let negate = self.conditions[at].negate;
        if lines.contains(&Some(false)) {
            return Some(negate);
        }
        lines.iter().all(Option::is_some).then_some(!negate)
    }

    /// What all of it comes to, if that can be said.
    pub fn answer(&self) -> Option<bool> {
        let settled: Vec<Option<bool>> = (0..self.lines.len()).map(|at| self.settled(at)).collect();
        if settled.contains(&Some(false)) {
            return Some(false);
        }
        settled.iter().all(Option::is_some).then_some(true)
    }
}

/// What a line comes to in its place; `None` where that is to be asked.
fn holds(here: &Here<'_>, kind: &PredicateKind) -> Result<Option<bool>, String> {
    let any = |texts: &[Spanned<Template>], fits: &dyn Fn(&str) -> bool| -> Result<Option<bool>, String> {
        for text in texts {
            if fits(&here.flat(text)?) {
                return Ok(Some(true));
            }
        }
        Ok(Some(false))
    };
    if here.host.is_some() && Script::of(kind).is_some() {
        return Ok(None);
    }
    match kind {
        PredicateKind::Os(names) => any(names, &|name| name == std::env::consts::OS),
        PredicateKind::Arch(names) => any(names, &|name| name == std::env::consts::ARCH),
        PredicateKind::Env(name, wanted) => {
            let have = here.variable(&here.flat(name)?).unwrap_or_default();
            if wanted.is_empty() { Ok(Some(!have.is_empty())) } else { any(wanted, &|text| text == have) }
        }
        PredicateKind::Equal(one, others) => {
            let one = here.flat(one)?;
            any(others, &|other| other == one)
        }
        PredicateKind::Exists(paths) => any(paths, &|path| exists(&here.dir, path)),
        PredicateKind::Command(programs) => any(programs, &|program| on_path(here, program)),
        PredicateKind::Changed(_) | PredicateKind::Run(_) => Ok(None),
    }
}

fn on_path(here: &Here<'_>, program: &str) -> bool {
    let executable = |path: &Path| {
        use std::os::unix::fs::PermissionsExt as _;
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return executable(&here.dir.join(program));
    }
    // What is relative in it is against the directory of the place, as it is for its processes.
    std::env::split_paths(&here.path()).any(|dir| executable(&here.dir.join(dir).join(program)))
}

/// Whether there is such a path, or one that matches.
pub fn exists(dir: &Path, pattern: &str) -> bool {
    if !pattern.contains(['*', '?', '[']) {
        return dir.join(pattern).symlink_metadata().is_ok();
    }
    // The directory is no pattern, whatever it is called.
    let whole = Path::new(&glob::Pattern::escape(&dir.to_string_lossy())).join(pattern);
    glob::glob(&whole.to_string_lossy()).is_ok_and(|mut found| found.next().is_some())
}

/// The value of a `let` from what its script said.
///
/// # Errors
/// It is not UTF-8.
pub fn let_value(said: (i32, Vec<u8>)) -> Result<Value, String> {
    let text = String::from_utf8(said.1).map_err(|why| format!("it is not UTF-8: {why}"))?;
    Ok(Value::text(text.trim_end_matches(['\n', '\r'])))
}
