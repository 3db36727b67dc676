//! Whatever a value holds, the program receives just that, by every way there is.

use proptest::prelude::*;

use super::case;

/// A file that hands one value over by every way, each into a file of its own, under this shell.
fn ways(shell: &str) -> String {
    format!(
        r##"
        task t {{
            param v
            shell {shell}
            run #"printf %s "$v" > run"#
            run #"printf %s "$1" > args"# args="${{v}}"
            run "cat > stdin" stdin="${{v}}"
            exec sh "-c" #"printf %s "$1" > exec"# sh "${{v}}"
            exec sh "-c" #"printf %s "$PASSED" > env"# {{ env {{ PASSED "${{v}}" }} }}
        }}
        "##
    )
}

/// The same cases each time, unless `XEC_CASES` asks for a number of other ones.
fn config() -> ProptestConfig {
    let cases = std::env::var("XEC_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(12);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn a_value_arrives_as_it_is_by_every_way() {
    let hostile = prop::sample::select(vec![
        "$",
        "${",
        "}",
        "`",
        "'",
        "\"",
        "\\",
        "\n",
        "\r",
        "\t",
        " ",
        ";",
        "$(touch pwned)",
        "&",
        "|",
        "*",
        "=",
        "-",
        "--",
        "%",
        "%s",
        "\\0",
        "!",
        "#",
        "é",
        "\u{1b}[31m",
        "\u{7f}",
        "${v}",
        "$v",
        "~",
        "\u{2028}",
        "\u{202e}",
        "\u{1}",
        "€",
    ]);
    let value = prop::collection::vec(prop_oneof![hostile.prop_map(str::to_owned), "[^\\x00]"], 0..24);
    proptest!(config(), |(pieces in value)| {
        let value = pieces.concat();
        for shell in ["sh \"-eu\" \"-c\"", "bash \"-euo\" pipefail \"-c\"", "dash \"-eu\" \"-c\""] {
            let ran = case(&ways(shell), ["t", &format!("v={value}")]).run();
            prop_assert!(ran.end == crate::harness::End::Code(0), "{value:?} under {shell}: {}", ran.story());
            for way in ["run", "args", "stdin", "exec", "env"] {
                let found = ran.read(way);
                prop_assert!(found == value, "{value:?} came as {found:?} by {way} under {shell}");
            }
            prop_assert!(!ran.path().join("pwned").exists());
        }
    });
}

#[test]
fn an_axis_arrives_as_it_is() {
    let file = r##"task t { matrix { v "a'b" "c\"d" "e\nf" "$(touch pwned)" "`g`" "\\n" }; run #"printf '%s|' "$v" >> log"#; exec printf "%s|\n" "${v}" }"##;
    let ran = case(file, ["-j1", "t"]).run().ok();
    let expected = "a'b|c\"d|e\nf|$(touch pwned)|`g`|\\n|";
    assert_eq!(ran.read("log"), expected);
    assert_eq!(ran.out(), expected.replace('|', "|\n"));
    assert!(!ran.path().join("pwned").exists());
}

#[test]
fn a_taken_value_arrives_as_it_is() {
    let file = r##"
        task t { needs make { take v }; run #"printf '%s' "$v""#; exec printf "|%s" "${v}" }
        task make { run #"printf '%s' "\$(touch pwned) 'it' \"so\" \\ \`x\`""# capture=v }
    "##;
    let ran = case(file, ["t"]).run().ok();
    let value = "$(touch pwned) 'it' \"so\" \\ `x`";
    assert_eq!(ran.out(), format!("{value}\n|{value}"));
    assert!(!ran.path().join("pwned").exists());
}
