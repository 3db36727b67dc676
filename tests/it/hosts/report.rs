//! What a run over many hosts says at its end.

use super::{case, with_docker};

const FLEET: &str = "host \"box[01-06]\" { tags box; via docker; }\nhost gone1 { tags box; via docker; }\n";

/// What is said from the table on, without how long it took.
fn table(said: &str) -> String {
    let from = said.find("  hosts").unwrap_or_else(|| panic!("no table in\n{said}"));
    said[from..].split(" in ").next().unwrap_or_default().to_owned()
}

#[test]
fn a_table_says_what_became_of_each_host() {
    let file = format!(
        "{FLEET}task t {{ on-error continue; needs one two }}\n\
         task one {{ matrix on-error=continue require=1 {{ on box }}; run \"case $host in box03) exit 3 ;; esac\" }}\n\
         task two {{ matrix on-error=continue require=1 {{ on box }}; needs one host=\"${{host}}\"; when {{ run \"[ $host != box05 ]\" }}; run \"true\" }}\n"
    );
    let ran = with_docker(case(&file, ["-j1", "-k", "t"])).run().ok();
    let said = table(&ran.err());
    let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines,
        [
            vec!["hosts", "one", "two"],
            vec!["box01,", "box02,", "box04,", "box06", "ok", "ok"],
            vec!["box05", "ok", "skipped"],
            vec!["box03", "failed", "not", "run"],
            vec!["gone1", "unreachable", "not", "run"],
            vec!["✓", "10", "tasks"],
        ],
        "{}",
        ran.story()
    );
}
