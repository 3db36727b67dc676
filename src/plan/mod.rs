//! Floor 2: from the file and a request to the frozen graph and scope tree of one run.
//! Knows nothing of processes, clocks or the terminal.
//!
//! Two structures carry every feature. The **graph** is order: its vertices are the entries and exits of
//! scopes, gates, and the leaves that do something; its edges say why one waits for another. The **scope
//! tree** is ownership: every policy belongs to a scope, and cancelling a scope cancels all that is in it.
//! Every vertex of a scope lies in one range of ids, so that a walk over a scope is a loop, however deep.
//!
//! ```text
//! select (names to tasks, cycles) ─► defs (policies that flow down, settled once for each task)
//!                                 ─► compile (instances, scopes, edges) ─► graph (frozen arrays)
//! ```

pub mod choices;
pub mod compile;
pub mod conditions;
pub mod cycle;
pub mod defs;
pub mod graph;
pub mod hosts;
pub mod ids;
pub mod inputs;
pub mod layout;
pub mod matrix;
pub mod paths;
pub mod request;
pub mod select;
pub mod units;
pub mod values;
pub mod words;
pub mod world;

pub use compile::compile;
pub use graph::{Plan, Scope, ScopeKind};
pub use ids::{InstanceId, LeafId, LimitId, ScopeId, VertexId};
pub use request::{Asked, Request, Word};
pub use world::World;
