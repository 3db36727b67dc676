//! Any text with `${…}` in it.
#![no_main]

#[path = "../../tests/it/mutations/judge.rs"]
mod judge;

libfuzzer_sys::fuzz_target!(|text: &str| judge::template(text));
