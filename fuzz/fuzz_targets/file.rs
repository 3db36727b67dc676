//! Any bytes as an `Xecfile.kdl`: an answer, held to the same as in the tests.
#![no_main]

#[path = "../../tests/it/mutations/judge.rs"]
mod judge;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    judge::file(bytes);
});
