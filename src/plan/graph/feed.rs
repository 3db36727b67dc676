//! What is worked on by lanes: a set or a `reduce` whose items are known only when the run has come so far. The plan
//! holds as many lanes as may work at once; each takes one item after the other. Knows no items.

use std::sync::Arc;
use std::time::Duration;

use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::plan::ids::{InstanceId, LeafId, ScopeId, VertexId};
use crate::plan::matrix::Row;

/// What the lanes of a scope are fed with.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The scope that they lie in, side by side.
    pub scope: ScopeId,
    /// Closes the feed when it fires; ended, it hands out no more.
    pub vertex: VertexId,
    /// In whose scope the list is made.
    pub instance: InstanceId,
    /// The list.
    pub list: Spanned<Template>,
    /// Who writes it while it is worked on already; then the list is never read.
    pub streams: Vec<LeafId>,
    /// What becomes of its items.
    pub way: FeedWay,
    /// The lanes.
    pub lanes: Vec<ScopeId>,
    /// Those values of each item that others take, as they are called there.
    pub taken: Vec<Arc<str>>,
}

/// What becomes of the items of a feed.
#[derive(Clone, Debug)]
pub enum FeedWay {
    /// Each is the value of an axis of instances.
    Axis {
        /// The axis.
        axis: Arc<str>,
        /// So many items go together.
        chunk: Option<u32>,
        /// How long the first of them waits at most.
        within: Option<Duration>,
        /// The combinations of the other axes; one empty one where there are none.
        rows: Vec<Row>,
    },
    /// Neighbours become one, until one is left.
    Join {
        /// So many at once.
        fan_in: u32,
        /// What the last one is called.
        name: Option<Arc<str>>,
    },
}
