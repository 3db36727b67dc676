//! `--tune`: how often what runs, what is refused, and what is said; never which width is best.

use crate::harness::Case;

/// Five instances that say how many of them are at work.
const FILE: &str = r#"
    task first { run "echo first >> log" }
    task work { needs first; matrix jobs=1 { n range="1..5" }; run "echo $n >> log" }
    task asks { confirm "Really?"; run "echo asked >> log" }
    task kept { inputs "Xecfile.kdl"; run "echo kept >> log" }
    task bad { matrix { n 1 2 }; run "echo bad >> log; exit 7" }
    task names { run "seq 3" { capture names as=lines } }
    task late { needs names { take names }; matrix { n from="${names}" }; run "echo late >> log" }
    task one { parallel { run "true"; run "true" } }
"#;

fn case<const N: usize>(args: [&str; N]) -> Case {
    Case::new().xecfile(FILE).args(args)
}

#[test]
fn each_width_runs_three_times_with_the_first_instances() {
    let ran = case(["work", "--tune=1,2", "--take=2"]).run().ok();
    let lines: Vec<String> = ran.read("log").lines().map(str::to_owned).collect();
    let count = |what: &str| lines.iter().filter(|line| *line == what).count();
    assert_eq!((count("first"), count("1"), count("2"), count("3")), (6, 6, 6, 0), "{lines:?}");
    let out: Vec<String> = ran.out().lines().map(str::to_owned).collect();
    assert!(out[0].starts_with("width  per second"), "{out:?}");
    assert!(out[1].trim_start().starts_with("1  ") && out[2].trim_start().starts_with("2  "), "{out:?}");
    assert!(out[3].starts_with("best: ") && out.len() == 4, "{out:?}");
    assert_eq!(ran.err(), "", "{}", ran.story());
}

#[test]
fn the_width_goes_before_what_the_file_says() {
    // Three that wait for each other get past that only where all of them may run at once.
    let file = r#"
        task t { matrix jobs=1 { n 1 2 }; run "if test $n = 1; then echo go > a; read -r x < b; else read -r x < a; echo go > b; fi" }
    "#;
    Case::new().fifo("a").fifo("b").xecfile(file).args(["--tune=2", "t"]).run().ok();
}

#[test]
fn without_a_matrix_its_commands_are_counted() {
    let ran = case(["one", "--tune=1,2"]).run().ok();
    assert!(ran.out().contains("best: "), "{}", ran.story());
}

#[test]
fn a_failure_ends_it_and_is_told() {
    let ran = case(["bad", "-k", "--tune=1,2"]).run().code(1);
    assert!(ran.err().contains("exit 7") && ran.err().contains("it did not succeed with 1 at once"), "{}", ran.story());
    assert_eq!((ran.read("log").as_str(), ran.out().as_str()), ("bad\nbad\n", ""));
}

#[test]
fn what_should_not_be_repeated_is_refused_unless_forced() {
    for (task, why) in [("asks", "`asks` asks before it runs"), ("kept", "`kept` would be up to date")] {
        let ran = case([task, "--tune=1"]).run().code(2).says(why).says("`--force`");
        assert_eq!(ran.read("log"), "");
    }
    assert_eq!(case(["kept", "--tune=1", "--force"]).run().ok().read("log"), "kept\n".repeat(3));
    assert_eq!(case(["asks", "--tune=1", "--force", "-y"]).run().ok().read("log"), "asked\n".repeat(3));
    case(["late", "--tune=1", "--take=2"]).run().code(2).says("known too late");
}

#[test]
fn widths_that_are_none_are_refused() {
    for words in ["0", "a", "1,,2"] {
        case(["work", &format!("--tune={words}")]).run().code(2).says("takes widths such as 1,2,4,8");
    }
    case(["work", "--take=0"]).run().code(2).says("takes a number from 1 on");
    case(["work", "--tune=1", "-j2"]).run().code(2).says("contradict");
    case(["work", "--tune=1", "-n"]).run().code(2).says("goes with a run");
}

#[test]
fn a_part_can_be_taken_without_it() {
    let ran = case(["work", "--take=3"]).run().ok();
    assert_eq!(ran.read("log"), "first\n1\n2\n3\n");
}
