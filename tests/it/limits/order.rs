//! Who goes first: by priority, then by what earlier runs took, then as written.

use super::case;

/// The first task has files to look at, so that there is a state. What takes a second is told from what takes none.
const FILE: &str = r#"
    task t {
        inputs "Xecfile.kdl"
        parallel {
            run "echo quick >> log"
            run "sleep 1; echo slow >> log"
            run "echo urgent >> log" { priority 1 }
        }
    }
"#;

#[test]
fn what_took_long_goes_first_the_next_time() {
    let ran = case(FILE, ["--force", "-j1", "t"]).run().ok();
    assert_eq!(ran.read("log"), "urgent\nquick\nslow\n", "as written, where nothing is known");
    let known = ran.read(".xec/durations");
    assert!(known.starts_with("xec durations 1\n") && known.lines().count() == 4, "{known}");
    let ran = case(FILE, ["--force", "-j1", "t"]).file(".xec/state", "").file(".xec/durations", &known).run().ok();
    assert_eq!(ran.read("log"), "urgent\nslow\nquick\n", "{}", ran.story());
}

#[test]
fn what_cannot_be_read_is_as_if_it_were_not_there() {
    for known in ["", "xec durations 2\n0 0\n", "xec durations 1\nnot a line\n\0\0\0"] {
        let ran = case(FILE, ["--force", "-j1", "t"]).file(".xec/durations", known).run().ok();
        assert_eq!(ran.read("log"), "urgent\nquick\nslow\n", "{}", ran.story());
    }
}

#[test]
fn a_short_run_is_not_learned_from() {
    let file = "task t { parallel { run \"true\"; run \"true\" } }";
    let ran = case(file, ["-j1", "t"]).run().ok();
    assert!(!ran.path().join(".xec/durations").exists(), "{}", ran.story());
}
