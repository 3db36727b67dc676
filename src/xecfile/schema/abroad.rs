//! What make, just, go-task, CI files and npm call the things that have a word here, so that who comes from there is
//! told the word. Knows nothing of places.

/// The word of xec, and what it is called elsewhere.
const WORDS: &[(&str, &[&str])] = &[
    ("task", &["job", "recipe", "rule", "target", "tasks"]),
    (
        "needs",
        &["dependencies", "depends", "depends-on", "depends_on", "dependsOn", "deps", "prerequisites", "requires"],
    ),
    ("run", &["cmd", "cmds", "command", "commands", "do", "script", "scripts", "sh"]),
    ("sequence", &["serial", "stage", "stages", "steps"]),
    ("parallel", &["async", "concurrently", "together"]),
    ("desc", &["description", "doc", "help", "summary", "title"]),
    ("cwd", &["chdir", "dir", "directory", "workdir", "working-directory", "working_directory"]),
    ("secret", &["secrets"]),
    ("let", &["const", "set", "var", "variables", "vars"]),
    ("param", &["argument", "arguments", "option", "options", "parameter", "parameters", "params"]),
    ("env", &["environment", "envs", "export"]),
    ("dotenv", &["env-file", "env_file", "set-dotenv"]),
    ("finally", &["always", "cleanup", "defer", "ensure", "teardown"]),
    ("on-failure", &["catch", "failure", "on-fail", "onfailure", "rescue"]),
    ("on-success", &["onsuccess", "success", "then"]),
    ("when", &["condition", "if", "only", "only-if", "platforms", "preconditions"]),
    ("unless", &["skip", "skip-if"]),
    ("matrix", &["for", "foreach", "for-each", "loop", "strategy"]),
    ("retry", &["attempts", "retries"]),
    (
        "optional",
        &["allow-failure", "allow_failure", "continue-on-error", "ignore-error", "ignore-errors", "ignore_error"],
    ),
    ("private", &["hidden", "internal"]),
    ("alias", &["aliases"]),
    ("include", &["import", "imports", "includes", "mod"]),
    ("jobs", &["concurrency", "max-parallel", "parallelism", "threads"]),
    ("confirm", &["prompt"]),
    ("use", &["extends"]),
    ("timeout", &["time-limit", "timeout-minutes", "timeout_minutes"]),
    ("on-error", &["fail-fast", "keep-going", "keep_going"]),
    ("interactive", &["tty"]),
    ("temp", &["tempdir", "tmp", "tmpdir"]),
    ("inputs", &["sources"]),
    ("outputs", &["generates"]),
];

/// The word of xec for a word of somebody else.
pub fn word_for(name: &str) -> Option<&'static str> {
    WORDS.iter().find(|(_, others)| others.contains(&name)).map(|(word, _)| *word)
}

/// What xec has instead of a word of somebody else, where that is no word.
pub fn instead_of(name: &str) -> Option<&'static str> {
    match name {
        "required" | "mandatory" => Some("what has no `default` has to be given"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xecfile::schema::{Places, find, rows};

    #[test]
    fn words_lead_to_words_that_are_there() {
        for (word, others) in WORDS {
            assert!(rows().iter().any(|row| row.name == *word), "{word} is no word of xec");
            for other in *others {
                let places = Places::TOP.or(Places::TASK);
                let own = [Places::TOP, Places::TASK].into_iter().find_map(|place| find(other, place));
                assert!(own.is_none(), "{other} has a meaning of its own {}", places.describe());
                assert_eq!(word_for(other), Some(*word), "{other} stands in the table twice");
            }
        }
    }
}
