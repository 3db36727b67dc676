//! Files as they come out of editors, merges and disks: whatever is in them, there is an answer.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use xec::report::problems::render;
use xec::xecfile::load::read;

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

/// The same cases each time, unless `XEC_CASES` asks for a number of other ones.
fn cases() -> ProptestConfig {
    let asked = std::env::var("XEC_CASES").ok().and_then(|cases| cases.parse().ok());
    let rng_seed = if asked.is_some() { RngSeed::Random } else { RngSeed::Fixed(1) };
    ProptestConfig { cases: asked.unwrap_or(200), rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

/// Cuts a piece out somewhere and puts another one in.
fn mutation() -> impl Strategy<Value = (usize, usize, String)> {
    let piece = prop_oneof![
        Just(String::new()),
        prop::sample::select(vec![
            "{", "}", "\"", "#", "/-", "/*", "\\", "=", "\n", ";", "(", "${", "'", "\u{1b}", "é", "5s"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    (0..GOOD.len(), 0..12_usize, piece)
}

fn mutate(text: &mut String, (at, length, piece): &(usize, usize, String)) {
    let floor = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let range = floor(*at)..floor(at + length);
    text.replace_range(range, piece);
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_mutated_file_gets_an_answer(mutations in prop::collection::vec(mutation(), 1..6)) {
        let mut text = GOOD.to_owned();
        mutations.iter().for_each(|mutation| mutate(&mut text, mutation));
        let loaded = read(&text);
        prop_assert!(loaded.file.is_some() || !loaded.problems.is_empty());
        let shown = render(&loaded.problems, &loaded.sources, false, 80);
        prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n'));
        prop_assert!(!shown.contains("Failed to read"), "{}", shown);
    }

    #[test]
    fn any_text_gets_an_answer(text in any::<String>()) {
        let loaded = read(&text);
        render(&loaded.problems, &loaded.sources, true, 80);
    }
}

#[test]
fn the_good_file_is_good() {
    let loaded = read(GOOD);
    // `env="x"` is a variable without a value: the one mistake, which mutations may repair.
    assert_eq!(loaded.problems.len(), 1, "{}", render(&loaded.problems, &loaded.sources, false, 80));
}
