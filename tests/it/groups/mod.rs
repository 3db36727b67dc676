//! Groups that are more than steps in a row or side by side: one file for each.

use crate::harness::Case;

mod any;
mod pipe;
mod race;
mod service;

/// A call of xec in a directory with this file.
fn case<const N: usize>(xecfile: &str, args: [&str; N]) -> Case {
    Case::new().xecfile(xecfile).args(args)
}

/// Runs it, demands success, and gives back what its steps wrote to the file `log`.
#[track_caller]
fn log<const N: usize>(xecfile: &str, args: [&str; N]) -> String {
    case(xecfile, args).run().ok().read("log")
}
