//! Names of tasks and values, and the nearest ones to a name that is not there.

/// The longest name of a task, in bytes: it stands in every line that the task says.
pub const LONGEST_TASK_NAME: usize = 256;

/// Whether a word can name a task: `[A-Za-z][A-Za-z0-9_.-]*`, not endless.
pub fn is_task_name(word: &str) -> bool {
    let mut bytes = word.bytes();
    word.len() <= LONGEST_TASK_NAME
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

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

/// Programs that read scripts as `sh` does.
pub const SH_LIKE: [&str; 9] = ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "yash", "busybox"];

/// Whether a program, by its name or path, is a shell that reads scripts as `sh` does.
pub fn is_sh_like(program: &str) -> bool {
    SH_LIKE.contains(&program.rsplit('/').next().unwrap_or_default())
}

/// Whether a character is not seen on a terminal, or does something there, or makes a line look like another one.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether a word can name a variable of the environment that a shell can read: `[A-Za-z_][A-Za-z0-9_]*`.
pub fn is_variable_name(word: &str) -> bool {
    let part = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    word.bytes().all(part) && !word.is_empty() && !word.starts_with(|first: char| first.is_ascii_digit())
}

/// Why a variable must not be a secret.
pub fn not_secret(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("xec") {
        Some("names that begin with `xec` are for what xec itself says")
    } else if OF_SHELLS.contains(&&*lower) {
        Some("shells give it a meaning of their own")
    } else {
        None
    }
}

/// Why a word cannot name a task, for the one who wrote it.
pub fn task_name_rule(word: &str) -> &'static str {
    match word.len() > LONGEST_TASK_NAME {
        true => "a name has at most 256 bytes",
        false if word.strip_suffix(':').is_some_and(is_task_name) => {
            "write it without the colon, and what it does between `{` and `}`"
        }
        false => "a name begins with a letter; letters, digits, `_`, `.` and `-` may follow",
    }
}

/// Longer words than this, in bytes, nobody mistyped.
const LONGEST_MISTYPED: usize = 128;

/// Names that are compared with a mistyped one.
const MOST_COMPARED: usize = 5_000;

/// Pairs of letters that are compared for one suggestion: the time of a comparison is in the product of both lengths.
const MOST_PAIRS: usize = 1 << 19;

/// The names most like `wanted`, best first, at most three, none that is nothing like it. Of endless names and of
/// endlessly many it looks only at some, since a file may hold a mistake in every line.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    if wanted.len() > LONGEST_MISTYPED {
        return Vec::new();
    }
    let length = wanted.chars().count();
    let mut pairs = 0;
    let mut scored: Vec<(f64, &str)> = names
        .into_iter()
        .filter(|name| name.len().abs_diff(wanted.len()) <= 16 + wanted.len() / 4)
        .take(MOST_COMPARED)
        .take_while(|name| {
            pairs += wanted.len() * name.len();
            pairs <= MOST_PAIRS
        })
        .filter_map(|name| {
            let like = strsim::jaro_winkler(wanted, name);
            let typos = 1 + length / 4;
            let near = name.chars().count().abs_diff(length) <= typos && strsim::osa_distance(wanted, name) <= typos;
            let like = if near { like.max(0.85) } else { like };
            (like >= 0.82).then_some((like, name))
        })
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
    fn endless_names_are_compared_with_nothing() {
        let long = "a".repeat(500_000);
        assert!(nearest(&long, [long.as_str()]).is_empty());
        assert!(nearest("aaaa", [long.as_str(), "aaab"]) == ["aaab"]);
        assert_eq!(nearest("depl", ["deploy-production"]), ["deploy-production"]);
        let (wanted, name) = ("x".repeat(LONGEST_MISTYPED), "y".repeat(LONGEST_MISTYPED));
        let mut asked = 0;
        let names = std::iter::repeat_with(|| {
            asked += 1;
            name.as_str()
        });
        assert!(nearest(&wanted, names.take(1_000_000)).is_empty());
        assert!(asked <= MOST_PAIRS / LONGEST_MISTYPED.pow(2) + 1, "{asked}");
        let mut asked = 0;
        let many = std::iter::repeat_with(|| {
            asked += 1;
            "yyyyy"
        });
        assert!(nearest("xxxxx", many).is_empty());
        assert_eq!(asked, MOST_COMPARED);
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
        assert!(is_task_name("build-2.x_y") && is_task_name(&"x".repeat(256)) && !is_task_name(&"x".repeat(257)));
        for bad in ["", "2x", "-a", "a b", "a:b", "ä"] {
            assert!(!is_task_name(bad), "{bad}");
        }
    }
}
