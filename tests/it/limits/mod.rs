//! How much may be held at once: limits of the run and of the machine, rates, weights.

mod barrier;
mod batches;
mod held;
mod jobserver;
mod machine;
mod order;

use crate::harness::{Case, Ran};

/// A call of xec on this file.
fn case<const N: usize>(file: &str, args: [&str; N]) -> Case {
    Case::new().xecfile(file).args(args)
}

/// Demands a refusal before anything ran, by this code and with these words.
#[track_caller]
fn refused(file: &str, code: &str, words: &[&str]) {
    for args in [vec!["--check"], vec!["-n", "t"], vec!["t"]] {
        let ran: Ran = Case::new().xecfile(file).args(&args).run().code(2);
        let said = ran.err();
        for words in words.iter().chain([&code]) {
            assert!(said.contains(words), "no {words:?} by {args:?}, {}", ran.story());
        }
        assert_eq!(ran.read("log"), "", "something ran");
    }
}
