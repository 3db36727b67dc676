//! What a project needs from Monday on: one file for each theme.

use crate::harness::{Case, Ran};

mod bytes;
mod conditions;
mod flow;
mod hooks;
mod inputs;
mod matrix;
mod progress;
mod retry;
mod structure;
mod values;

/// A call of xec in a directory with this file.
fn case<const N: usize>(xecfile: &str, args: [&str; N]) -> Case {
    Case::new().xecfile(xecfile).args(args)
}

/// Runs it, demands success, and gives back what went to stdout.
#[track_caller]
fn out<const N: usize>(xecfile: &str, args: [&str; N]) -> String {
    case(xecfile, args).run().ok().out()
}

/// Runs it, demands success, and gives back what its steps wrote to the file `log`.
#[track_caller]
fn log<const N: usize>(xecfile: &str, args: [&str; N]) -> String {
    case(xecfile, args).run().ok().read("log")
}

/// Runs it, and demands that it is refused: exit 2, with the code of the problem and these words, and nothing ran.
#[track_caller]
fn refused<const N: usize>(xecfile: &str, args: [&str; N], code: &str, words: &[&str]) -> Ran {
    let ran = case(xecfile, args).run().code(2).says(&format!("error[{code}]"));
    for word in words {
        assert!(ran.err().contains(word), "expected {word:?}, {}", ran.story());
    }
    assert_eq!(ran.read("log"), "", "something ran, {}", ran.story());
    ran
}
