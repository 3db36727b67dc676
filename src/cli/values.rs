//! What the values of options mean, wherever they were written. Knows nothing of where that was.

use std::ffi::OsStr;
use std::path::PathBuf;

use crate::app::options::{Color, EventsTo, GraphFormat, OutputMode};
use crate::base::name::did_you_mean;
use crate::report::sanitize::visible;
use crate::xecfile::model::{OnError, Width};

/// The words of an option that takes one of a few, each with its meaning.
pub(super) type Choices<T> = &'static [(&'static str, T)];

pub(super) const OUTPUT: Choices<OutputMode> = &[
    ("auto", OutputMode::Auto),
    ("live", OutputMode::Live),
    ("prefixed", OutputMode::Prefixed),
    ("grouped", OutputMode::Grouped),
    ("failed", OutputMode::Failed),
    ("quiet", OutputMode::Quiet),
];
pub(super) const COLOR: Choices<Color> = &[("auto", Color::Auto), ("always", Color::Always), ("never", Color::Never)];
pub(super) const ON_ERROR: Choices<OnError> =
    &[("fail-fast", OnError::FailFast), ("drain", OnError::Drain), ("continue", OnError::Continue)];
pub(super) const GRAPH: Choices<GraphFormat> =
    &[("dot", GraphFormat::Dot), ("mermaid", GraphFormat::Mermaid), ("json", GraphFormat::Json)];

/// One of a few words. The error says what is taken instead, and the nearest.
pub(super) fn choice<T: Copy>(choices: Choices<T>, value: &OsStr) -> Result<T, String> {
    let found = choices.iter().find(|(word, _)| value == OsStr::new(word));
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let (last, others) = words.split_last().expect("no table of choices is empty");
        let typed = value.to_string_lossy();
        let nearest = did_you_mean(&typed, words.iter().copied()).map(|text| format!("; {text}")).unwrap_or_default();
        format!("takes {} or {last}, not `{}`{nearest}", others.join(", "), visible(&typed))
    })
}

/// `4`, `50%`, `cpus-1`, `cpus`, `adaptive`; 0 is no limit.
pub(super) fn width(value: &OsStr) -> Result<Width, String> {
    let typed = value.to_string_lossy();
    let known = if typed == "adaptive" {
        Some(Width::Adaptive { min: 1, max: None })
    } else if let Some(share) = typed.strip_suffix('%') {
        number(share).filter(|share| *share > 0).map(Width::Percent)
    } else if let Some(less) = typed.strip_prefix("cpus") {
        if less.is_empty() {
            Some(Width::CpusLess(0))
        } else {
            less.strip_prefix('-').and_then(number).map(Width::CpusLess)
        }
    } else {
        number(&typed).map(Width::Count)
    };
    known.ok_or_else(|| {
        format!("takes a number, a share as 50%, cpus-1 or adaptive; 0 is no limit; not `{}`", visible(&typed))
    })
}

/// `500MB`, `2GiB`; without a word, what is plenty.
pub(super) fn size(value: &OsStr) -> Result<u64, String> {
    const PLENTY: u64 = 10 << 30;
    let typed = value.to_string_lossy();
    if typed.is_empty() {
        return Ok(PLENTY);
    }
    let read = crate::xecfile::model::size(&typed);
    read.ok_or_else(|| format!("takes a size such as 500MB or 2GiB, not `{}`", visible(&typed)))
}

/// `1,2,4,8`: each at least 1.
pub(super) fn widths(value: &OsStr) -> Result<Vec<u32>, String> {
    let typed = value.to_string_lossy();
    let read: Option<Vec<u32>> = typed.split(',').map(|one| number(one).filter(|width| *width > 0)).collect();
    read.ok_or_else(|| format!("takes widths such as 1,2,4,8, not `{}`", visible(&typed)))
}

/// At least one.
pub(super) fn some(value: &OsStr) -> Result<u32, String> {
    let typed = value.to_string_lossy();
    number(&typed)
        .filter(|count| *count > 0)
        .ok_or_else(|| format!("takes a number from 1 on, not `{}`", visible(&typed)))
}

/// Digits only: no sign, no blank.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Any text.
pub(super) fn text(value: &OsStr) -> Result<String, String> {
    value.to_str().map(str::to_owned).ok_or_else(|| "takes UTF-8".to_owned())
}

/// Yes or no, as the environment says it; empty is no.
pub(super) fn switch(value: &OsStr) -> Result<bool, String> {
    match value.to_string_lossy().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        other => Err(format!("takes 1 or 0, not `{}`", visible(other))),
    }
}

/// `json`, `json:PATH`, `json:fd:N`.
pub(super) fn events(value: &OsStr) -> Result<EventsTo, String> {
    let takes =
        |what: &str| format!("takes json, json:FILE or json:fd:N, not `{}`{what}", visible(&value.to_string_lossy()));
    if value == "json" {
        return Ok(EventsTo::Stdout);
    }
    match strip_prefix(value, "json:") {
        None => Err(takes("")),
        Some(place) if place.is_empty() => Err(takes("")),
        Some(place) => match strip_prefix(&place, "fd:") {
            None => Ok(EventsTo::Path(PathBuf::from(place))),
            Some(digits) => {
                let number = digits.to_str().filter(|digits| !digits.is_empty()).and_then(number);
                let fd = number.and_then(|number| i32::try_from(number).ok());
                fd.map(EventsTo::Fd).ok_or_else(|| takes("; a file of that name is `json:./fd:…`"))
            }
        },
    }
}

/// What follows a prefix, in text that need not be UTF-8.
fn strip_prefix(value: &OsStr, prefix: &str) -> Option<std::ffi::OsString> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let rest = value.as_bytes().strip_prefix(prefix.as_bytes())?;
    Some(std::ffi::OsString::from_vec(rest.to_vec()))
}
