//! Makes what differs from run to run equal: durations become `<time>`, process ids `<pid>`.

/// Replaces every duration (`3ms`, `1.24s`, `2m 05s`, `3h 07m`) and every number in parentheses.
pub fn normalise(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_word = false;
    while let Some(first) = rest.chars().next() {
        let replaced = if in_word { None } else { duration(rest).map(|len| (len, "<time>")) };
        let replaced = replaced.or_else(|| pid(rest).map(|len| (len, "(<pid>)")));
        let len = match replaced {
            Some((len, by)) => {
                result.push_str(by);
                len
            }
            None => {
                result.push(first);
                first.len_utf8()
            }
        };
        in_word = first.is_alphanumeric() || matches!(first, '_' | '.' | '-');
        rest = &rest[len..];
    }
    result
}

/// The length of the duration that the text begins with.
fn duration(text: &str) -> Option<usize> {
    let head = amount(text)?;
    let tail = text[head..].strip_prefix(' ').and_then(|rest| {
        let len = amount(rest)?;
        let pair = matches!((&text[head - 1..head], &rest[len - 1..len]), ("m", "s") | ("h", "m"));
        pair.then_some(len + 1)
    });
    Some(head + tail.unwrap_or(0))
}

/// The length of one number with its unit.
fn amount(text: &str) -> Option<usize> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|len| *len > 0)?;
    let unit = ["ms", "µs", "s", "m", "h"].into_iter().find(|unit| text[digits..].starts_with(unit))?;
    let len = digits + unit.len();
    let ends = !text[len..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
    (ends && text.as_bytes()[0].is_ascii_digit()).then_some(len)
}

/// The length of a number in parentheses.
fn pid(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('(')?;
    let digits = inside.find(|c: char| !c.is_ascii_digit()).filter(|len| *len > 0)?;
    inside[digits..].starts_with(')').then_some(digits + 2)
}

#[test]
fn normalises_durations_and_nothing_else() {
    let text = "ok build 3ms (1.24s), 2m 05s total; v1.5s2 x3s 10 steps, sleep (4711)";
    assert_eq!(normalise(text), "ok build <time> (<time>), <time> total; v1.5s2 x3s 10 steps, sleep (<pid>)");
}
