//! What a [`Program`] is as words, and which scripts need no shell. Pure.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::base::command::{NotStarted, Program};

/// The words to execute, shell and all.
pub(crate) fn words(program: &Program) -> Vec<&OsStr> {
    match program {
        Program::Words(words) => words.iter().map(OsString::as_os_str).collect(),
        Program::Script { shell, text, args } => {
            let mut words: Vec<&OsStr> = shell.iter().map(OsString::as_os_str).collect();
            let name = shell.first().filter(|_| !args.is_empty() && takes_a_name(shell));
            words.push(OsStr::new(&**text));
            words.extend(name.map(OsString::as_os_str));
            words.extend(args.iter().map(OsString::as_os_str));
            words
        }
    }
}

/// What can be handed to a process.
pub(crate) fn whole(word: &OsStr) -> Result<&[u8], NotStarted> {
    if word.as_bytes().contains(&0) {
        return Err(NotStarted::Failed("a word or value holds a NUL byte, which no process can be given".to_owned()));
    }
    Ok(word.as_bytes())
}

/// Whether the word after the script is `$0` and no argument yet: the Bourne shells with `-c`.
fn takes_a_name(shell: &[OsString]) -> bool {
    const SHELLS: [&str; 10] = ["sh", "bash", "dash", "ash", "ksh", "ksh93", "mksh", "zsh", "yash", "busybox"];
    let program = shell.first().map(Path::new).and_then(Path::file_name).and_then(OsStr::to_str);
    program.is_some_and(|program| SHELLS.contains(&program))
}

/// What is no program where it stands first: reserved words, and the built-ins of dash, bash and ksh, in order.
/// `true` and `false` are not here, since the programs of that name do the same.
const NOT_PROGRAMS: &[&str] = &[
    ".",
    ":",
    "alias",
    "autoload",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "chdir",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "echo",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "fc",
    "fg",
    "fi",
    "float",
    "for",
    "function",
    "functions",
    "getopts",
    "global",
    "hash",
    "help",
    "hist",
    "history",
    "if",
    "in",
    "integer",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "nameref",
    "namespace",
    "popd",
    "print",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "rehash",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "stop",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "whence",
    "while",
];

/// The words of a script that a shell would only split and execute, if it is such a one. The environment must
/// hold no functions for the shell, which the caller sees to.
pub(crate) fn plain_words(program: &Program) -> Option<Vec<&OsStr>> {
    let Program::Script { shell, text, args } = program else { return None };
    if !args.is_empty() || !shell.iter().eq(["sh", "-eu", "-c"]) {
        return None;
    }
    let line = text.trim_matches([' ', '\t', '\n']);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+,./:- \t".contains(&byte);
    if !line.bytes().all(plain) {
        return None;
    }
    let words: Vec<&OsStr> = line.split([' ', '\t']).filter(|word| !word.is_empty()).map(OsStr::new).collect();
    let first = words.first()?.to_str()?;
    // `%1` means a job, and no program's name begins with a dash.
    let program = !first.starts_with(['%', '-']) && NOT_PROGRAMS.binary_search(&first).is_err();
    program.then_some(words)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn script(shell: &[&str], text: &str, args: &[&str]) -> Program {
        let shell: Arc<[OsString]> = shell.iter().map(OsString::from).collect();
        Program::Script { shell, text: text.into(), args: args.iter().map(OsString::from).collect() }
    }

    fn plain(text: &str) -> Option<Vec<String>> {
        let script = script(&["sh", "-eu", "-c"], text, &[]);
        let words = plain_words(&script)?;
        Some(words.into_iter().map(|word| word.to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn plain_words_are_split_at_blanks() {
        assert_eq!(plain(" cargo  test\t--all \n").unwrap(), ["cargo", "test", "--all"]);
        assert_eq!(plain("./bin/x a@b:8080 50% 1,2+3 _y").unwrap().len(), 5);
        assert_eq!(plain("true").unwrap(), ["true"]);
        assert_eq!(plain("false").unwrap(), ["false"]);
    }

    #[test]
    fn whatever_a_shell_would_read_otherwise_goes_to_the_shell() {
        for text in [
            "", " ", "a\nb", "a;b", "a|b", "a&b", "$x", "`x`", "a*", "a?", "[a]", "~", "~/x", "a=b", "A=1 b", "'a'",
            "\"a\"", "a\\b", "a>b", "<a", "#a", "(a)", "{ a }", "! a", "echo x", "cd x", "exec x", "time x", "if",
            "%1", "-x", ". ./x", ": x", "ä",
        ] {
            assert_eq!(plain(text), None, "{text:?}");
        }
    }

    #[test]
    fn other_shells_and_arguments_keep_their_shell() {
        assert_eq!(plain_words(&script(&["bash", "-eu", "-c"], "true", &[])), None);
        assert_eq!(plain_words(&script(&["sh", "-c"], "true", &[])), None);
        assert_eq!(plain_words(&script(&["sh", "-eu", "-c"], "true", &["x"])), None);
    }

    #[test]
    fn only_a_bourne_shell_is_given_a_name() {
        assert_eq!(words(&script(&["sh", "-eu", "-c"], "text", &["a"])), ["sh", "-eu", "-c", "text", "sh", "a"]);
        assert_eq!(words(&script(&["/bin/bash", "-c"], "text", &["a"])), ["/bin/bash", "-c", "text", "/bin/bash", "a"]);
        assert_eq!(words(&script(&["python3", "-c"], "text", &["a"])), ["python3", "-c", "text", "a"]);
        assert_eq!(words(&script(&["sh", "-c"], "text", &[])), ["sh", "-c", "text"]);
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(NOT_PROGRAMS.is_sorted());
    }
}
