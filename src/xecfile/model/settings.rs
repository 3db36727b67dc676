//! Policies, as they are written.

use std::sync::Arc;
use std::time::Duration;

use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::xecfile::model::{On, Use};

/// A value that is there, or the text that it will be read from when its holes are filled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Late<T> {
    /// As it was written.
    Now(T),
    /// With holes.
    Text(Template),
}

/// The policies as written at one place: none of them inherited yet.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Flows down: the directory, against the directory of the file.
    pub cwd: Option<Spanned<Template>>,
    /// Flows down, merged by name.
    pub env: Vec<EnvEntry>,
    /// Flows down: the interpreter of `run`, to which the text is added as the last word.
    pub shell: Option<Spanned<Vec<Template>>>,
    /// Flows down: what a failure does to its siblings.
    pub on_error: Option<Spanned<OnError>>,
    /// Flows down with the shell: how many of it are kept.
    pub pool: Option<Spanned<u32>>,
    /// Flows down: scripts share a shell.
    pub session: Option<Spanned<bool>>,
    /// Flows down: higher first.
    pub priority: Option<Spanned<i32>>,
    /// Flows down: where.
    pub on: Option<Spanned<On>>,
    /// Flows down: as whom, where that is another one.
    pub sudo: Option<Spanned<Arc<str>>>,
    /// Acts here: the longest an attempt may take.
    pub timeout: Option<Spanned<Late<Duration>>>,
    /// Acts here: from the first signal to SIGKILL.
    pub grace: Option<Spanned<Late<Duration>>>,
    /// Acts here: a failure does not count.
    pub optional: Option<Spanned<Late<bool>>>,
    /// Acts here: how many children at once.
    pub jobs: Option<Spanned<Late<Width>>>,
    /// Acts here: how much of it must succeed.
    pub require: Option<Spanned<Late<Share>>>,
    /// Acts here: how often it is tried again.
    pub retry: Option<Spanned<RetryText>>,
    /// Acts here: what is held while it runs.
    pub uses: Vec<Use>,
    /// Acts here: what it leaves running may outlive the run.
    pub leave: Option<Spanned<bool>>,
    /// Acts here: how often what it uses is measured.
    pub sample: Option<Spanned<Duration>>,
    /// Acts here: the terminal belongs to this step while it runs.
    pub interactive: Option<Spanned<bool>>,
}

impl Settings {
    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        let Self {
            cwd,
            env,
            shell,
            pool,
            on_error,
            session,
            priority,
            on,
            sudo,
            timeout,
            grace,
            optional,
            jobs,
            require,
            retry,
            uses,
            leave,
            sample,
            interactive,
        } = self;
        let flows = cwd.is_none() && env.is_empty() && shell.is_none() && on_error.is_none() && priority.is_none();
        let acts = timeout.is_none() && grace.is_none() && optional.is_none() && jobs.is_none() && require.is_none();
        flows
            && session.is_none()
            && pool.is_none()
            && on.is_none()
            && sudo.is_none()
            && acts
            && uses.is_empty()
            && retry.is_none()
            && leave.is_none()
            && sample.is_none()
            && interactive.is_none()
    }

    /// These, and where they say nothing, `others`.
    #[must_use]
    pub fn or(self, others: Settings) -> Self {
        Self {
            cwd: self.cwd.or(others.cwd),
            env: others.env.into_iter().chain(self.env).collect(),
            pool: if self.shell.is_some() { self.pool } else { others.pool },
            shell: self.shell.or(others.shell),
            on_error: self.on_error.or(others.on_error),
            session: self.session.or(others.session),
            priority: self.priority.or(others.priority),
            on: self.on.or(others.on),
            sudo: self.sudo.or(others.sudo),
            timeout: self.timeout.or(others.timeout),
            grace: self.grace.or(others.grace),
            optional: self.optional.or(others.optional),
            jobs: self.jobs.or(others.jobs),
            require: self.require.or(others.require),
            retry: self.retry.or(others.retry),
            uses: if self.uses.is_empty() { others.uses } else { self.uses },
            leave: self.leave.or(others.leave),
            sample: self.sample.or(others.sample),
            interactive: self.interactive.or(others.interactive),
        }
    }
}

/// One variable of an `env`.
#[derive(Clone, Debug)]
pub struct EnvEntry {
    /// Its name.
    pub name: Spanned<Arc<str>>,
    /// Its value.
    pub value: Spanned<Template>,
}

/// What a failure does to what runs beside it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum OnError {
    /// It is ended.
    #[default]
    FailFast,
    /// It may end by itself, and nothing new begins.
    Drain,
    /// Nothing; all that can still be reached runs.
    Continue,
}

/// How many at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Width {
    /// So many; 0 is no limit.
    Count(u32),
    /// A share of the CPUs, in percent, at least one.
    Percent(u32),
    /// All CPUs but so many, at least one.
    CpusLess(u32),
    /// As many as go well: one more after a success, half after a failure.
    Adaptive {
        /// The fewest, which it begins with; at least 1.
        min: u32,
        /// The most; where nothing is said, by the CPUs.
        max: Option<u32>,
    },
}

impl Width {
    /// The number on a machine with so many CPUs, to begin with; `None` is no limit.
    pub fn resolve(self, cpus: u32) -> Option<u32> {
        match self {
            Width::Count(0) => None,
            Width::Count(count) => Some(count),
            Width::Percent(share) => {
                Some((u64::from(cpus) * u64::from(share)).div_ceil(100).clamp(1, u64::from(u32::MAX)) as u32)
            }
            Width::CpusLess(less) => Some(cpus.saturating_sub(less).max(1)),
            Width::Adaptive { min, .. } => Some(min),
        }
    }
}

impl std::str::FromStr for OnError {
    type Err = ();

    /// Reads a mode as users write it.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "fail-fast" => Ok(OnError::FailFast),
            "drain" => Ok(OnError::Drain),
            "continue" => Ok(OnError::Continue),
            _ => Err(()),
        }
    }
}

impl std::str::FromStr for Width {
    type Err = ();

    /// Reads `4`, `50%` (1 to 100 and more), `cpus-1` or `adaptive`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<u32>().map_err(|_| ()),
            false => Err(()),
        };
        if text == "adaptive" {
            return Ok(Width::Adaptive { min: 1, max: None });
        }
        if let Some(share) = text.strip_suffix('%') {
            return number(share).and_then(|share| if share == 0 { Err(()) } else { Ok(Width::Percent(share)) });
        }
        match text.strip_prefix("cpus") {
            Some("") => Ok(Width::CpusLess(0)),
            Some(less) => number(less.strip_prefix('-').ok_or(())?).map(Width::CpusLess),
            None => number(text).map(Width::Count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_as_they_are_written() {
        for (text, expected) in [
            ("4", Ok(Width::Count(4))),
            ("0", Ok(Width::Count(0))),
            ("50%", Ok(Width::Percent(50))),
            ("cpus-1", Ok(Width::CpusLess(1))),
            ("cpus", Ok(Width::CpusLess(0))),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        for text in ["", "%", "0%", "-1", "+1", "cpus+1", "cpus-", "4.0", "99999999999"] {
            assert_eq!(text.parse::<Width>(), Err(()), "{text}");
        }
    }

    #[test]
    fn widths_on_a_machine() {
        let resolved = ["3", "0", "50%", "1%", "cpus-1", "cpus-99"]
            .map(|text| text.parse::<Width>().map(|width| width.resolve(5)));
        assert_eq!(resolved, [Ok(Some(3)), Ok(None), Ok(Some(3)), Ok(Some(1)), Ok(Some(4)), Ok(Some(1))]);
    }
}

/// How often something is tried again, as it is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RetryText {
    /// So often after the first time.
    pub times: Spanned<Late<u32>>,
    /// How long before the first of these; none is at once.
    pub delay: Option<Spanned<Late<Duration>>>,
    /// How the pauses grow.
    pub backoff: Backoff,
    /// The longest pause.
    pub max: Option<Spanned<Late<Duration>>>,
    /// Each pause is shortened by a random part of up to a half.
    pub jitter: bool,
}

/// How often something is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retry {
    /// So often after the first time.
    pub times: u32,
    /// How long before the first of these.
    pub delay: Duration,
    /// How the pauses grow.
    pub backoff: Backoff,
    /// The longest pause.
    pub max: Option<Duration>,
    /// Each pause is shortened by a random part of up to a half.
    pub jitter: bool,
}

/// How pauses grow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Backoff {
    /// They do not.
    #[default]
    Fixed,
    /// By the first one each time.
    Linear,
    /// By doubling.
    Exponential,
}

impl std::str::FromStr for Backoff {
    type Err = ();

    /// Reads a way to grow as users write it.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "fixed" => Ok(Backoff::Fixed),
            "linear" => Ok(Backoff::Linear),
            "exponential" => Ok(Backoff::Exponential),
            _ => Err(()),
        }
    }
}

/// How much of a set: an inclusive minimum, rounded up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Share {
    /// So many.
    Count(u32),
    /// This part: `90%` is 90 of 100, `1/3` is 1 of 3.
    Part(u32, u32),
}

impl Share {
    /// All of it.
    pub const ALL: Share = Share::Part(1, 1);

    /// Whether it is nothing, however many there are.
    pub fn is_nothing(self) -> bool {
        matches!(self, Share::Count(0) | Share::Part(0, _))
    }

    /// Whether it is all of it, however many there are.
    pub fn is_all(self) -> bool {
        matches!(self, Share::Part(part, whole) if part == whole)
    }

    /// The number, of a set of so many.
    pub fn of(self, total: u32) -> u32 {
        match self {
            Share::Count(count) => count,
            Share::Part(part, whole) => {
                let whole = u64::from(whole.max(1));
                u32::try_from((u64::from(total) * u64::from(part)).div_ceil(whole)).unwrap_or(u32::MAX)
            }
        }
    }
}

impl std::str::FromStr for Share {
    type Err = ();

    /// Reads `4`, `90%` or `1/3`; a share is at most all.
    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |text: &str| text.parse::<u32>().map_err(|_| ());
        let part =
            |part: u32, whole: u32| if part <= whole && whole > 0 { Ok(Share::Part(part, whole)) } else { Err(()) };
        if let Some(percent) = text.strip_suffix('%') {
            part(number(percent)?, 100)
        } else if let Some((above, below)) = text.split_once('/') {
            part(number(above)?, number(below)?)
        } else {
            number(text).map(Share::Count)
        }
    }
}
