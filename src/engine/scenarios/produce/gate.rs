//! A barrier for the clients of a producer, before its schedule starts.

use std::sync::{Barrier, OnceLock};

/// A barrier for the clients of a scenario: the schedule starts when all are ready.
pub(super) struct Gate {
    barrier: Barrier,
    started_us: OnceLock<u64>,
}

impl Gate {
    pub(super) fn new(clients: u32) -> Self {
        Self { barrier: Barrier::new(usize::try_from(clients).unwrap_or(1)), started_us: OnceLock::new() }
    }

    /// Waits for the other clients. Returns the start of the schedule, which is the same for all, in
    /// microseconds since the start of the run.
    pub(super) fn pass(&self, now_us: impl FnOnce() -> u64) -> u64 {
        self.barrier.wait();
        *self.started_us.get_or_init(now_us)
    }
}
