//! From the pipes of a command to the report: bounded, in order, and past the dispatcher.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;

use crate::base::event::Message;

/// The way of output to the report, shared by all jobs of a run.
#[derive(Clone, Debug)]
pub struct OutputTx {
    /// To the report; never blocks, which is why the budget below bounds it.
    pub tx: UnboundedSender<Message>,
    /// The bytes that may be on their way at once.
    pub budget: Arc<Semaphore>,
}
