//! A command in its place, with a scope around it where it has rules of its own.

use crate::plan::compile::Builder;
use crate::plan::compile::frames::{Frame, Order};
use crate::plan::defs::{DEFAULT_GRACE, Node, Work};
use crate::plan::graph::{EdgeKind, Leaf, ScopeKind, Vertex};
use crate::plan::ids::{CommandId, LeafId, ScopeId};
use crate::plan::layout::{Laid, Rules};

impl Builder<'_, '_> {
    pub(super) fn leaf(
        &mut self,
        frame: &mut Frame<'_>,
        command: CommandId,
        node: &Node,
        own: Option<Rules>,
    ) -> Laid<()> {
        let instance = self.owner(frame);
        let around = match own {
            Some(rules) => {
                let scope = self.layout.open(Some(frame.scope), ScopeKind::Group, rules, node.span)?;
                self.layout.scopes[scope.index()].children = 1;
                Some(scope)
            }
            None => None,
        };
        let scope = around.unwrap_or(frame.scope);
        let this = &self.cx.defs.commands[command.index()];
        self.refuse_on_host(scope, this)?;
        let inputs = self.layout.instances[instance.index()].inputs.clone();
        let values = self.cx.scope(self.layout.instances[instance.index()].def, &inputs);
        let time = |text: &str| crate::base::duration::parse(text).ok();
        let grace = match &this.place.grace {
            Some(late) => values.setting(late, "`grace`", time)?,
            None => DEFAULT_GRACE,
        };
        let wait = match &this.work {
            Work::Wait(late) => Some(values.setting(late, "`wait`", time)?),
            _ => None,
        };
        let id = LeafId(self.layout.leaves.len() as u32);
        if let Work::Copy(copy) = &this.work {
            let ends = self.ends(copy, instance, frame.scope)?;
            self.layout.parts.insert(id, ends);
        }
        if let Work::Pipe(pipe) = &this.work
            && let Some(places) = self.members(pipe, instance, scope)?
        {
            self.layout.parts.insert(id, places);
        }
        let vertex = self.layout.vertex(Vertex::Leaf(id), scope, this.priority, node.span)?;
        let service = self.layout.scopes[scope.index()].service;
        let slot = service.is_none() && !self.goes_along(scope) && !matches!(this.work, Work::Wait(_) | Work::Until(_));
        self.layout.leaves.push(Leaf { scope, instance, vertex, command, grace, wait, slot, service });
        let (head, tail) = match around {
            None => (vertex, vertex),
            Some(own) => {
                let enter = self.layout.scopes[own.index()].enter;
                self.layout.edge(enter, vertex, EdgeKind::Ok);
                (enter, self.layout.close(own, &[vertex])?)
            }
        };
        self.arrive(frame, head);
        match frame.order {
            Order::InTurn => frame.tail = tail,
            Order::SideBySide => frame.loose.push(tail),
        }
        Ok(())
    }

    /// Whether a scope lies in an `on-progress`: that would come too late if it stood in line with what it tells of.
    fn goes_along(&self, scope: ScopeId) -> bool {
        let mut pairs = self.layout.outward(scope).zip(self.layout.outward(scope).skip(1));
        pairs.any(|(id, parent)| self.layout.scopes[parent.index()].progress.is_some_and(|(hook, _)| hook == id))
    }
}
