//! Values: who sees which, what filters make of them, where late ones come from.

use super::{case, out, refused};

#[test]
fn a_run_gets_only_the_values_that_it_names() {
    let file = r#"
        let alpha one
        task t {
            param beta default=two
            param gamma-ray default=three
            run "echo $gamma_ray; env | grep -E '^(alpha|beta|gamma_ray)=' || true"
            run "env | grep -cE '^(alpha|beta|gamma_ray)=' || true"
            run "echo ${alpha}; env | grep -E '^(alpha|beta|gamma_ray)='"
            exec env
        }
    "#;
    let text = out(file, ["t"]);
    let head: Vec<&str> = text.lines().take(5).collect();
    assert_eq!(head, ["three", "gamma_ray=three", "0", "one", "alpha=one"]);
    let rest: Vec<&str> = text.lines().skip(5).collect();
    assert!(!rest.iter().any(|line| line.starts_with("alpha=") || line.starts_with("beta=")), "{text}");
}

#[test]
fn exec_gets_a_value_by_a_name_of_its_own() {
    let file = r#"task t { param v default=x; env { PASSED "<${v}>" }; exec printenv PASSED }"#;
    assert_eq!(out(file, ["t", "v=a b"]), "<a b>\n");
}

#[test]
fn filters_take_paths_apart() {
    let file = r#"
        task t {
            param p
            exec printf "%s\n" "${p|name}" "${p|stem}" "${p|ext}" "${p|dir}" "${p|dir|name}" "${p|json}" "x${p|ext}y"
        }
    "#;
    assert_eq!(
        out(file, ["t", "p=src/lib/main.tar.gz"]),
        "main.tar.gz\nmain.tar\ngz\nsrc/lib\nlib\n\"src/lib/main.tar.gz\"\nxgzy\n"
    );
    assert_eq!(out(file, ["t", "p=a\"b"]), "a\"b\na\"b\n\n.\n\n\"a\\\"b\"\nxy\n");
}

#[test]
fn defaults_and_literal_holes() {
    let file = r#"task t { param v default=""; exec printf "%s|" "${v:-none}" "$${v}" "${env.NOT_THERE:-away}" "$v" }"#;
    assert_eq!(out(file, ["t"]), "none|${v}|away|$v|");
    assert_eq!(out(file, ["t", "v=x"]), "x|${v}|away|$v|");
}

#[test]
fn an_unknown_name_is_refused_with_a_suggestion() {
    let file = r#"task t { param version default=1; exec echo "${verison}" }"#;
    refused(file, ["t"], "unknown-value", &["did you mean `version`?", "Xecfile.kdl:1:"]);
    let file = r#"task t { exec echo "${x|jsno}"; param x default=1 }"#;
    refused(file, ["t"], "bad-template", &["json"]);
}

#[test]
fn a_capture_is_a_value_from_then_on() {
    let file = r##"
        task t {
            run "echo; echo ' two '; echo; echo" capture=text
            run "printf 'a b\nc\n'" { capture items as=lines }
            run #"printf '["x y", 1, {"k": [2]}]'"# { capture list as=json }
            run "printf '{\"k\": 1}'" { capture object as=json }
            exec printf "<%s>" "${text}" "${items}" "${list}" "${object}" "[${items}]"
            run #"printf '%s,' "$@""# args="${items}"
        }
    "##;
    assert_eq!(out(file, ["t"]), "<\n two ><a b><c><x y><1><{\"k\":[2]}><{\"k\":1}><[a b\nc]>\na b,c,");
}

#[test]
fn a_capture_that_is_no_json_fails_its_step() {
    let file = r#"task t { run "echo '{no'" { capture v as=json }; run "echo after >> log" }"#;
    let ran = case(file, ["t"]).run().failed().says("no JSON").says("`v`");
    assert_eq!(ran.read("log"), "");
    let file = r#"task t { run "printf '\\377'" capture=v; run "echo after >> log" }"#;
    assert_eq!(case(file, ["t"]).run().failed().says("not UTF-8").read("log"), "");
}

#[test]
fn a_value_that_is_not_there_yet_is_unset_and_an_error() {
    let file = r#"task t { run "echo ${v-unset}"; run "echo now" capture=v; run "echo $v" }"#;
    assert_eq!(out(file, ["t"]), "unset\nnow\n");
    let file = r#"task t { when equal "${v}" x; run "echo now" capture=v }"#;
    case(file, ["t"]).run().code(2);
}

#[test]
fn what_is_taken_travels_along_the_edge() {
    let file = r#"
        task use { needs make { take version; take list as=files }; exec printf "<%s>" "${version}" "${files}" }
        task make { run "echo 1.2" capture=version; run "printf 'a\nb c\n'" { capture list as=lines } }
    "#;
    assert_eq!(out(file, ["use"]), "<1.2><a><b c>");
}

#[test]
fn from_a_matrix_comes_a_list_in_its_order_of_the_successes() {
    // The first waits for the last: the order of the list is the file's, not that of time.
    let file = r##"
        task use { needs make { take v; take n }; exec printf "<%s>" "${v}" "${n}" }
        task make {
            matrix require="50%" on-error=continue { n a b c d }
            run #"case $n in a) read -r x < meet;; b) exit 1;; d) echo go > meet;; esac; echo "v $n""# capture=v
        }
    "##;
    let case = case(file, ["use", "-j4"]).fifo("meet");
    case.run().ok().stdout("<v a><v c><v d><a><c><d>");
}

#[test]
fn a_status_is_kept_where_failure_is_allowed() {
    let file = r#"task t { run "exit 7" optional=#true status=code; run "echo got $code"; run "true" status=after; run "echo got $after" }"#;
    assert_eq!(out(file, ["t"]), "got 7\ngot 0\n");
}

#[test]
fn stdin_is_what_it_says() {
    let file = r#"task t { param v default="a\nb"; run "cat" stdin="<${v}>"; exec wc "-c" { stdin "${v}" } }"#;
    assert_eq!(out(file, ["t"]).split_whitespace().collect::<String>(), "<ab>3");
}

const LET: &str = r#"
    let sha run="echo asked >> asked; echo abc"
    task one { run "echo $sha >> log" }
    task two { exec sh "-c" "echo ${sha} >> log" }
    task both { needs one two }
    task neither { run "echo nothing" }
"#;

#[test]
fn a_let_is_asked_once_a_run_at_first_use() {
    let ran = case(LET, ["both", "-j4"]).run().ok();
    assert_eq!((ran.read("log").as_str(), ran.read("asked").as_str()), ("abc\nabc\n", "asked\n"));
    assert_eq!(case(LET, ["neither"]).run().ok().read("asked"), "");
}

#[test]
fn looking_asks_nothing() {
    for look in [["-n", "both"], ["--check", "both"], ["-l", "both"], ["--graph", "both"], ["--show", "both"]] {
        let args = if look[0] == "--check" || look[0] == "-l" { &look[..1] } else { &look[..] };
        let ran = crate::harness::Case::new().xecfile(LET).args(args).run().ok();
        assert_eq!((ran.read("asked").as_str(), ran.read("log").as_str()), ("", ""), "{look:?}");
    }
}

#[test]
fn a_let_that_cannot_be_answered_fails_who_asks() {
    let file = r#"
        let sha run="echo no repository >&2; exit 3"
        task t { run "echo before >> log"; run "echo $sha >> log" }
    "#;
    let ran = case(file, ["t"]).run().failed().says("sha");
    assert!(!ran.read("log").contains("abc"));
}

#[test]
fn a_large_value_goes_by_stdin_only() {
    let file = r#"
        task t { run "head -c 200000 /dev/zero | tr '\\0' x" capture=big; run "wc -c" stdin="${big}" }
        task bad { run "head -c 200000 /dev/zero | tr '\\0' x" capture=big; run "echo $big >> log" }
    "#;
    assert_eq!(out(file, ["t"]).trim(), "200000");
    let ran = case(file, ["bad"]).run().failed().says("`big`").says("100 KiB").says("stdin");
    assert_eq!(ran.read("log"), "");
}

#[test]
fn filters_know_lists() {
    let file = r#"
        task t {
            param f many=#true
            run "printf 'x/a.c\ny/b c.c\n'" { capture made as=lines }
            exec printf "%s\n" "${f|len}" "${f|json}" "[${f|lines}]" "${made|len}" "${made|name|json}" "${made|stem}"
        }
    "#;
    let expected = "2\n[\"a b\",\"c\\\"d\"]\n[a b\nc\"d]\n2\n[\"a.c\",\"b c.c\"]\na\nb c\n";
    assert_eq!(out(file, ["t", "f=a b", "f=c\"d"]), expected);
}
