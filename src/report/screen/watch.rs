//! What is said between two runs of one session: why the next one begins, and what the last one is followed by.

use std::io;

use crate::report::sanitize::visible;
use crate::report::screen::Screen;
use crate::report::style::Ink;

impl Screen {
    /// The head of a run that is not the first, set apart from what is above it.
    pub(super) fn changed(&mut self, paths: &[String], more: usize) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        let names: Vec<_> = paths.iter().map(|path| visible(path)).collect();
        let why = match (names.join(", "), more) {
            (names, _) if names.is_empty() => "again, as asked".to_owned(),
            (names, 0) => format!("{names} changed"),
            (names, more) => format!("{names} and {more} more changed"),
        };
        self.say(Ink::Dim, "")?;
        self.say(Ink::Bold, &format!("↻ {why}"))
    }

    pub(super) fn waiting(&mut self, files: usize, keys: bool) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        let keys = if keys { "; Enter runs again, f what failed, q quits" } else { "" };
        let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
        self.say(Ink::Dim, &format!("… waiting for a change in {files}{keys}"))
    }
}
