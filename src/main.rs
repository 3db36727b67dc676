//! The `xec` command.
fn main() {}
