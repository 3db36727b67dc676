//! The one line below all others.

use crate::base::event::Stream;
use crate::report::screen::Screen;
use crate::report::style::Ink;

impl Screen {
    /// What stands there from the next flush on.
    pub(crate) fn below(&mut self, line: Option<String>) {
        let style = self.console.style(Stream::Stderr);
        self.console.below(line.map(|line| style.paint(Ink::Dim, &line)));
    }
}
