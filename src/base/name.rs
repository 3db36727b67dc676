//! Names of tasks and values, and the nearest ones to a name that is not there.

/// Whether a word can name a task: `[A-Za-z][A-Za-z0-9_.-]*`.
pub fn is_task_name(word: &str) -> bool {
    let mut bytes = word.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// xec's own options, which no input of a task may shadow, with their letters. The command line is held to this
/// list, and a later option that is not in use yet is in it already.
pub const OPTIONS: &[(&str, Option<char>)] = &[
    ("file", Some('f')),
    ("directory", Some('C')),
    ("jobs", Some('j')),
    ("parallel", Some('p')),
    ("keep-going", Some('k')),
    ("on-error", None),
    ("dry-run", Some('n')),
    ("watch", Some('w')),
    ("list", Some('l')),
    ("all", Some('a')),
    ("show", None),
    ("graph", None),
    ("check", None),
    ("fmt", None),
    ("output", Some('o')),
    ("force", None),
    ("failed", None),
    ("last", None),
    ("affected", None),
    ("why", None),
    ("profile", None),
    ("report", None),
    ("trace", None),
    ("tune", None),
    ("take", None),
    ("json", None),
    ("events", None),
    ("on", None),
    ("explain", None),
    ("init", None),
    ("import", None),
    ("schema", None),
    ("completions", None),
    ("doctor", None),
    ("yes", Some('y')),
    ("quiet", Some('q')),
    ("verbose", Some('v')),
    ("color", None),
    ("help", Some('h')),
    ("version", Some('V')),
];

/// Variables that some shell gives a meaning to in lower case, or for which none can tell the case.
const OF_SHELLS: &[&str] = &[
    "path",
    "home",
    "ifs",
    "pwd",
    "oldpwd",
    "shell",
    "term",
    "tmpdir",
    "optarg",
    "optind",
    "ps1",
    "ps2",
    "ps4",
    "cdpath",
    "fpath",
    "manpath",
    "mailpath",
    "module_path",
    "status",
    "argv",
    "pipestatus",
    "histchars",
    "umask",
    "ld_preload",
];

/// Whether a word can name a value, an axis, a limit or a template: `[a-z][a-z0-9_-]*`.
pub fn is_value_name(word: &str) -> bool {
    let mut bytes = word.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
}

/// The variable by which a script sees a value.
pub fn variable(name: &str) -> String {
    name.replace('-', "_")
}

/// Why a word that could name a value must not.
pub fn reserved(name: &str) -> Option<&'static str> {
    let variable = variable(name);
    if variable.starts_with("xec") {
        Some("names that begin with `xec` are for what xec itself says")
    } else if variable.ends_with("_proxy") {
        Some("programs would take it for the address of a proxy")
    } else if OF_SHELLS.contains(&&*variable) {
        Some("shells give it a meaning of their own")
    } else {
        None
    }
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

/// The same, or all names where they are few; nothing where they are so many that looking would take long.
pub fn one_of<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut names: Vec<&str> = names.into_iter().take(1001).collect();
    if names.is_empty() || names.len() > 1000 {
        return None;
    }
    names.sort_unstable();
    let few = names.len() <= 8;
    did_you_mean(wanted, names.iter().copied()).or_else(|| few.then(|| format!("there are {}", names.join(", "))))
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
    fn knows_value_names() {
        for good in ["a", "node-version", "x_1"] {
            assert!(is_value_name(good) && reserved(good).is_none(), "{good}");
        }
        for bad in ["", "A", "1a", "_a", "a.b", "a b", "ä"] {
            assert!(!is_value_name(bad), "{bad}");
        }
        for bad in ["xec-x", "http-proxy", "http_proxy", "path", "home", "ifs", "ps1"] {
            assert!(is_value_name(bad) && reserved(bad).is_some(), "{bad}");
        }
        assert_eq!(variable("node-version"), "node_version");
    }

    #[test]
    fn knows_task_names() {
        assert!(is_task_name("build-2.x_y"));
        for bad in ["", "2x", "-a", "a b", "a:b", "ä"] {
            assert!(!is_task_name(bad), "{bad}");
        }
    }
}
