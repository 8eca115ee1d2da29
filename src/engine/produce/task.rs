//! What one client of a producer is given.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::gate::Gate;
use crate::engine::shared::Shared;

/// After a stop: how long acks of what is in flight may still come.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// One client.
pub(super) struct Task {
    pub(super) shared: Arc<Shared>,
    pub(super) index: usize,
    pub(super) client: u32,
    pub(super) partitions: i32,
    pub(super) topic: String,
    pub(super) gate: Arc<Gate>,
    pub(super) deadline: Instant,
}
