//! The one line below all others, and what follows the last of them.

use std::io;

use crate::base::event::Stream;
use crate::report::profile::{self, Profile};
use crate::report::screen::Screen;
use crate::report::style::Ink;

impl Screen {
    /// Where the time of the run went.
    pub(crate) fn profile(&mut self, profile: &Profile) -> io::Result<()> {
        let style = self.console.style(Stream::Stderr);
        profile::text(profile, style).map_or(Ok(()), |text| self.console.say(text))
    }

    /// What stands there from the next flush on.
    pub(crate) fn below(&mut self, line: Option<String>) {
        let style = self.console.style(Stream::Stderr);
        self.console.below(line.map(|line| style.paint(Ink::Dim, &line)));
    }
}
