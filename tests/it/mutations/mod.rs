//! Files as they come out of editors, merges and disks: whatever is in them, there is an answer, and it does not
//! take long. `XEC_CASES` asks for so many other cases; without it they are the same each time. `fuzz/` holds
//! the same to what a fuzzer makes up.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use xec::report::problems::render;
use xec::xecfile::load::read;

use crate::harness::{Case, End};

mod change;
mod corpus;
mod judge;
mod work;

use change::{Change, change};
use judge::Verdict;

const GOOD: &str = r##"
xec min="0.1"
defaults timeout="10m" { on-error drain; env { A "1" } }
env { B "${env.HOME:-x}"; C 3.10 }
task build desc="Compile" cwd=web {
    needs lint
    after clean
    run "cargo build $B" timeout="5m" env="x"
    parallel on-error=continue jobs=2 {
        exec cargo test --workspace -- -D warnings { env { R "${env.R}" }; optional #true }
        sequence { call clean; run #"echo "$x""# }
    }
}
/-task gone { run "x" }
task lint { run """
    a
    b
    """ }
task clean // nothing
"##;

/// Bytes that may be allocated to read, check and plan a file, for each byte of it and besides. A file that is all
/// that a line of it stands for takes some 600 times its size, mostly for the plan of what `matrix` multiplies.
const WORK_PER_BYTE: u64 = 10_000;
const WORK_BESIDES: u64 = 16 << 20;

/// The same cases each time, unless `XEC_CASES` asks for a number of other ones.
fn cases() -> ProptestConfig {
    let asked = std::env::var("XEC_CASES").ok().and_then(|cases| cases.parse().ok());
    let rng_seed = if asked.is_some() { RngSeed::Random } else { RngSeed::Fixed(1) };
    ProptestConfig { cases: asked.unwrap_or(200), rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

fn a_few_cases() -> ProptestConfig {
    let all = cases();
    ProptestConfig { cases: (all.cases / 4).max(1), ..all }
}

fn changed(of: &[String], which: &prop::sample::Index, changes: &[Change]) -> Vec<u8> {
    let mut text = which.get(of).clone().into_bytes();
    changes.iter().for_each(|change| change.apply(&mut text, of));
    text
}

/// Judges a file, and how much work that was.
fn judged(bytes: &[u8]) -> Verdict {
    let (verdict, work) = work::counted(|| judge::file(bytes));
    let most = WORK_BESIDES + WORK_PER_BYTE * bytes.len() as u64;
    assert!(work <= most, "{work} bytes of memory were asked for, for a file of {}", bytes.len());
    verdict
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(change(), 1..6)
}

thread_local! {
    static FILES: Vec<String> = corpus::files();
    static TEMPLATES: Vec<String> = FILES.with(|files| corpus::templates(files));
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_changed_file_gets_an_answer(which in any::<prop::sample::Index>(), changes in changes()) {
        FILES.with(|files| judged(&changed(files, &which, &changes)));
    }

    #[test]
    fn a_changed_template_gets_an_answer(which in any::<prop::sample::Index>(), changes in changes()) {
        let text = TEMPLATES.with(|texts| changed(texts, &which, &changes));
        judge::template(&String::from_utf8_lossy(&text));
    }

    #[test]
    fn any_text_gets_an_answer(text in any::<String>()) {
        judged(text.as_bytes());
        judge::template(&text);
        let loaded = read(&text);
        render(&loaded.problems, &loaded.sources, true, 80);
    }
}

proptest! {
    #![proptest_config(a_few_cases())]

    #[test]
    fn the_binary_refuses_a_bad_file_with_2(which in any::<prop::sample::Index>(), changes in changes()) {
        let bytes = FILES.with(|files| changed(files, &which, &changes));
        // What is included or read besides is there for the binary alone, if at all.
        let verdict = judge::file(&bytes);
        let beside = [b"include".as_slice(), b"dotenv", b"glob"];
        let alone = !beside.iter().any(|word| memchr::memmem::find(&bytes, word).is_some());
        for words in [["--check"], ["-n"]] {
            let ran = Case::new().env("HOME", "/home").xecfile(&bytes).args(words).run();
            let fine = matches!(ran.end, End::Code(0 | 2));
            prop_assert!(fine, "{}\n{}", String::from_utf8_lossy(&bytes), ran.story());
            prop_assert_eq!(ran.end == End::Code(2), ran.err().contains("error["), "{}", ran.story());
            if alone && words == ["--check"] {
                prop_assert_eq!(ran.end == End::Code(0), verdict == Verdict::Good, "{}", ran.story());
            }
        }
    }
}

#[test]
fn files_as_they_are_get_the_answer_that_they_should() {
    let (mut good, mut most) = (0, 0);
    let files = corpus::files();
    for file in &files {
        let (verdict, work) = work::counted(|| judge::file(file.as_bytes()));
        good += usize::from(verdict == Verdict::Good);
        most = most.max(work / (file.len() as u64 + 1));
    }
    assert!(files.len() > 100 && good > 60 && good < files.len(), "{good} of {} are good", files.len());
    assert!(most > 0 && most < WORK_PER_BYTE / 4, "{most} bytes of memory for each byte of a file");
    let templates = corpus::templates(&files);
    assert!(templates.len() > 20);
    templates.iter().for_each(|text| judge::template(text));
}

#[test]
fn the_good_file_is_good() {
    let loaded = read(GOOD);
    // `env="x"` is a variable without a value: the one mistake, which mutations may repair.
    assert_eq!(loaded.problems.len(), 1, "{}", render(&loaded.problems, &loaded.sources, false, 80));
}

/// What changed files have shown to be wrong.
#[test]
fn what_was_found_stays_mended() {
    judge::template("${x|}");
    judge::template("${x||stem}");
    judged("task a {\n    run \"\"\"\néa\n    \"\"\"\n}\n".as_bytes());
    let shown =
        Case::new().xecfile("task a {\r\n    run x\r\n    rnu y\r\n}\r\n").args(["--check"]).run().code(2).err();
    assert!(shown.contains("\n 3 │     rnu y\n") && !shown.contains('\r'), "{shown:?}");
}
