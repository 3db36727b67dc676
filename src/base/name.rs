//! Names of tasks and values, and the nearest ones to a name that is not there.

/// Whether a word can name a task: `[A-Za-z][A-Za-z0-9_.-]*`.
pub fn is_task_name(word: &str) -> bool {
    let mut bytes = word.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// The names most like `wanted`, best first, at most three, none that is nothing like it.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut scored: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| {
            let like = strsim::jaro_winkler(wanted, name);
            let near = strsim::osa_distance(wanted, name) <= 1 + wanted.chars().count() / 4;
            (if near { like.max(0.85) } else { like }, name)
        })
        .filter(|(like, _)| *like >= 0.82)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}

/// `did you mean …?` for the nearest names, if there are any.
pub fn did_you_mean<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let quoted: Vec<String> = nearest(wanted, names).into_iter().map(|name| format!("`{name}`")).collect();
    let (last, others) = quoted.split_last()?;
    Some(match others {
        [] => format!("did you mean {last}?"),
        _ => format!("did you mean {} or {last}?", others.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest() {
        assert_eq!(nearest("biuld", ["build", "test", "bundle"]), ["build"]);
        assert_eq!(nearest("tset", ["build", "test"]), ["test"]);
        assert!(nearest("zzz", ["build", "test"]).is_empty());
        assert_eq!(did_you_mean("tes", ["test", "tes2"]).as_deref(), Some("did you mean `tes2` or `test`?"));
    }

    #[test]
    fn knows_task_names() {
        assert!(is_task_name("build-2.x_y"));
        for bad in ["", "2x", "-a", "a b", "a:b", "ä"] {
            assert!(!is_task_name(bad), "{bad}");
        }
    }
}
