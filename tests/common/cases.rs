//! Runs cases one after the other, each of which forks a broker of its own while there is one thread. Speaks as much
//! of the language of the usual harness as cargo and nextest need.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A name, and what is to be done.
pub(crate) type Case = (&'static str, fn());

/// What was asked for on the command line.
pub(crate) struct Asked {
    args: Vec<String>,
}

impl Asked {
    /// All words but the first.
    pub(crate) fn new(args: Vec<String>) -> Self {
        Self { args }
    }

    /// Whether an option is there.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.args.iter().any(|arg| arg == name)
    }

    /// The words that are no options.
    pub(crate) fn words(&self) -> impl Iterator<Item = &String> {
        // The value of `--format` is the one that is none.
        self.args.iter().filter(|arg| !arg.starts_with('-') && *arg != "terse")
    }

    fn wants(&self, name: &str) -> bool {
        let exact = self.flag("--exact");
        let fits = |word: &String| if exact { name == word } else { name.contains(word.as_str()) };
        self.words().next().is_none() || self.words().any(fits)
    }

    /// Lists the cases, or runs those that are wanted; one that takes longer than so many seconds ends all, since it
    /// must not hang the build.
    ///
    /// # Panics
    /// One of them failed.
    pub(crate) fn run(&self, cases: impl Iterator<Item = Case>, patience: u32) {
        let cases: Vec<Case> = cases.filter(|(name, _)| self.wants(name)).collect();
        if self.flag("--list") {
            let listed = if self.flag("--ignored") { &[][..] } else { &cases[..] };
            listed.iter().for_each(|(name, _)| println!("{name}: test"));
            return;
        }
        let (begun, mut failed) = (std::time::Instant::now(), 0);
        for (name, case) in &cases {
            nix::unistd::alarm::set(patience);
            let passed = catch_unwind(AssertUnwindSafe(case)).is_ok();
            nix::unistd::alarm::cancel();
            failed += usize::from(!passed);
            println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        }
        let (verdict, passed) = (if failed == 0 { "ok" } else { "FAILED" }, cases.len() - failed);
        println!(
            "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; finished in {:.2?}",
            begun.elapsed()
        );
        assert_eq!(failed, 0);
    }
}
