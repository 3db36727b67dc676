//! The instances of a matrix in batches: which are in which, and the gates between. What an instance is is not known
//! here.
//!
//! Each batch ends in a gate that waits for all of it, and that the next batch waits for:
//!
//! ```text
//! enter ─Ok─► a ─Settled─► gate ─Ok─► b ─Settled─► gate ─► exit
//!                                └──► c ─Settled───┘
//! ```

use std::time::Duration;

use crate::plan::compile::Builder;
use crate::plan::compile::frames::Frame;
use crate::plan::graph::{EdgeKind, Gate, Set, Vertex};
use crate::plan::ids::{GateId, ScopeId, TaskDefId};
use crate::plan::layout::Laid;
use crate::plan::values::{Inputs, Values};
use crate::xecfile::model::{Batches, Share};

/// The batches of a set that is being laid out.
pub(super) struct Batching {
    /// How large each one is, and how many of it must succeed.
    sizes: std::vec::IntoIter<(u32, u32)>,
    /// The one that is being laid out, and how many of it are still to come.
    open: Option<(u32, u32)>,
    /// The ends of its instances begin here among those of the set.
    from: usize,
    pause: Duration,
}

impl Builder<'_, '_> {
    /// What a set of so many goes by.
    pub(super) fn batching(
        &mut self,
        scope: ScopeId,
        (task, inputs): (TaskDefId, &Inputs),
        total: u32,
    ) -> Laid<Option<Batching>> {
        let values = self.cx.scope(task, inputs);
        let require = self.layout.scopes[scope.index()].require;
        let stated = self.cx.def(task).set_policy.require.is_some();
        let written = self.cx.task(task).matrix.as_ref().and_then(|matrix| matrix.batches.as_ref());
        let (batches, pause) = match written {
            Some(written) => settle(written, values, require, total)?,
            None => (Vec::new(), Duration::ZERO),
        };
        let (sizes, over) = (batches.clone().into_iter(), None);
        let has = !batches.is_empty();
        self.layout.sets.push(Set { scope, def: task, total, need: require.of(total), stated, batches, pause, over });
        Ok(has.then_some(Batching { sizes, open: None, from: 0, pause }))
    }

    /// Makes room for one more instance of a set: ends the batch before it, if that is full.
    pub(super) fn next_in_batch(&mut self, frame: &mut Frame<'_>) -> Laid<()> {
        let Some(batching) = &mut frame.batching else { return Ok(()) };
        match &mut batching.open {
            Some((_, left)) if *left > 0 => *left -= 1,
            open => {
                let ended = std::mem::take(open);
                *open = batching.sizes.next().map(|(size, need)| (need, size - 1));
                if let Some((need, _)) = ended {
                    let pause = batching.pause;
                    self.end_batch(frame, Gate { need, pause })?;
                }
            }
        }
        Ok(())
    }

    /// There are no more instances in the set.
    pub(super) fn last_in_batch(&mut self, frame: &mut Frame<'_>) -> Laid<()> {
        let open = frame.batching.as_mut().and_then(|batching| batching.open.take());
        let Some((need, _)) = open else { return self.join(frame.scope) };
        self.end_batch(frame, Gate { need, pause: Duration::ZERO })
    }

    fn end_batch(&mut self, frame: &mut Frame<'_>, gate: Gate) -> Laid<()> {
        self.join(frame.scope)?;
        let Some(batching) = &mut frame.batching else { return Ok(()) };
        let id = GateId(self.layout.gates.len() as u32);
        let site = self.layout.scopes[frame.scope.index()].site;
        let vertex = self.layout.vertex(Vertex::Barrier(id), frame.scope, 0, site)?;
        self.layout.gates.push(gate);
        for end in frame.loose.drain(batching.from..) {
            self.layout.edge(end, vertex, EdgeKind::Settled);
        }
        frame.loose.push(vertex);
        batching.from = frame.loose.len();
        frame.tail = vertex;
        Ok(())
    }
}

fn settle(written: &Batches, values: Values<'_>, require: Share, total: u32) -> Laid<(Vec<(u32, u32)>, Duration)> {
    let share = |text: &str| text.parse::<Share>().ok();
    let mut shares = Vec::with_capacity(written.sizes.len());
    for size in &written.sizes {
        shares.push(values.setting(size, "`batches`", |text| share(text).filter(|share| !share.is_nothing()))?);
    }
    let require = match &written.require {
        Some(late) => values.setting(late, "`require`", share)?,
        // Where it says nothing of its own, each of them is held to what the whole is.
        None => require,
    };
    let pause = match &written.pause {
        Some(late) => values.setting(late, "`pause`", |text| crate::base::duration::parse(text).ok())?,
        None => Duration::ZERO,
    };
    let sizes = cut(total, &shares);
    Ok((sizes.into_iter().map(|size| (size, require.of(size).min(size))).collect(), pause))
}

/// So many in parts of these sizes, each counted of the whole and rounded up; the last size repeats.
fn cut(total: u32, sizes: &[Share]) -> Vec<u32> {
    let mut parts = Vec::new();
    let (mut left, mut sizes) = (total, sizes.iter());
    let mut size = 1;
    while left > 0 {
        size = sizes.next().map_or(size, |share| share.of(total).max(1));
        parts.push(size.min(left));
        left -= size.min(left);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_of_the_whole_and_the_last_repeats() {
        let third = Share::Part(1, 3);
        assert_eq!(cut(12, &[Share::Count(1), third]), [1, 4, 4, 3]);
        assert_eq!(cut(10, &[third]), [4, 4, 2]);
        assert_eq!(cut(3, &[Share::Count(5)]), [3]);
        assert_eq!(cut(5, &[Share::Count(1), Share::Count(2)]), [1, 2, 2]);
        assert_eq!(cut(4, &[Share::ALL]), [4]);
        assert_eq!(cut(1, &[Share::Part(1, 100), third]), [1]);
        assert!(cut(0, &[third]).is_empty());
    }
}
