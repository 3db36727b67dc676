//! `/-`, which comments out a node, a value or a block. The parser doubles its time with each one inside
//! another; here it costs what reading costs.

use crate::xecfile::guard::scan::Stop;
use crate::xecfile::guard::{Guard, Node, Phase};

impl Guard<'_> {
    pub(super) fn slashdash(&mut self) -> Result<(), Stop> {
        let dash = self.scan.at;
        self.scan.advance(2);
        let Some(node) = &self.frame().node else {
            self.scan.hidden.push(dash);
            self.frame().node = Some(Node { start: dash, dash: Some(dash), phase: Phase::NoName });
            return Ok(());
        };
        if let Phase::NoName = node.phase {
            return Err(self.twice(dash));
        }
        self.scan.space(true)?;
        if self.scan.starts("/-") {
            return Err(self.twice(self.scan.at));
        }
        if self.scan.starts("(") {
            self.annotation();
            self.scan.space(false)?;
        }
        self.scan.hidden.push(dash);
        match self.scan.peek() {
            Some('{') if self.scan.hidden.len() > 1 => return Err(self.nested_dash()),
            Some('{') => return self.push(self.scan.at, Some(dash)),
            None | Some('}' | ';') => {
                let help = "remove it; a line is commented out by `//`";
                return Err(self.scan.stop(dash..dash + 2, "`/-` comments out nothing", "nothing follows", help));
            }
            _ => {}
        }
        self.hidden_value()?;
        self.scan.space(false)?;
        if self.scan.starts("=") {
            self.scan.advance(1);
            self.scan.space(false)?;
            if !self.scan.at_line_end() && !self.scan.starts("}") {
                self.hidden_value()?;
            }
        }
        self.scan.blank(dash..self.scan.at);
        self.scan.hidden.pop();
        if let Some(node) = &mut self.frame().node
            && !matches!(node.phase, Phase::Block)
        {
            node.phase = Phase::Entries;
        }
        Ok(())
    }

    fn twice(&mut self, second: usize) -> Stop {
        let help = "remove one of them";
        self.scan.stop(second..second + 2, "`/-` behind `/-` comments out nothing", "the second one", help)
    }

    fn hidden_value(&mut self) -> Result<(), Stop> {
        let broken = self.scan.broken.len();
        self.scan.token()?;
        self.scan.broken.truncate(broken);
        Ok(())
    }
}
