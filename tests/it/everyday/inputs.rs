//! Params, flags and the rest: how they are given, and what a wrong one gets.

use super::{case, log, out, refused};

const DEPLOY: &str = r#"
    task deploy {
        param version
        param env default=dev { choices dev staging prod }
        param count type=int default=2
        param wait type=duration default="5s"
        flag pretend short=D
        rest words
        exec printf "<%s>" "${version}" "${env}" "${count}" "${wait}" "${pretend}" "${words}"
        run "echo ran >> log"
    }
"#;

#[test]
fn inputs_are_bound_by_name_by_option_and_flags_by_letter() {
    assert_eq!(out(DEPLOY, ["deploy", "version=1.10"]), "<1.10><dev><2><5s><>");
    assert_eq!(out(DEPLOY, ["deploy", "version=1", "--env=prod"]), "<1><prod><2><5s><>");
    assert_eq!(out(DEPLOY, ["deploy", "version=1", "env=staging", "-D"]), "<1><staging><2><5s><true>");
    assert_eq!(out(DEPLOY, ["deploy", "--pretend", "version=a=b"]), "<a=b><dev><2><5s><true>");
    assert_eq!(out(DEPLOY, ["deploy", "version="]), "<><dev><2><5s><>");
}

#[test]
fn words_after_two_dashes_are_the_rest_as_they_are() {
    let words = out(DEPLOY, ["deploy", "version=1", "--", "-x", "a b", "", "--", "env=prod"]);
    assert_eq!(words, "<1><dev><2><5s><><-x><a b><><--><env=prod>");
}

#[test]
fn a_word_binds_to_the_task_before_it() {
    let file = r#"
        task a { param x default=0; exec printf "a%s\n" "${x}" }
        task b { param x default=0; exec printf "b%s\n" "${x}" }
    "#;
    assert_eq!(out(file, ["a", "x=1", "b"]), "a1\nb0\n");
    assert_eq!(out(file, ["a", "b", "x=1"]), "a0\nb1\n");
    assert_eq!(out(file, ["a", "--x=1", "b", "--x=2"]), "a1\nb2\n");
}

#[test]
fn a_missing_input_is_shown_where_it_is_declared() {
    refused(DEPLOY, ["deploy"], "missing-input", &["`version`", "Xecfile.kdl:3:", "version=…"]);
    let file = r#"
        task top { needs build; run "echo top >> log" }
        task build { param target; run "echo build >> log" }
    "#;
    refused(file, ["top"], "missing-input", &["`target`", "Xecfile.kdl:"]);
}

#[test]
fn a_wrong_input_is_refused_with_its_place() {
    refused(
        DEPLOY,
        ["deploy", "version=1", "count=many"],
        "bad-value",
        &["`many`", "`count`", "Xecfile.kdl:5:", "count=3"],
    );
    refused(DEPLOY, ["deploy", "version=1", "wait=soon"], "bad-value", &["`soon`", "`wait`", "Xecfile.kdl:6:"]);
    refused(DEPLOY, ["deploy", "version=1", "env=prd"], "bad-value", &["`prd`", "did you mean `prod`?"]);
    refused(DEPLOY, ["deploy", "version=1", "cuont=3"], "unknown-input", &["`cuont`"]);
}

#[test]
fn types_are_held_to() {
    for (kind, good, bad) in [
        ("int", "-3", "1.5"),
        ("float", "1.5", "one"),
        ("bool", "true", "maybe"),
        ("duration", "1m", "5"),
        ("size", "64KiB", "big"),
    ] {
        let file = format!("task t {{ param x type={kind}; exec printf \"%s\" \"${{x}}\"; run \"echo ran >> log\" }}");
        assert_eq!(out(&file, ["t", &format!("x={good}")]), good);
        refused(&file, ["t", &format!("x={bad}")], "bad-value", &[&format!("`{bad}`"), "Xecfile.kdl:1:"]);
    }
}

#[test]
fn a_default_is_spelled_as_its_type_is() {
    let file = r##"
        task t {
            param yes default=#true type=bool
            param no type=bool default="false"
            param n type=int default=007
            param wide type=string default=3.10
            exec printf "%s\n" "${yes}" "${no}" "${n}" "${wide}"
        }
        task u { param x default=#true; exec echo "${x}" }
    "##;
    refused(file, ["t"], "bad-value", &["`#true` is not a text", "Xecfile.kdl:9:"]);
    let (file, _) = file.split_once("task u").expect("it is there");
    assert_eq!(out(file, ["t"]), "true\nfalse\n007\n3.10\n");
}

#[test]
fn words_that_a_shell_would_run_stay_words() {
    let file = r##"task t { param v; run #"printf '%s\n' "$v"; echo "$v""#; exec printf "%s\n" "${v}" }"##;
    for word in [
        "x; touch pwned",
        "$(touch pwned)",
        "`touch pwned`",
        "'; touch pwned; '",
        "\"; touch pwned; \"",
        "a\n touch pwned",
    ] {
        let ran = case(file, ["t", &format!("v={word}")]).run().ok();
        assert_eq!(ran.out(), format!("{word}\n{word}\n{word}\n"));
        assert!(!ran.path().join("pwned").exists());
    }
}

#[test]
fn many_make_a_list() {
    let file = r##"
        task t {
            param file many=#true
            exec printf "<%s>" "${file}"
            run #"printf '[%s]' "$@""# args="${file}"
            run #"printf '%s' "$file""#
        }
    "##;
    assert_eq!(out(file, ["t", "file=a b", "file=c"]), "<a b><c>\n[a b][c]\na b\nc");
}

#[test]
fn a_flag_is_true_or_empty() {
    let file = r#"task t { flag release; run "echo build ${release:+--release}" }"#;
    assert_eq!(out(file, ["t"]), "build\n");
    assert_eq!(out(file, ["t", "--release"]), "build --release\n");
}

#[test]
fn needs_bind_inputs_and_share_what_comes_to_the_same() {
    let file = r#"
        task top { needs one; needs two; param v default=7; needs lib n="${v}" }
        task one { needs lib n=1 }
        task two { needs lib n="01" }
        task lib { param n type=int default=1; run "echo lib $n >> log" }
    "#;
    let ran = case(file, ["-j1", "top"]).run().ok();
    let mut lines: Vec<String> = ran.read("log").lines().map(str::to_owned).collect();
    lines.sort();
    assert!(lines.contains(&"lib 7".to_owned()) && lines.contains(&"lib 1".to_owned()), "{lines:?}");
}

#[test]
fn a_letter_takes_its_value_behind_an_equals_sign_or_in_the_next_word() {
    let file = r#"
        task deploy { param env short=E default=dev; flag dry short=D; exec printf "%s%s\n" "${env}" "${dry}" }
        task prod { exec printf "the task prod\n" }
    "#;
    assert_eq!(out(file, ["deploy", "-E=prod"]), "prod\n");
    assert_eq!(out(file, ["deploy", "-E", "prod"]), "prod\n", "not the task of that name");
    assert_eq!(out(file, ["deploy", "-DE", "prod", "prod"]), "prodtrue\nthe task prod\n");
    assert_eq!(out(file, ["deploy", "-D", "prod"]), "devtrue\nthe task prod\n", "a flag takes none");
    assert_eq!(out(file, ["deploy", "-E=", "-D=false"]), "\n");
    refused(file, ["deploy", "-E"], "usage", &["`env` of `deploy` takes a value", "-E=…"]);
    refused(file, ["deploy", "-X", "prod"], "unknown-input", &["`X`"]);
}

#[test]
fn a_value_without_its_name_is_told_how_to_be_one() {
    let file = r#"
        task deploy { param env { choices dev prod }; param count type=int default=1; run "echo ran >> log" }
        task ship { param version; run "echo ran >> log" }
    "#;
    refused(file, ["deploy", "--env", "prod"], "usage", &["`env` of `deploy` takes a value", "write --env=prod"]);
    refused(file, ["deploy", "prod"], "unknown-task", &["`prod`", "did you mean `env=prod`?"]);
    refused(file, ["ship", "1.2"], "unknown-task", &["did you mean `version=1.2`?"]);
    refused(file, ["ship", "version=1", "1.2"], "unknown-task", &["`xec -l`"]);
    refused(file, ["deploy", "--env"], "usage", &["--env=…"]);
}

#[test]
fn what_is_given_late_is_held_to_types_and_choices_too() {
    let file = r##"
        task number { param of; run #"echo "$of""# capture=k; call double k="${k}" { take out }; run #"echo "$out" >> log"# }
        task double { param k type=int; run #"echo "double $k" >> log; echo $((k * 2))"# capture=out }
        task choice { run "echo prd" capture=k; call chosen k="${k}" }
        task chosen { param k { choices prod dev }; run "echo $k >> log" }
        task switch { run "echo false" capture=k; call flagged x="${k}" }
        task flagged { flag x; run #"echo "[${x:+on}]" >> log"# }
        task set { param of; run #"echo "$of""# capture=k; call members k="${k}" }
        task members { param k type=int; matrix { i 1 2 }; run #"echo "$i $k" >> log"# }
        task around { param of; run #"echo "$of""# capture=k; call through k="${k}" }
        task through { param k; call double k="${k}" }
        task items { param of; run #"printf '1\n%s\n' "$of""# { capture l as=lines }; call late l="${l}" }
        task late { param l many=#true type=int; matrix { i from="${l}" }; run #"echo "$i" >> log"# }
    "##;
    assert_eq!(log(file, ["number", "of=4"]), "double 4\n8\n");
    assert_eq!(log(file, ["-j1", "set", "of=5"]), "1 5\n2 5\n", "each instance of a set is given it");
    assert_eq!(log(file, ["-j1", "items", "of=2"]), "1\n2\n");
    assert_eq!(log(file, ["switch"]), "[]\n", "a flag that is off is empty");
    for (task, name) in [("number", "double"), ("set", "members"), ("around", "double"), ("items", "late")] {
        let ran = case(file, [task, "of=x"]).run().code(1);
        assert!(ran.err().contains(&format!("of `{name}`: it is not a whole number")), "{}", ran.story());
        assert_eq!(ran.read("log"), "", "{}", ran.story());
    }
    case(file, ["choice"]).run().code(1).says("`prd` is not one of the choices of `k`");
}
