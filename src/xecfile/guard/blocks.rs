//! Where blocks begin and end, and what to say when they do not.

use crate::base::diagnostic::{Code, Problem};
use crate::xecfile::guard::scan::Stop;
use crate::xecfile::guard::{Frame, Guard, Node, Phase};

/// Blocks within blocks, at most.
const DEEPEST: usize = 64;

impl Guard<'_> {
    pub(super) fn open(&mut self) -> Result<(), Stop> {
        let at = self.scan.at;
        if self.frame().node.is_none() {
            self.reopen(at)?;
        }
        match self.frame().node.as_ref().map(|node| &node.phase) {
            Some(Phase::NoName) | None => {
                let help = "put the name of a node before it";
                return Err(self.scan.stop(at..at + 1, "a block without a node", "belongs to nothing", help));
            }
            Some(Phase::Block) => {
                let help = "merge the two blocks";
                return Err(self.scan.stop(at..at + 1, "a node has one block at most", "the second one", help));
            }
            Some(Phase::Equals(key)) => {
                let key = key.clone();
                self.no_value(key);
            }
            Some(_) => {}
        }
        let node_hides = self.frame().node.as_ref().is_some_and(|node| node.dash.is_some());
        if node_hides && self.scan.hidden.len() > 1 {
            return Err(self.nested_dash());
        }
        self.push(at, None)
    }

    /// Enters the block at byte `open`.
    pub(super) fn push(&mut self, open: usize, dash: Option<usize>) -> Result<(), Stop> {
        if self.frames.len() > DEEPEST {
            let problem = Problem::error(Code::TooDeep, format!("blocks are nested more than {DEEPEST} deep"));
            let place = self.scan.span(open..open + 1);
            self.scan.problems.push(problem.at(place, "one too many"));
            return Err(Stop);
        }
        self.scan.advance(1);
        self.frames.push(Frame { open, dash, ..Frame::default() });
        Ok(())
    }

    pub(super) fn nested_dash(&mut self) -> Stop {
        let (outer, inner) = match self.scan.hidden[..] {
            [.., outer, inner] => (outer, inner),
            _ => (self.scan.at, self.scan.at),
        };
        let problem = Problem::error(Code::TooDeep, "`/-` within what another `/-` comments out");
        let problem = problem
            .at(self.scan.span(inner..inner + 2), "this hides a block")
            .at(self.scan.span(outer..outer + 2), "and is hidden by this")
            .help("remove the inner `/-`: it is commented out already");
        self.scan.problems.push(problem);
        Stop
    }

    /// A brace where a node should begin: most likely it belongs to the line before.
    fn reopen(&mut self, at: usize) -> Result<(), Stop> {
        let top = self.frames.len() == 1;
        let Some((node, end)) = self.frame().before.take() else { return Ok(()) };
        if matches!(node.phase, Phase::Block) || self.scan.text[end..].starts_with(';') {
            self.frame().before = Some((node, end));
            return Ok(());
        }
        let line = self.scan.text[node.start..end].trim_end();
        let problem = Problem::error(Code::Syntax, "a block begins on the line of its node");
        let problem = problem
            .at(self.scan.span(at..at + 1), "this is a line of its own")
            .at(self.scan.span(node.start..end), "and belongs to this one")
            .help(match line.len() {
                0..100 => format!("{line} {{"),
                _ => "move the brace up".to_owned(),
            });
        self.scan.tell(problem);
        self.scan.blank(end..at);
        if top {
            self.nodes.pop();
        }
        self.frame().node = Some(node);
        Ok(())
    }

    pub(super) fn close(&mut self) -> Result<(), Stop> {
        let at = self.scan.at;
        if self.frames.len() == 1 {
            let help = "remove it, or look for a block that ended too early";
            return Err(self.scan.stop(at..at + 1, "a `}` without a `{`", "closes nothing", help));
        }
        self.end_node(at, false);
        self.hides_nothing()?;
        self.scan.advance(1);
        let dash = self.frames.pop().and_then(|frame| frame.dash);
        let end = self.scan.at;
        if let Some(dash) = dash {
            self.scan.blank(dash..end);
            self.scan.hidden.pop();
        } else if let Some(node) = &mut self.frame().node {
            node.phase = Phase::Block;
        }
        Ok(())
    }

    /// A `/-` with nothing behind it.
    pub(super) fn hides_nothing(&mut self) -> Result<(), Stop> {
        match self.frame().node {
            Some(Node { phase: Phase::NoName, start, .. }) => {
                let help = "remove it; a line is commented out by `//`";
                Err(self.scan.stop(start..start + 2, "`/-` comments out nothing", "nothing follows", help))
            }
            _ => Ok(()),
        }
    }

    /// The end of the file.
    pub(super) fn finish(&mut self) -> Result<(), Stop> {
        self.hides_nothing()?;
        let Some(frame) = self.frames.last().filter(|_| self.frames.len() > 1) else { return Ok(()) };
        let (open, task) = match self.suspect {
            Some((open, task)) => (open, Some(task)),
            None => (frame.open, None),
        };
        let problem = Problem::error(Code::Syntax, "a block is not closed");
        let mut problem = problem.at(self.scan.span(open..open + 1), "this `{` has no `}`");
        if let Some(task) = task {
            problem = problem.at(self.scan.span(task..task + 4), "it should end before this");
        }
        self.scan.problems.push(problem.help("close it with `}`"));
        Err(Stop)
    }
}
