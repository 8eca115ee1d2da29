//! The inputs of one client of a producer.

use std::sync::Arc;
use std::time::Instant;

use super::gate::Gate;
use crate::engine::context::run_context::RunContext;
use crate::engine::messages::booking::HighestAcks;
use crate::ids::StreamId;

pub(super) struct ProduceTask {
    pub(super) context: Arc<RunContext>,
    pub(super) index: usize,
    pub(super) client: u32,
    /// Its first stream.
    pub(super) first: Option<StreamId>,
    pub(super) partitions: i32,
    pub(super) topic: String,
    pub(super) highest: HighestAcks,
    pub(super) gate: Arc<Gate>,
    pub(super) deadline: Instant,
}
